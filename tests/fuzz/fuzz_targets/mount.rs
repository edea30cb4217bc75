//! An aged image, edited, and a host that uses what is left of it.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cuesta_fuzz::mount(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    cuesta_fuzz::replay::arguments(cuesta_fuzz::mount)
}
