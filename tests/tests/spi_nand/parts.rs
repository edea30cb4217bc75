//! Every part of the table.

use crate::bench::{
    at, bus, bus_with, content, erase, main_of, open, program, read, serial_chips, settled,
    with_ecc, PAGES,
};
use cuesta_hal::spi_nand::{
    register, EccStatus, PartSource, SpiNandOptions, CHIPS, RAW_PAGE_BYTES_MAX,
};
use cuesta_hal::{
    conformance, Buffer, ChipEcc, Columns, Completion, Die, Geometry, Nand, ReadStatus,
};
use cuesta_sim::spi_chip::Breach;
use cuesta_sim::{Builder, Rule};

#[test]
fn the_emulator_has_every_part_of_the_driver() {
    for row in &CHIPS {
        assert!(
            serial_chips().any(|(_, found)| found == row),
            "{}",
            row.name
        );
    }
    assert_eq!(serial_chips().count(), CHIPS.len());
}

#[test]
fn every_part_is_recognised_and_set_up() {
    for (chip, row) in serial_chips() {
        for chip_ecc in [false, true] {
            let bus = bus(chip.name);
            let mut memory = [0; RAW_PAGE_BYTES_MAX];
            let options = SpiNandOptions {
                chip_ecc,
                ..SpiNandOptions::default()
            };
            let mut nand = open(&bus, &options, &mut memory).expect(row.name);
            assert_eq!(nand.part().chip.name, row.name);
            assert_eq!(nand.part().source, PartSource::Table);
            let expected = Geometry {
                chip_ecc: row.geometry.chip_ecc.map(|ecc| ChipEcc {
                    enabled: chip_ecc,
                    ..ecc
                }),
                ..row.geometry
            };
            assert_eq!(*nand.geometry(), expected);
            assert_eq!(nand.feature(register::PROTECTION), Ok(0));
            let configuration = nand.feature(register::CONFIGURATION).expect("answers");
            let ecc = configuration & register::ECC_ENABLE != 0;
            assert_eq!(ecc, chip_ecc, "{}", row.name);
            assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), []);
        }
    }
}

/// Rules of the array that the conformance suite breaks on purpose never reach the part: the driver knows them.
#[test]
fn every_part_conforms_with_its_own_ecc_off_and_on() {
    for (chip, row) in serial_chips() {
        for chip_ecc in [false, true] {
            let builder = Builder::new(chip)
                .seed(7)
                .random_bad_blocks(chip.geometry.bad_blocks_max_per_die);
            let bus = bus_with(builder);
            let options = SpiNandOptions {
                chip_ecc,
                ..SpiNandOptions::default()
            };
            let mut memory = PAGES;
            let raw = row.geometry.raw_page_bytes() as usize;
            let mut nand = open(&bus, &options, &mut memory[..2 * raw]).expect(row.name);
            assert_eq!(nand.geometry().buffers_per_die, 2);
            conformance::run(&mut nand);
            bus.with_chip(|chip| {
                assert_eq!(chip.breaches(), [], "{}", row.name);
                assert_eq!(chip.nand().violations(), [], "{}", row.name);
            });
        }
    }
}

#[test]
fn transfers_can_be_as_short_as_the_bus_wants_them() {
    for (chip, row) in serial_chips() {
        for transfer_bytes_max in [1, 7, 512, 0] {
            let bus = bus(chip.name);
            let mut memory = PAGES;
            let options = SpiNandOptions {
                transfer_bytes_max,
                verify_loads: true,
                ..SpiNandOptions::default()
            };
            let mut nand = open(&bus, &options, &mut memory).expect(row.name);
            // A block of each plane.
            for block in [4, 5] {
                assert_eq!(program(&mut nand, at(block, 0)), Ok(Completion::Programmed));
                assert!(matches!(
                    read(&mut nand, at(block, 0)),
                    Ok(Completion::Read(_))
                ));
                let expected = content(&nand, at(block, 0));
                assert_eq!(nand.buffer(Die(0), Buffer::First), expected);
            }
            assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), []);
        }
    }
}

