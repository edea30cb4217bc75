//! What benches and demonstrations write: bytes that tell which version of which sector they are.

use crate::prng::SplitMix64;

/// Fills `bytes` with version `version` of `sector`. Version 0 is the unwritten one: zeros.
///
/// Any two versions, and any two sectors, differ in about half of all bits.
pub fn fill(sector: u32, version: u32, bytes: &mut [u8]) {
    if version == 0 {
        bytes.fill(0);
    } else {
        SplitMix64::derive(u64::from(sector), u64::from(version)).fill(bytes);
    }
}

/// True when `bytes` are version `version` of `sector`.
#[must_use]
pub fn is(sector: u32, version: u32, bytes: &[u8]) -> bool {
    if version == 0 {
        return bytes.iter().all(|&byte| byte == 0);
    }
    let mut prng = SplitMix64::derive(u64::from(sector), u64::from(version));
    bytes.chunks(8).all(|chunk| {
        let expected = prng.next().to_le_bytes();
        chunk == &expected[..chunk.len()]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_recognised_and_nothing_else_is() {
        let mut bytes = [0xAA; 100];
        for (sector, version) in [(0, 0), (0, 1), (1, 0), (1, 1), (77, 12_345)] {
            fill(sector, version, &mut bytes);
            assert!(is(sector, version, &bytes));
            assert!(!is(sector, version + 1, &bytes));
            assert!(version == 0 || !is(sector + 1, version, &bytes));
            bytes[99] ^= 1;
            assert!(!is(sector, version, &bytes));
        }
    }
}
