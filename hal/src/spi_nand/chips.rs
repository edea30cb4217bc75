//! The parts that the driver knows.
//!
//! Shapes, identities, spare bytes and numbers of bad blocks are those of the Linux driver of each vendor (`drivers/mtd/nand/spi/`). What
//! is called *unchecked*, here and elsewhere in this driver, was written without the data sheet at hand, or taken from a neighbour in the table, and wants a
//! look at the data sheet before anybody relies on it. No part of the table has been tried.

use super::chip::{JedecId, SpiNandChip};
use super::ecc_status::EccStatus;
use super::frame::CacheAddress;
use crate::{ChipEcc, EccNeed, Geometry, MarkerPages, MarkerPlace, Pairing, SpareRuns};

/// Main bytes of a page of every part of the table.
const PAGE_BYTES: u32 = 2048;

/// Most bytes of a raw page of the table: what a static page buffer needs.
pub const RAW_PAGE_BYTES_MAX: usize = 2048 + 128;

/// SLC data sheets of this class rate a block for 100 000 cycles (Winbond W25N01GV data sheet, "Features"; Micron MT29F2G01ABAGD data sheet,
/// "Quality and reliability"; unchecked of the others unless a row says otherwise).
const SLC_ENDURANCE: u32 = 100_000;

/// Reads of a block between two erases: the rule of thumb of Micron TN-29-17, "NAND Flash Design and Use Considerations", for SLC. No data sheet
/// of the table names a figure.
const SLC_READS: u32 = 1_000_000;

/// First two bytes of the spare of a block's first page: Winbond W25N01GV data sheet, on invalid blocks. The others mark the
/// first spare byte of the first page, which the same place covers.
const SPARE_START: MarkerPlace = MarkerPlace {
    pages: MarkerPages::First,
    spare_offset: 0,
    len: 2,
};

/// The part that the others are told by: 1 Gbit in 1024 blocks of 64 pages.
const ONE_GBIT: Geometry = Geometry {
    dies: 1,
    blocks_per_die: 1024,
    pages_per_block: 64,
    page_bytes: PAGE_BYTES,
    spare_bytes: 64,
    buffers_per_die: 1,
    planes_per_die: 1,
    partial_programs_max: 4,
    bad_blocks_max_per_die: 20,
    endurance_cycles: SLC_ENDURANCE,
    reads_per_block_max: SLC_READS,
    bad_block_marker: SPARE_START,
    chip_ecc: None,
    ecc_need: EccNeed {
        bits: 1,
        per_bytes: 512,
    },
    pairing: Pairing::None,
};

const TWO_GBIT: Geometry = Geometry {
    blocks_per_die: 2048,
    bad_blocks_max_per_die: 40,
    ..ONE_GBIT
};

/// A geometry whose part corrects `bits` in 512 bytes, with that switched off.
const fn with_ecc(
    bits: u8,
    spare_bytes: u16,
    free: SpareRuns,
    protected: SpareRuns,
    owned: SpareRuns,
    geometry: Geometry,
) -> Geometry {
    Geometry {
        spare_bytes,
        chip_ecc: Some(ChipEcc {
            strength: bits,
            codeword_bytes: 512,
            enabled: false,
            free,
            protected,
            owned,
        }),
        ecc_need: EccNeed {
            bits,
            per_bytes: 512,
        },
        ..geometry
    }
}

/// So many bytes of the spare for each codeword, from `first` on, each `stride` behind those before.
const fn runs(first: u16, len: u16, stride: u16) -> SpareRuns {
    SpareRuns { first, len, stride }
}

/// What most rows have in common.
const USUAL: SpiNandChip = SpiNandChip {
    name: "",
    sources: "",
    id: JedecId::AfterDummy(&[]),
    geometry: ONE_GBIT,
    cache_address: CacheAddress::Two,
    has_plane_select: false,
    has_buffer_mode: false,
    ecc_status: EccStatus::Corrected,
};

/// The spare of the W25N01GV while its own ECC is on: sections of 16 bytes, of which 2 are the marker's or nobody's, 2 free and unprotected, 4 free
/// and protected, 8 its own.
const WINBOND_1BIT: Geometry = with_ecc(
    1,
    64,
    runs(2, 6, 16),
    runs(4, 4, 16),
    runs(8, 8, 16),
    ONE_GBIT,
);

