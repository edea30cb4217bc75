//! The directory and the frames: where map pages are, and which of them are in RAM.

use super::address::{Location, MapIndex};
use super::bits;

/// What the directory knows of a map page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Where it is; unmapped when no sector of its range was ever merged.
    pub location: Location,
    /// Entries of its range in the delta table.
    pub deltas: u16,
}

impl Default for DirectoryEntry {
    fn default() -> Self {
        Self {
            location: Location::UNMAPPED,
            deltas: 0,
        }
    }
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrameState {
    /// Nothing.
    #[default]
    Empty,
    /// Its read is in flight.
    Loading(MapIndex),
    /// The map page as it is on flash.
    Holds(MapIndex),
    /// A merge works on it.
    Merging(MapIndex),
}

/// The frames, in memory lent by the caller. Map page `m` can only be in frame `m mod N`.
#[derive(Debug)]
pub struct Frames<'m> {
    bytes: &'m mut [u8],
    states: &'m mut [FrameState],
    frame_bytes: usize,
    location_bits: u32,
}

impl<'m> Frames<'m> {
    /// Empty frames.
    #[must_use]
    pub fn new(
        bytes: &'m mut [u8],
        states: &'m mut [FrameState],
        frame_bytes: usize,
        location_bits: u32,
    ) -> Self {
        states.fill(FrameState::Empty);
        Self {
            bytes,
            states,
            frame_bytes,
            location_bits,
        }
    }

    /// Forgets what they hold.
    pub fn clear(&mut self) {
        self.states.fill(FrameState::Empty);
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.states.len()
    }

    /// The only frame a map page can be in.
    #[must_use]
    pub fn frame_of(&self, map: MapIndex) -> usize {
        map.0 as usize % self.states.len()
    }

    /// What a frame holds.
    #[must_use]
    pub fn state(&self, frame: usize) -> FrameState {
        self.states[frame]
    }

    /// Sets what a frame holds.
    pub fn set_state(&mut self, frame: usize, state: FrameState) {
        self.states[frame] = state;
    }

    /// A merge is given up before its page was programmed: the frame has to be loaded again.
    pub fn give_up_merge(&mut self, map: MapIndex) {
        let frame = self.frame_of(map);
        if self.states[frame] == FrameState::Merging(map) {
            self.states[frame] = FrameState::Empty;
        }
    }

    /// No merge goes on: what frames held for one has to be loaded again.
    pub fn give_up_merges(&mut self) {
        for state in self.states.iter_mut() {
            if matches!(state, FrameState::Merging(_)) {
                *state = FrameState::Empty;
            }
        }
    }

    /// True when lookups in the map page can be answered.
    #[must_use]
    pub fn holds(&self, map: MapIndex) -> bool {
        matches!(self.states[self.frame_of(map)], FrameState::Holds(held) | FrameState::Merging(held) if held == map)
    }

    /// Bytes of a frame.
    #[must_use]
    pub fn bytes(&self, frame: usize) -> &[u8] {
        &self.bytes[frame * self.frame_bytes..(frame + 1) * self.frame_bytes]
    }

    /// Bytes of a frame, for filling.
    pub fn bytes_mut(&mut self, frame: usize) -> &mut [u8] {
        &mut self.bytes[frame * self.frame_bytes..(frame + 1) * self.frame_bytes]
    }

    /// The stored code of an entry of a frame.
    #[must_use]
    pub fn code(&self, frame: usize, index: usize) -> Option<u32> {
        bits::get(self.bytes(frame), self.location_bits, index)
    }

    /// Changes an entry of a frame.
    pub fn set_code(&mut self, frame: usize, index: usize, code: u32) {
        let bits = self.location_bits;
        bits::set(self.bytes_mut(frame), bits, index, code);
    }
}
