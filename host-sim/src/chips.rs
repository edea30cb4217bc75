//! The chip table: geometry and timing of real parts, of controller-scale models and of tiny parts for tests. The geometry of serial parts is
//! the driver's.
//!
//! Times are the *typical* ones of the data sheets, as a simulation of throughput wants them. Serial parts are timed at
//! 104 MHz on four wires, which is 52 bytes a microsecond. A row whose source says *unchecked* was written without the data
//! sheet at hand: its shape is that of the Linux driver, its times want a look before anybody quotes them.

use crate::clock::{Course, Ticks, TICKS_PER_NS};
use cuesta_hal::spi_nand::{self, SpiNandChip};
use cuesta_hal::{Die, EccNeed, Geometry, MarkerPages, MarkerPlace, Pairing};

/// How long a part takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// tR: array to page register.
    pub read_us: u32,
    /// tPROG: page register to array.
    pub program_us: u32,
    /// tBERS: erasing a block.
    pub erase_us: u32,
    /// What a command costs on the channel, address and status polling included.
    pub command_ns: u32,
    /// Bytes that a channel carries in a microsecond (10⁶ B/s). Must divide 52 000, so that a byte is a whole number of ticks.
    pub bus_bytes_per_us: u32,
    /// Channels; die `d` hangs on channel `d mod channels`.
    pub channels: u16,
}

impl Timing {
    /// The channel of a die.
    #[must_use]
    pub const fn channel_of(&self, die: Die) -> u16 {
        die.0 % self.channels
    }

    const fn transfer(&self, bytes: u32) -> Ticks {
        let ticks_per_byte = 1000 * TICKS_PER_NS / self.bus_bytes_per_us as u64;
        Ticks(bytes as u128 * ticks_per_byte as u128)
    }

    /// A read that moves `bytes` in `commands` commands (2 when the columns are not contiguous).
    #[must_use]
    pub fn read(&self, bytes: u32, commands: u32) -> Course {
        let command = Ticks::from_ns(u64::from(self.command_ns));
        let more =
            Ticks::from_ns(u64::from(self.command_ns) * u64::from(commands.saturating_sub(1)));
        Course {
            channel_before: command,
            array: Ticks::from_us(u64::from(self.read_us)),
            channel_after: self.transfer(bytes) + more,
        }
    }

    /// A program of a raw page of `bytes`.
    #[must_use]
    pub fn program(&self, bytes: u32) -> Course {
        Course {
            channel_before: Ticks::from_ns(u64::from(self.command_ns)) + self.transfer(bytes),
            array: Ticks::from_us(u64::from(self.program_us)),
            channel_after: Ticks(0),
        }
    }

    /// An erase.
    #[must_use]
    pub fn erase(&self) -> Course {
        Course {
            channel_before: Ticks::from_ns(u64::from(self.command_ns)),
            array: Ticks::from_us(u64::from(self.erase_us)),
            channel_after: Ticks(0),
        }
    }
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chip {
    /// Name by which [`chip`] finds it.
    pub name: &'static str,
    /// What it is, for people.
    pub description: &'static str,
    /// Where the figures come from.
    pub sources: &'static str,
    /// Shape.
    pub geometry: Geometry,
    /// Speed.
    pub timing: Timing,
    /// What the driver knows of the part, if it is a serial one.
    pub spi_nand: Option<&'static SpiNandChip>,
}

/// No chip has that name. Displays the names there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownChip {
    /// The name asked for.
    pub asked: String,
}

impl std::fmt::Display for UnknownChip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no chip is called \"{}\"; known chips:", self.asked)?;
        for (i, chip) in CHIPS.iter().enumerate() {
            write!(f, "{} {}", if i == 0 { "" } else { "," }, chip.name)?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownChip {}

/// The chip called `name`.
///
/// # Errors
/// [`UnknownChip`], which lists the known names.
pub fn chip(name: &str) -> Result<&'static Chip, UnknownChip> {
    CHIPS
        .iter()
        .find(|chip| chip.name == name)
        .ok_or_else(|| UnknownChip {
            asked: name.to_owned(),
        })
}

/// All chips.
#[must_use]
pub const fn chips() -> &'static [Chip] {
    CHIPS
}

