//! The ways in which a cut can hit one operation.

use crate::{CutPhase, CutPlan, OperationClass, TornErase, TornProgram};

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

/// What a cut leaves of a program: each is another kind of page to whoever reads it.
pub const PROGRAMS_TORN: [TornProgram; 9] = [
    TornProgram::Garbage,
    TornProgram::LooksErased,
    TornProgram::LooksValidThenDecays,
    // Not a byte of the header, the header's first half, all but the last bytes.
    TornProgram::Prefix(1),
    TornProgram::Prefix(24),
    TornProgram::Prefix(128),
    TornProgram::Prefix(250),
    TornProgram::RandomBits,
    TornProgram::Sectors512,
];

/// What a cut leaves of an erase.
pub const ERASES_TORN: [TornErase; 3] = [
    TornErase::OldData,
    TornErase::Mixture,
    TornErase::LooksErasedButWeak,
];

impl Tear {
    /// All that differ for a moment, in the same order each time.
    pub fn of(phase: CutPhase, class: OperationClass) -> Vec<Self> {
        match (phase, class) {
            (CutPhase::During, OperationClass::Erase) => ERASES_TORN
                .iter()
                .map(|&erase| torn(TornProgram::Drawn, erase))
                .collect(),
            (CutPhase::During, _) => PROGRAMS_TORN
                .iter()
                .map(|&program| torn(program, TornErase::Drawn))
                .collect(),
            (phase, _) => vec![plain(phase)],
        }
    }

    /// What kind of cut it is, for a count.
    #[must_use]
    pub fn kind(&self, class: OperationClass) -> String {
        let (operation, torn) = match class {
            OperationClass::Erase => ("erase", format!("{:?}", self.erase)),
            _ => ("program", format!("{:?}", self.program)),
        };
        match self.phase {
            CutPhase::Before => format!("before {operation}"),
            CutPhase::After => format!("after {operation}"),
            CutPhase::During => format!("{operation}: {torn}"),
        }
    }

    /// The cut at the `index`-th program or erase.
    #[must_use]
    pub const fn at(self, index: u64, seed: u64) -> CutPlan {
        CutPlan::during(index, seed)
            .phase(self.phase)
            .torn(self.program, self.erase)
    }
}
