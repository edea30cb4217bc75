//! Runs futures without an executor.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Polls a future until it is finished; how often it let others run.
pub fn yields<F: Future>(future: F) -> (F::Output, u64) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let mut yields = 0;
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return (output, yields),
            Poll::Pending => yields += 1,
        }
    }
}

/// Polls a future until it is finished.
pub fn finished<F: Future>(future: F) -> F::Output {
    yields(future).0
}
