//! Binary BCH codes, shortened to the length of the data at hand.
//!
//! [`Bch4`] repairs up to four wrong bits in up to 1017 bytes of data and their 7 bytes of parity. [`Bch8`],
//! [`Bch16`] and [`Bch24`] are the same code with other numbers.
//!
//! # Shape of a codeword
//!
//! The data come first, highest bit of the first byte first, then m·t bits of parity in the same order; what is
//! left of the last parity byte is filled up with ones. The generator polynomial and the bit order are those of
//! Linux `lib/bch.c` without bit swapping, but data *and* parity are complemented on their way in and out:
//! `parity = !linux(!data)`. An erased page reads as ones, ones complemented are zeros, and zeros are a codeword
//! of every linear code: so erased data with erased parity is a codeword at every length, is found clean as it
//! is, and has its flipped bits repaired like any other. The code being linear, this is the same as XORing
//! the parity with a mask chosen by the length of the data; only there is no mask to keep.
//!
//! # Cost
//!
//! Encoding reads eight bytes a step through tables of 16 KiB ([`Bch4`]), or one byte a step through 2 KiB with
//! the feature `small-tables`. The clean path of decoding encodes what was read and compares. When that
//! differs, the difference alone gives the syndromes (its bits, not those of the data). One and two errors are
//! solved in closed form; more go through Berlekamp–Massey without inversions, and a Chien search over the bits
//! that are there for as long as more than four roots are missing; the last four are solved for.
//! No operation allocates, and none panics.
//!
//! Sources: Lin and Costello, *Error Control Coding*, ch. 6; Sarwate, "Computation of cyclic redundancy checks
//! via table look-up", CACM 31 (1988), with its extension to several bytes a step by Kounavis and Berry (2005);
//! Burton, "Inversionless decoding of binary BCH codes", IEEE Trans. IT 17 (1971).

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;

use super::gf::{
    add_odd_powers, product, roots_of_cubic, roots_of_quadratic, roots_of_quartic, Field, Gf13,
    Term,
};

/// How many bytes one step of the encoder takes through its tables.
const SLICES: usize = if cfg!(feature = "small-tables") { 1 } else { 8 };

/// Four bits, m = 13: 7 bytes of parity.
pub type Bch4 = Bch<Gf13, 4, 1, 7>;
/// Eight bits, m = 13: 13 bytes of parity. Its tables take twice the room of those of [`Bch4`].
pub type Bch8 = Bch<Gf13, 8, 2, 13>;
/// Sixteen bits, m = 13: 26 bytes of parity. Its tables take four times the room of those of [`Bch4`].
pub type Bch16 = Bch<Gf13, 16, 4, 26>;
/// Twenty-four bits, m = 13: 39 bytes of parity. Its tables take five times the room of those of [`Bch4`].
pub type Bch24 = Bch<Gf13, 24, 5, 39>;

/// More bits are wrong than the code can repair, or the data is longer than the code reaches.
///
/// The data and the parity are as they were. What the caller can do: read again with another reference
/// voltage, or go to another copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Uncorrectable;

impl fmt::Display for Uncorrectable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more bits are wrong than the code can repair; read again or use another copy")
    }
}

impl core::error::Error for Uncorrectable {}

/// The code over the field `F` that repairs `T` bits. Its remainders fill `WORDS` words and its parity `PARITY`
/// bytes.
///
/// Not a value: everything hangs on the type, use one of the aliases.
#[derive(Debug, Clone, Copy)]
pub struct Bch<F, const T: usize, const WORDS: usize, const PARITY: usize> {
    field: PhantomData<F>,
}

/// A remainder, the coefficient of its highest power in the highest bit of the first word.
type Remainder<const WORDS: usize> = [u64; WORDS];

/// `rows[k][b]` is the remainder of the byte `!b` followed by `k` zero bytes. Complementing the data costs
/// nothing like this.
type Rows<const WORDS: usize> = [[Remainder<WORDS>; 256]; SLICES];

/// Room for 2 `T` field elements: syndromes, or the coefficients of a locator.
type Elements<const T: usize> = [[u16; 2]; T];

/// A code that has its tables in a `static`. They are a trait since a `static` cannot be generic.
pub trait Tabled<const WORDS: usize> {
    /// The tables of the encoder.
    fn rows() -> &'static Rows<WORDS>;
}

