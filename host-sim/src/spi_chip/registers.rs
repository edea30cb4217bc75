//! The feature registers that are written.

use cuesta_hal::spi_nand::{register, SpiNandChip};

/// Protection bits of all vendors: BP0 to BP3 (Winbond W25N01GV data sheet, protection register; the others have the lower three).
const PROTECTING: u8 = 0x78;

/// Protection and configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Registers {
    pub(super) protection: u8,
    pub(super) configuration: u8,
}

impl Registers {
    /// As after power-up: everything protected, the part's own ECC on (Winbond W25N01GV data sheet, "Default values of the status registers"; the values
    /// are unchecked; Linux unlocks and configures all parts alike after a reset).
    pub(super) const fn at_power_up(chip: &SpiNandChip) -> Self {
        let winbond = chip.has_buffer_mode;
        Self {
            protection: if winbond { 0x7C } else { 0x38 },
            configuration: if winbond {
                register::ECC_ENABLE | register::BUFFER_MODE
            } else {
                register::ECC_ENABLE
            },
        }
    }

    /// As after the reset command: the one-time area is left; protection and configuration stay (the same table; unchecked).
    pub(super) const fn reset(&mut self) {
        self.configuration &= !register::OTP_ENABLE;
    }

    /// Takes a new configuration. Bits that lock something for ever stay 0, and so do those that the part does not have.
    pub(super) const fn configure(&mut self, chip: &SpiNandChip, value: u8) {
        let winbond = if chip.has_buffer_mode {
            register::BUFFER_MODE
        } else {
            0
        };
        // Bit 0 is the quad enable of GigaDevice, Macronix and Kioxia.
        self.configuration = value & (register::OTP_ENABLE | register::ECC_ENABLE | winbond | 1);
    }

    pub(super) const fn is_protected(self) -> bool {
        self.protection & PROTECTING != 0
    }

    pub(super) const fn has_ecc(self) -> bool {
        self.configuration & register::ECC_ENABLE != 0
    }

    pub(super) const fn shows_one_time_area(self) -> bool {
        self.configuration & register::OTP_ENABLE != 0
    }
}
