//! A NOR part in memory that insists on the contract of `NorFlash`.

use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash,
};

/// Reads `READ`, writes `WRITE` and erases `ERASE` bytes at a time.
#[derive(Debug)]
pub(crate) struct MockNor<const READ: usize, const WRITE: usize, const ERASE: usize> {
    pub(crate) bytes: Vec<u8>,
    /// Words written since their sector was erased.
    written: Vec<bool>,
    /// Makes the next call fail, whatever it is.
    pub(crate) fail_next: Option<NorFlashErrorKind>,
    /// Offset and length of every read.
    pub(crate) reads: Vec<(u32, usize)>,
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> MockNor<READ, WRITE, ERASE> {
    /// As it comes out of a device that used it for something else: not erased.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            bytes: vec![0x5A; capacity],
            written: vec![true; capacity / WRITE],
            fail_next: None,
            reads: Vec::new(),
        }
    }

    /// As it comes from the factory: erased.
    pub(crate) fn erased(capacity: usize) -> Self {
        let mut flash = Self::new(capacity);
        flash.bytes.fill(0xFF);
        flash.written.fill(false);
        flash
    }

    fn injected(&mut self) -> Result<(), NorFlashErrorKind> {
        self.fail_next.take().map_or(Ok(()), Err)
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ErrorType
    for MockNor<READ, WRITE, ERASE>
{
    type Error = NorFlashErrorKind;
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ReadNorFlash
    for MockNor<READ, WRITE, ERASE>
{
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        self.injected()?;
        self.reads.push((offset, bytes.len()));
        let start = usize::try_from(offset).unwrap();
        bytes.copy_from_slice(&self.bytes[start..start + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorFlash
    for MockNor<READ, WRITE, ERASE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        self.injected()?;
        let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
        self.bytes[from..to].fill(0xFF);
        self.written[from / WRITE..to / WRITE].fill(false);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        self.injected()?;
        let start = usize::try_from(offset).unwrap();
        for word in &mut self.written[start / WRITE..(start + bytes.len()) / WRITE] {
            assert!(!*word, "a word was written twice at offset {offset}");
            *word = true;
        }
        for (old, new) in self.bytes[start..].iter_mut().zip(bytes) {
            *old &= new;
        }
        Ok(())
    }
}
