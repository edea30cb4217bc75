//! Faults to inject: all off by default, and free to combine.

use crate::media::Place;
use crate::power::OperationClass;
use crate::prng::SplitMix64;
use cuesta_hal::{BlockAddress, Die, PageAddress};
use std::collections::{BTreeMap, BTreeSet};

/// What goes wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The program reports failure; the page holds what it held.
    ProgramFails,
    /// The program reports failure, though the page was written.
    ProgramFailsWritten,
    /// The program reports failure and leaves a random part of the bits.
    ProgramFailsPartly,
    /// The program reports success and changes nothing.
    LostWrite,
    /// The program reports success and wrote to another page (of any die).
    MisdirectedWrite(PageAddress),
    /// The erase reports failure; the block holds what it held.
    EraseFails,
    /// The erase reports success; the block holds what it held.
    SilentEraseFailure,
    /// The read reports success; the buffer keeps the bytes it had.
    StaleRead,
    /// The read reports success and returns another page.
    WrongPageRead(PageAddress),
    /// More bits are flipped than any code corrects.
    Uncorrectable,
    /// The part's own ECC reports failure, though it returns the right bytes (on-die ECC only).
    FalseUncorrectable,
    /// The part's own ECC reports a clean read, though it is past correction (on-die ECC only).
    FalseClean,
    /// The part's own ECC reports that it corrected as many bits as it can, though there were none (on-die ECC only).
    FalseCorrected,
    /// The part's own ECC turns one codeword into another one and reports that it corrected as many bits as it can (on-die ECC only):
    /// `2 t + 1` bits of a random codeword's main bytes are wrong, where `t` is the strength. That is how far the codewords of
    /// such a code are apart at least (S. Lin, D. Costello, "Error Control Coding", on bounded-distance decoding of BCH codes).
    Miscorrected,
}

impl Fault {
    /// The operations it can happen to.
    #[must_use]
    pub const fn class(self) -> OperationClass {
        match self {
            Self::ProgramFails
            | Self::ProgramFailsWritten
            | Self::ProgramFailsPartly
            | Self::LostWrite
            | Self::MisdirectedWrite(_) => OperationClass::Program,
            Self::EraseFails | Self::SilentEraseFailure => OperationClass::Erase,
            _ => OperationClass::Read,
        }
    }
}

/// When a fault happens, among the operations it can happen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// At each.
    Always,
    /// At the `n`-th from now on, counted from 0.
    Nth(u64),
    /// At those of a page.
    Page(PageAddress),
    /// At those of a block.
    Block(BlockAddress),
    /// At those of a die.
    Die(Die),
    /// At a random one in so many.
    OneIn(u64),
}

#[derive(Debug, Clone)]
struct Scheduled {
    trigger: Trigger,
    fault: Fault,
    seen: u64,
    left: u64,
}

/// The faults of a part.
#[derive(Debug, Clone)]
pub struct Faults {
    prng: SplitMix64,
    scheduled: Vec<Scheduled>,
    flips: BTreeMap<Place, BTreeSet<u32>>,
    bit_error_rate: f64,
    dead_dies: BTreeSet<u16>,
    blocks_per_die: u32,
}

impl Faults {
    pub(crate) fn none(seed: u64, blocks_per_die: u32) -> Self {
        Self {
            prng: SplitMix64::derive(seed, 0xFA),
            scheduled: Vec::new(),
            flips: BTreeMap::new(),
            bit_error_rate: 0.0,
            dead_dies: BTreeSet::new(),
            blocks_per_die,
        }
    }

    fn place(&self, page: PageAddress) -> Place {
        Place {
            block: u32::from(page.block.die.0) * self.blocks_per_die + page.block.block.0,
            page: page.page.0,
        }
    }

    /// Lets `fault` happen once when `trigger` says so.
    pub fn once(&mut self, trigger: Trigger, fault: Fault) -> &mut Self {
        self.times(trigger, fault, 1)
    }

    /// Lets `fault` happen every time `trigger` says so.
    pub fn every(&mut self, trigger: Trigger, fault: Fault) -> &mut Self {
        self.times(trigger, fault, u64::MAX)
    }

