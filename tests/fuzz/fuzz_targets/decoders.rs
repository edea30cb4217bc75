//! Bytes as what the engine decodes: headers, pages, codewords, payloads; and numbers as what it computes a layout from.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cuesta_fuzz::decoders(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    cuesta_fuzz::replay::arguments(cuesta_fuzz::decoders)
}