#[test]
fn a_header_costs_its_own_bytes_on_the_bus() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect("set up");
    let mut bytes_of = |columns: Columns| {
        let (_, before) = bus.traffic();
        nand.start_read(at(0, 0), columns, Buffer::First)
            .expect("starts");
        // Long enough that the first look finds it ready.
        bus.with_chip(|chip| chip.pass_ns(1_000_000));
        nand.poll(Die(0)).expect("ready");
        bus.traffic().1 - before
    };
    let header = Columns::spare(&chip_geometry(), 2, 27);
    // 4 for the page read, 6 for the status, 6 for the settings, 4 ahead of the data.
    assert_eq!(bytes_of(header), 4 + 6 + 6 + 4 + 27);
    assert_eq!(bytes_of(Columns::whole(&chip_geometry())), 20 + 2112);
    let apart = Columns {
        main_len: 16,
        ..header
    };
    assert_eq!(bytes_of(apart), 24 + 16 + 27);
}

fn chip_geometry() -> Geometry {
    cuesta_hal::spi_nand::W25N01GV.geometry
}

/// The largest number of bits that the code of a status can mean, by each vendor's table: what the driver has to say for `bits` wrong ones.
fn told(status: EccStatus, bits: u8, strength: u8) -> u8 {
    match (status, bits) {
        (_, 0) => 0,
        (EccStatus::Corrected, _) => strength,
        (EccStatus::CorrectedMax | EccStatus::OneToFour | EccStatus::CorrectedByCommand, _) => bits,
        (EccStatus::SevenOrEight, _) => {
            if bits < 8 {
                7
            } else {
                8
            }
        }
        (EccStatus::FourToEight, _) => bits.max(4),
        (EccStatus::ThreeBits, _) => bits.max(3),
        (EccStatus::Micron, _) => match bits {
            1..=3 => 3,
            4..=6 => 6,
            _ => 8,
        },
    }
}

/// Every number of wrong bits in a codeword, from none to one more than the part corrects.
#[test]
fn what_a_part_corrects_is_told_as_its_vendor_codes_it() {
    for (chip, row) in serial_chips() {
        let bus = bus(chip.name);
        let mut memory = PAGES;
        let mut nand = open(&bus, &with_ecc(), &mut memory).expect(row.name);
        let strength = row.geometry.ecc_need.bits;
        for bits in 0..=strength + 1 {
            // In blocks of either plane.
            let page = at(u32::from(bits), 1);
            assert_eq!(program(&mut nand, page), Ok(Completion::Programmed));
            bus.with_chip(|chip| {
                chip.nand_mut()
                    .flip_bits(page, 512..1024, u32::from(bits), 3);
            });
            let read = read(&mut nand, page).expect("reads");
            let expected = content(&nand, page);
            let what = format!("{} with {bits} wrong bits", row.name);
            if bits > strength {
                assert_eq!(read, Completion::Read(ReadStatus::Uncorrectable), "{what}");
                assert_ne!(main_of(&nand), &expected[..2048], "{what}");
                continue;
            }
            let Completion::Read(ReadStatus::Ok(outcome)) = read else {
                panic!("{what}: {read:?}");
            };
            assert_eq!(outcome.strength, strength, "{what}");
            assert_eq!(
                outcome.corrected_bits_max,
                told(row.ecc_status, bits, strength),
                "{what}"
            );
            let at_strength = bits > 0 && outcome.corrected_bits_max == strength;
            assert_eq!(outcome.refresh_advised, at_strength, "{what}");
            assert_eq!(main_of(&nand), &expected[..2048], "{what}");
        }
    }
}

/// What is in the spare bytes that the driver calls free comes back while the part's own ECC is on; what is in the part's own does not.
#[test]
fn free_spare_bytes_are_the_callers_and_owned_ones_the_parts() {
    for (chip, row) in serial_chips() {
        let bus = bus(chip.name);
        let mut memory = PAGES;
        let mut nand = open(&bus, &with_ecc(), &mut memory).expect(row.name);
        let ecc = row.geometry.chip_ecc.expect("every part has its own ECC");
        assert_eq!(program(&mut nand, at(9, 0)), Ok(Completion::Programmed));
        read(&mut nand, at(9, 0)).expect("reads");
        let expected = content(&nand, at(9, 0));
        let found = nand.buffer(Die(0), Buffer::First);
        let spare = |offset: u32| 2048 + offset as usize;
        let differs = |offset: &u32| found[spare(*offset)] != expected[spare(*offset)];
        let is_free = |offset: &u32| ecc.free.run_of(4, *offset).is_some();
        let is_owned = |offset: &u32| ecc.owned.run_of(4, *offset).is_some();
        let all = 0..u32::from(row.geometry.spare_bytes);
        assert_eq!(
            all.clone().filter(is_free).filter(differs).count(),
            0,
            "{}",
            row.name
        );
        let owned = all.clone().filter(is_owned).count();
        let changed = all.filter(is_owned).filter(differs).count();
        assert!(changed * 2 >= owned, "{}: {changed} of {owned}", row.name);
    }
}

