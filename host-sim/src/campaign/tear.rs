//! The ways in which a cut can hit one operation.

use crate::{CutPhase, CutPlan, TornErase, TornProgram};

/// A way in which a cut hits a program or an erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tear {
    /// Where in the operation.
    pub phase: CutPhase,
    /// What is left of a program.
    pub program: TornProgram,
    /// What is left of an erase.
    pub erase: TornErase,
}

const fn plain(phase: CutPhase) -> Tear {
    Tear {
        phase,
        program: TornProgram::Drawn,
        erase: TornErase::Drawn,
    }
}

const fn torn(program: TornProgram, erase: TornErase) -> Tear {
    Tear {
        phase: CutPhase::During,
        program,
        erase,
    }
}

/// All ways for a program. The first is [`CutPhase::Before`]; those of erases come first.
pub const OF_PROGRAM: [Tear; 12] = [
    plain(CutPhase::Before),
    plain(CutPhase::After),
    torn(TornProgram::Garbage, TornErase::OldData),
    torn(TornProgram::LooksErased, TornErase::Mixture),
    torn(
        TornProgram::LooksValidThenDecays,
        TornErase::LooksErasedButWeak,
    ),
    torn(TornProgram::Prefix(1), TornErase::Mixture),
    torn(TornProgram::Prefix(128), TornErase::Drawn),
    torn(TornProgram::Prefix(250), TornErase::Drawn),
    torn(TornProgram::RandomBits, TornErase::Drawn),
    torn(TornProgram::Sectors512, TornErase::Drawn),
    // With another seed: the pages decay at other moments, the other dies are torn in other ways.
    torn(TornProgram::LooksValidThenDecays, TornErase::Drawn),
    torn(TornProgram::LooksValidThenDecays, TornErase::Drawn),
];

/// How many of [`OF_PROGRAM`] are different for an erase.
pub const OF_ERASE: usize = 6;

impl Tear {
    /// The cut at the `index`-th program or erase.
    #[must_use]
    pub const fn at(self, index: u64, seed: u64) -> CutPlan {
        CutPlan::during(index, seed)
            .phase(self.phase)
            .torn(self.program, self.erase)
    }
}
