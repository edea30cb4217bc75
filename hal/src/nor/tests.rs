use embedded_storage::nor_flash::NorFlashErrorKind;

use super::mock::MockNor;
use super::referee::BLOCKS_WATCHED;
use super::{NorFault, NorLayout, NorNand, NorNandError};
use crate::{
    conformance, BlockAddress, Buffer, Columns, Completion, Die, GeometryError, Nand, NandError,
    NandErrorKind, ReadOutcome, ReadStatus,
};

type Flash = MockNor<4, 16, 1024>;

/// Two sectors hold 32 pages of 48 + 16 bytes.
const LAYOUT: NorLayout = NorLayout {
    sectors_per_block: 2,
    ..NorLayout::new(48, 16)
};
const BLOCK_BYTES: usize = 2048;

fn block(index: u32) -> BlockAddress {
    BlockAddress::new(0, index)
}

fn done<N: Nand>(nand: &mut N) -> Completion {
    let completion = nand.poll(Die(0)).unwrap();
    assert!(matches!(nand.poll(Die(0)), Err(nb::Error::WouldBlock)));
    completion
}

fn program<N: Nand>(nand: &mut N, page: crate::PageAddress, byte: u8) -> Completion {
    nand.buffer_mut(Die(0), Buffer::First).fill(byte);
    nand.start_program(page, Buffer::First).unwrap();
    done(nand)
}

fn erase<N: Nand>(nand: &mut N, index: u32) -> Completion {
    nand.start_erase(block(index)).unwrap();
    done(nand)
}

/// Runs the suite on a part cut up like this, with one page buffer and with two.
fn conforms<const READ: usize, const WRITE: usize, const ERASE: usize>(
    layout: NorLayout,
    capacity: usize,
) {
    for buffers in 1..=2 {
        let mut memory = vec![0; layout.buffer_bytes() * buffers];
        let flash = MockNor::<READ, WRITE, ERASE>::new(capacity);
        let mut nand = NorNand::new(flash, layout, &mut memory).unwrap();
        assert_eq!(usize::from(nand.geometry().buffers_per_die), buffers);
        conformance::run(&mut nand);
        conformance::run(&mut nand);
    }
}

#[test]
fn a_serial_nor_conforms() {
    conforms::<1, 1, 4096>(NorLayout::new(512, 16), 16 * 4096);
}

#[test]
fn a_part_that_reads_and_writes_words_conforms() {
    conforms::<4, 16, 1024>(LAYOUT, 10 * BLOCK_BYTES + 1024);
}

#[test]
fn a_part_that_reads_more_than_it_writes_conforms() {
    conforms::<32, 8, 2048>(NorLayout::new(90, 6), 6 * 2048);
}

#[test]
fn a_part_with_one_block_of_one_page_conforms() {
    conforms::<1, 1, 256>(NorLayout::new(200, 1), 256);
}

#[test]
fn the_geometry_counts_whole_pages_and_whole_blocks() {
    let layout = NorLayout {
        sectors_per_block: 3,
        endurance_cycles: 10_000,
        ..NorLayout::new(600, 40)
    };
    let flash = MockNor::<1, 4, 1024>::new(14 * 1024);
    let geometry = layout.geometry(&flash).unwrap();
    assert_eq!(geometry.dies, 1);
    assert_eq!(geometry.blocks_per_die, 4);
    assert_eq!(geometry.pages_per_block, 4);
    assert_eq!(geometry.raw_page_bytes(), 640);
    assert_eq!(geometry.buffers_per_die, 1);
    assert_eq!(geometry.partial_programs_max, 1);
    assert_eq!(geometry.endurance_cycles, 10_000);
    assert_eq!(geometry.validate(), Ok(()));
}

