//! Numbers of any width packed into bytes, least significant bit first.

use bitvec::field::BitField;
use bitvec::prelude::{BitSlice, Lsb0};

/// Reads the number of `bits` bits that starts at bit `at`; `None` beyond the end.
#[must_use]
pub fn get_at(bytes: &[u8], at: usize, bits: u32) -> Option<u32> {
    BitSlice::<u8, Lsb0>::from_slice(bytes)
        .get(at..at + bits as usize)
        .map(BitField::load_le)
}

/// Writes a number of `bits` bits at bit `at`; beyond the end nothing happens and `false` is returned.
pub fn set_at(bytes: &mut [u8], at: usize, bits: u32, value: u32) -> bool {
    match BitSlice::<u8, Lsb0>::from_slice_mut(bytes).get_mut(at..at + bits as usize) {
        Some(field) => {
            field.store_le(value);
            true
        }
        None => false,
    }
}

/// Reads the `index`-th of numbers of `bits` bits each; `None` beyond the end.
#[must_use]
pub fn get(bytes: &[u8], bits: u32, index: usize) -> Option<u32> {
    get_at(bytes, index * bits as usize, bits)
}

/// Writes the `index`-th of numbers of `bits` bits each; beyond the end nothing happens and `false` is returned.
pub fn set(bytes: &mut [u8], bits: u32, index: usize, value: u32) -> bool {
    set_at(bytes, index * bits as usize, bits, value)
}

/// Bits needed for values up to and including `max`.
#[must_use]
pub const fn width(max: u32) -> u32 {
    32 - max.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_do_not_touch_each_other() {
        let mut bytes = [0xFFu8; 64];
        for index in 0..30 {
            assert!(set(&mut bytes, 17, index, (index as u32 * 4099) & 0x1_FFFF));
        }
        for index in 0..30 {
            assert_eq!(
                get(&bytes, 17, index),
                Some((index as u32 * 4099) & 0x1_FFFF)
            );
        }
        assert_eq!(get(&bytes, 17, 30), None);
        assert!(!set(&mut bytes, 17, 30, 0));
    }

    #[test]
    fn widths() {
        assert_eq!(width(0), 0);
        assert_eq!(width(1), 1);
        assert_eq!(width(65_537), 17);
        assert_eq!(width(65_535), 16);
    }
}
