use crate::steps::{all, at, distance, erase, part, program, read, settle};
use crate::{CutPlan, EmulatedNand, Rule, SimError};
use cuesta_hal::{
    BlockAddress, Buffer, Columns, Completion, Die, Nand, NandError, NandErrorKind, PageAddress,
    ReadOutcome, ReadStatus,
};

const LOST: BlockAddress = BlockAddress::new(1, 4);

fn two_dies(ecc: bool) -> EmulatedNand {
    let chip = crate::chip("tiny2").expect("in the table");
    let mut geometry = chip.geometry;
    geometry.chip_ecc = ecc.then_some(cuesta_hal::ChipEcc {
        strength: 4,
        codeword_bytes: 512,
        enabled: true,
        free: cuesta_hal::SpareRuns::NONE,
        protected: cuesta_hal::SpareRuns::NONE,
        owned: cuesta_hal::SpareRuns::NONE,
    });
    crate::Builder::new(chip).geometry(geometry).seed(6).build()
}

fn whole(nand: &mut EmulatedNand, page: PageAddress) -> Completion {
    let columns = Columns::whole(nand.geometry());
    nand.start_read(page, columns, Buffer::First)
        .expect("starts");
    settle(nand, page.die()).expect("settles")
}

#[test]
fn a_lost_die_fails_every_program_and_erase_and_reads_garbage() {
    for (ecc, status) in [
        (false, ReadStatus::Ok(ReadOutcome::RAW)),
        (true, ReadStatus::Uncorrectable),
    ] {
        let mut nand = two_dies(ecc);
        program(&mut nand, LOST.page(0), 0).expect("programs");
        nand.lose_die(Die(1));
        let half = nand.geometry().raw_page_bytes() * 4;
        for _ in 0..3 {
            assert_eq!(whole(&mut nand, LOST.page(0)), Completion::Read(status));
            let wrong = distance(nand.buffer(Die(1), Buffer::First), &[0; 576]);
            assert!(wrong.abs_diff(half) < half / 5, "{wrong} of {}", 2 * half);
        }
        let first = read(&mut nand, LOST.page(0)).expect("settles");
        let again = read(&mut nand, LOST.page(0)).expect("settles");
        assert!(first != again, "other garbage each time");
        assert_eq!(
            program(&mut nand, LOST.page(1), 0),
            Ok(Completion::ProgramFailed)
        );
        assert_eq!(erase(&mut nand, LOST), Ok(Completion::EraseFailed));
        assert!(all(&nand.true_bytes(LOST.page(0)), 0));
        assert_eq!(program(&mut nand, at(4, 0), 0), Ok(Completion::Programmed));
        assert!(all(&read(&mut nand, at(4, 0)).expect("reads"), 0));
        assert_eq!(erase(&mut nand, at(4, 0).block), Ok(Completion::Erased));
        assert_eq!(nand.violation_count(), 0);
    }
}

#[test]
fn garbage_fills_the_asked_columns_and_follows_from_the_seed() {
    let garbage = |seed| {
        let mut nand = EmulatedNand::builder("tiny2")
            .expect("in the table")
            .seed(seed)
            .build();
        nand.lose_die(Die(1));
        nand.buffer_mut(Die(1), Buffer::First).fill(0x77);
        let columns = Columns::spare(nand.geometry(), 0, 64);
        nand.start_read(LOST.page(0), columns, Buffer::First)
            .expect("starts");
        settle(&mut nand, Die(1)).expect("settles");
        nand.buffer(Die(1), Buffer::First).to_vec()
    };
    let bytes = garbage(1);
    assert!(all(&bytes[..512], 0x77) && !all(&bytes[512..], 0x77));
    assert_eq!(bytes, garbage(1));
    assert_ne!(bytes, garbage(2));
}

#[test]
fn a_loss_hits_what_is_in_flight() {
    let mut nand = two_dies(false);
    nand.buffer_mut(Die(1), Buffer::First).fill(0);
    nand.start_program(LOST.page(0), Buffer::First)
        .expect("starts");
    nand.lose_die(Die(1));
    assert_eq!(settle(&mut nand, Die(1)), Ok(Completion::ProgramFailed));
    assert!(all(&nand.true_bytes(LOST.page(0)), 0xFF));
}

#[test]
fn a_lost_plane_takes_its_blocks_and_no_others() {
    let chip = crate::chip("tiny2").expect("in the table");
    let mut geometry = chip.geometry;
    geometry.planes_per_die = 4;
    let mut nand = crate::Builder::new(chip).geometry(geometry).build();
    nand.lose_plane(Die(1), 3);
    for die in 0..geometry.dies {
        for block in 0..geometry.blocks_per_die {
            let address = BlockAddress::new(die, block);
            let lost = die == 1 && block % 4 == 3;
            let expected = if lost {
                Completion::EraseFailed
            } else {
                Completion::Erased
            };
            assert_eq!(erase(&mut nand, address), Ok(expected), "{address:?}");
            let page = read(&mut nand, address.page(0)).expect("settles");
            assert_eq!(all(&page, 0xFF), !lost, "{address:?}");
        }
    }
}

#[test]
fn what_is_lost_stays_lost_over_power_cycles_and_cleared_faults() {
    let mut nand = two_dies(false);
    nand.lose_die(Die(1));
    nand.lose_die_silently(Die(0));
    for block in 0..3 {
        let lost = BlockAddress::new(1, block);
        nand.plan_cut(CutPlan::during(0, 7));
        let cut = program(&mut nand, lost.page(0), 0);
        assert_eq!(cut, Err(SimError::PowerLost));
        nand.power_cycle();
        nand.faults().clear();
        assert_eq!(erase(&mut nand, lost), Ok(Completion::EraseFailed));
        assert_eq!(erase(&mut nand, at(0, 0).block), Err(SimError::Timeout));
    }
}

#[test]
fn a_silent_die_times_out_changes_nothing_and_holds_nobody_up() {
    let mut nand = two_dies(false);
    program(&mut nand, LOST.page(0), 0).expect("programs");
    nand.lose_die_silently(Die(1));
    let silent = SimError::Timeout;
    assert_eq!(silent.kind(), NandErrorKind::Timeout);
    assert_eq!(read(&mut nand, LOST.page(0)), Err(silent));
    assert_eq!(program(&mut nand, LOST.page(1), 0), Err(silent));
    assert_eq!(erase(&mut nand, LOST), Err(silent));
    assert!(all(&nand.true_bytes(LOST.page(0)), 0));
    assert_eq!(nand.erase_count(LOST), 0);
    nand.plan_cut(CutPlan::during(0, 1));
    erase(&mut nand, LOST).expect_err("the power is cut");
    nand.power_cycle();
    assert!(all(&nand.true_bytes(LOST.page(0)), 0));
    assert_eq!(program(&mut nand, at(0, 0), 0), Ok(Completion::Programmed));
}

#[test]
fn the_referee_watches_a_lost_die_as_any_other() {
    let mut nand = part("tiny2");
    nand.lose_die(Die(1));
    assert_eq!(
        program(&mut nand, LOST.page(5), 0),
        Ok(Completion::ProgramFailed)
    );
    let refused = program(&mut nand, LOST.page(4), 0);
    assert_eq!(refused, Err(SimError::Forbidden(Rule::OutOfOrder)));
    erase(&mut nand, LOST).expect("settles");
    let refused = program(&mut nand, LOST.page(0), 0);
    assert_eq!(refused, Err(SimError::Forbidden(Rule::NotErased)));
    assert_eq!(nand.violation_count(), 2);
}
