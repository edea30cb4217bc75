use super::*;
use crate::theory;
use crate::workload::{Choice, Workload};

/// A part small enough for tests, large enough for theory.
const SEGMENTS: u32 = 512;
const SLOTS: u32 = 32;

fn measured(workload: Workload, utilization: f64, scheme: Scheme, victims: Victims) -> f64 {
    let ground = Ground {
        free_min: 3,
        victims,
        ..Ground::whole(SEGMENTS, SLOTS)
    };
    let sectors = (utilization * f64::from(SEGMENTS * SLOTS)) as u32;
    let script = workload.script(sectors, &Choice::default());
    write_amplification(&script, &ground, scheme).expect("room, and writes")
}

#[test]
fn uniform_writes_cost_what_theory_says() {
    for utilization in [0.6, 0.7, 0.8] {
        let found = measured(
            Workload::Uniform,
            utilization,
            Scheme::Single,
            Victims::Greedy,
        );
        // What is kept free or open holds nothing.
        let kept = f64::from(SEGMENTS) / f64::from(SEGMENTS - 4);
        let expected = theory::uniform(utilization * kept, SLOTS);
        assert!(
            (found / expected - 1.0).abs() < 0.03,
            "{found} instead of {expected} at {utilization}"
        );
    }
}

#[test]
fn hot_and_cold_sectors_are_worth_telling_apart() {
    let cost = |scheme| measured(Workload::HotCold, 0.8, scheme, Victims::CostBenefit);
    let single = cost(Scheme::Single);
    for scheme in [Scheme::Dac, Scheme::Lifetime, Scheme::LifeEstimate] {
        let separated = cost(scheme);
        assert!(
            separated < 0.95 * single,
            "{}: {separated} beside {single}",
            scheme.name()
        );
    }
}

#[test]
fn no_scheme_beats_the_bound_and_every_one_is_the_same_twice() {
    let least = theory::separated(&theory::HOT_COLD, 0.7, SLOTS);
    for scheme in Scheme::ALL {
        let once = measured(Workload::HotCold, 0.7, scheme, Victims::CostBenefit);
        let again = measured(Workload::HotCold, 0.7, scheme, Victims::CostBenefit);
        assert_eq!(once, again);
        assert!(once > least, "{}: {once} below {least}", scheme.name());
    }
}

#[test]
fn segments_count_their_valid_sectors_through_writes_and_trims() {
    for scheme in Scheme::ALL {
        let ground = Ground::whole(64, 16);
        let mut log = Log::new(&ground, 700, scheme);
        let mut requests = Pattern::HotCold { tenth: 0 }.with(7).over(700);
        for number in 0..20_000u32 {
            let sector = requests.next();
            if number % 11 == 0 {
                log.trim(sector);
            } else {
                log.write(sector).expect("room");
            }
            if number % 500 == 0 {
                assert_eq!(log.miscounted(), None, "{}", scheme.name());
            }
        }
    }
}

#[test]
fn sectors_that_do_not_fit_have_no_figure_and_reads_have_none() {
    let script = |workload: Workload| workload.script(1000, &Choice::default());
    let ground = Ground::whole(64, 16);
    let figure = |workload| write_amplification(&script(workload), &ground, Scheme::Dac);
    assert_eq!(figure(Workload::Uniform), None);
    assert_eq!(figure(Workload::RandRead), None);
}

#[test]
fn names_find_their_schemes_and_another_lists_them() {
    for scheme in Scheme::ALL {
        assert_eq!(scheme.name().parse(), Ok(scheme));
    }
    let error = "fifo".parse::<Scheme>().expect_err("no such scheme");
    assert_eq!(
        error.to_string(),
        "no scheme is called \"fifo\"; there are single, dac, lifetime, life-estimate, probation"
    );
}

#[test]
fn probation_pays_where_hot_sets_move_and_costs_little_where_they_do_not() {
    let cost = |workload, scheme| measured(workload, 0.8, scheme, Victims::CostBenefit);
    let ratio = |workload| cost(workload, Scheme::Probation) / cost(workload, Scheme::LifeEstimate);
    let (moving, still) = (ratio(Workload::Shift), ratio(Workload::HotCold));
    assert!(moving < 0.95, "{moving}");
    assert!(still < 1.05, "{still}");
}
