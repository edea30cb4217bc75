//! What the driver is refused, and what it refuses.

use crate::bench::{at, bus, open, read, with_ecc, DriverError, PAGES};
use cuesta_hal::spi_nand::{
    register, ParameterPageError, PartSource, SpiNandError, SpiNandOptions, UnknownChips,
};
use cuesta_hal::{Buffer, Columns, Completion, Geometry, Nand, NandError, NandErrorKind};
use cuesta_sim::spi_chip::{Breach, WireFaults};

const TRUSTING: SpiNandOptions = SpiNandOptions {
    chip_ecc: false,
    unknown_chips: UnknownChips::TrustParameterPage,
    verify_loads: false,
    transfer_bytes_max: 100,
    deadlines: cuesta_hal::spi_nand::Deadlines {
        reset_us: 5_000,
        read_us: 1_000,
        program_us: 7_000,
        erase_us: 100_000,
    },
};

fn refusal(bus: &crate::bench::Bus, options: &SpiNandOptions) -> DriverError {
    let mut memory = PAGES;
    let refused = open(bus, options, &mut memory).err();
    refused.expect("refused")
}

#[test]
fn a_line_that_nobody_drives_is_no_part() {
    for line in [0x00, 0xFF] {
        let bus = bus("w25n01gv");
        bus.set_faults(WireFaults {
            stuck: Some(line),
            ..WireFaults::default()
        });
        let refused = refusal(&bus, &SpiNandOptions::default());
        assert_eq!(refused, SpiNandError::NoChip { line });
        assert_eq!(refused.kind(), NandErrorKind::Bus);
        assert_eq!(
            refused.to_string(),
            format!("no serial NAND answers (every byte reads {line:02X}): check power, chip select and wiring")
        );
    }
}

#[test]
fn a_part_without_power_is_no_part() {
    let bus = bus("w25n01gv");
    bus.with_chip(|chip| {
        let now = chip.nand().now_ns();
        chip.nand_mut().cut_at_time(now, 1);
    });
    let refused = refusal(&bus, &SpiNandOptions::default());
    assert_eq!(refused, SpiNandError::NoChip { line: 0xFF });
    bus.with_chip(|chip| chip.power_cycle());
    assert!(open(&bus, &SpiNandOptions::default(), &mut PAGES.clone()).is_ok());
}

#[test]
fn an_unknown_part_is_refused_with_its_identity() {
    let bus = bus("w25n01gv");
    bus.with_chip(|chip| chip.set_identity(&[0xEF, 0xAA, 0x99]));
    let refused = refusal(&bus, &SpiNandOptions::default());
    let id = [0xFF, 0xEF, 0xAA, 0x99];
    assert_eq!(refused, SpiNandError::UnknownChip { id });
    assert_eq!(
        refused.to_string(),
        "unknown serial NAND: its identity reads [FF, EF, AA, 99]"
    );
}

#[test]
fn an_unknown_part_may_describe_itself() {
    // With all copies whole, and with all but the last one damaged.
    for damaged in 0..3 {
        let bus = bus("gd5f1gq5");
        bus.with_chip(|chip| {
            chip.set_identity(&[0x11, 0x22]);
            chip.edit_parameter_pages(|pages| {
                for copy in 0..damaged {
                    pages[copy * 256 + 90] ^= 1;
                }
            });
        });
        let mut memory = PAGES;
        let mut nand = open(&bus, &TRUSTING, &mut memory).expect("described");
        let expected = Geometry {
            chip_ecc: None,
            buffers_per_die: 2,
            ..cuesta_hal::spi_nand::GD5F1GQ5XE.geometry
        };
        assert_eq!(*nand.geometry(), expected);
        let PartSource::ParameterPage { model, .. } = nand.part().source else {
            panic!("{:?}", nand.part());
        };
        assert_eq!(&model, b"GD5F1GQ5xE          ");
        // The array is back where the parameter page was.
        assert_eq!(nand.feature(register::CONFIGURATION), Ok(0));
        assert_eq!(
            crate::bench::program(&mut nand, at(3, 0)),
            Ok(Completion::Programmed)
        );
        assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), []);
    }
}

