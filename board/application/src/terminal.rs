//! A terminal at the other end of a serial line.

use core::fmt::{self, Write};

/// Longest line of commands.
pub const LINE_BYTES: usize = 128;

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7F;
const CONTROL_C: u8 = 0x03;

/// A line that somebody types.
#[derive(Debug)]
pub struct LineEditor {
    bytes: [u8; LINE_BYTES],
    len: usize,
    ended: bool,
}

impl Default for LineEditor {
    fn default() -> Self {
        Self::new()
    }
}

impl LineEditor {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; LINE_BYTES],
            len: 0,
            ended: false,
        }
    }

    /// Takes a byte in and echoes it; gives the line back when it is complete. What does not fit, and what is not printable ASCII, is not taken and not echoed.
    ///
    /// # Errors
    /// The echo cannot be written.
    pub fn push(&mut self, byte: u8, echo: &mut dyn Write) -> Result<Option<&str>, fmt::Error> {
        if self.ended {
            (self.len, self.ended) = (0, false);
        }
        match byte {
            b'\r' | b'\n' => {
                self.ended = true;
                echo.write_str("\n")?;
                let line = self.bytes.get(..self.len).unwrap_or_default();
                // Only ASCII was taken.
                return Ok(Some(core::str::from_utf8(line).unwrap_or_default()));
            }
            BACKSPACE | DELETE if self.len > 0 => {
                self.len -= 1;
                echo.write_str("\u{8} \u{8}")?;
            }
            CONTROL_C => {
                self.len = 0;
                echo.write_str("\n> ")?;
            }
            b' '..=b'~' => {
                if let Some(place) = self.bytes.get_mut(self.len) {
                    *place = byte;
                    self.len += 1;
                    echo.write_char(char::from(byte))?;
                }
            }
            _ => {}
        }
        Ok(None)
    }
}

/// Ends lines as terminals want them, with a carriage return.
#[derive(Debug)]
pub struct Terminal<W>(pub W);

impl<W: Write> Write for Terminal<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive('\n') {
            match piece.strip_suffix('\n') {
                Some(line) => {
                    self.0.write_str(line)?;
                    self.0.write_str("\r\n")?;
                }
                None => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
}
