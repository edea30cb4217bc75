//! A NOR part in memory whose power can be cut, and the NAND that the adapter makes of it.
//!
//! It insists on the contract of `NorFlash`: no word is written twice, and a sector whose erase was torn is erased again before it is written.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use cuesta_hal::{
    BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, NandError, NandErrorKind,
    NorLayout, NorNand, PageAddress,
};
use cuesta_sim::SplitMix64;
use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash,
};

/// Bytes of a word, which is written as a whole.
const WORD: usize = 4;
/// Bytes of an erase sector.
const SECTOR: usize = 4096;

/// What a cut leaves of a write or an erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TornNor {
    /// Everything as before.
    Nothing,
    /// All of it, but nobody was told.
    All,
    /// The first bytes, in 256ths.
    Prefix(u8),
    /// Some of the bits.
    SomeBits,
    /// Bits that change from read to read.
    Unstable,
}

/// All ways.
pub const TORN_NOR: [TornNor; 7] = [
    TornNor::Nothing,
    TornNor::All,
    TornNor::Prefix(1),
    TornNor::Prefix(128),
    TornNor::Prefix(250),
    TornNor::SomeBits,
    TornNor::Unstable,
];

/// Bytes that a cut has left between two states.
#[derive(Debug, Clone)]
struct Unstable {
    start: usize,
    old: Vec<u8>,
    new: Vec<u8>,
}

/// A NOR part.
#[derive(Debug, Clone)]
pub struct NorPart {
    bytes: Vec<u8>,
    /// Words that were written since they were erased, or whose erase was torn.
    written: Vec<bool>,
    unstable: Vec<Unstable>,
    /// Writes and erases so far.
    operations: u64,
    cut: Option<(u64, TornNor)>,
    lost: bool,
    random: SplitMix64,
}

impl NorPart {
    /// A part that was used for something else: not erased.
    #[must_use]
    pub fn new(sectors: usize, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut bytes = vec![0; sectors * SECTOR];
        random.fill(&mut bytes);
        Self {
            written: vec![true; bytes.len() / WORD],
            bytes,
            unstable: Vec::new(),
            operations: 0,
            cut: None,
            lost: false,
            random,
        }
    }

    /// Writes and erases so far.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Cuts the power in the write or erase that comes after `index` others.
    pub fn plan_cut(&mut self, index: u64, torn: TornNor, seed: u64) {
        self.cut = Some((self.operations + index, torn));
        self.random = SplitMix64::new(seed);
    }

    /// The power comes back; what is planned is forgotten.
    pub fn power_cycle(&mut self) {
        self.cut = None;
        self.lost = false;
    }

    /// The operation that begins is the one that is cut: how.
    fn begin(&mut self) -> Result<Option<TornNor>, NorFlashErrorKind> {
        if self.lost {
            return Err(NorFlashErrorKind::Other);
        }
        self.operations += 1;
        let cut = self.cut.filter(|&(at, _)| at + 1 == self.operations);
        self.lost = cut.is_some();
        Ok(cut.map(|(_, torn)| torn))
    }

    /// Turns what is at `start` into `new`, or does so in part.
    fn change(&mut self, start: usize, new: Vec<u8>, torn: Option<TornNor>) {
        let range = start..start + new.len();
        let old = self.bytes[range.clone()].to_vec();
        let random = &mut self.random;
        let prefix = |part: u8| new.len() * usize::from(part) / 256;
        let bytes = match torn {
            None | Some(TornNor::All) => new,
            Some(TornNor::Nothing) => old,
            Some(TornNor::Prefix(part)) => {
                let end = prefix(part);
                [&new[..end], &old[end..]].concat()
            }
            Some(TornNor::SomeBits) => between(&old, &new, random),
            Some(TornNor::Unstable) => {
                let bytes = between(&old, &new, random);
                self.unstable.push(Unstable { start, old, new });
                bytes
            }
        };
        self.bytes[range].copy_from_slice(&bytes);
    }
}

/// Bits of either.
fn between(old: &[u8], new: &[u8], random: &mut SplitMix64) -> Vec<u8> {
    let pairs = old.iter().zip(new);
    let bits = pairs.map(|(old, new)| old ^ (old ^ new) & random.next() as u8);
    bits.collect()
}

/// Words of a range of bytes.
const fn words(bytes: &Range<usize>) -> Range<usize> {
    bytes.start / WORD..bytes.end / WORD
}

