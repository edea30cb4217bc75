use super::*;

fn sample(workload: &str, utilization: f64, ram_bytes: u64) -> Sample {
    Sample {
        workload: workload.to_owned(),
        chip: "w25n01gv".to_owned(),
        utilization,
        ram_budget: "full".to_owned(),
        ram_bytes,
        wa: (workload != "rand-read").then_some(2.0 * utilization),
        reads_per_read: (workload == "rand-read").then_some(1.5),
        reference_wa: [("dac".to_owned(), 1.5)].into(),
        latency_histogram: vec![(256.0, 1000), (4096.0, 3)],
        erase_counts: Vec::new(),
    }
}

fn samples() -> Vec<Sample> {
    let mut samples = vec![
        sample("uniform", 0.7, 160_000),
        sample("uniform", 0.9, 160_000),
        sample("rand-read", 0.7, 11_000),
        sample("rand-read", 0.7, 160_000),
        sample("wear", 0.7, 160_000),
    ];
    samples[4].erase_counts = (0..1024).map(|block| 100 + block % 40).collect();
    samples
}

#[test]
fn every_figure_is_whole_small_and_needs_nothing_from_elsewhere() {
    let figures = figures(&samples());
    assert_eq!(figures.len(), 4);
    for Figure { file, svg } in &figures {
        assert!(svg.len() < 100_000, "{file}: {}", svg.len());
        for forbidden in ["href", "url(", "@import", "NaN", "inf"] {
            assert!(!svg.contains(forbidden), "{file}: {forbidden}");
        }
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
    assert_eq!(figures, super::figures(&samples()));
}

#[test]
fn what_was_not_measured_has_no_figure() {
    let only_reads = [sample("rand-read", 0.7, 11_000)];
    let files: Vec<_> = figures(&only_reads)
        .iter()
        .map(|figure| figure.file)
        .collect();
    assert_eq!(files, ["memory.svg"]);
    assert!(figures(&[]).is_empty());
}

#[test]
fn samples_are_read_from_what_benches_print() {
    let line = r#"{"workload":"queue","chip":"ssd-tlc","utilization":0.7,"ram_budget":"full","ram_bytes":9,"depth":128}"#;
    let sample: Sample = serde_json::from_str(line).expect("a sample");
    assert_eq!(sample.wa, None);
}
