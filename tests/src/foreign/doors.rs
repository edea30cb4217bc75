//! The doors that take bytes at any place, as one trait.

use aligned::{Aligned, A1};
use block_device_driver::BlockDevice as _;
use cuesta::door::{BlockDisk, SdmmcDisk, StorageDisk};
use embedded_sdmmc::{Block, BlockDevice as _, BlockIdx};

use super::run::finished;
use super::Sectors;

/// A door that takes bytes at multiples of a unit, on any part.
pub trait ByteDoor {
    /// The unit.
    const UNIT: usize;

    /// Writes through the door.
    fn write<'a>(sectors: Sectors<'a>, offset: u32, bytes: &[u8]) -> Sectors<'a>;
    /// Reads through the door.
    fn read<'a>(sectors: Sectors<'a>, offset: u32, bytes: &mut [u8]) -> Sectors<'a>;
}

/// `embedded_storage::Storage`.
#[derive(Debug)]
pub struct Storage;

impl ByteDoor for Storage {
    const UNIT: usize = 1;

    fn write<'a>(sectors: Sectors<'a>, offset: u32, bytes: &[u8]) -> Sectors<'a> {
        let mut door = StorageDisk::new(sectors);
        embedded_storage::Storage::write(&mut door, offset, bytes).expect("a write");
        door.into_sectors()
    }

    fn read<'a>(sectors: Sectors<'a>, offset: u32, bytes: &mut [u8]) -> Sectors<'a> {
        let mut door = StorageDisk::new(sectors);
        embedded_storage::ReadStorage::read(&mut door, offset, bytes).expect("a read");
        door.into_sectors()
    }
}

/// `embedded_storage_async::Storage`.
#[derive(Debug)]
pub struct StorageAsync;

impl ByteDoor for StorageAsync {
    const UNIT: usize = 1;

    fn write<'a>(sectors: Sectors<'a>, offset: u32, bytes: &[u8]) -> Sectors<'a> {
        let mut door = StorageDisk::new(sectors);
        let write = embedded_storage_async::Storage::write(&mut door, offset, bytes);
        finished(write).expect("a write");
        door.into_sectors()
    }

    fn read<'a>(sectors: Sectors<'a>, offset: u32, bytes: &mut [u8]) -> Sectors<'a> {
        let mut door = StorageDisk::new(sectors);
        let read = embedded_storage_async::ReadStorage::read(&mut door, offset, bytes);
        finished(read).expect("a read");
        door.into_sectors()
    }
}

/// `block_device_driver::BlockDevice`.
#[derive(Debug)]
pub struct Blocks;

impl ByteDoor for Blocks {
    const UNIT: usize = 512;

    fn write<'a>(sectors: Sectors<'a>, offset: u32, bytes: &[u8]) -> Sectors<'a> {
        let mut door = BlockDisk::new(sectors);
        let block = |bytes: &[u8]| Aligned(bytes.try_into().expect("a block"));
        let blocks: Vec<Aligned<A1, [u8; 512]>> = bytes.chunks(512).map(block).collect();
        finished(door.write(offset / 512, &blocks)).expect("a write");
        door.into_sectors()
    }

    fn read<'a>(sectors: Sectors<'a>, offset: u32, bytes: &mut [u8]) -> Sectors<'a> {
        let mut door = BlockDisk::new(sectors);
        let mut blocks = vec![Aligned::<A1, _>([0; 512]); bytes.len() / 512];
        finished(door.read(offset / 512, &mut blocks)).expect("a read");
        for (bytes, block) in bytes.chunks_mut(512).zip(&blocks) {
            bytes.copy_from_slice(&block[..]);
        }
        door.into_sectors()
    }
}

/// `embedded_sdmmc::BlockDevice`.
#[derive(Debug)]
pub struct Card;

impl ByteDoor for Card {
    const UNIT: usize = Block::LEN;

    fn write<'a>(sectors: Sectors<'a>, offset: u32, bytes: &[u8]) -> Sectors<'a> {
        let door = SdmmcDisk::new(sectors).expect("a small volume");
        let block = |bytes: &[u8]| Block {
            contents: bytes.try_into().expect("a block"),
        };
        let blocks: Vec<Block> = bytes.chunks(Block::LEN).map(block).collect();
        let first = BlockIdx(offset / Block::LEN_U32);
        door.write(&blocks, first).expect("a write");
        door.into_sectors()
    }

    fn read<'a>(sectors: Sectors<'a>, offset: u32, bytes: &mut [u8]) -> Sectors<'a> {
        let door = SdmmcDisk::new(sectors).expect("a small volume");
        let mut blocks = vec![Block::new(); bytes.len() / Block::LEN];
        let first = BlockIdx(offset / Block::LEN_U32);
        door.read(&mut blocks, first).expect("a read");
        for (bytes, block) in bytes.chunks_mut(Block::LEN).zip(&blocks) {
            bytes.copy_from_slice(&block[..]);
        }
        door.into_sectors()
    }
}
