//! Bytes from a server, to the NBD client.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cuesta_fuzz::replies(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    cuesta_fuzz::replay::arguments(cuesta_fuzz::replies)
}
