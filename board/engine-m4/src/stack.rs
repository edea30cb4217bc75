//! How deep a call goes: the stack below it is painted, and looked at when it has returned.

use cortex_m::register::msp;

/// Bytes that are painted: more than any call takes.
const PAINTED: u32 = 24 * 1024;

const PAINT: u32 = 0xC0E5_7A11;

/// Bytes below the caller that are left alone, as they may be this file's own frames: no call is found to take less.
const OWN: u32 = 128;

#[inline(never)]
fn paint(top: u32) {
    for address in (top - PAINTED..top - OWN).step_by(4) {
        // SAFETY: below the frames nothing is kept, no interrupt is enabled, and the stack has megabytes.
        unsafe { (address as *mut u32).write_volatile(PAINT) };
    }
}

/// The lowest address that is no longer painted.
#[inline(never)]
fn lowest(top: u32) -> u32 {
    (top - PAINTED..top - OWN)
        .step_by(4)
        // SAFETY: memory of the stack.
        .find(|&address| unsafe { (address as *const u32).read_volatile() } != PAINT)
        .unwrap_or(top - OWN)
}

#[inline(never)]
fn call<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Calls `work`, and gives the bytes of stack that it took, what it returns included.
#[inline(never)]
pub fn deepest<R>(work: impl FnOnce() -> R) -> (R, u32) {
    let top = msp::read();
    paint(top);
    let result = call(work);
    (result, top - lowest(top))
}
