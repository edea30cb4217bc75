//! `cuesta serve --primary`: caches before primaries, behind policies, as network block devices.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cuesta::cache::Mode;
use cuesta::exec::{Context, ExecError, Persistence};
use cuesta::policy::Operation;
use cuesta::request::{ContextHandle, Hints, Origin, Request, SectorRange, Source};
use cuesta::resource::ResourceError;
use cuesta::volume::{Budget, Sector};
use cuesta_sim::leveled::{with_leveled, LeveledDisk, LeveledOptions, Policy};
use cuesta_sim::nbd::{ExportError, SectorExport, Server};
use signal_hook::consts::SIGHUP;

use crate::failure::{tell, Failure};
use crate::resources::{self, named, Named, Opened};

/// How often it is looked whether policies are to be read again.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Memory of a cache that none is said of.
const NO_CACHE: Named = Named::Ram(0);

/// A cache, a primary, and the rules between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub name: String,
    pub cache: Named,
    pub primary: Named,
    pub policy: Option<PathBuf>,
}

impl Pair {
    /// A pair; without a cache, everything goes to the primary.
    pub fn new(
        name: &str,
        cache: Option<&Named>,
        primary: &Named,
        policy: Option<&PathBuf>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            cache: cache.unwrap_or(&NO_CACHE).clone(),
            primary: primary.clone(),
            policy: policy.cloned(),
        }
    }
}

/// Parses `NAME,primary=…,cache=…,policy=…`.
pub fn pair(text: &str) -> Result<Pair, String> {
    let mut parts = text.split(',');
    let name = parts.next().unwrap_or_default();
    let (mut cache, mut primary, mut policy) = (None, None, None);
    for part in parts {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{part}: KEY=VALUE is expected"))?;
        match key {
            "cache" => cache = Some(named(value)?),
            "primary" => primary = Some(named(value)?),
            "policy" => policy = Some(PathBuf::from(value)),
            _ => return Err(format!("{key}: primary, cache or policy is expected")),
        }
    }
    let primary = primary.ok_or("an export needs primary=…")?;
    Ok(Pair::new(name, cache.as_ref(), &primary, policy.as_ref()))
}

/// A policy that is to be in force from the next request on.
type Mailbox = Arc<Mutex<Option<Policy>>>;

/// A pair, opened.
struct Open {
    pair: Pair,
    cache: Opened,
    primary: Opened,
    policy: Option<Policy>,
    mailbox: Mailbox,
}

impl Open {
    fn new(pair: &Pair, ram: Budget) -> Result<Self, Failure> {
        Ok(Self {
            pair: pair.clone(),
            cache: Opened::open(&pair.cache, ram)?,
            primary: Opened::open(&pair.primary, ram)?,
            policy: pair.policy.as_deref().map(resources::policy).transpose()?,
            mailbox: Mailbox::default(),
        })
    }
}

/// Serves pairs until `stop` is set.
pub fn serve(
    pairs: &[Pair],
    ram: Budget,
    server: Server,
    stop: &AtomicBool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut open = pairs
        .iter()
        .map(|pair| Open::new(pair, ram))
        .collect::<Result<Vec<_>, _>>()?;
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&reload))
        .map_err(|error| Failure::new(format!("cannot handle signal {SIGHUP}: {error}")))?;
    let policies: Vec<(PathBuf, Mailbox)> = open
        .iter()
        .filter_map(|open| Some((open.pair.policy.clone()?, Arc::clone(&open.mailbox))))
        .collect();
    let counters = server.counters();
    let uris: Vec<String> = server.uris().collect();
    let mut server = Some(server);
    let mut told = Vec::new();
    with_all(&mut open, Vec::new(), &mut told, &mut |exports| {
        let Some(server) = server.take() else {
            return Ok(());
        };
        // Whoever started this may wait for the lines.
        for uri in &uris {
            let _ = writeln!(out, "{uri}").and_then(|()| out.flush());
        }
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| {
                let done = server.run_all(exports, stop).map(drop);
                ended.store(true, Ordering::Relaxed);
                done
            });
            while !ended.load(Ordering::Relaxed) {
                if reload.swap(false, Ordering::Relaxed) {
                    for (path, mailbox) in &policies {
                        replace(path, mailbox, out);
                    }
                }
                std::thread::sleep(LOOK_INTERVAL);
            }
            match serving.join() {
                Ok(done) => done.map_err(Failure::from),
                Err(_) => Err(Failure::new("the server has failed in a way it should not")),
            }
        })
    })?;
    let _ = writeln!(out, "stopped: {}", counters.served()).and_then(|()| out.flush());
    for line in told {
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
    Ok(())
}

/// Reads a policy again. One that is wrong is told, and the one before stays in force.
fn replace(path: &std::path::Path, mailbox: &Mailbox, out: &mut dyn Write) {
    match resources::policy(path) {
        Ok(policy) => {
            *mailbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(policy);
            let _ = writeln!(out, "policy: {}", path.display()).and_then(|()| out.flush());
        }
        Err(Failure::Told { line, .. }) => tell(&line),
        Err(Failure::NobodyReads) => {}
    }
}