    /// Lets `fault` happen the first `times` times that `trigger` says so. Of several that apply, the first laid wins.
    pub fn times(&mut self, trigger: Trigger, fault: Fault, times: u64) -> &mut Self {
        self.scheduled.push(Scheduled {
            trigger,
            fault,
            seen: 0,
            left: times,
        });
        self
    }

    /// Shows a bit of `page` wrong on every read, erased or not, until [`unflip`](Self::unflip). Bit `b` is bit `b mod 8` of byte
    /// `b / 8` of the raw page. Flipping it twice restores it.
    pub fn flip(&mut self, page: PageAddress, bit: u32) -> &mut Self {
        let place = self.place(page);
        let bits = self.flips.entry(place).or_default();
        if !bits.remove(&bit) {
            bits.insert(bit);
        }
        if bits.is_empty() {
            self.flips.remove(&place);
        }
        self
    }

    /// Shows the flipped bits of a page right again.
    pub fn unflip(&mut self, page: PageAddress) -> &mut Self {
        let place = self.place(page);
        self.flips.remove(&place);
        self
    }

    /// Each bit of each read is wrong with this probability (0 switches it off).
    pub fn bit_error_rate(&mut self, rate: f64) -> &mut Self {
        self.bit_error_rate = rate.clamp(0.0, 0.5);
        self
    }

    /// Every read of the page is past correction, until [`clear`](Self::clear).
    pub fn stuck_page(&mut self, page: PageAddress) -> &mut Self {
        self.every(Trigger::Page(page), Fault::Uncorrectable)
    }

    /// The die never answers again: each operation on it times out.
    pub fn kill_die(&mut self, die: Die) -> &mut Self {
        self.dead_dies.insert(die.0);
        self
    }

    /// The die answers again.
    pub fn revive_die(&mut self, die: Die) -> &mut Self {
        self.dead_dies.remove(&die.0);
        self
    }

    /// Switches every fault off.
    pub fn clear(&mut self) -> &mut Self {
        self.scheduled.clear();
        self.flips.clear();
        self.bit_error_rate = 0.0;
        self.dead_dies.clear();
        self
    }

    pub(crate) fn is_dead(&self, die: Die) -> bool {
        self.dead_dies.contains(&die.0)
    }

    /// The fault of an operation that starts now, if any.
    pub(crate) fn draw(
        &mut self,
        class: OperationClass,
        block: BlockAddress,
        page: Option<PageAddress>,
    ) -> Option<Fault> {
        let mut drawn = None;
        for rule in &mut self.scheduled {
            if rule.left == 0 || rule.fault.class() != class {
                continue;
            }
            let seen = rule.seen;
            rule.seen += 1;
            let hit = match rule.trigger {
                Trigger::Always => true,
                Trigger::Nth(n) => seen == n,
                Trigger::Page(at) => page == Some(at),
                Trigger::Block(at) => block == at,
                Trigger::Die(die) => block.die == die,
                Trigger::OneIn(n) => self.prng.below(n.max(1)) == 0,
            };
            if hit && drawn.is_none() {
                rule.left -= 1;
                drawn = Some(rule.fault);
            }
        }
        drawn
    }

    /// Appends the bits of a raw page of `bits` bits that this read of `place` shows wrong; its rate is multiplied with `factor`.
    pub(crate) fn flips_of_read(
        &mut self,
        place: Place,
        factor: f64,
        bits: u32,
        wrong: &mut Vec<u32>,
    ) {
        if !self.flips.is_empty() {
            if let Some(fixed) = self.flips.get(&place) {
                wrong.extend(fixed.iter().copied().filter(|&bit| bit < bits));
            }
        }
        let rate = (self.bit_error_rate * factor).min(0.5);
        if rate > 0.0 {
            // The gaps between errors of independent bits are geometric: one draw an error instead of one a bit.
            let scale = 1.0 / (-rate).ln_1p();
            let mut at = 0.0;
            loop {
                at += ((1.0 - self.prng.unit()).ln() * scale).floor();
                if at >= f64::from(bits) {
                    break;
                }
                wrong.push(at as u32);
                at += 1.0;
            }
        }
    }
}
