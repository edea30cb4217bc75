//! The policy in its binary form: accepted once, then asked.

use core::fmt;

use crate::codec::crc;
use crate::exec::{LevelNumber, Persistence};

use super::code::{Code, Entry, Outlook};
use super::facts::Facts;
use super::form::{
    u16_at, u32_at, CRC_AT, GROUP_PARTS, HEAD_BYTES, INSTRUCTION_BYTES, LEVEL_BYTES, MAGIC,
    PART_BYTES, POLICY_VERSION, RULE_BYTES,
};
use super::index::{self, Candidates, Part};
use super::judge;
use super::level::PolicyLevel;
use super::validate;

/// Names a rule of a policy: its place among them, the first is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RuleNumber(pub u8);

/// Why bytes are no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PolicyFault {
    /// They do not begin as one does: there is none.
    NoPolicy,
    /// Another version of the form.
    Version {
        /// The one that was found.
        found: u8,
    },
    /// There are fewer bytes than it says it has, or the lengths of its parts contradict each other.
    Length {
        /// Bytes there are.
        found: usize,
    },
    /// The checksum does not fit: it was damaged.
    Checksum,
    /// One of its levels cannot be.
    Level(LevelNumber),
    /// One of its rules cannot be.
    Rule(RuleNumber),
    /// Its index is not that of its rules.
    Index,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => f.write_str("no policy in binary form"),
            Self::Version { found } => write!(
                f,
                "a policy of version {found}, not {POLICY_VERSION}: set it again from its text"
            ),
            Self::Length { found } => write!(
                f,
                "a policy whose lengths contradict each other or the {found} bytes there are"
            ),
            Self::Checksum => f.write_str("a damaged policy: its checksum does not fit"),
            Self::Level(number) => write!(f, "a policy whose level {} cannot be", number.0),
            Self::Rule(number) => write!(f, "a policy whose rule {} cannot be", number.0 + 1),
            Self::Index => f.write_str("a policy whose index is not that of its rules"),
        }
    }
}

impl core::error::Error for PolicyFault {}

/// How much a policy has of what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    pub levels: usize,
    pub default: u8,
    pub rules: usize,
    pub instructions: usize,
    /// Bytes.
    pub pool: usize,
    pub parts: usize,
    /// Bytes.
    pub index: usize,
}

/// Where it lies: found once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub lengths: Lengths,
    pub rules_at: usize,
    pub code_at: usize,
    pub pool_at: usize,
    pub parts_at: usize,
    pub index_at: usize,
    /// Bytes of the whole policy.
    pub bytes: usize,
}

impl Layout {
    pub const fn new(lengths: Lengths) -> Self {
        let rules_at = HEAD_BYTES + lengths.levels * LEVEL_BYTES;
        let code_at = rules_at + lengths.rules * RULE_BYTES;
        let pool_at = code_at + lengths.instructions * INSTRUCTION_BYTES;
        let parts_at = pool_at + lengths.pool;
        let index_at = parts_at + lengths.parts * PART_BYTES;
        Self {
            lengths,
            rules_at,
            code_at,
            pool_at,
            parts_at,
            index_at,
            bytes: index_at + lengths.index,
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, PolicyFault> {
        let found = bytes.len();
        let head = bytes.first_chunk::<HEAD_BYTES>();
        let head = head.filter(|head| head.starts_with(&MAGIC));
        let head = head.ok_or(PolicyFault::NoPolicy)?;
        if head[4] != POLICY_VERSION {
            return Err(PolicyFault::Version { found: head[4] });
        }
        let short = |at| u16_at(head, at).map(usize::from).unwrap_or(0);
        let layout = Self::new(Lengths {
            levels: head[5].into(),
            default: head[6],
            rules: head[7].into(),
            instructions: short(8),
            pool: short(10),
            parts: short(14),
            index: short(12),
        });
        let total = u32_at(head, 16).unwrap_or(0) as usize;
        if total != layout.bytes || total > found {
            return Err(PolicyFault::Length { found });
        }
        Ok(layout)
    }

    /// Encodes the head, but for its checksum.
    pub fn encode(&self, head: &mut [u8; HEAD_BYTES]) {
        let lengths = &self.lengths;
        head.fill(0);
        head[..4].copy_from_slice(&MAGIC);
        head[4] = POLICY_VERSION;
        head[5] = lengths.levels as u8;
        head[6] = lengths.default;
        head[7] = lengths.rules as u8;
        head[8..10].copy_from_slice(&(lengths.instructions as u16).to_le_bytes());
        head[10..12].copy_from_slice(&(lengths.pool as u16).to_le_bytes());
        head[12..14].copy_from_slice(&(lengths.index as u16).to_le_bytes());
        head[14..16].copy_from_slice(&(lengths.parts as u16).to_le_bytes());
        head[16..20].copy_from_slice(&(self.bytes as u32).to_le_bytes());
    }
}

impl Layout {
    /// The first part that holds and is of a rule from `from` on, of those that are left of a group whose first one is `first`.
    #[inline(never)]
    fn first_of(
        &self,
        bytes: &[u8],
        facts: &Facts<'_>,
        (first, mut left): (usize, u64),
        from: u8,
    ) -> Option<(RuleNumber, LevelNumber)> {
        while left != 0 {
            let number = first + left.trailing_zeros() as usize;
            left &= left - 1;
            let part = Part::decode(bytes.get(self.parts_at..)?, number)?;
            if part.rule >= from && judge::code_holds(self.code(bytes, part), facts) {
                return Some((RuleNumber(part.rule), LevelNumber(part.level)));
            }
        }
        None
    }

    /// The instructions of a part.
    #[inline]
    fn code<'p>(&self, bytes: &'p [u8], part: Part) -> Code<'p> {
        Code {
            bytes: part.of(bytes.get(self.code_at..).unwrap_or(&[])),
            pool: bytes.get(self.pool_at..).unwrap_or(&[]),
        }
    }

