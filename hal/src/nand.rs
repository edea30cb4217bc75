//! The trait.

use crate::{BlockAddress, Buffer, Columns, Completion, Die, Geometry, NandError, PageAddress};

/// A raw NAND: array operations that are started, then polled.
///
/// # The model
///
/// A part has [`Geometry::dies`] dies. Each executes one array operation at a time; different dies execute at the same
/// time. An operation is *started* by one of the `start_` methods, which return at once, and *settled* by [`poll`](Self::poll), which hands out its
/// [`Completion`] exactly once. Operations of one die settle in the order in which they were started, as there is only one.
///
/// The implementation owns the page buffers: one or two of [`Geometry::raw_page_bytes`] bytes for each die. The caller encodes into a
/// buffer and programs from it, or reads into it and decodes in place, so that no memory of a caller is ever in
/// flight. While an operation that uses a buffer is in flight its contents are unspecified to the caller and must not be changed;
/// the die's other buffer is free.
///
/// # The array
///
/// * An erased byte reads `0xFF`. A program can only clear bits.
/// * The pages of a block are programmed in ascending order (pages may be left out), each at most
///   [`Geometry::partial_programs_max`] times between two erases of the block.
/// * A block marked bad by the factory is never programmed or erased.
/// * While the part's own ECC is on, no page is programmed with nothing but `0xFF`: the part would write a code for it, and the page would be erased no more.
///
/// Breaking one of these rules is a mistake of the caller. An implementation may detect it ([`NandErrorKind::Forbidden`](crate::NandErrorKind::Forbidden));
/// a simulator must.
///
/// # Power loss
///
/// A cut while an operation is in flight leaves the touched page (program) or block (erase) in an unspecified, possibly unstable
/// state: it may read as before, as finished, as erased or as anything between, and differently the next time. On parts with
/// [`Pairing`](crate::Pairing) a cut program may also damage the pages paired with it. Nothing else changes. What was settled before the cut stays.
pub trait Nand {
    /// Error of this implementation.
    type Error: NandError;

    /// Describes the part. Never changes while the value lives.
    fn geometry(&self) -> &Geometry;

    /// A page buffer of a die: the main area, then the spare.
    ///
    /// An address outside the geometry gives an empty slice.
    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8];

    /// A page buffer of a die for encoding into, or correcting in place. See [`buffer`](Self::buffer).
    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8];

    /// Starts reading the asked columns of `page` into the same columns of `buffer`; its other bytes become unspecified.
    ///
    /// Reading changes no stored bit (the disturbance it causes is the part's business). An erased page reads `0xFF`
    /// but for bit errors. A power cut while a read is in flight changes nothing in the array.
    ///
    /// # Errors
    /// `OutOfBounds` and `Busy` before anything was started; bus errors.
    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), Self::Error>;

    /// Starts programming `page` with the whole of `buffer`, spare included.
    ///
    /// While the part's own ECC is on, it writes the spare bytes that it [owns](crate::ChipEcc::owned) by itself, whatever is in the buffer there.
    ///
    /// Settles as [`Completion::Programmed`] or [`Completion::ProgramFailed`]; the buffer keeps its bytes in both cases. After a power
    /// cut the page may hold anything; other pages are as they were, apart from paired ones.
    ///
    /// # Errors
    /// `OutOfBounds` and `Busy` before anything was started; `Forbidden` where the implementation referees; bus errors.
    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), Self::Error>;

    /// Starts erasing `block`. The die's buffers are untouched.
    ///
    /// Settles as [`Completion::Erased`] or [`Completion::EraseFailed`]. After a power cut the block may hold anything, including a state
    /// that reads erased and fails later: a block whose erase did not settle must be erased again before use.
    ///
    /// # Errors
    /// `OutOfBounds` and `Busy` before anything was started; `Forbidden` where the implementation referees; bus errors.
    fn start_erase(&mut self, block: BlockAddress) -> Result<(), Self::Error>;

    /// Settles the operation in flight on `die`, if it has ended.
    ///
    /// # Errors
    /// [`nb::Error::WouldBlock`] while it executes, and when nothing is in flight; `Timeout`, `Reset`, `PowerLost`, bus errors
    /// when the operation's fate is unknown. After an error nothing is in flight on the die.
    fn poll(&mut self, die: Die) -> nb::Result<Completion, Self::Error>;

    /// Told that nothing can be done before an operation in flight ends. To be called between polls that gave `WouldBlock`: a
    /// simulator's time stands still otherwise. What has ended and was not polled does not keep it from going on for other dies.
    ///
    /// Firmware may sleep until the next interrupt; a simulator moves its clock to the next completion. Returning early,
    /// or at once, is always right.
    fn wait(&mut self) {
        core::hint::spin_loop();
    }
}

impl<N: Nand + ?Sized> Nand for &mut N {
    type Error = N::Error;

    fn geometry(&self) -> &Geometry {
        (**self).geometry()
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        (**self).buffer(die, buffer)
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        (**self).buffer_mut(die, buffer)
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), Self::Error> {
        (**self).start_read(page, columns, buffer)
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), Self::Error> {
        (**self).start_program(page, buffer)
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), Self::Error> {
        (**self).start_erase(block)
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, Self::Error> {
        (**self).poll(die)
    }

    fn wait(&mut self) {
        (**self).wait();
    }
}
