//! Dies that do not answer: where pages have copies, what such a die was to do has failed, and the volume goes on with the others.

use cuesta_hal::{
    BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, NandError, NandErrorKind,
    PageAddress, ReadStatus,
};

use super::shape::WIDE;

/// Operations in a row that a die may leave without an end before it is not asked any more.
const PATIENCE: u8 = 3;
/// Dies of which is known what they do; silence of any other is an error.
const DIES_MAX: usize = 32;

/// What was started on a die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Started {
    Nothing,
    Read,
    Program,
    Erase,
}

/// What is known of a die: what was started on it, and how many operations in a row have had no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watched {
    started: Started,
    silences: u8,
}

impl Watched {
    const fn from_bits(bits: u8) -> Self {
        let started = match bits & 3 {
            0 => Started::Nothing,
            1 => Started::Read,
            2 => Started::Program,
            _ => Started::Erase,
        };
        Self {
            started,
            silences: bits >> 2,
        }
    }

    const fn bits(self) -> u8 {
        let started = match self.started {
            Started::Nothing => 0,
            Started::Read => 1,
            Started::Program => 2,
            Started::Erase => 3,
        };
        self.silences << 2 | started
    }
}

/// A part whose silent dies fail instead of ending everything.
///
/// On a part of several dies an operation that ends with [`NandErrorKind::Timeout`] settles as failed: what was to be read is zeros, which no check accepts. A die
/// that leaves three in a row without an end is not asked again: so a lost die costs a bounded time. When no die answers any more it is the part that has failed,
/// and errors are passed on, as they are on a part of one die, and for a volume whose pages have no copies: it could only give up what the die may still hold.
///
/// Reads go into first buffers only.
#[derive(Debug)]
pub(super) struct Attended<N> {
    nand: N,
    /// Four bits for each die.
    watched: [u8; DIES_MAX / 2],
    /// Every error is passed on.
    strict: bool,
}

impl<N: Nand> Attended<N> {
    pub(super) const fn new(nand: N) -> Self {
        Self {
            nand,
            watched: [0; DIES_MAX / 2],
            strict: false,
        }
    }

    /// From now on silence is an error.
    ///
    /// # Errors
    /// So it is if there was some already.
    pub(super) fn be_strict(&mut self) -> Result<(), NandErrorKind> {
        self.strict = true;
        let silent = |pair: &u8| {
            Watched::from_bits(pair >> 4).silences + Watched::from_bits(pair & 0xF).silences > 0
        };
        if self.watched.iter().any(silent) {
            return Err(NandErrorKind::Timeout);
        }
        Ok(())
    }

    pub(super) const fn part(&self) -> &N {
        &self.nand
    }

    pub(super) const fn part_mut(&mut self) -> &mut N {
        &mut self.nand
    }

    pub(super) fn into_part(self) -> N {
        self.nand
    }

    /// What is known of a die; `None` where its silence is an error.
    fn watched(&self, die: Die) -> Option<Watched> {
        let at = usize::from(die.0);
        if !WIDE || self.strict || self.nand.geometry().dies < 2 {
            return None;
        }
        let pair = *self.watched.get(at / 2)?;
        Some(Watched::from_bits(pair >> (at % 2 * 4) & 0xF))
    }

    fn watch(&mut self, die: Die, now: Watched) {
        let at = usize::from(die.0);
        if let Some(pair) = self.watched.get_mut(at / 2) {
            let shift = at % 2 * 4;
            *pair = *pair & !(0xF << shift) | now.bits() << shift;
        }
    }

    /// True when a die is not to be asked any more, and another is.
    fn given_up(&self, die: Die) -> bool {
        let silent = |die| {
            self.watched(die)
                .is_some_and(|die| die.silences >= PATIENCE)
        };
        WIDE && silent(die) && !(0..self.nand.geometry().dies).all(|die| silent(Die(die)))
    }

    /// Notes what was started on a die, or tells what starting it has failed with.
    fn start(
        &mut self,
        die: Die,
        started: Started,
        start: impl FnOnce(&mut N) -> Result<(), N::Error>,
    ) -> Result<(), N::Error> {
        let Some(mut watched) = self.watched(die) else {
            return start(&mut self.nand);
        };
        watched.started = started;
        if !self.given_up(die) {
            match start(&mut self.nand) {
                Ok(()) => {}
                Err(error) if error.kind() == NandErrorKind::Timeout => {
                    // It is still at what it was asked before.
                    watched.silences = PATIENCE;
                    self.watch(die, watched);
                    return if self.given_up(die) {
                        Ok(())
                    } else {
                        Err(error)
                    };
                }
                Err(error) => return Err(error),
            }
        }
        self.watch(die, watched);
        Ok(())
    }

    /// How an operation ends that has had no end.
    fn failed(&mut self, die: Die, started: Started) -> Completion {
        match started {
            Started::Nothing | Started::Read => {
                self.nand.buffer_mut(die, Buffer::First).fill(0);
                Completion::Read(ReadStatus::Uncorrectable)
            }
            Started::Program => Completion::ProgramFailed,
            Started::Erase => Completion::EraseFailed,
        }
    }
}

impl<N: Nand> Nand for Attended<N> {
    type Error = N::Error;

    fn geometry(&self) -> &Geometry {
        self.nand.geometry()
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        self.nand.buffer(die, buffer)
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        self.nand.buffer_mut(die, buffer)
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), N::Error> {
        self.start(page.die(), Started::Read, |nand| {
            nand.start_read(page, columns, buffer)
        })
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), N::Error> {
        self.start(page.die(), Started::Program, |nand| {
            nand.start_program(page, buffer)
        })
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), N::Error> {
        self.start(block.die, Started::Erase, |nand| nand.start_erase(block))
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, N::Error> {
        let watched = self
            .watched(die)
            .filter(|watched| watched.started != Started::Nothing);
        let Some(watched) = watched else {
            return self.nand.poll(die);
        };
        let settled = |silences| Watched {
            started: Started::Nothing,
            silences,
        };
        if self.given_up(die) {
            self.watch(die, settled(PATIENCE));
            return Ok(self.failed(die, watched.started));
        }
        match self.nand.poll(die) {
            Err(nb::Error::WouldBlock) => Err(nb::Error::WouldBlock),
            Err(nb::Error::Other(error)) if error.kind() == NandErrorKind::Timeout => {
                let silences = (watched.silences + 1).min(PATIENCE);
                self.watch(die, settled(silences));
                if silences < PATIENCE || self.given_up(die) {
                    Ok(self.failed(die, watched.started))
                } else {
                    Err(nb::Error::Other(error))
                }
            }
            other => {
                self.watch(die, settled(0));
                other
            }
        }
    }

    fn wait(&mut self) {
        let settles_at_once = (0..self.nand.geometry().dies).map(Die).any(|die| {
            let started = self.watched(die).map(|watched| watched.started);
            started.is_some_and(|started| started != Started::Nothing) && self.given_up(die)
        });
        if !settles_at_once {
            self.nand.wait();
        }
    }
}