macro_rules! tabled {
    ($($code:ty, $words:literal;)*) => {$(
        impl Tabled<$words> for $code {
            fn rows() -> &'static Rows<$words> {
                static ROWS: Rows<$words> = <$code>::build_rows();
                &ROWS
            }
        }
    )*};
}

tabled! {
    Bch4, 1;
    Bch8, 2;
    Bch16, 4;
    Bch24, 5;
}

impl<F: Field, const T: usize, const WORDS: usize, const PARITY: usize> Bch<F, T, WORDS, PARITY> {
    /// Parity bytes of a codeword.
    pub const PARITY_BYTES: usize = PARITY;

    /// The most data bytes a codeword has room for. The fewest are none.
    pub const DATA_BYTES_MAX: usize = (F::ORDER as usize - Self::PARITY_BITS) / 8;

    /// How many wrong bits the code repairs, parity included.
    pub const CORRECTABLE_BITS: u32 = T as u32;

    const PARITY_BITS: usize = F::M as usize * T;

    /// The bits of the last parity byte that belong to no codeword.
    const PADDING: u8 = ((1u16 << (8 * PARITY - Self::PARITY_BITS)) - 1) as u8;

    /// The generator polynomial without its leading term: the product of the minimal polynomials of α, α³, …,
    /// α^(2T-1).
    ///
    /// Polynomials are written here as `1 + fraction`, divided by their leading power; the fractions are left-
    /// aligned.
    const fn generator() -> Remainder<WORDS> {
        assert!(WORDS == Self::PARITY_BITS.div_ceil(64) && PARITY == Self::PARITY_BITS.div_ceil(8));
        let mut generator = [0u64; WORDS];
        let mut root: u16 = 2;
        let mut factor = 0;
        while factor < T {
            let minimal = Self::minimal_polynomial(root);
            let mut sum = generator;
            let mut shift = 1;
            while shift <= F::M as usize {
                if (minimal >> (F::M as usize - shift)) & 1 == 1 {
                    sum = Self::plus_shifted(sum, generator, shift);
                }
                shift += 1;
            }
            generator = sum;
            root = product(F::M, F::POLY, root, product(F::M, F::POLY, 2, 2));
            factor += 1;
        }
        generator
    }

    /// The minimal polynomial over GF(2) of `root`, which must be in no smaller field, without its leading term.
    const fn minimal_polynomial(root: u16) -> u16 {
        // (x + root) (x + root²) (x + root⁴) …, lowest power first.
        let mut coefficients = [0u16; 17];
        coefficients[0] = 1;
        let mut conjugate = root;
        let mut degree = 0;
        while degree < F::M as usize {
            let mut i = degree + 1;
            while i > 0 {
                coefficients[i] =
                    coefficients[i - 1] ^ product(F::M, F::POLY, conjugate, coefficients[i]);
                i -= 1;
            }
            coefficients[0] = product(F::M, F::POLY, conjugate, coefficients[0]);
            conjugate = product(F::M, F::POLY, conjugate, conjugate);
            degree += 1;
            assert!(conjugate != root || degree == F::M as usize);
        }
        let mut bits = 0;
        let mut i = 0;
        while i < F::M as usize {
            assert!(coefficients[i] <= 1);
            bits |= coefficients[i] << i;
            i += 1;
        }
        bits
    }

    /// `sum` + (1 + `fraction`) x^-`shift`
    const fn plus_shifted(
        mut sum: Remainder<WORDS>,
        fraction: Remainder<WORDS>,
        shift: usize,
    ) -> Remainder<WORDS> {
        // 1 ≤ shift ≤ 16, and a fraction has at least one word.
        sum[0] ^= 1 << (64 - shift);
        let mut word = 0;
        while word < WORDS {
            sum[word] ^= fraction[word] >> shift;
            if word > 0 {
                sum[word] ^= fraction[word - 1] << (64 - shift);
            }
            word += 1;
        }
        sum
    }

