//! Progress bars: on a terminal only, and only for what takes longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long nothing is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar that appears when somebody would begin to wonder.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    allowed: bool,
    shown: bool,
}

impl Progress {
    /// A bar labelled `what`; never shown with `quiet`, or where standard error is no terminal.
    pub fn new(what: &str, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) =
            ProgressStyle::with_template("{msg:24} {wide_bar} {percent:>3} % {eta:>4}")
        {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self {
            bar,
            started: Instant::now(),
            allowed: !quiet,
            shown: false,
        }
    }

    /// So much of so much is done.
    pub fn set(&mut self, done: u64, total: u64) {
        if self.allowed && !self.shown && self.started.elapsed() > PATIENCE {
            self.shown = true;
            // Hides itself where standard error is no terminal.
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        if self.shown {
            self.bar.set_length(total);
            self.bar.set_position(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
