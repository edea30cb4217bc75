//! What doors refuse, how they say so, and what becomes of calls that are given up.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use cuesta::door::{DoorError, DoorShapeError, NorFlashDisk, SdmmcDisk, SectorBuffer, StorageDisk};
use cuesta::volume::{Budget, Error, Sector};
use cuesta_hal::NandErrorKind;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::{CutPlan, EmulatedNand};
use cuesta_tests::foreign::{finished, yields, Sectors};
use embedded_sdmmc::{Block, BlockDevice, BlockIdx};
use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use embedded_storage::{ReadStorage, Storage};

type Nor<'a> = NorFlashDisk<'a, &'a mut EmulatedNand, 4, 1024>;

/// Has something done with a fresh volume of sectors of 512 bytes.
fn on_volume<T>(work: impl FnOnce(Sectors<'_>) -> T) -> T {
    let mut rig = Rig::of("tiny", 5, Budget::Minimum);
    let mut buffer = [0; 512];
    let volume = rig.mount().expect("a volume").into_volume();
    work(SectorBuffer::new(volume, &mut buffer).expect("a buffer of a sector"))
}

#[test]
fn a_door_that_does_not_fit_says_why() {
    let mut rig = Rig::of("tiny", 5, Budget::Minimum);
    let volume = rig.mount().expect("a volume").into_volume();
    let refused = SectorBuffer::new(volume, &mut [0; 511]).expect_err("too short");
    let (found, needed) = (511, 512);
    assert_eq!(refused, DoorShapeError::Buffer { found, needed });
    assert_eq!(
        refused.to_string(),
        "the buffer has 511 bytes, a sector has 512"
    );

    fn refused_erase<const WRITE: usize, const ERASE: usize>() -> bool {
        on_volume(
            |sectors| match NorFlashDisk::<_, WRITE, ERASE>::new(sectors) {
                Ok(_) => false,
                Err(error) => {
                    let (erase, write, sector) = (ERASE, WRITE, 512);
                    let expected = DoorShapeError::EraseSize {
                        erase,
                        write,
                        sector,
                    };
                    assert_eq!(error, expected);
                    true
                }
            },
        )
    }
    assert!(refused_erase::<4, 256>(), "half a sector");
    assert!(refused_erase::<4, 768>(), "a sector and a half");
    assert!(
        refused_erase::<3, 1024>(),
        "writes that do not fill an erase"
    );
    assert!(refused_erase::<0, 1024>());
    assert!(refused_erase::<4, 0>());
    assert!(!refused_erase::<1, 512>());
    assert!(!refused_erase::<512, 4096>());
}

#[test]
fn what_is_not_aligned_or_out_of_bounds_is_refused_as_flash_does() {
    on_volume(|sectors| {
        let sectors_of_512 = u64::from(sectors.volume().capacity());
        let mut flash = Nor::new(sectors).expect("whole sectors");
        let end = ReadNorFlash::capacity(&flash) as u32;
        assert_eq!(u64::from(end), sectors_of_512 / 2 * 1024);
        NorFlash::write(&mut flash, 8, &[0; 8]).expect("a write");
        let refused = |result: Result<(), DoorError>| result.expect_err("refused").kind();
        let (aligned, bounds) = (
            NorFlashErrorKind::NotAligned,
            NorFlashErrorKind::OutOfBounds,
        );
        let mut bytes = [0; 8];
        for (expected, result) in [
            (aligned, NorFlash::write(&mut flash, 2, &[1; 4])),
            (aligned, NorFlash::write(&mut flash, 4, &[1; 3])),
            (bounds, NorFlash::write(&mut flash, end, &[1; 4])),
            (bounds, NorFlash::write(&mut flash, end - 4, &[1; 8])),
            (bounds, NorFlash::write(&mut flash, u32::MAX - 3, &[1; 8])),
            (aligned, NorFlash::erase(&mut flash, 512, 1024)),
            (aligned, NorFlash::erase(&mut flash, 0, 512)),
            (bounds, NorFlash::erase(&mut flash, 1024, 0)),
            (bounds, NorFlash::erase(&mut flash, 0, end + 1024)),
            (bounds, ReadNorFlash::read(&mut flash, end - 7, &mut bytes)),
            (bounds, ReadNorFlash::read(&mut flash, u32::MAX, &mut bytes)),
        ] {
            assert_eq!(refused(result), expected);
        }
        // Nothing was done, and nothing is not refused.
        ReadNorFlash::read(&mut flash, end - 8, &mut bytes).expect("the end");
        assert_eq!(bytes, [0xFF; 8]);
        ReadNorFlash::read(&mut flash, 8, &mut bytes).expect("a read");
        assert_eq!(bytes, [0; 8]);
        ReadNorFlash::read(&mut flash, end, &mut []).expect("no bytes");
        NorFlash::write(&mut flash, end, &[]).expect("no bytes");
        NorFlash::erase(&mut flash, 0, 0).expect("no bytes");
        ReadNorFlash::read(&mut flash, 8, &mut bytes).expect("a read");
        assert_eq!(bytes, [0; 8]);
    });
    on_volume(|sectors| {
        let mut storage = StorageDisk::new(sectors);
        let end = ReadStorage::capacity(&storage) as u32;
        for offset in [end - 3, end, u32::MAX] {
            let refused = Storage::write(&mut storage, offset, &[1; 4]);
            assert_eq!(refused, Err(DoorError::OutOfBounds));
            let refused = ReadStorage::read(&mut storage, offset, &mut [1; 4]);
            assert_eq!(refused, Err(DoorError::OutOfBounds));
        }
        Storage::write(&mut storage, end - 4, &[1; 4]).expect("the end");
    });
    on_volume(|sectors| {
        let card = SdmmcDisk::new(sectors).expect("a small volume");
        let end = card.num_blocks().expect("a size").0;
        let mut blocks = [Block::new(), Block::new()];
        for first in [end - 1, end, u32::MAX] {
            let refused = card.write(&blocks, BlockIdx(first));
            assert_eq!(refused, Err(DoorError::OutOfBounds));
            let refused = card.read(&mut blocks, BlockIdx(first));
            assert_eq!(refused, Err(DoorError::OutOfBounds));
        }
        card.write(&blocks, BlockIdx(end - 2)).expect("the end");
    });
}

#[test]
fn writing_clears_bits_and_erasing_sets_them() {
    on_volume(|sectors| {
        let mut flash = Nor::new(sectors).expect("whole sectors");
        let mut bytes = [0; 8];
        NorFlash::write(&mut flash, 1020, &[0xF0; 8]).expect("a write over two sectors");
        NorFlash::write(&mut flash, 1024, &[0x3C; 4]).expect("a second write");
        ReadNorFlash::read(&mut flash, 1020, &mut bytes).expect("a read");
        assert_eq!(bytes, [0xF0, 0xF0, 0xF0, 0xF0, 0x30, 0x30, 0x30, 0x30]);
        NorFlash::erase(&mut flash, 1024, 2048).expect("an erase");
        ReadNorFlash::read(&mut flash, 1024, &mut bytes).expect("a read");
        assert_eq!(bytes, [0xFF; 8]);
        ReadNorFlash::read(&mut flash, 1020, &mut bytes).expect("a read");
        assert_eq!(bytes, [0xF0, 0xF0, 0xF0, 0xF0, 0xFF, 0xFF, 0xFF, 0xFF]);
    });
}

#[test]
fn what_others_change_is_seen_through_the_door() {
    on_volume(|sectors| {
        let mut storage = StorageDisk::new(sectors);
        Storage::write(&mut storage, 3, &[7; 4]).expect("a write");
        let volume = storage.sectors_mut().volume_mut();
        while let Err(refused) = volume.submit_write(Sector(0), &[9; 512]) {
            assert_eq!(refused, nb::Error::WouldBlock);
            volume.poll();
            volume.wait();
        }
        let mut bytes = [0; 5];
        ReadStorage::read(&mut storage, 2, &mut bytes).expect("a read");
        assert_eq!(bytes, [9; 5]);
    });
}

#[test]
fn a_volume_that_fails_is_told_as_what_it_says() {
    on_volume(|sectors| {
        let mut flash = Nor::new(sectors).expect("whole sectors");
        NorFlash::write(&mut flash, 0, &[0; 4]).expect("a write");
        let nand = flash.sectors_mut().volume_mut().nand_mut();
        nand.plan_cut(CutPlan::during(0, 1));
        let failed = NorFlash::write(&mut flash, 4, &[0; 4]).expect_err("no power");
        let lost = Error::Nand(NandErrorKind::PowerLost);
        assert_eq!(failed, DoorError::Volume(lost));
        assert_eq!(failed.kind(), NorFlashErrorKind::Other);
        assert_eq!(failed.to_string(), lost.to_string());
    });
}

#[test]
fn other_tasks_run_while_the_part_works() {
    on_volume(|sectors| {
        let mut storage = StorageDisk::new(sectors);
        let write = embedded_storage_async::Storage::write(&mut storage, 100, &[1; 2000]);
        let (written, times) = yields(write);
        written.expect("a write");
        // At least once for each of the five sectors.
        assert!(times >= 5, "{times}");
    });
}

#[test]
fn a_call_that_is_given_up_is_done_or_not_sector_by_sector() {
    use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
    let (mut all, mut none) = (false, false);
    for polls in 0.. {
        let finished_early = on_volume(|sectors| {
            let mut flash = Nor::new(sectors).expect("whole sectors");
            finished(NorFlash::write(&mut flash, 0, &[0x0F; 2048])).expect("a write");
            let ended = {
                let mut write = pin!(NorFlash::write(&mut flash, 256, &[0xF3; 1024]));
                let mut context = Context::from_waker(Waker::noop());
                (0..polls).any(|_| write.as_mut().poll(&mut context).is_ready())
            };
            let mut bytes = [0; 2048];
            finished(ReadNorFlash::read(&mut flash, 0, &mut bytes)).expect("a read");
            let outside = bytes[..256].iter().chain(&bytes[1280..]);
            assert!(outside.copied().all(|byte| byte == 0x0F), "{polls} polls");
            let parts = [256..512, 512..1024, 1024..1280].map(|part| &bytes[part]);
            let done = parts.map(|part| part.iter().all(|&byte| byte == 0x03));
            let not = parts.map(|part| part.iter().all(|&byte| byte == 0x0F));
            assert!((0..3).all(|part| done[part] || not[part]), "{polls} polls");
            assert!(done.is_sorted_by(|before, after| before >= after));
            (all, none) = (all || done[2], none || not[0]);
            // Without what the door has in memory it is the same.
            let _ = flash.sectors_mut().volume_mut();
            let mut again = [0; 2048];
            finished(ReadNorFlash::read(&mut flash, 0, &mut again)).expect("a read");
            assert!(again == bytes, "{polls} polls");
            // The door goes on.
            finished(NorFlash::write(&mut flash, 256, &[0; 1024])).expect("a write");
            finished(ReadNorFlash::read(&mut flash, 0, &mut bytes)).expect("a read");
            assert!(bytes[256..1280].iter().all(|&byte| byte == 0));
            ended
        });
        if finished_early {
            break;
        }
    }
    assert!(all && none);
}
