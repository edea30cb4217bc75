//! Makes the binary form, in a buffer of the caller's, while the text is read.
//!
//! Rules and instructions grow from the buffer's beginning, texts and ranges from its end; when all is known they move to their places.

use heapless::Vec;

use crate::cache::Mode;
use crate::exec::LevelNumber;

use super::code::{operation, Code, Criterion, NEGATED};
use super::error::PolicyErrorKind;
use super::field::{Choice, Number, Text, DIMENSIONS};
use super::form::{
    u16_at, CRC_AT, HEAD_BYTES, INSTRUCTION_BYTES, LEVEL_BYTES, LINE_BYTES, PART_BYTES,
    POLICY_LEVELS_MAX, RULES_MAX, RULE_BYTES, RULE_INSTRUCTIONS_MAX,
};
use super::glob::{Kind, Pattern};
use super::index::{self, Lines};
use super::level::{mode_name, PolicyLevel};
use super::storage::StorageLevels;
use super::table::{checksum, Layout, Lengths, PolicyTable, View};
use super::validate;

/// The head of a rule among the instructions, until they are apart.
const RULE_HEAD: u8 = 0xFF;

/// Makes a policy of levels, rules and a default.
#[derive(Debug)]
pub struct Compiler<'b, 's> {
    buffer: &'b mut [u8],
    pub(super) storage: StorageLevels<'s>,
    levels: Vec<[u8; LEVEL_BYTES], POLICY_LEVELS_MAX>,
    default: Option<u8>,
    rules: usize,
    /// Instructions, with the heads of the rules.
    records: usize,
    /// The first instruction of the rule that is being read.
    rule: usize,
    pool: usize,
    /// Which dimensions the rules ask about.
    asked: [bool; DIMENSIONS],
}

impl<'b, 's> Compiler<'b, 's> {
    /// Nothing but the default, in a buffer, on a volume with these levels.
    #[must_use]
    pub fn new(buffer: &'b mut [u8], storage: StorageLevels<'s>) -> Self {
        Self {
            buffer,
            storage,
            levels: Vec::new(),
            default: None,
            rules: 0,
            records: 0,
            rule: 0,
            pool: 0,
            asked: [false; DIMENSIONS],
        }
    }

