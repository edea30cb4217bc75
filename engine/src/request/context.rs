//! Contexts: what is known about sources, in memory lent by the caller.

use core::fmt;

use crate::policy::{Facts, Flags, KnownTexts, Prepared, SourceDecision, SourceTexts};

/// What is known about a source when it is used first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Source<'a> {
    /// Whose it is.
    pub tenant: u32,
    /// An identifier of the file or object: requests that come through no handle name it.
    pub object: Option<u64>,
    /// The program that uses it.
    pub application: Option<&'a str>,
    /// Its path; or its name alone, which has no slash.
    pub path: Option<&'a str>,
    /// The volume it is on, as its user calls it.
    pub volume: Option<&'a str>,
    /// What a profiler says of it: names with commas between them.
    pub profiles: &'a str,
    /// What is said of all its requests.
    pub flags: Flags,
}

impl<'a> Source<'a> {
    fn known(&self) -> KnownTexts {
        let is_path = self.path.is_some_and(|path| path.contains('/'));
        KnownTexts {
            application: self.application.is_some(),
            path: is_path,
            name: self.path.is_some() && !is_path,
            volume: self.volume.is_some(),
        }
    }

    /// All that rules may ask of it.
    #[must_use]
    pub fn facts(&self) -> Facts<'a> {
        let mut facts = Facts::new()
            .tenant(self.tenant)
            .flags(self.flags)
            .profiles(self.profiles);
        if let Some(object) = self.object {
            facts = facts.object(object);
        }
        if let Some(application) = self.application {
            facts = facts.application(application);
        }
        if let Some(volume) = self.volume {
            facts = facts.volume(volume);
        }
        match self.path {
            Some(path) if path.contains('/') => facts.path(path),
            Some(name) => facts.name(name),
            None => facts,
        }
    }

    /// In the order in which they are kept.
    fn texts(&self) -> [&'a str; 4] {
        [
            self.application.unwrap_or(""),
            self.path.unwrap_or(""),
            self.volume.unwrap_or(""),
            self.profiles,
        ]
    }
}

/// Names a context: its place, and how often the place was used before. A handle of a context that has ended names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ContextHandle {
    index: u16,
    generation: u16,
}

impl ContextHandle {
    /// As a number, for callers that keep numbers.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        self.generation as u32 * 0x1_0000 + self.index as u32
    }

    /// From [`to_bits`](Self::to_bits).
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self {
            index: bits as u16,
            generation: (bits / 0x1_0000) as u16,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Free,
    /// Requests name it.
    Open,
    /// It has ended; what a host's cache writes out later still belongs to it.
    Ended,
}

/// What is known about a source, and what was decided about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    state: State,
    generation: u16,
    tenant: u32,
    object: Option<u64>,
    flags: Flags,
    known: KnownTexts,
    lengths: [u16; 4],
    prepared: Prepared,
    /// When it was opened or has ended, counted in such events.
    stamp: u32,
    /// What the policy of this epoch says of all its requests.
    decision: Option<(u32, SourceDecision)>,
}

/// Why a context cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ContextError {
    /// Every place is taken by one that has not ended.
    Full {
        /// Places there are.
        places: usize,
    },
    /// Its texts are longer than what a context has room for.
    TextLength {
        /// Their bytes.
        found: usize,
        /// Bytes there are for each context.
        room: usize,
    },
    /// The handle names none: it has ended, or is another tenant's.
    Unknown(ContextHandle),
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { places } => write!(f, "all {places} contexts are in use: end one"),
            Self::TextLength { found, room } => write!(
                f,
                "the names of the source have {found} bytes, a context has room for {room}"
            ),
            Self::Unknown(handle) => write!(
                f,
                "there is no context {} (any more), or it is another tenant's",
                handle.to_bits()
            ),
        }
    }
}

impl core::error::Error for ContextError {}

/// Contexts in memory lent by the caller: their number is that of the places, and the texts of each have an equal share of the bytes.
#[derive(Debug)]
pub struct ContextTable<'m> {
    contexts: &'m mut [Context],
    texts: &'m mut [u8],
    room: usize,
    stamp: u32,
}

impl<'m> ContextTable<'m> {
    /// A table without contexts. More than 65 536 places are of no use.
    #[must_use]
    pub fn new(contexts: &'m mut [Context], texts: &'m mut [u8]) -> Self {
        let usable = contexts.len().min(1 << 16);
        let contexts = &mut contexts[..usable];
        contexts.fill(Context::default());
        let room = texts.len() / contexts.len().max(1);
        Self {
            contexts,
            texts,
            room,
            stamp: 0,
        }
    }

    fn next_stamp(&mut self) -> u32 {
        self.stamp = self.stamp.wrapping_add(1);
        self.stamp
    }

    /// How long ago a context was opened or ended.
    fn age(&self, context: &Context) -> u32 {
        self.stamp.wrapping_sub(context.stamp)
    }

