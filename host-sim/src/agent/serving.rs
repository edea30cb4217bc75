//! Which files the engine serves, and at which level: contexts, made when a file is opened, kept while it is open, and ended with it.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cuesta::cache::Mode;
use cuesta::exec::Persistence;
use cuesta::policy::{Flags, Operation, Reason, SourceDecision};
use cuesta::request::{ContextHandle, Hints, Origin, Request, SectorRange, Source};
use cuesta::volume::Sector;
use rustix::fs::OFlags;
use rustix::io::{Errno, Result};

use crate::leveled::LeveledDisk;

use super::engine::Engine;
use super::nodes::Node;
use super::served::{Seen, Served};

/// What a program has said by opening a file.
#[derive(Debug, Clone)]
pub(super) struct Opener {
    /// The program.
    pub application: String,
    /// Where the file is, as rules name it.
    pub path: String,
    pub flags: Flags,
}

impl Opener {
    fn source<'o>(&'o self, object: u64, volume: &'o str) -> Source<'o> {
        Source {
            tenant: 0,
            object: Some(object),
            application: Some(&self.application),
            path: Some(&self.path),
            volume: Some(volume),
            profiles: "",
            flags: self.flags,
        }
    }
}

/// What was decided about an open file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    epoch: u32,
    context: Option<ContextHandle>,
    /// It depends on each request.
    each: bool,
    /// The level, if a rule names the file.
    level: Option<Persistence>,
}

/// What a request does, and to what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub operation: Operation,
    pub offset: u64,
    pub len: u64,
    /// A host's cache writes it out: the handle is a guess.
    pub paging: bool,
}

#[derive(Debug)]
struct Entry {
    served: Arc<Served>,
    opener: Opener,
}

/// The files that the engine serves.
#[derive(Debug)]
pub(super) struct Serving {
    engine: Engine,
    /// What rules call the mounted directory.
    volume: String,
    /// By the number that the kernel calls the file.
    files: Mutex<HashMap<u64, Entry>>,
}

/// The level of a request; none where no rule has decided.
fn classify(disk: &mut LeveledDisk<'_>, request: &Request<'_>) -> Option<Persistence> {
    let decision = disk.classifier.classify(request).ok()?;
    match decision.reason {
        Reason::Default | Reason::NoPolicy => None,
        _ => Some(decision.persistence),
    }
}

fn request(origin: Origin, range: Range, flags: Flags) -> Request<'static> {
    Request {
        tenant: 0,
        range: SectorRange {
            first: Sector(0),
            count: 0,
        },
        operation: range.operation,
        origin,
        hints: Hints {
            flags,
            offset: Some(range.offset),
            bytes: Some(range.len),
            ..Hints::default()
        },
    }
}

impl Serving {
    pub fn new(engine: Engine, volume: String) -> Self {
        Self {
            engine,
            volume,
            files: Mutex::default(),
        }
    }

