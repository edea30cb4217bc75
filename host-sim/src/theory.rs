//! What no log-structured engine can beat: bounds that the benches print beside their figures.
//!
//! The write amplification of greedy cleaning under uniform load is α / (α′ + W(−α′e^−α′)) with α = 1/ρ physical pages a logical one and
//! α′ = α·(1 + 1/2P) for P pages a block: P. Desnoyers, "Analytic Models of SSD Write Performance" (ACM Transactions on Storage, 2014). In terms
//! of v, the share of a victim that is still valid: α′ = −ln v / (1 − v) and WA = α / (α′·(1 − v)).
//!
//! Groups of sectors that are written at different rates are each cleaned as if alone when they are kept apart; the bound
//! shares the spare space between them so that the sum is least. Where it is least, f / s = λ·h(v) with h(v) = (1 − v)/v + ln v, for a group of share
//! s of the data and f of the writes.

/// A group of sectors that are written equally often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// Its share of the data.
    pub data: f64,
    /// Its share of the writes.
    pub writes: f64,
}

/// Halvings of an interval: more than a double can tell apart.
const BISECTIONS: u32 = 200;

/// Solves `falling(x) = target` between `low` and `high`, on a logarithmic scale while the ends are far apart.
fn solve(target: f64, mut low: f64, mut high: f64, falling: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..BISECTIONS {
        let middle = if high > 4.0 * low {
            (low * high).sqrt()
        } else {
            (low + high) / 2.0
        };
        if falling(middle) > target {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

fn correction(pages_per_block: u32) -> f64 {
    1.0 + 1.0 / (2.0 * f64::from(pages_per_block))
}

/// Physical pages a logical one at which a victim is still valid to the share `v`: infinite at 0, 1 at 1.
fn spread(v: f64) -> f64 {
    -v.ln() / (1.0 - v)
}

/// Write amplification of uniform writes over a share `utilization` of the pages.
#[must_use]
pub fn uniform(utilization: f64, pages_per_block: u32) -> f64 {
    let correction = correction(pages_per_block);
    let target = correction / utilization;
    let v = solve(target, 1e-300, 1.0 - 1e-12, spread);
    1.0 / (correction * (1.0 - v))
}

/// Write amplification when `groups` are kept apart and share the spare space at best.
///
/// Groups without writes get no spare space. Returns 1 when there are no groups.
#[must_use]
pub fn separated(groups: &[Group], utilization: f64, pages_per_block: u32) -> f64 {
    let correction = correction(pages_per_block);
    let still: f64 = groups
        .iter()
        .filter(|group| group.writes <= 0.0)
        .map(|group| group.data)
        .sum();
    let room = 1.0 / utilization - still;
    let moving: Vec<&Group> = groups.iter().filter(|group| group.writes > 0.0).collect();
    if moving.is_empty() {
        return 1.0;
    }
    let valid = |lambda: f64, group: &Group| {
        let target = group.writes / (lambda * group.data);
        solve(target, 1e-300, 1.0 - 1e-12, |v| (1.0 - v) / v + v.ln())
    };
    let pages = |lambda: f64| -> f64 {
        moving
            .iter()
            .map(|group| group.data * spread(valid(lambda, group)) / correction)
            .sum()
    };
    let lambda = solve(room, 1e-12, 1e15, pages);
    moving
        .iter()
        .map(|group| group.writes / (correction * (1.0 - valid(lambda, group))))
        .sum()
}

/// The groups of nine writes in ten to a tenth of the data.
pub const HOT_COLD: [Group; 2] = [
    Group {
        data: 0.1,
        writes: 0.9,
    },
    Group {
        data: 0.9,
        writes: 0.1,
    },
];

/// The groups of uniform writes to half of the data.
pub const HALF_STILL: [Group; 2] = [
    Group {
        data: 0.5,
        writes: 1.0,
    },
    Group {
        data: 0.5,
        writes: 0.0,
    },
];

/// Groups of neighbouring ranks of a Zipf distribution over `sectors` sectors, fine enough that finer ones change nothing.
#[must_use]
pub fn zipf(sectors: u32, theta: f64) -> Vec<Group> {
    const GROUPS: i32 = 128;
    let weight = |rank: u32| f64::from(rank + 1).powf(-theta);
    let total: f64 = (0..sectors).map(weight).sum();
    let mut groups = Vec::new();
    let mut start = 0;
    for number in 1..=GROUPS {
        let end = f64::from(sectors).powf(f64::from(number) / f64::from(GROUPS));
        let end = (end.round() as u32).min(sectors);
        if end > start {
            groups.push(Group {
                data: f64::from(end - start) / f64::from(sectors),
                writes: (start..end).map(weight).sum::<f64>() / total,
            });
            start = end;
        }
    }
    groups
}

/// Share of the time that each of `servers` works, when `depth` requests of equal length are always out, each at a server drawn at random.
///
/// There is no closed form for a constant service time: this plays the queue.
#[must_use]
pub fn queue_busy(servers: u16, depth: u32, seed: u64) -> f64 {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    const SERVED: u64 = 400_000;
    let mut prng = crate::SplitMix64::new(seed);
    let mut waiting = vec![0u32; usize::from(servers)];
    // Completion times, in services; the order of arrival decides among equals.
    let mut settling: BinaryHeap<Reverse<(u64, u64, usize)>> = BinaryHeap::new();
    let mut number = 0;
    let mut arrive = |now: u64,
                      waiting: &mut Vec<u32>,
                      settling: &mut BinaryHeap<Reverse<(u64, u64, usize)>>,
                      number: &mut u64| {
        let server = prng.below(u64::from(servers)) as usize;
        waiting[server] += 1;
        if waiting[server] == 1 {
            *number += 1;
            settling.push(Reverse((now + 1, *number, server)));
        }
    };
    for _ in 0..depth {
        arrive(0, &mut waiting, &mut settling, &mut number);
    }
    let mut now = 0;
    for _ in 0..SERVED {
        let Some(Reverse((at, _, server))) = settling.pop() else {
            return 0.0;
        };
        now = at;
        waiting[server] -= 1;
        if waiting[server] > 0 {
            number += 1;
            settling.push(Reverse((now + 1, number, server)));
        }
        arrive(now, &mut waiting, &mut settling, &mut number);
    }
    SERVED as f64 / (now as f64 * f64::from(servers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, within: f64) {
        assert!(
            (found - expected).abs() <= within,
            "{found} instead of {expected}"
        );
    }

    #[test]
    fn uniform_load_costs_what_the_closed_form_says() {
        for (utilization, expected) in [
            (0.70, 1.83),
            (0.80, 2.60),
            (0.85, 3.35),
            (0.90, 4.82),
            (0.93, 6.60),
            (0.95, 8.82),
        ] {
            close(uniform(utilization, 64), expected, 0.005);
        }
    }

    #[test]
    fn the_closed_form_solves_its_equation() {
        // Lambert's W is the inverse of w·e^w; with w = −α′v it is v = e^(−α′(1 − v)).
        let (utilization, alpha) = (0.8, 1.25 * (1.0 + 1.0 / 128.0));
        let v = 1.0 - 1.0 / (uniform(utilization, 64) * (1.0 + 1.0 / 128.0));
        close(v, (-alpha * (1.0 - v)).exp(), 1e-9);
    }

    #[test]
    fn separated_hot_and_cold_data_cost_what_was_computed_elsewhere() {
        for (utilization, expected) in [(0.70, 1.20), (0.80, 1.45), (0.90, 2.20)] {
            close(separated(&HOT_COLD, utilization, 64), expected, 0.006);
        }
        for (utilization, expected) in [(0.80, 1.50), (0.85, 1.76), (0.93, 2.87)] {
            let groups = zipf((utilization * 65_536.0) as u32, 0.99);
            close(separated(&groups, utilization, 64), expected, 0.01);
        }
    }

    #[test]
    fn one_group_is_uniform_and_a_finer_cut_of_it_is_no_better() {
        let whole = [Group {
            data: 1.0,
            writes: 1.0,
        }];
        let halves = [Group {
            data: 0.5,
            writes: 0.5,
        }; 2];
        for utilization in [0.5, 0.7, 0.9] {
            let expected = uniform(utilization, 64);
            close(separated(&whole, utilization, 64), expected, 1e-6);
            close(separated(&halves, utilization, 64), expected, 1e-6);
        }
    }

    #[test]
    fn data_that_lies_still_leaves_its_spare_space_to_the_rest() {
        // Half of .7 lies still: the other half has (1/.7 − .5) / .5 pages a logical one.
        let expected = uniform(0.5 / (1.0 / 0.7 - 0.5), 64);
        close(separated(&HALF_STILL, 0.7, 64), expected, 1e-6);
    }

    #[test]
    fn a_deep_queue_keeps_few_dies_busy_and_a_queue_of_one_keeps_one() {
        close(queue_busy(32, 128, 1), 0.879, 0.005);
        close(queue_busy(32, 1, 1), 1.0 / 32.0, 1e-6);
        close(queue_busy(1, 5, 1), 1.0, 1e-6);
    }
}
