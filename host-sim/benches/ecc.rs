//! The codes under criterion: every implementation at encoding, and at decoding 0, 1, 2, t/2 and t wrong bits.

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use cuesta::codec::Ecc;
use cuesta_sim::bench::{ecc_variants, Codewords};

/// Codewords of one iteration.
const CODEWORDS: usize = 32;

fn codes(criterion: &mut Criterion) {
    for ecc in Ecc::ALL {
        let mut group = criterion.benchmark_group(ecc.name());
        for variant in ecc_variants(ecc) {
            let code = variant.code;
            let mut codewords = Codewords::new(code, CODEWORDS);
            group.throughput(Throughput::Bytes(codewords.bytes() as u64));
            group.bench_function(BenchmarkId::new("encode", variant.by), |bencher| {
                bencher.iter(|| codewords.encode());
            });
            let strength = code.strength();
            let mut counts = vec![0, 1, 2, strength / 2, strength];
            counts.retain(|&errors| errors <= strength);
            counts.sort_unstable();
            counts.dedup();
            for errors in counts {
                let id = BenchmarkId::new(format!("decode-{errors}"), variant.by);
                group.bench_function(id, |bencher| {
                    bencher.iter_batched_ref(
                        || {
                            let mut codewords = Codewords::new(code, CODEWORDS);
                            codewords.corrupt(errors);
                            codewords
                        },
                        |codewords| codewords.decode(),
                        BatchSize::SmallInput,
                    );
                });
            }
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200))
        .configure_from_args();
    codes(&mut criterion);
    criterion.final_summary();
}
