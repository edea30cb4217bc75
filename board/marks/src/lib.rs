//! Marks that `count.c` finds among the instructions: `DBG` hints, which do nothing and which no compiler emits.

#![no_std]

use core::arch::asm;

/// The instructions of `work` are added to the sum, and the few that a compiler moves in with them: those that have nothing to do with memory.
#[inline(always)]
pub fn counted<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: a hint without operands. That memory may change (the default) keeps work from being moved across.
    unsafe { asm!("dbg #1", options(nostack)) };
    let result = work();
    // SAFETY: as above.
    unsafe { asm!("dbg #2", options(nostack)) };
    result
}

/// The instructions of `work`, which is a piece of what is counted and computes or repairs a code, go to a sum of their own.
#[inline(always)]
pub fn codes<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: as above.
    unsafe { asm!("dbg #4", options(nostack)) };
    let result = work();
    // SAFETY: as above.
    unsafe { asm!("dbg #6", options(nostack)) };
    result
}

/// The instructions of `work`, which is a piece of what is counted and stands for a part, go to a sum of their own.
#[inline(always)]
pub fn part<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: as above.
    unsafe { asm!("dbg #5", options(nostack)) };
    let result = work();
    // SAFETY: as above.
    unsafe { asm!("dbg #6", options(nostack)) };
    result
}

/// The sums are reported, and new ones begun.
pub fn report() {
    // SAFETY: as above.
    unsafe { asm!("dbg #3", options(nostack)) };
}

/// How many instructions [`known`] counts.
pub const KNOWN: usize = 100;

/// A known number of instructions is added to the sum: what the counting can be tried on.
pub fn known() {
    // SAFETY: instructions without effect.
    unsafe {
        asm!("dbg #1", ".rept {count}", "nop", ".endr", "dbg #2", count = const KNOWN, options(nostack))
    };
}
