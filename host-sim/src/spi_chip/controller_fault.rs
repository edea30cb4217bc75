//! What can go wrong in the part's own controller.

/// A fault of the part's controller, to befall an array operation.
///
/// Sources: busy for ever, slow and spurious ready are what drivers have deadlines for (Linux `drivers/mtd/nand/spi/core.c`, `spinand_wait`); a
/// dip of the supply that resets the part and not the host is in every data sheet's "Power-On Reset" (Winbond W25N01GV data sheet, on power-up
/// timing; unchecked).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControllerFault {
    /// The operation takes effect, but the part stays busy until it is reset.
    BusyUntilReset,
    /// The part stays busy whatever is done to it.
    BusyForEver,
    /// The operation takes so many times as long.
    Slow(u32),
    /// So many looks at the status read *ready* and *not enabled* though the part is busy.
    SpuriousReady(u32),
    /// The supply dips half-way: the operation is torn, and the part is as after power-up.
    BrownOut,
    /// The operation takes effect, and the registers are as after power-up when it ends.
    SettingsLost,
}