    /// The same in the groups that follow.
    #[inline(never)]
    fn first_of_more(
        &self,
        bytes: &[u8],
        mut left: u64,
        mut candidates: Candidates<'_, '_>,
        from: u8,
    ) -> Option<(RuleNumber, LevelNumber)> {
        let mut first = 0;
        loop {
            let found = self.first_of(bytes, candidates.facts, (first, left), from);
            if found.is_some() {
                return found;
            }
            left = candidates.next()?;
            first += GROUP_PARTS;
        }
    }
}

/// The checksum of a policy: of everything but itself.
pub(super) fn checksum(policy: &[u8]) -> u32 {
    let (head, rest) = policy.split_at(CRC_AT.min(policy.len()));
    crc::bytes_crc(&[head, rest.get(4..).unwrap_or(&[])])
}

/// The parts of a policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'p> {
    pub levels: &'p [u8],
    pub default: u8,
    pub rules: &'p [u8],
    pub code: &'p [u8],
    pub pool: &'p [u8],
    pub parts: &'p [u8],
    pub index: &'p [u8],
}

impl<'p> View<'p> {
    /// The parts of so many bytes; parts beyond their end are empty.
    #[inline]
    pub fn new(bytes: &'p [u8], layout: &Layout) -> Self {
        let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or(&[]);
        Self {
            levels: part(HEAD_BYTES, layout.rules_at),
            default: layout.lengths.default,
            rules: part(layout.rules_at, layout.code_at),
            code: part(layout.code_at, layout.pool_at),
            pool: part(layout.pool_at, layout.parts_at),
            parts: part(layout.parts_at, layout.index_at),
            index: part(layout.index_at, layout.bytes),
        }
    }

    pub fn level(&self, number: LevelNumber) -> Option<PolicyLevel<'p>> {
        let at = usize::from(number.0) * LEVEL_BYTES;
        PolicyLevel::decode(self.levels.get(at..at + LEVEL_BYTES)?)
    }

    pub fn levels_len(&self) -> usize {
        self.levels.len() / LEVEL_BYTES
    }

    pub fn rules_len(&self) -> usize {
        self.rules.len() / RULE_BYTES
    }

    #[inline]
    pub fn entry(&self, rule: usize) -> Option<Entry> {
        Entry::decode(self.rules.get(rule * RULE_BYTES..)?)
    }

    #[inline]
    pub fn code_of(&self, entry: Entry) -> Code<'p> {
        let from = entry.first * INSTRUCTION_BYTES;
        let to = from + entry.count * INSTRUCTION_BYTES;
        Code {
            bytes: self.code.get(from..to).unwrap_or(&[]),
            pool: self.pool,
        }
    }

    pub fn code_at(&self, rule: usize) -> Option<Code<'p>> {
        self.entry(rule).map(|entry| self.code_of(entry))
    }

    /// The parts of all rules, in order.
    pub fn parts(self) -> impl Iterator<Item = Part> + 'p {
        (0..self.rules_len()).flat_map(move |rule| {
            let entry = self.entry(rule);
            let parts = entry.map(|entry| index::parts_of(rule as u8, entry, self.code_of(entry)));
            parts.into_iter().flatten()
        })
    }

    /// What is certain of the requests of a source.
    pub fn of_source(&self, facts: &Facts<'_>) -> SourceDecision {
        let mut open = None;
        for rule in 0..self.rules_len() {
            let Some(entry) = self.entry(rule) else {
                break;
            };
            match self.code_of(entry).outlook_of_source(facts) {
                Outlook { may_hold: 0, .. } => {}
                Outlook { may_fail: 0, .. } if open.is_none() => {
                    return SourceDecision::Always(
                        Some(RuleNumber(rule as u8)),
                        LevelNumber(entry.level),
                    );
                }
                _ => {
                    open.get_or_insert(RuleNumber(rule as u8));
                }
            }
        }
        match open {
            Some(rule) => SourceDecision::EachRequestFrom(rule),
            None => SourceDecision::Always(None, LevelNumber(self.default)),
        }
    }
}

/// What can be said of all requests of a source at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SourceDecision {
    /// Every one gets this level, by this rule or by the default.
    Always(Option<RuleNumber>, LevelNumber),
    /// No rule before this one matches any of them; from here on it depends on the request.
    EachRequestFrom(RuleNumber),
}