#[test]
fn a_parameter_page_that_does_not_help_is_told_with_the_identity() {
    type Edit = fn(&mut [u8]);
    let no_bits: Edit = |pages| {
        for page in pages.chunks_exact_mut(256).take(3) {
            page[112] = 0;
            let checksum = cuesta_hal::spi_nand::parameter_page_checksum(&page[..254]);
            page[254..].copy_from_slice(&checksum.to_le_bytes());
        }
    };
    let cases: [(&str, Edit, ParameterPageError); 4] = [
        (
            "gd5f1gq5",
            |pages| pages.fill(0xFF),
            ParameterPageError::Signature,
        ),
        (
            "gd5f1gq5",
            |pages| {
                pages
                    .iter_mut()
                    .step_by(250)
                    .skip(1)
                    .for_each(|byte| *byte ^= 1)
            },
            ParameterPageError::Checksum,
        ),
        ("gd5f1gq5", no_bits, ParameterPageError::Ecc),
        ("mt29f2g01", |_| {}, ParameterPageError::Planes),
    ];
    for (name, edit, error) in cases {
        let bus = bus(name);
        bus.with_chip(|chip| {
            chip.set_identity(&[0x11, 0x22]);
            chip.edit_parameter_pages(edit);
        });
        let id = [0xFF, 0x11, 0x22, 0];
        let expected = SpiNandError::ParameterPage { id, error };
        assert_eq!(refusal(&bus, &TRUSTING), expected);
    }
}

#[test]
fn a_part_that_describes_itself_has_no_ecc_that_could_be_switched_on() {
    let bus = bus("gd5f1gq5");
    bus.with_chip(|chip| chip.set_identity(&[0x11, 0x22]));
    let options = SpiNandOptions {
        chip_ecc: true,
        ..TRUSTING
    };
    assert_eq!(refusal(&bus, &options), SpiNandError::NoChipEcc);
}

#[test]
fn memory_for_less_than_a_page_is_refused_with_both_sizes() {
    for (name, needed) in [("w25n01gv", 2112), ("w25n01kv", 2144), ("mt29f2g01", 2176)] {
        let bus = bus(name);
        let mut memory = PAGES;
        for (len, buffers) in [
            (0, 0),
            (needed - 1, 0),
            (needed, 1),
            (2 * needed - 1, 1),
            (2 * needed, 2),
        ] {
            match open(&bus, &SpiNandOptions::default(), &mut memory[..len]) {
                Ok(nand) => assert_eq!(nand.geometry().buffers_per_die, buffers),
                Err(error) => {
                    assert_eq!(buffers, 0);
                    assert_eq!(error, SpiNandError::BufferTooSmall { found: len, needed });
                }
            }
        }
    }
    let bus = bus("gd5f1gq5");
    bus.with_chip(|chip| chip.set_identity(&[0x11, 0x22]));
    let refused = open(&bus, &TRUSTING, &mut [0; 255]).err();
    let expected = SpiNandError::BufferTooSmall {
        found: 255,
        needed: 256,
    };
    assert_eq!(refused, Some(expected));
}

#[test]
fn blocks_that_stay_protected_are_told() {
    let bus = bus("w25n01gv");
    bus.with_chip(|chip| chip.set_write_protect(true));
    let refused = refusal(&bus, &SpiNandOptions::default());
    assert_eq!(refused, SpiNandError::Locked { protection: 0x7C });
    assert_eq!(refused.kind(), NandErrorKind::Forbidden);
}

#[test]
fn what_the_geometry_does_not_have_is_refused_before_anything_is_sent() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    let mut nand = open(&bus, &with_ecc(), &mut memory[..2112]).expect("set up");
    let whole = Columns::whole(nand.geometry());
    let beyond = Columns {
        spare_len: 65,
        ..whole
    };
    let before = bus.traffic();
    let second = cuesta_hal::BlockAddress::new(1, 0);
    let refusals = [
        nand.start_read(at(1024, 0), whole, Buffer::First),
        nand.start_read(at(0, 64), whole, Buffer::First),
        nand.start_read(at(0, 0), beyond, Buffer::First),
        nand.start_read(at(0, 0), whole, Buffer::Second),
        nand.start_program(at(1024, 0), Buffer::First),
        nand.start_program(at(0, 0), Buffer::Second),
        nand.start_program(second.page(0), Buffer::First),
        nand.start_erase(second),
        nand.start_erase(at(1024, 0).block),
    ];
    for refusal in refusals {
        assert_eq!(refusal, Err(SpiNandError::OutOfBounds));
    }
    assert_eq!(bus.traffic(), before);
    assert!(read(&mut nand, at(0, 0)).is_ok());
}

#[test]
fn another_part_on_the_same_wires_is_noticed() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect("set up");
    let other = crate::bench::bus("gd5f1gq5").with_chip(|chip| chip.clone());
    bus.replace_chip(other);
    // Its settings are those after power-up, and it is not the one that was set up.
    assert_eq!(read(&mut nand, at(0, 0)), Err(SpiNandError::Silent));
    let id = [0xFF, 0xC8, 0x51, 0];
    assert_eq!(
        read(&mut nand, at(0, 0)),
        Err(SpiNandError::AnotherChip { id })
    );
    assert_eq!(
        bus.with_chip(|chip| chip.breaches().to_vec()),
        [] as [Breach; 0]
    );
}
