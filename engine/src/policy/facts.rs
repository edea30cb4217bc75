//! What is known about a request, prepared for the rules.

use crate::cache::Mode;
use crate::exec::LevelNumber;

use super::bucket;
use super::field::{Dimension, Number, Text, DIMENSIONS, NUMBERS, SELDOM, TEXTS};

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation {
    /// Reads sectors.
    Read,
    /// Writes sectors.
    Write,
    /// Makes sectors read as unwritten.
    Trim,
    /// Makes durable what completed before.
    Flush,
}

impl Operation {
    /// All of them, by their numbers.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Trim, Self::Flush];

    /// As rules write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Trim => "trim",
            Self::Flush => "flush",
        }
    }
}

/// How long data is expected to live: the hints that hosts give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Lifetime {
    /// Overwritten or deleted soon.
    Short,
    /// Longer than short.
    Medium,
    /// Longer than medium.
    Long,
    /// Hardly ever overwritten.
    Extreme,
}

impl Lifetime {
    /// All of them, by their numbers.
    pub const ALL: [Self; 4] = [Self::Short, Self::Medium, Self::Long, Self::Extreme];

    /// As rules write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Medium => "medium",
            Self::Long => "long",
            Self::Extreme => "extreme",
        }
    }
}

/// What a caller says about a source or a request: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Flags(pub u8);

impl Flags {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Paging: a host's own cache fetches or writes out.
    pub const PAGING: Self = Self(1);
    /// Not paging: an application's call, which a host's cache may serve.
    pub const NON_PAGING: Self = Self(2);
    /// Around a host's cache.
    pub const DIRECT: Self = Self(4);
    /// The source calls itself temporary.
    pub const TEMPORARY: Self = Self(8);
    /// Durable before it is acknowledged.
    pub const SYNC: Self = Self(16);
    /// Deleted when its last handle is closed.
    pub const DELETE_ON_CLOSE: Self = Self(32);
    /// Used from the beginning to the end.
    pub const SEQUENTIAL: Self = Self(64);
    /// Used in no order.
    pub const RANDOM: Self = Self(128);

    /// As rules write them, by bit.
    pub const NAMES: [&'static str; 8] = [
        "paging",
        "non-paging",
        "direct",
        "temporary",
        "sync",
        "delete-on-close",
        "sequential",
        "random",
    ];

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when all of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A level that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedLevel<'a> {
    /// By its name.
    Name(&'a str),
    /// By its number.
    Number(LevelNumber),
}

/// Redundancy that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AskedRedundancy {
    /// More than one copy, parity, or more than one resource.
    Redundant,
    /// One copy on one resource, without parity.
    Single,
}

/// What a request asks for explicitly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked<'a> {
    /// A level.
    pub level: Option<AskedLevel<'a>>,
    /// Redundancy, or none.
    pub redundancy: Option<AskedRedundancy>,
    /// A cache mode.
    pub mode: Option<Mode>,
}

impl Asked<'_> {
    /// As rules write what can be asked for, by bit.
    pub const NAMES: [&'static str; 7] = [
        "redundant",
        "single",
        "write-through",
        "write-back",
        "ephemeral",
        "bypass",
        "level",
    ];

    /// True when nothing is asked for.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.level.is_none() && self.redundancy.is_none() && self.mode.is_none()
    }

    pub(super) const fn bits(&self) -> u8 {
        let redundancy = match self.redundancy {
            None => 0,
            Some(AskedRedundancy::Redundant) => 1,
            Some(AskedRedundancy::Single) => 2,
        };
        let mode = match self.mode {
            None => 0,
            Some(Mode::WriteThrough) => 4,
            Some(Mode::WriteBack) => 8,
            Some(Mode::Ephemeral) => 16,
            Some(Mode::Bypass) => 32,
        };
        redundancy | mode | if self.level.is_some() { 64 } else { 0 }
    }
}

/// Where a request's name, directory and extension lie in its path.
pub(crate) struct PathParts<'a> {
    pub directory: &'a str,
    pub name: &'a str,
    pub extension: &'a str,
}

