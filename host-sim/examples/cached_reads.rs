//! Reads that find their page in the cache, as many as are asked for: what one costs is the difference of two runs.
//!
//! `perf stat -e instructions:u cargo run --release -p cuesta-sim --example cached_reads -- 1000000`, and with 2000000.

use cuesta::cache::{Cache, CacheOptions, Source, Terms};
use cuesta::resource::{Completion, RamStore};
use cuesta::volume::Sector;
use cuesta_sim::cache_memory::OwnedCacheMemory;

const SECTOR: usize = 4096;
const PAGES: usize = 64;

fn main() {
    let count: u32 = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let options = CacheOptions::default();
    let sectors = PAGES * 8;
    let (mut fast, mut fast_map) = (vec![0; sectors * SECTOR], vec![0; sectors]);
    let (mut slow, mut slow_map) = (vec![0; sectors * SECTOR], vec![0; sectors]);
    let store = RamStore::new(&mut fast, &mut fast_map, SECTOR).expect("sectors");
    let mut primaries = [RamStore::new(&mut slow, &mut slow_map, SECTOR).expect("sectors")];
    let mut memory = OwnedCacheMemory::new(PAGES, SECTOR, 4, &options);
    let mut cache =
        Cache::new(store, &mut primaries, memory.lend(), options).expect("memory as planned");
    let (source, terms) = (Source::Primary(0), Terms::default());
    let data = vec![1; SECTOR];
    for sector in 0..PAGES as u32 {
        cache
            .submit_write(source, Sector(8 * sector), &data, terms)
            .expect("a free slot");
        while cache.poll() == Completion::Pending {}
    }
    let mut sum = 0u64;
    for read in 0..count {
        let sector = Sector(8 * (read.wrapping_mul(2_654_435_761) >> 26));
        cache
            .submit_read(source, sector, terms)
            .expect("a free slot");
        loop {
            match cache.poll() {
                Completion::Data(_, bytes) => break sum += u64::from(bytes[0]),
                Completion::Pending => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(sum, u64::from(count));
    println!("{count} reads, {} hits", cache.counters().read_hits);
}
