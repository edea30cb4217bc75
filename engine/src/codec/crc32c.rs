//! A code that finds errors and repairs none: CRC-32C.

use crc::{Crc, NoTable, CRC_32_ISCSI};

use super::code::{Code, CodeError, Corrections};
use super::crc::CRC32C;

/// Data bytes of the codewords it is meant for.
const DATA_BYTES: usize = 512;

/// What turns the CRC of [`DATA_BYTES`] ones into ones.
const MASK: u32 = !Crc::<u32, NoTable>::new(&CRC_32_ISCSI).checksum(&[0xff; DATA_BYTES]);

/// CRC-32C (Castagnoli, as in iSCSI), for parts that correct errors themselves.
///
/// The parity is the CRC, least significant byte first, XORed with a mask chosen by the length of the data such that the parity
/// of ones is ones. For another length than 512 bytes finding the mask takes as long as the CRC.
///
/// # Guarantees
/// Finds any five wrong bits in up to 651 bytes of data and any three in any data; of other patterns 2⁻³² go unnoticed
/// (Koopman, "32-bit cyclic redundancy codes for Internet applications", DSN 2002).
#[derive(Debug, Clone, Copy, Default)]
pub struct Crc32c;

fn parity(data: &[u8]) -> [u8; 4] {
    let mask = if data.len() == DATA_BYTES {
        MASK
    } else {
        let ones = [0xff; 64];
        let mut digest = CRC32C.digest();
        for chunk in data.chunks(ones.len()) {
            digest.update(&ones[..chunk.len()]);
        }
        !digest.finalize()
    };
    (CRC32C.checksum(data) ^ mask).to_le_bytes()
}

impl Code for Crc32c {
    fn name(&self) -> &'static str {
        "crc"
    }

    fn data_bytes(&self) -> usize {
        DATA_BYTES
    }

    fn data_bytes_max(&self) -> usize {
        usize::MAX
    }

    fn parity_bits(&self) -> usize {
        32
    }

    fn strength(&self) -> u32 {
        0
    }

    fn encode(&self, data: &[u8], to: &mut [u8]) -> Result<(), CodeError> {
        let to: &mut [u8; 4] = to.try_into().map_err(|_| CodeError::Length)?;
        *to = parity(data);
        Ok(())
    }

    fn is_clean(&self, data: &[u8], read: &[u8]) -> bool {
        parity(data) == read
    }

    fn decode(&self, data: &mut [u8], read: &mut [u8]) -> Result<Corrections, CodeError> {
        if read.len() != 4 {
            return Err(CodeError::Length);
        }
        if !self.is_clean(data, read) {
            return Err(CodeError::Uncorrectable);
        }
        Ok(Corrections::none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parity_is_the_published_crc_up_to_a_mask_by_length() {
        let difference =
            |a: &[u8], b: &[u8]| u32::from_le_bytes(parity(a)) ^ u32::from_le_bytes(parity(b));
        // The check value that is published with the algorithm.
        let zeros = [0; 9];
        assert_eq!(
            difference(b"123456789", &zeros),
            0xE306_9283 ^ CRC32C.checksum(&zeros)
        );
        assert_eq!(parity(&[0xff; DATA_BYTES]), [0xff; 4]);
        assert_eq!(parity(&[0xff; DATA_BYTES + 1]), [0xff; 4]);
        assert_eq!(parity(&[]), [0xff; 4]);
    }
}
