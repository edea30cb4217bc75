//! Codewords of every code.

use cuesta::codec::{Code, CodeError, Ecc};

use crate::input::Input;

/// A codeword: arbitrary, or one that was encoded and then damaged.
pub fn codeword(input: &mut Input<'_>) {
    let code = input.of(&Ecc::ALL).portable();
    let of_any_bytes = input.flag();
    let flips = usize::from(input.u8());
    let flipped: Vec<u16> = (0..flips).map(|_| input.u16()).collect();
    if of_any_bytes {
        let parity = input.string().to_vec();
        any(code, input.rest(), &parity);
    } else {
        damaged(code, input.rest(), &flipped);
    }
}

/// Bytes that need be no codeword, of lengths that need not fit.
fn any(code: &dyn Code, data: &[u8], parity: &[u8]) {
    let (mut own, mut own_parity) = (data.to_vec(), parity.to_vec());
    let _ = code.erased_zeros(data, parity);
    let clean = code.is_clean(data, parity);
    match code.decode(&mut own, &mut own_parity) {
        Ok(found) => {
            assert!(code.is_clean(&own, &own_parity));
            assert!(found.count() <= code.strength());
            assert!(!clean || found.count() == 0);
        }
        Err(error) => {
            assert!(!clean);
            assert_eq!((&own[..], &own_parity[..]), (data, parity));
            let fits = data.len() <= code.data_bytes_max() && parity.len() == code.parity_bytes();
            assert_eq!(error == CodeError::Length, !fits);
        }
    }
}

/// As many wrong bits as the code repairs are repaired; of more, what is returned is a codeword or untouched.
fn damaged(code: &dyn Code, data: &[u8], flipped: &[u16]) {
    let mut parity = vec![0; code.parity_bytes()];
    if code.encode(data, &mut parity).is_err() {
        assert!(data.len() > code.data_bytes_max());
        return;
    }
    let (mut own, mut own_parity) = (data.to_vec(), parity.clone());
    let bits = data.len() * 8 + code.parity_bits();
    let mut wrong: Vec<usize> = flipped.iter().map(|&bit| usize::from(bit) % bits).collect();
    wrong.sort_unstable();
    wrong.dedup();
    for bit in &wrong {
        let (byte, mask) = (bit / 8, 0x80 >> (bit % 8));
        match byte.checked_sub(data.len()) {
            None => own[byte] ^= mask,
            Some(byte) => own_parity[byte] ^= mask,
        }
    }
    let read = (own.clone(), own_parity.clone());
    let decoded = code.decode(&mut own, &mut own_parity);
    if wrong.len() <= code.strength() as usize {
        let found = decoded.map(|found| found.count() as usize);
        assert_eq!(found, Ok(wrong.len()));
        assert_eq!((&own[..], &own_parity), (data, &parity));
    } else if decoded.is_ok() {
        assert!(code.is_clean(&own, &own_parity));
    } else {
        assert_eq!((own, own_parity), read);
    }
}