#[test]
fn a_page_lies_where_its_block_and_index_say() {
    let mut memory = [0; LAYOUT.buffer_bytes()];
    let mut nand = NorNand::new(Flash::erased(4 * BLOCK_BYTES), LAYOUT, &mut memory).unwrap();
    assert_eq!(
        program(&mut nand, block(3).page(5), 0x21),
        Completion::Programmed
    );
    let (flash, memory) = nand.release();
    let start = 3 * BLOCK_BYTES + 5 * LAYOUT.buffer_bytes();
    let end = start + LAYOUT.buffer_bytes();
    assert!(flash.bytes[start..end].iter().all(|byte| *byte == 0x21));
    assert!(flash.bytes[..start].iter().all(|byte| *byte == 0xFF));
    assert!(flash.bytes[end..].iter().all(|byte| *byte == 0xFF));
    assert_eq!(memory, [0x21; LAYOUT.buffer_bytes()]);
}

#[test]
fn no_block_is_bad_whatever_the_part_was_used_for() {
    let mut memory = [0; LAYOUT.buffer_bytes()];
    let mut nand = NorNand::new(Flash::new(BLOCK_BYTES), LAYOUT, &mut memory).unwrap();
    let marker = nand.geometry().bad_block_marker;
    let columns = Columns::spare(nand.geometry(), 0, 3);
    assert_eq!((marker.spare_offset, marker.len), (0, 1));
    for (page, expected) in [(0, [0xFF, 0x5A, 0x5A]), (1, [0x5A; 3])] {
        nand.start_read(block(0).page(page), columns, Buffer::First)
            .unwrap();
        done(&mut nand);
        assert_eq!(nand.buffer(Die(0), Buffer::First)[48..51], expected);
    }
}

#[test]
fn columns_that_touch_are_one_read_and_are_widened_to_what_the_flash_reads() {
    let mut memory = [0; LAYOUT.buffer_bytes()];
    let mut nand = NorNand::new(Flash::erased(BLOCK_BYTES), LAYOUT, &mut memory).unwrap();
    let touching = Columns {
        main_start: 41,
        main_len: 7,
        spare_start: 48,
        spare_len: 1,
    };
    let apart = Columns {
        main_start: 3,
        main_len: 2,
        spare_start: 62,
        spare_len: 2,
    };
    for columns in [touching, apart, Columns::default()] {
        nand.start_read(block(0).page(1), columns, Buffer::First)
            .unwrap();
        assert_eq!(
            done(&mut nand),
            Completion::Read(ReadStatus::Ok(ReadOutcome::RAW))
        );
    }
    assert_eq!(
        nand.release().0.reads,
        [(64 + 40, 12), (64, 8), (64 + 60, 4)]
    );
}

#[test]
fn a_page_is_programmed_once_and_in_ascending_order() {
    let mut memory = [0; LAYOUT.buffer_bytes()];
    let mut nand = NorNand::new(Flash::erased(2 * BLOCK_BYTES), LAYOUT, &mut memory).unwrap();
    program(&mut nand, block(0).page(4), 0);
    for page in [0, 3, 4] {
        let error = nand.start_program(block(0).page(page), Buffer::First);
        assert_eq!(error, Err(NorFault::Forbidden));
        assert_eq!(error.unwrap_err().kind(), NandErrorKind::Forbidden);
        assert_eq!(nand.poll(Die(0)), Err(nb::Error::WouldBlock));
    }
    program(&mut nand, block(1).page(0), 0);
    program(&mut nand, block(0).page(5), 0);
    erase(&mut nand, 0);
    assert_eq!(
        program(&mut nand, block(0).page(0), 0),
        Completion::Programmed
    );
}

#[test]
fn the_order_is_watched_in_the_blocks_used_last() {
    let watched = u32::try_from(BLOCKS_WATCHED).unwrap();
    let mut memory = [0; LAYOUT.buffer_bytes()];
    let flash = Flash::erased((BLOCKS_WATCHED + 1) * BLOCK_BYTES);
    let mut nand = NorNand::new(flash, LAYOUT, &mut memory).unwrap();
    for index in 0..watched {
        program(&mut nand, block(index).page(1), 0);
    }
    // Block 0 becomes the one used last, so that the next block displaces block 1.
    program(&mut nand, block(0).page(2), 0);
    program(&mut nand, block(watched).page(1), 0);
    for index in (0..=watched).filter(|index| *index != 1) {
        let error = nand.start_program(block(index).page(0), Buffer::First);
        assert_eq!(error, Err(NorFault::Forbidden), "block {index}");
    }
    assert_eq!(
        program(&mut nand, block(1).page(0), 0),
        Completion::Programmed
    );
}