/// Factory-bad blocks: as many as the data sheet allows, and all of them can be found by their marks with the part's own ECC on or off.
#[test]
fn factory_marks_are_read_where_the_table_says() {
    for (chip, row) in serial_chips() {
        for chip_ecc in [false, true] {
            let most = row.geometry.bad_blocks_max_per_die;
            let bus = bus_with(Builder::new(chip).seed(2).random_bad_blocks(most));
            let mut memory = PAGES;
            let options = SpiNandOptions {
                chip_ecc,
                ..SpiNandOptions::default()
            };
            let mut nand = open(&bus, &options, &mut memory).expect(row.name);
            let mut found = 0;
            for block in 0..row.geometry.blocks_per_die {
                let columns = Columns::spare(&row.geometry, 0, 2);
                nand.start_read(at(block, 0), columns, Buffer::First)
                    .expect("starts");
                settled(&mut nand);
                let is_marked = nand.buffer(Die(0), Buffer::First)[2048] != 0xFF;
                let truth = bus.with_chip(|chip| chip.nand().is_factory_bad(at(block, 0).block));
                assert_eq!(is_marked, truth, "{} block {block}", row.name);
                found += u32::from(is_marked);
            }
            assert_eq!(found, most, "{}", row.name);
        }
    }
}

/// A program that forgets the plane goes to the wrong cache on a part with two, and the referee of the emulated part notices: what the other tests rely on.
#[test]
fn an_emulated_part_notices_the_wrong_plane_and_the_wrong_order() {
    use embedded_hal::spi::SpiDevice;
    let mut bus = bus("mt29f2g01");
    for frame in [
        &[0x1F, 0xA0, 0][..],
        &[6],
        &[2, 0, 0, 0x77],
        &[0x10, 0, 0, 0x40],
    ] {
        bus.write(frame).expect("no faults");
    }
    assert_eq!(
        bus.with_chip(|chip| chip.breaches().to_vec()),
        [Breach::Plane]
    );

    let mut bus = self::bus("w25n01gv");
    bus.write(&[0x10, 0, 0, 0]).expect("no faults");
    bus.write(&[2, 0, 0, 1]).expect("no faults");
    bus.write(&[6]).expect("no faults");
    bus.write(&[0xD8, 0, 0, 0]).expect("no faults");
    bus.write(&[0x13, 0, 0, 0]).expect("no faults");
    bus.write(&[0x13, 0, 0, 0]).expect("no faults");
    bus.write(&[0xAB]).expect("no faults");
    bus.write(&[0x10, 0]).expect("no faults");
    let expected = [
        Breach::NotEnabled { opcode: 0x10 },
        Breach::NotEnabled { opcode: 2 },
        Breach::Protected { opcode: 0xD8 },
        Breach::WhileBusy { opcode: 0x13 },
        Breach::UnknownOpcode(0xAB),
        Breach::Length {
            opcode: 0x10,
            found: 2,
        },
    ];
    assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), expected);
}

/// Winbond sells parts that come up with reads running on through the array: they are told to read by pages.
#[test]
fn a_part_that_comes_up_in_continuous_mode_is_put_into_buffer_mode() {
    for name in ["w25n01gv", "w25n01jw", "w25n01kv", "w25n02kv"] {
        let bus = bus(name);
        bus.with_chip(|chip| {
            chip.set_continuous_at_power_up(true);
            chip.power_cycle();
        });
        let mut memory = PAGES;
        let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect(name);
        assert_eq!(program(&mut nand, at(1, 0)), Ok(Completion::Programmed));
        assert!(matches!(read(&mut nand, at(1, 0)), Ok(Completion::Read(_))));
        assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), [], "{name}");
    }
}

/// The caller's mistakes reach the array as they are, and fail there: the driver keeps no account of pages.
#[test]
fn what_the_array_forbids_fails() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect("set up");
    assert_eq!(program(&mut nand, at(1, 5)), Ok(Completion::Programmed));
    assert_eq!(program(&mut nand, at(1, 2)), Ok(Completion::ProgramFailed));
    let rules: Vec<Rule> = bus.with_chip(|chip| {
        chip.nand()
            .violations()
            .iter()
            .map(|violation| violation.rule)
            .collect()
    });
    assert_eq!(rules, [Rule::OutOfOrder]);
    assert_eq!(erase(&mut nand, 1), Ok(Completion::Erased));
    assert_eq!(program(&mut nand, at(1, 2)), Ok(Completion::Programmed));
}
