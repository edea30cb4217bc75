//! The disk as a USB stick: what SCSI commands do to it. Blocks of the stick are sectors of the disk.
//!
//! Sources: T10 SPC-3 (INQUIRY, MODE SENSE, REQUEST SENSE), SBC-2 (READ, WRITE, READ CAPACITY), MMC-3 (READ FORMAT CAPACITIES).

use core::borrow::BorrowMut;

use cuesta::door::Disk;
use cuesta::hal::Nand;
use cuesta::volume::{Error, Sector};
use usb_device::bus::UsbBus;
use usbd_storage::subclass::scsi::{Scsi, ScsiCommand};
use usbd_storage::subclass::Command;
use usbd_storage::transport::bbb::BulkOnly;

use crate::room::SECTOR_BYTES;

/// Bytes that the transport needs: a sector, and a packet that arrives meanwhile.
pub const TRANSPORT_BYTES: usize = SECTOR_BYTES + USB_PACKET_BYTES as usize;

/// Bytes of a packet at full speed.
pub const USB_PACKET_BYTES: u16 = 64;

/// Commands that the transport does not name: SPC-3 table 68, SBC-2 table 13.
mod opcode {
    pub const START_STOP_UNIT: u8 = 0x1B;
    pub const PREVENT_ALLOW_MEDIUM_REMOVAL: u8 = 0x1E;
    pub const SYNCHRONIZE_CACHE_10: u8 = 0x35;
}

/// Why a command failed: sense key, additional sense code.
#[derive(Clone, Copy)]
struct Sense(u8, u8);

impl Sense {
    const NONE: Self = Self(0x0, 0x00);
    const UNRECOVERED_READ: Self = Self(0x3, 0x11);
    const WRITE_ERROR: Self = Self(0x3, 0x0C);
    const INVALID_COMMAND: Self = Self(0x5, 0x20);
    const OUT_OF_RANGE: Self = Self(0x5, 0x21);
    const INVALID_FIELD: Self = Self(0x5, 0x24);
    const WRITE_PROTECTED: Self = Self(0x7, 0x27);

    fn of_write(error: &Error) -> Self {
        match error {
            Error::OutOfRange { .. } => Self::OUT_OF_RANGE,
            Error::ReadOnly => Self::WRITE_PROTECTED,
            _ => Self::WRITE_ERROR,
        }
    }
}

/// A READ or WRITE under way, whose data come in pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Transfer {
    writes: bool,
    first: u32,
    count: u32,
    /// Sectors done.
    done: u32,
    /// Bytes of the next sector that were moved between the transport and the buffer.
    moved: usize,
}

/// A disk that obeys SCSI commands.
pub struct UsbStick<'m, N: Nand> {
    disk: Disk<'m, N>,
    bytes: [u8; SECTOR_BYTES],
    transfer: Option<Transfer>,
    sense: Sense,
}

impl<'m, N: Nand> UsbStick<'m, N> {
    /// A stick of this disk.
    #[must_use]
    pub const fn new(disk: Disk<'m, N>) -> Self {
        Self {
            disk,
            bytes: [0; SECTOR_BYTES],
            transfer: None,
            sense: Sense::NONE,
        }
    }

    /// Goes as far with a command as the transport can take or has data; sets its status when it is done. A write is on the media then.
    pub fn obey<Bus: UsbBus, Buf: BorrowMut<[u8]>>(
        &mut self,
        mut command: Command<'_, ScsiCommand, Scsi<BulkOnly<'_, Bus, Buf>>>,
    ) {
        let done = match command.kind {
            ScsiCommand::Read { lba, len } => {
                let go_on = |stick: &mut Self, transfer: &mut Transfer| {
                    stick.send(transfer, |bytes| command.write_data(bytes).unwrap_or(0))
                };
                self.transfer(false, lba, len, go_on)
            }
            ScsiCommand::Write { lba, len } => {
                let go_on = |stick: &mut Self, transfer: &mut Transfer| {
                    stick.receive(transfer, |bytes| command.read_data(bytes).unwrap_or(0))
                };
                self.transfer(true, lba, len, go_on)
            }
            kind => self.answer(kind, |bytes| {
                // What the host does not take, it did not ask for.
                command.write_data(bytes).unwrap_or(0);
            }),
        };
        match done {
            Ok(false) => {}
            Ok(true) => command.pass(),
            Err(sense) => {
                self.sense = sense;
                self.transfer = None;
                command.fail();
            }
        }
    }

    /// Begins a transfer, or goes on with it. True when it is complete.
    fn transfer(
        &mut self,
        writes: bool,
        first: u32,
        count: u16,
        go_on: impl FnOnce(&mut Self, &mut Transfer) -> Result<(), Sense>,
    ) -> Result<bool, Sense> {
        let count = u32::from(count);
        let capacity = self.disk.volume().capacity();
        if first.checked_add(count).is_none_or(|end| end > capacity) {
            return Err(Sense::OUT_OF_RANGE);
        }
        let begun = Transfer {
            writes,
            first,
            count,
            done: 0,
            moved: 0,
        };
        let same = |transfer: &Transfer| {
            (transfer.writes, transfer.first, transfer.count) == (writes, first, count)
        };
        // Another one was given up by the host.
        let mut transfer = self.transfer.take().filter(same).unwrap_or(begun);
        go_on(self, &mut transfer)?;
        if transfer.done == count {
            return Ok(true);
        }
        self.transfer = Some(transfer);
        Ok(false)
    }

