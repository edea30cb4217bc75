//! Primaries behind policies, with caches before them or without, as network block devices.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cuesta::cache::{Mode, OpenError, Recovered};
use cuesta::door::ServeError;
use cuesta::exec::{Context, ExecError, RESOURCES_MAX};
use cuesta::policy::Operation;
use cuesta::request::{ContextHandle, Hints, Origin, Request, SectorRange, Source};
use cuesta::resource::ResourceError;
use cuesta::volume::{Budget, Sector};
use cuesta_sim::control::ControlSocket;
use cuesta_sim::leveled::{
    shorter, with_leveled_over, Durable, Lent, LeveledDisk, LeveledError, LeveledOptions, Policy,
};
use cuesta_sim::nbd::{ExportError, SectorExport, Server};
use signal_hook::consts::SIGHUP;

use super::live::{self, Below, Live, Shared};
use crate::failure::{tell, Failure};
use crate::resources::{self, named, Named, Opened};

/// How often it is looked whether policies are to be read again, and whether somebody calls.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Sectors of a cache up to which there is memory for pages of any size: 24 MiB.
const ADJUSTED_SECTORS_MAX: u32 = 1 << 20;
/// Requests after which it is looked whether pages should have another size; at least as many as there are pages.
const ADJUST_REQUESTS: u32 = 1024;
/// Memory of a cache that none is said of.
const NO_CACHE: Named = Named::Ram(0);

/// A cache, primaries, and the rules between them.
#[derive(Debug, Clone)]
pub struct Pair {
    pub name: String,
    pub cache: Named,
    pub primaries: Vec<Named>,
    /// The file with the rules.
    pub policy: Option<PathBuf>,
    /// The rules, where there is no file.
    pub stored: Option<Policy>,
    /// Changes that clients ask for are refused.
    pub read_only: bool,
    /// A cache that survives restarts is made anew.
    pub new_cache: bool,
    /// That such a cache has lost something is known.
    pub accept_losses: bool,
}

impl Pair {
    /// A pair; without a cache, everything goes to the primaries.
    pub fn new(
        name: &str,
        cache: Option<&Named>,
        primaries: &[Named],
        policy: Option<&PathBuf>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            cache: cache.unwrap_or(&NO_CACHE).clone(),
            primaries: primaries.to_vec(),
            policy: policy.cloned(),
            stored: None,
            read_only: false,
            new_cache: false,
            accept_losses: false,
        }
    }
}

/// Parses `NAME,primary=…,cache=…,policy=…`.
pub fn pair(text: &str) -> Result<Pair, String> {
    let mut parts = text.split(',');
    let name = parts.next().unwrap_or_default();
    let (mut cache, mut primaries, mut policy) = (None, Vec::new(), None);
    for part in parts {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{part}: KEY=VALUE is expected"))?;
        match key {
            "cache" => cache = Some(named(value)?),
            "primary" => primaries.push(named(value)?),
            "policy" => policy = Some(PathBuf::from(value)),
            _ => return Err(format!("{key}: primary, cache or policy is expected")),
        }
    }
    match primaries.len() {
        0 => Err("an export needs primary=…".to_owned()),
        found if found > usize::from(RESOURCES_MAX) => Err(format!(
            "{found} primaries: at most {RESOURCES_MAX} can be named"
        )),
        _ => Ok(Pair::new(name, cache.as_ref(), &primaries, policy.as_ref())),
    }
}

/// A pair, opened.
struct Open {
    pair: Pair,
    cache: Opened,
    primaries: Vec<Opened>,
    policy: Option<Policy>,
    below: Below,
}

impl Open {
    fn new(pair: &Pair, ram: Budget) -> Result<Self, Failure> {
        let mut primaries = pair
            .primaries
            .iter()
            .map(|primary| Opened::open(primary, ram))
            .collect::<Result<Vec<_>, _>>()?;
        let volumes = primaries.iter_mut().map(Opened::levels);
        let below = Below {
            volumes: volumes.collect::<Result<_, _>>()?,
        };
        let policy = match (&pair.policy, &pair.stored) {
            (Some(file), _) => Some(resources::policy_with(file, below.storage())?),
            (None, stored) => stored.clone(),
        };
        Ok(Self {
            pair: pair.clone(),
            cache: Opened::open(&pair.cache, ram)?,
            primaries,
            policy,
            below,
        })
    }
}

/// Serves pairs until `stop` is set.
pub fn serve(
    pairs: &[Pair],
    ram: Budget,
    server: Server,
    control: Option<&Path>,
    stop: &AtomicBool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut open = pairs
        .iter()
        .map(|pair| Open::new(pair, ram))
        .collect::<Result<Vec<_>, _>>()?;
    let control = control.map(ControlSocket::bind).transpose()?;
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&reload))
        .map_err(|error| Failure::new(format!("cannot handle signal {SIGHUP}: {error}")))?;
    let counters = server.counters();
    let uris: Vec<String> = server.uris().collect();
    let mut server = Some(server);
    let mut told = Vec::new();
    let mut run = |exports: Vec<Box<dyn SectorExport + '_>>, live: &[&dyn Live]| {
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
                    for one in live {
                        replace(*one, out);
                    }
                }
                if let Some(control) = &control {
                    control.serve(|call| live::answer(live, call));
                }
                std::thread::sleep(LOOK_INTERVAL);
            }
            match serving.join() {
                Ok(done) => done.map_err(Failure::from),
                Err(_) => Err(Failure::new("the server has failed in a way it should not")),
            }
        })
    };
    with_all(&mut open, Vec::new(), Vec::new(), &mut told, &mut run)?;
    let _ = writeln!(out, "stopped: {}", counters.served()).and_then(|()| out.flush());
    for line in told {
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
    Ok(())
}

