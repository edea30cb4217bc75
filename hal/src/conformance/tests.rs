//! The suite accepts what conforms and finds what does not.

use std::panic::{catch_unwind, AssertUnwindSafe};

use super::ram::{Defect, RamNand, CHIP_ECC, GEOMETRY};
use super::*;
use crate::{BlockAddress, EccNeed, Geometry, MarkerPages, MarkerPlace};

/// What the panic said, if there was one.
fn complaint(check: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(check)).err()?;
    Some(payload.downcast_ref::<String>().unwrap().clone())
}

#[test]
fn conforming_parts_of_many_shapes_are_accepted() {
    let marker = |pages, spare_offset, len| MarkerPlace {
        pages,
        spare_offset,
        len,
    };
    let shapes = [
        GEOMETRY,
        Geometry {
            dies: 7,
            buffers_per_die: 1,
            partial_programs_max: 1,
            ..GEOMETRY
        },
        Geometry {
            blocks_per_die: 1,
            ..GEOMETRY
        },
        Geometry {
            pages_per_block: 1,
            bad_block_marker: marker(MarkerPages::FirstOrLast, 14, 2),
            ..GEOMETRY
        },
        Geometry {
            page_bytes: 1,
            spare_bytes: 1,
            bad_block_marker: marker(MarkerPages::First, 0, 0),
            ..GEOMETRY
        },
        Geometry {
            chip_ecc: Some(CHIP_ECC),
            ..GEOMETRY
        },
        Geometry {
            ecc_need: EccNeed {
                bits: 0,
                per_bytes: 0,
            },
            ..GEOMETRY
        },
    ];
    for geometry in shapes {
        for delay in [0, 3] {
            let mut nand = RamNand::new(geometry);
            nand.delay = delay;
            run(&mut nand);
            run(&mut nand);
            let blank = (0..geometry.dies).all(|die| {
                let block = BlockAddress::new(die, 0);
                nand.block(block).iter().all(|byte| *byte == 0xFF)
            });
            assert!(blank, "{geometry:?}");
        }
    }
}

#[test]
fn factory_bad_blocks_are_left_as_they_are() {
    for (pages, second) in [
        (MarkerPages::First, 0),
        (MarkerPages::FirstOrSecond, 1),
        (MarkerPages::FirstOrLast, 7),
    ] {
        let mut geometry = GEOMETRY;
        geometry.bad_block_marker.pages = pages;
        let mut nand = RamNand::new(geometry);
        // The part refuses to program or erase them, which the suite would report.
        let bad = [
            (BlockAddress::new(0, 0), 0),
            (BlockAddress::new(0, 8), second),
            (BlockAddress::new(1, 1), second),
        ];
        for (block, marked_page) in bad {
            nand.mark_bad(block, marked_page);
        }
        let before = bad.map(|(block, _)| nand.block(block).to_vec());
        run(&mut nand);
        assert_eq!(before, bad.map(|(block, _)| nand.block(block).to_vec()));
    }
}

#[test]
fn a_die_without_a_good_block_is_reported() {
    let mut nand = RamNand::new(GEOMETRY);
    for block in 0..GEOMETRY.blocks_per_die {
        nand.mark_bad(BlockAddress::new(1, block), 0);
    }
    let said = complaint(|| erased_block_reads_ff(&mut nand)).unwrap();
    assert!(said.contains("Die(1)") && said.contains("marker"), "{said}");
}

#[test]
fn bit_errors_are_accepted_up_to_what_must_be_correctable() {
    // Where the marker's bytes differ from 0xFF a block is bad: keep the errors away from it.
    let geometry = Geometry {
        bad_block_marker: MarkerPlace {
            spare_offset: 14,
            ..GEOMETRY.bad_block_marker
        },
        ..GEOMETRY
    };
    let mut nand = RamNand::new(geometry);
    nand.bit_errors = GEOMETRY.ecc_need.bits;
    run(&mut nand);
    nand.bit_errors += 1;
    assert!(complaint(|| programmed_page_reads_back(&mut nand)).is_some());
}

/// A defect and the check that finds it. `NeverSettles` and the like are found by each.
type Case = (Defect, fn(&mut RamNand));

