//! How the driver uses a part.

/// What to do with a part that is not in [`CHIPS`](super::CHIPS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UnknownChips {
    /// Refuse it, and tell its identity.
    #[default]
    Refuse,
    /// Use it as its parameter page describes it, without its own error correction. The page does not say everything: a part that needs what
    /// it leaves out (plane or die select) is refused.
    TrustParameterPage,
}

/// How long the part may be busy, in microseconds, before an operation fails with [`Timeout`](super::SpiNandError::Timeout).
///
/// Time counts as it is waited for (in [`Nand::wait`](crate::Nand::wait)), and every look at the status as the least that it can take, 180 ns. So
/// a deadline never strikes early; it strikes late where the caller polls without waiting on a slow bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Deadlines {
    /// Resetting.
    pub reset_us: u32,
    /// Reading a page of the array into the cache.
    pub read_us: u32,
    /// Programming a page.
    pub program_us: u32,
    /// Erasing a block.
    pub erase_us: u32,
}

impl Default for Deadlines {
    /// About ten times the maxima of the Winbond W25N01GV data sheet (500 µs, 60 µs, 700 µs, 10 ms; unchecked), which leaves room for slower parts: Linux
    /// waits 400 ms for everything.
    fn default() -> Self {
        Self {
            reset_us: 5_000,
            read_us: 1_000,
            program_us: 7_000,
            erase_us: 100_000,
        }
    }
}

/// How the driver uses a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SpiNandOptions {
    /// True to let the part correct bits by itself.
    pub chip_ecc: bool,
    /// What to do with a part that is not in the table.
    pub unknown_chips: UnknownChips,
    /// True to read every load back before it is programmed, and to load it again where it arrived wrong. Doubles the bytes that a
    /// program moves; for buses whose wires are not to be trusted.
    pub verify_loads: bool,
    /// Most data bytes while the part is selected once, for buses or DMA that can do no more; at least 1.
    pub transfer_bytes_max: u16,
    /// How long the part may be busy.
    pub deadlines: Deadlines,
}

impl Default for SpiNandOptions {
    /// Without the part's own error correction, known parts only, loads not read back, transfers of any length.
    fn default() -> Self {
        Self {
            chip_ecc: false,
            unknown_chips: UnknownChips::default(),
            verify_loads: false,
            transfer_bytes_max: u16::MAX,
            deadlines: Deadlines::default(),
        }
    }
}
