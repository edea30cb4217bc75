//! Traces of block requests, played against a cache before a volume on an emulated part.
//!
//! A trace is CSV with a heading that names its columns, in any order: `time`, `op`, `offset`, `length`, and if they are known `tenant`, `app`, `path`. `time` is in
//! seconds and only says what comes first; `op` is `read`, `write`, `trim` or `flush`, or its first letter; `offset` and `length` are in bytes. Lines that begin with
//! `#` are not read. Values have no commas and no quotes.
//!
//! Requests are played one after the other, as fast as they are served. What lies beyond the end of the volume begins at its start again. Each read is compared
//! with what was written before.

use core::fmt;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use cuesta::exec::{Context, ExecError, LevelNumber};
use cuesta::policy::{Operation, Reason};
use cuesta::request::{ContextHandle, Hints, Origin, Request, SectorRange, Source};
use cuesta::resource::{Completion, Resource, ResourceError, Status, Worth};
use cuesta::volume::{Sector, Ticket, Volume, WriteOptions};

use crate::content;
use crate::emulator::EmulatedNand;
use crate::leveled::LeveledDisk;

/// A request of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// What it does.
    pub operation: Operation,
    /// Where, in bytes.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Whose it is.
    pub tenant: u32,
    /// The program, if it is known.
    pub application: String,
    /// The file, if it is known.
    pub path: String,
}

/// Why a line is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for TraceError {}

fn operation(text: &str) -> Option<Operation> {
    let text = text.to_ascii_lowercase();
    Operation::ALL
        .into_iter()
        .find(|operation| text == operation.name() || text == operation.name()[..1])
}

/// Reads a trace; its requests in order of time.
///
/// # Errors
/// The first line that is none.
pub fn parse(text: &str) -> Result<Vec<Traced>, TraceError> {
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let wrong = |line, what: &str| TraceError {
        line,
        what: what.to_owned(),
    };
    let (line, heading) = lines.next().ok_or_else(|| wrong(1, "nothing is there"))?;
    let columns: Vec<&str> = heading.split(',').map(str::trim).collect();
    for needed in ["time", "op", "offset", "length"] {
        if !columns.contains(&needed) {
            return Err(wrong(line, &format!("there is no column {needed}")));
        }
    }
    let mut requests: Vec<(f64, Traced)> = Vec::new();
    for (line, text) in lines {
        let cells: Vec<&str> = text.split(',').map(str::trim).collect();
        if cells.len() != columns.len() {
            let what = format!("{} values under {} headings", cells.len(), columns.len());
            return Err(wrong(line, &what));
        }
        let cell = |name: &str| {
            let at = columns.iter().position(|column| *column == name);
            at.and_then(|at| cells.get(at)).copied().unwrap_or("")
        };
        let number = |name: &str| {
            let found = cell(name);
            let what = format!("{name} {found}: a number is expected");
            found.parse::<u64>().map_err(|_| wrong(line, &what))
        };
        let time = cell("time").parse::<f64>();
        let time = time.map_err(|_| wrong(line, "the time is no number"))?;
        let operation =
            operation(cell("op")).ok_or_else(|| wrong(line, "op is read, write, trim or flush"))?;
        let tenant = match cell("tenant") {
            "" => 0,
            text => text
                .parse()
                .map_err(|_| wrong(line, "the tenant is no number"))?,
        };
        let traced = Traced {
            operation,
            offset: number("offset")?,
            length: number("length")?,
            tenant,
            application: cell("app").to_owned(),
            path: cell("path").to_owned(),
        };
        requests.push((time, traced));
    }
    requests.sort_by(|one, other| one.0.total_cmp(&other.0));
    Ok(requests.into_iter().map(|(_, request)| request).collect())
}

/// What a primary was asked for, and its time.
#[derive(Debug, Default)]
pub struct Gauge {
    writes: AtomicU64,
    now_ns: AtomicU64,
}

/// A volume on an emulated part whose time and requests are looked at.
#[derive(Debug)]
pub struct Gauged<'m> {
    volume: Volume<'m, &'m mut EmulatedNand>,
    gauge: Arc<Gauge>,
}

impl<'m> Gauged<'m> {
    /// Looks at a volume.
    #[must_use]
    pub fn new(volume: Volume<'m, &'m mut EmulatedNand>) -> (Self, Arc<Gauge>) {
        let gauge = Arc::new(Gauge::default());
        let gauged = Self {
            volume,
            gauge: Arc::clone(&gauge),
        };
        gauged.look();
        (gauged, gauge)
    }