#[test]
fn a_failed_program_is_a_status_and_uses_the_page_up() {
    let mut memory = [0; LAYOUT.buffer_bytes()];
    let mut nand = NorNand::new(Flash::erased(BLOCK_BYTES), LAYOUT, &mut memory).unwrap();
    nand.flash.fail_next = Some(NorFlashErrorKind::Other);
    assert_eq!(
        program(&mut nand, block(0).page(0), 0x77),
        Completion::ProgramFailed
    );
    assert!(nand
        .buffer(Die(0), Buffer::First)
        .iter()
        .all(|byte| *byte == 0x77));
    assert_eq!(
        nand.start_program(block(0).page(0), Buffer::First),
        Err(NorFault::Forbidden)
    );
}

#[test]
fn a_failed_erase_is_a_status_and_closes_the_block() {
    let mut memory = [0; LAYOUT.buffer_bytes()];
    let mut nand = NorNand::new(Flash::erased(BLOCK_BYTES), LAYOUT, &mut memory).unwrap();
    nand.flash.fail_next = Some(NorFlashErrorKind::Other);
    assert_eq!(erase(&mut nand, 0), Completion::EraseFailed);
    assert_eq!(
        nand.start_program(block(0).page(31), Buffer::First),
        Err(NorFault::Forbidden)
    );
    assert_eq!(erase(&mut nand, 0), Completion::Erased);
    assert_eq!(
        program(&mut nand, block(0).page(0), 0),
        Completion::Programmed
    );
}

#[test]
fn a_failed_read_is_an_error_of_the_bus_and_leaves_nothing_in_flight() {
    let mut memory = [0; LAYOUT.buffer_bytes()];
    let mut nand = NorNand::new(Flash::erased(BLOCK_BYTES), LAYOUT, &mut memory).unwrap();
    nand.flash.fail_next = Some(NorFlashErrorKind::Other);
    let columns = Columns::whole(nand.geometry());
    let error = nand
        .start_read(block(0).page(0), columns, Buffer::First)
        .unwrap_err();
    assert_eq!(error, NorFault::Flash(NorFlashErrorKind::Other));
    assert_eq!(error.kind(), NandErrorKind::Bus);
    assert!(error.to_string().contains("Other"));
    assert_eq!(nand.poll(Die(0)), Err(nb::Error::WouldBlock));
    nand.start_read(block(0).page(0), columns, Buffer::First)
        .unwrap();
}

#[test]
fn a_complaint_about_the_call_is_an_error_and_nothing_was_done() {
    for complaint in [
        NorFlashErrorKind::OutOfBounds,
        NorFlashErrorKind::NotAligned,
    ] {
        let mut memory = [0; LAYOUT.buffer_bytes()];
        let mut nand = NorNand::new(Flash::erased(BLOCK_BYTES), LAYOUT, &mut memory).unwrap();
        let columns = Columns::whole(nand.geometry());
        for operation in 0..3 {
            nand.flash.fail_next = Some(complaint);
            let error = match operation {
                0 => nand.start_read(block(0).page(0), columns, Buffer::First),
                1 => nand.start_program(block(0).page(0), Buffer::First),
                _ => nand.start_erase(block(0)),
            };
            assert_eq!(error, Err(NorFault::Flash(complaint)));
            assert_eq!(error.unwrap_err().kind(), NandErrorKind::Other);
            assert_eq!(nand.poll(Die(0)), Err(nb::Error::WouldBlock));
        }
        assert_eq!(
            program(&mut nand, block(0).page(0), 0),
            Completion::Programmed
        );
    }
}

/// Asks for a part and gets told why not.
fn refusal<const READ: usize, const WRITE: usize, const ERASE: usize>(
    layout: NorLayout,
    capacity: usize,
    buffer_bytes: usize,
) -> NorNandError {
    let mut memory = vec![0; buffer_bytes];
    NorNand::new(
        MockNor::<READ, WRITE, ERASE>::new(capacity),
        layout,
        &mut memory,
    )
    .unwrap_err()
}

