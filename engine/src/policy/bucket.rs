//! Which of the 16 places of an index line a value belongs to, and which places the values that a criterion accepts may belong to.
//!
//! A place may hold more than what is accepted, never less: the rules that are left are evaluated.

use super::field::{Dimension, Number, Text};
use super::glob::{Kind, Pattern};

/// Places of a line.
pub(super) const BUCKETS: u8 = 16;
/// Every place but that of unknown facts.
const ALL_KNOWN: u16 = 0xFFFE;
/// Of the place of a lifetime: there are profiles.
pub(super) const PROFILES: u8 = 8;
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
        // No dimension.
        Number::Offset => 0,
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

/// A component of a path, counted from 0; nothing if there are not so many.
fn component(path: &[u8], number: usize) -> &[u8] {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let mut components = path.split(|&byte| byte == b'/');
    components.nth(number).unwrap_or(&[])
}

const fn wild(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'\\')
}

/// The component that all paths have which a pattern matches, or that are in a directory which it matches; `None` if that cannot be seen.
fn known_component(pattern: &[u8], number: usize) -> Option<&[u8]> {
    let at_slash = pattern.strip_prefix(b"/");
    let begins = pattern.first().is_some_and(|&byte| !wild(byte));
    if !begins || pattern.contains(&b'\\') {
        return None;
    }
    let mut components = at_slash.unwrap_or(pattern).split(|&byte| byte == b'/');
    for _ in 0..number {
        if components.next()?.windows(2).any(|two| two == b"**") {
            return None;
        }
    }
    let found = components.next()?;
    (!found.is_empty() && !found.iter().any(|&byte| wild(byte))).then_some(found)
}

/// The place of a text.
pub(super) fn of_text(dimension: Dimension, bytes: &[u8]) -> u8 {
    match dimension {
        Dimension::PathFirst => of_bytes(component(bytes, 0)),
        Dimension::PathThird => of_bytes(component(bytes, 2)),
        Dimension::Application => of_bytes(first(bytes, 2)),
        Dimension::NameBegin => of_bytes(first(bytes, 1)),
        Dimension::NameEnd => of_bytes(last(bytes)),
        _ => of_bytes(bytes),
    }
}

fn first(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[..bytes.len().min(most)]
}

fn last(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(1)..]
}

/// The places of the texts that a pattern matches; of a directory's pattern, those of the paths in it.
pub(super) fn of_pattern(field: Text, dimension: Dimension, pattern: &Pattern<'_>) -> u16 {
    if field == Text::Profile {
        return 0xFF00;
    }
    let bytes = pattern.text;
    let exact = pattern.kind() == Kind::Exact;
    if exact && field != Text::Directory {
        return 1 << of_text(dimension, bytes);
    }
    let literal = &bytes[..bytes.iter().position(|&byte| wild(byte)).unwrap_or(0)];
    let known = match dimension {
        Dimension::PathFirst => known_component(bytes, 0),
        Dimension::PathThird => known_component(bytes, 2),
        Dimension::Application => (literal.len() > 1).then(|| first(literal, 2)),
        Dimension::NameBegin => Some(first(literal, 1)),
        Dimension::NameEnd => {
            let plain = !bytes.contains(&b'\\') && bytes.last().is_some_and(|&byte| !wild(byte));
            plain.then(|| last(bytes))
        }
        _ => None,
    };
    match known {
        Some(known) if !known.is_empty() => 1 << of_bytes(known),
        _ => ALL_KNOWN,
    }
}

/// The places of a lifetime, whether there are profiles or not.
pub(super) const fn of_lifetime(number: u8) -> u16 {
    0x0101 << (1 + number)
}

/// The places where bit `flag` is set, of flags that are placed by their lowest four.
pub(super) fn of_flag(flag: u8) -> u16 {
    (0..BUCKETS)
        .filter(|place| flag >= 4 || place >> flag & 1 != 0)
        .fold(0, |places, place| places | 1 << place)
}

#[cfg(test)]
mod tests {
    use super::super::facts::path_parts;
    use super::*;

    /// A text over an alphabet, by numbers that follow from one another.
    fn draw(seed: &mut u64, alphabet: &str, most: u64) -> std::string::String {
        let mut next = |below: u64| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*seed >> 33) % below
        };
        let alphabet = alphabet.as_bytes();
        (0..next(most))
            .map(|_| char::from(alphabet[next(alphabet.len() as u64) as usize]))
            .collect()
    }

    #[test]
    fn what_a_pattern_matches_is_at_one_of_its_places() {
        let (mut seed, mut matched) = (7, [0; 3]);
        for _ in 0..300_000 {
            let pattern = draw(&mut seed, "//aab*?\\", 10);
            let text = draw(&mut seed, "//aab", 10);
            let parts = path_parts(&text);
            for (number, (field, of)) in [
                (Text::Path, &*text),
                (Text::Directory, parts.directory),
                (Text::Name, parts.name),
            ]
            .into_iter()
            .enumerate()
            {
                let pattern = Pattern::new(field, pattern.as_bytes());
                if !pattern.matches(of) {
                    continue;
                }
                matched[number] += 1;
                for dimension in field.dimensions() {
                    let whole = if field == Text::Name { of } else { &text };
                    let place = of_text(*dimension, whole.as_bytes());
                    let places = of_pattern(field, *dimension, &pattern);
                    assert!(
                        places >> place & 1 != 0,
                        "{field:?} {pattern:?} matches {of:?} of {text:?}"
                    );
                }
            }
        }
        assert!(matched.iter().all(|&count| count > 1000), "{matched:?}");
    }

    #[test]
    fn what_follows_a_wild_component_tells_paths_apart() {
        let third = |pattern: &str| {
            let pattern = Pattern::new(Text::Path, pattern.as_bytes());
            of_pattern(Text::Path, Dimension::PathThird, &pattern)
        };
        let place = |text: &str| 1 << of_text(Dimension::PathThird, text.as_bytes());
        assert_eq!(third("/home/*/.cache/**"), place("/home/ann/.cache/x"));
        assert_eq!(third("/a/b/c"), place("/a/b/c"));
        for open in [
            "/home/**/.cache",
            "/a/b/*",
            "/a/b/c*",
            "*/b/c",
            r"/a\/b/c/d",
        ] {
            assert_eq!(third(open), ALL_KNOWN, "{open}");
        }
    }
}
