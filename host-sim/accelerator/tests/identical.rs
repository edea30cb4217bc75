//! Every implementation of a code that this processor can run does the same.

use cuesta::codec::{CodeError, Ecc};
use cuesta_accelerator::{code, implementations};
use proptest::prelude::*;

fn any_code() -> impl Strategy<Value = Ecc> {
    proptest::sample::select(&Ecc::ALL[..])
}

fn parity_of(code: &dyn cuesta::codec::Code, data: &[u8]) -> Result<Vec<u8>, CodeError> {
    let mut parity = vec![0; code.parity_bytes()];
    code.encode(data, &mut parity)?;
    Ok(parity)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn parity_is_the_same(ecc in any_code(), data in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let expected = parity_of(ecc.portable(), &data);
        for (means, code) in implementations(ecc) {
            prop_assert_eq!(&parity_of(code, &data), &expected, "{}", means.name());
        }
        prop_assert_eq!(parity_of(code(ecc), &data), expected);
    }

    #[test]
    fn decoding_is_the_same(
        ecc in any_code(),
        data in proptest::collection::vec(any::<u8>(), 1..1200),
        flips in proptest::collection::vec(any::<prop::sample::Index>(), 0..70),
    ) {
        let portable = ecc.portable();
        prop_assume!(data.len() <= portable.data_bytes_max());
        let mut codeword = data.clone();
        codeword.extend(parity_of(portable, &data).unwrap());
        for flip in flips {
            let bit = flip.index(8 * data.len() + portable.parity_bits());
            codeword[bit / 8] ^= 0x80 >> (bit % 8);
        }
        let mut results = implementations(ecc).map(|(_, code)| {
            let mut read = codeword.clone();
            let (data, parity) = read.split_at_mut(data.len());
            let clean = code.is_clean(data, parity);
            let decoded = code.decode(data, parity);
            (clean, decoded, read)
        });
        let first = results.next();
        for other in results {
            prop_assert_eq!(Some(other), first.clone());
        }
    }
}

#[test]
fn parity_is_the_same_at_every_length() {
    let data: Vec<u8> = (0..2100u32).map(|i| (i * i / 7) as u8).collect();
    for ecc in Ecc::ALL {
        for length in 0..=ecc.portable().data_bytes_max().min(data.len()) {
            let data = &data[data.len() - length..];
            let expected = parity_of(ecc.portable(), data);
            for (means, code) in implementations(ecc) {
                let parity = parity_of(code, data);
                assert_eq!(parity, expected, "{} {} {length}", ecc.name(), means.name());
            }
        }
    }
}

#[test]
fn the_remainder_does_not_depend_on_how_the_data_is_cut_into_pieces() {
    #[cfg(target_arch = "x86_64")]
    {
        use cuesta::codec::gf::{Gf13, Gf14};
        use cuesta::codec::remainder::{Divider, OddRoots};
        use cuesta_accelerator::{Carryless, Places, WideCarryless};

        fn feed<G: Places<W>, D: Divider<G, W>, const W: usize>(
            by: D,
            pieces: &[&[u8]],
        ) -> [u64; W] {
            let mut remainder = [0; W];
            for piece in pieces {
                by.feed(&mut remainder, piece);
            }
            remainder
        }

        fn same<G: Places<W>, const W: usize>() {
            let data: Vec<u8> = (0..2500u32).map(|i| (i * i / 11) as u8).collect();
            for (length, cut) in (0..2500).step_by(31).flat_map(|length| {
                (0..length)
                    .step_by(1 + length / 7)
                    .map(move |cut| (length, cut))
            }) {
                let (head, tail) = data[..length].split_at(cut);
                let whole = [&data[..length]];
                let expected = feed::<G, _, W>(cuesta::codec::remainder::Slicing::<8>, &whole);
                if let Some(by) = Carryless::detect() {
                    assert_eq!(feed::<G, _, W>(by, &whole), expected);
                    assert_eq!(feed::<G, _, W>(by, &[head, tail]), expected);
                }
                if let Some(by) = WideCarryless::detect() {
                    assert_eq!(feed::<G, _, W>(by, &whole), expected);
                    assert_eq!(feed::<G, _, W>(by, &[head, tail]), expected);
                }
            }
        }

        same::<OddRoots<Gf13, 4>, 1>();
        same::<OddRoots<Gf13, 8>, 2>();
        same::<OddRoots<Gf13, 16>, 4>();
        same::<OddRoots<Gf13, 24>, 5>();
        same::<OddRoots<Gf14, 40>, 9>();
        same::<OddRoots<Gf14, 64>, 14>();
    }
}
