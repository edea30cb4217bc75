//! From a sum of products to a remainder.

use std::arch::x86_64::{
    __m128i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_cvtsi64_si128, _mm_extract_epi64,
};

use cuesta::codec::remainder::Remainder;

use super::places::{excess, Places};
use super::Sum;

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn product(a: u64, b: u64) -> [u64; 2] {
    let word = |value: u64| -> __m128i { _mm_cvtsi64_si128(value.cast_signed()) };
    let product = _mm_clmulepi64_si128::<0>(word(a), word(b));
    [
        _mm_cvtsi128_si64(product).cast_unsigned(),
        _mm_extract_epi64::<1>(product).cast_unsigned(),
    ]
}

/// The remainder of `sum`, which is used up, word by word from its top: the quotient is exact, as Barrett's is where nothing carries.
#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
pub(super) fn reduce<G: Places<WORDS>, const WORDS: usize>(
    sum: &mut Sum,
    remainder: &mut Remainder<WORDS>,
) {
    for low in (0..excess(WORDS)).rev() {
        let top = sum[low + WORDS];
        let quotient = top ^ product(top, G::QUOTIENT)[1];
        for (word, &factor) in G::FRACTION.iter().rev().enumerate() {
            let [below, above] = product(quotient, factor);
            sum[low + word] ^= below;
            sum[low + word + 1] ^= above;
        }
    }
    for (to, from) in remainder.iter_mut().rev().zip(sum.iter()) {
        *to = *from;
    }
}
