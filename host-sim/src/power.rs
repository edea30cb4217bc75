//! Power cuts: when, and what they leave of the operations in flight.

use crate::clock::Ticks;
use crate::media::Condition;
use crate::prng::SplitMix64;
use std::sync::Arc;

/// Which array operations a cut plan counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationClass {
    /// Every one.
    Any,
    /// Programs and erases.
    Changing,
    /// Reads.
    Read,
    /// Programs.
    Program,
    /// Erases.
    Erase,
}

impl OperationClass {
    /// True when an operation of class `other` (never `Any` or `Changing`) counts.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        match self {
            Self::Any => true,
            Self::Changing => matches!(other, Self::Program | Self::Erase),
            exact => exact == other,
        }
    }
}

/// When the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CutPoint {
    /// At an operation: the `index`-th of its class (from 0) that is started after the plan was laid.
    Operation {
        /// Operations of the class that are started unharmed before.
        index: u64,
        /// What is counted.
        class: OperationClass,
    },
    /// At a moment of virtual time, in nanoseconds.
    Time(u64),
}

/// Where in its operation a cut hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CutPhase {
    /// The operation is not started; the call says `PowerLost`.
    Before,
    /// The array has begun and not ended.
    During,
    /// The array has ended, but nobody was told.
    After,
}

/// What a cut leaves of a page that was being programmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TornProgram {
    /// The first bytes, in 256ths of the raw page; the rest as before.
    Prefix(u8),
    /// A random part of the bits; reads differ from one another.
    RandomBits,
    /// A random part of the 512-byte pieces.
    Sectors512,
    /// Reads erased but for a few bits, and is not.
    LooksErased,
    /// Reads as intended a few times, then turns to garbage.
    LooksValidThenDecays,
    /// Noise all over the page, not even a subset of the intended bits.
    Garbage,
    /// One of the others, by the plan's seed.
    Drawn,
}

/// What a cut leaves of a block that was being erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TornErase {
    /// Everything as before.
    OldData,
    /// Some pages as before, some half erased, some erased.
    Mixture,
    /// Reads erased, but must not be programmed without another erase.
    LooksErasedButWeak,
    /// One of the others, by the plan's seed.
    Drawn,
}

/// What a cut during a program does to programmed pages that share cells with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PairDamage {
    /// Each with a probability: one half for the page at the pairing distance, one eighth for those between.
    Drawn,
    /// All that the pairing allows.
    All,
    /// None.
    None,
}

/// A power cut to come. [`power_cycle`](crate::Emulator::power_cycle) clears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CutPlan {
    /// When.
    pub at: CutPoint,
    /// Where in the operation (of no meaning for [`CutPoint::Time`]).
    pub phase: CutPhase,
    /// What happens to the counted operation if it is a program. At [`CutPoint::Time`], to the torn die with the lowest number.
    /// Every other die in flight draws for itself.
    pub program: TornProgram,
    /// Likewise for an erase.
    pub erase: TornErase,
    /// What happens to paired pages.
    pub pairs: PairDamage,
    /// Everything random about the cut follows from it.
    pub seed: u64,
}

impl CutPlan {
    /// A cut during the `index`-th program or erase (from 0), with variants drawn from `seed`.
    #[must_use]
    pub const fn during(index: u64, seed: u64) -> Self {
        Self {
            at: CutPoint::Operation {
                index,
                class: OperationClass::Changing,
            },
            phase: CutPhase::During,
            program: TornProgram::Drawn,
            erase: TornErase::Drawn,
            pairs: PairDamage::Drawn,
            seed,
        }
    }

    /// A cut at a moment of virtual time, with variants drawn from `seed`.
    #[must_use]
    pub const fn at_time(ns: u64, seed: u64) -> Self {
        Self {
            at: CutPoint::Time(ns),
            ..Self::during(0, seed)
        }
    }

    /// The same plan with another phase.
    #[must_use]
    pub const fn phase(self, phase: CutPhase) -> Self {
        Self { phase, ..self }
    }

    /// The same plan with these torn variants.
    #[must_use]
    pub const fn torn(self, program: TornProgram, erase: TornErase) -> Self {
        Self {
            program,
            erase,
            ..self
        }
    }

    /// The same plan counting another class.
    #[must_use]
    pub const fn counting(self, class: OperationClass) -> Self {
        match self.at {
            CutPoint::Operation { index, .. } => Self {
                at: CutPoint::Operation { index, class },
                ..self
            },
            CutPoint::Time(_) => self,
        }
    }
}

