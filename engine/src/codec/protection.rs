//! What is asked for, and which code does it.

use cuesta_hal::{ChipEcc, EccNeed, Geometry};

use super::code::Code;
use super::ecc::Ecc;

/// What a sector is a multiple of.
pub const SECTOR_UNIT: u32 = 512;

/// The codes that metadata may be protected by, the weakest first.
pub(super) const CODES: [Ecc; 6] = [
    Ecc::Bch4,
    Ecc::Bch8,
    Ecc::Bch16,
    Ecc::Bch24,
    Ecc::Bch40,
    Ecc::Bch64,
];

/// What is known of a code without its tables: stretch, parity bytes of a stretch, strength.
pub(super) const fn sizes(ecc: Ecc) -> (u32, u32, u32) {
    match ecc {
        // The check in the header does it.
        Ecc::Crc => (SECTOR_UNIT, 0, 0),
        Ecc::Secded => (512, 2, 1),
        Ecc::Bch4 => (512, 7, 4),
        Ecc::Bch8 => (512, 13, 8),
        Ecc::Bch16 => (512, 26, 16),
        Ecc::Bch24 => (512, 39, 24),
        Ecc::Bch40 => (1024, 70, 40),
        Ecc::Bch64 => (1024, 112, 64),
    }
}

/// The implementation of a code; `None` if this build has none, or none is needed.
pub(super) fn implementation(ecc: Ecc) -> Option<&'static dyn Code> {
    match ecc {
        Ecc::Crc => None,
        Ecc::Bch4 => Some(&<super::bch::Bch4>::PORTABLE),
        #[cfg(feature = "strong-codes")]
        other => Some(other.portable()),
        #[cfg(not(feature = "strong-codes"))]
        _ => None,
    }
}

/// True when this build has what the code needs.
pub(super) fn is_built(ecc: Ecc) -> bool {
    ecc == Ecc::Crc || implementation(ecc).is_some()
}

/// The weakest code that repairs what a data sheet asks for. Over shorter stretches than it counts, errors are less even: there a code has to repair
/// as many.
pub(super) fn code_for(need: EccNeed) -> Option<Ecc> {
    let bits = u32::from(need.bits);
    let per_bytes = u32::from(need.per_bytes).max(1);
    CODES.iter().copied().find(|&ecc| {
        let (stretch, _, strength) = sizes(ecc);
        strength * per_bytes >= bits * stretch.max(per_bytes)
    })
}

/// The part's own error correction, if it is on.
pub(super) fn chip_ecc(geometry: &Geometry) -> Option<ChipEcc> {
    geometry.chip_ecc.filter(|ecc| ecc.enabled)
}

/// True when the part repairs by itself what its data sheet asks for.
pub(super) fn repairs_itself(geometry: &Geometry) -> bool {
    let need = geometry.ecc_need;
    chip_ecc(geometry).is_some_and(|chip| {
        let stretch = u32::from(chip.codeword_bytes).max(u32::from(need.per_bytes));
        u32::from(chip.strength) * u32::from(need.per_bytes) >= u32::from(need.bits) * stretch
    })
}

/// The code of the header where metadata has this one: a header is short, and has to survive what its payload survives.
pub(super) const fn code_of_header(metadata: Ecc) -> Ecc {
    match metadata {
        Ecc::Bch8 | Ecc::Bch16 => Ecc::Bch8,
        Ecc::Bch24 | Ecc::Bch40 | Ecc::Bch64 => Ecc::Bch24,
        _ => Ecc::Bch4,
    }
}