/// The first half of a spare of 128 bytes is free but for the marker, the second half is the part's own.
const fn halved_spare(bits: u8, geometry: Geometry) -> Geometry {
    with_ecc(
        bits,
        128,
        runs(2, 15, 15),
        SpareRuns::NONE,
        runs(64, 16, 16),
        geometry,
    )
}

/// Micron's: 4 to 31 free, 32 to 63 free and protected, 64 to 127 its own.
const fn micron_spare(geometry: Geometry) -> Geometry {
    with_ecc(
        8,
        128,
        runs(4, 15, 15),
        runs(32, 8, 8),
        runs(64, 16, 16),
        geometry,
    )
}

/// Winbond W25N01GV.
pub const W25N01GV: SpiNandChip = SpiNandChip {
    name: "W25N01GV",
    sources:
        "Winbond W25N01GV data sheet; shape, 20 bad blocks and the spare also in Linux winbond.c",
    id: JedecId::AfterDummy(&[&[0xEF, 0xAA, 0x21]]),
    geometry: WINBOND_1BIT,
    has_buffer_mode: true,
    ..USUAL
};

/// Winbond W25N01JW.
pub const W25N01JW: SpiNandChip = SpiNandChip {
    name: "W25N01JW",
    sources: "Linux winbond.c; which free bytes are protected as on the W25N01GV: unchecked",
    id: JedecId::AfterDummy(&[&[0xEF, 0xBC, 0x21]]),
    ..W25N01GV
};

/// Winbond W25N01KV.
pub const W25N01KV: SpiNandChip = SpiNandChip {
    name: "W25N01KV",
    sources: "Linux winbond.c; endurance as the W25N02KV's: unchecked",
    id: JedecId::AfterDummy(&[&[0xEF, 0xAE, 0x21]]),
    geometry: Geometry {
        endurance_cycles: 60_000,
        ..with_ecc(
            4,
            96,
            runs(2, 14, 16),
            SpareRuns::NONE,
            runs(64, 7, 8),
            ONE_GBIT,
        )
    },
    has_buffer_mode: true,
    ecc_status: EccStatus::CorrectedMax,
    ..USUAL
};

/// Winbond W25N02KV.
pub const W25N02KV: SpiNandChip = SpiNandChip {
    name: "W25N02KV",
    sources: "Linux winbond.c; 60 000 cycles: unchecked",
    id: JedecId::AfterDummy(&[&[0xEF, 0xAA, 0x22]]),
    geometry: Geometry {
        endurance_cycles: 60_000,
        ..with_ecc(
            8,
            128,
            runs(2, 14, 16),
            SpareRuns::NONE,
            runs(64, 13, 16),
            TWO_GBIT,
        )
    },
    has_buffer_mode: true,
    ecc_status: EccStatus::CorrectedMax,
    ..USUAL
};

/// GigaDevice GD5F1GQ4, the first generation (UA and RA).
pub const GD5F1GQ4XA: SpiNandChip = SpiNandChip {
    name: "GD5F1GQ4xA",
    sources: "Linux gigadevice.c (the byte ahead of the identity is an address there)",
    id: JedecId::AfterDummy(&[&[0xC8, 0xF1]]),
    geometry: with_ecc(
        8,
        64,
        runs(2, 6, 16),
        SpareRuns::NONE,
        runs(8, 8, 16),
        ONE_GBIT,
    ),
    ecc_status: EccStatus::SevenOrEight,
    ..USUAL
};

/// GigaDevice GD5F1GQ4, the E generation (3.3 V and 1.8 V).
pub const GD5F1GQ4XE: SpiNandChip = SpiNandChip {
    name: "GD5F1GQ4xE",
    sources: "Linux gigadevice.c (the byte ahead of the identity is an address there)",
    id: JedecId::AfterDummy(&[&[0xC8, 0xD1], &[0xC8, 0xC1]]),
    geometry: halved_spare(8, ONE_GBIT),
    ecc_status: EccStatus::FourToEight,
    ..USUAL
};

/// GigaDevice GD5F1GQ4, the F generation.
pub const GD5F1GQ4UF: SpiNandChip = SpiNandChip {
    name: "GD5F1GQ4UF",
    sources: "Linux gigadevice.c",
    id: JedecId::AtOnce(&[&[0xC8, 0xB1, 0x48]]),
    geometry: halved_spare(8, ONE_GBIT),
    cache_address: CacheAddress::Three,
    ecc_status: EccStatus::ThreeBits,
    ..USUAL
};

