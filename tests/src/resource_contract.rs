//! What every resource must do, whatever it is made of: the contract of [`Resource`], clause by clause.

use std::collections::HashMap;

use cuesta::resource::{Completion, Resource, ResourceError};
use cuesta::volume::{Sector, Ticket, WriteOptions};
use cuesta_sim::{content, SplitMix64};

/// Polls without progress after which a resource hangs.
const POLLS_MAX: u32 = 2_000_000;
/// Requests of the random history.
const REQUESTS: u32 = 3000;

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Written, trimmed or flushed.
    Done,
    /// Read: the bytes; none of a sector that holds nothing.
    Read(Option<Vec<u8>>),
    /// It failed.
    Failed(ResourceError),
}

/// Waits for a completion; none when nothing is under way.
pub fn next(resource: &mut dyn Resource) -> Option<(Ticket, End)> {
    for _ in 0..POLLS_MAX {
        let ended = match resource.poll() {
            Completion::Written(ticket)
            | Completion::Trimmed(ticket)
            | Completion::Flushed(ticket) => (ticket, End::Done),
            Completion::Data(ticket, bytes) => (ticket, End::Read(Some(bytes.to_vec()))),
            Completion::Unwritten(ticket) => (ticket, End::Read(None)),
            Completion::Failed(ticket, error) => (ticket, End::Failed(error)),
            Completion::Idle => return None,
            Completion::Pending => {
                resource.wait();
                continue;
            }
        };
        return Some(ended);
    }
    panic!("the resource hangs");
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Reads a sector.
    Read(u32),
    /// Writes a version of a sector.
    Write(u32, u32),
    /// Trims so many sectors.
    Trim(u32, u32),
    /// Flushes.
    Flush,
}

/// Submits a request, and takes in what completes until it is accepted.
pub fn submit(
    resource: &mut dyn Resource,
    ask: &Ask,
    ended: &mut Vec<(Ticket, End)>,
) -> Result<Ticket, ResourceError> {
    let mut bytes = vec![0; resource.status().sector_bytes as usize];
    let mut refused = 0;
    loop {
        let accepted = match *ask {
            Ask::Read(sector) => resource.submit_read(Sector(sector)),
            Ask::Write(sector, version) => {
                content::fill(sector, version, &mut bytes);
                resource.submit_write(Sector(sector), &bytes, WriteOptions::default())
            }
            Ask::Trim(first, count) => resource.submit_trim(Sector(first), count),
            Ask::Flush => resource.submit_flush(),
        };
        match accepted {
            Ok(ticket) => return Ok(ticket),
            Err(nb::Error::Other(error)) => return Err(error),
            Err(nb::Error::WouldBlock) => {
                // A resource may have work of its own to do before it takes more.
                ended.extend(next(resource));
                refused += 1;
                assert!(refused < POLLS_MAX, "the resource accepts nothing");
            }
        }
    }
}

/// Submits requests one right after the other; how each of them ended, in their order.
pub fn all(resource: &mut dyn Resource, asks: &[Ask]) -> Vec<End> {
    let mut ended = Vec::new();
    let tickets: Vec<Ticket> = asks
        .iter()
        .map(|ask| submit(resource, ask, &mut ended).unwrap())
        .collect();
    while let Some(end) = next(resource) {
        ended.push(end);
    }
    assert_eq!(ended.len(), asks.len(), "each completes once: {ended:?}");
    let mut ends: HashMap<Ticket, End> = ended.into_iter().collect();
    tickets
        .iter()
        .map(|ticket| ends.remove(ticket).expect("its own ticket"))
        .collect()
}

/// Ends without their bytes.
fn brief(ends: &[End]) -> Vec<String> {
    let one = |end: &End| match end {
        End::Read(Some(bytes)) => format!("read {:02x?}", &bytes[..bytes.len().min(4)]),
        other => format!("{other:?}"),
    };
    ends.iter().map(one).collect()
}

/// Whether a read gave this version of a sector. Version 0 is none.
pub fn is(end: &End, sector: u32, version: u32) -> bool {
    match end {
        End::Read(Some(bytes)) => content::is(sector, version, bytes),
        End::Read(None) => version == 0,
        _ => false,
    }
}

/// Runs all clauses on a resource that is empty, or may be made so, of at least 64 sectors.
pub fn holds(resource: &mut dyn Resource) {
    let status = resource.status();
    assert!(status.sectors >= 64 && status.sector_bytes > 0 && !status.read_only && status.ready);
    all(resource, &[Ask::Trim(0, status.sectors)]);
    assert_eq!(next(resource), None);
    what_was_not_written_reads_as_nothing(resource);
    the_same_sector_in_order(resource);
    refusals_change_nothing(resource);
    forgotten_tickets_are_served(resource);
    a_random_history(resource);
}

