//! The levels of a policy: names, what they are, and what of it can be asked for.

use core::fmt;

use crate::cache::{Mode, OnLoss};
use crate::exec::{Persistence, ResourceSet, RESOURCES_MAX};
use crate::volume::{LevelIndex, Redundancy, LEVELS_MAX};

use super::facts::AskedRedundancy;
use super::form::{is_name, redundancy_byte, redundancy_of, LEVEL_BYTES, NAME_BYTES};

const VERIFY: u8 = 1;
const ATOMIC: u8 = 2;
const UNWRITTEN: u8 = 4;
const CLOSED: u8 = 8;

/// Cache modes, by their numbers.
pub(super) const MODES: [Mode; 4] = [
    Mode::WriteThrough,
    Mode::WriteBack,
    Mode::Ephemeral,
    Mode::Bypass,
];

/// A mode as rules write it.
#[must_use]
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::WriteThrough => "write-through",
        Mode::WriteBack => "write-back",
        Mode::Ephemeral => "ephemeral",
        Mode::Bypass => "bypass",
    }
}

/// The mode that rules write so.
#[must_use]
pub fn mode_named(name: &str) -> Option<Mode> {
    MODES.into_iter().find(|mode| mode_name(*mode) == name)
}

/// A persistence level of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyLevel<'p> {
    /// Its name.
    pub name: &'p str,
    /// What it is.
    pub persistence: Persistence,
    /// The redundancy of its storage level, if it was known when the policy was made.
    pub redundancy: Option<Redundancy>,
    /// Only rules give it: requests cannot ask for it.
    pub closed: bool,
}

impl<'p> PolicyLevel<'p> {
    /// A level of a cache mode and nothing else.
    pub(super) const fn plain(name: &'p str, mode: Mode) -> Self {
        Self {
            name,
            persistence: Persistence {
                mode,
                resources: ResourceSet::FIRST,
                storage: LevelIndex(0),
                verify: false,
                atomic: false,
                on_loss: OnLoss::Revert,
            },
            redundancy: None,
            closed: false,
        }
    }

    /// True when it is as redundant as asked. Where redundancy is not known it is neither redundant nor single.
    #[must_use]
    pub fn is(&self, asked: AskedRedundancy) -> bool {
        let several = self.persistence.resources.len() > 1;
        match (asked, self.redundancy) {
            (AskedRedundancy::Redundant, Some(found)) => several || found != Redundancy::Single,
            (AskedRedundancy::Redundant, None) => several,
            (AskedRedundancy::Single, found) => !several && found == Some(Redundancy::Single),
        }
    }

    pub(super) fn encode(&self) -> [u8; LEVEL_BYTES] {
        let mut entry = [0; LEVEL_BYTES];
        for (to, from) in entry[..NAME_BYTES].iter_mut().zip(self.name.bytes()) {
            *to = from;
        }
        let Persistence {
            mode,
            resources,
            storage,
            verify,
            atomic,
            on_loss,
        } = self.persistence;
        let flags = [
            (verify, VERIFY),
            (atomic, ATOMIC),
            (on_loss == OnLoss::Unwritten, UNWRITTEN),
            (self.closed, CLOSED),
        ];
        let flags = flags
            .into_iter()
            .fold(0, |all, (set, flag)| if set { all | flag } else { all });
        let mode = MODES.iter().position(|found| *found == mode).unwrap_or(0);
        entry[NAME_BYTES..NAME_BYTES + 5].copy_from_slice(&[
            mode as u8,
            resources.0,
            storage.0,
            flags,
            redundancy_byte(self.redundancy),
        ]);
        entry
    }

    /// What a level is, read without its name.
    pub(super) fn decode_persistence(entry: &[u8]) -> Option<Persistence> {
        let &[mode, resources, storage, flags, ..] = entry.get(NAME_BYTES..)? else {
            return None;
        };
        Some(Persistence {
            mode: *MODES.get(usize::from(mode))?,
            resources: ResourceSet(resources),
            storage: LevelIndex(storage),
            verify: flags & VERIFY != 0,
            atomic: flags & ATOMIC != 0,
            on_loss: if flags & UNWRITTEN == 0 {
                OnLoss::Revert
            } else {
                OnLoss::Unwritten
            },
        })
    }

    /// Reads a level; `None` if it is none.
    pub(super) fn decode(entry: &'p [u8]) -> Option<Self> {
        let (name, rest) = entry.split_at_checked(NAME_BYTES)?;
        let len = name.iter().position(|&byte| byte == 0);
        let (name, padding) = name.split_at(len.unwrap_or(NAME_BYTES));
        let &[_, resources, storage, flags, redundancy, 0, 0, 0] = rest else {
            return None;
        };
        let good = is_name(name)
            && padding.iter().all(|&byte| byte == 0)
            && resources != 0
            && usize::from(storage) < LEVELS_MAX
            && flags < 2 * CLOSED;
        let name = core::str::from_utf8(name).ok().filter(|_| good)?;
        let persistence = Self::decode_persistence(entry)?;
        // A level with the name of a mode is of that mode: nothing else can be meant.
        if mode_named(name).is_some_and(|named| named != persistence.mode) {
            return None;
        }
        Some(Self {
            name,
            persistence,
            redundancy: redundancy_of(redundancy)?,
            closed: flags & CLOSED != 0,
        })
    }
}

/// As rules write it: `vital = write-through mirror=2 storage:1 verify`.
impl fmt::Display for PolicyLevel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let persistence = &self.persistence;
        write!(f, "{} = {}", self.name, mode_name(persistence.mode))?;
        if let Some(redundancy) = self.redundancy {
            write!(f, " {redundancy}")?;
        }
        if self.redundancy.is_some() || persistence.storage != LevelIndex(0) {
            write!(f, " storage:{}", persistence.storage.0)?;
        }
        if persistence.resources != ResourceSet::FIRST {
            let mut sign = ':';
            f.write_str(" resources")?;
            for number in (0..RESOURCES_MAX).filter(|&number| persistence.resources.has(number)) {
                write!(f, "{sign}{number}")?;
                sign = ',';
            }
        }
        for (set, word) in [
            (persistence.verify, " verify"),
            (persistence.atomic, " atomic"),
            (persistence.on_loss == OnLoss::Unwritten, " unwritten"),
            (self.closed, " closed"),
        ] {
            if set {
                f.write_str(word)?;
            }
        }
        Ok(())
    }
}
