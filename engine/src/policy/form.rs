//! The binary form: where what lies. SPEC.md, section 13, says it in full.

use crate::volume::Redundancy;

/// What a policy begins with.
pub(super) const MAGIC: [u8; 4] = *b"CPOL";
/// Version of the binary form that this code makes and reads.
pub const POLICY_VERSION: u8 = 2;
/// Bytes before the levels.
pub(super) const HEAD_BYTES: usize = 24;
/// Where the head's checksum lies.
pub(super) const CRC_AT: usize = 20;
/// Bytes of a level's name at most.
pub const NAME_BYTES: usize = 16;
/// Bytes of a level.
pub(super) const LEVEL_BYTES: usize = NAME_BYTES + 8;
/// Bytes of a rule.
pub(super) const RULE_BYTES: usize = 6;
/// Bytes of an instruction.
pub(super) const INSTRUCTION_BYTES: usize = 8;
/// Bytes of the limits of a range in the pool.
pub(super) const RANGE_BYTES: usize = 16;
/// Bytes of a part.
pub(super) const PART_BYTES: usize = 6;
/// Parts that the index treats together.
pub(super) const GROUP_PARTS: usize = 64;
/// Bytes of a set of parts, and of what stands before the lines of a group, and before the sets of a line.
pub(super) const SET_BYTES: usize = GROUP_PARTS / 8;
/// Bytes of an index line: which one, and 16 sets of parts.
pub(super) const LINE_BYTES: usize = SET_BYTES * (1 + super::bucket::BUCKETS as usize);
/// Levels of a policy at most.
pub const POLICY_LEVELS_MAX: usize = 16;
/// Rules of a policy at most.
pub const RULES_MAX: usize = 128;
/// Instructions of a policy at most.
pub(super) const INSTRUCTIONS_MAX: usize = 2048;
/// Instructions of a rule at most.
pub(super) const RULE_INSTRUCTIONS_MAX: usize = 255;
/// Bytes of a pattern at most.
pub(super) const PATTERN_BYTES_MAX: usize = 255;
/// `&` within `|` within `&` … at most.
pub(super) const DEPTH_MAX: usize = 8;

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// True when the text can be the name of a level: letters, digits and `_`, and `-` between them.
pub(super) fn is_name(text: &[u8]) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty()
        && text.len() <= NAME_BYTES
        && text.first().is_some_and(|&byte| inner(byte))
        && text.last().is_some_and(|&byte| inner(byte))
        && text.iter().all(|&byte| inner(byte) || byte == b'-')
        && !text.windows(2).any(|pair| pair == b"--")
}

/// Redundancy as a byte: 0 where it is not known.
pub(super) fn redundancy_byte(redundancy: Option<Redundancy>) -> u8 {
    match redundancy {
        None => 0,
        Some(Redundancy::Single) => 1,
        Some(Redundancy::Mirror(copies)) => 0x10 | copies,
        Some(Redundancy::Parity(pages)) => 0x20 | pages,
    }
}

/// What a byte says of redundancy; `None` if it says nothing that there can be.
pub(super) fn redundancy_of(byte: u8) -> Option<Option<Redundancy>> {
    let found = match byte {
        0 => return Some(None),
        1 => Redundancy::Single,
        _ => match byte >> 4 {
            1 => Redundancy::Mirror(byte & 15),
            2 => Redundancy::Parity(byte & 15),
            _ => return None,
        },
    };
    found.is_possible().then_some(Some(found))
}
