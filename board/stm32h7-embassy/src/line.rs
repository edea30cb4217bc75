//! The serial line, for formatted text.

use core::fmt;

use embassy_stm32::usart::BufferedUartTx;
use embedded_io::Write;

/// The serial line, out. Waits while its buffer is full; an interrupt empties it.
pub struct Line(pub BufferedUartTx<'static>);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