    /// Makes a context. Where no place is free, one that has ended gives way: the one that ended first.
    ///
    /// # Errors
    /// No place, or no room for the texts.
    pub fn open(&mut self, source: &Source<'_>) -> Result<ContextHandle, ContextError> {
        let texts = source.texts();
        let found = texts.iter().map(|text| text.len()).sum();
        let room = self.room.min(usize::from(u16::MAX));
        if found > room {
            return Err(ContextError::TextLength { found, room });
        }
        let places = self.contexts.len();
        let place = (0..places)
            .filter(|&index| self.contexts[index].state != State::Open)
            .max_by_key(|&index| {
                let context = &self.contexts[index];
                (context.state == State::Free, self.age(context))
            });
        let index = place.ok_or(ContextError::Full { places })?;
        let mut at = index * self.room;
        for text in texts {
            self.texts[at..at + text.len()].copy_from_slice(text.as_bytes());
            at += text.len();
        }
        let stamp = self.next_stamp();
        let context = &mut self.contexts[index];
        let generation = context.generation.wrapping_add(1);
        *context = Context {
            state: State::Open,
            generation,
            tenant: source.tenant,
            object: source.object,
            flags: source.flags,
            known: source.known(),
            lengths: texts.map(|text| text.len() as u16),
            prepared: source.facts().prepared(),
            stamp,
            decision: None,
        };
        Ok(ContextHandle {
            index: index as u16,
            generation,
        })
    }

    /// Ends a context. Its handle names nothing from now on; what a host's cache writes out for its object later still belongs to it, until its place is
    /// needed.
    ///
    /// # Errors
    /// The handle names none.
    pub fn end(&mut self, handle: ContextHandle) -> Result<(), ContextError> {
        let stamp = self.next_stamp();
        let context = self.get_mut(handle)?;
        context.state = State::Ended;
        context.stamp = stamp;
        Ok(())
    }

    /// Replaces what a profiler says of the source: its next request is classified again.
    ///
    /// # Errors
    /// The handle names none, or there is no room.
    pub fn set_profiles(
        &mut self,
        handle: ContextHandle,
        profiles: &str,
    ) -> Result<(), ContextError> {
        let room = self.room.min(usize::from(u16::MAX));
        let context = self.get_mut(handle)?;
        let [application, path, volume, _] = context.lengths.map(usize::from);
        let before = application + path + volume;
        let found = before + profiles.len();
        if found > room {
            return Err(ContextError::TextLength { found, room });
        }
        context.lengths[3] = profiles.len() as u16;
        context.decision = None;
        let index = usize::from(handle.index);
        let at = index * self.room + before;
        self.texts[at..at + profiles.len()].copy_from_slice(profiles.as_bytes());
        // Only the place of the profiles changes.
        let prepared = self.facts(index).profiles(profiles).prepared();
        self.contexts[index].prepared = prepared;
        Ok(())
    }

    fn get_mut(&mut self, handle: ContextHandle) -> Result<&mut Context, ContextError> {
        self.contexts
            .get_mut(usize::from(handle.index))
            .filter(|context| {
                context.state == State::Open && context.generation == handle.generation
            })
            .ok_or(ContextError::Unknown(handle))
    }

    /// The place of a tenant's context.
    pub(super) fn find(
        &mut self,
        handle: ContextHandle,
        tenant: u32,
    ) -> Result<usize, ContextError> {
        let context = self.get_mut(handle)?;
        if context.tenant != tenant {
            return Err(ContextError::Unknown(handle));
        }
        Ok(usize::from(handle.index))
    }

    /// The place of the context in which a tenant's object was opened last; of one that has ended only where none is open.
    pub(super) fn find_object(&self, object: u64, tenant: u32) -> Option<usize> {
        (0..self.contexts.len())
            .filter(|&index| {
                let context = &self.contexts[index];
                context.state != State::Free
                    && context.object == Some(object)
                    && context.tenant == tenant
            })
            .min_by_key(|&index| {
                let context = &self.contexts[index];
                (context.state == State::Ended, self.age(context))
            })
    }

    /// Flags of the source of a context.
    pub(super) fn flags(&self, index: usize) -> Flags {
        let context = self.contexts.get(index);
        context.map_or(Flags::NONE, |context| context.flags)
    }

    /// What was decided about the context in this epoch.
    pub(super) fn decision(&self, index: usize, epoch: u32) -> Option<SourceDecision> {
        let (found, decision) = self.contexts.get(index)?.decision?;
        (found == epoch).then_some(decision)
    }

    pub(super) fn decide(&mut self, index: usize, epoch: u32, decision: SourceDecision) {
        if let Some(context) = self.contexts.get_mut(index) {
            context.decision = Some((epoch, decision));
        }
    }

    /// All that rules may ask of the source of a context.
    pub(super) fn facts(&self, index: usize) -> Facts<'_> {
        let Some(context) = self.contexts.get(index) else {
            return Facts::new();
        };
        let mut rest = self.texts.get(index * self.room..).unwrap_or(&[]);
        let mut next = |length: u16| {
            let (text, behind) = rest
                .split_at_checked(usize::from(length))
                .unwrap_or((&[], &[]));
            rest = behind;
            // What was copied from a text is one.
            core::str::from_utf8(text).unwrap_or("")
        };
        let [application, path, volume, profiles] = context.lengths;
        let texts = SourceTexts {
            known: context.known,
            application: next(application),
            path: next(path),
            volume: next(volume),
            profiles: next(profiles),
        };
        let mut facts = Facts::new().tenant(context.tenant).flags(context.flags);
        if let Some(object) = context.object {
            facts = facts.object(object);
        }
        facts.with_texts(texts, context.prepared)
    }
}
