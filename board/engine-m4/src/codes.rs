//! The codes of the engine, counted apart.

use cuesta::codec::code::{Code, CodeError, Corrections};
use cuesta::codec::Ecc;

use m4_marks as mark;

struct Apart(Ecc);

static APART: [Apart; Ecc::ALL.len()] = {
    let [a, b, c, d, e, f, g, h] = Ecc::ALL;
    [
        Apart(a),
        Apart(b),
        Apart(c),
        Apart(d),
        Apart(e),
        Apart(f),
        Apart(g),
        Apart(h),
    ]
};

/// A code that is counted apart.
pub fn apart(ecc: Ecc) -> &'static dyn Code {
    match APART.iter().find(|apart| apart.0 == ecc) {
        Some(apart) => apart,
        None => ecc.portable(),
    }
}

impl Code for Apart {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn data_bytes(&self) -> usize {
        self.0.portable().data_bytes()
    }

    fn data_bytes_max(&self) -> usize {
        self.0.portable().data_bytes_max()
    }

    fn parity_bits(&self) -> usize {
        self.0.portable().parity_bits()
    }

    fn strength(&self) -> u32 {
        self.0.portable().strength()
    }

    fn encode(&self, data: &[u8], parity: &mut [u8]) -> Result<(), CodeError> {
        mark::codes(|| self.0.portable().encode(data, parity))
    }

    fn is_clean(&self, data: &[u8], parity: &[u8]) -> bool {
        mark::codes(|| self.0.portable().is_clean(data, parity))
    }

    fn decode(&self, data: &mut [u8], parity: &mut [u8]) -> Result<Corrections, CodeError> {
        mark::codes(|| self.0.portable().decode(data, parity))
    }

    fn erased_zeros(&self, data: &[u8], parity: &[u8]) -> Option<u32> {
        mark::codes(|| self.0.portable().erased_zeros(data, parity))
    }
}
