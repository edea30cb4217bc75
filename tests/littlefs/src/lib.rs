//! The littlefs door: any `embedded_storage` NOR flash, and so a volume behind `cuesta::door::NorFlashDisk`, as a `littlefs2::driver::Storage`.
//!
//! It is not in the engine, since whoever depends on `littlefs2` needs a C compiler and libclang: copy it from here.

#![no_std]

use core::marker::PhantomData;

use embedded_storage::nor_flash::NorFlash;
use generic_array::typenum::{U1, U256};
use littlefs2::driver::Storage;
use littlefs2::io::{Error, Result};

/// Flash as blocks of its erase size, `BLOCKS` of them from the first on.
///
/// # Guarantees
///
/// Those of the flash. littlefs asks that a write is on the media when it returns, that erased blocks can be written, and that a cut leaves what was not being
/// written as it was: through `NorFlashDisk` all of this holds, and a block that is erased anew reads as 0xFF.
#[derive(Debug)]
pub struct LittleFlash<F, const BLOCKS: usize> {
    flash: F,
    blocks: PhantomData<[(); BLOCKS]>,
}

impl<F: NorFlash, const BLOCKS: usize> LittleFlash<F, BLOCKS> {
    /// Takes the flash; `None` if it has fewer blocks.
    pub fn new(flash: F) -> Option<Self> {
        let bytes = F::ERASE_SIZE.checked_mul(BLOCKS)?;
        (bytes <= flash.capacity()).then_some(Self {
            flash,
            blocks: PhantomData,
        })
    }

    /// Gives it back.
    pub fn into_inner(self) -> F {
        self.flash
    }
}

/// An offset of flash.
fn offset(bytes: usize) -> Result<u32> {
    u32::try_from(bytes).map_err(|_| Error::INVALID)
}

impl<F: NorFlash, const BLOCKS: usize> Storage for LittleFlash<F, BLOCKS> {
    const READ_SIZE: usize = F::READ_SIZE;
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const BLOCK_SIZE: usize = F::ERASE_SIZE;
    const BLOCK_COUNT: usize = BLOCKS;
    // The volume levels wear.
    const BLOCK_CYCLES: isize = -1;

    type CACHE_SIZE = U256;
    type LOOKAHEAD_SIZE = U1;

    fn read(&mut self, from: usize, bytes: &mut [u8]) -> Result<usize> {
        let read = self.flash.read(offset(from)?, bytes);
        read.map(|()| bytes.len()).map_err(|_| Error::IO)
    }

    fn write(&mut self, from: usize, bytes: &[u8]) -> Result<usize> {
        let written = self.flash.write(offset(from)?, bytes);
        written.map(|()| bytes.len()).map_err(|_| Error::IO)
    }

    fn erase(&mut self, from: usize, len: usize) -> Result<usize> {
        let to = from.checked_add(len).ok_or(Error::INVALID)?;
        let erased = self.flash.erase(offset(from)?, offset(to)?);
        erased.map(|()| len).map_err(|_| Error::IO)
    }
}