    /// The tables of the encoder, as its `static` holds them.
    const fn build_rows() -> Rows<WORDS> {
        let generator = Self::generator();
        let mut rows = [[[0u64; WORDS]; 256]; SLICES];
        let mut byte = 0;
        while byte < 256 {
            let mut remainder = [0u64; WORDS];
            remainder[0] = (!byte as u64) << 56;
            let mut bit = 0;
            while bit < 8 {
                let out = remainder[0] >> 63;
                remainder = Self::shifted(remainder, 1);
                if out == 1 {
                    let mut word = 0;
                    while word < WORDS {
                        remainder[word] ^= generator[word];
                        word += 1;
                    }
                }
                bit += 1;
            }
            rows[0][byte] = remainder;
            byte += 1;
        }
        let mut slice = 1;
        while slice < SLICES {
            byte = 0;
            while byte < 256 {
                let before = rows[slice - 1][byte];
                let mut remainder = Self::shifted(before, 8);
                let out = (!(before[0] >> 56) & 0xff) as usize;
                let mut word = 0;
                while word < WORDS {
                    remainder[word] ^= rows[0][out][word];
                    word += 1;
                }
                rows[slice][byte] = remainder;
                byte += 1;
            }
            slice += 1;
        }
        rows
    }

    /// `remainder` moved up by `bits`, 1 to 63; what leaves it at the top is lost.
    const fn shifted(mut remainder: Remainder<WORDS>, bits: u32) -> Remainder<WORDS> {
        let mut word = 0;
        while word < WORDS {
            remainder[word] <<= bits;
            if word + 1 < WORDS {
                remainder[word] |= remainder[word + 1] >> (64 - bits);
            }
            word += 1;
        }
        remainder
    }
}

impl<F: Field, const T: usize, const WORDS: usize, const PARITY: usize> Bch<F, T, WORDS, PARITY>
where
    Self: Tabled<WORDS>,
{
    /// An encoder that has seen no data yet.
    #[must_use]
    pub const fn encoder() -> Encoder<F, T, WORDS, PARITY> {
        Encoder {
            remainder: [0; WORDS],
            data_bytes: 0,
            code: PhantomData,
        }
    }

    /// The parity of `data`.
    ///
    /// Beyond [`DATA_BYTES_MAX`](Self::DATA_BYTES_MAX) it is a checksum that [`decode`](Self::decode) refuses.
    #[must_use]
    pub fn encode(data: &[u8]) -> [u8; PARITY] {
        let mut encoder = Self::encoder();
        encoder.update(data);
        encoder.finish()
    }

    /// Whether `data` and `parity` are a codeword as they stand. The padding of the parity is not looked at.
    #[must_use]
    pub fn check(data: &[u8], parity: &[u8; PARITY]) -> bool {
        let mut encoder = Self::encoder();
        encoder.update(data);
        encoder.matches(parity)
    }

    /// Repairs `data` and `parity` in place and returns how many bits were wrong.
    ///
    /// After `Ok` they are a codeword, padding included; flipped padding bits are set again without being counted.
    /// More wrong bits than [`CORRECTABLE_BITS`](Self::CORRECTABLE_BITS) may, rarely, turn into a codeword that
    /// was
    /// never written: for four bits over 512 bytes about once in 365 times. A checksum inside the data finds that.
    ///
    /// # Errors
    ///
    /// [`Uncorrectable`] if no codeword is near enough, or `data` is longer than
    /// [`DATA_BYTES_MAX`](Self::DATA_BYTES_MAX). Nothing was changed then.
    pub fn decode(data: &mut [u8], parity: &mut [u8; PARITY]) -> Result<u32, Uncorrectable> {
        Self::decode_parts(&mut [data], parity)
    }

    /// [`decode`](Self::decode) of data that lies in several places, one after the other.
    ///
    /// # Errors
    ///
    /// As those of [`decode`](Self::decode).
    pub fn decode_parts(
        parts: &mut [&mut [u8]],
        parity: &mut [u8; PARITY],
    ) -> Result<u32, Uncorrectable> {
        let mut encoder = Self::encoder();
        for part in parts.iter() {
            encoder.update(part);
        }
        let data_bits = encoder.data_bytes.checked_mul(8).ok_or(Uncorrectable)?;
        let bits = data_bits
            .checked_add(Self::PARITY_BITS)
            .ok_or(Uncorrectable)?;
        let bits_u32 = u32::try_from(bits).map_err(|_| Uncorrectable)?;
        if bits_u32 > F::ORDER {
            return Err(Uncorrectable);
        }
        let difference = encoder.difference(parity);
        let errors = if difference == [0; WORDS] {
            Errors::none()
        } else {
            Self::locate(&difference, bits_u32)?
        };
        for &degree in errors.degrees() {
            // Below `bits`, as `locate` promises.
            let bit = bits - 1 - degree as usize;
            if let Some(wrong) = byte_at(parts, parity, bit / 8) {
                *wrong ^= 0x80 >> (bit % 8);
            }
        }
        if let Some(last) = parity.last_mut() {
            *last |= Self::PADDING;
        }
        Ok(errors.count)
    }

    /// Finds the at most `T` wrong bits that explain `difference`, all of a degree below `bits`.
    fn locate(difference: &Remainder<WORDS>, bits: u32) -> Result<Errors<T>, Uncorrectable> {
        let mut odd = [0u16; T];
        for (word, &value) in (0u32..).zip(difference) {
            let mut rest = value;
            while rest != 0 {
                let lead = rest.leading_zeros();
                rest ^= (1 << 63) >> lead;
                // In range: bits below the padding are never set in a difference.
                add_odd_powers::<F>(Self::PARITY_BITS as u32 - 1 - (64 * word + lead), &mut odd);
            }
        }
        let mut errors = Errors::none();
        match few_errors::<F>(&odd) {
            Some(FewErrors::One(locator)) => errors.extend::<F>(&[locator], 0..bits)?,
            Some(FewErrors::Two(locators)) => errors.extend::<F>(&locators, 0..bits)?,
            None => {
                let (mut locator, degree) = locator_polynomial::<F, T>(&odd)?;
                let coefficients = locator
                    .as_flattened_mut()
                    .get_mut(..=degree)
                    .ok_or(Uncorrectable)?;
                errors = search_roots::<F, T>(coefficients, bits)?;
            }
        }
        Ok(errors)
    }
}

