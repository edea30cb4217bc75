//! Checks of starting, polling and settling.

use core::mem::discriminant;

use super::content::{self, Content};
use super::sample;
use super::steps::{self, assert_idle, assert_refused, erase, program};
use crate::{
    BlockAddress, Buffer, Columns, Completion, Die, Nand, NandErrorKind, ReadOutcome, ReadStatus,
};

/// A poll hands each completion out once; with nothing in flight it would block.
///
/// # Panics
/// When the implementation does not do so.
pub fn completion_is_handed_out_once<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    for die in sample::dies(&geometry) {
        assert_idle(nand, die, "before anything was started");
        let block = sample::good_blocks(nand, die).first();
        erase(nand, block);
        assert_idle(nand, die, "after an erase settled");
        content::fill(nand, die, Buffer::First, Content::of(block.page(0)));
        program(nand, block.page(0), Buffer::First);
        assert_idle(nand, die, "after a program settled");
        let whole = Columns::whole(&geometry);
        steps::read(nand, block.page(0), whole, Buffer::First);
        assert_idle(nand, die, "after a read settled");
    }
}

/// Until the operation in flight is polled, another one on the die is [`NandErrorKind::Busy`], starts nothing and does
/// not disturb the first.
///
/// # Panics
/// When the implementation does not do so.
pub fn busy_die_refuses_a_second_operation<N: Nand>(nand: &mut N) {
    let whole = Columns::whole(nand.geometry());
    for die in sample::dies(nand.geometry()) {
        let good = sample::good_blocks(nand, die);
        let (busy, other) = (good.first(), good.last());
        let page = busy.page(0);
        for block in [busy, other] {
            erase(nand, block);
        }
        content::fill(nand, die, Buffer::First, Content::of(page));

        steps::start_program(nand, page, Buffer::First);
        refuse_all(nand, busy, "a program");
        steps::settle_program(nand, page);
        assert_idle(nand, die, "after a program that others were refused for");
        content::verify(nand, page, Content::of(page), "after its program");

        steps::start_read(nand, page, whole, Buffer::First);
        refuse_all(nand, busy, "a read");
        steps::settle_read(nand, page);
        assert_idle(nand, die, "after a read that others were refused for");
        let when = "while others were refused";
        content::assert_read(nand, page, whole, Buffer::First, Content::of(page), when);

        steps::start_erase(nand, other);
        refuse_all(nand, busy, "an erase");
        steps::settle_erase(nand, other);
        assert_idle(nand, die, "after an erase that others were refused for");
        content::verify(nand, other.page(0), Content::Erased, "after its erase");
        if busy != other {
            let when = "after its erase was refused on a busy die";
            content::verify(nand, page, Content::of(page), when);
        }
        let last = nand.geometry().pages_per_block - 1;
        if last > 0 {
            let when = "after its program was refused on a busy die";
            content::verify(nand, busy.page(last), Content::Erased, when);
        }
    }
}

/// Tries all three operations on a busy die.
fn refuse_all<N: Nand>(nand: &mut N, block: BlockAddress, during: &str) {
    let geometry = *nand.geometry();
    let page = block.page(geometry.pages_per_block - 1);
    let die = block.die;
    let read = nand.start_read(page, Columns::whole(&geometry), Buffer::First);
    assert_refused(
        read,
        NandErrorKind::Busy,
        format_args!("a read on {die:?} during {during}"),
    );
    let program = nand.start_program(page, Buffer::First);
    assert_refused(
        program,
        NandErrorKind::Busy,
        format_args!("a program on {die:?} during {during}"),
    );
    let erase = nand.start_erase(block);
    assert_refused(
        erase,
        NandErrorKind::Busy,
        format_args!("an erase on {die:?} during {during}"),
    );
}

/// An operation can be started on one die while others have theirs in flight, and each settles by itself. Nothing is
/// checked where there is one die.
///
/// # Panics
/// When the implementation does not do so.
pub fn dies_work_at_the_same_time<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    if geometry.dies == 1 {
        return;
    }
    let dies = || sample::dies(&geometry);
    let mut blocks = [BlockAddress::default(); sample::DIES_MAX];
    for (slot, die) in blocks.iter_mut().zip(dies()) {
        *slot = sample::good_blocks(nand, die).first();
    }
    let sampled = || blocks.into_iter().take(dies().count());
    let even = |die: Die| die.0.is_multiple_of(2);

    // All dies erase, then all program.
    for block in sampled() {
        steps::start_erase(nand, block);
    }
    settle_all(nand, sampled(), |_| Completion::Erased);
    for block in sampled() {
        let page = block.page(0);
        content::fill(nand, block.die, Buffer::First, Content::of(page));
        steps::start_program(nand, page, Buffer::First);
    }
    settle_all(nand, sampled(), |_| Completion::Programmed);
    for block in sampled() {
        let page = block.page(0);
        content::verify(nand, page, Content::of(page), "after all dies programmed");
    }

    // Half of the dies read while the others erase.
    let whole = Columns::whole(&geometry);
    for block in sampled() {
        if even(block.die) {
            steps::start_read(nand, block.page(0), whole, Buffer::First);
        } else {
            steps::start_erase(nand, block);
        }
    }
    settle_all(nand, sampled(), |die| match even(die) {
        true => Completion::Read(ReadStatus::Ok(ReadOutcome::RAW)),
        false => Completion::Erased,
    });
    for block in sampled() {
        let page = block.page(0);
        if even(block.die) {
            let when = "while other dies erased";
            content::assert_read(nand, page, whole, Buffer::First, Content::of(page), when);
        } else {
            content::verify(nand, page, Content::Erased, "after its erase");
        }
    }
}

/// Polls all dies, the last one first, until each has ended as `expected`, whatever a read tells of its bit errors.
fn settle_all<N: Nand>(
    nand: &mut N,
    blocks: impl Iterator<Item = BlockAddress>,
    expected: impl Fn(Die) -> Completion,
) {
    let mut in_flight = [None; sample::DIES_MAX];
    for (slot, block) in in_flight.iter_mut().rev().zip(blocks) {
        *slot = Some(block.die);
    }
    for _ in 0..steps::POLLS_MAX {
        let mut has_settled = false;
        for slot in &mut in_flight {
            let Some((die, found)) = slot.and_then(|die| Some((die, steps::poll(nand, die)?)))
            else {
                continue;
            };
            assert!(
                discriminant(&found) == discriminant(&expected(die)),
                "conformance: the operation on {die:?} must settle as {:?} while other dies work; it settled as \
                 {found:?}",
                expected(die)
            );
            *slot = None;
            has_settled = true;
            assert_idle(nand, die, "after its operation settled");
        }
        if in_flight.iter().all(Option::is_none) {
            return;
        }
        if !has_settled {
            nand.wait();
        }
    }
    panic!(
        "conformance: {in_flight:?} were polled in turn and still would block; other dies settled"
    )
}
