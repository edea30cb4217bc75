//! Parts of a run that several machines share.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The `part`-th of so many `parts`, counted from 1: `2/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    part: u64,
    parts: u64,
}

impl Shard {
    /// All of it.
    pub const ALL: Self = Self { part: 1, parts: 1 };

    /// Whether this part does the job of this number. Every job is done by one part, and each part does about as many.
    #[must_use]
    pub const fn does(self, job: u64) -> bool {
        job % self.parts == self.part - 1
    }

    /// All parts of the same run.
    #[must_use]
    pub fn siblings(self) -> Vec<Self> {
        (1..=self.parts).map(|part| Self { part, ..self }).collect()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.parts)
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text
            .split_once('/')
            .and_then(|(part, parts)| Some((part.parse().ok()?, parts.parse().ok()?)));
        match parsed {
            Some((part, parts)) if 1 <= part && part <= parts => Ok(Self { part, parts }),
            _ => Err("a part of a run is its number and how many there are, such as 1/4 to 4/4"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_by_one_part() {
        for parts in 1..5 {
            let shards: Vec<Shard> = (1..=parts)
                .map(|part| format!("{part}/{parts}").parse().unwrap())
                .collect();
            for job in 0..20 {
                assert_eq!(shards.iter().filter(|shard| shard.does(job)).count(), 1);
            }
        }
        assert!((0..9).all(|job| Shard::ALL.does(job)));
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