/// Reads a policy again. One that is wrong is told, and the one before stays in force.
fn replace(live: &dyn Live, out: &mut dyn Write) {
    let Some(file) = live.file() else {
        return;
    };
    match live.reload() {
        Ok(warnings) => {
            warn(live.name(), &warnings);
            let _ = writeln!(out, "policy: {}", file.display()).and_then(|()| out.flush());
        }
        Err(line) => tell(&line),
    }
}

fn warn(export: &str, warnings: &[String]) {
    for warning in warnings {
        tell(&format!("export {export:?}: warning: {warning}"));
    }
}

/// What is done with all exports at once.
type Run<'r> =
    &'r mut dyn FnMut(Vec<Box<dyn SectorExport + '_>>, &[&dyn Live]) -> Result<(), Failure>;

/// What is done with all primaries of a pair at once.
type Use<'r> = &'r mut dyn FnMut(Vec<Lent<'_>>) -> Result<(), Failure>;

/// Opens primaries, one within the other.
fn with_primaries(
    opened: &mut [Opened],
    sector_bytes: u32,
    lent: Vec<Lent<'_>>,
    run: Use<'_>,
) -> Result<(), Failure> {
    let Some((first, rest)) = opened.split_first_mut() else {
        return run(lent);
    };
    first.with(sector_bytes, |primary| {
        let mut lent: Vec<Lent<'_>> = lent.into_iter().map(shorter).collect();
        lent.push(primary);
        with_primaries(rest, sector_bytes, lent, run)
    })
}

/// Makes the exports of all pairs, one within the other, and runs with them.
fn with_all(
    open: &mut [Open],
    exports: Vec<Box<dyn SectorExport + '_>>,
    live: Vec<&dyn Live>,
    told: &mut Vec<String>,
    run: Run<'_>,
) -> Result<(), Failure> {
    let Some((first, rest)) = open.split_first_mut() else {
        return run(exports, &live);
    };
    let Open {
        pair,
        cache,
        primaries,
        policy,
        below,
    } = first;
    let sector_bytes = {
        let all: Vec<&Opened> = primaries.iter().chain([&*cache]).collect();
        resources::sector_bytes(&all)
    };
    // Each of them is used once.
    let mut once = Some((policy.take(), std::mem::take(below), exports, live));
    cache.with(sector_bytes, |store| {
        let mut store = Some(store);
        with_primaries(primaries, sector_bytes, Vec::new(), &mut |primaries| {
            let (Some(once), Some(store)) = (once.take(), store.take()) else {
                return Ok(());
            };
            let (policy, below, exports, live) = once;
            let options = LeveledOptions {
                small_pages: store.status().sectors <= ADJUSTED_SECTORS_MAX,
                durable: Some(Durable {
                    identity: fresh_identity(),
                    anew: pair.new_cache,
                    accept_losses: pair.accept_losses,
                }),
                ..LeveledOptions::default()
            };
            with_leveled_over(store, primaries, policy, &options, |leveled, recovered| {
                tell_recovered(&pair.name, recovered);
                if let Some(policy) = leveled.classifier.policy() {
                    let warnings = below.look_at(policy, leveled);
                    let warnings = warnings
                        .map_err(|what| Failure::new(format!("export {:?}: {what}", pair.name)))?;
                    warn(&pair.name, &warnings);
                }
                let shared = Shared::new(&pair.name, pair.policy.clone(), below, leveled);
                let mut exports = exports;
                exports.push(Box::new(LeveledExport::new(&shared, pair.read_only)));
                let mut live = live;
                live.push(&shared);
                with_all(rest, exports, live, told, run)?;
                let mut leveled = shared.disk();
                leveled
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
            .map_err(|error| Failure::new(format!("export {:?}: {}", pair.name, way_out(error))))?
        })
    })
}

/// A number that no cache has.
fn fresh_identity() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_nanos());
    (now as u64 ^ u64::from(std::process::id()).rotate_right(16)).max(1)
}

/// Why a pair cannot be served, and what may be done about it.
fn way_out(error: LeveledError) -> String {
    let hint = match &error {
        LeveledError::Foreign => "; --new-cache gives that up",
        LeveledError::Open(OpenError::OtherPrimary { .. }) => {
            "; name that one, or give what the cache has for it up with --new-cache"
        }
        _ => "",
    };
    format!("{error}{hint}")
}

/// What was found in a cache that survives restarts.
fn tell_recovered(export: &str, recovered: Option<Recovered>) {
    let Some(recovered) = recovered else {
        return;
    };
    if recovered.dirty_pages > 0 {
        let pages = recovered.dirty_pages;
        tell(&format!(
            "export {export:?}: {pages} pages of the cache are still to be written back"
        ));
    }
    if recovered.damaged > 0 {
        let parts = recovered.damaged;
        tell(&format!(
            "export {export:?}: {parts} parts of the cache's table are lost, and what was to be written back from there: \
             until --accept-losses says that this is known, nothing is written back late"
        ));
    }
}

/// A cache and its primaries, as the server sees them.
struct LeveledExport<'s, 'd, 'm> {
    shared: &'s Shared<'d, 'm>,
    read_only: bool,
    /// The export, as the policy knows it; none if there is no place.
    context: Option<ContextHandle>,
    /// The last failure that was told: the same one over and over helps nobody.
    told: Option<ServeError>,
    /// Requests since it was looked at the size of pages.
    asked: u32,
}

