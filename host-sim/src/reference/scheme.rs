//! The schemes of placement by name.

use std::fmt;
use std::str::FromStr;

/// How a log chooses the stream that a sector is appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// One stream for the host, one for what is relocated.
    Single,
    /// Dynamic data clustering: an overwrite is one class hotter than before, a relocation one colder. M.-L. Chiang, P. C. H. Lee, R.-C. Chang,
    /// "Using Data Clustering to Improve Cleaning Performance for Flash Memory" (Software: Practice and Experience, 1999).
    Dac,
    /// By the life of the last version against a threshold that follows the load, by age once relocated: Q. Wang et al., "Separating Data via Block
    /// Invalidation Time Inference for Write Amplification Reduction in Log-Structured Storage" (FAST 2022).
    Lifetime,
    /// The engine's first rule: an estimate of lives from what segments know.
    LifeEstimate,
    /// As [`LifeEstimate`](Self::LifeEstimate), with what the host writes of long-lived sectors in a stream of its own, where hot sets move.
    Probation,
}

/// No scheme has that name. Displays the names there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScheme {
    /// The name asked for.
    pub asked: String,
}

impl fmt::Display for UnknownScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no scheme is called \"{}\"; there are ", self.asked)?;
        f.write_str(&Scheme::ALL.map(Scheme::name).join(", "))
    }
}

impl std::error::Error for UnknownScheme {}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Single,
        Self::Dac,
        Self::Lifetime,
        Self::LifeEstimate,
        Self::Probation,
    ];

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Dac => "dac",
            Self::Lifetime => "lifetime",
            Self::LifeEstimate => "life-estimate",
            Self::Probation => "probation",
        }
    }
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(name: &str) -> Result<Self, UnknownScheme> {
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.name() == name)
            .ok_or_else(|| UnknownScheme {
                asked: name.to_owned(),
            })
    }
}