fn what_was_not_written_reads_as_nothing(resource: &mut dyn Resource) {
    let last = resource.status().sectors - 1;
    let ends = all(
        resource,
        &[
            Ask::Read(0),
            Ask::Read(last),
            Ask::Write(last, 1),
            Ask::Read(last),
            Ask::Trim(last, 1),
            Ask::Read(last),
        ],
    );
    assert!(is(&ends[0], 0, 0) && is(&ends[1], last, 0));
    assert!(is(&ends[3], last, 1), "{:?}", brief(&ends));
    assert!(is(&ends[5], last, 0), "{:?}", brief(&ends));
}

fn the_same_sector_in_order(resource: &mut dyn Resource) {
    let ends = all(
        resource,
        &[
            Ask::Write(7, 1),
            Ask::Read(7),
            Ask::Write(7, 2),
            Ask::Write(7, 3),
            Ask::Read(7),
            Ask::Trim(5, 4),
            Ask::Read(7),
            Ask::Write(7, 4),
            Ask::Read(7),
            Ask::Flush,
        ],
    );
    assert!(is(&ends[1], 7, 1) && is(&ends[4], 7, 3));
    assert!(is(&ends[6], 7, 0) && is(&ends[8], 7, 4));
    assert_eq!(ends[9], End::Done);
}

fn refusals_change_nothing(resource: &mut dyn Resource) {
    let sectors = resource.status().sectors;
    let beyond = |sector| ResourceError::OutOfRange {
        sector: Sector(sector),
        sectors,
    };
    let mut ended = Vec::new();
    for (ask, error) in [
        (Ask::Read(sectors), beyond(sectors)),
        (Ask::Write(sectors + 1, 1), beyond(sectors + 1)),
        (Ask::Trim(sectors - 1, 2), beyond(sectors)),
        (Ask::Trim(sectors - 1, u32::MAX), beyond(sectors)),
    ] {
        assert_eq!(submit(resource, &ask, &mut ended), Err(error), "{ask:?}");
    }
    let expected = resource.status().sector_bytes as usize;
    for found in [0, 1, expected - 1, expected + 1] {
        let options = WriteOptions::default();
        let refused = resource.submit_write(Sector(7), &vec![1; found], options);
        let error = ResourceError::Length { found, expected };
        assert_eq!(refused, Err(nb::Error::Other(error)));
    }
    assert_eq!(next(resource), None);
    assert!(is(&all(resource, &[Ask::Read(7)])[0], 7, 4));
}

fn forgotten_tickets_are_served(resource: &mut dyn Resource) {
    let mut ended = Vec::new();
    for sector in 10..20 {
        submit(resource, &Ask::Write(sector, 9), &mut ended).unwrap();
    }
    while next(resource).is_some() {}
    for sector in 10..20 {
        assert!(is(&all(resource, &[Ask::Read(sector)])[0], sector, 9));
    }
}

/// As many requests at a time as are accepted, beside a model; each completes once, in any order, with what its turn says.
fn a_random_history(resource: &mut dyn Resource) {
    const SECTORS: u32 = 48;
    all(resource, &[Ask::Trim(0, SECTORS)]);
    let mut random = SplitMix64::new(0x5EC7);
    let mut model = [0_u32; SECTORS as usize];
    let mut ended = Vec::new();
    let mut expected: HashMap<Ticket, (Ask, u32)> = HashMap::new();
    for version in 1..=REQUESTS {
        let sector = random.below(u64::from(SECTORS)) as u32;
        let ask = match random.below(16) {
            0..7 => Ask::Write(sector, version),
            7..14 => Ask::Read(sector),
            14 => Ask::Trim(sector, (SECTORS - sector).min(5)),
            _ => Ask::Flush,
        };
        let ticket = submit(resource, &ask, &mut ended).unwrap();
        let mut turn = 0;
        match ask {
            Ask::Write(..) => model[sector as usize] = version,
            Ask::Read(_) => turn = model[sector as usize],
            Ask::Trim(first, count) => model[first as usize..(first + count) as usize].fill(0),
            Ask::Flush => {}
        }
        assert_eq!(expected.insert(ticket, (ask, turn)), None);
        if random.below(40) == 0 {
            while let Some(end) = next(resource) {
                ended.push(end);
            }
        }
        for (ticket, end) in ended.drain(..) {
            judge(expected.remove(&ticket).expect("once"), &end);
        }
    }
    while let Some((ticket, end)) = next(resource) {
        judge(expected.remove(&ticket).expect("once"), &end);
    }
    assert!(expected.is_empty(), "not completed: {expected:?}");
    let ends = all(
        resource,
        &(0..SECTORS).map(Ask::Read).collect::<Vec<_>>()[..],
    );
    for (sector, end) in (0..).zip(&ends) {
        assert!(is(end, sector, model[sector as usize]), "sector {sector}");
    }
}

fn judge((ask, turn): (Ask, u32), end: &End) {
    match ask {
        Ask::Read(sector) => assert!(is(end, sector, turn), "{ask:?} is not version {turn}"),
        _ => assert_eq!(*end, End::Done, "{ask:?}"),
    }
}
