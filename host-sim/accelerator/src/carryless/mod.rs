//! Division by carry-less multiplication on x86-64.

mod barrett;
mod kernel;
mod narrow;
mod places;
mod wide;

use cuesta::codec::bch::{Bch16, Bch24, Bch4, Bch40, Bch64, Bch8};
use cuesta::codec::remainder::{Divider, Remainder, Slicing};
use cuesta::codec::secded::Secded;
use cuesta::codec::{Code, Ecc};

pub use places::Places;

/// Bytes that one step of a kernel takes.
const STEP: usize = 64;

/// Bytes that the constants of places reach: longer data is taken in pieces.
const REACH: usize = 1024;

/// Room for the words of the longest sum: a remainder of 14 words and 4 more.
const SUM_WORDS: usize = 18;

/// Room for the bytes that are no whole step, or that a remainder goes into.
const HEAD: usize = 192;

/// The words of a sum of products, lowest first.
type Sum = [u64; SUM_WORDS];

/// Division by 128-bit carry-less multiplication. A value proves that the processor has it.
#[derive(Debug, Clone, Copy)]
pub struct Carryless(());

/// Division by two carry-less multiplications at a time. A value proves that the processor has it.
#[derive(Debug, Clone, Copy)]
pub struct WideCarryless(());

impl Carryless {
    /// `None` if the processor lacks PCLMULQDQ or SSE 4.1.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1");
        has.then_some(Self(()))
    }
}

impl WideCarryless {
    /// `None` if the processor lacks VPCLMULQDQ or AVX2.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let has = Carryless::detect().is_some()
            && is_x86_feature_detected!("vpclmulqdq")
            && is_x86_feature_detected!("avx2");
        has.then_some(Self(()))
    }
}

/// Whole steps of data, and how many more of them lie behind.
#[derive(Debug, Clone, Copy)]
struct Steps<'a> {
    bytes: &'a [u8],
    behind: usize,
}

impl<'a> Steps<'a> {
    /// A walk over the steps that hands out `SLOTS` of their slots, from `slot` on.
    #[inline(always)]
    fn walk<G: Places<WORDS>, const WORDS: usize, const SLOTS: usize>(
        self,
        slot: usize,
    ) -> Walk<'a, SLOTS> {
        let stride = places::slots(WORDS);
        let slots = G::slots().get(self.behind * stride + slot..);
        Walk {
            bytes: self.bytes,
            slots: slots.unwrap_or(&[]),
            stride,
        }
    }
}

/// Steps with the constants of their places, the last first.
///
/// No `Iterator`: those of the standard library end up as calls here, and a call leaves no vector in its register.
struct Walk<'a, const SLOTS: usize> {
    bytes: &'a [u8],
    slots: &'static [places::Slot],
    stride: usize,
}

impl<'a, const SLOTS: usize> Walk<'a, SLOTS> {
    #[inline(always)]
    fn step(&mut self) -> Option<(&'a [u8; STEP], &'static [places::Slot; SLOTS])> {
        let (bytes, step) = self.bytes.split_last_chunk()?;
        let slots = self.slots.first_chunk()?;
        self.bytes = bytes;
        self.slots = self.slots.get(self.stride..).unwrap_or(&[]);
        Some((step, slots))
    }
}

impl<G: Places<WORDS>, const WORDS: usize> Divider<G, WORDS> for Carryless {
    #[inline]
    fn feed(&self, remainder: &mut Remainder<WORDS>, data: &[u8]) {
        divide::<G, WORDS>(*self, remainder, data, |steps| {
            // SAFETY: `self` proves that the processor has the instructions.
            unsafe { narrow::products::<G, WORDS>(steps) }
        });
    }
}

impl<G: Places<WORDS>, const WORDS: usize> Divider<G, WORDS> for WideCarryless {
    #[inline]
    fn feed(&self, remainder: &mut Remainder<WORDS>, data: &[u8]) {
        // A processor with the wide instructions has the narrow ones: `detect` asks for both.
        divide::<G, WORDS>(Carryless(()), remainder, data, |steps| {
            // SAFETY: `self` proves that the processor has the instructions.
            unsafe { wide::products::<G, WORDS>(steps) }
        });
    }
}

/// Takes data in pieces within [`REACH`]. `products` sums the products of the complemented bytes and the constants of their
/// places.
#[inline]
fn divide<G: Places<WORDS>, const WORDS: usize>(
    _proof: Carryless,
    remainder: &mut Remainder<WORDS>,
    mut data: &[u8],
    products: impl Fn(Steps<'_>) -> Sum,
) {
    while !data.is_empty() {
        // The odd piece first: those behind are of full length.
        let first = match data.len() % REACH {
            0 => REACH,
            odd => odd,
        };
        let (piece, rest) = data.split_at(first);
        data = rest;

        // What is in the remainder already belongs on top of the piece, which may be too short for it.
        let carries = *remainder != [0; WORDS];
        let carried_bytes = if carries { 8 * WORDS } else { 0 };
        if piece.len() < carried_bytes {
            Divider::<G, WORDS>::feed(&Slicing::<8>, remainder, piece);
            continue;
        }
        // The head takes all that is not a whole step, and what the remainder goes into.
        let odd = piece.len() % STEP;
        let head_bytes = odd + carried_bytes.saturating_sub(odd).next_multiple_of(STEP);
        let (head, steps) = piece.split_at(head_bytes);
        let behind = steps.len() / STEP;
        let mut sum = products(Steps {
            bytes: steps,
            behind: 0,
        });
        if !head.is_empty() {
            // Ones ahead of the data are zeros ahead of its complement, and change nothing.
            let mut padded = [0xff; HEAD];
            let end = head_bytes.next_multiple_of(STEP);
            let start = end - head_bytes;
            padded[start..end].copy_from_slice(head);
            if carries {
                let bytes = remainder.iter().flat_map(|word| word.to_be_bytes());
                for (to, from) in padded[start..].iter_mut().zip(bytes) {
                    *to ^= from;
                }
            }
            let bytes = &padded[..end];
            for (sum, more) in sum.iter_mut().zip(products(Steps { bytes, behind })) {
                *sum ^= more;
            }
        }
        // SAFETY: the proof is that the processor has the instructions.
        unsafe { barrett::reduce::<G, WORDS>(&mut sum, remainder) };
    }
}

macro_rules! by {
    ($name:ident, $means:ident) => {
        /// The code by these means, if the processor has them.
        pub(super) fn $name(ecc: Ecc) -> Option<&'static dyn Code> {
            static SECDED: Secded<$means> = Secded::with($means(()));
            static BCH4: Bch4<$means> = Bch4::with($means(()));
            static BCH8: Bch8<$means> = Bch8::with($means(()));
            static BCH16: Bch16<$means> = Bch16::with($means(()));
            static BCH24: Bch24<$means> = Bch24::with($means(()));
            static BCH40: Bch40<$means> = Bch40::with($means(()));
            static BCH64: Bch64<$means> = Bch64::with($means(()));
            // Not before the processor was asked may any of these be handed out.
            $means::detect()?;
            match ecc {
                Ecc::Crc => None,
                Ecc::Secded => Some(&SECDED),
                Ecc::Bch4 => Some(&BCH4),
                Ecc::Bch8 => Some(&BCH8),
                Ecc::Bch16 => Some(&BCH16),
                Ecc::Bch24 => Some(&BCH24),
                Ecc::Bch40 => Some(&BCH40),
                Ecc::Bch64 => Some(&BCH64),
            }
        }
    };
}

by!(narrow, Carryless);
by!(wide, WideCarryless);
