//! Doors within a program.

use cuesta::door::SectorBuffer;
use cuesta::volume::{Error, Event, Sector, Ticket};
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::EmulatedNand;
use cuesta_tests::foreign::doors::ByteDoor;

use crate::requests::{filled, Request, State};
use crate::{BUDGET, CHIP};

const IDLE_STEPS: u32 = 100;
const FREE: u32 = 4;

type Volume<'r> = cuesta::volume::Volume<'r, &'r mut EmulatedNand>;

/// Sessions on a part, one after the other, and what is on it in the end.
fn sessions(trace: &[Request], mut serve: impl FnMut(&mut RigDisk<'_>, Request)) -> State {
    let mut rig = Rig::of(CHIP, 1, BUDGET);
    for session in trace.split_inclusive(|request| ends(*request)) {
        let mut disk = rig.mount().expect("a volume");
        for &request in session.iter().filter(|request| !ends(**request)) {
            serve(&mut disk, request);
        }
        match session.last() {
            Some(Request::Cut) => {
                drop(disk);
                rig.nand.power_cycle();
            }
            _ => {
                disk.unmount().expect("an end in order");
            }
        }
    }
    state(&mut rig)
}

fn ends(request: Request) -> bool {
    matches!(request, Request::Cut | Request::Remount)
}

/// What is on a part.
pub fn state(rig: &mut Rig) -> State {
    let mut disk = rig.mount().expect("a volume");
    let mut data = vec![0; disk.volume().sector_bytes()];
    (0..disk.volume().capacity())
        .map(|sector| {
            let written = disk.read(Sector(sector), &mut data).expect("a read");
            assert_eq!(written, filled(&data).is_some());
            filled(&data)
        })
        .collect()
}

fn sector(volume: &Volume<'_>, byte: u8) -> Vec<u8> {
    vec![byte; volume.sector_bytes()]
}

/// [`cuesta::door::Disk`].
pub fn blocking(trace: &[Request]) -> State {
    sessions(trace, |disk, request| {
        let done = match request {
            Request::Write(at, byte) => {
                let data = sector(disk.volume(), byte);
                disk.write(Sector(at), &data)
            }
            Request::Trim(first, count) => disk.trim(Sector(first), count),
            Request::Flush => disk.flush(),
            Request::Batch(first, count, byte) => {
                let data = sector(disk.volume(), byte);
                disk.begin_batch().expect("a batch");
                for at in first..first + count {
                    disk.batch_write(Sector(at), &data).expect("a place in it");
                }
                disk.commit_batch()
            }
            Request::Idle => disk.idle(FREE, IDLE_STEPS).map(drop),
            Request::Cut | Request::Remount => unreachable!("they end sessions"),
        };
        done.expect("a request");
    })
}

/// Submits until it is accepted.
fn submit<'r, T>(
    volume: &mut Volume<'r>,
    mut request: impl FnMut(&mut Volume<'r>) -> nb::Result<T, Error>,
) -> T {
    loop {
        match request(volume) {
            Ok(accepted) => return accepted,
            Err(nb::Error::WouldBlock) => turn(volume, None),
            Err(nb::Error::Other(error)) => panic!("{error}"),
        };
    }
}

/// Polls once. True when that has ended a request.
fn turn(volume: &mut Volume<'_>, wanted: Option<Ticket>) -> bool {
    match volume.poll() {
        Event::Written(ticket)
        | Event::Trimmed(ticket)
        | Event::Flushed(ticket)
        | Event::Committed(ticket) => Some(ticket) == wanted,
        Event::Failed(_, error) => panic!("{error}"),
        Event::Pending => {
            volume.wait();
            false
        }
        _ => false,
    }
}

/// `submit_…` and `poll`.
pub fn polled(trace: &[Request]) -> State {
    sessions(trace, |disk, request| {
        let volume = disk.volume_mut();
        let ticket = match request {
            Request::Write(at, byte) => {
                let data = sector(volume, byte);
                submit(volume, |volume| volume.submit_write(Sector(at), &data))
            }
            Request::Trim(first, count) => {
                submit(volume, |volume| volume.submit_trim(Sector(first), count))
            }
            Request::Flush => submit(volume, |volume| volume.submit_flush()),
            Request::Batch(first, count, byte) => {
                let data = sector(volume, byte);
                submit(volume, |volume| volume.begin_batch());
                for at in first..first + count {
                    submit(volume, |volume| {
                        volume.submit_batch_write(Sector(at), &data)
                    });
                }
                submit(volume, |volume| volume.submit_commit())
            }
            Request::Idle => {
                for _ in 0..IDLE_STEPS {
                    if !volume.idle(FREE).expect("time") {
                        break;
                    }
                    turn(volume, None);
                }
                return;
            }
            Request::Cut | Request::Remount => unreachable!("they end sessions"),
        };
        while !turn(volume, Some(ticket)) {}
    })
}

/// A door in front of a buffer.
pub fn buffered<D: ByteDoor>(trace: &[Request]) -> State {
    let mut rig = Rig::of(CHIP, 1, BUDGET);
    let volume = rig.mount().expect("a volume").into_volume();
    let bytes = volume.sector_bytes();
    let mut buffer = vec![0; bytes];
    let mut sectors = SectorBuffer::new(volume, &mut buffer).expect("a buffer");
    for &request in trace {
        // These doors have written when a call returns.
        if let Request::Write(at, byte) = request {
            sectors = D::write(sectors, at * bytes as u32, &vec![byte; bytes]);
        }
    }
    let ended = sectors.into_volume().unmount();
    ended.map_err(|(_, error)| error).expect("an end in order");
    state(&mut rig)
}
