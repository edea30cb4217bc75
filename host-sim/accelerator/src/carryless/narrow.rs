//! The kernels on 128-bit vectors: a group of chunks at a time.

use std::arch::x86_64::{
    __m128i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_loadu_si128,
    _mm_set1_epi8, _mm_set_epi8, _mm_setzero_si128, _mm_shuffle_epi32, _mm_shuffle_epi8,
    _mm_unpackhi_epi64, _mm_unpacklo_epi64, _mm_xor_si128,
};

use super::kernel::kernel;
use super::places::{Places, Slot};
use super::{Steps, Sum, STEP, SUM_WORDS};

type Vector = __m128i;

const UNITS: usize = 2;

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn zero() -> Vector {
    _mm_setzero_si128()
}

/// Sixteen bytes as two words, the second in memory lowest, complemented.
#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn load(bytes: &[u8; STEP], at: usize) -> Vector {
    let mut own = [0; 16];
    own.copy_from_slice(&bytes[at..at + 16]);
    // SAFETY: the array is as long as what is loaded, which need not be aligned.
    let loaded = unsafe { _mm_loadu_si128(own.as_ptr().cast()) };
    let reversal = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm_xor_si128(_mm_shuffle_epi8(loaded, reversal), _mm_set1_epi8(-1))
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn chunks(bytes: &[u8; STEP], unit: usize) -> [Vector; 2] {
    [load(bytes, 32 * unit), load(bytes, 32 * unit + 16)]
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn constant(slot: &Slot, unit: usize) -> Vector {
    // SAFETY: the pair is as long as what is loaded, which need not be aligned.
    unsafe { _mm_loadu_si128(slot[unit].as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn sum(a: Vector, b: Vector) -> Vector {
    _mm_xor_si128(a, b)
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn low_words(a: Vector, b: Vector) -> Vector {
    _mm_unpacklo_epi64(a, b)
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn high_words(a: Vector, b: Vector) -> Vector {
    _mm_unpackhi_epi64(a, b)
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn swapped(a: Vector) -> Vector {
    _mm_shuffle_epi32::<0x4e>(a)
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn product<const IMM: i32>(a: Vector, b: Vector) -> Vector {
    _mm_clmulepi64_si128::<IMM>(a, b)
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn words(a: Vector) -> [u64; 2] {
    [
        _mm_cvtsi128_si64(a).cast_unsigned(),
        _mm_extract_epi64::<1>(a).cast_unsigned(),
    ]
}

kernel!("pclmulqdq,ssse3,sse4.1");
