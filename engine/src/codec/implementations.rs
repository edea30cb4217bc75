//! By which means the codes are computed: portably, unless a caller knows better ones.

use core::fmt;

use super::code::Code;
use super::ecc::Ecc;
use super::protection::{is_built, portable, sizes};

/// Gives an implementation of each code.
pub type CodesFn = fn(Ecc) -> &'static dyn Code;

/// Where the implementations of the codes come from. All of them have the same parities, so any two are equal.
#[derive(Clone, Copy)]
pub(super) struct Implementations(Option<CodesFn>);

impl Implementations {
    /// Those of this crate.
    pub const PORTABLE: Self = Self(None);

    /// Those of a caller.
    ///
    /// # Errors
    /// [`OtherCode`]: one of them computes something else.
    pub fn of(codes: CodesFn) -> Result<Self, OtherCode> {
        match Ecc::ALL.into_iter().find(|&ecc| differs(ecc, codes)) {
            Some(ecc) => Err(OtherCode(ecc)),
            None => Ok(Self(Some(codes))),
        }
    }

    /// The implementation of a code; `None` if this build has none, or none is needed.
    pub fn get(self, ecc: Ecc) -> Option<&'static dyn Code> {
        match (portable(ecc), self.0) {
            (Some(_), Some(codes)) => Some(codes(ecc)),
            (own, _) => own,
        }
    }
}

impl PartialEq for Implementations {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Implementations {}

impl fmt::Debug for Implementations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "portable",
            Some(_) => "given",
        })
    }
}

/// What was given for a code is another one, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OtherCode(pub Ecc);

impl fmt::Display for OtherCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "what was given for {} has other parities: pages written with it could not be read",
            self.0.name()
        )
    }
}

impl core::error::Error for OtherCode {}

/// Parity bytes at most: those of BCH with 64 bits.
const PARITY_MAX: usize = 112;
/// Data bytes of a codeword at most.
const DATA_MAX: usize = 1024;

/// True when what a caller gives for a code does not have its parities.
fn differs(ecc: Ecc, codes: CodesFn) -> bool {
    let Some(own) = portable(ecc).filter(|_| is_built(ecc)) else {
        return false;
    };
    let (data, parity, _) = sizes(ecc);
    let (data, parity) = (data as usize, parity as usize);
    let mut pattern = [0u8; DATA_MAX];
    for (at, byte) in (0u32..).zip(&mut pattern) {
        *byte = (at.wrapping_mul(0x9E37_79B9) >> 24) as u8;
    }
    let (mut expected, mut found) = ([0; PARITY_MAX], [0; PARITY_MAX]);
    let given = codes(ecc);
    // A header is shorter than what a code is meant for.
    [data, 27, 14].into_iter().any(|len| {
        let own = own.encode(&pattern[..len], &mut expected[..parity]);
        let other = given.encode(&pattern[..len], &mut found[..parity]);
        own != other || expected[..parity] != found[..parity]
    }) || given.strength() != own.strength()
}

#[cfg(test)]
#[cfg(feature = "strong-codes")]
mod tests {
    use super::*;

    #[test]
    fn another_code_is_refused() {
        assert!(Implementations::of(Ecc::portable).is_ok());
        let wrong = |ecc| match ecc {
            Ecc::Bch16 => Ecc::Bch8.portable(),
            other => other.portable(),
        };
        assert_eq!(Implementations::of(wrong), Err(OtherCode(Ecc::Bch16)));
    }
}
