//! What a line of text asks for.

use core::fmt;

/// One thing to do. Each begins with a mount and ends with an unmount, but for [`Format`](Self::Format), and for [`Cut`](Self::Cut), which ends with a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `info`: tell what the part and the volume are.
    Info,
    /// `format ID`: make a new, empty volume.
    Format {
        /// Its identity.
        volume_id: u64,
    },
    /// `write FIRST COUNT MARK`: write sectors, one after the other.
    Write {
        /// The first sector.
        first: u32,
        /// How many.
        count: u32,
        /// What they are marked with.
        mark: u32,
    },
    /// `churn SEED COUNT SPAN MARK`: write random sectors below `SPAN`, the first marked with `MARK`, each further one with one more.
    Churn {
        /// What the choice of sectors follows from.
        seed: u32,
        /// How many writes.
        count: u32,
        /// Sectors to choose from.
        span: u32,
        /// The first mark.
        mark: u32,
    },
    /// `trim FIRST COUNT`: make sectors read as unwritten.
    Trim {
        /// The first sector.
        first: u32,
        /// How many.
        count: u32,
    },
    /// `read FIRST COUNT`: tell the marks of sectors.
    Read {
        /// The first sector.
        first: u32,
        /// How many.
        count: u32,
    },
    /// `verify`: check the volume against itself.
    Verify,
    /// `bench COUNT`: time writes and reads of the first sectors, in order and at random; what was in them is lost.
    Bench {
        /// How many sectors.
        count: u32,
    },
    /// `wear`: tell how erases are spread over the part, and what is left of its life.
    Wear,
    /// `cut ROUNDS SEED`: write random sectors of the first 40 until the board resets itself at a random moment, and look on the way up whether every
    /// acknowledged write is there; so many times. What was in the sectors is lost.
    Cut {
        /// How many resets.
        rounds: u32,
        /// What moments and sectors follow from.
        seed: u32,
    },
}

/// No command reads like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError<'t> {
    /// No command begins with this word.
    Unknown(&'t str),
    /// The command takes so many numbers.
    Numbers {
        /// The command.
        name: &'t str,
        /// How many.
        expected: usize,
    },
}

impl fmt::Display for CommandError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => write!(
                f,
                "\"{word}\" is no command; there are info, format, write, churn, trim, read, verify, bench, wear and cut"
            ),
            Self::Numbers { name, expected } => {
                write!(f, "{name} takes {expected} numbers")
            }
        }
    }
}

impl core::error::Error for CommandError<'_> {}

/// Reads exactly `N` numbers.
fn numbers<'t, const N: usize>(
    name: &'t str,
    mut words: impl Iterator<Item = &'t str>,
) -> Result<[u32; N], CommandError<'t>> {
    let wrong = CommandError::Numbers { name, expected: N };
    let mut found = [0; N];
    for number in &mut found {
        *number = words
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or(wrong)?;
    }
    match words.next() {
        None => Ok(found),
        Some(_) => Err(wrong),
    }
}

impl Command {
    /// Reads one command; `None` where there are only blanks.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Option<Self>, CommandError<'_>> {
        let mut words = text.split_ascii_whitespace();
        let Some(name) = words.next() else {
            return Ok(None);
        };
        Ok(Some(match name {
            "info" => numbers(name, words).map(|[]| Self::Info)?,
            "format" => numbers(name, words).map(|[id]| Self::Format {
                volume_id: u64::from(id),
            })?,
            "write" => numbers(name, words).map(|[first, count, mark]| Self::Write {
                first,
                count,
                mark,
            })?,
            "churn" => numbers(name, words).map(|[seed, count, span, mark]| Self::Churn {
                seed,
                count,
                span,
                mark,
            })?,
            "trim" => numbers(name, words).map(|[first, count]| Self::Trim { first, count })?,
            "read" => numbers(name, words).map(|[first, count]| Self::Read { first, count })?,
            "verify" => numbers(name, words).map(|[]| Self::Verify)?,
            "bench" => numbers(name, words).map(|[count]| Self::Bench { count })?,
            "wear" => numbers(name, words).map(|[]| Self::Wear)?,
            "cut" => numbers(name, words).map(|[rounds, seed]| Self::Cut { rounds, seed })?,
            _ => return Err(CommandError::Unknown(name)),
        }))
    }
}