/// What the serial parts are rated for, and parts for tests with them.
const SLC_ENDURANCE: u32 = spi_nand::W25N01GV.geometry.endurance_cycles;

/// Reads of a block between two erases that the makers of serial parts reckon with.
const SLC_READS: u32 = spi_nand::W25N01GV.geometry.reads_per_block_max;

/// The same for MLC, of Micron TN-29-17. TLC rows take it too: unchecked.
const MLC_READS: u32 = 100_000;

/// Where the serial parts are marked.
const SPARE_START: MarkerPlace = spi_nand::W25N01GV.geometry.bad_block_marker;

/// What a 104 MHz quad-output read or program-load carries: 104 · 4 / 8 bytes a microsecond.
const QUAD_104_MHZ: u32 = 52;

const SERIAL_TIMING: Timing = Timing {
    read_us: 60,
    program_us: 250,
    erase_us: 2000,
    command_ns: 1000,
    bus_bytes_per_us: QUAD_104_MHZ,
    channels: 1,
};

/// A serial part of the driver's table.
const fn serial(
    name: &'static str,
    description: &'static str,
    sources: &'static str,
    spi_nand: &'static SpiNandChip,
    timing: Timing,
) -> Chip {
    Chip {
        name,
        description,
        sources,
        geometry: spi_nand.geometry,
        timing,
        spi_nand: Some(spi_nand),
    }
}

/// Typical times of a serial part, in microseconds.
const fn times(read_us: u32, program_us: u32, erase_us: u32) -> Timing {
    Timing {
        read_us,
        program_us,
        erase_us,
        ..SERIAL_TIMING
    }
}