/// Takes a path apart. The directory of `/a` is `/`, of `a` it is empty; a name that begins with its only dot has no extension.
pub(crate) fn path_parts(path: &str) -> PathParts<'_> {
    let (directory, name) = match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(parts) => parts,
        None => ("", path),
    };
    PathParts {
        directory,
        name,
        extension: extension(name),
    }
}

fn extension(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension,
        _ => "",
    }
}

/// Everything that rules may ask of a request. What is not known matches no criterion.
///
/// Made once for a source; what changes with each request is set on a copy. Setting a fact takes time proportional to its length, once: rules then look at
/// what was prepared here.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub(super) buckets: [u8; DIMENSIONS],
    pub(super) texts: [Option<&'a str>; TEXTS],
    /// Names with commas between them.
    pub(super) profiles: &'a str,
    /// The least and the largest value of each number; the least is above the largest where it is not known.
    pub(super) numbers: [(u64, u64); NUMBERS],
    pub(super) operation: Option<Operation>,
    pub(super) lifetime: Option<Lifetime>,
    pub(super) flags: Flags,
    pub(super) asked: Asked<'a>,
}

impl Default for Facts<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// Which texts of a source are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KnownTexts {
    pub application: bool,
    /// The path.
    pub path: bool,
    /// Of the path only the name.
    pub name: bool,
    pub volume: bool,
}

/// The texts of a source; empty where they are not known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceTexts<'a> {
    pub known: KnownTexts,
    pub application: &'a str,
    pub path: &'a str,
    pub volume: &'a str,
    pub profiles: &'a str,
}

/// What was prepared of the facts of a source, without the facts.
pub(crate) type Prepared = [u8; DIMENSIONS];

impl<'a> Facts<'a> {
    /// What was prepared, for [`with_texts`](Self::with_texts).
    pub(crate) const fn prepared(&self) -> Prepared {
        self.buckets
    }

    /// The facts of a source whose texts were prepared before, the path among them if it is one.
    pub(crate) fn with_texts(mut self, texts: SourceTexts<'a>, prepared: Prepared) -> Self {
        let parts = path_parts(texts.path);
        let is_path = texts.known.path;
        let of_path = |text| is_path.then_some(text);
        self.texts = [
            texts.known.application.then_some(texts.application),
            (is_path || texts.known.name).then_some(parts.name),
            of_path(texts.path),
            of_path(parts.directory),
            (is_path || texts.known.name).then_some(parts.extension),
            texts.known.volume.then_some(texts.volume),
        ];
        self.profiles = texts.profiles;
        self.buckets = prepared;
        self
    }

