//! What must hold of a mounted disk, judged from outside.

use cuesta::door::Disk;
use cuesta::volume::{Event, Sector, State, Volume};
use cuesta_hal::Nand;

use crate::campaign::model::{Model, Version};

/// Calls of `poll` after which a volume counts as stuck.
const POLLS_MAX: u32 = 100_000;

/// A volume and its segments, for a message.
#[must_use]
pub fn describe<N: Nand>(volume: &Volume<'_, N>) -> String {
    let mut text = format!("{:?}\n{:?}\n", volume.info(), volume.stats());
    for index in 0..volume.info().segments {
        if let Some(segment) = volume.segment_info(index) {
            if segment.state != State::Reserved {
                text += &format!("{index}: {segment:?}\n");
            }
        }
    }
    text
}

/// The version of a sector, which must be readable, and one of its own.
fn read<N: Nand>(disk: &mut Disk<'_, N>, sector: u32, data: &mut [u8], what: &str) -> Version {
    match disk.read(Sector(sector), data) {
        Ok(written) => Model::identify(sector, written, data)
            .unwrap_or_else(|| panic!("{what}: sector {sector} holds what was never written")),
        Err(error) => panic!(
            "{what}: sector {sector}: {error}\n{}",
            describe(disk.volume())
        ),
    }
}

/// After a cut: every sector is durable or later, whole batches are there or not; from now on nothing may change.
///
/// # Panics
/// When it is not so.
pub fn settles<N: Nand>(disk: &mut Disk<'_, N>, model: &mut Model, what: &str) {
    let mut data = vec![0; disk.volume().sector_bytes()];
    for sector in 0..disk.volume().capacity() {
        let version = read(disk, sector, &mut data, what);
        let expected = model.describe(sector);
        assert!(
            model.settle(sector, version),
            "{what}: sector {sector} is version {version}, {expected}\n{}",
            describe(disk.volume())
        );
    }
    if let Some(torn) = model.torn_batch() {
        panic!("{what}: {torn}\n{}", describe(disk.volume()));
    }
}

/// Every sector reads as the model says.
///
/// # Panics
/// When it is not so.
pub fn agrees<N: Nand>(disk: &mut Disk<'_, N>, model: &Model, what: &str) {
    let mut data = vec![0; disk.volume().sector_bytes()];
    for sector in 0..disk.volume().capacity() {
        let version = read(disk, sector, &mut data, what);
        assert_eq!(
            version,
            model.current(sector),
            "{what}: sector {sector}: {}\n{}",
            model.describe(sector),
            describe(disk.volume())
        );
    }
}

/// Lets the volume finish what it has in flight.
fn rest<N: Nand>(disk: &mut Disk<'_, N>, what: &str) {
    for _ in 0..POLLS_MAX {
        match disk.volume_mut().poll() {
            Event::Idle => return,
            Event::Pending => disk.volume_mut().wait(),
            event => panic!("{what}: nobody asked for {event:?}"),
        }
    }
    panic!(
        "{what}: the volume never rests: {}",
        describe(disk.volume())
    );
}

/// The engine's own verification finds nothing.
///
/// # Panics
/// When it does.
pub fn verifies<N: Nand>(disk: &mut Disk<'_, N>, what: &str) {
    rest(disk, what);
    let mut findings = Vec::new();
    let verified = disk
        .volume_mut()
        .verify(&mut |finding| findings.push(finding), &mut |_, _| {})
        .unwrap_or_else(|error| panic!("{what}: verify: {error}"));
    assert_eq!(
        verified.findings,
        0,
        "{what}: {findings:?}\n{}",
        describe(disk.volume())
    );
}
