//! What can be said to an export while it is served: another policy, what is in force, what was counted.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cuesta::cache::Bypass;
use cuesta::policy::{RuleNumber, StorageLevels};
use cuesta::volume::{LevelIndex, Redundancy};
use cuesta_sim::control::{Call, Verb};
use cuesta_sim::leveled::{LeveledDisk, Policy};

use crate::resources::{policy_in, policy_with, Levels};

/// An export whose policy can be changed and looked at.
pub trait Live: Sync {
    /// What clients call it.
    fn name(&self) -> &str;
    /// The file its policy was read from.
    fn file(&self) -> Option<&PathBuf>;
    /// Reads the policy in the file again, and puts it in force; what should be known about it. Nothing has changed when it fails.
    fn reload(&self) -> Result<Vec<String>, String>;
    /// Does what a call asks for.
    fn answer(&self, call: &Call) -> Result<String, String>;
}

/// What is known of the resources below an export.
#[derive(Debug, Default)]
pub struct Below {
    /// The levels of each primary that is a volume.
    pub volumes: Vec<Option<Levels>>,
}

impl Below {
    /// The levels that policies name.
    pub fn storage(&self) -> StorageLevels<'_> {
        match self.volumes.iter().flatten().next() {
            Some(levels) => StorageLevels::new(levels),
            None => StorageLevels::UNKNOWN,
        }
    }

    /// What a primary makes of a level's storage; why it cannot.
    fn check(
        &self,
        resource: usize,
        storage: LevelIndex,
        redundancy: Option<Redundancy>,
    ) -> Result<Option<String>, String> {
        let Some(Some(levels)) = self.volumes.get(resource) else {
            let asks = redundancy.is_some() || storage != LevelIndex(0);
            return Ok(asks.then(|| {
                format!("resource {resource} is no volume: what it does with code and copies is its own affair")
            }));
        };
        match levels.get(usize::from(storage.0)).and_then(Option::as_ref) {
            None => Err(format!(
                "the volume that is resource {resource} has no level {}",
                storage.0
            )),
            Some(level) if redundancy.is_some_and(|asked| asked != level.redundancy) => {
                Err(format!(
                    "level {} of the volume that is resource {resource} is {}",
                    storage.0, level.redundancy
                ))
            }
            Some(_) => Ok(None),
        }
    }

    /// Looks at each level of a policy before it is put in force: what should be known, or why it cannot be.
    pub fn look_at(&self, policy: &Policy, disk: &LeveledDisk<'_>) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        for (_, level) in policy.levels() {
            let persistence = level.persistence;
            let wrong = |what: String| format!("level {}: {what}", level.name);
            match disk.disk.check(&persistence) {
                Err(refusal) => return Err(wrong(refusal.to_string())),
                Ok(Some(advice)) => warnings.push(wrong(advice.to_string())),
                Ok(None) => {}
            }
            for resource in (0..8).filter(|&number| persistence.resources.has(number)) {
                let storage = persistence.storage;
                match self.check(usize::from(resource), storage, level.redundancy) {
                    Err(what) => return Err(wrong(what)),
                    Ok(Some(what)) => warnings.push(wrong(what)),
                    Ok(None) => {}
                }
            }
            if persistence.atomic {
                let executor = disk.disk.executor();
                if let Err(refusal) = executor.check_whole(2, &persistence, Default::default()) {
                    warnings.push(wrong(refusal.to_string()));
                }
            }
        }
        for rule in (0..policy.rules_len()).map(|rule| RuleNumber(rule as u8)) {
            if let Some(why) = policy.unreachable(rule) {
                warnings.push(format!("rule {} never decides: {why}", rule.0 + 1));
            }
        }
        Ok(warnings)
    }
}

/// An export, shared between those who serve it and those who look after it.
pub struct Shared<'d, 'm> {
    pub name: String,
    pub file: Option<PathBuf>,
    pub below: Below,
    disk: Mutex<&'d mut LeveledDisk<'m>>,
}