    /// True when nothing is said of the dimensions that most requests say nothing of.
    #[inline]
    pub(super) const fn is_usual(&self) -> bool {
        let [.., a, b, c, d, e, f, g, h] = self.buckets;
        // The last eight at once, without those before the first seldom one.
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) << (8 * (SELDOM - DIMENSIONS / 2)) == 0
    }

    /// Nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            buckets: [0; DIMENSIONS],
            texts: [None; TEXTS],
            profiles: "",
            numbers: [(1, 0); NUMBERS],
            operation: None,
            lifetime: None,
            flags: Flags::NONE,
            asked: Asked {
                level: None,
                redundancy: None,
                mode: None,
            },
        }
    }

    const fn place(&mut self, dimension: Dimension, bucket: u8) {
        self.buckets[dimension as usize] = bucket;
    }

    fn number(mut self, number: Number, value: u64) -> Self {
        self.numbers[number as usize] = (value, value);
        for dimension in number.dimensions() {
            self.place(*dimension, bucket::of_number(number, value));
        }
        self
    }

    fn text(mut self, text: Text, value: &'a str) -> Self {
        self.texts[text as usize] = Some(value);
        if text == Text::Directory {
            // Its place is that of the path.
            return self;
        }
        for dimension in text.dimensions() {
            self.place(*dimension, bucket::of_text(*dimension, value.as_bytes()));
        }
        self
    }

    /// The virtual machine, namespace or partition.
    #[must_use]
    pub fn tenant(self, tenant: u32) -> Self {
        self.number(Number::Tenant, tenant.into())
    }

    /// The identifier of a file or another object.
    #[must_use]
    pub fn object(self, object: u64) -> Self {
        self.number(Number::Object, object)
    }

    /// The program that asks.
    #[must_use]
    pub fn application(self, application: &'a str) -> Self {
        self.text(Text::Application, application)
    }

    /// The path of a file, and with it its directory, name and extension.
    #[must_use]
    pub fn path(self, path: &'a str) -> Self {
        let parts = path_parts(path);
        self.text(Text::Path, path)
            .text(Text::Directory, parts.directory)
            .text(Text::Name, parts.name)
            .text(Text::Extension, parts.extension)
    }

    /// The name of a file, and with it its extension, where the path is not known.
    #[must_use]
    pub fn name(self, name: &'a str) -> Self {
        self.text(Text::Name, name)
            .text(Text::Extension, extension(name))
    }

    /// The name of the volume, as its user calls it.
    #[must_use]
    pub fn volume(self, volume: &'a str) -> Self {
        self.text(Text::Volume, volume)
    }

    /// What a profiler says of the source: names of its own, with commas between them.
    #[must_use]
    pub const fn profiles(mut self, profiles: &'a str) -> Self {
        self.profiles = profiles;
        let lifetime = self.buckets[Dimension::Lifetime as usize] & !bucket::PROFILES;
        let profiles = if profiles.is_empty() {
            0
        } else {
            bucket::PROFILES
        };
        self.place(Dimension::Lifetime, lifetime | profiles);
        self
    }

    /// The sectors of the request. Criteria match when they lie in a range as a whole; of no sectors nothing is known.
    #[must_use]
    pub fn sectors(mut self, first: u64, count: u64) -> Self {
        if count > 0 {
            self = self.number(Number::Sector, first);
            self.numbers[Number::Sector as usize].1 = first.saturating_add(count - 1);
        }
        self
    }

    /// Bytes of the request.
    #[must_use]
    pub fn size(self, bytes: u64) -> Self {
        self.number(Number::Size, bytes)
    }

    /// Where the request begins in its source, in bytes.
    #[must_use]
    pub fn offset(self, bytes: u64) -> Self {
        self.number(Number::Offset, bytes)
    }

    /// The priority, larger is more urgent.
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        self.number(Number::Priority, priority.into())
    }

    /// What the request does.
    #[must_use]
    pub const fn operation(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self.place(Dimension::Operation, 1 + operation as u8);
        self
    }

    /// How long its data is expected to live.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = Some(lifetime);
        let profiles = self.buckets[Dimension::Lifetime as usize] & bucket::PROFILES;
        self.place(Dimension::Lifetime, profiles | (1 + lifetime as u8));
        self
    }

    /// Flags, beside those that are set.
    #[must_use]
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.flags = self.flags.with(flags);
        self.place(Dimension::Flags, self.flags.0 & 15);
        self
    }

    /// What is asked for explicitly.
    #[must_use]
    pub const fn asked(mut self, asked: Asked<'a>) -> Self {
        self.place(Dimension::Asks, asked.bits() & 15);
        self.asked = asked;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_directory_a_name_and_an_extension() {
        for (path, directory, name, extension) in [
            ("/tmp/a/b.tar.gz", "/tmp/a", "b.tar.gz", "gz"),
            ("/a", "/", "a", ""),
            ("a.c", "", "a.c", "c"),
            ("/home/.profile", "/home", ".profile", ""),
            ("/home/.profile.bak", "/home", ".profile.bak", "bak"),
            ("dir/", "dir", "", ""),
            ("", "", "", ""),
        ] {
            let parts = path_parts(path);
            let found = (parts.directory, parts.name, parts.extension);
            assert_eq!(found, (directory, name, extension), "{path}");
        }
    }
}
