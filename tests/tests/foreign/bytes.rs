//! Bytes at any place, through each door that takes them: what a call that was cut leaves.

use std::marker::PhantomData;
use std::ops::Range;

use cuesta::volume::Budget;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::SplitMix64;
use cuesta_tests::foreign::doors::{Blocks, ByteDoor, Card, Storage, StorageAsync};
use cuesta_tests::foreign::{cuts_wanted, Image, Recording, Sectors, Subject, Trial};

use crate::plain::CUTS;

/// Writes of all lengths at all places of the volume's first bytes.
struct AnyBytes<D>(PhantomData<D>);

impl<D: ByteDoor> AnyBytes<D> {
    const BYTES: usize = 24 * 1024;

    /// Where a step writes, and what.
    fn step(step: u32) -> (usize, Vec<u8>) {
        let mut random = SplitMix64::derive(13, u64::from(step));
        let len_max = if random.chance(1, 4) { 9000 } else { 700 };
        let mut bytes = vec![0; (1 + random.below(len_max) as usize).next_multiple_of(D::UNIT)];
        random.fill(&mut bytes);
        let room = (Self::BYTES - bytes.len()) / D::UNIT;
        (random.below(room as u64 + 1) as usize * D::UNIT, bytes)
    }
}

impl<D: ByteDoor> Subject for AnyBytes<D> {
    type Model = Vec<u8>;

    const UNWRITTEN: u8 = 0;

    fn initial(&self) -> Vec<u8> {
        vec![0x5A; Self::BYTES]
    }

    fn steps(&self) -> u32 {
        60
    }

    fn play(&self, model: &mut Vec<u8>, step: u32) {
        let (offset, bytes) = Self::step(step);
        model[offset..][..bytes.len()].copy_from_slice(&bytes);
    }

    fn may_leave(&self, before: &Vec<u8>, step: u32, found: &Vec<u8>, _image: &Image) -> bool {
        let mut after = before.clone();
        self.play(&mut after, step);
        // Some bytes up to a place, none behind it.
        let done = found
            .iter()
            .zip(before)
            .rposition(|(found, before)| found != before)
            .map_or(0, |last| last + 1);
        found[..done] == after[..done] && found[done..] == before[done..]
    }

    fn prepare<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> Sectors<'a> {
        let bytes = self.initial();
        let change = recording.borrow().write(0, &bytes, |_, new| new);
        let sectors = D::write(sectors, 0, &bytes);
        recording.borrow_mut().done(change);
        sectors
    }

    fn run<'a>(
        &self,
        mut sectors: Sectors<'a>,
        recording: &Recording,
        _model: &Vec<u8>,
        steps: Range<u32>,
    ) -> Sectors<'a> {
        for step in steps {
            let (offset, bytes) = Self::step(step);
            let replace = |_, new| new;
            let change = recording.borrow().write(offset as u64, &bytes, replace);
            sectors = D::write(sectors, offset as u32, &bytes);
            recording.borrow_mut().done(change);
            recording.borrow_mut().step();
        }
        sectors
    }

    fn contents<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> (Vec<u8>, Sectors<'a>) {
        let mut bytes = vec![0; Self::BYTES];
        let sectors = D::read(sectors, 0, &mut bytes);
        recording.borrow_mut().read(0, &bytes);
        (bytes, sectors)
    }
}

fn judge<D: ByteDoor>(name: &'static str, chip: &str, seed: u64) {
    let trial = Trial {
        subject: AnyBytes::<D>(PhantomData),
        name,
        seed,
    };
    let tried = trial.judge(Rig::of(chip, seed, Budget::Full), cuts_wanted(CUTS));
    assert!(tried.kept.iter().all(|&count| count > 0), "{tried:?}");
}

#[test]
fn bytes_of_embedded_storage_are_written_up_to_a_place() {
    judge::<Storage>("embedded-storage", "tiny-multi", 21);
}

#[test]
fn bytes_of_embedded_storage_async_are_written_up_to_a_place() {
    judge::<StorageAsync>("embedded-storage-async", "tiny", 22);
}

#[test]
fn blocks_of_block_device_driver_are_written_up_to_a_place() {
    judge::<Blocks>("block-device-driver", "tiny-multi", 23);
}

#[test]
fn blocks_of_a_card_are_written_up_to_a_place() {
    judge::<Card>("embedded-sdmmc blocks", "tiny2", 24);
}
