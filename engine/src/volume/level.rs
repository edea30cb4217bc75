//! Levels: how the sectors written at each of them are protected, and the table that is stored with the volume.

use core::fmt;

use crate::codec::Ecc;

/// Levels of a volume at most.
pub const LEVELS_MAX: usize = 16;
/// Copies of a page at most.
pub const COPIES_MAX: u8 = 3;
/// Pages of data that one parity page protects at most.
pub const PARITY_MAX: u8 = 8;
/// Pages of data that one parity page protects at least: with one it would be a copy.
pub(super) const PARITY_MIN: u8 = 2;
/// Bytes of a level's name.
const NAME_BYTES: usize = 16;
/// Bytes of an entry of the table: name, code, redundancy, its number.
pub const ENTRY_BYTES: usize = NAME_BYTES + 3;

/// What there is of a page beside the page itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Redundancy {
    /// One page.
    Single,
    /// So many pages with the same bytes in different blocks, on different dies where there are several: 2 or 3.
    Mirror(u8),
    /// One page with the exclusive or of so many others at most, all on different dies: 2 to 8.
    Parity(u8),
}

impl Redundancy {
    /// Pages that hold the same sectors.
    #[must_use]
    pub const fn copies(self) -> u8 {
        match self {
            Self::Single | Self::Parity(_) => 1,
            Self::Mirror(copies) => copies,
        }
    }

    /// Pages of data that one parity page protects at most; 0 where there is none.
    #[must_use]
    pub const fn parity(self) -> u8 {
        match self {
            Self::Single | Self::Mirror(_) => 0,
            Self::Parity(pages) => pages,
        }
    }

    /// False for numbers that there cannot be.
    #[must_use]
    pub const fn is_possible(self) -> bool {
        match self {
            Self::Single => true,
            Self::Mirror(copies) => copies >= 2 && copies <= COPIES_MAX,
            Self::Parity(pages) => pages >= PARITY_MIN && pages <= PARITY_MAX,
        }
    }

    /// Pages of a stripe with different sectors, and pages of it in all.
    #[must_use]
    pub const fn stripe(self) -> (u8, u8) {
        match self {
            Self::Single => (1, 1),
            Self::Mirror(copies) => (1, copies),
            Self::Parity(pages) => (pages, pages + 1),
        }
    }

    /// Dies of which everything can be lost without losing a sector, where there are several.
    #[must_use]
    pub const fn survives(self) -> u8 {
        match self {
            Self::Single => 0,
            Self::Mirror(copies) => copies - 1,
            Self::Parity(_) => 1,
        }
    }
}

impl fmt::Display for Redundancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => f.write_str("single"),
            Self::Mirror(copies) => write!(f, "mirror={copies}"),
            Self::Parity(pages) => write!(f, "parity={pages}"),
        }
    }
}

/// How sectors are protected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Level {
    name: [u8; NAME_BYTES],
    /// The code over their payloads.
    pub ecc: Ecc,
    /// Their copies.
    pub redundancy: Redundancy,
}

/// Names one of a volume's levels: its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LevelIndex(pub u8);

/// Why a text is no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LevelError<'t> {
    /// No name, or none of 1 to 16 letters, digits, `-` and `_`.
    Name {
        /// What was found.
        found: &'t str,
    },
    /// A word that is neither a code nor a redundancy.
    Word {
        /// What was found.
        found: &'t str,
        /// Where it begins, in bytes.
        at: usize,
    },
    /// A number of copies, or of pages to one of parity, that there cannot be.
    Number {
        /// What was found.
        found: &'t str,
        /// Where it begins, in bytes.
        at: usize,
    },
    /// A second code, or a second redundancy.
    Twice {
        /// What was found.
        found: &'t str,
        /// Where it begins, in bytes.
        at: usize,
    },
}

impl fmt::Display for LevelError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { found } => write!(
                f,
                "\"{found}\" is no name of a level: write NAME=CODE,REDUNDANCY with a name of 1 to {NAME_BYTES} letters, digits, - and _"
            ),
            Self::Word { found, at } => {
                write!(f, "\"{found}\" at byte {at} is neither a code (")?;
                for (index, ecc) in Ecc::ALL.into_iter().enumerate() {
                    write!(f, "{}{}", if index > 0 { ", " } else { "" }, ecc.name())?;
                }
                f.write_str(") nor a redundancy (single, mirror=2, mirror=3, parity=2 to parity=8)")
            }
            Self::Number { found, at } => write!(
                f,
                "\"{found}\" at byte {at} has no number that there can be: mirror=2, mirror={COPIES_MAX}, parity={PARITY_MIN} to parity={PARITY_MAX}"
            ),
            Self::Twice { found, at } => write!(
                f,
                "\"{found}\" at byte {at}: a level has one code and one redundancy"
            ),
        }
    }
}

