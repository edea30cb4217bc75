//! The smallest NAND that does everything the trait allows, and that can be told to do one thing wrong.

use crate::{
    BlockAddress, Buffer, ChipEcc, Columns, Completion, Die, EccNeed, Geometry, MarkerPages,
    MarkerPlace, Nand, NandErrorKind, PageAddress, Pairing, ReadOutcome, ReadStatus, SpareRuns,
};

/// What the part does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    InvalidGeometry,
    GeometryChanges,
    BufferWithoutSpare,
    BufferMutIsAnother,
    BuffersAreOne,
    DiesShareABuffer,
    BufferBeyondTheDies,
    EraseKeepsSpare,
    EraseKeepsLastPage,
    EraseTakesNeighbour,
    EraseClearsBuffer,
    EraseDoesNothing,
    EraseFails,
    BlockAddressIsCutOff,
    PageAddressIsCutOff,
    ProgramSkipsSpare,
    ProgramClearsBuffer,
    ProgramUsesFirstBuffer,
    ProgramAlsoWritesNextPage,
    ProgramSetsBits,
    ProgramFails,
    ReadIsUncorrectable,
    ReadStartsAtColumnZero,
    ReadSkipsLastByte,
    ReadSkipsSpareOfBoth,
    ReadPutsSpareRightBehindMain,
    ReadFillsOtherBuffer,
    ReadClearsBits,
    TwoBitErrorsInAByte,
    OneBitErrorTooMany,
    CompletionTwice,
    CompletionOfNothing,
    NeverSettles,
    PollFails,
    OneDieAtATime,
    PollSettlesAllDies,
    AcceptsReadWhileBusy,
    AcceptsProgramWhileBusy,
    AcceptsEraseWhileBusy,
    BusyIsCalledOther,
    AcceptsBlockBeyond,
    AcceptsPageBeyond,
    AcceptsColumnsBeyond,
    AcceptsSpareBeforeSpare,
    AcceptsBufferBeyond,
    OutOfBoundsIsInFlight,
}

#[derive(Debug, Clone, Copy)]
struct InFlight {
    completion: Completion,
    polls_left: u32,
}

/// A part in memory with dies, delays, bad blocks, bit errors and a referee.
#[derive(Debug)]
pub(super) struct RamNand {
    geometry: Geometry,
    array: Vec<u8>,
    /// Page to be programmed next and times the one before was, for each block.
    progress: Vec<(u16, u8)>,
    buffers: Vec<Vec<u8>>,
    in_flight: Vec<Option<InFlight>>,
    /// Polls that an operation takes.
    pub(super) delay: u32,
    /// Single bit errors at the start of every codeword read.
    pub(super) bit_errors: u8,
    pub(super) defect: Option<Defect>,
    bad: Vec<BlockAddress>,
}

pub(super) const GEOMETRY: Geometry = Geometry {
    dies: 2,
    blocks_per_die: 9,
    pages_per_block: 8,
    page_bytes: 96,
    spare_bytes: 16,
    buffers_per_die: 2,
    planes_per_die: 1,
    partial_programs_max: 4,
    bad_blocks_max_per_die: 2,
    endurance_cycles: 100_000,
    reads_per_block_max: 1_000_000,
    bad_block_marker: MarkerPlace {
        pages: MarkerPages::FirstOrSecond,
        spare_offset: 0,
        len: 2,
    },
    chip_ecc: None,
    ecc_need: EccNeed {
        bits: 2,
        per_bytes: 32,
    },
    pairing: Pairing::None,
};

pub(super) const CHIP_ECC: ChipEcc = ChipEcc {
    strength: 4,
    codeword_bytes: 32,
    enabled: true,
    free: SpareRuns {
        first: 2,
        len: 2,
        stride: 2,
    },
    protected: SpareRuns {
        first: 3,
        len: 1,
        stride: 2,
    },
    owned: SpareRuns {
        first: 8,
        len: 2,
        stride: 2,
    },
};

