//! What any implementation of [`Nand`] has to do, checked against the implementation itself.
//!
//! [`run`] makes every check; each is also a function of its own. A check that fails panics with a message that begins
//! with `conformance:` and says what was done, what was expected and what was found.
//!
//! The suite **destroys what the part holds**. It works on a sample, at most four good blocks on each of at most four
//! dies, so that it takes no longer on a large part than on a small one; blocks that carry a factory marker are only
//! ever read. What it programs leaves the place of the marker alone, so that it can be run again. Nothing may be in
//! flight when a check begins, and nothing is when it returns.
//!
//! Simulated faults should be off but for bit errors: of those, as many are accepted as
//! [`Geometry::ecc_need`](crate::Geometry::ecc_need) asks the layer above to correct. Spare bytes are not compared
//! after a program while the part's own ECC is on, because the geometry does not say which of them it uses.
//!
//! ```
//! # use cuesta_hal::Nand;
//! fn accept(nand: &mut impl Nand) {
//!     # #[cfg(feature = "conformance")]
//!     cuesta_hal::conformance::run(nand);
//! }
//! ```

// The suite is a test that runs outside `cargo test`, on hardware too: to panic is how it reports.
#![allow(clippy::panic)]

mod array;
mod bounds;
mod buffers;
mod content;
mod protocol;
mod sample;
mod steps;

#[cfg(test)]
mod ram;
#[cfg(test)]
mod tests;

pub use array::{
    block_holds_all_its_pages, column_reads_fill_what_was_asked, erase_resets_one_block,
    erased_block_reads_ff, pages_may_be_left_out, partial_programs_only_clear_bits,
    programmed_page_reads_back,
};
pub use bounds::{geometry_is_valid, out_of_bounds_is_refused};
pub use buffers::{
    buffers_have_the_length_of_a_page, erase_leaves_buffers_alone, program_leaves_buffers_alone,
    read_leaves_other_buffers_alone, second_buffer_is_independent,
};
pub use protocol::{
    busy_die_refuses_a_second_operation, completion_is_handed_out_once, dies_work_at_the_same_time,
};
pub use steps::settle;

use crate::Nand;

/// Makes every check, then erases the blocks that were used.
///
/// # Panics
/// When the implementation does not do what [`Nand`] asks of it.
pub fn run<N: Nand>(nand: &mut N) {
    geometry_is_valid(nand);
    buffers_have_the_length_of_a_page(nand);
    out_of_bounds_is_refused(nand);
    completion_is_handed_out_once(nand);
    busy_die_refuses_a_second_operation(nand);
    erased_block_reads_ff(nand);
    programmed_page_reads_back(nand);
    block_holds_all_its_pages(nand);
    pages_may_be_left_out(nand);
    partial_programs_only_clear_bits(nand);
    column_reads_fill_what_was_asked(nand);
    erase_resets_one_block(nand);
    program_leaves_buffers_alone(nand);
    erase_leaves_buffers_alone(nand);
    read_leaves_other_buffers_alone(nand);
    second_buffer_is_independent(nand);
    dies_work_at_the_same_time(nand);

    for die in sample::dies(nand.geometry()) {
        for block in sample::good_blocks(nand, die).iter() {
            steps::erase(nand, block);
        }
    }
}
