//! Counters of a mounted volume.

use crate::codec::Repaired;

/// What the volume has done since it was mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stats {
    /// Sectors written by hosts.
    pub host_writes: u32,
    /// Sectors read by hosts.
    pub host_reads: u32,
    /// Sectors relocated.
    pub relocations: u32,
    /// Slots programmed with nothing in them.
    pub padding: u32,
    /// Pages programmed with data of hosts or relocations.
    pub data_pages: u32,
    /// Map pages programmed.
    pub map_pages: u32,
    /// Record, parity and anchor pages programmed.
    pub meta_pages: u32,
    /// Blocks erased.
    pub erases: u32,
    /// Map pages read.
    pub map_reads: u32,
    /// Segments reclaimed.
    pub victims: u32,
    /// Victims taken for wear leveling.
    pub leveling_victims: u32,
    /// Sectors relocated for wear leveling.
    pub leveling_relocations: u32,
    /// Checkpoints completed.
    pub checkpoints: u32,
    /// Programs that failed and were repeated elsewhere.
    pub redriven: u32,
    /// Blocks retired.
    pub retired: u32,
    /// Sectors found unreadable while grooming.
    pub lost: u32,
    /// Largest number of bits corrected in one codeword.
    pub corrected_bits_max: u32,
    /// Most page moves between two accepted writes.
    pub moves_per_write_max: u32,
    /// Pages read only to see how they are.
    pub patrol_reads: u32,
    /// Segments, and copies of the checkpoint, that were found fading and were to be written anew.
    pub refreshed: u32,
}

impl Stats {
    pub(super) fn repaired(&mut self, repaired: Repaired) {
        self.corrected_bits_max = self.corrected_bits_max.max(repaired.bits_max);
    }
}
