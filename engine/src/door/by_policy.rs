//! The door over a policy: requests come with what is known of them, and are served at the level that the policy gives them.

use core::fmt;

use crate::cache::{Source, Then};
use crate::exec::{Context, ExecError, Persistence};
use crate::policy::Flags;
use crate::request::{Classifier, ClassifyError, Request};
use crate::resource::Resource;
use crate::volume::Sector;

use super::CachedDisk;

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServeError {
    /// It has no level.
    Classify(ClassifyError),
    /// Its level cannot be had, or a resource has failed.
    Exec(ExecError),
}

impl From<ClassifyError> for ServeError {
    fn from(error: ClassifyError) -> Self {
        Self::Classify(error)
    }
}

impl From<ExecError> for ServeError {
    fn from(error: ExecError) -> Self {
        Self::Exec(error)
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classify(error) => error.fmt(f),
            Self::Exec(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ServeError {}

/// A policy, and the cache with its resources that serves what it decides. A cache without pages is none: all goes to the resources that levels name.
///
/// # Guarantees
///
/// * Each request is served at one level; a policy that is [replaced](Classifier::replace) holds from the next request on.
/// * A read of what is in the cache is not classified: it is served at the level it was kept at. Only requests that ask for something, go around caches, or name a
///   context that there is not are looked at all the same.
#[derive(Debug)]
pub struct PolicyDisk<'m, B, S, P> {
    /// The policy, contexts, and what was decided.
    pub classifier: Classifier<'m, B>,
    /// Serves requests at levels.
    pub disk: CachedDisk<'m, S, P>,
    /// Reads served at the level of what they found, wrapping.
    reused: u32,
    /// The resource whose sectors all levels of the policy of an epoch name, if it is one.
    home: (u32, Option<u8>),
}

impl<'m, B: AsRef<[u8]>, S: Resource, P: Resource> PolicyDisk<'m, B, S, P> {
    /// Puts a policy before a cache.
    pub fn new(classifier: Classifier<'m, B>, disk: CachedDisk<'m, S, P>) -> Self {
        let home = (classifier.epoch(), home_of(&classifier));
        Self {
            classifier,
            disk,
            reused: 0,
            home,
        }
    }

    /// Reads that were served at the level of what they found, and not classified.
    pub const fn reused(&self) -> u32 {
        self.reused
    }

    /// Bytes of a sector.
    pub const fn sector_bytes(&self) -> usize {
        self.disk.sector_bytes()
    }

    /// The level of a request.
    ///
    /// # Errors
    /// Those of [`Classifier::classify`].
    pub fn level(&mut self, request: &Request<'_>) -> Result<Persistence, ClassifyError> {
        let decision = self.classifier.classify(request)?;
        Ok(decision.persistence)
    }

    /// What of a request execution has to know.
    ///
    /// # Errors
    /// It names a context that there is not.
    pub fn context(&mut self, request: &Request<'_>) -> Result<Context, ClassifyError> {
        let flags = self.classifier.flags(request)?;
        Ok(Context {
            object: None,
            tenant: u8::try_from(request.tenant).unwrap_or(u8::MAX),
            direct: flags.has(Flags::DIRECT),
            paging: flags.has(Flags::PAGING),
        })
    }

    /// The level at which all of a read's sectors are kept.
    fn level_of_kept(&mut self, request: &Request<'_>, context: Context) -> Option<Persistence> {
        let epoch = self.classifier.epoch();
        if self.home.0 != epoch {
            self.home = (epoch, home_of(&self.classifier));
        }
        if context.direct || !request.hints.asked.is_none() {
            return None;
        }
        let (cache, range) = (self.disk.cache(), request.range);
        let level = cache.level_of_kept(Source::Primary(self.home.1?), range.first, range.count)?;
        Some(cache.level(level))
    }

    /// Reads the request's sectors, which `data` is as long as.
    ///
    /// # Errors
    /// [`ServeError`]; `data` is undefined then.
    pub fn read(&mut self, request: &Request<'_>, data: &mut [u8]) -> Result<(), ServeError> {
        let context = self.context(request)?;
        let level = match self.level_of_kept(request, context) {
            Some(level) => {
                self.reused = self.reused.wrapping_add(1);
                level
            }
            None => self.level(request)?,
        };
        let first = request.range.first;
        Ok(self.disk.read(first, data, &level, context)?)
    }

    /// Writes the request's sectors.
    ///
    /// # Errors
    /// [`ServeError`]; see [`CachedDisk::write`].
    pub fn write(&mut self, request: &Request<'_>, data: &[u8]) -> Result<(), ServeError> {
        let context = self.context(request)?;
        let level = self.level(request)?;
        let first = request.range.first;
        Ok(self.disk.write(first, data, &level, context)?)
    }

    /// Makes the request's sectors read as unwritten: see [`CachedDisk::trim`].
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn trim(&mut self, request: &Request<'_>) -> Result<(), ServeError> {
        let context = self.context(request)?;
        let level = self.level(request)?;
        let range = request.range;
        Ok(self.disk.trim(range.first, range.count, &level, context)?)
    }

    /// Makes everything durable that was acknowledged and is not ephemeral.
    ///
    /// # Errors
    /// Those of [`CachedDisk::flush`].
    pub fn flush(&mut self) -> Result<(), ExecError> {
        self.disk.flush()
    }

    /// Writes to the first resource what is newer in the cache, ephemeral versions too, and does with the pages as asked.
    ///
    /// # Errors
    /// Those of [`CachedDisk::settle`].
    pub fn settle(&mut self, first: Sector, count: u32, then: Then) -> Result<(), ExecError> {
        self.disk.settle(Source::Primary(0), first, count, then)
    }
}

/// The first resource of all levels of the policy in force, if it is the same.
fn home_of<B: AsRef<[u8]>>(classifier: &Classifier<'_, B>) -> Option<u8> {
    let Some(policy) = classifier.policy() else {
        return Some(0);
    };
    let of = |level: Persistence| level.resources.0.trailing_zeros() as u8;
    let mut homes = policy.levels().map(|(_, level)| of(level.persistence));
    let first = homes.next()?;
    homes.all(|home| home == first).then_some(first)
}