/// Parity in the making, for data that comes in several pieces.
#[derive(Debug, Clone)]
pub struct Encoder<F, const T: usize, const WORDS: usize, const PARITY: usize> {
    remainder: Remainder<WORDS>,
    /// Saturates; what would is far beyond any code.
    data_bytes: usize,
    code: PhantomData<Bch<F, T, WORDS, PARITY>>,
}

impl<F: Field, const T: usize, const WORDS: usize, const PARITY: usize> Encoder<F, T, WORDS, PARITY>
where
    Bch<F, T, WORDS, PARITY>: Tabled<WORDS>,
{
    /// Goes on with `data`. Pieces of a multiple of eight bytes are fastest.
    pub fn update(&mut self, data: &[u8]) {
        let rows = Bch::<F, T, WORDS, PARITY>::rows();
        let mut remainder = self.remainder;
        let tail = if SLICES == 8 {
            let (chunks, tail) = data.split_at(data.len() - data.len() % 8);
            for chunk in chunks.chunks_exact(8) {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(chunk);
                let top = remainder[0] ^ u64::from_be_bytes(bytes);
                remainder.copy_within(1.., 0);
                remainder[WORDS - 1] = 0;
                // Shifts keep the byte swap of the data out of the chain from one step to the next.
                for (row, slice) in rows.iter().zip(0..) {
                    add(
                        &mut remainder,
                        &row[usize::from((top >> (8 * slice)) as u8)],
                    );
                }
            }
            tail
        } else {
            data
        };
        for byte in tail {
            let top = (remainder[0] >> 56) as u8 ^ byte;
            remainder = Bch::<F, T, WORDS, PARITY>::shifted(remainder, 8);
            add(&mut remainder, &rows[0][usize::from(top)]);
        }
        self.remainder = remainder;
        self.data_bytes = self.data_bytes.saturating_add(data.len());
    }

    /// The parity of all data so far.
    #[must_use]
    pub fn finish(&self) -> [u8; PARITY] {
        let mut parity = [0; PARITY];
        for (byte, value) in parity
            .iter_mut()
            .zip(self.remainder.iter().flat_map(|word| word.to_be_bytes()))
        {
            *byte = !value;
        }
        parity
    }

    /// Whether all data so far and `parity` are a codeword. The padding of the parity is not looked at.
    #[must_use]
    pub fn matches(&self, parity: &[u8; PARITY]) -> bool {
        self.data_bytes <= Bch::<F, T, WORDS, PARITY>::DATA_BYTES_MAX
            && self.difference(parity) == [0; WORDS]
    }

    /// The remainder of what was read, data and parity, which is that of its errors alone.
    fn difference(&self, parity: &[u8; PARITY]) -> Remainder<WORDS> {
        let mut difference = self.remainder;
        for (word, chunk) in difference.iter_mut().zip(parity.chunks(8)) {
            let mut bytes = [0xff; 8];
            for (to, from) in bytes.iter_mut().zip(chunk) {
                *to = *from;
            }
            *word ^= !u64::from_be_bytes(bytes);
        }
        // The padding, and with it everything the last word has no parity bits for.
        let spare = 64 * WORDS - Bch::<F, T, WORDS, PARITY>::PARITY_BITS;
        difference[WORDS - 1] &= u64::MAX << spare;
        difference
    }
}

