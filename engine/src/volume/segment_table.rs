//! What is known of each segment: 5 bytes, or 7 where a segment has more than 255 slots; one more where there are several levels.

use super::address::Segment;
use super::shape::WIDE;

/// What a segment is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// Holds nothing that counts; erased when it is opened.
    Free,
    /// A stream's append point is in it.
    Open,
    /// Full, or will not be appended to.
    Closed,
    /// Belongs to the journal, open or not.
    Journal,
    /// Holds anchors.
    Reserved,
    /// Has no good block left.
    Retired,
    /// Has a failing block: to be emptied first.
    Failing,
    /// As closed, with a page that could not be read at once: to be emptied soon.
    Ailing,
}

/// Bits of the state in the first byte of an entry.
const STATE: u8 = 0x07;
/// Segments of a window.
const WINDOW: u32 = 1024;
/// The bit that says that the segment is young.
const YOUNG: u8 = 0x08;

impl State {
    const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Free,
            1 => Self::Open,
            2 => Self::Closed,
            3 => Self::Journal,
            4 => Self::Reserved,
            6 => Self::Failing,
            7 => Self::Ailing,
            _ => Self::Retired,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Free => 0,
            Self::Open => 1,
            Self::Closed => 2,
            Self::Journal => 3,
            Self::Reserved => 4,
            Self::Retired => 5,
            Self::Failing => 6,
            Self::Ailing => 7,
        }
    }
}

/// Bytes of the number of valid slots.
const fn valid_bytes(slots_per_segment: u32) -> usize {
    if slots_per_segment <= 255 {
        1
    } else {
        3
    }
}

/// Bytes of an entry for segments of this many slots, on a volume with so many places for levels.
#[must_use]
pub const fn stride(slots_per_segment: u32, levels: u8) -> usize {
    4 + valid_bytes(slots_per_segment) + (levels > 1) as usize
}

/// The table, in memory lent by the caller.
///
/// Entry: state (3 bits), whether it is young (1), class (4); relative wear (8); open stamp (16, in units chosen by the volume); valid slots (8 or 24); level (8).
#[derive(Debug)]
pub struct SegmentTable<'m> {
    bytes: &'m mut [u8],
    stride: usize,
    valid_bytes: usize,
}

impl<'m> SegmentTable<'m> {
    /// Takes the memory as it is; [`clear`](Self::clear) makes it an empty table.
    #[must_use]
    pub fn new(bytes: &'m mut [u8], slots_per_segment: u32, levels: u8) -> Self {
        Self {
            bytes,
            stride: stride(slots_per_segment, levels),
            valid_bytes: valid_bytes(slots_per_segment),
        }
    }

    /// All segments free, unworn.
    pub fn clear(&mut self) {
        for entry in self.bytes.chunks_exact_mut(self.stride) {
            entry.fill(0);
        }
    }

    /// The table as it is stored in a checkpoint.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// For loading from a checkpoint.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// Segments in the table.
    #[must_use]
    pub fn len(&self) -> u32 {
        (self.bytes.len() / self.stride) as u32
    }

    /// All segments, in order.
    pub fn iter(&self) -> impl Iterator<Item = Segment> {
        (0..self.len()).map(Segment)
    }

    /// Segments that are looked at for a choice, from one on: all of them, or on larger parts as many as make it a good one.
    pub fn window(&self, first: u32) -> impl Iterator<Item = Segment> {
        let len = self.len();
        (0..len.min(WINDOW)).map(move |at| Segment((first + at) % len))
    }

    /// Where the next window begins.
    #[must_use]
    pub fn behind_window(&self, first: u32) -> u32 {
        (first + self.len().min(WINDOW)) % self.len().max(1)
    }

    /// Windows that all segments make.
    #[must_use]
    pub fn windows(&self) -> u32 {
        self.len().div_ceil(WINDOW)
    }

