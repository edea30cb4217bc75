//! The vectors of `docs/SPEC.md`, section 12, which were computed by other means than the engine's.

use cuesta::codec::Code;

static SPEC: &str = include_str!("../../../docs/SPEC.md");

/// The parities of these data have to be in the specification.
const DATA: [&str; 3] = ["zeros", "count", "one"];

/// More than the data, and than the parity, of any code.
const BYTES_MAX: usize = 1024;

/// Whether `code` gives the parities of the specification; not if some are missing there.
pub fn hold(code: &dyn Code) -> bool {
    DATA.iter().all(|data| holds(code, data))
}

fn holds(code: &dyn Code, name: &str) -> bool {
    let mut data = [0; BYTES_MAX];
    let length = match name {
        "one" => 1,
        _ => code.data_bytes(),
    };
    for (byte, value) in data.iter_mut().zip((0..=u8::MAX).cycle()) {
        *byte = match name {
            "one" => 0xfe,
            "count" => value,
            _ => 0,
        };
    }
    let mut parity = [0; BYTES_MAX];
    let parity = &mut parity[..code.parity_bytes()];
    if code.encode(&data[..length], parity).is_err() {
        return false;
    }
    let mut expected = digits(code.name(), name);
    parity.iter().all(|byte| {
        let nibbles = [expected.next(), expected.next()];
        nibbles == [Some(u32::from(byte >> 4)), Some(u32::from(byte & 15))]
    }) && expected.next().is_none()
}

/// The digits of a vector: a line of code, data and digits, and lines of nothing but digits.
fn digits(code: &str, data: &str) -> impl Iterator<Item = u32> {
    let lines = SPEC
        .split_once("\n## 12. Codes\n")
        .map_or("", |(_, section)| section)
        .lines();
    let mut lines = lines
        .filter(|line| line.starts_with("    "))
        .map(str::split_whitespace);
    let first = lines.by_ref().find_map(|mut words| {
        (words.next() == Some(code) && words.next() == Some(data)).then_some(words)
    });
    let more = lines.take_while(|words| words.clone().count() == 1);
    first
        .into_iter()
        .chain(more)
        .flatten()
        .flat_map(str::chars)
        .filter_map(|c| c.to_digit(16))
}