impl core::error::Error for LevelError<'_> {}

impl Level {
    /// A level of this name; `None` if it is none: 1 to 16 letters, digits, `-` and `_`.
    #[must_use]
    pub fn new(name: &str, ecc: Ecc, redundancy: Redundancy) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(good) {
            return None;
        }
        let mut bytes = [0; NAME_BYTES];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Some(Self {
            name: bytes,
            ecc,
            redundancy,
        })
    }

    /// The level of a volume for which none is asked: one copy, protected by `ecc`.
    #[must_use]
    pub const fn plain(ecc: Ecc) -> Self {
        let mut name = [0; NAME_BYTES];
        let text = b"default";
        let mut at = 0;
        while at < text.len() {
            name[at] = text[at];
            at += 1;
        }
        Self {
            name,
            ecc,
            redundancy: Redundancy::Single,
        }
    }

    /// Reads `name=bch8,mirror=2`. What is left out is `ecc`, and one copy.
    ///
    /// # Errors
    /// What was found, and where.
    pub fn parse(text: &str, ecc: Ecc) -> Result<Self, LevelError<'_>> {
        let (name, words) = text.split_once('=').unwrap_or((text, ""));
        let level =
            Self::new(name, ecc, Redundancy::Single).ok_or(LevelError::Name { found: name })?;
        level.with_words(words, name.len() + 1)
    }

    /// Reads `bch8,mirror=2`: the level of a volume that has no other.
    ///
    /// # Errors
    /// What was found, and where.
    pub fn parse_unnamed(text: &str, ecc: Ecc) -> Result<Self, LevelError<'_>> {
        Self::plain(ecc).with_words(text, 0)
    }

    /// The level with what words say, the first of which begins at `at`.
    fn with_words(self, words: &str, at: usize) -> Result<Self, LevelError<'_>> {
        let mut level = self;
        let mut at = at;
        let (mut coded, mut copied) = (false, false);
        for word in words.split(',').filter(|_| !words.is_empty()) {
            let twice = if let Some(ecc) = Ecc::from_name(word) {
                level.ecc = ecc;
                core::mem::replace(&mut coded, true)
            } else {
                level.redundancy = match word.split_once('=') {
                    None if word == "single" => Redundancy::Single,
                    Some((kind @ ("mirror" | "parity"), number)) => number
                        .parse()
                        .ok()
                        .map(match kind {
                            "mirror" => Redundancy::Mirror,
                            _ => Redundancy::Parity,
                        })
                        .filter(|redundancy| redundancy.is_possible())
                        .ok_or(LevelError::Number { found: word, at })?,
                    _ => return Err(LevelError::Word { found: word, at }),
                };
                core::mem::replace(&mut copied, true)
            };
            if twice {
                return Err(LevelError::Twice { found: word, at });
            }
            at += word.len() + 1;
        }
        Ok(level)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        let len = self.name.iter().position(|&byte| byte == 0);
        let name = &self.name[..len.unwrap_or(NAME_BYTES)];
        core::str::from_utf8(name).unwrap_or("?")
    }

    fn encode(&self, entry: &mut [u8]) {
        entry[..NAME_BYTES].copy_from_slice(&self.name);
        entry[NAME_BYTES] = self.ecc as u8;
        (entry[NAME_BYTES + 1], entry[NAME_BYTES + 2]) = match self.redundancy {
            Redundancy::Single => (0, 1),
            Redundancy::Mirror(copies) => (1, copies),
            Redundancy::Parity(pages) => (2, pages),
        };
    }

    fn decode(entry: &[u8]) -> Option<Self> {
        let name = entry.get(..NAME_BYTES)?;
        let len = name.iter().position(|&byte| byte == 0);
        let name = core::str::from_utf8(&name[..len.unwrap_or(NAME_BYTES)]).ok()?;
        Self::new(
            name,
            Self::decode_ecc(entry)?,
            Self::decode_redundancy(entry)?,
        )
    }

    fn decode_ecc(entry: &[u8]) -> Option<Ecc> {
        Ecc::ALL.get(usize::from(*entry.get(NAME_BYTES)?)).copied()
    }

    fn decode_redundancy(entry: &[u8]) -> Option<Redundancy> {
        let redundancy = match (*entry.get(NAME_BYTES + 1)?, *entry.get(NAME_BYTES + 2)?) {
            (0, 1) => Redundancy::Single,
            (1, copies) => Redundancy::Mirror(copies),
            (2, pages) => Redundancy::Parity(pages),
            _ => return None,
        };
        redundancy.is_possible().then_some(redundancy)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name(), self.ecc.name())?;
        match self.redundancy {
            Redundancy::Single => Ok(()),
            redundancy => write!(f, ",{redundancy}"),
        }
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Level {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "{=str}={=str},{}",
            self.name(),
            self.ecc.name(),
            self.redundancy
        );
    }
}