/// What is done with all exports at once.
type Run<'r> = &'r mut dyn FnMut(Vec<Box<dyn SectorExport + '_>>) -> Result<(), Failure>;

/// Makes the exports of all pairs, one within the other, and runs with them.
fn with_all(
    open: &mut [Open],
    exports: Vec<Box<dyn SectorExport + '_>>,
    told: &mut Vec<String>,
    run: Run<'_>,
) -> Result<(), Failure> {
    let Some((first, rest)) = open.split_first_mut() else {
        return run(exports);
    };
    let Open {
        pair,
        cache,
        primary,
        policy,
        mailbox,
    } = first;
    let sector_bytes = resources::sector_bytes(&[cache, primary]);
    let policy = policy.take();
    let mailbox = Arc::clone(mailbox);
    cache.with(sector_bytes, |store| {
        primary.with(sector_bytes, |primary| {
            let options = LeveledOptions::default();
            with_leveled(store, primary, policy, &options, |leveled| {
                let mut exports = exports;
                exports.push(Box::new(LeveledExport::new(leveled, &pair.name, mailbox)));
                with_all(rest, exports, told, run)?;
                leveled
                    .disk
                    .flush()
                    .map_err(|error| Failure::new(format!("export {:?}: {error}", pair.name)))?;
                let counters = leveled.disk.cache().counters();
                told.push(format!(
                    "cache {:?}: {} read hits, {} read misses, {} writes, {} pages written back",
                    pair.name,
                    counters.read_hits,
                    counters.read_misses,
                    counters.write_hits + counters.write_misses,
                    counters.cleaned
                ));
                Ok(())
            })
            .map_err(|error| Failure::new(error.to_string()))?
        })
    })
}

/// A cache and its primary, as the server sees them.
struct LeveledExport<'d, 'm> {
    leveled: &'d mut LeveledDisk<'m>,
    name: String,
    /// The export, as the policy knows it; none if there is no place.
    context: Option<ContextHandle>,
    mailbox: Mailbox,
    /// The last failure that was told: the same one over and over helps nobody.
    told: Option<ExecError>,
}

impl<'d, 'm> LeveledExport<'d, 'm> {
    fn new(leveled: &'d mut LeveledDisk<'m>, name: &str, mailbox: Mailbox) -> Self {
        let source = Source {
            volume: Some(name),
            ..Source::default()
        };
        let context = leveled.classifier.open(&source).ok();
        Self {
            leveled,
            name: name.to_owned(),
            context,
            mailbox,
            told: None,
        }
    }

    /// The level of a request, by the newest policy.
    fn level(
        &mut self,
        operation: Operation,
        first: Sector,
        count: u32,
    ) -> Result<Persistence, ExportError> {
        let newer = self
            .mailbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(policy) = newer {
            self.leveled.classifier.replace(Some(policy));
        }
        let request = Request {
            tenant: 0,
            range: SectorRange { first, count },
            operation,
            origin: self.context.map_or(Origin::Unknown, Origin::Context),
            hints: Hints::default(),
        };
        let decision = self.leveled.classifier.classify(&request);
        decision
            .map(|decision| decision.persistence)
            .map_err(|_| ExportError::Invalid)
    }

    fn failed(&mut self, error: ExecError) -> ExportError {
        if self.told != Some(error) {
            self.told = Some(error);
            tell(&format!("export {:?}: {error}", self.name));
        }
        match error {
            ExecError::Resource(ResourceError::NoSpace) => ExportError::NoSpace,
            ExecError::Resource(ResourceError::ReadOnly) => ExportError::ReadOnly,
            ExecError::Resource(ResourceError::OutOfRange { .. }) | ExecError::Refused(_) => {
                ExportError::Invalid
            }
            ExecError::Resource(_) => ExportError::Io,
        }
    }

    fn sectors_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes / self.leveled.sector_bytes()).unwrap_or(u32::MAX)
    }
}

/// A sector number as the engine counts; the server keeps it within the disk.
fn sector(number: u64) -> Result<Sector, ExportError> {
    u32::try_from(number)
        .map(Sector)
        .map_err(|_| ExportError::Invalid)
}

impl SectorExport for LeveledExport<'_, '_> {
    fn sector_bytes(&self) -> u32 {
        u32::try_from(self.leveled.sector_bytes()).unwrap_or(u32::MAX)
    }

    fn sectors(&self) -> u64 {
        self.leveled.disk.sectors(&Persistence::default()).into()
    }

    fn read_only(&self) -> bool {
        let primary = self.leveled.disk.cache().primaries().first();
        primary.is_some_and(|primary| primary.status().read_only)
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), ExportError> {
        let first = sector(first)?;
        let count = self.sectors_of(into.len());
        let level = self.level(Operation::Read, first, count)?;
        let read = self
            .leveled
            .disk
            .read(first, into, &level, Context::default());
        read.map_err(|error| self.failed(error))
    }

    fn write(&mut self, first: u64, data: &[u8]) -> Result<(), ExportError> {
        let first = sector(first)?;
        let count = self.sectors_of(data.len());
        let level = self.level(Operation::Write, first, count)?;
        let written = self
            .leveled
            .disk
            .write(first, data, &level, Context::default());
        written.map_err(|error| self.failed(error))
    }

    fn trim(&mut self, first: u64, count: u64) -> Result<(), ExportError> {
        let first = sector(first)?;
        let count = u32::try_from(count).map_err(|_| ExportError::Invalid)?;
        let level = self.level(Operation::Trim, first, count)?;
        if level.mode == Mode::Ephemeral {
            // Forgotten, it would be what the primary has; clients are told that it is zeros.
            let zeros = vec![0; self.leveled.sector_bytes()];
            return (first.0..first.0 + count).map(Sector).try_for_each(|at| {
                let written = self
                    .leveled
                    .disk
                    .write(at, &zeros, &level, Context::default());
                written.map_err(|error| self.failed(error))
            });
        }
        let trimmed = self
            .leveled
            .disk
            .trim(first, count, &level, Context::default());
        trimmed.map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        self.leveled
            .disk
            .flush()
            .map_err(|error| self.failed(error))
    }
}
