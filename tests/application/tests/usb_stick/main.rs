//! What a host sees of the stick, through the transport that firmware uses, on an emulated part.

mod bus;

use cuesta_application::usb_stick::{UsbStick, TRANSPORT_BYTES, USB_PACKET_BYTES};
use cuesta_application::{mark, mount, run, Board, Room};
use cuesta_sim::EmulatedNand;
use usb_device::bus::UsbBusAllocator;
use usb_device::device::{UsbDeviceBuilder, UsbVidPid};
use usbd_storage::subclass::scsi::Scsi;
use usbd_storage::transport::bbb::BulkOnly;

use bus::Bus;

const SECTOR_BYTES: usize = 2048;
/// More polls than any command needs.
const POLLS_MAX: usize = 10_000;

/// USB Mass Storage Class, Bulk-Only Transport 1.0, 5.1 and 5.2.
const COMMAND_SIGNATURE: [u8; 4] = *b"USBC";
const STATUS_SIGNATURE: [u8; 4] = *b"USBS";

const REQUEST_SENSE: [u8; 6] = [0x03, 0, 0, 0, 18, 0];
const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 36, 0];
const READ_CAPACITY_10: [u8; 10] = [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const SYNCHRONIZE_CACHE_10: [u8; 10] = [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn transfer_10(opcode: u8, first: u32, count: u16) -> [u8; 10] {
    let [a, b, c, d] = first.to_be_bytes();
    let [high, low] = count.to_be_bytes();
    [opcode, 0, a, b, c, d, 0, high, low, 0]
}

fn read_10(first: u32, count: u16) -> [u8; 10] {
    transfer_10(0x28, first, count)
}

fn write_10(first: u32, count: u16) -> [u8; 10] {
    transfer_10(0x2A, first, count)
}

/// Data that goes along with a command.
enum Data<'d> {
    In(usize),
    Out(&'d [u8]),
    None,
}

type Transport<'a> = Scsi<BulkOnly<'a, Bus, Vec<u8>>>;

/// A host, a stick and the bus between them.
struct Host<'a, 'm> {
    bus: Bus,
    scsi: Transport<'a>,
    stick: UsbStick<'m, &'m mut EmulatedNand>,
    tag: u32,
}

impl Host<'_, '_> {
    fn poll(&mut self) {
        self.scsi.poll(|command| self.stick.obey(command)).unwrap();
    }

    fn receive(&mut self) -> Vec<u8> {
        for _ in 0..POLLS_MAX {
            if let Some(packet) = self.bus.receive() {
                return packet;
            }
            self.poll();
        }
        panic!("nothing comes from the stick");
    }

    fn send(&mut self, packet: &[u8]) {
        self.bus.send(packet);
        for _ in 0..POLLS_MAX {
            if self.bus.is_taken() {
                return;
            }
            self.poll();
        }
        panic!("the stick takes nothing");
    }

    /// A command with its data; returns what came, and whether the command passed.
    fn command(&mut self, block: &[u8], data: &Data<'_>) -> (Vec<u8>, bool) {
        self.tag += 1;
        let (len, direction) = match data {
            Data::In(len) => (*len, 0x80),
            Data::Out(bytes) => (bytes.len(), 0),
            Data::None => (0, 0),
        };
        let mut wrapper = COMMAND_SIGNATURE.to_vec();
        wrapper.extend(self.tag.to_le_bytes());
        wrapper.extend(u32::try_from(len).unwrap().to_le_bytes());
        wrapper.extend([direction, 0, u8::try_from(block.len()).unwrap()]);
        wrapper.extend(block);
        wrapper.resize(31, 0);
        self.send(&wrapper);
        if let Data::Out(bytes) = data {
            for packet in bytes.chunks(usize::from(USB_PACKET_BYTES)) {
                self.send(packet);
            }
        }
        let mut came = Vec::new();
        loop {
            let packet = self.receive();
            if packet.len() == 13 && packet.starts_with(&STATUS_SIGNATURE) {
                assert_eq!(
                    packet[4..8],
                    self.tag.to_le_bytes(),
                    "the status is of this command"
                );
                return (came, packet[12] == 0);
            }
            came.extend(packet);
        }
    }

    fn sense(&mut self) -> (u8, u8) {
        let (bytes, passed) = self.command(&REQUEST_SENSE, &Data::In(18));
        assert!(passed);
        (bytes[2], bytes[12])
    }
}

/// A board that is not asked for anything.
struct NoBoard;

impl Board for NoBoard {
    fn now_us(&mut self) -> u32 {
        0
    }

    fn reset_soon(&mut self, _draw: u32) {}

    fn kept(&self) -> &'static cuesta_application::ledger::Kept {
        static KEPT: cuesta_application::ledger::Kept = cuesta_application::ledger::blank();
        &KEPT
    }
}

fn formatted() -> (EmulatedNand, Box<Room>) {
    let mut nand = EmulatedNand::of("w25n01gv").unwrap();
    let mut room = Box::new(Room::new());
    run(
        &mut nand,
        &mut room,
        &mut NoBoard,
        "format 1",
        &mut String::new(),
    )
    .unwrap();
    (nand, room)
}

/// Puts a stick on a bus and lets a host do something with it.
fn plugged(nand: &mut EmulatedNand, room: &mut Room, act: impl FnOnce(&mut Host<'_, '_>)) {
    let bus = Bus::default();
    let allocator = UsbBusAllocator::new(bus.clone());
    let scsi = Scsi::new(&allocator, USB_PACKET_BYTES, 0, vec![0; TRANSPORT_BYTES]).unwrap();
    // Addresses are given when the device is built.
    let _device = UsbDeviceBuilder::new(&allocator, UsbVidPid(0x1209, 1)).build();
    let stick = UsbStick::new(mount(nand, room).unwrap());
    act(&mut Host {
        bus,
        scsi,
        stick,
        tag: 0,
    });
}

/// Sectors one after the other, each with its mark.
fn sectors(first: u32, count: u32, mark: u32) -> Vec<u8> {
    let sector = |sector| {
        let mut bytes = vec![0; SECTOR_BYTES];
        mark::fill(&mut bytes, sector, mark);
        bytes
    };
    (first..first + count).flat_map(sector).collect()
}

#[test]
fn what_a_host_writes_it_reads_and_so_does_the_application_after_the_stick_was_pulled_out() {
    let (mut nand, mut room) = formatted();
    plugged(&mut nand, &mut room, |host| {
        for (first, count, mark) in [(0, 7, 1), (5, 20, 2), (60_000, 1, 3)] {
            let data = sectors(first, count, mark);
            let count = u16::try_from(count).unwrap();
            let (_, passed) = host.command(&write_10(first, count), &Data::Out(&data));
            assert!(passed);
            let (came, passed) = host.command(&read_10(first, count), &Data::In(data.len()));
            assert!(passed);
            assert_eq!(came, data);
        }
        assert!(host.command(&SYNCHRONIZE_CACHE_10, &Data::None).1);
        assert_eq!(host.bus.stalls(), 0);
    });
    let mut told = String::new();
    let line = "read 4 3;read 25 1;read 60000 1";
    run(&mut nand, &mut room, &mut NoBoard, line, &mut told).unwrap();
    assert_eq!(
        told,
        "sector 4 1\nsector 5 2\nsector 6 2\nsector 25 blank\nsector 60000 3\n"
    );
}

#[test]
fn the_stick_says_what_it_is_and_how_large() {
    let (mut nand, mut room) = formatted();
    plugged(&mut nand, &mut room, |host| {
        let (bytes, passed) = host.command(&INQUIRY, &Data::In(36));
        assert!(passed);
        assert_eq!(bytes.len(), 36);
        assert_eq!(&bytes[8..32], b"Cuesta  NAND disk       ");
        let (bytes, passed) = host.command(&READ_CAPACITY_10, &Data::In(8));
        assert!(passed);
        let last = u32::from_be_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(bytes[4..], 2048_u32.to_be_bytes());
        let sector = sectors(last, 1, 9);
        assert!(host.command(&write_10(last, 1), &Data::Out(&sector)).1);
        assert!(
            !host
                .command(&read_10(last + 1, 1), &Data::In(SECTOR_BYTES))
                .1
        );
        assert_eq!(host.sense(), (0x5, 0x21), "beyond the end");
        assert_eq!(host.sense(), (0, 0), "told once");
        assert!(
            !host
                .command(&read_10(u32::MAX, 2), &Data::In(2 * SECTOR_BYTES))
                .1
        );
        assert_eq!(host.sense(), (0x5, 0x21), "beyond the end of all numbers");
    });
}

#[test]
fn commands_it_does_not_know_fail_and_it_goes_on() {
    let (mut nand, mut room) = formatted();
    plugged(&mut nand, &mut room, |host| {
        let unmap = [0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(!host.command(&unmap, &Data::None).1);
        assert_eq!(host.sense(), (0x5, 0x20));
        let vital_data = [0x12, 1, 0x80, 0, 36, 0];
        assert!(!host.command(&vital_data, &Data::In(36)).1);
        assert_eq!(host.sense(), (0x5, 0x24));
        let (bytes, passed) = host.command(&read_10(0, 1), &Data::In(SECTOR_BYTES));
        assert!(passed);
        assert_eq!(bytes, [0; SECTOR_BYTES], "nobody has written it");
    });
}