    /// Sends what the host can take now.
    fn send(
        &mut self,
        transfer: &mut Transfer,
        mut give: impl FnMut(&[u8]) -> usize,
    ) -> Result<(), Sense> {
        while transfer.done < transfer.count {
            if transfer.moved == 0 {
                let sector = Sector(transfer.first + transfer.done);
                self.disk
                    .read(sector, &mut self.bytes)
                    .map_err(|_| Sense::UNRECOVERED_READ)?;
            }
            let rest = self.bytes.get(transfer.moved..).unwrap_or_default();
            match give(rest) {
                0 => break,
                given => transfer.moved += given,
            }
            self.end_sector(transfer);
        }
        Ok(())
    }

    /// Receives what has come.
    fn receive(
        &mut self,
        transfer: &mut Transfer,
        mut take: impl FnMut(&mut [u8]) -> usize,
    ) -> Result<(), Sense> {
        while transfer.done < transfer.count {
            let rest = self.bytes.get_mut(transfer.moved..).unwrap_or_default();
            match take(rest) {
                0 => break,
                taken => transfer.moved += taken,
            }
            if transfer.moved == SECTOR_BYTES {
                let sector = Sector(transfer.first + transfer.done);
                self.disk
                    .write(sector, &self.bytes)
                    .map_err(|error| Sense::of_write(&error))?;
            }
            self.end_sector(transfer);
        }
        Ok(())
    }

    fn end_sector(&self, transfer: &mut Transfer) {
        if transfer.moved == SECTOR_BYTES {
            transfer.moved = 0;
            transfer.done += 1;
        }
    }

    /// Does what takes no data, or gives a few bytes.
    fn answer(&mut self, command: ScsiCommand, mut give: impl FnMut(&[u8])) -> Result<bool, Sense> {
        let capacity = self.disk.volume().capacity();
        let last = capacity.saturating_sub(1).to_be_bytes();
        let sector_bytes = (SECTOR_BYTES as u32).to_be_bytes();
        let mut give_up_to = |bytes: &[u8], most: usize| {
            give(bytes.get(..most).unwrap_or(bytes));
        };
        match command {
            ScsiCommand::TestUnitReady => {}
            ScsiCommand::Inquiry { evpd: true, .. } => return Err(Sense::INVALID_FIELD),
            ScsiCommand::Inquiry { alloc_len, .. } => {
                // A direct-access device, removable, SPC-2, 31 bytes behind the fifth; maker, product and revision.
                let bytes = b"\x00\x80\x04\x02\x1F\x00\x00\x00Cuesta  NAND disk       0   ";
                give_up_to(bytes, usize::from(alloc_len));
            }
            ScsiCommand::RequestSense { alloc_len, .. } => {
                let Sense(key, code) = core::mem::replace(&mut self.sense, Sense::NONE);
                // Fixed format, ten bytes behind the eighth.
                let mut bytes = [0; 18];
                bytes[0] = 0x70;
                bytes[2] = key;
                bytes[7] = 10;
                bytes[12] = code;
                give_up_to(&bytes, usize::from(alloc_len));
            }
            ScsiCommand::ReadCapacity10 => {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&last);
                bytes[4..].copy_from_slice(&sector_bytes);
                give(&bytes);
            }
            ScsiCommand::ReadCapacity16 { alloc_len } => {
                let mut bytes = [0; 32];
                bytes[4..8].copy_from_slice(&last);
                bytes[8..12].copy_from_slice(&sector_bytes);
                give_up_to(&bytes, alloc_len as usize);
            }
            ScsiCommand::ReadFormatCapacities { alloc_len } => {
                // One descriptor of 8 bytes: blocks, formatted media, bytes of a block.
                let mut bytes = [0; 12];
                bytes[3] = 8;
                bytes[4..8].copy_from_slice(&capacity.to_be_bytes());
                bytes[8..].copy_from_slice(&sector_bytes);
                bytes[8] = 0x02;
                give_up_to(&bytes, usize::from(alloc_len));
            }
            ScsiCommand::ModeSense6 { alloc_len, .. } => {
                give_up_to(&[3, 0, self.protection(), 0], usize::from(alloc_len));
            }
            ScsiCommand::ModeSense10 { alloc_len, .. } => {
                let bytes = [0, 6, 0, self.protection(), 0, 0, 0, 0];
                give_up_to(&bytes, usize::from(alloc_len));
            }
            ScsiCommand::Unknown {
                cmd: opcode::SYNCHRONIZE_CACHE_10 | opcode::START_STOP_UNIT,
            } => self.disk.flush().map_err(|error| Sense::of_write(&error))?,
            ScsiCommand::Unknown {
                cmd: opcode::PREVENT_ALLOW_MEDIUM_REMOVAL,
            } => {}
            _ => return Err(Sense::INVALID_COMMAND),
        }
        Ok(true)
    }

    /// The write-protect bit of the mode parameters.
    fn protection(&self) -> u8 {
        match self.disk.volume().info().read_only {
            true => 0x80,
            false => 0,
        }
    }
}