/// A policy in its binary form, in bytes of the caller's: borrowed, owned, shared, whatever gives them.
///
/// Accepted once, by [`accept`](Self::accept); asking it then takes no memory, never fails, and at most one step for each instruction.
#[derive(Debug, Clone, Copy)]
pub struct PolicyTable<B> {
    bytes: B,
    layout: Layout,
}

impl<B: AsRef<[u8]>> PolicyTable<B> {
    /// Takes bytes for a policy after looking at all of them: checksum, lengths, levels, every instruction of every rule, the index. Bytes behind its end are
    /// left alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn accept(bytes: B) -> Result<Self, PolicyFault> {
        let all = bytes.as_ref();
        let layout = Layout::decode(all)?;
        let own = all.get(..layout.bytes).unwrap_or(all);
        if u32_at(own, CRC_AT) != Some(checksum(own)) {
            return Err(PolicyFault::Checksum);
        }
        validate::validate(&View::new(own, &layout))?;
        Ok(Self { bytes, layout })
    }

    /// What the compiler has made.
    pub(super) const fn made(bytes: B, layout: Layout) -> Self {
        Self { bytes, layout }
    }

    /// The same policy in other bytes, which are a copy of [`bytes`](Self::bytes): they are not looked at again.
    pub const fn to_owned_bytes<C: AsRef<[u8]>>(&self, bytes: C) -> PolicyTable<C> {
        PolicyTable {
            bytes,
            layout: self.layout,
        }
    }

    /// Puts the checksum into bytes that are to be a policy. What is wrong with them otherwise [`accept`](Self::accept) says.
    pub fn seal(bytes: &mut [u8]) {
        let total = u32_at(bytes, 16).unwrap_or(0) as usize;
        let own = bytes.get(..total).unwrap_or(bytes);
        let crc = checksum(own).to_le_bytes();
        if let Some(place) = bytes.get_mut(CRC_AT..CRC_AT + crc.len()) {
            place.copy_from_slice(&crc);
        }
    }

    /// The bytes that were taken.
    pub fn into_bytes(self) -> B {
        self.bytes
    }

    /// The binary form.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let bytes = self.bytes.as_ref();
        bytes.get(..self.layout.bytes).unwrap_or(bytes)
    }

    /// The same policy, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> PolicyTable<&[u8]> {
        PolicyTable {
            bytes: self.bytes.as_ref(),
            layout: self.layout,
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        View::new(self.bytes.as_ref(), &self.layout)
    }

    /// A level.
    #[must_use]
    pub fn level(&self, number: LevelNumber) -> Option<PolicyLevel<'_>> {
        self.view().level(number)
    }

    /// Its levels, by their numbers.
    pub fn levels(&self) -> impl Iterator<Item = (LevelNumber, PolicyLevel<'_>)> {
        let view = self.view();
        (0..view.levels_len() as u8)
            .map(LevelNumber)
            .filter_map(move |number| Some((number, view.level(number)?)))
    }

    /// The level of a name.
    #[must_use]
    pub fn level_named(&self, name: &str) -> Option<LevelNumber> {
        self.levels()
            .find(|(_, level)| level.name == name)
            .map(|(number, _)| number)
    }

    /// The level of what no rule matches.
    #[must_use]
    pub fn default_level(&self) -> LevelNumber {
        LevelNumber(self.layout.lengths.default)
    }

    /// How many rules it has.
    #[must_use]
    pub fn rules_len(&self) -> usize {
        self.layout.lengths.rules
    }

    /// The first rule that matches, and its level; `None` with the default one.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts<'_>) -> (Option<RuleNumber>, LevelNumber) {
        self.evaluate_from(facts, 0)
    }

    /// The same, when it is known that no rule before `from` matches.
    #[must_use]
    pub fn evaluate_from(&self, facts: &Facts<'_>, from: u8) -> (Option<RuleNumber>, LevelNumber) {
        let bytes = self.bytes.as_ref();
        let index = bytes.get(self.layout.index_at..self.layout.bytes);
        let mut candidates = Candidates::new(index.unwrap_or(&[]), facts);
        let left = candidates.next().unwrap_or(0);
        let found = if !candidates.is_empty() {
            self.layout.first_of_more(bytes, left, candidates, from)
        } else if left != 0 {
            self.layout.first_of(bytes, facts, (0, left), from)
        } else {
            None
        };
        match found {
            Some((rule, level)) => (Some(rule), level),
            None => (None, self.default_level()),
        }
    }

    /// What is certain of the requests of a source, when `facts` hold what all of them have in common.
    #[must_use]
    pub fn evaluate_source(&self, facts: &Facts<'_>) -> SourceDecision {
        self.view().of_source(facts)
    }

    /// What a level is; write-through for a number that there is not.
    #[must_use]
    pub fn persistence(&self, number: LevelNumber) -> Persistence {
        let at = usize::from(number.0) * LEVEL_BYTES;
        let entry = self.view().levels.get(at..).unwrap_or(&[]);
        PolicyLevel::decode_persistence(entry).unwrap_or_default()
    }
}
