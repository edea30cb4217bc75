//! How a part tells what its error correction did: the data sheets' tables, from counts to bits. The driver reads them the other way round, and has
//! its own.

use cuesta_hal::spi_nand::EccStatus;
use cuesta_hal::ReadStatus;

/// The registers after a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct EccCode {
    /// Bits 4 to 6 of the status register.
    pub(super) status: u8,
    /// Register `0x30`.
    pub(super) corrected_max: u8,
    /// Register `0xF0`.
    pub(super) status_2: u8,
    /// What command `0x7C` answers.
    pub(super) answer: u8,
}

impl EccCode {
    pub(super) fn of(coding: EccStatus, read: ReadStatus) -> Self {
        let ReadStatus::Ok(outcome) = read else {
            let code = if coding == EccStatus::ThreeBits { 7 } else { 2 };
            return Self {
                status: code << 4,
                answer: 0x0F,
                ..Self::default()
            };
        };
        let bits = outcome.corrected_bits_max;
        let (code, second) = match (coding, bits) {
            (_, 0) => (0, 0),
            (EccStatus::CorrectedMax, 5..) => (3, 0),
            (EccStatus::SevenOrEight | EccStatus::FourToEight, 8..) => (3, 0),
            (EccStatus::FourToEight, _) => (1, bits.max(4) - 4),
            (EccStatus::OneToFour, _) => (1, bits.min(4) - 1),
            (EccStatus::ThreeBits, 4..) => (bits - 2, 0),
            (EccStatus::Micron, 4..=6) => (3, 0),
            (EccStatus::Micron, 7..) => (5, 0),
            _ => (1, 0),
        };
        Self {
            status: code << 4,
            corrected_max: bits << 4,
            status_2: second << 4,
            answer: bits,
        }
    }
}