    fn look(&self) {
        let now = self.volume.nand().now_ns();
        self.gauge.now_ns.store(now, Ordering::Relaxed);
    }
}

impl Resource for Gauged<'_> {
    fn status(&self) -> Status {
        Resource::status(&self.volume)
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        Resource::submit_read(&mut self.volume, sector)
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        let accepted = Resource::submit_write(&mut self.volume, sector, data, options);
        if accepted.is_ok() {
            self.gauge.writes.fetch_add(1, Ordering::Relaxed);
        }
        accepted
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        Resource::submit_trim(&mut self.volume, first, count)
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        Resource::submit_flush(&mut self.volume)
    }

    fn poll(&mut self) -> Completion<'_> {
        self.look();
        Resource::poll(&mut self.volume)
    }

    fn mark(&mut self, sector: Sector, worth: Worth) {
        Resource::mark(&mut self.volume, sector, worth);
    }

    fn wait(&mut self) {
        Resource::wait(&mut self.volume);
        self.look();
    }
}

/// What was measured of the requests of a level.
#[derive(Debug, Clone, Default)]
pub struct LevelFigures {
    /// Requests.
    pub requests: u64,
    /// Sectors read.
    pub read: u64,
    /// Of these, so many were in the cache.
    pub hits: u64,
    /// Sectors written.
    pub written: u64,
    /// Sectors that the primary was given meanwhile, by whomever.
    pub primary_writes: u64,
    /// How long each request took, in virtual time; sorted.
    pub latencies_ns: Vec<u64>,
}

impl LevelFigures {
    /// The time that so many of a hundred requests took at most.
    #[must_use]
    pub fn percentile_ns(&self, percent: usize) -> u64 {
        let last = self.latencies_ns.len().saturating_sub(1);
        let at = (self.latencies_ns.len() * percent / 100).min(last);
        self.latencies_ns.get(at).copied().unwrap_or(0)
    }
}

/// Why a trace could not be played to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// A request failed.
    Failed {
        /// Which, from 0.
        request: usize,
        /// Why.
        error: ExecError,
    },
    /// A read gave something else than what was written.
    Wrong {
        /// Which request, from 0.
        request: usize,
        /// The sector.
        sector: Sector,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { request, error } => write!(f, "request {}: {error}", request + 1),
            Self::Wrong { request, sector } => write!(
                f,
                "request {}: sector {} is not what was written",
                request + 1,
                sector.0
            ),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Plays requests; the figures of each level, by its name. What is left to be written back at the end is under the empty name.
///
/// # Errors
/// See [`ReplayError`].
pub fn replay(
    disk: &mut LeveledDisk<'_>,
    gauge: &Gauge,
    requests: &[Traced],
) -> Result<BTreeMap<String, LevelFigures>, ReplayError> {
    let mut player = Player {
        figures: BTreeMap::new(),
        contexts: HashMap::new(),
        versions: HashMap::new(),
        data: Vec::new(),
    };
    for (number, request) in requests.iter().enumerate() {
        player.play(disk, gauge, number, request)?;
    }
    let before = gauge.writes.load(Ordering::Relaxed);
    let failed = |error| ReplayError::Failed {
        request: requests.len(),
        error,
    };
    disk.disk.flush().map_err(failed)?;
    let left = player.figures.entry(String::new()).or_default();
    left.primary_writes = gauge.writes.load(Ordering::Relaxed) - before;
    for figures in player.figures.values_mut() {
        figures.latencies_ns.sort_unstable();
    }
    Ok(player.figures)
}

struct Player<'t> {
    figures: BTreeMap<String, LevelFigures>,
    contexts: HashMap<(u32, &'t str, &'t str), Option<ContextHandle>>,
    /// What was written last to each sector.
    versions: HashMap<u32, u32>,
    data: Vec<u8>,
}

