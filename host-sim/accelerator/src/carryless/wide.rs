//! The kernels on 256-bit vectors: both groups of a step at a time.

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi8, _mm256_setr_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi32, _mm256_shuffle_epi8, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64,
    _mm256_xor_si256, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_xor_si128,
};

use super::kernel::kernel;
use super::places::{Places, Slot};
use super::{Steps, Sum, STEP, SUM_WORDS};

type Vector = __m256i;

const UNITS: usize = 1;

#[inline]
#[target_feature(enable = "avx2")]
fn zero() -> Vector {
    _mm256_setzero_si256()
}

/// Twice sixteen bytes as two words, the second in memory lowest, complemented.
#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; STEP], at: usize) -> Vector {
    let mut own = [0; 32];
    own.copy_from_slice(&bytes[at..at + 32]);
    // SAFETY: the array is as long as what is loaded, which need not be aligned.
    let loaded = unsafe { _mm256_loadu_si256(own.as_ptr().cast()) };
    #[rustfmt::skip]
    let reversal = _mm256_setr_epi8(
        15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
        15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    );
    _mm256_xor_si256(_mm256_shuffle_epi8(loaded, reversal), _mm256_set1_epi8(-1))
}

#[inline]
#[target_feature(enable = "avx2")]
fn chunks(bytes: &[u8; STEP], _unit: usize) -> [Vector; 2] {
    let (upper, lower) = (load(bytes, 0), load(bytes, 32));
    [
        _mm256_permute2x128_si256::<0x20>(upper, lower),
        _mm256_permute2x128_si256::<0x31>(upper, lower),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn constant(slot: &Slot, _unit: usize) -> Vector {
    // SAFETY: the slot is as long as what is loaded, which need not be aligned.
    unsafe { _mm256_loadu_si256(slot.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn sum(a: Vector, b: Vector) -> Vector {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn low_words(a: Vector, b: Vector) -> Vector {
    _mm256_unpacklo_epi64(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn high_words(a: Vector, b: Vector) -> Vector {
    _mm256_unpackhi_epi64(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn swapped(a: Vector) -> Vector {
    _mm256_shuffle_epi32::<0x4e>(a)
}

/// The intrinsic of this instruction needs a newer compiler than the workspace does.
#[inline]
#[target_feature(enable = "avx2")]
fn product<const IMM: i32>(a: Vector, b: Vector) -> Vector {
    let product: Vector;
    // SAFETY: `products` is called on processors that have the instruction; it has no effect but on its result.
    unsafe {
        asm!(
            "vpclmulqdq {}, {}, {}, {}",
            lateout(ymm_reg) product,
            in(ymm_reg) a,
            in(ymm_reg) b,
            const IMM,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    product
}

#[inline]
#[target_feature(enable = "avx2")]
fn words(a: Vector) -> [u64; 2] {
    let folded = _mm_xor_si128(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
    [
        _mm_cvtsi128_si64(folded).cast_unsigned(),
        _mm_extract_epi64::<1>(folded).cast_unsigned(),
    ]
}

kernel!("avx2");
