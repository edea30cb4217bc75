//! Steps that tests take with a part: start, wait, settle.

use crate::{EmulatedNand, Emulator, Media, SimError};
use cuesta_hal::{BlockAddress, Buffer, Columns, Completion, Die, Nand, PageAddress};

/// A part of the table that must exist, with a referee that returns errors.
pub(crate) fn part(name: &str) -> EmulatedNand {
    EmulatedNand::of(name).expect("a chip of the table")
}

/// Waits until the die's operation settles.
pub(crate) fn settle<M: Media>(nand: &mut Emulator<M>, die: Die) -> Result<Completion, SimError> {
    for _ in 0..1000 {
        match nand.poll(die) {
            Err(nb::Error::WouldBlock) => nand.wait(),
            Err(nb::Error::Other(error)) => return Err(error),
            Ok(completion) => return Ok(completion),
        }
    }
    panic!("nothing settles on {die:?}");
}

/// Programs a page filled with `fill`.
pub(crate) fn program<M: Media>(
    nand: &mut Emulator<M>,
    page: PageAddress,
    fill: u8,
) -> Result<Completion, SimError> {
    nand.buffer_mut(page.die(), Buffer::First).fill(fill);
    nand.start_program(page, Buffer::First)?;
    settle(nand, page.die())
}

/// Erases a block.
pub(crate) fn erase<M: Media>(
    nand: &mut Emulator<M>,
    block: BlockAddress,
) -> Result<Completion, SimError> {
    nand.start_erase(block)?;
    settle(nand, block.die)
}

/// Reads a whole page.
pub(crate) fn read<M: Media>(
    nand: &mut Emulator<M>,
    page: PageAddress,
) -> Result<Vec<u8>, SimError> {
    let columns = Columns::whole(nand.geometry());
    nand.start_read(page, columns, Buffer::First)?;
    settle(nand, page.die())?;
    Ok(nand.buffer(page.die(), Buffer::First).to_vec())
}

/// Page `page` of block `block` of die 0.
pub(crate) const fn at(block: u32, page: u16) -> PageAddress {
    BlockAddress::new(0, block).page(page)
}

/// True when all bytes are `value`.
pub(crate) fn all(bytes: &[u8], value: u8) -> bool {
    bytes.iter().all(|&byte| byte == value)
}

/// Bits in which two pages differ.
pub(crate) fn distance(one: &[u8], other: &[u8]) -> u32 {
    one.iter()
        .zip(other)
        .map(|(a, b)| (a ^ b).count_ones())
        .sum()
}

/// Checks that so many of `bits` independent bits were wrong as a rate asks for: within five standard deviations of the binomial
/// distribution, which one in a million honest samples misses.
pub(crate) fn assert_rate(wrong: u64, bits: u64, rate: f64) {
    let expected = bits as f64 * rate;
    let deviation = (expected * (1.0 - rate)).sqrt();
    let off = (wrong as f64 - expected).abs();
    assert!(expected > 50.0, "{expected} bits would show nothing");
    assert!(
        off < 5.0 * deviation,
        "{wrong} of {bits} bits, not {expected:.0} by {deviation:.0}"
    );
}