/// A part for tests: few and small blocks, one program a page, so that the referee is at its strictest.
const TINY: Geometry = Geometry {
    dies: 1,
    blocks_per_die: 32,
    pages_per_block: 16,
    page_bytes: 512,
    spare_bytes: 64,
    buffers_per_die: 1,
    planes_per_die: 1,
    partial_programs_max: 1,
    bad_blocks_max_per_die: 2,
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

/// A controller-scale TLC die, scaled down in blocks and pages so that it fits memory; `ssd-tlc` has 32 of them.
const TLC: Geometry = Geometry {
    dies: 1,
    // Real dies of this class have about 2 000 blocks of 768 pages (word lines x strings x 3).
    blocks_per_die: 64,
    pages_per_block: 96,
    page_bytes: 16_384,
    spare_bytes: 1952,
    buffers_per_die: 1,
    planes_per_die: 1,
    partial_programs_max: 1,
    bad_blocks_max_per_die: 2,
    // 3 000 cycles is the usual rating of 3-D TLC for client drives.
    endurance_cycles: 3000,
    reads_per_block_max: MLC_READS,
    bad_block_marker: MarkerPlace {
        pages: MarkerPages::FirstOrLast,
        spare_offset: 0,
        len: 2,
    },
    chip_ecc: None,
    ecc_need: EccNeed {
        bits: 40,
        per_bytes: 1024,
    },
    // Lower, middle and upper page of a word line, programmed in the order that keeps them close together.
    pairing: Pairing::Distance(5),
};

/// Project figures: 77 µs averaged over the pages of a word line, 820 µs a page (a third of a one-shot program), 3.5 ms.
const TLC_TIMING: Timing = Timing {
    read_us: 77,
    program_us: 820,
    erase_us: 3500,
    command_ns: 200,
    // ONFI 4.0 NV-DDR3, 800 MT/s on eight wires.
    bus_bytes_per_us: 800,
    channels: 1,
};

static CHIPS: &[Chip] = &[
    serial(
        "w25n01gv",
        "Winbond 1 Gbit SLC serial NAND",
        "Winbond W25N01GV data sheet: tR 60 µs max with ECC, tPROG 250 µs and tBERS 2 ms typical, 4 partial programs, 100 000 cycles",
        &spi_nand::W25N01GV,
        SERIAL_TIMING,
    ),
    serial(
        "w25n01jw",
        "Winbond 1 Gbit SLC serial NAND, 1.8 V",
        "times as the W25N01GV's: unchecked",
        &spi_nand::W25N01JW,
        SERIAL_TIMING,
    ),
    serial(
        "w25n01kv",
        "Winbond 1 Gbit SLC serial NAND, 4-bit ECC",
        "times as the W25N01GV's: unchecked",
        &spi_nand::W25N01KV,
        SERIAL_TIMING,
    ),
    serial(
        "w25n02kv",
        "Winbond 2 Gbit SLC serial NAND",
        "times as the W25N01GV's: unchecked",
        &spi_nand::W25N02KV,
        SERIAL_TIMING,
    ),
    serial(
        "gd5f1gq4xa",
        "GigaDevice 1 Gbit SLC serial NAND, first generation",
        "400 µs and 3 ms typical: GigaDevice GD5F1GQ4UAYIG data sheet; tR: unchecked",
        &spi_nand::GD5F1GQ4XA,
        times(60, 400, 3000),
    ),
    serial(
        "gd5f1gq4xe",
        "GigaDevice 1 Gbit SLC serial NAND, E generation",
        "times as the GD5F1GQ4UAYIG's: unchecked",
        &spi_nand::GD5F1GQ4XE,
        times(60, 400, 3000),
    ),
    serial(
        "gd5f1gq4uf",
        "GigaDevice 1 Gbit SLC serial NAND, F generation",
        "times as the GD5F1GQ4UAYIG's: unchecked",
        &spi_nand::GD5F1GQ4UF,
        times(60, 400, 3000),
    ),
    serial(
        "gd5f1gq5",
        "GigaDevice 1 Gbit SLC serial NAND",
        "400 µs and 3 ms typical: GigaDevice GD5F1GQ4UAYIG data sheet, the generation before; tR: unchecked",
        &spi_nand::GD5F1GQ5XE,
        times(60, 400, 3000),
    ),
    serial(
        "mt29f1g01",
        "Micron 1 Gbit SLC serial NAND",
        "times as the MT29F2G01's: unchecked",
        &spi_nand::MT29F1G01,
        times(25, 200, 2000),
    ),
    serial(
        "mt29f2g01",
        "Micron 2 Gbit SLC serial NAND, two planes",
        "Micron MT29F2G01ABAGD data sheet, \"Array performance\": 25 µs max, 200 µs and 2 ms typical without ECC (with it 70 µs and 220 µs)",
        &spi_nand::MT29F2G01,
        times(25, 200, 2000),
    ),
    serial(
        "mx35lf1ge4ab",
        "Macronix 1 Gbit SLC serial NAND",
        "times as the MT29F2G01's: unchecked",
        &spi_nand::MX35LF1GE4AB,
        times(25, 200, 2000),
    ),
    serial(
        "mx35lf2ge4ab",
        "Macronix 2 Gbit SLC serial NAND, two planes",
        "times as the MT29F2G01's: unchecked",
        &spi_nand::MX35LF2GE4AB,
        times(25, 200, 2000),
    ),
    serial(
        "tc58cvg0s3",
        "Kioxia 1 Gbit SLC serial NAND",
        "40/330/2500 µs typical: Toshiba TC58BVG1S3HBAI6 data sheet, same family",
        &spi_nand::TC58CVG0S3,
        times(40, 330, 2500),
    ),
    serial(
        "tc58cvg1s3",
        "Kioxia 2 Gbit SLC serial NAND",
        "40/330/2500 µs typical: Toshiba TC58BVG1S3HBAI6 data sheet, same family",
        &spi_nand::TC58CVG1S3,
        times(40, 330, 2500),
    ),
    Chip {
        name: "mlc",
        description: "planar MLC die with paired pages (model)",
        sources: "project figures 64/1300/3500 µs and 5 000 cycles for planar MLC; shape and pairing made up",
        geometry: Geometry {
            blocks_per_die: 256,
            pages_per_block: 128,
            page_bytes: 4096,
            spare_bytes: 224,
            partial_programs_max: 1,
            bad_blocks_max_per_die: 10,
            endurance_cycles: 5000,
            reads_per_block_max: MLC_READS,
            bad_block_marker: MarkerPlace {
                pages: MarkerPages::FirstOrLast,
                spare_offset: 0,
                len: 2,
            },
            chip_ecc: None,
            ecc_need: EccNeed {
                bits: 12,
                per_bytes: 512,
            },
            pairing: Pairing::Distance(6),
            ..TINY
        },
        timing: Timing {
            read_us: 64,
            program_us: 1300,
            erase_us: 3500,
            command_ns: 200,
            bus_bytes_per_us: 200,
            channels: 1,
        },
        spi_nand: None,
    },
    Chip {
        name: "tlc",
        description: "one 3-D TLC die (model)",
        sources: "project figures 77/820/3500 µs, 3 000 cycles, 16384 + 1952 B",
        geometry: TLC,
        timing: TLC_TIMING,
        spi_nand: None,
    },
    Chip {
        name: "ssd-tlc",
        description: "8 channels x 4 TLC dies, scaled to 8 blocks x 96 pages a die (model)",
        sources: "project figures 77/820/3500 µs, channel 800 MB/s, 16384 + 1952 B",
        geometry: Geometry {
            dies: 32,
            blocks_per_die: 8,
            buffers_per_die: 2,
            bad_blocks_max_per_die: 1,
            // All pages of a word line are programmed in one shot: a cut program touches no page programmed before.
            pairing: Pairing::None,
            ..TLC
        },
        timing: Timing {
            channels: 8,
            ..TLC_TIMING
        },
        spi_nand: None,
    },
    Chip {
        name: "tiny",
        description: "for tests: 1 die",
        sources: "made up; W25N01GV timing",
        geometry: TINY,
        timing: SERIAL_TIMING,
        spi_nand: None,
    },
    Chip {
        name: "tiny2",
        description: "for tests: 2 dies on one channel",
        sources: "made up; W25N01GV timing",
        geometry: Geometry { dies: 2, ..TINY },
        timing: SERIAL_TIMING,
        spi_nand: None,
    },
    Chip {
        name: "tiny4",
        description: "for tests: 4 dies on two channels, two buffers a die",
        sources: "made up; W25N01GV timing",
        geometry: Geometry {
            dies: 4,
            blocks_per_die: 16,
            buffers_per_die: 2,
            ..TINY
        },
        timing: Timing {
            channels: 2,
            ..SERIAL_TIMING
        },
        spi_nand: None,
    },
    Chip {
        name: "tiny-multi",
        description: "for tests: 4 dies, pages of 8 KiB that hold several sectors",
        sources: "made up; W25N01GV timing",
        geometry: Geometry {
            dies: 4,
            blocks_per_die: 16,
            page_bytes: 8192,
            spare_bytes: 512,
            ..TINY
        },
        timing: Timing {
            channels: 2,
            ..SERIAL_TIMING
        },
        spi_nand: None,
    },
    Chip {
        name: "tiny-mlc",
        description: "for tests: 1 die with paired pages",
        sources: "made up; MLC timing",
        geometry: Geometry {
            pairing: Pairing::Distance(3),
            bad_block_marker: MarkerPlace {
                pages: MarkerPages::FirstOrLast,
                spare_offset: 0,
                len: 2,
            },
            ..TINY
        },
        timing: Timing {
            read_us: 64,
            program_us: 1300,
            erase_us: 3500,
            ..SERIAL_TIMING
        },
        spi_nand: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_geometry_with_whole_ticks_a_byte() {
        for chip in chips() {
            assert_eq!(chip.geometry.validate(), Ok(()), "{}", chip.name);
            assert_eq!(
                1000 * TICKS_PER_NS % u64::from(chip.timing.bus_bytes_per_us),
                0,
                "{}",
                chip.name
            );
            assert!(chip.timing.channels <= chip.geometry.dies, "{}", chip.name);
            assert!(!chip.sources.is_empty());
        }
    }

    #[test]
    fn names_are_unique_and_an_unknown_one_lists_them() {
        for one in chips() {
            assert_eq!(chip(one.name), Ok(one));
            assert_eq!(chips().iter().filter(|c| c.name == one.name).count(), 1);
        }
        let message = chip("w25n01").expect_err("no such chip").to_string();
        assert!(
            message.starts_with("no chip is called \"w25n01\"; known chips: w25n01gv, w25n01jw")
        );
        assert!(message.ends_with("tiny-mlc"));
    }
}
