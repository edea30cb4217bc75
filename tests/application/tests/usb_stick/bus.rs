//! A bus of two queues, the host at their other ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use usb_device::bus::{PollResult, UsbBus};
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{Result, UsbDirection, UsbError};

/// Packets, and endpoints that are stalled.
#[derive(Default)]
struct State {
    to_device: VecDeque<Vec<u8>>,
    to_host: VecDeque<Vec<u8>>,
    endpoints: usize,
    stalls: usize,
}

/// Both ends of the bus.
#[derive(Clone, Default)]
pub struct Bus(Arc<Mutex<State>>);

impl Bus {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// The host sends a packet.
    pub fn send(&self, packet: &[u8]) {
        self.with(|state| state.to_device.push_back(packet.to_vec()));
    }

    /// The host asks for a packet.
    pub fn receive(&self) -> Option<Vec<u8>> {
        self.with(|state| state.to_host.pop_front())
    }

    /// True when the device has taken all packets.
    pub fn is_taken(&self) -> bool {
        self.with(|state| state.to_device.is_empty())
    }

    /// How often an endpoint was stalled.
    pub fn stalls(&self) -> usize {
        self.with(|state| state.stalls)
    }
}

impl UsbBus for Bus {
    fn alloc_ep(
        &mut self,
        direction: UsbDirection,
        address: Option<EndpointAddress>,
        _kind: EndpointType,
        _packet_bytes: u16,
        _interval: u8,
    ) -> Result<EndpointAddress> {
        let index = self.with(|state| {
            state.endpoints += 1;
            state.endpoints
        });
        Ok(address.unwrap_or(EndpointAddress::from_parts(index, direction)))
    }

    fn enable(&mut self) {}

    fn reset(&self) {}

    fn set_device_address(&self, _address: u8) {}

    /// One packet fits: the next has to wait until the host has asked for it.
    fn write(&self, _endpoint: EndpointAddress, packet: &[u8]) -> Result<usize> {
        self.with(|state| match state.to_host.is_empty() {
            true => {
                state.to_host.push_back(packet.to_vec());
                Ok(packet.len())
            }
            false => Err(UsbError::WouldBlock),
        })
    }

    fn read(&self, _endpoint: EndpointAddress, into: &mut [u8]) -> Result<usize> {
        let packet = self.with(|state| state.to_device.pop_front());
        let packet = packet.ok_or(UsbError::WouldBlock)?;
        into[..packet.len()].copy_from_slice(&packet);
        Ok(packet.len())
    }

    fn set_stalled(&self, _endpoint: EndpointAddress, stalled: bool) {
        self.with(|state| state.stalls += usize::from(stalled));
    }

    fn is_stalled(&self, _endpoint: EndpointAddress) -> bool {
        false
    }

    fn suspend(&self) {}

    fn resume(&self) {}

    fn poll(&self) -> PollResult {
        PollResult::None
    }
}
