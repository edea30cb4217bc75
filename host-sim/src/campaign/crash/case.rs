//! Names of cases, under which they can be run again.

use std::fmt;
use std::str::FromStr;

use super::Job;
use crate::campaign::subject::{named, SUBJECTS};

/// An enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One cut at every moment of a workload, in every way.
    Cuts,
    /// A second cut at every moment of every recovery.
    Second,
    /// Every sequence of up to three requests, cut everywhere.
    Sequences,
    /// Every kind of fault at every operation of a workload, and a cut after it.
    Faults,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cuts, Self::Second, Self::Sequences, Self::Faults];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cuts => "cuts",
            Self::Second => "second",
            Self::Sequences => "sequences",
            Self::Faults => "faults",
        }
    }
}

impl FromStr for Part {
    type Err = CaseError;

    fn from_str(text: &str) -> Result<Self, CaseError> {
        let found = Self::ALL.into_iter().find(|part| part.name() == text);
        found.ok_or_else(|| CaseError::Part(text.to_owned()))
    }
}

/// A case: `PART:DISK:SEED` and the path to it, numbers from the outside in. Without the last of them it is all that begin so.
///
/// Paths: `cuts` moment, tear; `second` moment, moment of the recovery; `sequences` state, sequence, moment, tear; `faults` fault, operation,
/// moment.
#[derive(Debug, Clone)]
pub struct Case {
    /// The job that it is one of.
    pub job: Job,
    /// Where in it.
    pub path: Vec<usize>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = &self.job;
        write!(f, "{}:{}:{}", job.part.name(), job.subject.name, job.seed)?;
        self.path.iter().try_for_each(|step| write!(f, ":{step}"))
    }
}

/// Why a text names no case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseError {
    /// There is no such enumeration.
    Part(String),
    /// There is no such disk.
    Disk(String),
    /// Not of the form.
    Form(String),
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(name) => {
                let names = Part::ALL.map(Part::name).join(", ");
                write!(f, "there is no part {name}; there are {names}")
            }
            Self::Disk(name) => {
                let names: Vec<&str> = SUBJECTS.iter().map(|subject| subject.name).collect();
                write!(f, "there is no disk {name}; there are {}", names.join(", "))
            }
            Self::Form(text) => write!(
                f,
                "{text} is no case: PART:DISK:SEED and numbers, such as cuts:one-die-min:1:40:2"
            ),
        }
    }
}

impl std::error::Error for CaseError {}

impl FromStr for Case {
    type Err = CaseError;

    fn from_str(text: &str) -> Result<Self, CaseError> {
        let form = || CaseError::Form(text.to_owned());
        let mut words = text.split(':');
        let mut word = || words.next().ok_or_else(form);
        let part = word()?.parse()?;
        let name = word()?;
        let subject = named(name).ok_or_else(|| CaseError::Disk(name.to_owned()))?;
        let seed = word()?.parse().map_err(|_| form())?;
        let path: Result<_, _> = words.map(|word| word.parse().map_err(|_| form())).collect();
        let job = Job {
            part,
            subject,
            seed,
        };
        Ok(Self { job, path: path? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_as_it_is_written() {
        for text in [
            "cuts:one-die-min:1:40:2",
            "second:multi-full:18446744073709551615",
            "faults:chip-ecc:0:1:2:3",
        ] {
            assert_eq!(text.parse::<Case>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_no_case_is_refused_with_what_there_is() {
        for (text, said) in [
            ("", "no part ; there are cuts"),
            ("cut:one-die-min:1", "no part cut;"),
            ("cuts:disk:1", "no disk disk; there are one-die-min"),
            ("cuts:one-die-min", "no case: PART:DISK:SEED"),
            ("cuts:one-die-min:x", "no case"),
            ("cuts:one-die-min:1:-1", "no case"),
        ] {
            let error = text.parse::<Case>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
