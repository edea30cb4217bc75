//! One wrong bit repaired, two found: the extended Hamming code.

use core::marker::PhantomData;

use super::bch::RareDivider;
use super::code::{Code, CodeError, Corrections};
#[cfg(feature = "small-tables")]
use super::gf::CompactGf13 as Field13;
use super::gf::Field;
#[cfg(not(feature = "small-tables"))]
use super::gf::Gf13 as Field13;
use super::remainder::{Divider, EvenRoots, Generator, Remainder};

/// Parity bits.
const BITS: u32 = <EvenRoots<Field13> as Generator<1>>::BITS;
/// Parity bytes.
const PARITY: usize = 2;
/// The bits of the last parity byte that belong to no codeword.
const PADDING: u8 = 3;

/// The extended Hamming code with 14 bits of parity, in its cyclic form: the codewords of even weight of the Hamming
/// code over GF(2¹³), shortened. Complemented as [`remainder`](super::remainder) says.
///
/// Its check matrix has the columns (1, α^i), which are those of the extended Hamming code but for (1, 0): the same
/// code shortened by one more bit.
///
/// # Guarantees
/// Repairs any one wrong bit, refuses any two, parity included. Of three wrong bits about every second triple in 512
/// bytes is taken for one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Secded<D = RareDivider, F = Field13> {
    divider: D,
    field: PhantomData<F>,
}

impl Secded {
    /// The code with the divider of the crate's features.
    pub const PORTABLE: Self = Self::with(RareDivider {});
}

impl<D, F> Secded<D, F> {
    /// The code, dividing by means of `divider`.
    pub const fn with(divider: D) -> Self {
        Self {
            divider,
            field: PhantomData,
        }
    }
}

impl<F: Field, D: Divider<EvenRoots<F>, 1>> Secded<D, F> {
    const DATA_BYTES_MAX: usize = (F::ORDER - BITS) as usize / 8;

    fn parity(&self, data: &[u8]) -> [u8; PARITY] {
        let mut remainder: Remainder<1> = [0];
        self.divider.feed(&mut remainder, data);
        let [high, low, ..] = (!remainder[0]).to_be_bytes();
        [high, low]
    }

    /// The remainder of what was read, in the lowest bits.
    fn difference(&self, data: &[u8], parity: [u8; PARITY]) -> u16 {
        let expected = u16::from_be_bytes(self.parity(data));
        (expected ^ u16::from_be_bytes(parity)) >> (u16::BITS - BITS)
    }
}

/// The degree of the one wrong bit that explains `difference`.
fn locate<F: Field>(difference: u16) -> Option<u32> {
    // Two wrong bits have even weight, and so has what is left of them: x + 1 divides the generator.
    if difference.count_ones().is_multiple_of(2) {
        return None;
    }
    // Modulo the minimal polynomial of α, which is that of the field.
    let top = difference >> F::M;
    let s1 = difference ^ (F::POLY as u16 * top);
    (s1 != 0).then(|| F::log(s1))
}

impl<F: Field, D: Divider<EvenRoots<F>, 1>> Code for Secded<D, F> {
    fn name(&self) -> &'static str {
        "secded"
    }

    fn data_bytes(&self) -> usize {
        512
    }

    fn data_bytes_max(&self) -> usize {
        Self::DATA_BYTES_MAX
    }

    fn parity_bits(&self) -> usize {
        BITS as usize
    }

    fn strength(&self) -> u32 {
        1
    }

    fn encode(&self, data: &[u8], parity: &mut [u8]) -> Result<(), CodeError> {
        if data.len() > Self::DATA_BYTES_MAX {
            return Err(CodeError::Length);
        }
        let parity: &mut [u8; PARITY] = parity.try_into().map_err(|_| CodeError::Length)?;
        *parity = self.parity(data);
        Ok(())
    }

    fn is_clean(&self, data: &[u8], parity: &[u8]) -> bool {
        data.len() <= Self::DATA_BYTES_MAX
            && parity
                .try_into()
                .is_ok_and(|parity| self.difference(data, parity) == 0)
    }

    fn decode(&self, data: &mut [u8], parity: &mut [u8]) -> Result<Corrections, CodeError> {
        let parity: &mut [u8; PARITY] = parity.try_into().map_err(|_| CodeError::Length)?;
        if data.len() > Self::DATA_BYTES_MAX {
            return Err(CodeError::Length);
        }
        let mut corrections = Corrections::none();
        let difference = self.difference(data, *parity);
        if difference != 0 {
            let bits = 8 * data.len() as u32 + BITS;
            let bit = locate::<F>(difference)
                .and_then(|degree| (bits - 1).checked_sub(degree))
                .ok_or(CodeError::Uncorrectable)?;
            // Below 2^16, the order of the field.
            corrections
                .push(bit as u16)
                .ok_or(CodeError::Uncorrectable)?;
            corrections.apply(data, parity);
        }
        parity[PARITY - 1] |= PADDING;
        Ok(corrections)
    }
}
