//! The virtual clock: what each die does until when, and who holds each channel.
//!
//! Time is counted in ticks of 1/52 ns, so that the byte times of the buses in the chip table (52 B/µs, 800 B/µs and
//! others) are whole numbers and no rounding adds up over a run.

use cuesta_hal::Die;

/// Ticks of the clock in a nanosecond.
pub const TICKS_PER_NS: u64 = 52;

/// A point of virtual time, or a span of it, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Ticks(pub u128);

impl Ticks {
    /// `ns` nanoseconds.
    #[must_use]
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns as u128 * TICKS_PER_NS as u128)
    }

    /// `us` microseconds.
    #[must_use]
    pub const fn from_us(us: u64) -> Self {
        Self(us as u128 * 1000 * TICKS_PER_NS as u128)
    }

    /// Whole nanoseconds, rounded down.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        (self.0 / TICKS_PER_NS as u128) as u64
    }

    /// Microseconds.
    #[must_use]
    pub fn as_us(self) -> f64 {
        self.0 as f64 / (1000 * TICKS_PER_NS) as f64
    }
}

impl core::ops::Add for Ticks {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl core::ops::Sub for Ticks {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl core::ops::AddAssign for Ticks {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

/// What an operation asks of the clock: the channel, then the array, then the channel again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// Time on the channel before the array starts: the command, and the page when programming.
    pub channel_before: Ticks,
    /// Time the array takes.
    pub array: Ticks,
    /// Time on the channel after the array: the transfer of a read.
    pub channel_after: Ticks,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    started: Ticks,
    array_start: Ticks,
    array_end: Ticks,
    /// Channel time still to be granted when the array ends.
    transfer: Ticks,
    /// Known once the transfer has been granted the channel.
    completion: Option<Ticks>,
}

/// Where an operation in flight is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The array has not been started: command or data still on the channel.
    Arriving,
    /// The array works.
    InArray,
    /// The array has done its work.
    Done,
}

/// Virtual time of a part with dies that share channels.
///
/// A channel serves those who ask in the order in which they ask; a transfer asks when its array operation ends.
#[derive(Debug, Clone)]
pub struct Clock {
    now: Ticks,
    dies: Vec<Option<Running>>,
    channels_free_at: Vec<Ticks>,
    channel_busy: Vec<Ticks>,
    die_busy: Vec<Ticks>,
}

impl Clock {
    /// A clock at 0 for `dies` dies over `channels` channels.
    #[must_use]
    pub fn new(dies: u16, channels: u16) -> Self {
        let dies = usize::from(dies);
        let channels = usize::from(channels.max(1));
        Self {
            now: Ticks(0),
            dies: vec![None; dies],
            channels_free_at: vec![Ticks(0); channels],
            channel_busy: vec![Ticks(0); channels],
            die_busy: vec![Ticks(0); dies],
        }
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Ticks {
        self.now
    }

    /// Time each die was occupied by operations that have been taken off it.
    #[must_use]
    pub fn die_busy(&self) -> &[Ticks] {
        &self.die_busy
    }

    /// Time each channel was granted.
    #[must_use]
    pub fn channel_busy(&self) -> &[Ticks] {
        &self.channel_busy
    }

    fn grant(&mut self, die: usize, asked_at: Ticks, span: Ticks) -> Ticks {
        let channel = die % self.channels_free_at.len();
        let start = asked_at.max(self.channels_free_at[channel]);
        if span.0 > 0 {
            self.channels_free_at[channel] = start + span;
            self.channel_busy[channel] += span;
        }
        start + span
    }

    /// Starts an operation on an idle die, now. Gives the time span in which the array works.
    pub fn start(&mut self, die: Die, course: Course) -> (Ticks, Ticks) {
        let die = usize::from(die.0);
        let started = self.now;
        let array_start = self.grant(die, started, course.channel_before);
        let array_end = array_start + course.array;
        self.dies[die] = Some(Running {
            started,
            array_start,
            array_end,
            transfer: course.channel_after,
            completion: (course.channel_after.0 == 0).then_some(array_end),
        });
        (array_start, array_end)
    }

    /// Grants the channel to the transfer that asks first, if it asks at or before `limit`.
    fn grant_next(&mut self, limit: Ticks) -> bool {
        let mut first: Option<(Ticks, usize)> = None;
        for (die, running) in self.dies.iter().enumerate() {
            let Some(running) = running else { continue };
            if running.completion.is_none()
                && running.array_end <= limit
                && first.is_none_or(|(at, _)| running.array_end < at)
            {
                first = Some((running.array_end, die));
            }
        }
        let Some((at, die)) = first else { return false };
        if let Some(running) = self.dies[die] {
            let completion = self.grant(die, at, running.transfer);
            self.dies[die] = Some(Running {
                completion: Some(completion),
                ..running
            });
        }
        true
    }

    /// Moves the clock to `time`; never backwards.
    pub fn advance_to(&mut self, time: Ticks) {
        if time > self.now {
            while self.grant_next(time) {}
            self.now = time;
        }
    }

    /// The earliest completion among operations in flight, assuming that none is started before it.
    ///
    /// Grants no channel beyond `limit`, and gives `limit` if nothing completes before.
    pub fn next_completion(&mut self, limit: Option<Ticks>) -> Option<Ticks> {
        loop {
            let mut earliest: Option<Ticks> = None;
            let mut asks: Option<Ticks> = None;
            for running in self.dies.iter().flatten() {
                match running.completion {
                    // What has ended and was not polled does not keep time from going on for the others.
                    Some(at) if at <= self.now => {}
                    Some(at) => earliest = Some(earliest.map_or(at, |other| other.min(at))),
                    None => {
                        asks = Some(asks.map_or(running.array_end, |o| o.min(running.array_end)));
                    }
                }
            }
            if earliest.is_none() && asks.is_none() {
                return None;
            }
            let bound = match (earliest, limit) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            match asks {
                // A transfer asks for its channel before anything completes: it may complete first.
                Some(ask) if bound.is_none_or(|bound| ask < bound) => {
                    self.grant_next(ask);
                }
                _ => return bound,
            }
        }
    }

    /// True when the operation on `die` has completed by now.
    #[must_use]
    pub fn is_complete(&self, die: Die) -> bool {
        self.dies
            .get(usize::from(die.0))
            .copied()
            .flatten()
            .is_some_and(|running| running.completion.is_some_and(|at| at <= self.now))
    }

    /// Where the array operation of `die` is at this moment.
    #[must_use]
    pub fn progress(&self, die: Die) -> Progress {
        match self.dies.get(usize::from(die.0)).copied().flatten() {
            Some(running) if self.now < running.array_start => Progress::Arriving,
            Some(running) if self.now < running.array_end => Progress::InArray,
            _ => Progress::Done,
        }
    }

    /// Takes the operation off `die`, whether complete or not.
    pub fn finish(&mut self, die: Die) {
        let die = usize::from(die.0);
        if let Some(running) = self.dies[die].take() {
            let end = running.completion.map_or(self.now, |at| at.min(self.now));
            self.die_busy[die] += end - running.started;
        }
    }

    /// Forgets what the channels were promised: the part lost its supply.
    pub fn release_channels(&mut self) {
        for free_at in &mut self.channels_free_at {
            *free_at = (*free_at).min(self.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(before: u64, array: u64, after: u64) -> Course {
        Course {
            channel_before: Ticks::from_us(before),
            array: Ticks::from_us(array),
            channel_after: Ticks::from_us(after),
        }
    }

    fn settle(clock: &mut Clock) -> u64 {
        let at = clock.next_completion(None).expect("something is in flight");
        clock.advance_to(at);
        clock.now().as_ns() / 1000
    }

    #[test]
    fn dies_on_one_channel_share_the_bus_and_overlap_in_the_array() {
        let mut clock = Clock::new(2, 1);
        clock.start(Die(0), course(1, 60, 40));
        clock.start(Die(1), course(1, 60, 40));
        // Die 1 gets its command 1 µs later, and its transfer when the bus is free: 1 + 60 + 40 + 40.
        assert_eq!(settle(&mut clock), 101);
        assert!(clock.is_complete(Die(0)) && !clock.is_complete(Die(1)));
        clock.finish(Die(0));
        assert_eq!(settle(&mut clock), 141);
        clock.finish(Die(1));
        assert_eq!(clock.die_busy()[1], Ticks::from_us(141));
        assert_eq!(clock.channel_busy()[0], Ticks::from_us(82));
    }

    #[test]
    fn dies_on_two_channels_do_not_wait_for_each_other() {
        let mut clock = Clock::new(2, 2);
        clock.start(Die(0), course(1, 60, 40));
        clock.start(Die(1), course(1, 60, 40));
        assert_eq!(settle(&mut clock), 101);
        assert!(clock.is_complete(Die(0)) && clock.is_complete(Die(1)));
    }

    #[test]
    fn a_command_goes_before_a_transfer_that_has_not_asked_yet() {
        let mut clock = Clock::new(2, 1);
        clock.start(Die(0), course(1, 60, 40));
        clock.advance_to(Ticks::from_us(30));
        clock.start(Die(1), course(41, 250, 0));
        // The page goes to die 1 from 30 to 71; the transfer of die 0 asked at 61 and starts at 71.
        assert_eq!(settle(&mut clock), 111);
        clock.finish(Die(0));
        assert_eq!(settle(&mut clock), 321);
    }

    #[test]
    fn a_limit_stops_the_clock_before_a_completion() {
        let mut clock = Clock::new(1, 1);
        clock.start(Die(0), course(1, 60, 40));
        assert_eq!(
            clock.next_completion(Some(Ticks::from_us(20))),
            Some(Ticks::from_us(20))
        );
        clock.advance_to(Ticks::from_us(20));
        assert_eq!(clock.progress(Die(0)), Progress::InArray);
        assert_eq!(settle(&mut clock), 101);
    }
}