/// The byte of a codeword at `index`, counted through the parts of its data and on through its parity.
fn byte_at<'a>(
    parts: &'a mut [&mut [u8]],
    parity: &'a mut [u8],
    mut index: usize,
) -> Option<&'a mut u8> {
    for part in parts {
        if index < part.len() {
            return part.get_mut(index);
        }
        index -= part.len();
    }
    parity.get_mut(index)
}

fn add<const WORDS: usize>(to: &mut Remainder<WORDS>, from: &Remainder<WORDS>) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}

/// Wrong bits, each by the power of x that it is the coefficient of.
struct Errors<const T: usize> {
    degrees: [u32; T],
    count: u32,
}

impl<const T: usize> Errors<T> {
    const fn none() -> Self {
        Self {
            degrees: [0; T],
            count: 0,
        }
    }

    /// Adds the errors with these locators, each of which must be α to one of `powers`.
    fn extend<F: Field>(
        &mut self,
        locators: &[u16],
        powers: Range<u32>,
    ) -> Result<(), Uncorrectable> {
        locators
            .iter()
            .try_for_each(|&locator| self.push(F::log(locator), powers.clone()))
    }

    /// Adds the bit at `degree`, unless it is outside, as are those that a shortened codeword does not have.
    fn push(&mut self, degree: u32, degrees: Range<u32>) -> Result<(), Uncorrectable> {
        if !degrees.contains(&degree) {
            return Err(Uncorrectable);
        }
        *self
            .degrees
            .get_mut(self.count as usize)
            .ok_or(Uncorrectable)? = degree;
        self.count += 1;
        Ok(())
    }

    fn degrees(&self) -> &[u32] {
        self.degrees
            .get(..self.count as usize)
            .unwrap_or(&self.degrees)
    }
}

/// The locators of one or two errors.
enum FewErrors {
    One(u16),
    Two([u16; 2]),
}

/// Solves for one error, then for two. `odd` are the syndromes S1, S3, S5, …; the answer explains all of them.
fn few_errors<F: Field>(odd: &[u16]) -> Option<FewErrors> {
    let (&s1, higher) = odd.split_first()?;
    let (&s3, higher) = higher.split_first()?;
    if s1 == 0 {
        return None;
    }
    let square = F::square(s1);
    let cube = F::mul(square, s1);
    if s3 == cube {
        let mut power = cube;
        for &syndrome in higher {
            power = F::mul(power, square);
            if syndrome != power {
                return None;
            }
        }
        return Some(FewErrors::One(s1));
    }
    // S3 = X³ + Y³ = (X + Y)³ + X Y (X + Y), where X + Y = S1.
    let [x, y] = roots_of_quadratic::<F>(s1, F::div(s3 ^ cube, s1))?;
    let squares = [F::square(x), F::square(y)];
    let mut powers = [F::mul(squares[0], x), F::mul(squares[1], y)];
    for &syndrome in higher {
        powers = [F::mul(powers[0], squares[0]), F::mul(powers[1], squares[1])];
        if syndrome != powers[0] ^ powers[1] {
            return None;
        }
    }
    Some(FewErrors::Two([x, y]))
}