/// GigaDevice GD5F1GQ5 (3.3 V and 1.8 V).
pub const GD5F1GQ5XE: SpiNandChip = SpiNandChip {
    name: "GD5F1GQ5xE",
    sources: "Linux gigadevice.c",
    id: JedecId::AfterDummy(&[&[0xC8, 0x51], &[0xC8, 0x41]]),
    geometry: halved_spare(4, ONE_GBIT),
    ecc_status: EccStatus::OneToFour,
    ..USUAL
};

/// Micron MT29F1G01 (3.3 V and 1.8 V).
pub const MT29F1G01: SpiNandChip = SpiNandChip {
    name: "MT29F1G01",
    sources: "Linux micron.c (MT29F1G01ABAFD and ABBFD); which free bytes are protected as on the MT29F2G01: unchecked",
    id: JedecId::AfterDummy(&[&[0x2C, 0x14], &[0x2C, 0x15]]),
    geometry: micron_spare(ONE_GBIT),
    ecc_status: EccStatus::Micron,
    ..USUAL
};

/// Micron MT29F2G01 (3.3 V and 1.8 V): two planes.
pub const MT29F2G01: SpiNandChip = SpiNandChip {
    name: "MT29F2G01",
    sources:
        "Micron MT29F2G01ABAGD data sheet (two planes, plane select, endurance) and Linux micron.c",
    id: JedecId::AfterDummy(&[&[0x2C, 0x24], &[0x2C, 0x25]]),
    geometry: Geometry {
        planes_per_die: 2,
        ..micron_spare(TWO_GBIT)
    },
    has_plane_select: true,
    ecc_status: EccStatus::Micron,
    ..USUAL
};

/// The spare of the MX35LF parts while their own ECC is on: all of it is free but for the marker, as the code lies elsewhere.
const fn macronix_spare(geometry: Geometry) -> Geometry {
    with_ecc(
        4,
        64,
        runs(2, 14, 16),
        SpareRuns::NONE,
        SpareRuns::NONE,
        geometry,
    )
}

/// Macronix MX35LF1GE4AB.
pub const MX35LF1GE4AB: SpiNandChip = SpiNandChip {
    name: "MX35LF1GE4AB",
    sources: "Linux macronix.c",
    id: JedecId::AfterDummy(&[&[0xC2, 0x12]]),
    geometry: macronix_spare(ONE_GBIT),
    ecc_status: EccStatus::CorrectedByCommand,
    ..USUAL
};

/// Macronix MX35LF2GE4AB: two planes.
pub const MX35LF2GE4AB: SpiNandChip = SpiNandChip {
    name: "MX35LF2GE4AB",
    sources: "Linux macronix.c (with the plane bit for program loads and for reads of the cache)",
    id: JedecId::AfterDummy(&[&[0xC2, 0x22]]),
    geometry: Geometry {
        planes_per_die: 2,
        ..macronix_spare(TWO_GBIT)
    },
    has_plane_select: true,
    ..USUAL
};

/// Kioxia TC58CVG0S3 (both generations, 3.3 V).
pub const TC58CVG0S3: SpiNandChip = SpiNandChip {
    name: "TC58CVG0S3",
    sources: "Linux toshiba.c (TC58CVG0S3HRAIG and HRAIJ)",
    id: JedecId::AfterDummy(&[&[0x98, 0xC2], &[0x98, 0xE2]]),
    geometry: halved_spare(8, ONE_GBIT),
    ecc_status: EccStatus::CorrectedMax,
    ..USUAL
};

/// Kioxia TC58CVG1S3 (both generations, 3.3 V).
pub const TC58CVG1S3: SpiNandChip = SpiNandChip {
    name: "TC58CVG1S3",
    sources: "Linux toshiba.c (TC58CVG1S3HRAIG and HRAIJ)",
    id: JedecId::AfterDummy(&[&[0x98, 0xCB], &[0x98, 0xEB]]),
    geometry: halved_spare(8, TWO_GBIT),
    ecc_status: EccStatus::CorrectedMax,
    ..USUAL
};

/// All parts of the table.
pub static CHIPS: [SpiNandChip; 14] = [
    W25N01GV,
    W25N01JW,
    W25N01KV,
    W25N02KV,
    GD5F1GQ4XA,
    GD5F1GQ4XE,
    GD5F1GQ4UF,
    GD5F1GQ5XE,
    MT29F1G01,
    MT29F2G01,
    MX35LF1GE4AB,
    MX35LF2GE4AB,
    TC58CVG0S3,
    TC58CVG1S3,
];

#[cfg(test)]
mod tests;