impl ErrorType for NorPart {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for NorPart {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        if self.lost {
            return Err(NorFlashErrorKind::Other);
        }
        let start = offset as usize;
        bytes.copy_from_slice(&self.bytes[start..start + bytes.len()]);
        for Unstable {
            start: at,
            old,
            new,
        } in &self.unstable
        {
            let read = between(old, new, &mut self.random);
            for (index, byte) in read.iter().enumerate() {
                let place = (at + index).checked_sub(start);
                if let Some(target) = place.and_then(|place| bytes.get_mut(place)) {
                    *target = *byte;
                }
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for NorPart {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let range = from as usize..to as usize;
        let torn = self.begin()?;
        self.unstable.retain(|it| !range.contains(&it.start));
        self.written[words(&range)].fill(torn.is_some());
        self.change(range.start, vec![0xFF; range.len()], torn);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let range = offset as usize..offset as usize + bytes.len();
        let torn = self.begin()?;
        let words = &mut self.written[words(&range)];
        assert!(
            !words.contains(&true),
            "a word is written twice at {offset}"
        );
        words.fill(true);
        let old = self.bytes[range.clone()].iter();
        let new = old.zip(bytes).map(|(old, new)| old & new).collect();
        self.change(range.start, new, torn);
        Ok(())
    }
}

/// A part that can be looked at while an adapter has it.
#[derive(Debug, Clone)]
pub struct SharedNor(pub Rc<RefCell<NorPart>>);

impl ErrorType for SharedNor {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for SharedNor {
    const READ_SIZE: usize = NorPart::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}

impl NorFlash for SharedNor {
    const WRITE_SIZE: usize = NorPart::WRITE_SIZE;
    const ERASE_SIZE: usize = NorPart::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.borrow_mut().erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.borrow_mut().write(offset, bytes)
    }
}

/// Why an operation was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NorFailed(NandErrorKind);

impl std::fmt::Display for NorFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NorFailed {}

impl NandError for NorFailed {
    fn kind(&self) -> NandErrorKind {
        self.0
    }
}

/// The adapter, beside which the power supply is watched: once it is gone, no one is there to whom a program could fail.
#[derive(Debug)]
pub struct NorUnderTest<'m> {
    part: Rc<RefCell<NorPart>>,
    nand: NorNand<'m, SharedNor>,
}

impl<'m> NorUnderTest<'m> {
    /// Cuts a part up.
    ///
    /// # Panics
    /// When the layout does not fit the part.
    #[must_use]
    pub fn new(part: &Rc<RefCell<NorPart>>, layout: NorLayout, memory: &'m mut [u8]) -> Self {
        let shared = SharedNor(Rc::clone(part));
        Self {
            part: Rc::clone(part),
            nand: NorNand::new(shared, layout, memory).expect("a layout that fits"),
        }
    }

    /// Starts an operation. The adapter is done with it when it returns: if the power goes meanwhile, that is known at the next call.
    fn start<E: NandError>(
        &mut self,
        start: impl FnOnce(&mut NorNand<'m, SharedNor>) -> Result<(), E>,
    ) -> Result<(), NorFailed> {
        self.powered()?;
        let done = start(&mut self.nand);
        match self.powered() {
            Ok(()) => done.map_err(|error| NorFailed(error.kind())),
            Err(_) => Ok(()),
        }
    }

    fn powered(&self) -> Result<(), NorFailed> {
        match self.part.borrow().lost {
            true => Err(NorFailed(NandErrorKind::PowerLost)),
            false => Ok(()),
        }
    }
}

impl Nand for NorUnderTest<'_> {
    type Error = NorFailed;

    fn geometry(&self) -> &Geometry {
        self.nand.geometry()
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        self.nand.buffer(die, buffer)
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        self.nand.buffer_mut(die, buffer)
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), NorFailed> {
        self.start(|nand| nand.start_read(page, columns, buffer))
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), NorFailed> {
        self.start(|nand| nand.start_program(page, buffer))
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), NorFailed> {
        self.start(|nand| nand.start_erase(block))
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, NorFailed> {
        self.powered().map_err(nb::Error::Other)?;
        match self.nand.poll(die) {
            Ok(completion) => Ok(completion),
            Err(nb::Error::WouldBlock) => Err(nb::Error::WouldBlock),
            Err(nb::Error::Other(error)) => Err(nb::Error::Other(NorFailed(error.kind()))),
        }
    }
}