/// Berlekamp–Massey without inversions, for a binary code: the polynomial whose coefficients c0, c1, … make
/// c0 x^L + c1 x^(L-1) + … + cL vanish at the locators of all L errors, and L.
///
/// `odd` are the syndromes S1, S3, S5, …. In a binary code every second discrepancy is 0, so that a round does two
/// steps of the general algorithm.
fn locator_polynomial<F: Field, const T: usize>(
    odd: &[u16; T],
) -> Result<(Elements<T>, usize), Uncorrectable> {
    // syndromes[j - 1] is Sj, with S2j = Sj².
    let mut syndromes: Elements<T> = [[0; 2]; T];
    for (pair, &syndrome) in syndromes.iter_mut().zip(odd) {
        pair[0] = syndrome;
    }
    let syndromes = syndromes.as_flattened_mut();
    for j in 1..=T {
        syndromes[2 * j - 1] = F::square(syndromes[j - 1]);
    }

    let mut locator: Elements<T> = [[0; 2]; T];
    locator[0][0] = 1;
    // The locator before its length changed last, its discrepancy then, and how far it has to be moved up.
    let mut previous = locator;
    let mut previous_discrepancy = 1;
    let mut shift = 1;
    let mut errors = 0;
    for round in 0..T {
        let current = locator;
        let discrepancy = current
            .as_flattened()
            .iter()
            .take(errors + 1)
            .zip(syndromes[..=2 * round].iter().rev())
            .fold(0, |sum, (&c, &s)| sum ^ F::mul(c, s));
        if discrepancy == 0 {
            shift += 2;
            continue;
        }
        for c in locator.as_flattened_mut() {
            *c = F::mul(previous_discrepancy, *c);
        }
        for (c, &p) in locator
            .as_flattened_mut()
            .iter_mut()
            .skip(shift)
            .zip(previous.as_flattened())
        {
            *c ^= F::mul(discrepancy, p);
        }
        if errors <= round {
            errors = 2 * round + 1 - errors;
            if errors > T {
                return Err(Uncorrectable);
            }
            previous = current;
            previous_discrepancy = discrepancy;
            shift = 0;
        }
        shift += 2;
    }
    // A polynomial of a lower degree has fewer roots than there are errors.
    if errors == 0
        || locator
            .as_flattened()
            .get(errors)
            .is_none_or(|&last| last == 0)
    {
        return Err(Uncorrectable);
    }
    Ok((locator, errors))
}

/// The errors at the roots of a polynomial, highest power first; all of its roots must be different and below
/// `bits`.
///
/// Chien's search, dividing out each root it finds, until four are left.
fn search_roots<F: Field, const T: usize>(
    coefficients: &mut [u16],
    bits: u32,
) -> Result<Errors<T>, Uncorrectable> {
    let mut errors = Errors::none();
    let mut rest = coefficients;
    let mut start = 0;
    while rest.len() > 5 {
        let degree = next_root::<F, T>(rest, start..bits).ok_or(Uncorrectable)?;
        errors.push(degree, start..bits)?;
        let root = F::exp(degree);
        let mut quotient = 0;
        for c in rest.iter_mut() {
            quotient = *c ^ F::mul(root, quotient);
            *c = quotient;
        }
        // The last is the remainder, 0.
        rest = rest.split_last_mut().ok_or(Uncorrectable)?.1;
        start = degree + 1;
    }
    let (&mut lead, rest) = rest.split_first_mut().ok_or(Uncorrectable)?;
    for c in rest.iter_mut() {
        *c = F::div(*c, lead);
    }
    // A root below `start` can only be one that was found before, a second time.
    match *rest {
        [a] => errors.extend::<F>(&[a], start..bits)?,
        [a, b] => errors.extend::<F>(
            &roots_of_quadratic::<F>(a, b).ok_or(Uncorrectable)?,
            start..bits,
        )?,
        [a, b, c] => errors.extend::<F>(
            &roots_of_cubic::<F>(a, b, c).ok_or(Uncorrectable)?,
            start..bits,
        )?,
        [a, b, c, d] => errors.extend::<F>(
            &roots_of_quartic::<F>(a, b, c, d).ok_or(Uncorrectable)?,
            start..bits,
        )?,
        _ => return Err(Uncorrectable),
    }
    Ok(errors)
}

/// The first of `powers` of α at which the polynomial is 0. It has at most T + 1 coefficients.
fn next_root<F: Field, const T: usize>(
    coefficients: &[u16],
    mut powers: Range<u32>,
) -> Option<u32> {
    let (&constant, higher) = coefficients.split_last()?;
    let mut terms = [Term::<F>::new(1, 0, 0); T];
    let mut count = 0;
    for (exponent, &coefficient) in (1u32..).zip(higher.iter().rev()) {
        if coefficient != 0 {
            *terms.get_mut(count)? = Term::new(coefficient, exponent, powers.start);
            count += 1;
        }
    }
    let terms = terms.get_mut(..count)?;
    powers.find(|_| {
        terms
            .iter_mut()
            .fold(constant, |sum, term| sum ^ term.next())
            == 0
    })
}

#[cfg(test)]
mod tests;