    fn files(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the context of a file that was opened.
    pub fn open(&self, object: u64, opener: &Opener) -> Result<Verdict> {
        let opener = opener.clone();
        let volume = self.volume.clone();
        let epoch = self.engine.epoch();
        self.engine.call(move |disk| {
            let source = opener.source(object, &volume);
            let each = disk.classifier.policy().is_some_and(|policy| {
                let decision = policy.evaluate_source(&source.facts());
                matches!(decision, SourceDecision::EachRequestFrom(_))
            });
            // Without a place for it, all its requests are as if nothing were known: they pass.
            let context = disk.classifier.open(&source).ok();
            let first = Range {
                operation: Operation::Write,
                offset: 0,
                len: 0,
                paging: false,
            };
            let level = context.and_then(|context| {
                classify(disk, &request(Origin::Context(context), first, Flags::NONE))
            });
            Verdict {
                epoch,
                context,
                each,
                level,
            }
        })
    }

    /// The level of a request; none where no rule names it.
    pub fn level(
        &self,
        object: u64,
        verdict: &Mutex<Verdict>,
        range: Range,
    ) -> Result<Option<Persistence>> {
        let known = *verdict.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.engine.epoch();
        if known.epoch == epoch && !known.each && !range.paging {
            return Ok(known.level);
        }
        let Some(context) = known.context else {
            return Ok(None);
        };
        let origin = if range.paging {
            Origin::Object(object)
        } else {
            Origin::Context(context)
        };
        let level = self.engine.call(move |disk| {
            let flags = if range.paging {
                Flags::PAGING
            } else {
                Flags::NON_PAGING
            };
            classify(disk, &request(origin, range, flags))
        })?;
        if !range.paging {
            let mut known = verdict.lock().unwrap_or_else(PoisonError::into_inner);
            // Whether it depends on each request, the new policy was not asked: each is.
            known.each |= known.epoch != epoch;
            known.epoch = epoch;
            known.level = level;
        }
        Ok(level)
    }

    /// A file is closed.
    pub fn end(&self, verdict: &Mutex<Verdict>) {
        let known = *verdict.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = known.context {
            // An engine that has ended knows no contexts.
            let _ = self.engine.call(move |disk| disk.classifier.end(context));
        }
    }

    /// The file of this number, if the engine serves it.
    pub fn find(&self, object: u64) -> Option<Arc<Served>> {
        self.files()
            .get(&object)
            .map(|entry| Arc::clone(&entry.served))
    }

    /// The file of this number, which the engine serves from now on.
    pub fn serve(&self, node: &Node, opener: &Opener) -> Result<Arc<Served>> {
        let mut files = self.files();
        if let Some(entry) = files.get(&node.number) {
            return Ok(Arc::clone(&entry.served));
        }
        let file: File = node.open(OFlags::RDWR)?.into();
        let served = Arc::new(Served::new(&self.engine, file)?);
        let entry = Entry {
            served: Arc::clone(&served),
            opener: opener.clone(),
        };
        files.insert(node.number, entry);
        Ok(served)
    }

    /// What programs see of a file that the source does not have.
    pub fn seen(&self, object: u64) -> Option<Seen> {
        self.find(object)?.seen()
    }

    /// Nobody has a file open any more, or it has lost a name.
    pub fn settle(&self, object: u64) {
        let mut files = self.files();
        let over = files.get(&object).is_some_and(|entry| entry.served.close());
        if over {
            files.remove(&object);
        }
    }

    /// A file is about to be at another path, or is: if it must not be ephemeral there, the source gets it.
    pub fn moved(&self, object: u64, path: &Path) -> Result<()> {
        let found = {
            let mut files = self.files();
            files.get_mut(&object).map(|entry| {
                entry.opener.path = rule_path(path);
                (Arc::clone(&entry.served), entry.opener.clone())
            })
        };
        let Some((served, opener)) = found else {
            return Ok(());
        };
        let volume = self.volume.clone();
        let ephemeral = self.engine.call(move |disk| {
            let source = opener.source(object, &volume);
            let facts = source.facts().operation(Operation::Write);
            let policy = disk.classifier.policy();
            policy
                .and_then(|policy| policy.decide(&facts).ok())
                .is_some_and(|decision| decision.persistence.mode == Mode::Ephemeral)
        })?;
        if ephemeral {
            Ok(())
        } else {
            served.make_durable()
        }
    }

    /// The files that are served.
    pub fn all(&self) -> Vec<u64> {
        self.files().keys().copied().collect()
    }

    /// The agent ends: what is to be durable is brought home, and what may be lost is.
    pub fn finish(&self) -> Result<()> {
        let files: Vec<Arc<Served>> = self
            .files()
            .drain()
            .map(|(_, entry)| entry.served)
            .collect();
        let mut failed = None;
        for served in files {
            if !served.close() && served.seen().is_none() {
                failed = Some(Errno::IO);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// A path as rules name it: from the mounted directory on, beginning with a slash.
pub(super) fn rule_path(within: &Path) -> String {
    format!("/{}", within.to_string_lossy())
}
