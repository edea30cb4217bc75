//! A part in a file: the same emulator over media that survive the process.
//!
//! The file is sparse and holds, one after the other: the header, one entry a block, one entry a page,
//! then the raw pages. Numbers are little-endian. An entry of zeros is a fresh block or a blank page, so a new file is mostly a hole.
//!
//! Every settled program and erase is in the file when it is reported: each is a few positioned writes, in such an order that the
//! process may be killed between any two of them. A program writes the page's entry with the mark *in progress* and the CRC of the
//! bytes to come, then the bytes, then the entry without the mark. An erase writes the block's entry with the mark *not erased*, then
//! the page entries, then the block's entry. A mark that is found when the file is opened means that a kill tore the operation, and
//! the page or block is left as a power cut leaves it.

mod entry;
mod error;
mod header;

pub use error::ImageError;

use crate::chips::chip;
use crate::emulator::{Builder, Emulator};
use crate::media::{BlockState, Condition, Media, PageState, Place};
use crate::power::ruin;
use crate::prng::SplitMix64;
use cuesta_hal::Geometry;
use entry::{PageEntry, BLOCK_ENTRY_BYTES, PAGE_ENTRY_BYTES};
use error::Context;
use fs4::fs_std::FileExt as LockExt;
use header::{Header, Layout, HEADER_BYTES};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// The emulated part in an image file.
pub type ImageNand = Emulator<ImageMedia>;

/// What to do with a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone and fail.
    Refuse,
    /// Make it a new part; what it held is lost.
    Replace,
}

/// Contents in a locked image file. Entries are kept in memory, page bytes are not.
#[derive(Debug)]
pub struct ImageMedia {
    file: File,
    layout: Layout,
    blocks: Vec<BlockState>,
    pages: Vec<PageEntry>,
    pages_per_block: usize,
    raw_page_bytes: usize,
    /// Lets tests kill the process between two writes.
    #[cfg(test)]
    writes_left: Option<u64>,
}

impl ImageMedia {
    fn blank(file: File, geometry: &Geometry, layout: Layout) -> Self {
        Self {
            file,
            layout,
            blocks: vec![BlockState::default(); geometry.blocks() as usize],
            pages: vec![PageEntry::default(); geometry.pages() as usize],
            pages_per_block: usize::from(geometry.pages_per_block),
            raw_page_bytes: geometry.raw_page_bytes() as usize,
            #[cfg(test)]
            writes_left: None,
        }
    }

    fn number(&self, place: Place) -> usize {
        place.block as usize * self.pages_per_block + usize::from(place.page)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(test)]
        if let Some(left) = &mut self.writes_left {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| io::Error::other("the process was killed"))?;
        }
        self.file.write_all_at(bytes, offset)
    }

    fn write_block(&mut self, block: u32, state: BlockState) -> io::Result<()> {
        self.write_at(&entry::encode_block(state), self.layout.block_entry(block))
    }

    fn write_page(&mut self, page: usize, entry: PageEntry) -> io::Result<()> {
        self.write_at(&entry.encode(), self.layout.page_entry(page))
    }

    /// Reads all entries of an existing file and leaves what a kill tore as a power cut leaves it.
    fn read_entries(&mut self) -> Result<(), EntryError> {
        let mut bytes = vec![0; self.blocks.len() * BLOCK_ENTRY_BYTES];
        self.file
            .read_exact_at(&mut bytes, self.layout.block_entry(0))?;
        for (state, bytes) in self.blocks.iter_mut().zip(bytes.chunks(BLOCK_ENTRY_BYTES)) {
            *state = entry::decode_block(bytes).ok_or(EntryError::Senseless)?;
        }
        let mut bytes = vec![0; self.pages.len() * PAGE_ENTRY_BYTES];
        self.file
            .read_exact_at(&mut bytes, self.layout.page_entry(0))?;
        let entries = bytes.chunks(PAGE_ENTRY_BYTES);
        for (number, (page, bytes)) in self.pages.iter_mut().zip(entries).enumerate() {
            *page = PageEntry::decode(bytes).ok_or(EntryError::Senseless)?;
            if page.state.programs > 0 {
                let state = &mut self.blocks[number / self.pages_per_block];
                let next_page = number % self.pages_per_block + 1;
                state.next_page = u16::try_from(next_page).map_err(|_| EntryError::Senseless)?;
            }
        }
        for number in 0..self.pages.len() {
            if self.pages[number].in_progress {
                self.tear(number)?;
            }
        }
        Ok(())
    }

    /// Leaves a page whose program was killed as a power cut leaves it; the CRC of what was to come is the seed.
    fn tear(&mut self, number: usize) -> io::Result<()> {
        let found = self.pages[number];
        let mut prng = SplitMix64::derive(u64::from(found.crc), number as u64);
        let mut bytes = vec![0; self.raw_page_bytes];
        self.file
            .read_exact_at(&mut bytes, self.layout.page_bytes(number))?;
        // Bytes without the right CRC may be left from before an erase, which no array would show again.
        let complete = entry::crc(&bytes) == found.crc;
        let condition = match prng.below(3) {
            _ if complete => Condition::Decaying {
                good_reads: prng.below(4) as u16,
            },
            0 => Condition::LooksErased,
            1 => Condition::Unstable,
            _ => Condition::Torn,
        };
        let state = PageState {
            condition,
            ..found.state
        };
        let place = Place {
            block: (number / self.pages_per_block) as u32,
            page: (number % self.pages_per_block) as u16,
        };
        if condition == Condition::LooksErased {
            self.pages[number] = PageEntry::default();
            return self.set_page(place, state);
        }
        if !complete {
            prng.fill(&mut bytes);
            bytes = ruin(&bytes, &mut prng).to_vec();
        }
        self.store(place, &Arc::from(bytes), state)
    }

    /// Hands what was written to the disk itself: a process may be killed at any time without it, a host needs it.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    #[cfg(test)]
    pub(crate) fn kill_after(&mut self, writes: u64) {
        self.writes_left = Some(writes);
    }
}