impl<'s, 'd, 'm> LeveledExport<'s, 'd, 'm> {
    fn new(shared: &'s Shared<'d, 'm>, read_only: bool) -> Self {
        let source = Source {
            volume: Some(&shared.name),
            ..Source::default()
        };
        let context = shared.disk().classifier.open(&source).ok();
        Self {
            shared,
            read_only,
            context,
            told: None,
            asked: 0,
        }
    }

    fn request(&mut self, operation: Operation, first: Sector, count: u32) -> Request<'static> {
        self.adjust();
        Request {
            tenant: 0,
            range: SectorRange { first, count },
            operation,
            origin: self.context.map_or(Origin::Unknown, Origin::Context),
            hints: Hints::default(),
        }
    }

    /// Gives pages a size that suits what is in the cache, every now and then.
    fn adjust(&mut self) {
        self.asked += 1;
        if self.asked < ADJUST_REQUESTS {
            return;
        }
        let mut disk = self.shared.disk();
        let cache = disk.disk.cache_mut();
        if self.asked >= cache.pages() {
            self.asked = 0;
            // On a store that survives restarts that would empty it.
            if !cache.is_durable() {
                let _ = cache.adjust_page_sectors();
            }
        }
    }

    fn failed(&mut self, error: ServeError) -> ExportError {
        if self.told != Some(error) {
            self.told = Some(error);
            tell(&format!("export {:?}: {error}", self.shared.name));
        }
        let ServeError::Exec(error) = error else {
            return ExportError::Invalid;
        };
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
        u32::try_from(bytes / self.shared.disk().sector_bytes()).unwrap_or(u32::MAX)
    }
}

/// A sector number as the engine counts; the server keeps it within the disk.
fn sector(number: u64) -> Result<Sector, ExportError> {
    u32::try_from(number)
        .map(Sector)
        .map_err(|_| ExportError::Invalid)
}

impl SectorExport for LeveledExport<'_, '_, '_> {
    fn sector_bytes(&self) -> u32 {
        u32::try_from(self.shared.disk().sector_bytes()).unwrap_or(u32::MAX)
    }

    fn sectors(&self) -> u64 {
        let disk = self.shared.disk();
        let primaries = disk.disk.cache().primaries();
        let sectors = primaries.iter().map(|primary| primary.status().sectors);
        sectors.min().unwrap_or(0).into()
    }

    fn read_only(&self) -> bool {
        let disk = self.shared.disk();
        let primary = disk.disk.cache().primaries().first();
        self.read_only || primary.is_some_and(|primary| primary.status().read_only)
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), ExportError> {
        let count = self.sectors_of(into.len());
        let request = self.request(Operation::Read, sector(first)?, count);
        let read = self.shared.disk().read(&request, into);
        read.map_err(|error| self.failed(error))
    }

    fn write(&mut self, first: u64, data: &[u8]) -> Result<(), ExportError> {
        let count = self.sectors_of(data.len());
        let request = self.request(Operation::Write, sector(first)?, count);
        let written = self.shared.disk().write(&request, data);
        written.map_err(|error| self.failed(error))
    }

    fn trim(&mut self, first: u64, count: u64) -> Result<(), ExportError> {
        let first = sector(first)?;
        let count = u32::try_from(count).map_err(|_| ExportError::Invalid)?;
        let request = self.request(Operation::Trim, first, count);
        let trimmed = trim(&mut self.shared.disk(), &request);
        trimmed.map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        if self.read_only {
            return Ok(());
        }
        let flushed = self.shared.disk().flush();
        flushed.map_err(|error| self.failed(error.into()))
    }
}

/// Makes sectors read as zeros: clients are told that they do.
fn trim(disk: &mut LeveledDisk<'_>, request: &Request<'_>) -> Result<(), ServeError> {
    let level = disk.level(request)?;
    let SectorRange { first, count } = request.range;
    if level.mode != Mode::Ephemeral {
        return Ok(disk.disk.trim(first, count, &level, Context::default())?);
    }
    // Forgotten, it would be what the primary has.
    let zeros = vec![0; disk.sector_bytes()];
    for at in first.0..first.0 + count {
        disk.disk
            .write(Sector(at), &zeros, &level, Context::default())?;
    }
    Ok(())
}