#[test]
fn every_defect_is_found_by_its_check_and_by_the_whole_suite() {
    let cases: [Case; 46] = [
        (Defect::InvalidGeometry, geometry_is_valid),
        (Defect::GeometryChanges, geometry_is_valid),
        (
            Defect::BufferWithoutSpare,
            buffers_have_the_length_of_a_page,
        ),
        (
            Defect::BufferMutIsAnother,
            buffers_have_the_length_of_a_page,
        ),
        (Defect::BuffersAreOne, buffers_have_the_length_of_a_page),
        (Defect::BuffersAreOne, second_buffer_is_independent),
        (Defect::DiesShareABuffer, buffers_have_the_length_of_a_page),
        (
            Defect::BufferBeyondTheDies,
            buffers_have_the_length_of_a_page,
        ),
        (Defect::EraseKeepsSpare, erase_resets_one_block),
        (Defect::EraseKeepsLastPage, erase_resets_one_block),
        (Defect::EraseTakesNeighbour, erase_resets_one_block),
        (Defect::EraseDoesNothing, erase_resets_one_block),
        (Defect::EraseClearsBuffer, erase_leaves_buffers_alone),
        (Defect::EraseFails, erased_block_reads_ff),
        (Defect::BlockAddressIsCutOff, erase_resets_one_block),
        (Defect::PageAddressIsCutOff, block_holds_all_its_pages),
        (Defect::ProgramSkipsSpare, programmed_page_reads_back),
        (Defect::ProgramClearsBuffer, program_leaves_buffers_alone),
        (Defect::ProgramUsesFirstBuffer, second_buffer_is_independent),
        (Defect::ProgramAlsoWritesNextPage, pages_may_be_left_out),
        (Defect::ProgramSetsBits, partial_programs_only_clear_bits),
        (Defect::ProgramFails, programmed_page_reads_back),
        (Defect::ReadIsUncorrectable, programmed_page_reads_back),
        (
            Defect::ReadStartsAtColumnZero,
            column_reads_fill_what_was_asked,
        ),
        (Defect::ReadSkipsLastByte, column_reads_fill_what_was_asked),
        (
            Defect::ReadSkipsSpareOfBoth,
            column_reads_fill_what_was_asked,
        ),
        (
            Defect::ReadPutsSpareRightBehindMain,
            column_reads_fill_what_was_asked,
        ),
        (
            Defect::ReadFillsOtherBuffer,
            read_leaves_other_buffers_alone,
        ),
        (Defect::ReadClearsBits, programmed_page_reads_back),
        (Defect::TwoBitErrorsInAByte, erased_block_reads_ff),
        (Defect::OneBitErrorTooMany, erased_block_reads_ff),
        (Defect::CompletionTwice, completion_is_handed_out_once),
        (Defect::CompletionOfNothing, completion_is_handed_out_once),
        (Defect::NeverSettles, completion_is_handed_out_once),
        (Defect::PollFails, completion_is_handed_out_once),
        (Defect::OneDieAtATime, dies_work_at_the_same_time),
        (Defect::PollSettlesAllDies, dies_work_at_the_same_time),
        (
            Defect::AcceptsReadWhileBusy,
            busy_die_refuses_a_second_operation,
        ),
        (
            Defect::AcceptsProgramWhileBusy,
            busy_die_refuses_a_second_operation,
        ),
        (
            Defect::AcceptsEraseWhileBusy,
            busy_die_refuses_a_second_operation,
        ),
        (
            Defect::BusyIsCalledOther,
            busy_die_refuses_a_second_operation,
        ),
        (Defect::AcceptsBlockBeyond, out_of_bounds_is_refused),
        (Defect::AcceptsPageBeyond, out_of_bounds_is_refused),
        (Defect::AcceptsColumnsBeyond, out_of_bounds_is_refused),
        (Defect::AcceptsSpareBeforeSpare, out_of_bounds_is_refused),
        (Defect::OutOfBoundsIsInFlight, out_of_bounds_is_refused),
    ];
    for (defect, check) in cases {
        for check in [check, run] {
            let mut nand = defective(GEOMETRY, defect);
            let said = complaint(|| check(&mut nand));
            assert!(
                said.as_ref()
                    .is_some_and(|said| said.starts_with("conformance: ")),
                "{defect:?}: {said:?}"
            );
        }
    }
}

#[test]
fn a_second_buffer_that_should_not_be_is_found() {
    let geometry = Geometry {
        buffers_per_die: 1,
        ..GEOMETRY
    };
    let mut nand = defective(geometry, Defect::AcceptsBufferBeyond);
    let said = complaint(|| out_of_bounds_is_refused(&mut nand)).unwrap();
    assert!(said.contains("second buffer"), "{said}");
}

/// A part that errs within what its own sloppiness allows: defects of bit errors need the full allowance used.
fn defective(geometry: Geometry, defect: Defect) -> RamNand {
    let geometry = match defect {
        Defect::InvalidGeometry => Geometry {
            pages_per_block: 0,
            ..geometry
        },
        Defect::OneBitErrorTooMany => Geometry {
            bad_block_marker: MarkerPlace {
                spare_offset: 14,
                ..geometry.bad_block_marker
            },
            ..geometry
        },
        _ => geometry,
    };
    let mut nand = RamNand::new(geometry);
    if defect == Defect::OneBitErrorTooMany {
        nand.bit_errors = geometry.ecc_need.bits;
    }
    nand.defect = Some(defect);
    nand
}