impl<'d, 'm> Shared<'d, 'm> {
    pub fn new(
        name: &str,
        file: Option<PathBuf>,
        below: Below,
        disk: &'d mut LeveledDisk<'m>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            file,
            below,
            disk: Mutex::new(disk),
        }
    }

    /// The disk, for one request.
    pub fn disk(&self) -> MutexGuard<'_, &'d mut LeveledDisk<'m>> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a policy in force: every request that comes from now on obeys it.
    fn replace(&self, policy: Policy) -> Result<Vec<String>, String> {
        let mut disk = self.disk();
        let warnings = self.below.look_at(&policy, &disk)?;
        disk.classifier.replace(Some(policy));
        Ok(warnings)
    }

    fn counted(&self) -> String {
        let disk = self.disk();
        let decided = disk.classifier.counters();
        let mut text = format!(
            "export {:?}, policy {}\n",
            self.name,
            disk.classifier.epoch()
        );
        // Writing to a string does not fail.
        if let Some(policy) = disk.classifier.policy() {
            let shown = policy.to_string();
            let rules = shown.lines().filter(|line| line.starts_with("rule "));
            for (rule, count) in rules.zip(decided.rules()) {
                let _ = writeln!(text, "{count:>10}  {rule}");
            }
        }
        for (what, count) in [
            ("default", decided.default),
            ("asked for", decided.asked),
            ("refused", decided.refused),
            ("without a policy", decided.no_policy),
            ("at the level of what was found", disk.reused()),
            ("sources classified", decided.sources),
        ] {
            let _ = writeln!(text, "{count:>10}  {what}");
        }
        let cache = disk.disk.cache();
        let counters = cache.counters();
        for (what, count) in [
            ("read hits", counters.read_hits),
            ("read misses", counters.read_misses),
            ("writes to kept pages", counters.write_hits),
            ("writes to others", counters.write_misses),
            ("pages written back", counters.cleaned),
            ("attempts at that which failed", counters.clean_failures),
            ("pages dirty", cache.dirty_pages()),
            ("pages ephemeral", cache.ephemeral_pages()),
            ("pages", cache.pages()),
            ("sectors of a page", cache.page_sectors()),
        ] {
            let _ = writeln!(text, "{count:>10}  {what}");
        }
        for reason in Bypass::ALL {
            let count = counters.bypassed_for(reason);
            let _ = writeln!(text, "{count:>10}  bypassed: {}", reason.name());
        }
        text
    }
}

impl Live for Shared<'_, '_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    fn reload(&self) -> Result<Vec<String>, String> {
        let Some(file) = &self.file else {
            return Ok(Vec::new());
        };
        let policy = policy_with(file, self.below.storage()).map_err(|error| error.line())?;
        self.replace(policy)
            .map_err(|what| format!("{}: {what}", file.display()))
    }

    fn answer(&self, call: &Call) -> Result<String, String> {
        match call.verb {
            Verb::Set | Verb::SetToml => {
                let toml = call.verb == Verb::SetToml;
                let policy = policy_in(toml, &call.text, self.below.storage());
                let warnings = self.replace(policy.map_err(|error| error.to_string())?)?;
                let lines = warnings.iter().map(|what| format!("warning: {what}\n"));
                Ok(lines.collect())
            }
            Verb::Show => Ok(match self.disk().classifier.policy() {
                Some(policy) => policy.to_string(),
                None => "# no policy is set\ndefault -> write-through\n".to_owned(),
            }),
            Verb::Counters => Ok(self.counted()),
        }
    }
}

/// The export that a call is about.
pub fn answer(live: &[&dyn Live], call: &Call) -> Result<String, String> {
    let names = || {
        let names = live.iter().map(|live| format!("{:?}", live.name()));
        names.collect::<Vec<_>>().join(", ")
    };
    let found = match (&call.export, live) {
        (None, [only]) => Ok(*only),
        (None, _) => Err(format!("which export? one of {}", names())),
        (Some(name), _) => live
            .iter()
            .copied()
            .find(|live| live.name() == name)
            .ok_or_else(|| format!("there is no export {name:?}, but {}", names())),
    };
    found?.answer(call)
}
