//! What is known of each segment: 5 bytes, or 7 where a segment has more than 255 slots.

use super::address::Segment;

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
}

impl State {
    const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Free,
            1 => Self::Open,
            2 => Self::Closed,
            3 => Self::Journal,
            4 => Self::Reserved,
            6 => Self::Failing,
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
        }
    }
}

/// Bytes of an entry for segments of this many slots.
#[must_use]
pub const fn stride(slots_per_segment: u32) -> usize {
    if slots_per_segment <= 255 {
        5
    } else {
        7
    }
}

/// The table, in memory lent by the caller.
///
/// Entry: state (4 bits), stream (4); relative wear (8); open stamp (16, in units chosen by the volume); valid slots (8 or 24).
#[derive(Debug)]
pub struct SegmentTable<'m> {
    bytes: &'m mut [u8],
    stride: usize,
}

impl<'m> SegmentTable<'m> {
    /// Takes the memory as it is; [`clear`](Self::clear) makes it an empty table.
    #[must_use]
    pub fn new(bytes: &'m mut [u8], slots_per_segment: u32) -> Self {
        Self {
            bytes,
            stride: stride(slots_per_segment),
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

    /// Those whose wear counts: neither retired nor holding anchors.
    pub fn wearing(&self) -> impl Iterator<Item = Segment> + '_ {
        self.iter()
            .filter(|&segment| !matches!(self.state(segment), State::Retired | State::Reserved))
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
        State::from_code(self.at(segment)[0] & 0x0F)
    }

    /// Changes the use of a segment.
    pub fn set_state(&mut self, segment: Segment, state: State) {
        let entry = self.at_mut(segment);
        entry[0] = entry[0] & 0xF0 | state.code();
    }

    /// Stream of a segment.
    #[must_use]
    pub fn stream(&self, segment: Segment) -> u8 {
        self.at(segment)[0] >> 4
    }

    /// Sets the stream of a segment.
    pub fn set_stream(&mut self, segment: Segment, stream: u8) {
        let entry = self.at_mut(segment);
        entry[0] = entry[0] & 0x0F | stream << 4;
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
        match *self.at(segment) {
            [_, _, _, _, low] => u32::from(low),
            [_, _, _, _, low, mid, high] => u32::from_le_bytes([low, mid, high, 0]),
            _ => 0,
        }
    }

    /// Sets the number of valid slots.
    pub fn set_valid(&mut self, segment: Segment, valid: u32) {
        let bytes = valid.to_le_bytes();
        let entry = self.at_mut(segment);
        let width = entry.len() - 4;
        entry[4..].copy_from_slice(&bytes[..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        for slots in [64, 4096] {
            let mut bytes = [0u8; 70];
            let used = 10 * stride(slots);
            let mut table = SegmentTable::new(&mut bytes[..used], slots);
            table.clear();
            assert_eq!(table.len(), 10);
            let segment = Segment(3);
            table.set_valid(segment, slots - 1);
            table.set_state(segment, State::Journal);
            table.set_stream(segment, 9);
            table.set_wear(segment, 200);
            table.set_stamp(segment, 0xBEEF);
            assert_eq!(table.valid(segment), slots - 1);
            assert_eq!(table.state(segment), State::Journal);
            assert_eq!(table.stream(segment), 9);
            assert_eq!(table.wear(segment), 200);
            assert_eq!(table.stamp(segment), 0xBEEF);
            for other in [Segment(2), Segment(4)] {
                assert_eq!(table.valid(other), 0);
                assert_eq!(table.state(other), State::Free);
            }
        }
    }
}
