//! The engine, in a thread of its own: whoever serves the kernel hands it what is to be done, and waits.

use core::time::Duration;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;

use rustix::io::{Errno, Result};

use crate::leveled::{with_leveled, Lent, LeveledDisk, LeveledError, LeveledOptions, Policy};

use super::source_files::{Extents, SourceFiles};

/// After so long without requests the cache does work of its own.
const IDLE_AFTER: Duration = Duration::from_millis(20);
/// Turns of that at a time.
const IDLE_TURNS: u32 = 64;

type Call = Box<dyn for<'d, 'm> FnOnce(&'d mut LeveledDisk<'m>) + Send>;

/// The way to the engine.
#[derive(Debug, Clone)]
pub struct Engine {
    calls: Sender<Call>,
    pub(super) extents: Arc<Extents>,
    pub(super) sector_bytes: u32,
    /// Grows with each policy.
    epoch: Arc<AtomicU32>,
}

/// The engine's own end of it.
#[derive(Debug)]
pub struct EngineRoom {
    calls: Receiver<Call>,
    files: SourceFiles,
}

impl Engine {
    /// An engine whose cache has sectors of so many bytes; it serves when [`EngineRoom::serve`] is called.
    #[must_use]
    pub fn new(sector_bytes: u32) -> (Self, EngineRoom) {
        let (sender, calls) = mpsc::channel();
        let extents = Arc::new(Extents::default());
        let files = SourceFiles::new(Arc::clone(&extents), sector_bytes);
        let engine = Self {
            calls: sender,
            extents,
            sector_bytes,
            epoch: Arc::default(),
        };
        (engine, EngineRoom { calls, files })
    }

    /// Has something done, and waits for it.
    pub(super) fn call<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut LeveledDisk<'_>) -> T + Send + 'static,
    ) -> Result<T> {
        let (sender, outcome) = mpsc::sync_channel(1);
        let call: Call = Box::new(move |disk| {
            // Nobody may wait any more.
            let _ = sender.send(deed(disk));
        });
        self.calls.send(call).map_err(|_| Errno::IO)?;
        outcome.recv().map_err(|_| Errno::IO)
    }

    /// What was decided under another number is decided anew.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Puts another policy in force: when this returns, every request obeys it. False when the engine has ended.
    #[must_use]
    pub fn replace_policy(&self, policy: Policy) -> bool {
        let epoch = Arc::clone(&self.epoch);
        let replaced = self.call(move |disk| {
            disk.classifier.replace(Some(policy));
            epoch.fetch_add(1, Ordering::SeqCst);
        });
        replaced.is_ok()
    }
}

impl EngineRoom {
    /// Serves, by a cache in `store`, until all that was made with the engine is gone.
    ///
    /// # Errors
    /// The store cannot be a cache.
    pub fn serve(
        self,
        store: Lent<'_>,
        policy: Policy,
        options: &LeveledOptions,
    ) -> std::result::Result<Served, LeveledError> {
        let Self { calls, mut files } = self;
        with_leveled(store, &mut files, Some(policy), options, |disk| {
            loop {
                match calls.recv_timeout(IDLE_AFTER) {
                    Ok(call) => call(disk),
                    Err(RecvTimeoutError::Timeout) => {
                        disk.disk.idle(IDLE_TURNS);
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            let counters = disk.disk.cache().counters();
            Served {
                contexts: disk.classifier.counters().sources,
                counters,
            }
        })
    }
}

/// What was served.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    /// Sources that were classified.
    pub contexts: u32,
    /// What the cache counted.
    pub counters: cuesta::cache::Counters,
}
