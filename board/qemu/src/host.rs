//! Calls to the host that emulates the machine.
//!
//! Source: Arm, "Semihosting for AArch32 and AArch64", release 2.0, on SYS_OPEN, SYS_WRITE, SYS_READ, SYS_CLOCK and SYS_GET_CMDLINE.

use cortex_m_semihosting::{nr, syscall};

/// An open file of the host.
#[derive(Debug, Clone, Copy)]
pub struct File {
    handle: usize,
}

/// A call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostError;

impl core::fmt::Display for HostError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the pipes to the part are gone, or were never there")
    }
}

impl core::error::Error for HostError {}

impl embedded_hal::spi::Error for HostError {
    fn kind(&self) -> embedded_hal::spi::ErrorKind {
        embedded_hal::spi::ErrorKind::Other
    }
}

/// How a file is opened: the numbers are those of `fopen`.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// `rb`
    Read = 1,
    /// `wb`
    Write = 5,
}

impl File {
    /// Opens a file. `name` ends with a zero byte.
    pub fn open(name: &core::ffi::CStr, mode: Mode) -> Result<Self, HostError> {
        let len = name.count_bytes();
        // SAFETY: the block has the three words that SYS_OPEN reads, and the name is as long as it says.
        let handle = unsafe { syscall!(OPEN, name.as_ptr(), mode as usize, len) };
        match handle {
            usize::MAX => Err(HostError),
            handle => Ok(Self { handle }),
        }
    }

    /// Writes all bytes.
    pub fn write(self, bytes: &[u8]) -> Result<(), HostError> {
        // SAFETY: the block has the three words that SYS_WRITE reads, and so many bytes can be read.
        match unsafe { syscall!(WRITE, self.handle, bytes.as_ptr(), bytes.len()) } {
            0 => Ok(()),
            _ => Err(HostError),
        }
    }

    /// Fills `bytes`; a pipe may give them piece by piece.
    pub fn read(self, mut bytes: &mut [u8]) -> Result<(), HostError> {
        while !bytes.is_empty() {
            // SAFETY: the block has the three words that SYS_READ reads, and so many bytes can be written.
            let left = unsafe { syscall!(READ, self.handle, bytes.as_mut_ptr(), bytes.len()) };
            if left >= bytes.len() {
                return Err(HostError);
            }
            let filled = bytes.len() - left;
            bytes = bytes.get_mut(filled..).ok_or(HostError)?;
        }
        Ok(())
    }
}

/// Hundredths of a second since the emulation began.
pub fn clock() -> usize {
    // SAFETY: SYS_CLOCK takes no block.
    unsafe { cortex_m_semihosting::syscall1(nr::CLOCK, 0) }
}

/// The arguments that the machine was started with, blanks between them. `None` if there are none or too many.
pub fn command_line(bytes: &mut [u8]) -> Option<&str> {
    let mut block = [bytes.as_mut_ptr() as usize, bytes.len()];
    // SAFETY: SYS_GET_CMDLINE reads two words at the address and writes them, and no more bytes than the second one says.
    let result =
        unsafe { cortex_m_semihosting::syscall1(nr::GET_CMDLINE, block.as_mut_ptr() as usize) };
    let len = block[1];
    match result {
        0 => core::str::from_utf8(bytes.get(..len)?).ok(),
        _ => None,
    }
}
