//! What the status of a read says of the part's own error correction: each vendor has bits of its own.

use super::register;

/// How a part codes its error correction's status.
///
/// Where a code stands for a range of bits, the largest one is told: a caller that refreshes in time may do so early, never late. Codes
/// that the data sheet reserves are [`EccVerdict::Uncorrectable`]: nothing vouches for the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EccStatus {
    /// Two bits: 0 clean, 1 corrected (anything up to the strength), 2 beyond; 3 beyond, in several pages of a continuous read. Winbond W25N01GV data
    /// sheet, on ECC-1 and ECC-0. On Macronix MX35LF2GE4AB, 3 is reserved (Linux `drivers/mtd/nand/spi/core.c`, the default).
    Corrected,
    /// Two bits: 0 clean, 1 and 3 corrected, 2 beyond; register `0x30` has the largest number in its upper four bits. Linux
    /// `drivers/mtd/nand/spi/winbond.c` (`w25n02kv_ecc_get_status`) and `toshiba.c` (`tx58cxgxsxraix_ecc_get_status`).
    CorrectedMax,
    /// Two bits: 0 clean, 1 up to 7, 3 exactly 8, 2 beyond. Linux `drivers/mtd/nand/spi/gigadevice.c` (`gd5fxgq4xa_ecc_get_status`).
    SevenOrEight,
    /// Two bits: 0 clean, 1 up to 7, which register `0xF0` splits into 4 (or fewer), 5, 6 and 7, 3 exactly 8, 2 beyond. Linux
    /// `drivers/mtd/nand/spi/gigadevice.c` (`gd5fxgq4uexxg_ecc_get_status`).
    FourToEight,
    /// Two bits: 0 clean, 1 up to 4, which register `0xF0` splits into 1, 2, 3 and 4, 2 beyond, 3 reserved. Linux
    /// `drivers/mtd/nand/spi/gigadevice.c` (`gd5fxgq5xexxg_ecc_get_status`).
    OneToFour,
    /// Three bits: 0 clean, 1 up to 3, 2 to 6 for 4 to 8, 7 beyond. Linux `drivers/mtd/nand/spi/gigadevice.c`
    /// (`gd5fxgq4ufxxg_ecc_get_status`).
    ThreeBits,
    /// Three bits: 0 clean, 1 up to 3, 3 up to 6, 5 up to 8, 2 beyond, the others reserved. Linux `drivers/mtd/nand/spi/micron.c`
    /// (`micron_8_ecc_get_status`).
    Micron,
    /// Two bits: 0 clean, 1 corrected, 2 beyond, 3 reserved; command `0x7C` gives the largest number in its lower four bits. Linux
    /// `drivers/mtd/nand/spi/macronix.c` (`mx35lf1ge4ab_ecc_get_status`).
    CorrectedByCommand,
}

/// What the status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EccVerdict {
    /// At most this many bits were corrected in a codeword; 0 when none was wrong.
    Corrected(u8),
    /// More bits were wrong than the part corrects, in some codeword.
    Uncorrectable,
    /// Bits were corrected; how many is to be asked, and told to [`EccStatus::settle`].
    Ask(EccQuestion),
}

/// Where the number of corrected bits is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EccQuestion {
    /// In this feature register.
    Register(u8),
    /// In the answer to [`READ_ECC_STATUS`](super::opcode::READ_ECC_STATUS).
    Command,
}

impl EccStatus {
    /// Reads a status register, of a part that corrects `strength` bits.
    #[must_use]
    pub const fn decode(self, status: u8, strength: u8) -> EccVerdict {
        use EccVerdict::{Ask, Corrected, Uncorrectable};
        let (two, three) = (status >> 4 & 3, status >> 4 & 7);
        match (self, two) {
            (Self::ThreeBits, _) => match three {
                0 => Corrected(0),
                1 => Corrected(3),
                7 => Uncorrectable,
                code => Corrected(code + 2),
            },
            (Self::Micron, _) => match three {
                0 => Corrected(0),
                1 => Corrected(3),
                3 => Corrected(6),
                5 => Corrected(8),
                _ => Uncorrectable,
            },
            (_, 0) => Corrected(0),
            (_, 2) => Uncorrectable,
            (Self::Corrected, 1) => Corrected(strength),
            (Self::CorrectedMax, _) => Ask(EccQuestion::Register(register::CORRECTED_MAX)),
            (Self::SevenOrEight, 1) => Corrected(7),
            (Self::SevenOrEight | Self::FourToEight, 3) => Corrected(8),
            (Self::FourToEight | Self::OneToFour, 1) => {
                Ask(EccQuestion::Register(register::STATUS_2))
            }
            (Self::CorrectedByCommand, 1) => Ask(EccQuestion::Command),
            _ => Uncorrectable,
        }
    }

