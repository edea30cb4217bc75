//! What criteria can ask of a request: the fields, how rules call them, and where the index looks at them.

/// A text of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Text {
    /// The program that asks.
    Application,
    /// The file's name.
    Name,
    /// The file's path.
    Path,
    /// The path without the name.
    Directory,
    /// What follows the last dot of the name.
    Extension,
    /// The volume's name.
    Volume,
    /// One of the names that a profiler gives.
    Profile,
}

/// Texts of which a request has one at most.
pub(super) const TEXTS: usize = 6;

impl Text {
    pub(super) const ALL: [Self; 7] = [
        Self::Application,
        Self::Name,
        Self::Path,
        Self::Directory,
        Self::Extension,
        Self::Volume,
        Self::Profile,
    ];

    /// As rules write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Application => "app",
            Self::Name => "name",
            Self::Path => "path",
            Self::Directory => "dir",
            Self::Extension => "ext",
            Self::Volume => "volume",
            Self::Profile => "profile",
        }
    }

    /// True when `*` stops at a slash.
    pub(super) const fn has_components(self) -> bool {
        matches!(self, Self::Path | Self::Directory)
    }

    pub(super) const fn dimensions(self) -> &'static [Dimension] {
        match self {
            Self::Application => &[Dimension::Application],
            Self::Name => &[Dimension::NameBegin, Dimension::NameEnd],
            Self::Path | Self::Directory => &[Dimension::PathThird, Dimension::PathFirst],
            Self::Extension => &[Dimension::Extension],
            Self::Volume => &[Dimension::Volume],
            Self::Profile => &[Dimension::Lifetime],
        }
    }
}

/// A number of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Number {
    /// The virtual machine, namespace or partition.
    Tenant,
    /// The identifier of a file or another object.
    Object,
    /// The priority.
    Priority,
    /// Its sectors.
    Sector,
    /// Its bytes.
    Size,
    /// Where it begins in its source.
    Offset,
}

pub(super) const NUMBERS: usize = 6;

impl Number {
    pub(super) const ALL: [Self; NUMBERS] = [
        Self::Tenant,
        Self::Object,
        Self::Priority,
        Self::Sector,
        Self::Size,
        Self::Offset,
    ];

    /// As rules write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Object => "object",
            Self::Priority => "priority",
            Self::Sector => "sector",
            Self::Size => "size",
            Self::Offset => "offset",
        }
    }

    pub(super) const fn dimensions(self) -> &'static [Dimension] {
        match self {
            Self::Tenant => &[Dimension::Tenant],
            Self::Object => &[Dimension::Object],
            Self::Priority => &[Dimension::Priority],
            Self::Sector => &[Dimension::Sector],
            Self::Size => &[Dimension::Size],
            // Hardly any rule asks about it.
            Self::Offset => &[],
        }
    }

    /// True when requests of one source differ in it.
    const fn of_request(self) -> bool {
        matches!(
            self,
            Self::Priority | Self::Sector | Self::Size | Self::Offset
        )
    }
}

/// A word of a request, one of a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Choice {
    /// What it does.
    Operation,
    /// How long its data is expected to live.
    Lifetime,
    /// A flag.
    Flag,
    /// What it asks for explicitly.
    Asks,
}

impl Choice {
    pub(super) const ALL: [Self; 4] = [Self::Operation, Self::Lifetime, Self::Flag, Self::Asks];

    /// As rules write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operation => "op",
            Self::Lifetime => "lifetime",
            Self::Flag => "flag",
            Self::Asks => "asks",
        }
    }

    /// The words it may have, by their numbers.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let count = match self {
            Self::Operation => super::Operation::ALL.len(),
            Self::Lifetime => super::Lifetime::ALL.len(),
            Self::Flag => super::Flags::NAMES.len(),
            Self::Asks => super::Asked::NAMES.len(),
        };
        (0..count).filter_map(move |number| self.name(number as u8))
    }

    /// The word of a number.
    pub(super) fn name(self, number: u8) -> Option<&'static str> {
        let number = usize::from(number);
        match self {
            Self::Operation => super::Operation::ALL.get(number).map(|one| one.name()),
            Self::Lifetime => super::Lifetime::ALL.get(number).map(|one| one.name()),
            Self::Flag => super::Flags::NAMES.get(number).copied(),
            Self::Asks => super::Asked::NAMES.get(number).copied(),
        }
    }

    pub(super) const fn dimensions(self) -> &'static [Dimension] {
        match self {
            Self::Operation => &[Dimension::Operation],
            Self::Lifetime => &[Dimension::Lifetime],
            Self::Flag => &[Dimension::Flags],
            Self::Asks => &[Dimension::Asks],
        }
    }
}

/// What a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Field {
    /// A text, by a pattern.
    Text(Text),
    /// A number, by a range.
    Number(Number),
    /// A word, one of a few.
    Choice(Choice),
}

impl Field {
    /// The field that rules call so.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let text = Text::ALL.into_iter().map(Self::Text);
        let number = Number::ALL.into_iter().map(Self::Number);
        let choice = Choice::ALL.into_iter().map(Self::Choice);
        text.chain(number)
            .chain(choice)
            .find(|field| field.word() == word)
    }

    /// As rules write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text(text) => text.word(),
            Self::Number(number) => number.word(),
            Self::Choice(choice) => choice.word(),
        }
    }

    /// True when requests of one source differ in it: what was decided for a source does not hold for each of its requests.
    pub(super) const fn of_request(self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Number(number) => number.of_request(),
            Self::Choice(_) => true,
        }
    }
}

/// A line of the index: parts of rules by a property of a request, of which there are 16 (0: it is not known, or no flag is set).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Dimension {
    Tenant,
    Sector,
    Size,
    Operation,
    Application,
    NameBegin,
    NameEnd,
    /// The third component of the path, behind what users or projects are called. What is said of it says more than of the first.
    PathThird,
    /// The first component of the path, and so of the directory.
    PathFirst,
    Extension,
    Object,
    Priority,
    /// The lifetime, and whether there are profiles.
    Lifetime,
    Flags,
    Asks,
    Volume,
}

/// As many as there are places: a number of one needs no check for either.
pub(super) const DIMENSIONS: usize = 16;
/// From this one on, they are those that most requests say nothing of.
pub(super) const SELDOM: usize = Dimension::Object as usize;

impl Dimension {
    pub(super) const ALL: [Self; DIMENSIONS] = [
        Self::Tenant,
        Self::Sector,
        Self::Size,
        Self::Operation,
        Self::Application,
        Self::NameBegin,
        Self::NameEnd,
        Self::PathThird,
        Self::PathFirst,
        Self::Extension,
        Self::Object,
        Self::Priority,
        Self::Lifetime,
        Self::Flags,
        Self::Asks,
        Self::Volume,
    ];
}
