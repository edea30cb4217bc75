//! Which of the 16 places of an index line a value belongs to, and which places the values that a criterion accepts may belong to.
//!
//! A place may hold more than what is accepted, never less: the rules that are left are evaluated.

use super::field::{Dimension, Number};
use super::glob::{Kind, Pattern};

/// Places of a line.
pub(super) const BUCKETS: u8 = 16;
/// Every place but that of unknown facts.
const ALL_KNOWN: u16 = 0xFFFE;
/// The number of places of known facts.
const KNOWN: u8 = BUCKETS - 1;

/// The place of a number.
pub(super) const fn of_number(number: Number, value: u64) -> u8 {
    let magnitude = value.checked_ilog2();
    let magnitude = match magnitude {
        Some(bits) => bits as u8,
        None => 0,
    };
    1 + match number {
        Number::Tenant | Number::Object => (value % KNOWN as u64) as u8,
        Number::Priority => min(value, 14),
        Number::Sector => min((magnitude / 3) as u64, 14),
        // Below 1 KiB, then by powers of two up to 8 MiB.
        Number::Size => min(magnitude.saturating_sub(9) as u64, 14),
        Number::Offset => min((magnitude / 4) as u64, 14),
    }
}

const fn min(value: u64, most: u8) -> u8 {
    if value < most as u64 {
        value as u8
    } else {
        most
    }
}

/// The places of the numbers from `low` to `high`.
pub(super) fn of_range(number: Number, low: u64, high: u64) -> u16 {
    match number {
        Number::Tenant | Number::Object => {
            if high.saturating_sub(low) >= u64::from(KNOWN) {
                return ALL_KNOWN;
            }
            (low..=high).fold(0, |places, value| places | 1 << of_number(number, value))
        }
        // What does not get smaller with the number.
        _ => (of_number(number, low)..=of_number(number, high))
            .fold(0, |places, place| places | 1 << place),
    }
}

fn of_bytes(bytes: &[u8]) -> u8 {
    let sum = bytes.iter().fold(0x1D_u32, |sum, &byte| {
        (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    1 + ((sum ^ sum >> 15) % u32::from(KNOWN)) as u8
}

/// The first component of a path.
fn component(path: &[u8]) -> &[u8] {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let end = path.iter().position(|&byte| byte == b'/');
    &path[..end.unwrap_or(path.len())]
}

/// The place of a text.
pub(super) fn of_text(dimension: Dimension, bytes: &[u8]) -> u8 {
    match dimension {
        Dimension::Path | Dimension::Directory => of_bytes(component(bytes)),
        Dimension::Application | Dimension::NameBegin => of_bytes(first(bytes)),
        Dimension::NameEnd => of_bytes(last(bytes)),
        _ => of_bytes(bytes),
    }
}

fn first(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(1)]
}

fn last(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(1)..]
}

/// The places of the texts that a pattern matches.
pub(super) fn of_pattern(dimension: Dimension, pattern: &Pattern<'_>) -> u16 {
    if dimension == Dimension::Profile {
        return 1 << 1;
    }
    let bytes = pattern.text;
    if pattern.kind() == Kind::Exact {
        return 1 << of_text(dimension, bytes);
    }
    let wild = |byte: &u8| matches!(byte, b'*' | b'?' | b'\\');
    let literal = &bytes[..bytes.iter().position(wild).unwrap_or(0)];
    let known = match dimension {
        Dimension::Path | Dimension::Directory => {
            let inner = literal.strip_prefix(b"/").unwrap_or(literal);
            inner.contains(&b'/').then(|| component(literal))
        }
        Dimension::Application | Dimension::NameBegin => Some(first(literal)),
        Dimension::NameEnd => {
            let plain = !bytes.contains(&b'\\') && bytes.last().is_some_and(|byte| !wild(byte));
            plain.then(|| last(bytes))
        }
        _ => None,
    };
    let paths = matches!(dimension, Dimension::Path | Dimension::Directory);
    match known {
        Some(known) if paths || !known.is_empty() => 1 << of_bytes(known),
        _ => ALL_KNOWN,
    }
}

/// The places where bit `flag` is set, of flags that are placed by their lowest four.
pub(super) fn of_flag(flag: u8) -> u16 {
    (0..BUCKETS)
        .filter(|place| flag >= 4 || place >> flag & 1 != 0)
        .fold(0, |places, place| places | 1 << place)
}