/// State of the supply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Power {
    pub(crate) lost: bool,
    pub(crate) plan: Option<CutPlan>,
    /// Operations of the plan's class started since it was laid.
    pub(crate) counted: u64,
    /// The die whose operation the plan names, once it has been started.
    pub(crate) target: Option<u16>,
    /// The moment of the cut, once it is known.
    pub(crate) cut_at: Option<Ticks>,
}

/// Whether the plan's moment has come with an operation about to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    No,
    Before,
    During,
    After,
}

impl Power {
    pub(crate) fn lay(plan: CutPlan) -> Self {
        Self {
            lost: false,
            plan: Some(plan),
            counted: 0,
            target: None,
            cut_at: match plan.at {
                CutPoint::Time(ns) => Some(Ticks::from_ns(ns)),
                CutPoint::Operation { .. } => None,
            },
        }
    }

    /// Counts an operation that is about to start.
    pub(crate) fn count(&mut self, class: OperationClass) -> Hit {
        let Some(plan) = self.plan else {
            return Hit::No;
        };
        let CutPoint::Operation {
            index,
            class: counted,
        } = plan.at
        else {
            return Hit::No;
        };
        if !counted.covers(class) {
            return Hit::No;
        }
        self.counted += 1;
        if self.counted != index + 1 {
            return Hit::No;
        }
        match plan.phase {
            CutPhase::Before => Hit::Before,
            CutPhase::During => Hit::During,
            CutPhase::After => Hit::After,
        }
    }
}

/// What is left of a page: its bytes (nothing: as before) and condition.
pub(crate) struct TornPage {
    pub(crate) bytes: Option<Arc<[u8]>>,
    pub(crate) condition: Condition,
}

/// Tears the programming of `intended` over `old`.
pub(crate) fn tear_program(
    variant: TornProgram,
    old: &[u8],
    intended: &[u8],
    prng: &mut SplitMix64,
) -> TornPage {
    let variant = match variant {
        TornProgram::Drawn => match prng.below(6) {
            0 => TornProgram::Prefix((prng.next() >> 56) as u8),
            1 => TornProgram::RandomBits,
            2 => TornProgram::Sectors512,
            3 => TornProgram::LooksErased,
            4 => TornProgram::LooksValidThenDecays,
            _ => TornProgram::Garbage,
        },
        chosen => chosen,
    };
    let blend = |keep_old: &dyn Fn(usize) -> u8| -> Arc<[u8]> {
        old.iter()
            .zip(intended)
            .enumerate()
            .map(|(i, (&old, &new))| old & (new | keep_old(i)))
            .collect()
    };
    let (bytes, condition) = match variant {
        TornProgram::Prefix(of_256) => {
            let reached = intended.len() * usize::from(of_256) / 256;
            (
                Some(blend(&|i| if i < reached { 0 } else { 0xFF })),
                Condition::Torn,
            )
        }
        TornProgram::RandomBits => {
            let mut mask = vec![0; intended.len()];
            prng.fill(&mut mask);
            (Some(blend(&|i| mask[i])), Condition::Unstable)
        }
        TornProgram::Sectors512 => {
            let pieces = prng.next();
            (
                Some(blend(&|i| {
                    if pieces >> (i / 512 % 64) & 1 == 0 {
                        0
                    } else {
                        0xFF
                    }
                })),
                Condition::Torn,
            )
        }
        TornProgram::LooksErased => (None, Condition::LooksErased),
        TornProgram::LooksValidThenDecays | TornProgram::Drawn => {
            let good_reads = 1 + prng.below(4) as u16;
            (Some(blend(&|_| 0)), Condition::Decaying { good_reads })
        }
        TornProgram::Garbage => {
            let mut noise = vec![0; intended.len()];
            prng.fill(&mut noise);
            (Some(noise.into()), Condition::Torn)
        }
    };
    TornPage { bytes, condition }
}

/// Bytes that were right once and are beyond any code now: one bit in sixteen is flipped.
pub(crate) fn ruin(bytes: &[u8], prng: &mut SplitMix64) -> Arc<[u8]> {
    let mut ruined = bytes.to_vec();
    for chunk in ruined.chunks_mut(8) {
        let flips = prng.next() & prng.next() & prng.next() & prng.next();
        for (byte, flip) in chunk.iter_mut().zip(flips.to_le_bytes()) {
            *byte ^= flip;
        }
    }
    ruined.into()
}
