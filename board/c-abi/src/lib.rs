//! The engine for firmware in C: a static library behind `include/cuesta.h`, which says what each function does.
//!
//! * [`calls`] — the exported functions: pointers are checked, then the engine is called, one to one.
//! * [`part`] — the caller's table of functions as a NAND.
//! * [`description`] — geometries, options, results and events as C passes them.
//! * [`arena`] — one piece of memory, cut into what a volume needs.

#![no_std]

mod arena;
mod calls;
mod description;
mod part;

extern "C" {
    /// The caller's: it must not return.
    fn cuesta_panicked();
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the header asks for a function without arguments.
    unsafe { cuesta_panicked() };
    loop {
        core::hint::spin_loop();
    }
}

/// On hosts the core library was compiled to unwind and names this. Nothing does, as a panic does not return.
#[cfg(not(target_os = "none"))]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
