//! What a campaign comes to: the same for one machine and for many that shared it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Shard;

/// Findings that a report keeps; further ones are only counted.
const FINDINGS_MAX: usize = 20;

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The command that runs the case again.
    pub replay: String,
    /// A command that finds it with a shorter workload, if that was looked for and found.
    pub shorter: Option<String>,
    /// What failed.
    pub what: String,
}

/// What jobs of a campaign come to, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Cases that were judged.
    pub cases: u64,
    /// The same by kind.
    pub kinds: BTreeMap<String, u64>,
    /// What happened in them, by kind.
    pub notes: BTreeMap<String, u64>,
    /// Operations of the flash that were carried out and refereed.
    pub operations: u64,
    /// Cases that failed.
    pub failed: u64,
    /// The first of those.
    pub findings: Vec<Finding>,
}

impl Tally {
    /// Cases of a kind were judged.
    pub fn count(&mut self, kind: &str, cases: u64) {
        self.cases += cases;
        *self.kinds.entry(kind.to_owned()).or_default() += cases;
    }

    /// Something happened in a case, so many times.
    pub fn note(&mut self, kind: &str, times: u64) {
        *self.notes.entry(kind.to_owned()).or_default() += times;
    }

    /// A case failed.
    pub fn find(&mut self, finding: Finding) {
        self.failed += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// Adds what other jobs came to.
    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        for (kind, cases) in other.kinds {
            *self.kinds.entry(kind).or_default() += cases;
        }
        for (kind, times) in other.notes {
            *self.notes.entry(kind).or_default() += times;
        }
        self.operations += other.operations;
        self.failed += other.failed;
        let room = FINDINGS_MAX.saturating_sub(self.findings.len());
        self.findings.extend(other.findings.into_iter().take(room));
    }
}

/// A campaign, or a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the program.
    pub version: String,
    /// What was run, but for the shard: equal for all parts of a campaign.
    pub campaign: String,
    /// The shards that are in it.
    pub shards: Vec<Shard>,
    /// What they came to.
    pub tally: Tally,
    /// Time of all shards together, by the clocks of their machines.
    pub seconds: f64,
}

/// Why reports cannot be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeError {
    /// There are none.
    Nothing,
    /// They are of different campaigns or versions.
    Different(String, String),
    /// A shard is there twice, or cuts the campaign into other parts.
    Shard(Shard),
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("there is no report to merge"),
            Self::Different(one, other) => {
                write!(f, "reports of different campaigns: {one}; and {other}")
            }
            Self::Shard(shard) => write!(
                f,
                "shard {shard} is there twice, or its campaign was cut into another number of parts"
            ),
        }
    }
}

impl std::error::Error for MergeError {}

impl Report {
    /// A report of one shard.
    #[must_use]
    pub fn new(campaign: String, shard: Shard, tally: Tally, seconds: f64) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            campaign,
            shards: vec![shard],
            tally,
            seconds,
        }
    }

    /// The shards that are not in it.
    #[must_use]
    pub fn missing(&self) -> Vec<Shard> {
        let all = self
            .shards
            .first()
            .map_or_else(Vec::new, |shard| shard.siblings());
        all.into_iter()
            .filter(|shard| !self.shards.contains(shard))
            .collect()
    }

    /// Adds reports of the same campaign.
    ///
    /// # Errors
    /// They do not belong together.
    pub fn merge(reports: impl IntoIterator<Item = Self>) -> Result<Self, MergeError> {
        let mut reports = reports.into_iter();
        let mut sum = reports.next().ok_or(MergeError::Nothing)?;
        for report in reports {
            if (&report.version, &report.campaign) != (&sum.version, &sum.campaign) {
                return Err(MergeError::Different(sum.campaign, report.campaign));
            }
            for shard in report.shards {
                let fits = sum.missing().contains(&shard);
                if !fits {
                    return Err(MergeError::Shard(shard));
                }
                sum.shards.push(shard);
            }
            sum.tally.add(report.tally);
            sum.seconds += report.seconds;
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(shard: &str, cases: u64) -> Report {
        let mut tally = Tally::default();
        tally.count("a", cases);
        Report::new(
            "crash --seed 1".to_owned(),
            shard.parse().unwrap(),
            tally,
            0.5,
        )
    }

    #[test]
    fn shards_add_up_and_those_that_are_missing_are_told() {
        let sum = Report::merge([report("1/3", 4), report("3/3", 5)]).unwrap();
        assert_eq!((sum.tally.cases, sum.tally.kinds["a"]), (9, 9));
        assert_eq!(sum.missing(), ["2/3".parse().unwrap()]);
        let whole = Report::merge([sum, report("2/3", 1)]).unwrap();
        assert_eq!((whole.tally.cases, whole.missing()), (10, Vec::new()));
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), whole);
    }

    #[test]
    fn what_does_not_belong_together_is_not_added() {
        let twice = Report::merge([report("1/2", 1), report("1/2", 1)]);
        assert_eq!(twice, Err(MergeError::Shard("1/2".parse().unwrap())));
        let other = Report {
            campaign: "crash --seed 2".to_owned(),
            ..report("2/2", 1)
        };
        let merged = Report::merge([report("1/2", 1), other]);
        assert!(matches!(merged, Err(MergeError::Different(..))));
        assert_eq!(Report::merge([]), Err(MergeError::Nothing));
        let cut_otherwise = Report::merge([report("1/2", 1), report("2/3", 1)]);
        assert_eq!(
            cut_otherwise,
            Err(MergeError::Shard("2/3".parse().unwrap()))
        );
    }
}
