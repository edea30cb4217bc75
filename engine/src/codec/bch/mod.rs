//! Binary BCH codes, shortened to the length of the data at hand.
//!
//! [`Bch4`] repairs up to four wrong bits in up to 1017 bytes of data and their 7 bytes of parity; [`Bch8`],
//! [`Bch16`], [`Bch24`], and over twice the data [`Bch40`] and [`Bch64`], are the same code with other numbers.
//!
//! # Shape of a codeword
//!
//! The data come first, highest bit of the first byte first, then m·t bits of parity in the same order; what is
//! left of the last parity byte is filled up with ones. The generator polynomial and the bit order are those of
//! Linux `lib/bch.c` without bit swapping, but data *and* parity are complemented on their way in and out:
//! `parity = !linux(!data)`, for the sake of [erased pages](super::remainder).
//!
//! # Cost
//!
//! Encoding is a division, done by a [`Divider`]: [`Slicing`] by 8 through 16 KiB of constants for [`Bch4`] as it
//! comes, bytewise through 2 KiB with the feature `small-tables`, and by halves of a byte from [`Bch16`] on; any other can be named in the type. The clean path
//! of decoding encodes what was read and compares. When that differs, the difference alone gives the syndromes (its
//! bits, not those of the data). One and two errors are solved in closed form. More go through Berlekamp–Massey
//! without inversions; up to four roots are solved for, more are first split by Berlekamp's trace algorithm, which
//! measured six times as fast as Chien's search at eight wrong bits, nine times at sixteen. No operation allocates, and none panics.
//!
//! # Mis-correction
//!
//! The chance that a codeword with many more wrong bits than t is taken for another one is the share of all words
//! that lie within t bits of a codeword: C(n, t) / 2^(m·t) for n bits. It is 1 in 370 for [`Bch4`] over 512 bytes,
//! 1 in 10⁷ for [`Bch8`], and from [`Bch16`] on of no practical account.
//!
//! Sources: Lin and Costello, *Error Control Coding*, ch. 6; Burton, "Inversionless decoding of binary BCH codes",
//! IEEE Trans. IT 17 (1971); Berlekamp, "Factoring polynomials over large finite fields", Math. Comp. 24 (1970).

mod few;
mod massey;
mod squares;
mod syndrome;
mod trace;

#[cfg(test)]
mod tests;

use core::marker::PhantomData;

use super::code::{Code, CodeError, Corrections, STRENGTH_MAX};
use super::gf::Field;
#[cfg(feature = "small-tables")]
use super::gf::{CompactGf13 as Field13, CompactGf14 as Field14};
#[cfg(not(feature = "small-tables"))]
use super::gf::{Gf13 as Field13, Gf14 as Field14};
#[cfg(feature = "small-tables")]
use super::remainder::Nibble;
use super::remainder::{Divider, Generator, OddRoots, Remainder, Slicing};
pub use syndrome::Syndromes;

/// The divider of codes that name none: slicing by 8, or by 1 with the feature `small-tables`.
pub type DefaultDivider = Slicing<
    {
        if cfg!(feature = "small-tables") {
            1
        } else {
            8
        }
    },
>;

/// The divider of codes that name none and that few parts ask for: the same, but half a byte at a time with the feature `small-tables`.
#[cfg(feature = "small-tables")]
pub type RareDivider = Nibble;
/// The divider of codes that name none and that few parts ask for: the same, but half a byte at a time with the feature `small-tables`.
#[cfg(not(feature = "small-tables"))]
pub type RareDivider = DefaultDivider;

/// Four bits, m = 13, 512 bytes: 7 bytes of parity.
pub type Bch4<D = DefaultDivider, F = Field13> = Bch<F, 4, 1, 7, D>;
/// Eight bits, m = 13, 512 bytes: 13 bytes of parity. Its tables take twice the room of those of [`Bch4`].
pub type Bch8<D = DefaultDivider, F = Field13> = Bch<F, 8, 2, 13, D>;
/// Sixteen bits, m = 13, 512 bytes: 26 bytes of parity. Its tables take four times the room of those of [`Bch4`].
pub type Bch16<D = RareDivider, F = Field13> = Bch<F, 16, 4, 26, D>;
/// Twenty-four bits, m = 13, 512 bytes: 39 bytes of parity. Its tables take five times the room of those of [`Bch4`].
pub type Bch24<D = RareDivider, F = Field13> = Bch<F, 24, 5, 39, D>;
/// Forty bits, m = 14, 1 KiB: 70 bytes of parity. Its tables take nine times the room of those of [`Bch4`].
pub type Bch40<D = RareDivider, F = Field14> = Bch<F, 40, 9, 70, D>;
/// Sixty-four bits, m = 14, 1 KiB: 112 bytes of parity. Its tables take fourteen times the room of those of [`Bch4`].
pub type Bch64<D = RareDivider, F = Field14> = Bch<F, 64, 14, 112, D>;