enum EntryError {
    Io(io::Error),
    Senseless,
}

impl From<io::Error> for EntryError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Media for ImageMedia {
    fn block(&self, block: u32) -> BlockState {
        self.blocks[block as usize]
    }

    fn page(&self, place: Place) -> PageState {
        self.pages[self.number(place)].state
    }

    fn is_blank(&self, place: Place) -> bool {
        !self.pages[self.number(place)].has_bytes
    }

    fn load(&self, place: Place, start: usize, bytes: &mut [u8]) -> io::Result<()> {
        if self.is_blank(place) {
            bytes.fill(0xFF);
            return Ok(());
        }
        let offset = self.layout.page_bytes(self.number(place)) + start as u64;
        self.file.read_exact_at(bytes, offset)
    }

    fn set_block(&mut self, block: u32, state: BlockState) -> io::Result<()> {
        let known = self.blocks[block as usize];
        // The next page follows from the page entries.
        let same = BlockState {
            next_page: known.next_page,
            ..state
        };
        if same != known {
            self.write_block(block, state)?;
        }
        self.blocks[block as usize] = state;
        Ok(())
    }

    fn set_page(&mut self, place: Place, state: PageState) -> io::Result<()> {
        let number = self.number(place);
        let entry = PageEntry {
            state,
            ..self.pages[number]
        };
        self.write_page(number, entry)?;
        self.pages[number] = entry;
        Ok(())
    }

    fn store(&mut self, place: Place, bytes: &Arc<[u8]>, state: PageState) -> io::Result<()> {
        let number = self.number(place);
        let done = PageEntry {
            state,
            has_bytes: true,
            in_progress: false,
            crc: entry::crc(bytes),
        };
        self.write_page(
            number,
            PageEntry {
                in_progress: true,
                ..done
            },
        )?;
        self.write_at(bytes, self.layout.page_bytes(number))?;
        self.write_page(number, done)?;
        self.pages[number] = done;
        Ok(())
    }

    fn erase(&mut self, block: u32, state: BlockState) -> io::Result<()> {
        self.write_block(
            block,
            BlockState {
                erased: false,
                ..state
            },
        )?;
        let first = block as usize * self.pages_per_block;
        let blank = vec![0; self.pages_per_block * PAGE_ENTRY_BYTES];
        self.write_at(&blank, self.layout.page_entry(first))?;
        self.write_block(block, state)?;
        self.pages[first..first + self.pages_per_block].fill(PageEntry::default());
        self.blocks[block as usize] = state;
        Ok(())
    }
}

