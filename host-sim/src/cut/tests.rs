use crate::steps::{all, at, distance, erase, part, program, read, settle};
use crate::{
    CutPhase, CutPlan, EmulatedNand, OperationClass, PairDamage, Rule, SimError, TornErase,
    TornProgram,
};
use cuesta_hal::{BlockAddress, Buffer, Completion, Die, Nand};

const BLOCK: BlockAddress = BlockAddress::new(0, 0);
const RAW: usize = 576;

/// A part whose programming of page 1 with zeros was torn; page 0 holds `0x5A`.
fn torn(variant: TornProgram, seed: u64) -> EmulatedNand {
    let mut nand = part("tiny");
    nand.plan_cut(CutPlan::during(1, seed).torn(variant, TornErase::Drawn));
    assert_eq!(
        program(&mut nand, at(0, 0), 0x5A),
        Ok(Completion::Programmed)
    );
    assert_eq!(program(&mut nand, at(0, 1), 0), Err(SimError::PowerLost));
    nand.power_cycle();
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0x5A));
    nand
}

/// A part whose erase of block 0, all pages of which hold `0x5A`, was torn.
fn torn_erase(variant: TornErase, seed: u64) -> EmulatedNand {
    let mut nand = part("tiny");
    for page in 0..16 {
        program(&mut nand, at(0, page), 0x5A).expect("programs");
    }
    nand.plan_cut(CutPlan::during(0, seed).torn(TornProgram::Drawn, variant));
    assert_eq!(erase(&mut nand, BLOCK), Err(SimError::PowerLost));
    nand.power_cycle();
    nand
}

