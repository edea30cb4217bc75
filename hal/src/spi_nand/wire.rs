//! The bus as the driver sees it, blocking or not.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use super::frame::Frame;

/// A bus that selects the part, sends a frame with data in one direction, and lets go of it.
pub(super) trait Wire {
    type Error;

    /// Sends a frame, and `data` behind it.
    async fn write(&mut self, frame: Frame, data: &[u8]) -> Result<(), Self::Error>;

    /// Sends a frame, then fills `data` with the answer.
    async fn read(&mut self, frame: Frame, data: &mut [u8]) -> Result<(), Self::Error>;

    /// Sends `sent` and keeps what comes at the same time.
    async fn exchange(&mut self, sent: &[u8], received: &mut [u8]) -> Result<(), Self::Error>;

    /// Waits at least so long.
    async fn pause_ns(&mut self, ns: u32);
}

/// Runs to its end what never has to wait for anybody: the futures of a wire that blocks.
pub(super) fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
