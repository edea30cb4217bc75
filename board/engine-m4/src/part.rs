//! A part in memory: a Winbond W25N01GV with fewer blocks, whose operations end at once. What it takes is counted apart.
//!
//! Pages of sectors hold one word again and again, and that word is all that is kept of them; other pages, which the volume makes for itself, are kept as they are.

use core::slice;

use cuesta_hal::spi_nand::W25N01GV;
use cuesta_hal::{
    BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, NandErrorKind, PageAddress,
    ReadOutcome, ReadStatus,
};

use m4_marks as mark;

/// Blocks of the part.
pub const BLOCKS: u32 = 256;

const PAGES: usize = BLOCKS as usize * W25N01GV.geometry.pages_per_block as usize;
const MAIN: usize = W25N01GV.geometry.page_bytes as usize;
const SPARE: usize = W25N01GV.geometry.spare_bytes as usize;

/// Start and bytes of the PSRAM of the board: Arm AN386, "Memory map overview".
const PSRAM: usize = 0x2100_0000;
const PSRAM_BYTES: usize = 16 << 20;

/// Pages that are kept as they are.
const WHOLE: usize = (PSRAM_BYTES - PAGES * size_of::<Page>()) / MAIN;

/// The word of an erased page.
const ERASED: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Page {
    /// What the main area is made of, if it is not kept whole.
    word: u32,
    /// Where it is kept whole.
    whole: Option<u16>,
    spare: [u8; SPARE],
}

/// The part.
pub struct Part {
    geometry: Geometry,
    pages: &'static mut [Page],
    whole: &'static mut [[u8; MAIN]],
    /// Places of whole pages that are free: a stack.
    free: [u16; WHOLE],
    free_len: usize,
    buffer: [u8; MAIN + SPARE],
    ended: Option<Completion>,
}

impl Part {
    /// An erased part. To be made once.
    pub fn new() -> Self {
        let start = PSRAM as *mut Page;
        // SAFETY: the memory is there and in no section, zeros at first, which are valid for both types; it is lent out once, in two pieces.
        let (pages, whole) = unsafe {
            let behind = start.add(PAGES).cast();
            (
                slice::from_raw_parts_mut(start, PAGES),
                slice::from_raw_parts_mut(behind, WHOLE),
            )
        };
        pages.fill(Page {
            word: ERASED,
            whole: None,
            spare: [0xFF; SPARE],
        });
        Self {
            geometry: Geometry {
                blocks_per_die: BLOCKS,
                ..W25N01GV.geometry
            },
            pages,
            whole,
            free: core::array::from_fn(|place| place as u16),
            free_len: WHOLE,
            buffer: [0; MAIN + SPARE],
            ended: None,
        }
    }

    /// Makes a block unreadable.
    pub fn spoil(&mut self, block: BlockAddress) {
        for page in self.pages_of(block) {
            self.pages[page].spare = [0x5A; SPARE];
        }
    }

    fn pages_of(&self, block: BlockAddress) -> core::ops::Range<usize> {
        let count = usize::from(self.geometry.pages_per_block);
        let first = block.block.0 as usize * count;
        first..first + count
    }

    fn index(&self, page: PageAddress) -> usize {
        self.pages_of(page.block).start + usize::from(page.page.0)
    }

    fn read(&mut self, page: PageAddress, columns: Columns) {
        let page = &self.pages[self.index(page)];
        let (main, spare) = self.buffer.split_at_mut(MAIN);
        spare.copy_from_slice(&page.spare);
        if columns.main_len == 0 {
            return;
        }
        match page.whole {
            Some(place) => main.copy_from_slice(&self.whole[usize::from(place)]),
            None => main
                .chunks_exact_mut(4)
                .for_each(|bytes| bytes.copy_from_slice(&page.word.to_le_bytes())),
        }
    }

    fn program(&mut self, page: PageAddress) {
        let index = self.index(page);
        let (main, spare) = self.buffer.split_at(MAIN);
        let page = &mut self.pages[index];
        assert!(
            page.word == ERASED && page.whole.is_none(),
            "page {index} is programmed a second time"
        );
        page.spare.copy_from_slice(spare);
        let (first, others) = main.split_at(4);
        if others == &main[..MAIN - 4] {
            page.word = u32::from_le_bytes([first[0], first[1], first[2], first[3]]);
        } else {
            self.free_len -= 1;
            let place = self.free[self.free_len];
            page.whole = Some(place);
            self.whole[usize::from(place)].copy_from_slice(main);
        }
    }

    fn erase(&mut self, block: BlockAddress) {
        for page in self.pages_of(block) {
            let page = &mut self.pages[page];
            if let Some(place) = page.whole.take() {
                self.free[self.free_len] = place;
                self.free_len += 1;
            }
            page.word = ERASED;
            page.spare = [0xFF; SPARE];
        }
    }
}

impl Nand for Part {
    type Error = NandErrorKind;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn buffer(&self, _: Die, _: Buffer) -> &[u8] {
        &self.buffer
    }

    fn buffer_mut(&mut self, _: Die, _: Buffer) -> &mut [u8] {
        &mut self.buffer
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        _: Buffer,
    ) -> Result<(), NandErrorKind> {
        mark::part(|| {
            self.read(page, columns);
            self.ended = Some(Completion::Read(ReadStatus::Ok(ReadOutcome::RAW)));
        });
        Ok(())
    }

    fn start_program(&mut self, page: PageAddress, _: Buffer) -> Result<(), NandErrorKind> {
        mark::part(|| {
            self.program(page);
            self.ended = Some(Completion::Programmed);
        });
        Ok(())
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), NandErrorKind> {
        mark::part(|| {
            self.erase(block);
            self.ended = Some(Completion::Erased);
        });
        Ok(())
    }

    fn poll(&mut self, _: Die) -> nb::Result<Completion, NandErrorKind> {
        mark::part(|| self.ended.take().ok_or(nb::Error::WouldBlock))
    }
}
