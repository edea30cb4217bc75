//! What a disk answers, held against its model: a version of the sector, an error, or something that must never be.

use std::sync::mpsc;
use std::time::Duration;

use cuesta::volume::{Error, Event, Sector, WriteOptions};

use crate::campaign::model::{fill, Model, Version};
use crate::campaign::rig::RigDisk;

/// Turns that any one write may take.
const TURNS_MAX: u32 = 100_000;

/// What a sector was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The version the model has.
    Current,
    /// Another version of the same sector.
    Other(Version),
    /// It cannot be read.
    Refused(Error),
}

/// How many sectors were found how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// As the model has them.
    pub current: u32,
    /// Other versions of the same sector.
    pub other: u32,
    /// Lost, or refused for another reason.
    pub refused: u32,
}

/// What a sector may be found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legal {
    /// The current version and nothing else.
    Current,
    /// The current version or an error.
    CurrentOrRefused,
    /// Any version of its own, or an error: where the media themselves were set back.
    OwnOrRefused,
}

/// Reads a sector.
///
/// # Panics
/// When it reads as what was never written to it.
pub fn read(disk: &mut RigDisk<'_>, model: &Model, sector: u32, what: &str) -> Reading {
    let mut data = vec![0xA5; disk.volume().sector_bytes()];
    match disk.read(Sector(sector), &mut data) {
        Ok(written) => match Model::identify(sector, written, &data) {
            Some(version) if version == model.current(sector) => Reading::Current,
            Some(version) => Reading::Other(version),
            None => panic!("{what}: sector {sector} holds what was never written to it"),
        },
        Err(error) => Reading::Refused(error),
    }
}

/// Reads every sector and counts.
///
/// # Panics
/// When one is not as `legal` allows.
pub fn tally(disk: &mut RigDisk<'_>, model: &Model, legal: Legal, what: &str) -> Tally {
    let mut tally = Tally::default();
    for sector in 0..disk.volume().capacity() {
        match read(disk, model, sector, what) {
            Reading::Current => tally.current += 1,
            Reading::Other(version) => {
                assert!(
                    legal == Legal::OwnOrRefused,
                    "{what}: sector {sector} reads as version {version}, not {}: {}",
                    model.current(sector),
                    model.describe(sector)
                );
                tally.other += 1;
            }
            Reading::Refused(error) => {
                assert!(
                    legal != Legal::Current,
                    "{what}: sector {sector}: {error}; {}",
                    model.describe(sector)
                );
                tally.refused += 1;
            }
        }
    }
    tally
}

/// Every sector reads as the model has it.
///
/// # Panics
/// When one does not.
pub fn expect_current(disk: &mut RigDisk<'_>, model: &Model, what: &str) {
    tally(disk, model, Legal::Current, what);
}

/// Writes a fresh version of a sector.
///
/// # Errors
/// Those of the write.
pub fn write(disk: &mut RigDisk<'_>, model: &mut Model, sector: u32) -> Result<Version, Error> {
    write_with(disk, model, sector, WriteOptions::default())
}

/// Writes a fresh version of a sector in the way asked for.
///
/// # Errors
/// Those of the write.
pub fn write_with(
    disk: &mut RigDisk<'_>,
    model: &mut Model,
    sector: u32,
    options: WriteOptions,
) -> Result<Version, Error> {
    let version = model.fresh();
    write_to_its_end(disk, model, sector, version, options)?;
    Ok(version)
}

/// Writes a version of a sector that no one wrote before.
///
/// # Errors
/// Those of the write.
///
/// # Panics
/// When it never ends.
pub fn write_version(
    disk: &mut RigDisk<'_>,
    model: &mut Model,
    sector: u32,
    version: Version,
) -> Result<(), Error> {
    write_to_its_end(disk, model, sector, version, WriteOptions::default())
}

fn write_to_its_end(
    disk: &mut RigDisk<'_>,
    model: &mut Model,
    sector: u32,
    version: Version,
    options: WriteOptions,
) -> Result<(), Error> {
    let mut data = vec![0; disk.volume().sector_bytes()];
    fill(sector, version, &mut data);
    model.started(sector, version);
    let volume = disk.volume_mut();
    let mut ticket = None;
    for _ in 0..TURNS_MAX {
        if ticket.is_none() {
            match volume.submit_write_with(Sector(sector), &data, options) {
                Ok(accepted) => ticket = Some(accepted),
                Err(nb::Error::WouldBlock) => {}
                Err(nb::Error::Other(error)) => return Err(error),
            }
        }
        match volume.poll() {
            Event::Written(done) if Some(done) == ticket => {
                model.acknowledged(sector, version);
                return Ok(());
            }
            Event::Failed(done, error) if Some(done) == ticket => return Err(error),
            Event::Pending => volume.wait(),
            _ => {}
        }
    }
    let accepted = ticket.is_some();
    panic!(
        "a write never ends (accepted: {accepted}): {:?} {:?}",
        volume.info(),
        volume.stats()
    );
}

/// Runs `work`, which must end in time.
///
/// # Panics
/// When it does not, or when it panics itself.
pub fn within(seconds: u64, what: &str, work: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    match ended.recv_timeout(Duration::from_secs(seconds)) {
        Ok(()) => {}
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: no end after {seconds} s"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {}
    }
    if let Err(cause) = worker.join() {
        std::panic::resume_unwind(cause);
    }
}