/// The code over the field `F` that repairs `T` bits, its divisions done by `D`. Its remainders fill `WORDS` words and
/// its parity `PARITY` bytes: use one of the aliases.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bch<F, const T: usize, const WORDS: usize, const PARITY: usize, D = DefaultDivider> {
    divider: D,
    field: PhantomData<F>,
}

impl<F, const T: usize, const WORDS: usize, const PARITY: usize>
    Bch<F, T, WORDS, PARITY, DefaultDivider>
{
    /// The code with the divider of the crate's features.
    pub const PORTABLE: Self = Self::with(Slicing);
}

#[cfg(feature = "small-tables")]
impl<F, const T: usize, const WORDS: usize, const PARITY: usize> Bch<F, T, WORDS, PARITY, Nibble> {
    /// The code with the divider of the crate's features.
    pub const PORTABLE: Self = Self::with(Nibble);
}

impl<F, const T: usize, const WORDS: usize, const PARITY: usize, D> Bch<F, T, WORDS, PARITY, D> {
    /// Parity bytes of a codeword.
    pub const PARITY_BYTES: usize = PARITY;

    /// The code, dividing by means of `divider`.
    pub const fn with(divider: D) -> Self {
        Self {
            divider,
            field: PhantomData,
        }
    }
}

impl<F: Field, const T: usize, const WORDS: usize, const PARITY: usize, D>
    Bch<F, T, WORDS, PARITY, D>
{
    /// The most data bytes a codeword has room for. The fewest are none.
    pub const DATA_BYTES_MAX: usize = (F::ORDER as usize - Self::PARITY_BITS) / 8;

    const PARITY_BITS: usize = {
        let bits = F::M as usize * T;
        assert!(PARITY == bits.div_ceil(8) && WORDS == bits.div_ceil(64));
        bits
    };

    /// The bits of the last parity byte that belong to no codeword.
    const PADDING: u8 = ((1u16 << (8 * PARITY - Self::PARITY_BITS)) - 1) as u8;
}

impl<F: Field, const T: usize, const WORDS: usize, const PARITY: usize, D>
    Bch<F, T, WORDS, PARITY, D>
where
    OddRoots<F, T>: Syndromes<T>,
    D: Divider<OddRoots<F, T>, WORDS>,
{
    /// The parity of `data`.
    ///
    /// Beyond [`DATA_BYTES_MAX`](Self::DATA_BYTES_MAX) it is a checksum that [`repair`](Self::repair) refuses.
    #[must_use]
    pub fn parity(&self, data: &[u8]) -> [u8; PARITY] {
        let mut remainder = [0; WORDS];
        self.divider.feed(&mut remainder, data);
        let words = remainder.map(|word| (!word).to_be_bytes());
        let mut parity = [0; PARITY];
        parity.copy_from_slice(&words.as_flattened()[..PARITY]);
        parity
    }

    /// Whether `data` and `parity` are a codeword as they stand. The padding of the parity is not looked at.
    #[must_use]
    pub fn check(&self, data: &[u8], parity: &[u8; PARITY]) -> bool {
        data.len() <= Self::DATA_BYTES_MAX && self.difference(data, parity) == [0; WORDS]
    }

    /// Repairs `data` and `parity` in place and tells which bits were wrong, as [`Code::decode`] does.
    ///
    /// # Errors
    /// As those of [`Code::decode`].
    #[inline]
    pub fn repair(
        &self,
        data: &mut [u8],
        parity: &mut [u8; PARITY],
    ) -> Result<Corrections, CodeError> {
        if data.len() > Self::DATA_BYTES_MAX {
            return Err(CodeError::Length);
        }
        let difference = self.difference(data, parity);
        if difference == [0; WORDS] {
            parity[PARITY - 1] |= Self::PADDING;
            return Ok(Corrections::none());
        }
        // At most the order of the field: the data was found short enough.
        let bits = (8 * data.len() + Self::PARITY_BITS) as u32;
        let corrections = Self::locate(&difference, bits).ok_or(CodeError::Uncorrectable)?;
        corrections.apply(data, parity);
        parity[PARITY - 1] |= Self::PADDING;
        Ok(corrections)
    }

    /// The remainder of what was read, data and parity, which is that of its errors alone.
    #[inline]
    fn difference(&self, data: &[u8], parity: &[u8; PARITY]) -> Remainder<WORDS> {
        let mut difference = [0; WORDS];
        self.divider.feed(&mut difference, data);
        let mut read = [[0xff; 8]; WORDS];
        read.as_flattened_mut()[..PARITY].copy_from_slice(parity);
        for (word, read) in difference.iter_mut().zip(read) {
            *word ^= !u64::from_be_bytes(read);
        }
        // The padding, and with it everything the last word has no parity bits for.
        difference[WORDS - 1] &= u64::MAX << (64 * WORDS - Self::PARITY_BITS);
        difference
    }

    /// Finds the at most `T` wrong bits that explain `difference`, all of a degree below `bits`.
    #[inline(never)]
    fn locate(difference: &Remainder<WORDS>, bits: u32) -> Option<Corrections> {
        let mut odd = [0u16; T];
        <OddRoots<F, T> as Syndromes<T>>::add(difference, &mut odd);
        // Where each product is a loop, codes share what they can: little time is lost, and much room won.
        match T {
            5..=24 if !F::HAS_TABLES => find::<F, 24>(&odd, bits),
            25.. if !F::HAS_TABLES => find::<F, STRENGTH_MAX>(&odd, bits),
            _ => find::<F, T>(&odd, bits),
        }
    }
}

