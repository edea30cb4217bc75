//! Contents that tell which sector they are, and of which write.

/// xorshift32 with the shifts 13, 17 and 5: G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003), 14. Never 0.
fn step(state: u32) -> u32 {
    let state = state ^ state << 13;
    let state = state ^ state >> 17;
    state ^ state << 5
}

/// A number that follows from another one.
#[must_use]
pub fn random(seed: u32) -> u32 {
    // The golden ratio, so that neighbours begin far apart.
    let start = seed.wrapping_mul(0x9E37_79B9) | 1;
    (0..4).fold(start, |state, _| step(state))
}

/// Fills a sector: its number, the mark, and bytes that follow from both.
pub fn fill(bytes: &mut [u8], sector: u32, mark: u32) {
    let mut state = random(sector ^ mark.rotate_left(16));
    for (index, word) in bytes.chunks_mut(4).enumerate() {
        state = step(state);
        let value = match index {
            0 => sector,
            1 => mark,
            _ => state,
        };
        for (byte, value) in word.iter_mut().zip(value.to_le_bytes()) {
            *byte = value;
        }
    }
}

/// The mark of a sector that was filled; `None` if the bytes are not what [`fill`] makes of this sector, every one of them.
#[must_use]
pub fn of(bytes: &[u8], sector: u32, scratch: &mut [u8]) -> Option<u32> {
    let mark = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    let expected = scratch.get_mut(..bytes.len())?;
    fill(expected, sector, mark);
    (expected == bytes).then_some(mark)
}
