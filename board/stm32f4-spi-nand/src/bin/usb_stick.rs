//! The disk of an STM32F405, F407 or F411 as a USB stick. The volume has to be made before, with the other image.

#![no_std]
#![no_main]

use cortex_m_rt::entry;
use cuesta_application::usb_stick::{UsbStick, TRANSPORT_BYTES, USB_PACKET_BYTES};
use cuesta_application::{mount, Room};
use cuesta_hal::spi_nand::{SpiNand, SpiNandOptions, RAW_PAGE_BYTES_MAX};
use defmt_rtt as _;
use panic_probe as _;
use static_cell::{ConstStaticCell, StaticCell};
use stm32f4_spi_nand::{ClockSource, Microcontroller};
use stm32f4xx_hal::otg_fs::UsbBus;
use usb_device::device::{StringDescriptors, UsbDeviceBuilder, UsbVidPid};
use usbd_storage::subclass::scsi::Scsi;

static PAGE: ConstStaticCell<[u8; RAW_PAGE_BYTES_MAX]> =
    ConstStaticCell::new([0; RAW_PAGE_BYTES_MAX]);
static ROOM: StaticCell<Room> = StaticCell::new();
static TRANSPORT: ConstStaticCell<[u8; TRANSPORT_BYTES]> =
    ConstStaticCell::new([0; TRANSPORT_BYTES]);
/// Words for the endpoints.
static ENDPOINTS: ConstStaticCell<[u32; 256]> = ConstStaticCell::new([0; 256]);

/// Of pid.codes, for tests: <https://pid.codes/1209/0001/>. A product needs one of its own.
const IDENTITY: UsbVidPid = UsbVidPid(0x1209, 0x0001);

#[entry]
fn main() -> ! {
    let Microcontroller {
        bus, delay, usb, ..
    } = Microcontroller::new(ClockSource::Crystal);
    let mut nand = match SpiNand::new(bus, delay, &SpiNandOptions::default(), PAGE.take()) {
        Ok(nand) => nand,
        Err(error) => defmt::panic!("{}", defmt::Display2Format(&error)),
    };
    defmt::info!("part: {}", nand.part().chip.name);
    let room = ROOM.init_with(Room::new);
    let disk = match mount(&mut nand, room) {
        Ok(disk) => disk,
        Err(failure) => defmt::panic!(
            "{}: make a volume with the image stm32f4-spi-nand",
            defmt::Display2Format(&failure)
        ),
    };
    let mut stick = UsbStick::new(disk);

    let usb = defmt::unwrap!(usb, "asked for with the clock");
    let endpoints = UsbBus::new(usb, ENDPOINTS.take());
    let mut scsi = match Scsi::new(
        &endpoints,
        USB_PACKET_BYTES,
        0,
        TRANSPORT.take().as_mut_slice(),
    ) {
        Ok(scsi) => scsi,
        Err(error) => defmt::panic!("{}", defmt::Debug2Format(&error)),
    };
    let strings = StringDescriptors::default()
        .manufacturer("Cuesta")
        .product("NAND disk")
        // The transport asks for twelve digits: USB Mass Storage Class, Bulk-Only Transport 1.0, 4.1.1.
        .serial_number("000000000001");
    let device = UsbDeviceBuilder::new(&endpoints, IDENTITY).strings(&[strings]);
    let mut device = match device {
        Ok(builder) => builder.build(),
        Err(error) => defmt::panic!("{}", defmt::Debug2Format(&error)),
    };
    loop {
        // What is under way at a reset of the bus is given up when the next command comes.
        device.poll(&mut [&mut scsi]);
        if let Err(error) = scsi.poll(|command| stick.obey(command)) {
            defmt::debug!("USB: {}", defmt::Debug2Format(&error));
        }
    }
}
