use super::*;
use crate::prng::SplitMix64;

const SECTORS: u32 = 45_875;

fn first(pattern: Pattern, seed: u64, count: usize) -> Vec<u32> {
    let mut requests = pattern.with(seed).over(SECTORS);
    (0..count).map(|_| requests.next()).collect()
}

#[test]
fn every_name_finds_its_workload_and_another_lists_them() {
    for workload in Workload::ALL {
        assert_eq!(workload.name().parse(), Ok(workload));
    }
    let message = "unifrom".parse::<Workload>().expect_err("a typing error");
    assert!(message
        .to_string()
        .starts_with("no workload is called \"unifrom\"; there are seq-fill, seq-over, uniform"));
}

#[test]
fn the_permutation_holds_every_sector_once() {
    let mut order = permutation(SECTORS);
    assert_ne!(order[..100], (0..100).collect::<Vec<_>>()[..]);
    order.sort_unstable();
    assert_eq!(order, (0..SECTORS).collect::<Vec<_>>());
}

#[test]
fn the_permutation_is_the_one_that_its_definition_gives_by_hand() {
    // splitmix64 from 0xC0FFEE over five sectors: j = below(5), below(4), below(3), below(2).
    let mut prng = SplitMix64::new(0xC0_FFEE);
    let mut by_hand = [0, 1, 2, 3, 4];
    for i in [4u64, 3, 2, 1] {
        let j = ((prng.next() >> 32) * (i + 1)) >> 32;
        by_hand.swap(i as usize, j as usize);
    }
    assert_eq!(permutation(5), by_hand);
}

#[test]
fn uniform_is_below_of_its_seed() {
    let mut prng = SplitMix64::new(0xD5A2);
    for sector in first(Pattern::Uniform, 0xD5A2, 1000) {
        assert_eq!(u64::from(sector), prng.below(u64::from(SECTORS)));
    }
}

#[test]
fn zipf_gives_each_rank_its_share() {
    let order = permutation(SECTORS);
    let draws = 400_000;
    let mut counts = vec![0u32; SECTORS as usize];
    for sector in first(Pattern::Zipf { theta: 0.99 }, 0x21BF, draws) {
        counts[sector as usize] += 1;
    }
    let total: f64 = (1..=SECTORS).map(|rank| f64::from(rank).powf(-0.99)).sum();
    for rank in [0, 1, 9, 99] {
        let expected = f64::from(rank as u32 + 1).powf(-0.99) / total * draws as f64;
        let found = f64::from(counts[order[rank] as usize]);
        assert!(
            (found - expected).abs() < 5.0 * expected.sqrt(),
            "rank {rank}: {found} of {expected}"
        );
    }
}

#[test]
fn nine_of_ten_requests_are_hot_and_the_hot_tenth_moves_when_it_shall() {
    let order = permutation(SECTORS);
    let mut place = vec![0; order.len()];
    for (index, &sector) in order.iter().enumerate() {
        place[sector as usize] = index;
    }
    let tenth = SECTORS as usize / 10;
    let half = SECTORS as usize / 2;
    let hot_share = |sectors: &[u32], start: usize| {
        let hot = |sector: &&u32| (start..start + tenth).contains(&place[**sector as usize]);
        sectors.iter().filter(hot).count() as f64 / sectors.len() as f64
    };
    let fixed = first(Pattern::HotCold { tenth: 0 }, 0x9010, 3 * half);
    let moving = first(Pattern::Shift, 0x9010, 3 * half);
    for step in 0..3 {
        let range = step * half..(step + 1) * half;
        assert!((hot_share(&fixed[range.clone()], 0) - 0.9).abs() < 0.01);
        assert!((hot_share(&moving[range], step * tenth) - 0.9).abs() < 0.01);
    }
}

#[test]
fn a_stream_over_the_upper_half_stays_there() {
    let sectors = first(Pattern::UpperHalf, 0x3EA7, 100_000);
    assert!(sectors
        .iter()
        .all(|sector| (SECTORS / 2..SECTORS).contains(sector)));
}

#[test]
fn scripts_have_the_lengths_of_the_contract() {
    let all = u64::from(SECTORS);
    for (workload, requests) in [
        (Workload::SeqFill, all),
        (Workload::SeqOver, 3 * all),
        (Workload::Uniform, 4 * all),
        (Workload::RandRead, 4 * all + 100_000),
        (Workload::SeqRead, 5 * all),
        (Workload::MountCut, all + 20 * 997),
        (Workload::Sync, 3 * all + all / 4),
        (Workload::Wear, all + 200 * (all / 2)),
    ] {
        assert_eq!(
            workload.script(SECTORS, &Choice::default()).requests(),
            requests
        );
    }
}

#[test]
fn a_seed_replaces_that_of_the_measured_stream_only() {
    let seven = Choice {
        seed: Some(7),
        ..Choice::default()
    };
    let script = Workload::RandRead.script(SECTORS, &seven);
    assert_eq!(script.before[0].stream, Pattern::Uniform.with(0xD5A2));
    assert!(matches!(
        script.measured,
        Measured::Reads { stream, .. } if stream == Pattern::Uniform.with(7)
    ));
    let script = Workload::Zipf.script(SECTORS, &seven);
    assert_eq!(script.before[0].stream.seed, 7);
}

#[test]
fn syncs_follow_every_so_many_writes_and_the_last() {
    let after: Vec<u64> = (1..=10)
        .filter(|&n| Sync::Every(4).follows(n, 10))
        .collect();
    assert_eq!(after, [4, 8, 10]);
    assert!(Sync::AtEnd.follows(10, 10) && !Sync::AtEnd.follows(9, 10));
    assert!(!Sync::Never.follows(10, 10));
}

#[test]
fn runs_are_skewed_of_every_length_and_some_are_trimmed() {
    let mut requests = Pattern::Mixed.with(0x313D).over(SECTORS);
    let (mut trims, mut before, mut run) = (0, None, 0);
    let mut lengths = [0u32; 17];
    let mut counts = vec![0u32; SECTORS as usize];
    for _ in 0..200_000 {
        let (sector, trimmed) = match requests.next_request() {
            Request::Write(sector) => (sector, false),
            Request::Trim(sector) => (sector, true),
        };
        trims += u32::from(trimmed);
        counts[sector as usize] += 1;
        if before == Some((sector.wrapping_sub(1), trimmed)) {
            run += 1;
        } else {
            lengths[(run as usize).min(16)] += 1;
            run = 1;
        }
        before = Some((sector, trimmed));
    }
    assert!((10_000..15_000).contains(&trims), "{trims}");
    assert!(lengths[1..].iter().all(|&runs| runs > 500), "{lengths:?}");
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let hot: u32 = counts[..SECTORS as usize / 8].iter().sum();
    assert!(hot > 160_000, "{hot}");
}
