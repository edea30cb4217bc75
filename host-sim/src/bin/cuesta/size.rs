//! Sizes as people write and read them.

/// Parses bytes: a number, with K, M or G for powers of 1024 (`16K`, `64KiB`, `1 G` are all right).
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is no size");
    let text_upper = text.trim().to_ascii_uppercase();
    let digits_end = text_upper
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text_upper.len());
    let (digits, unit) = text_upper.split_at(digits_end);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let shift = match unit
        .trim_start()
        .trim_end_matches('B')
        .trim_end_matches('I')
    {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// Bytes with a unit of powers of 1024.
pub fn show(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("123", 123),
            ("16K", 16_384),
            ("16k", 16_384),
            ("64KiB", 65_536),
            ("2M", 2 << 20),
            ("3 GB", 3 << 30),
        ] {
            assert_eq!(parse(text), Ok(bytes));
        }
        for text in [
            "",
            "K",
            "-1",
            "1X",
            "1.5K",
            "99999999999999999999",
            "9999999999999G",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit() {
        assert_eq!(show(512), "512 B");
        assert_eq!(show(1536), "1.5 KiB");
        assert_eq!(show(5 << 30), "5.0 GiB");
    }
}