impl<'t> Player<'t> {
    fn play(
        &mut self,
        disk: &mut LeveledDisk<'_>,
        gauge: &Gauge,
        number: usize,
        traced: &'t Traced,
    ) -> Result<(), ReplayError> {
        let bytes = disk.sector_bytes() as u64;
        let sectors = u64::from(disk.disk.sectors(&cuesta::exec::Persistence::default())).max(1);
        let first = traced.offset / bytes % sectors;
        let end = (traced.offset % bytes + traced.length).div_ceil(bytes);
        let count = end.min(sectors - first);
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let (first, count) = (Sector(narrow(first)), narrow(count));
        let key = (
            traced.tenant,
            traced.application.as_str(),
            traced.path.as_str(),
        );
        let known = |text: &'t str| (!text.is_empty()).then_some(text);
        let context = *self.contexts.entry(key).or_insert_with(|| {
            let source = Source {
                tenant: traced.tenant,
                application: known(&traced.application),
                path: known(&traced.path),
                ..Source::default()
            };
            disk.classifier.open(&source).ok()
        });
        let request = Request {
            tenant: traced.tenant,
            range: SectorRange { first, count },
            operation: traced.operation,
            origin: context.map_or(Origin::Unknown, Origin::Context),
            hints: Hints {
                bytes: Some(traced.length),
                ..Hints::default()
            },
        };
        // Nothing is asked for: there is always a level.
        let Ok(decision) = disk.classifier.classify(&request) else {
            return Ok(());
        };
        let name = match decision.reason {
            Reason::NoPolicy => "write-through".to_owned(),
            _ => name_of(disk, decision.level),
        };
        let writes = gauge.writes.load(Ordering::Relaxed);
        let hits = disk.disk.cache().counters().read_hits;
        let began = gauge.now_ns.load(Ordering::Relaxed);
        let failed = |error| ReplayError::Failed {
            request: number,
            error,
        };
        self.data.resize(count as usize * disk.sector_bytes(), 0);
        let level = &decision.persistence;
        let context = Context::default();
        match traced.operation {
            Operation::Read => {
                let read = disk.disk.read(first, &mut self.data, level, context);
                read.map_err(failed)?;
                let all = (first.0..).zip(self.data.chunks(disk.sector_bytes()));
                for (sector, data) in all {
                    let version = self.versions.get(&sector).copied().unwrap_or(0);
                    if !content::is(sector, version, data) {
                        let sector = Sector(sector);
                        return Err(ReplayError::Wrong {
                            request: number,
                            sector,
                        });
                    }
                }
            }
            Operation::Write => {
                let version = u32::try_from(number + 1).unwrap_or(u32::MAX);
                for (sector, data) in (first.0..).zip(self.data.chunks_mut(disk.sector_bytes())) {
                    content::fill(sector, version, data);
                    self.versions.insert(sector, version);
                }
                let written = disk.disk.write(first, &self.data, level, context);
                written.map_err(failed)?;
            }
            Operation::Trim if level.mode == cuesta::cache::Mode::Ephemeral => {
                // What is there then is what the primary has: the trace does not say which version that is.
            }
            Operation::Trim => {
                disk.disk
                    .trim(first, count, level, context)
                    .map_err(failed)?;
                for sector in first.0..first.0 + count {
                    self.versions.remove(&sector);
                }
            }
            Operation::Flush => disk.disk.flush().map_err(failed)?,
        }
        let figures = self.figures.entry(name).or_default();
        figures.requests += 1;
        match traced.operation {
            Operation::Read => {
                figures.read += u64::from(count);
                let hits_now = disk.disk.cache().counters().read_hits;
                figures.hits += u64::from(hits_now.wrapping_sub(hits));
            }
            Operation::Write => figures.written += u64::from(count),
            Operation::Trim | Operation::Flush => {}
        }
        figures.primary_writes += gauge.writes.load(Ordering::Relaxed) - writes;
        let took = gauge.now_ns.load(Ordering::Relaxed) - began;
        figures.latencies_ns.push(took);
        Ok(())
    }
}

fn name_of(disk: &LeveledDisk<'_>, level: LevelNumber) -> String {
    let policy = disk.classifier.policy();
    let found = policy.and_then(|policy| policy.level(level));
    found.map_or_else(String::new, |level| level.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_in_order_of_time_whatever_the_columns() {
        let text = "# of a disk\npath, op,time,length,offset\n/a,W,2.5,10,4096\n,read,1,5,0\n";
        let requests = parse(text).unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].operation, Operation::Read);
        assert_eq!(
            (
                requests[1].path.as_str(),
                requests[1].offset,
                requests[1].length
            ),
            ("/a", 4096, 10)
        );
        for (text, line) in [
            ("", 1),
            ("time,op,offset\n", 1),
            ("time,op,offset,length\n1,read,0\n", 2),
            ("time,op,offset,length\n1,seek,0,1\n", 2),
            ("time,op,offset,length\n\n1,read,x,1\n", 3),
            ("time,op,offset,length\nsoon,read,0,1\n", 2),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