impl<F: Field, const T: usize, const WORDS: usize, const PARITY: usize, D> Code
    for Bch<F, T, WORDS, PARITY, D>
where
    OddRoots<F, T>: Syndromes<T> + Generator<WORDS>,
    D: Divider<OddRoots<F, T>, WORDS>,
{
    fn name(&self) -> &'static str {
        match T {
            4 => "bch4",
            8 => "bch8",
            16 => "bch16",
            24 => "bch24",
            40 => "bch40",
            64 => "bch64",
            _ => "bch",
        }
    }

    fn data_bytes(&self) -> usize {
        if F::M > 13 {
            1024
        } else {
            512
        }
    }

    fn data_bytes_max(&self) -> usize {
        Self::DATA_BYTES_MAX
    }

    fn parity_bits(&self) -> usize {
        Self::PARITY_BITS
    }

    fn strength(&self) -> u32 {
        T as u32
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
        parity
            .try_into()
            .is_ok_and(|parity| self.check(data, parity))
    }

    fn decode(&self, data: &mut [u8], parity: &mut [u8]) -> Result<Corrections, CodeError> {
        let parity = parity.try_into().map_err(|_| CodeError::Length)?;
        self.repair(data, parity)
    }
}

/// Finds the wrong bits, at most as many as there are syndromes, in a codeword of so many `bits`. There is room for `T` of them.
fn find<F: Field, const T: usize>(odd: &[u16], bits: u32) -> Option<Corrections> {
    let mut degrees = Degrees::<T>::none(bits);
    if few::solve::<F, T>(odd, &mut degrees).is_none() {
        degrees = Degrees::none(bits);
        let mut locator = massey::locator::<F, T>(odd)?;
        trace::roots::<F, T>(locator.as_mut_slice(), &mut degrees)?;
    }
    let mut corrections = Corrections::none();
    for &degree in degrees.as_slice() {
        corrections.push((bits - 1 - degree) as u16)?;
    }
    Some(corrections)
}

/// Wrong bits of a codeword, each by the power of x that it is the coefficient of.
struct Degrees<const T: usize> {
    degrees: [u32; T],
    count: usize,
    /// All degrees are below.
    bits: u32,
}

impl<const T: usize> Degrees<T> {
    const fn none(bits: u32) -> Self {
        Self {
            degrees: [0; T],
            count: 0,
            bits,
        }
    }

    /// Adds the error with this locator; `None` if it lies outside, as do bits that a shortened codeword does not have.
    fn push<F: Field>(&mut self, locator: u16) -> Option<()> {
        let degree = F::log(locator);
        if locator == 0 || degree >= self.bits {
            return None;
        }
        *self.degrees.get_mut(self.count)? = degree;
        self.count += 1;
        Some(())
    }

    fn as_slice(&self) -> &[u32] {
        self.degrees.get(..self.count).unwrap_or(&self.degrees)
    }
}