#[test]
fn a_part_that_cannot_be_is_refused_with_what_was_found() {
    for (page_bytes, spare_bytes, sectors_per_block) in [(0, 16, 1), (512, 0, 1), (512, 16, 0)] {
        let layout = NorLayout {
            sectors_per_block,
            ..NorLayout::new(page_bytes, spare_bytes)
        };
        assert_eq!(
            refusal::<1, 1, 4096>(layout, 8192, 528),
            NorNandError::Zero { layout }
        );
    }
    assert_eq!(
        refusal::<1, 256, 640>(NorLayout::new(240, 16), 8192, 256),
        NorNandError::FlashSizes {
            read: 1,
            write: 256,
            erase: 640
        }
    );
    assert_eq!(
        refusal::<1, 1, 4096>(NorLayout::new(4096, 64), 8192, 4160),
        NorNandError::PageTooLarge {
            raw_page_bytes: 4160,
            block_bytes: 4096
        }
    );
    assert_eq!(
        refusal::<1, 1, 4096>(NorLayout::new(u32::MAX, u16::MAX), 8192, 4160),
        NorNandError::PageTooLarge {
            raw_page_bytes: 0xFFFF_FFFF + 0xFFFF,
            block_bytes: 4096
        }
    );
    assert_eq!(
        refusal::<1, 16, 4096>(NorLayout::new(512, 20), 8192, 532),
        NorNandError::Unaligned {
            raw_page_bytes: 532,
            granule: 16
        }
    );
    assert_eq!(
        refusal::<8, 1, 4096>(NorLayout::new(512, 20), 8192, 532),
        NorNandError::Unaligned {
            raw_page_bytes: 532,
            granule: 8
        }
    );
    assert_eq!(
        refusal::<1, 1, 262_144>(NorLayout::new(3, 1), 262_144, 4),
        NorNandError::TooManyPages { pages: 65_536 }
    );
    assert_eq!(
        refusal::<1, 1, 4096>(NorLayout::new(512, 16), 4095, 528),
        NorNandError::FlashTooSmall {
            capacity: 4095,
            block_bytes: 4096
        }
    );
    assert_eq!(
        refusal::<1, 1, 4096>(NorLayout::new(512, 16), 8192, 527),
        NorNandError::BufferTooSmall {
            found: 527,
            needed: 528
        }
    );
    let huge = NorLayout {
        sectors_per_block: 1 << 20,
        ..NorLayout::new(512, 16)
    };
    assert_eq!(
        refusal::<1, 1, 4096>(huge, 8192, 528),
        NorNandError::BlockTooLarge {
            sectors_per_block: 1 << 20,
            sector_bytes: 4096
        }
    );
}

#[test]
fn a_refusal_says_what_was_found_and_what_to_do() {
    let said = |error: NorNandError| error.to_string();
    let unaligned = said(refusal::<1, 16, 4096>(NorLayout::new(512, 20), 8192, 532));
    assert!(unaligned.contains("532") && unaligned.contains("16") && unaligned.contains("choose"));
    let small = said(refusal::<1, 1, 4096>(NorLayout::new(512, 16), 8192, 527));
    assert!(small.contains("527") && small.contains("528") && small.contains("lend"));
    let page = said(refusal::<1, 1, 4096>(NorLayout::new(8192, 64), 8192, 0));
    assert!(page.contains("8256") && page.contains("4096") && page.contains("raise"));
    let geometry = said(NorNandError::Geometry(GeometryError::TooManyPages));
    assert!(geometry.contains("2^31") && geometry.contains("choose"));
}

#[test]
fn a_lent_flash_survives_a_refusal() {
    let mut flash = Flash::erased(BLOCK_BYTES);
    assert!(NorNand::new(&mut flash, LAYOUT, &mut []).is_err());
    let mut memory = [0; LAYOUT.buffer_bytes()];
    assert!(NorNand::new(&mut flash, LAYOUT, &mut memory).is_ok());
}