impl ImageNand {
    /// Makes a new part as `builder` describes it in a new file, and locks the file as long as the part lives.
    ///
    /// The header is written last: a file whose making was interrupted is no image.
    ///
    /// # Errors
    /// [`ImageError::Exists`] unless `existing` says to replace it, [`ImageError::Locked`], or an I/O error. A file that was there is
    /// untouched by an error that comes before its replacement has begun.
    pub fn create(
        path: impl AsRef<Path>,
        builder: &Builder,
        existing: Existing,
    ) -> Result<Self, ImageError> {
        let context = Context(path.as_ref());
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match existing {
            Existing::Refuse => options.create_new(true),
            Existing::Replace => options.create(true).truncate(false),
        };
        let file = options
            .open(path.as_ref())
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => ImageError::Exists {
                    path: context.path(),
                },
                _ => context.io(error),
            })?;
        lock(&file, &context)?;
        Self::fill_new(file, builder).map_err(|error| {
            if existing == Existing::Refuse {
                // Half an image is of no use to anyone, and the file was not there before.
                let _ = std::fs::remove_file(path.as_ref());
            }
            context.io(error)
        })
    }

    fn fill_new(file: File, builder: &Builder) -> io::Result<Self> {
        let header = Header {
            chip_name: builder.chip().name.to_owned(),
            geometry: builder.chip().geometry,
        };
        let layout = header.layout();
        // Cut to nothing first: what a replaced file held must not shine through the holes.
        file.set_len(0)?;
        file.set_len(layout.file_bytes())?;
        let media = ImageMedia::blank(file, &header.geometry, layout);
        let mut nand = builder.over(media);
        builder.mark(&mut nand)?;
        nand.media.file.write_all_at(&header.encode(), 0)?;
        Ok(nand)
    }

    /// Opens a part in a file and locks the file as long as the part lives.
    ///
    /// With `asked`, the file must hold that chip, and the part gets its seed and its referee from there; without, it is the chip
    /// the file names. Whether the part's own ECC is on, the file says.
    ///
    /// # Errors
    /// One [`ImageError`] for each thing that can be wrong with the file; nothing is written then.
    pub fn open(path: impl AsRef<Path>, asked: Option<&Builder>) -> Result<Self, ImageError> {
        let context = Context(path.as_ref());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.as_ref())
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ImageError::NotFound {
                    path: context.path(),
                },
                _ => context.io(error),
            })?;
        lock(&file, &context)?;
        let found = file.metadata().map_err(|error| context.io(error))?.len();
        let header = read_header(&file, found, &context)?;
        let builder = match asked {
            Some(builder) => builder.clone(),
            None => {
                let chip = chip(&header.chip_name).map_err(|unknown| ImageError::UnknownChip {
                    path: context.path(),
                    unknown,
                })?;
                Builder::new(chip).geometry(header.geometry)
            }
        };
        if builder.chip().name != header.chip_name {
            return Err(ImageError::OtherChip {
                path: context.path(),
                found: header.chip_name,
                asked: builder.chip().name.to_owned(),
            });
        }
        // What the part does with its own ECC is not a property to ask for: it is as the file has it.
        let asked = Geometry {
            chip_ecc: header.geometry.chip_ecc,
            ..builder.chip().geometry
        };
        if asked != header.geometry {
            return Err(ImageError::OtherGeometry {
                path: context.path(),
                found: Box::new(header.geometry),
                asked: Box::new(asked),
            });
        }
        let builder = builder.geometry(header.geometry);
        let layout = header.layout();
        if found < layout.file_bytes() {
            return Err(ImageError::Truncated {
                path: context.path(),
                found,
                expected: layout.file_bytes(),
            });
        }
        let mut media = ImageMedia::blank(file, &header.geometry, layout);
        media.read_entries().map_err(|error| match error {
            EntryError::Io(error) => context.io(error),
            EntryError::Senseless => ImageError::Damaged {
                path: context.path(),
            },
        })?;
        Ok(builder.over(media))
    }
}

fn lock(file: &File, context: &Context<'_>) -> Result<(), ImageError> {
    match LockExt::try_lock_exclusive(file) {
        Ok(true) => Ok(()),
        Ok(false) => Err(ImageError::Locked {
            path: context.path(),
        }),
        Err(error) => Err(context.io(error)),
    }
}

fn read_header(file: &File, found: u64, context: &Context<'_>) -> Result<Header, ImageError> {
    let mut bytes = vec![0; usize::try_from(found).map_or(HEADER_BYTES, |n| n.min(HEADER_BYTES))];
    file.read_exact_at(&mut bytes, 0)
        .map_err(|error| context.io(error))?;
    Header::decode(&bytes).map_err(|wrong| context.header(wrong, found))
}

#[cfg(test)]
mod tests;