    /// The number of corrected bits, by the answer to an [`EccVerdict::Ask`].
    ///
    /// An answer that cannot be, none or more than `strength`, counts as `strength`, as in Linux.
    #[must_use]
    pub const fn settle(self, answer: u8, strength: u8) -> u8 {
        let bits = match self {
            Self::CorrectedMax => answer >> 4,
            Self::FourToEight => 4 + (answer >> 4 & 3),
            Self::OneToFour => 1 + (answer >> 4 & 3),
            Self::CorrectedByCommand => answer & 0x0F,
            _ => strength,
        };
        if bits == 0 || bits > strength {
            strength
        } else {
            bits
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EccQuestion::{Command, Register};
    use super::EccVerdict::{Ask, Corrected, Uncorrectable};
    use super::*;

    /// Every code of every part; all other bits of the register are set, as they must not matter.
    #[test]
    fn every_code_of_every_vendor() {
        use EccStatus as S;
        let ask = |register| Ask(Register(register));
        let no = Uncorrectable;
        let cases: [(EccStatus, u8, [EccVerdict; 4]); 6] = [
            (S::Corrected, 1, [Corrected(0), Corrected(1), no, no]),
            (S::CorrectedMax, 8, [Corrected(0), ask(0x30), no, ask(0x30)]),
            (
                S::SevenOrEight,
                8,
                [Corrected(0), Corrected(7), no, Corrected(8)],
            ),
            (
                S::FourToEight,
                8,
                [Corrected(0), ask(0xF0), no, Corrected(8)],
            ),
            (S::OneToFour, 4, [Corrected(0), ask(0xF0), no, no]),
            (
                S::CorrectedByCommand,
                4,
                [Corrected(0), Ask(Command), no, no],
            ),
        ];
        for (code, strength, verdicts) in cases {
            for (bits, verdict) in (0..).zip(verdicts) {
                for others in [0, 0xCF] {
                    assert_eq!(
                        code.decode(bits << 4 | others, strength),
                        verdict,
                        "{code:?} {bits}"
                    );
                }
            }
        }
        let three = [0, 3, 4, 5, 6, 7, 8].map(Corrected);
        let micron = [
            Corrected(0),
            Corrected(3),
            no,
            Corrected(6),
            no,
            Corrected(8),
            no,
            no,
        ];
        for bits in 0..8u8 {
            for others in [0, 0x8F] {
                let status = bits << 4 | others;
                let verdict = three.get(usize::from(bits)).copied().unwrap_or(no);
                assert_eq!(S::ThreeBits.decode(status, 8), verdict, "{bits}");
                assert_eq!(
                    S::Micron.decode(status, 8),
                    micron[usize::from(bits)],
                    "{bits}"
                );
            }
        }
    }

    #[test]
    fn answers_are_counts_and_nonsense_is_the_worst() {
        use EccStatus as S;
        for bits in 0..16u8 {
            let expected = |strength| {
                if bits == 0 || bits > strength {
                    strength
                } else {
                    bits
                }
            };
            assert_eq!(S::CorrectedMax.settle(bits << 4 | 0x0F, 8), expected(8));
            assert_eq!(S::CorrectedByCommand.settle(bits | 0xF0, 4), expected(4));
        }
        for bits in 0..4u8 {
            assert_eq!(S::FourToEight.settle(bits << 4 | 0xCF, 8), 4 + bits);
            assert_eq!(S::OneToFour.settle(bits << 4 | 0xCF, 4), 1 + bits);
        }
    }
}