impl RamNand {
    pub(super) fn new(geometry: Geometry) -> Self {
        let size = |count: u64| usize::try_from(count).unwrap();
        let raw = size(u64::from(geometry.raw_page_bytes()));
        Self {
            geometry,
            array: vec![0xFF; size(geometry.pages()) * raw],
            progress: vec![(0, 0); size(u64::from(geometry.blocks()))],
            buffers: vec![vec![0; raw]; usize::from(geometry.dies) * 2],
            in_flight: vec![None; usize::from(geometry.dies)],
            delay: 0,
            bit_errors: 0,
            defect: None,
            bad: Vec::new(),
        }
    }

    /// Marks a block as the factory does: everything in it is zero. It must not be programmed or erased from now on.
    pub(super) fn mark_bad(&mut self, block: BlockAddress, marked_page: u16) {
        let start = self.offset(block.page(marked_page));
        let raw = self.raw();
        self.array[start..start + raw].fill(0);
        self.bad.push(block);
    }

    /// All bytes of a block.
    pub(super) fn block(&self, block: BlockAddress) -> &[u8] {
        let start = self.offset(block.page(0));
        &self.array[start..start + self.raw() * usize::from(self.geometry.pages_per_block)]
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn raw(&self) -> usize {
        usize::try_from(self.geometry.raw_page_bytes()).unwrap()
    }

    fn main(&self) -> usize {
        usize::try_from(self.geometry.page_bytes).unwrap()
    }

    fn block_index(&self, block: BlockAddress) -> usize {
        let block_index = if self.has(Defect::BlockAddressIsCutOff) {
            block.block.0 % 8
        } else {
            block.block.0
        };
        let index = u32::from(block.die.0) * self.geometry.blocks_per_die + block_index;
        usize::try_from(index).unwrap()
    }

    fn offset(&self, page: PageAddress) -> usize {
        let page_index = if self.has(Defect::PageAddressIsCutOff) {
            page.page.0 % 4
        } else {
            page.page.0
        };
        let pages = usize::from(self.geometry.pages_per_block);
        (self.block_index(page.block) * pages + usize::from(page_index)) * self.raw()
    }

    fn buffer_index(&self, die: Die, buffer: Buffer) -> usize {
        match buffer {
            _ if self.has(Defect::DiesShareABuffer) => buffer.index(),
            Buffer::Second if !self.has(Defect::BuffersAreOne) => usize::from(die.0) * 2 + 1,
            _ => usize::from(die.0) * 2,
        }
    }

    /// Checks the address, then that the die is free. `Ok(false)` starts nothing, for a defect's sake.
    fn admit(
        &mut self,
        exists: bool,
        die: Die,
        accepts_beyond: Defect,
        accepts_busy: Defect,
    ) -> Result<bool, NandErrorKind> {
        if !exists {
            if self.has(accepts_beyond) {
                return Ok(false);
            }
            if self.has(Defect::OutOfBoundsIsInFlight) {
                self.start(Die(0), Completion::Erased);
            }
            return Err(NandErrorKind::OutOfBounds);
        }
        let others = self.has(Defect::OneDieAtATime) && self.in_flight.iter().any(Option::is_some);
        if others || self.in_flight[usize::from(die.0)].is_some() {
            if self.has(accepts_busy) {
                return Ok(false);
            }
            return Err(match self.has(Defect::BusyIsCalledOther) {
                true => NandErrorKind::Other,
                false => NandErrorKind::Busy,
            });
        }
        Ok(true)
    }

    fn start(&mut self, die: Die, completion: Completion) {
        self.in_flight[usize::from(die.0)] = Some(InFlight {
            completion,
            polls_left: self.delay,
        });
    }

    fn read_range(&mut self, page: PageAddress, from: usize, to: usize, buffer: usize, at: usize) {
        let start = self.offset(page);
        for (step, column) in (from..to).enumerate() {
            let Some(slot) = self.buffers[buffer].get_mut(at + step) else {
                return;
            };
            *slot = self.array[start + column];
        }
    }

    fn add_bit_errors(&mut self, buffer: usize) {
        let errors = usize::from(self.bit_errors);
        let errors = errors + usize::from(self.has(Defect::OneBitErrorTooMany));
        for codeword in
            self.buffers[buffer].chunks_mut(usize::from(self.geometry.ecc_need.per_bytes).max(1))
        {
            for byte in codeword.iter_mut().take(errors) {
                *byte ^= 0x10;
            }
        }
        if self.has(Defect::TwoBitErrorsInAByte) {
            self.buffers[buffer][7] ^= 0x11;
        }
    }
}

impl Nand for RamNand {
    type Error = NandErrorKind;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        if self.has(Defect::BufferBeyondTheDies) && die >= Die(self.geometry.dies) {
            return &self.buffers[0];
        }
        if die >= Die(self.geometry.dies) || !self.geometry.has_buffer(buffer) {
            return &[];
        }
        let bytes = &self.buffers[self.buffer_index(die, buffer)];
        if self.has(Defect::BufferWithoutSpare) {
            return &bytes[..self.main()];
        }
        bytes
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        if die >= Die(self.geometry.dies) || !self.geometry.has_buffer(buffer) {
            return &mut [];
        }
        let main = self.main();
        let index = match self.has(Defect::BufferMutIsAnother) {
            true => self.buffer_index(die, buffer) ^ 1,
            false => self.buffer_index(die, buffer),
        };
        if self.has(Defect::BufferWithoutSpare) {
            return &mut self.buffers[index][..main];
        }
        &mut self.buffers[index]
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), NandErrorKind> {
        let has_page = self.geometry.has_page(page);
        let has_buffer = self.geometry.has_buffer(buffer);
        let fits = columns.fits(&self.geometry)
            || (self.has(Defect::AcceptsSpareBeforeSpare)
                && u64::from(columns.spare_start) + u64::from(columns.spare_len)
                    <= u64::from(self.geometry.raw_page_bytes()));
        let beyond = if !has_page {
            Defect::AcceptsBlockBeyond
        } else if !fits {
            Defect::AcceptsColumnsBeyond
        } else {
            Defect::AcceptsBufferBeyond
        };
        let exists = has_page && has_buffer && fits;
        if !self.admit(exists, page.die(), beyond, Defect::AcceptsReadWhileBusy)? {
            return Ok(());
        }

        let into = match self.has(Defect::ReadFillsOtherBuffer) {
            true => self.buffer_index(page.die(), Buffer::First),
            false => self.buffer_index(page.die(), buffer),
        };
        let size = |bytes: u32| usize::try_from(bytes).unwrap();
        let skipped = usize::from(self.has(Defect::ReadSkipsLastByte));
        let main = (
            size(columns.main_start),
            size(columns.main_start + columns.main_len),
        );
        let spare = (
            size(columns.spare_start),
            size(columns.spare_start + columns.spare_len),
        );
        if main.0 < main.1 {
            let at = if self.has(Defect::ReadStartsAtColumnZero) {
                0
            } else {
                main.0
            };
            self.read_range(page, main.0, main.1 - skipped, into, at);
        }
        let both = main.0 < main.1 && spare.0 < spare.1;
        if spare.0 < spare.1 && !(both && self.has(Defect::ReadSkipsSpareOfBoth)) {
            let at = if both && self.has(Defect::ReadPutsSpareRightBehindMain) {
                main.1
            } else {
                spare.0
            };
            self.read_range(page, spare.0, spare.1, into, at);
        }
        self.add_bit_errors(into);
        if self.has(Defect::ReadClearsBits) {
            let start = self.offset(page);
            self.array[start] = 0;
        }
        let status = match self.has(Defect::ReadIsUncorrectable) {
            true => ReadStatus::Uncorrectable,
            false => ReadStatus::Ok(ReadOutcome::RAW),
        };
        self.start(page.die(), Completion::Read(status));
        Ok(())
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), NandErrorKind> {
        let beyond = if !self.geometry.has_block(page.block) {
            Defect::AcceptsBlockBeyond
        } else if !self.geometry.has_page(page) {
            Defect::AcceptsPageBeyond
        } else {
            Defect::AcceptsBufferBeyond
        };
        let exists = self.geometry.has_page(page) && self.geometry.has_buffer(buffer);
        if !self.admit(exists, page.die(), beyond, Defect::AcceptsProgramWhileBusy)? {
            return Ok(());
        }
        if self.bad.contains(&page.block) {
            return Err(NandErrorKind::Forbidden);
        }
        if self.defect.is_none() {
            let index = self.block_index(page.block);
            let (next, times) = &mut self.progress[index];
            if page.page.0 + 1 == *next && *times < self.geometry.partial_programs_max {
                *times += 1;
            } else if page.page.0 >= *next {
                (*next, *times) = (page.page.0 + 1, 1);
            } else {
                return Err(NandErrorKind::Forbidden);
            }
        }

        let from = match self.has(Defect::ProgramUsesFirstBuffer) {
            true => self.buffer_index(page.die(), Buffer::First),
            false => self.buffer_index(page.die(), buffer),
        };
        let len = if self.has(Defect::ProgramSkipsSpare) {
            self.main()
        } else {
            self.raw()
        };
        let mut starts = vec![self.offset(page)];
        if self.has(Defect::ProgramAlsoWritesNextPage) && starts[0] + self.raw() < self.array.len()
        {
            starts.push(starts[0] + self.raw());
        }
        for start in starts {
            for column in 0..len {
                let new = self.buffers[from][column];
                let old = &mut self.array[start + column];
                *old = if self.defect == Some(Defect::ProgramSetsBits) {
                    new
                } else {
                    *old & new
                };
            }
        }
        if self.geometry.chip_ecc.is_some_and(|ecc| ecc.enabled) {
            let end = self.offset(page) + self.raw();
            self.array[end - 8..end].fill(0x3C);
        }
        if self.has(Defect::ProgramClearsBuffer) {
            self.buffers[from][3] = 0;
        }
        self.start(
            page.die(),
            match self.has(Defect::ProgramFails) {
                true => Completion::ProgramFailed,
                false => Completion::Programmed,
            },
        );
        Ok(())
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), NandErrorKind> {
        let exists = self.geometry.has_block(block);
        let beyond = Defect::AcceptsBlockBeyond;
        if !self.admit(exists, block.die, beyond, Defect::AcceptsEraseWhileBusy)? {
            return Ok(());
        }
        if self.bad.contains(&block) {
            return Err(NandErrorKind::Forbidden);
        }
        let index = self.block_index(block);
        self.progress[index] = (0, 0);
        let pages = self.geometry.pages_per_block - u16::from(self.has(Defect::EraseKeepsLastPage));
        for page in 0..pages {
            let start = self.offset(block.page(page));
            let len = if self.has(Defect::EraseKeepsSpare) {
                self.main()
            } else {
                self.raw()
            };
            if !self.has(Defect::EraseDoesNothing) {
                self.array[start..start + len].fill(0xFF);
            }
        }
        if self.has(Defect::EraseTakesNeighbour) {
            let start = self.offset(block.page(0));
            let end = start + self.block(block).len();
            let neighbour_end = (end + self.block(block).len()).min(self.array.len());
            self.array[end..neighbour_end].fill(0xFF);
        }
        if self.has(Defect::EraseClearsBuffer) {
            self.buffers[usize::from(block.die.0) * 2 + 1].fill(0xFF);
        }
        if self.has(Defect::GeometryChanges) {
            self.geometry.endurance_cycles -= 1;
        }
        self.start(
            block.die,
            match self.has(Defect::EraseFails) {
                true => Completion::EraseFailed,
                false => Completion::Erased,
            },
        );
        Ok(())
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, NandErrorKind> {
        if self.has(Defect::PollFails) {
            return Err(nb::Error::Other(NandErrorKind::Timeout));
        }
        let slot = &mut self.in_flight[usize::from(die.0)];
        match slot {
            None if self.defect == Some(Defect::CompletionOfNothing) => Ok(Completion::Erased),
            None => Err(nb::Error::WouldBlock),
            Some(_) if self.defect == Some(Defect::NeverSettles) => Err(nb::Error::WouldBlock),
            Some(InFlight { polls_left, .. }) if *polls_left > 0 => {
                *polls_left -= 1;
                Err(nb::Error::WouldBlock)
            }
            Some(InFlight { completion, .. }) => {
                let completion = *completion;
                if self.defect == Some(Defect::PollSettlesAllDies) {
                    self.in_flight.fill(None);
                } else if self.defect == Some(Defect::CompletionTwice) {
                    self.defect = None;
                } else {
                    *slot = None;
                }
                Ok(completion)
            }
        }
    }

    fn wait(&mut self) {}
}
