//! Single operations, from their start to their end.

use crate::{
    BlockAddress, Buffer, Columns, Completion, Die, Nand, NandError, NandErrorKind, PageAddress,
    ReadStatus,
};

/// Polls that an operation gets to end: a minute on a serial bus, about a second where a poll looks at a flag on a
/// microcontroller. The slowest operation, an erase, takes some 10 ms (Winbond W25N01GV: tBE at most 10 ms).
pub(super) const POLLS_MAX: u32 = 10_000_000;

/// Polls and waits until the operation in flight on `die` ends.
///
/// Nothing should be in flight on other dies: [`Nand::wait`] may return at once, without end, while one of them has
/// ended and was not polled.
///
/// # Panics
/// When the operation fails with an error, or does not end within a generous number of polls.
pub fn settle<N: Nand>(nand: &mut N, die: Die) -> Completion {
    for _ in 0..POLLS_MAX {
        if let Some(completion) = poll(nand, die) {
            return completion;
        }
        nand.wait();
    }
    panic!(
        "conformance: an operation on {die:?} was polled {POLLS_MAX} times and still would block"
    )
}

/// Polls once.
pub(super) fn poll<N: Nand>(nand: &mut N, die: Die) -> Option<Completion> {
    match nand.poll(die) {
        Ok(completion) => Some(completion),
        Err(nb::Error::WouldBlock) => None,
        Err(nb::Error::Other(error)) => {
            panic!("conformance: an operation on {die:?} was polled; poll failed with {error:?}")
        }
    }
}

/// A position in a page buffer.
pub(super) fn index(column: u32) -> usize {
    usize::try_from(column).unwrap_or(usize::MAX)
}

pub(super) fn start_read<N: Nand>(
    nand: &mut N,
    page: PageAddress,
    columns: Columns,
    buffer: Buffer,
) {
    if let Err(error) = nand.start_read(page, columns, buffer) {
        panic!("conformance: a read of {page:?}, {columns:?} was started; refused with {error:?}");
    }
}

pub(super) fn start_program<N: Nand>(nand: &mut N, page: PageAddress, buffer: Buffer) {
    if let Err(error) = nand.start_program(page, buffer) {
        panic!("conformance: a program of {page:?} was started; refused with {error:?}");
    }
}

pub(super) fn start_erase<N: Nand>(nand: &mut N, block: BlockAddress) {
    if let Err(error) = nand.start_erase(block) {
        panic!("conformance: an erase of {block:?} was started; refused with {error:?}");
    }
}

/// Settles a read and hands its status out.
pub(super) fn settle_read<N: Nand>(nand: &mut N, page: PageAddress) -> ReadStatus {
    match settle(nand, page.die()) {
        Completion::Read(status) => status,
        other => panic!("conformance: a read of {page:?} settled as {other:?}"),
    }
}

pub(super) fn settle_program<N: Nand>(nand: &mut N, page: PageAddress) {
    let completion = settle(nand, page.die());
    assert!(
        completion == Completion::Programmed,
        "conformance: a program of {page:?} settled as {completion:?}"
    );
}

pub(super) fn settle_erase<N: Nand>(nand: &mut N, block: BlockAddress) {
    let completion = settle(nand, block.die);
    assert!(
        completion == Completion::Erased,
        "conformance: an erase of {block:?} settled as {completion:?}"
    );
}

pub(super) fn read<N: Nand>(
    nand: &mut N,
    page: PageAddress,
    columns: Columns,
    buffer: Buffer,
) -> ReadStatus {
    start_read(nand, page, columns, buffer);
    settle_read(nand, page)
}

pub(super) fn program<N: Nand>(nand: &mut N, page: PageAddress, buffer: Buffer) {
    start_program(nand, page, buffer);
    settle_program(nand, page);
}

pub(super) fn erase<N: Nand>(nand: &mut N, block: BlockAddress) {
    start_erase(nand, block);
    settle_erase(nand, block);
}

/// Asserts that a start was refused with an error of this kind.
pub(super) fn assert_refused<E: NandError>(
    result: Result<(), E>,
    kind: NandErrorKind,
    what: core::fmt::Arguments<'_>,
) {
    match result {
        Ok(()) => panic!("conformance: {what} must be refused as {kind:?}; it was started"),
        Err(error) => assert!(
            error.kind() == kind,
            "conformance: {what} must be refused as {kind:?}; it was refused as {:?}: {error:?}",
            error.kind()
        ),
    }
}

/// Asserts that nothing is in flight on a die.
pub(super) fn assert_idle<N: Nand>(nand: &mut N, die: Die, when: &str) {
    match nand.poll(die) {
        Err(nb::Error::WouldBlock) => {}
        found => panic!(
            "conformance: nothing is in flight on {die:?} {when}, so a poll would block; it gave {found:?}"
        ),
    }
}
