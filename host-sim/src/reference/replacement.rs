//! How others choose which page goes: what a cache's hit ratio is measured against.
//!
//! For benches only: they spend memory and time as no engine could. Written from the papers.

mod arc;
mod clock;
mod lru;
mod s3_fifo;

use arc::Arc;
use clock::Clock;
use lru::Lru;
use s3_fifo::S3Fifo;

/// A way to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// What was not used for the longest time.
    Lru,
    /// A second chance for what was used (Corbató 1968).
    Clock,
    /// Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003.
    Arc,
    /// Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.
    S3Fifo,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lru, Self::Clock, Self::Arc, Self::S3Fifo];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lru => "lru",
            Self::Clock => "clock",
            Self::Arc => "arc",
            Self::S3Fifo => "s3-fifo",
        }
    }

    /// How many of the requests find their page in a cache of so many.
    #[must_use]
    pub fn hits(self, pages: usize, requests: &[u32]) -> u64 {
        let mut cache: Box<dyn Cached> = match self {
            Self::Lru => Box::new(Lru::new(pages)),
            Self::Clock => Box::new(Clock::new(pages)),
            Self::Arc => Box::new(Arc::new(pages)),
            Self::S3Fifo => Box::new(S3Fifo::new(pages)),
        };
        let hits = requests.iter().filter(|&&page| cache.ask(page));
        hits.count() as u64
    }
}

/// A cache of pages.
trait Cached {
    /// Asks for a page, and keeps it. True when it was there.
    fn ask(&mut self, page: u32) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_itself_on_requests_that_tell_them_apart() {
        // A loop over one page more than there is room for: LRU and the clock never hit.
        let round: Vec<u32> = (0..11).cycle().take(1100).collect();
        assert_eq!(Rule::Lru.hits(10, &round), 0);
        assert_eq!(Rule::Clock.hits(10, &round), 0);
        // What fits is missed once.
        let fits: Vec<u32> = (0..10).cycle().take(1000).collect();
        for rule in Rule::ALL {
            assert_eq!(rule.hits(10, &fits), 990, "{}", rule.name());
        }
        // Two pages that are used three times in each round outlive a scan under ARC and S3-FIFO only.
        let mut scan = Vec::new();
        for round in 0..100 {
            scan.extend([0, 1, 0, 1, 0, 1]);
            scan.extend((0..20).map(|page| 100 + 20 * round + page));
        }
        let hits = |rule: Rule| rule.hits(10, &scan);
        assert_eq!(hits(Rule::Lru), 400);
        assert!(hits(Rule::Arc) > 590, "{}", hits(Rule::Arc));
        assert!(hits(Rule::S3Fifo) > 590, "{}", hits(Rule::S3Fifo));
    }
}