/// The table, in memory lent by the caller, as it is stored.
#[derive(Debug)]
pub(super) struct LevelTable<'m> {
    bytes: &'m mut [u8],
}

impl<'m> LevelTable<'m> {
    /// A table without levels.
    pub fn new(bytes: &'m mut [u8]) -> Self {
        bytes.fill(0);
        Self { bytes }
    }

    /// The table as it is stored.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// For loading.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// The level at a place; `None` if there is none.
    pub fn get(&self, index: u8) -> Option<Level> {
        Level::decode(self.entry(index)?)
    }

    /// The code of the level at a place; `None` if there is none.
    pub fn ecc(&self, index: u8) -> Option<Ecc> {
        Level::decode_ecc(self.entry(index)?)
    }

    /// The redundancy of the level at a place; none if there is no level.
    pub fn redundancy(&self, index: u8) -> Redundancy {
        self.entry(index)
            .and_then(Level::decode_redundancy)
            .unwrap_or(Redundancy::Single)
    }

    fn entry(&self, index: u8) -> Option<&[u8]> {
        let start = usize::from(index) * ENTRY_BYTES;
        let entry = self.bytes.get(start..start + ENTRY_BYTES)?;
        (entry[0] != 0).then_some(entry)
    }

    /// Sets the level at a place; false if there is no such place.
    pub fn set(&mut self, index: u8, level: &Level) -> bool {
        let start = usize::from(index) * ENTRY_BYTES;
        match self.bytes.get_mut(start..start + ENTRY_BYTES) {
            Some(entry) => {
                level.encode(entry);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_level_is_read_and_written_as_text_and_as_bytes() {
        for (text, shown) in [
            ("fast=crc", "fast=crc"),
            ("a", "a=bch4"),
            ("vital=mirror=2", "vital=bch4,mirror=2"),
            ("b_1-x=bch16,mirror=3", "b_1-x=bch16,mirror=3"),
            ("wide=parity=8,crc", "wide=crc,parity=8"),
            ("sixteen-letters-=single,bch40", "sixteen-letters-=bch40"),
        ] {
            let level = Level::parse(text, Ecc::Bch4).unwrap();
            assert_eq!(level.to_string(), shown);
            assert_eq!(Level::parse(shown, Ecc::Crc), Ok(level));
            let mut bytes = [0; 3 * ENTRY_BYTES];
            let mut table = LevelTable::new(&mut bytes);
            assert_eq!(table.get(1), None);
            assert!(table.set(1, &level));
            assert_eq!(table.get(1), Some(level));
            assert_eq!((table.get(0), table.get(3)), (None, None));
            assert!(!table.set(3, &level));
        }
        assert_eq!(Level::plain(Ecc::Bch8).to_string(), "default=bch8");
        let unnamed = |text| Level::parse_unnamed(text, Ecc::Bch4).map(|level| level.to_string());
        assert_eq!(unnamed("parity=3").unwrap(), "default=bch4,parity=3");
        let found = "a=bch8";
        assert_eq!(unnamed(found), Err(LevelError::Word { found, at: 0 }));
    }

    #[test]
    fn what_is_no_level_is_refused_with_what_was_found_and_where() {
        let error = |text| Level::parse(text, Ecc::Bch4).unwrap_err();
        assert_eq!(error(""), LevelError::Name { found: "" });
        assert_eq!(error("a b=crc"), LevelError::Name { found: "a b" });
        let long = "seventeen-letters";
        assert_eq!(error(long), LevelError::Name { found: long });
        let found = "bch5";
        assert_eq!(error("a=bch8,bch5"), LevelError::Word { found, at: 7 });
        let found = "mirror=4";
        assert_eq!(error("a=mirror=4"), LevelError::Number { found, at: 2 });
        let found = "mirror=two";
        assert_eq!(
            error("a=crc,mirror=two"),
            LevelError::Number { found, at: 6 }
        );
        for text in ["a=parity=1", "a=parity=9", "a=parity="] {
            let found = &text[2..];
            assert_eq!(error(text), LevelError::Number { found, at: 2 });
        }
        let found = "crc";
        assert_eq!(error("a=bch4,crc"), LevelError::Twice { found, at: 7 });
        let found = "";
        assert_eq!(error("a=crc,"), LevelError::Word { found, at: 6 });
        assert!(error("a=bch5").to_string().contains("secded, bch4, bch8"));
    }
}