    /// Those whose wear counts.
    pub fn wearing(&self) -> impl Iterator<Item = Segment> + '_ {
        self.iter().filter(|&segment| self.wears(segment))
    }

    /// Whether the wear of a segment counts: it is neither retired nor holds anchors.
    #[must_use]
    pub fn wears(&self, segment: Segment) -> bool {
        !matches!(self.state(segment), State::Retired | State::Reserved)
    }

    fn at(&self, segment: Segment) -> &[u8] {
        let start = segment.0 as usize * self.stride;
        &self.bytes[start..start + self.stride]
    }

    fn at_mut(&mut self, segment: Segment) -> &mut [u8] {
        let start = segment.0 as usize * self.stride;
        &mut self.bytes[start..start + self.stride]
    }

    /// Use of a segment.
    #[must_use]
    pub fn state(&self, segment: Segment) -> State {
        State::from_code(self.at(segment)[0] & STATE)
    }

    /// Changes the use of a segment.
    pub fn set_state(&mut self, segment: Segment, state: State) {
        let entry = self.at_mut(segment);
        entry[0] = entry[0] & !STATE | state.code();
    }

    /// True when the segment was opened since [`all_old`](Self::all_old): nothing in it can have faded for a reason that writing it elsewhere does away with.
    #[must_use]
    pub fn is_young(&self, segment: Segment) -> bool {
        self.at(segment)[0] & YOUNG != 0
    }

    /// The segment is opened.
    pub fn set_young(&mut self, segment: Segment) {
        self.at_mut(segment)[0] |= YOUNG;
    }

    /// From now on no segment is young.
    pub fn all_old(&mut self) {
        for entry in self.bytes.chunks_exact_mut(self.stride) {
            entry[0] &= !YOUNG;
        }
    }

    /// Class of a segment; 8 for wear leveling, 9 for the journal.
    #[must_use]
    pub fn class(&self, segment: Segment) -> u8 {
        self.at(segment)[0] >> 4
    }

    /// Sets the class of a segment.
    pub fn set_class(&mut self, segment: Segment, class: u8) {
        let entry = self.at_mut(segment);
        entry[0] = entry[0] & 0x0F | class << 4;
    }

    /// Level of what is in a segment.
    #[must_use]
    pub fn level(&self, segment: Segment) -> u8 {
        if !WIDE {
            return 0;
        }
        let entry = self.at(segment);
        entry.get(4 + self.valid_bytes).copied().unwrap_or(0)
    }

    /// Sets the level of what is in a segment.
    pub fn set_level(&mut self, segment: Segment, level: u8) {
        let at = 4 + self.valid_bytes;
        if let Some(byte) = self.at_mut(segment).get_mut(at).filter(|_| WIDE) {
            *byte = level;
        }
    }

    /// Erases beyond the table's base, saturating.
    #[must_use]
    pub fn wear(&self, segment: Segment) -> u8 {
        self.at(segment)[1]
    }

    /// Sets the relative wear.
    pub fn set_wear(&mut self, segment: Segment, wear: u8) {
        self.at_mut(segment)[1] = wear;
    }

    /// When the segment was opened.
    #[must_use]
    pub fn stamp(&self, segment: Segment) -> u16 {
        let entry = self.at(segment);
        u16::from_le_bytes([entry[2], entry[3]])
    }

    /// Sets when the segment was opened.
    pub fn set_stamp(&mut self, segment: Segment, stamp: u16) {
        self.at_mut(segment)[2..4].copy_from_slice(&stamp.to_le_bytes());
    }

    /// Slots that the index names, or whose program is in flight.
    #[must_use]
    pub fn valid(&self, segment: Segment) -> u32 {
        let mut bytes = [0; 4];
        bytes[..self.valid_bytes].copy_from_slice(&self.at(segment)[4..4 + self.valid_bytes]);
        u32::from_le_bytes(bytes)
    }

    /// Sets the number of valid slots.
    pub fn set_valid(&mut self, segment: Segment, valid: u32) {
        let bytes = valid.to_le_bytes();
        let width = self.valid_bytes;
        self.at_mut(segment)[4..4 + width].copy_from_slice(&bytes[..width]);
    }
}

#[cfg(test)]
#[cfg(feature = "wide")]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        for (slots, levels) in [(64, 1), (4096, 1), (64, 3), (4096, 16)] {
            let mut bytes = [0u8; 80];
            let used = 10 * stride(slots, levels);
            let mut table = SegmentTable::new(&mut bytes[..used], slots, levels);
            table.clear();
            assert_eq!(table.len(), 10);
            let segment = Segment(3);
            table.set_valid(segment, slots - 1);
            table.set_state(segment, State::Journal);
            table.set_class(segment, 9);
            table.set_level(segment, 11);
            table.set_wear(segment, 200);
            table.set_stamp(segment, 0xBEEF);
            assert_eq!(table.valid(segment), slots - 1);
            assert_eq!(table.state(segment), State::Journal);
            assert_eq!(table.class(segment), 9);
            assert_eq!(table.level(segment), if levels > 1 { 11 } else { 0 });
            assert_eq!(table.wear(segment), 200);
            assert_eq!(table.stamp(segment), 0xBEEF);
            for other in [Segment(2), Segment(4)] {
                assert_eq!(table.valid(other), 0);
                assert_eq!(table.state(other), State::Free);
            }
        }
    }
}