fn refusal(nand: &mut EmulatedNand, page: u16) -> Rule {
    match program(nand, at(0, page), 0) {
        Err(SimError::Forbidden(rule)) => rule,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn before_nothing_has_happened() {
    let mut nand = part("tiny");
    nand.plan_cut(CutPlan::during(1, 1).phase(CutPhase::Before));
    program(&mut nand, at(0, 0), 0x5A).expect("programs");
    let refused = nand.start_program(at(0, 1), Buffer::First);
    assert_eq!(refused, Err(SimError::PowerLost));
    nand.power_cycle();
    assert!(all(&read(&mut nand, at(0, 1)).expect("reads"), 0xFF));
    program(&mut nand, at(0, 1), 0).expect("the page is untouched");
    assert_eq!(nand.violation_count(), 0);
}

#[test]
fn after_everything_has_happened_but_nobody_was_told() {
    let mut nand = part("tiny");
    nand.plan_cut(CutPlan::during(1, 1).phase(CutPhase::After));
    program(&mut nand, at(0, 0), 0x5A).expect("programs");
    assert_eq!(program(&mut nand, at(0, 1), 0), Err(SimError::PowerLost));
    nand.power_cycle();
    for _ in 0..20 {
        assert!(all(&read(&mut nand, at(0, 1)).expect("reads"), 0));
    }
    program(&mut nand, at(0, 2), 0).expect("the page is sound");
    assert_eq!(refusal(&mut nand, 1), Rule::Overprogrammed);

    nand.plan_cut(CutPlan::during(0, 1).phase(CutPhase::After));
    assert_eq!(erase(&mut nand, BLOCK), Err(SimError::PowerLost));
    nand.power_cycle();
    program(&mut nand, at(0, 0), 0).expect("the block is erased");
}

#[test]
fn every_call_says_power_lost_until_the_power_is_back() {
    let mut nand = torn(TornProgram::Drawn, 1);
    nand.cut();
    assert!(nand.is_power_lost());
    assert_eq!(read(&mut nand, at(0, 0)), Err(SimError::PowerLost));
    assert_eq!(nand.start_erase(BLOCK), Err(SimError::PowerLost));
    let started = nand.start_program(at(1, 0), Buffer::First);
    assert_eq!(started, Err(SimError::PowerLost));
    assert_eq!(
        nand.poll(Die(0)),
        Err(nb::Error::Other(SimError::PowerLost))
    );
    nand.wait();
    nand.power_cycle();
    assert!(read(&mut nand, at(0, 0)).is_ok());
}

#[test]
fn a_plan_counts_only_its_class() {
    let counts = [
        (OperationClass::Read, 0),
        (OperationClass::Erase, 1),
        (OperationClass::Program, 2),
        (OperationClass::Any, 0),
        (OperationClass::Changing, 1),
    ];
    for (class, survived) in counts {
        let mut nand = part("tiny");
        nand.plan_cut(
            CutPlan::during(0, 1)
                .counting(class)
                .phase(CutPhase::Before),
        );
        let done = [
            read(&mut nand, at(0, 0)).is_ok(),
            erase(&mut nand, BLOCK).is_ok(),
            program(&mut nand, at(0, 0), 0).is_ok(),
        ];
        assert_eq!(
            done.iter().filter(|done| **done).count(),
            survived,
            "{class:?}"
        );
    }
}

#[test]
fn a_prefix_ends_where_the_plan_says() {
    let mut nand = torn(TornProgram::Prefix(64), 1);
    let bytes = read(&mut nand, at(0, 1)).expect("reads");
    assert!(all(&bytes[..RAW / 4], 0) && all(&bytes[RAW / 4..], 0xFF));
    assert_eq!(refusal(&mut nand, 1), Rule::TornPage);
}

#[test]
fn random_bits_are_half_written_and_unstable() {
    let mut nand = torn(TornProgram::RandomBits, 1);
    let reads: Vec<_> = (0..20)
        .map(|_| read(&mut nand, at(0, 1)).expect("reads"))
        .collect();
    let ones = distance(&nand.true_bytes(at(0, 1)), &[0; RAW]);
    assert!((1800..2800).contains(&ones), "{ones} of 4608 bits");
    assert!(reads.iter().any(|bytes| *bytes != reads[0]));
    assert_eq!(refusal(&mut nand, 1), Rule::TornPage);
}

#[test]
fn sectors_are_written_or_not() {
    let mut seen = [false; 2];
    for seed in 0..20 {
        let mut nand = torn(TornProgram::Sectors512, seed);
        let bytes = read(&mut nand, at(0, 1)).expect("reads");
        for piece in bytes.chunks(512) {
            assert!(all(piece, 0) || all(piece, 0xFF));
            seen[usize::from(piece[0] & 1)] = true;
        }
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn a_page_that_looks_erased_is_not() {
    let mut nand = torn(TornProgram::LooksErased, 1);
    for _ in 0..20 {
        assert!(distance(&read(&mut nand, at(0, 1)).expect("reads"), &[0xFF; RAW]) <= 3);
    }
    assert_eq!(refusal(&mut nand, 1), Rule::TornPage);
}

#[test]
fn a_page_that_looks_valid_decays_after_a_few_reads() {
    let mut lives = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut nand = torn(TornProgram::LooksValidThenDecays, seed);
        let good = (0..10)
            .take_while(|_| all(&read(&mut nand, at(0, 1)).expect("reads"), 0))
            .count();
        assert!((1..=4).contains(&good), "{good}");
        lives.insert(good);
        let wrong = distance(&read(&mut nand, at(0, 1)).expect("reads"), &[0; RAW]);
        assert!(wrong > 150, "beyond any code: {wrong} of 4608 bits");
    }
    assert!(lives.len() > 1);
}

#[test]
fn garbage_has_bits_that_were_never_asked_for() {
    let mut nand = part("tiny");
    nand.plan_cut(CutPlan::during(0, 1).torn(TornProgram::Garbage, TornErase::Drawn));
    assert_eq!(program(&mut nand, at(0, 0), 0xF0), Err(SimError::PowerLost));
    assert!(nand
        .true_bytes(at(0, 0))
        .iter()
        .any(|byte| byte & 0xF0 != 0xF0));
}

#[test]
fn old_data_after_a_torn_erase_must_not_be_appended_to() {
    let mut nand = torn_erase(TornErase::OldData, 1);
    assert!(all(&read(&mut nand, at(0, 15)).expect("reads"), 0x5A));
    assert_eq!(refusal(&mut nand, 15), Rule::NotErased);
}

#[test]
fn a_mixture_has_pages_of_each_kind() {
    let mut kinds = [0; 3];
    for seed in 0..4 {
        let nand = torn_erase(TornErase::Mixture, seed);
        for page in 0..16 {
            let bytes = nand.true_bytes(at(0, page));
            let kind = if all(&bytes, 0x5A) {
                0
            } else if all(&bytes, 0xFF) {
                1
            } else {
                2
            };
            kinds[kind] += 1;
            // An erase only sets bits.
            assert!(bytes.iter().all(|byte| byte & 0x5A == 0x5A));
        }
    }
    assert!(kinds.iter().all(|&count| count > 5), "{kinds:?}");
}

#[test]
fn a_weak_block_reads_erased_and_must_be_erased_again() {
    let mut nand = torn_erase(TornErase::LooksErasedButWeak, 1);
    for page in 0..16 {
        assert!(all(&read(&mut nand, at(0, page)).expect("reads"), 0xFF));
    }
    assert_eq!(refusal(&mut nand, 0), Rule::NotErased);
    erase(&mut nand, BLOCK).expect("erases");
    program(&mut nand, at(0, 0), 0).expect("programs");
}

#[test]
fn every_die_in_flight_is_torn() {
    let mut hit = [false; 2];
    for seed in 0..16 {
        let mut nand = part("tiny2");
        let other = BlockAddress::new(1, 0).page(0);
        nand.buffer_mut(Die(1), Buffer::First).fill(0);
        nand.start_program(other, Buffer::First).expect("starts");
        nand.plan_cut(CutPlan::during(0, seed).torn(TornProgram::Prefix(128), TornErase::Drawn));
        assert_eq!(program(&mut nand, at(0, 0), 0), Err(SimError::PowerLost));
        nand.power_cycle();
        for (die, page) in [at(0, 0), other].into_iter().enumerate() {
            hit[die] |= program(&mut nand, page, 0) == Err(SimError::Forbidden(Rule::TornPage));
        }
    }
    assert_eq!(hit, [true, true]);
}

#[test]
fn a_program_still_on_the_channel_changes_nothing() {
    let mut nand = part("tiny");
    nand.cut_at_time(5_000, 1);
    assert_eq!(program(&mut nand, at(0, 0), 0), Err(SimError::PowerLost));
    assert_eq!(nand.now_ns(), 5_000);
    nand.power_cycle();
    program(&mut nand, at(0, 0), 0).expect("the array never saw the first one");
}

#[test]
fn a_cut_at_a_time_tears_what_the_array_does_then() {
    let mut nand = part("tiny");
    nand.cut_at_time(100_000, 1);
    assert_eq!(program(&mut nand, at(0, 0), 0), Err(SimError::PowerLost));
    assert_eq!(nand.now_ns(), 100_000);
    nand.power_cycle();
    assert_eq!(refusal(&mut nand, 0), Rule::TornPage);
    nand.cut_at_time(0, 1);
    assert!(nand.is_power_lost(), "the moment has passed");
}

#[test]
fn switching_off_tears_what_is_in_flight_without_any_plan() {
    let mut nand = part("tiny");
    nand.start_program(at(0, 0), Buffer::First).expect("starts");
    nand.advance(100_000);
    nand.power_cycle();
    assert_eq!(refusal(&mut nand, 0), Rule::TornPage);
    // What had ended is in the array.
    nand.start_erase(BLOCK).expect("starts");
    nand.advance(5_000_000);
    nand.power_cycle();
    program(&mut nand, at(0, 0), 0).expect("the block is erased");
}

#[test]
fn reads_and_buffers_do_not_survive_and_harm_nothing() {
    let mut nand = part("tiny");
    program(&mut nand, at(0, 0), 0x5A).expect("programs");
    nand.plan_cut(CutPlan::during(0, 1).counting(OperationClass::Read));
    assert_eq!(read(&mut nand, at(0, 0)), Err(SimError::PowerLost));
    nand.power_cycle();
    assert!(!all(nand.buffer(Die(0), Buffer::First), 0x5A));
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0x5A));
}

#[test]
fn paired_pages_lose_what_was_acknowledged() {
    for (damage, expected) in [(PairDamage::All, 3), (PairDamage::None, 0)] {
        let mut nand = part("tiny-mlc");
        for page in 0..8 {
            program(&mut nand, at(0, page), 0x5A).expect("programs");
        }
        nand.plan_cut(CutPlan {
            pairs: damage,
            ..CutPlan::during(0, 1)
        });
        assert_eq!(program(&mut nand, at(0, 8), 0), Err(SimError::PowerLost));
        nand.power_cycle();
        let damaged: Vec<u16> = (0..8)
            .filter(|&page| !all(&read(&mut nand, at(0, page)).expect("reads"), 0x5A))
            .collect();
        assert_eq!(damaged.len(), expected);
        assert!(damaged.iter().all(|page| (5..8).contains(page)));
    }
}

#[test]
fn the_referee_watches_appends_after_a_torn_page_if_asked() {
    let mut lax = torn(TornProgram::LooksErased, 1);
    program(&mut lax, at(0, 2), 0).expect("data sheets allow it");

    let mut nand = EmulatedNand::builder("tiny")
        .expect("in the table")
        .watch_after_torn(true)
        .build();
    nand.plan_cut(CutPlan::during(0, 1));
    assert_eq!(program(&mut nand, at(0, 0), 0), Err(SimError::PowerLost));
    nand.power_cycle();
    assert_eq!(refusal(&mut nand, 1), Rule::AfterTornPage);
    erase(&mut nand, BLOCK).expect("erases");
    program(&mut nand, at(0, 0), 0).expect("programs");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed: u64| {
        let mut nand = EmulatedNand::builder("tiny4")
            .expect("in the table")
            .seed(seed)
            .random_bad_blocks(2)
            .build();
        nand.faults().bit_error_rate(1e-4);
        nand.plan_cut(CutPlan::during(9, seed));
        let mut seen = Vec::new();
        let good: Vec<_> = nand.good_blocks().into_iter().collect();
        for (i, block) in good.iter().cycle().take(60).enumerate() {
            let page = block.page((i / good.len()) as u16);
            if program(&mut nand, page, i as u8).is_err() {
                nand.power_cycle();
            }
            seen.push(read(&mut nand, page).expect("reads"));
        }
        (seen, nand.now(), nand.counters())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0, run(6).0);
}

#[test]
fn a_read_in_flight_does_not_stop_other_dies_from_settling() {
    let mut nand = part("tiny2");
    nand.start_erase(BlockAddress::new(1, 0)).expect("starts");
    read(&mut nand, at(0, 0)).expect("reads");
    assert_eq!(settle(&mut nand, Die(1)), Ok(Completion::Erased));
}