    /// The level of a name: one that is declared, or else the mode of that name.
    pub(super) fn level_named(
        &mut self,
        name: &str,
    ) -> Result<Option<LevelNumber>, PolicyErrorKind<'static>> {
        let mut levels = self.levels.iter();
        let declared = levels
            .position(|entry| PolicyLevel::decode(entry).is_some_and(|level| level.name == name));
        if let Some(number) = declared {
            return Ok(Some(LevelNumber(number as u8)));
        }
        match super::level::mode_named(name) {
            Some(mode) => self.plain(mode).map(Some),
            None => Ok(None),
        }
    }

    /// True when a level of this name is there.
    pub(super) fn is_declared(&self, name: &str) -> bool {
        self.levels
            .iter()
            .any(|entry| PolicyLevel::decode(entry).is_some_and(|level| level.name == name))
    }

    fn plain(&mut self, mode: Mode) -> Result<LevelNumber, PolicyErrorKind<'static>> {
        let mut level = PolicyLevel::plain(mode_name(mode), mode);
        level.redundancy = self.storage.redundancy(level.persistence.storage);
        self.push_level(&level)
    }

    pub(super) fn push_level(
        &mut self,
        level: &PolicyLevel<'_>,
    ) -> Result<LevelNumber, PolicyErrorKind<'static>> {
        let number = self.levels.len() as u8;
        let pushed = self.levels.push(level.encode());
        pushed.map_err(|_| PolicyErrorKind::Levels)?;
        Ok(LevelNumber(number))
    }

    pub(super) fn set_default(&mut self, level: LevelNumber) -> bool {
        self.default.replace(level.0).is_none()
    }

    fn set_record(&mut self, at: usize, bytes: [u8; INSTRUCTION_BYTES]) {
        let at = at * INSTRUCTION_BYTES;
        if self.has_room() {
            if let Some(place) = self.buffer.get_mut(at..at + INSTRUCTION_BYTES) {
                place.copy_from_slice(&bytes);
            }
        }
    }

    /// False once something was left out.
    fn has_room(&self) -> bool {
        self.records * INSTRUCTION_BYTES + self.pool <= self.buffer.len()
    }

    fn push(&mut self, bytes: [u8; INSTRUCTION_BYTES]) -> Result<(), PolicyErrorKind<'static>> {
        if self.records - self.rule >= RULE_INSTRUCTIONS_MAX {
            return Err(PolicyErrorKind::RuleLength);
        }
        self.records += 1;
        self.set_record(self.records - 1, bytes);
        Ok(())
    }

    /// Puts bytes behind those that the pool has: where they are in it.
    fn push_pool(&mut self, bytes: &[u8]) -> u32 {
        let at = self.pool;
        self.pool += bytes.len();
        if self.has_room() {
            let len = self.buffer.len();
            self.buffer.copy_within(len - at.., len - self.pool);
            self.buffer[len - bytes.len()..].copy_from_slice(bytes);
        }
        at as u32
    }

    fn test(
        &mut self,
        op: u8,
        field: u8,
        negated: bool,
        short: u16,
        long: u32,
    ) -> Result<(), PolicyErrorKind<'static>> {
        let field = field | if negated { NEGATED } else { 0 };
        let [s0, s1] = short.to_le_bytes();
        let [l0, l1, l2, l3] = long.to_le_bytes();
        self.push([op, field, s0, s1, l0, l1, l2, l3])
    }

    fn asks(&mut self, criterion: &Criterion<'_>) {
        for dimension in criterion.dimensions() {
            self.asked[*dimension as usize] = true;
        }
    }

    pub(super) fn any(&mut self, negated: bool) -> Result<(), PolicyErrorKind<'static>> {
        self.test(operation::ANY, 0, negated, 0, 0)
    }

    pub(super) fn text(
        &mut self,
        field: Text,
        text: &str,
        negated: bool,
    ) -> Result<(), PolicyErrorKind<'static>> {
        let pattern = Pattern::new(field, text.as_bytes());
        let kind = pattern.kind();
        self.asks(&Criterion::Text {
            field,
            kind,
            pattern,
        });
        let op = match kind {
            Kind::Exact => operation::EXACT,
            Kind::Prefix => operation::PREFIX,
            Kind::Suffix => operation::SUFFIX,
            Kind::Glob => operation::GLOB,
        };
        let at = self.push_pool(text.as_bytes());
        self.test(op, field as u8, negated, text.len() as u16, at)
    }

    pub(super) fn number(
        &mut self,
        field: Number,
        (low, high): (u64, u64),
        negated: bool,
    ) -> Result<(), PolicyErrorKind<'static>> {
        self.asks(&Criterion::Number { field, low, high });
        let at = self.push_pool(&low.to_le_bytes());
        self.push_pool(&high.to_le_bytes());
        self.test(operation::NUMBER, field as u8, negated, 0, at)
    }

    pub(super) fn choice(
        &mut self,
        field: Choice,
        value: u8,
        negated: bool,
    ) -> Result<(), PolicyErrorKind<'static>> {
        self.asks(&Criterion::Choice { field, value });
        self.test(operation::CHOICE, field as u8, negated, value.into(), 0)
    }

    /// Where the next instruction will be.
    pub(super) const fn here(&self) -> usize {
        self.records
    }

    fn jump_at(&self, at: usize) -> Option<(bool, usize)> {
        let bytes = if self.has_room() { &*self.buffer } else { &[] };
        Code { bytes, pool: &[] }.jump_at(at)
    }

    fn set_jump(&mut self, at: usize, when: bool, skip: usize) {
        let op = if when {
            operation::IF_TRUE
        } else {
            operation::IF_FALSE
        };
        let [s0, s1] = (skip as u16).to_le_bytes();
        self.set_record(at, [op, 0, s0, s1, 0, 0, 0, 0]);
    }

    /// A jump behind the operand that began at `from`, to an end that is not known yet. If the operand is a chain of the same operator, it becomes part of this
    /// one.
    pub(super) fn jump(&mut self, from: usize, when: bool) -> Result<(), PolicyErrorKind<'static>> {
        let here = self.here();
        let mut at = from;
        while at < here {
            at = match self.jump_at(at) {
                Some((found, skip)) if found == when && at + 1 + skip == here => {
                    self.set_jump(at, when, 0);
                    at + 1
                }
                // What it skips is an operand of another operator. A skip of 0 is one of this chain.
                Some((_, skip)) => at + 1 + skip,
                None => at + 1,
            };
        }
        self.push([0; INSTRUCTION_BYTES])?;
        self.set_jump(here, when, 0);
        Ok(())
    }

    /// The end of the chain that began at `from`: its jumps lead here.
    pub(super) fn end_chain(&mut self, from: usize) {
        for at in from..self.here() {
            if let Some((when, 0)) = self.jump_at(at) {
                self.set_jump(at, when, self.here() - 1 - at);
            }
        }
    }

    /// A rule begins: its instructions follow.
    pub(super) fn begin_rule(&mut self) -> Result<(), PolicyErrorKind<'static>> {
        if self.rules >= RULES_MAX {
            return Err(PolicyErrorKind::Rules);
        }
        self.rule = self.records;
        self.push([RULE_HEAD; INSTRUCTION_BYTES])?;
        self.rule = self.records;
        Ok(())
    }

    /// The rule's instructions are there.
    pub(super) fn end_rule(&mut self, level: LevelNumber) {
        let [c0, c1] = ((self.records - self.rule) as u16).to_le_bytes();
        self.set_record(self.rule - 1, [RULE_HEAD, level.0, c0, c1, 0, 0, 0, 0]);
        self.rules += 1;
    }

    /// False when `&` and `|` of the rule that is being read nest too deep.
    pub(super) fn depth_fits(&self) -> bool {
        let from = self.rule * INSTRUCTION_BYTES;
        let to = self.records * INSTRUCTION_BYTES;
        let bytes = self.buffer.get(from..to).filter(|_| self.has_room());
        bytes.is_none_or(|bytes| validate::structure(&Code { bytes, pool: &[] }).is_some())
    }

    fn layout(&self, parts: usize, index: usize) -> Layout {
        Layout::new(Lengths {
            levels: self.levels.len(),
            default: self.default.unwrap_or(0),
            rules: self.rules,
            instructions: self.records - self.rules,
            pool: self.pool,
            parts,
            index,
        })
    }

    /// Bytes of the parts and their index at most: every second instruction is a criterion.
    fn index_bytes(&self) -> usize {
        let parts = self.records / 2;
        let lines = self.asked.iter().filter(|asked| **asked);
        PART_BYTES * parts + index::groups(parts) * (index::HEAD_BYTES + LINE_BYTES * lines.count())
    }

    /// The policy in its binary form. Where no default was given it is write-through.
    ///
    /// # Errors
    /// There is no room; or no place for the level of the default.
    pub fn finish(mut self) -> Result<PolicyTable<&'b mut [u8]>, PolicyErrorKind<'static>> {
        if self.default.is_none() {
            let name = mode_name(Mode::WriteThrough);
            let number = self.level_named(name)?.unwrap_or_default();
            self.default = Some(number.0);
        }
        let room = self.buffer.len();
        let bare = self.layout(0, 0).bytes;
        if bare > room || !self.has_room() {
            let building = self.records * INSTRUCTION_BYTES + self.pool;
            let needed = (bare + self.index_bytes()).max(building);
            return Err(PolicyErrorKind::Room { needed, room });
        }
        self.part_rules();
        self.place_parts();
        let parts = self.write_parts(bare);
        let layout = self.layout(parts, 0);
        if layout.bytes > room {
            let needed = bare + self.index_bytes();
            return Err(PolicyErrorKind::Room { needed, room });
        }
        let (own, behind) = self.buffer.split_at_mut(layout.bytes);
        let index = write_index(&View::new(own, &layout), parts, behind).map_err(|needed| {
            PolicyErrorKind::Room {
                needed: layout.bytes + needed,
                room,
            }
        })?;
        let layout = self.layout(parts, index);
        if let Some(head) = self.buffer.first_chunk_mut::<HEAD_BYTES>() {
            layout.encode(head);
        }
        let crc = checksum(self.buffer.get(..layout.bytes).unwrap_or(&[]));
        self.buffer[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        Ok(PolicyTable::made(self.buffer, layout))
    }

    /// Writes the parts of the rules behind what is there, as far as there is room; gives how many there are.
    fn write_parts(&mut self, bare: usize) -> usize {
        let layout = self.layout(0, 0);
        let (own, behind) = self.buffer.split_at_mut(bare);
        let mut places = behind.chunks_exact_mut(PART_BYTES);
        let mut count = 0;
        for part in View::new(own, &layout).parts() {
            if let Some(place) = places.next() {
                place.copy_from_slice(&part.encode());
            }
            count += 1;
        }
        count
    }

    /// Brings the heads of the rules before all instructions, in order.
    fn part_rules(&mut self) {
        let mut heads = 0;
        for at in 0..self.records {
            if self.buffer[at * INSTRUCTION_BYTES] == RULE_HEAD {
                let range = heads * INSTRUCTION_BYTES..(at + 1) * INSTRUCTION_BYTES;
                self.buffer[range].rotate_right(INSTRUCTION_BYTES);
                heads += 1;
            }
        }
        let mut first = 0u16;
        for rule in 0..self.rules {
            let head = rule * INSTRUCTION_BYTES;
            let (level, count) = (
                self.buffer[head + 1],
                u16_at(self.buffer, head + 2).unwrap_or(0),
            );
            let [f0, f1] = first.to_le_bytes();
            let [c0, c1] = count.to_le_bytes();
            let entry = rule * RULE_BYTES;
            self.buffer[entry..entry + RULE_BYTES].copy_from_slice(&[f0, f1, c0, c1, level, 0]);
            first += count;
        }
    }

    /// Rules and instructions move behind the levels, the pool behind the instructions.
    fn place_parts(&mut self) {
        let layout = self.layout(0, 0);
        let code = self.rules * INSTRUCTION_BYTES..self.records * INSTRUCTION_BYTES;
        let pool = self.buffer.len() - self.pool..;
        // The instructions may come to lie where the pool is now only if the pool has moved: both move towards their places in an order that is safe.
        self.buffer.copy_within(code, layout.code_at);
        self.buffer.copy_within(pool, layout.pool_at);
        let entries = 0..self.rules * RULE_BYTES;
        self.buffer.copy_within(entries, layout.rules_at);
        for (number, level) in self.levels.iter().enumerate() {
            let at = HEAD_BYTES + number * LEVEL_BYTES;
            self.buffer[at..at + LEVEL_BYTES].copy_from_slice(level);
        }
        self.buffer[..HEAD_BYTES].fill(0);
    }
}

/// Writes the index of the parts; gives its bytes, or how many it needs.
fn write_index(view: &View<'_>, parts: usize, into: &mut [u8]) -> Result<usize, usize> {
    let mut at = 0;
    for group in 0..index::groups(parts) {
        let lines = Lines::new(view, group);
        let head = lines.head();
        if let Some(place) = into.get_mut(at..at + head.len()) {
            place.copy_from_slice(&head);
        }
        at += head.len();
        for line in lines {
            if let Some(place) = into.get_mut(at..at + LINE_BYTES) {
                place.copy_from_slice(&line);
            }
            at += LINE_BYTES;
        }
    }
    if at > into.len() {
        Err(at)
    } else {
        Ok(at)
    }
}
