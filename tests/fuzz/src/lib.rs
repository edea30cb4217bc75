//! Fuzz targets: what comes from outside, as a function of arbitrary bytes.
//!
//! * [`decoders`] — headers, pages, codewords and payloads as the media may hold them; geometries and parameters that layouts follow from.
//! * [`mount`] — an aged image, edited; then mounted, read, written, verified, mounted again.
//! * [`nbd`] — a client of the NBD server.
//! * [`replies`] — what a server says to the NBD client.
//! * [`levels`] — levels as text.
//! * [`policy`] — policies as text, as TOML, as bytes.
//!
//! Each is a plain function that panics when something does not hold, so that tests can run it without a fuzzer.

#![forbid(unsafe_code)]

pub mod decoders;
pub mod input;
pub mod levels;
pub mod mount;
pub mod nbd;
pub mod policy;
pub mod replay;
pub mod replies;

pub use decoders::decoders;
pub use levels::levels;
pub use mount::mount;
pub use nbd::nbd;
pub use policy::{policy_binary, policy_text, policy_toml};
pub use replies::replies;

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by their names.
pub const TARGETS: [(&str, Target); 8] = [
    ("decoders", decoders),
    ("mount", mount),
    ("nbd", nbd),
    ("replies", replies),
    ("levels", levels),
    ("policy_text", policy_text),
    ("policy_toml", policy_toml),
    ("policy_binary", policy_binary),
];
