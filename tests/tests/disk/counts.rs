//! What a volume says it has done is what the part has been told to do.

use cuesta::volume::{Budget, Stats};
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{within, write};
use cuesta_sim::SplitMix64;

fn makings() -> Vec<(&'static str, Making)> {
    let small = |chip, budget| Making {
        blocks_per_die: Some(64),
        ..Making::of(chip, budget)
    };
    vec![
        ("one die, little memory", small("tiny", Budget::Minimum)),
        (
            "one die, all of the map in memory",
            small("tiny", Budget::Full),
        ),
        (
            "copies on two dies",
            small("tiny2", Budget::Full).with_levels(40, &["a=bch4,mirror=2", "b=bch4"]),
        ),
        (
            "parity over four dies",
            small("tiny4", Budget::Full).with_levels(40, &["a=bch4,parity=2"]),
        ),
    ]
}

/// Programs and erases.
fn operations(stats: &Stats) -> [u64; 2] {
    [
        stats.data_pages + stats.map_pages + stats.meta_pages,
        stats.erases,
    ]
    .map(u64::from)
}

#[test]
fn programs_and_erases_are_counted_as_the_part_sees_them() {
    within(200, "counts", || {
        for (what, making) in makings() {
            let mut rig = making.make(3);
            let mut model = Model::new();
            let mut random = SplitMix64::new(3);
            let (mut checkpoints, mut victims) = (0, 0);
            for session in 0..8 {
                let mut disk = rig.mount().expect("a volume");
                // Two copies of each fit.
                let len = u64::from(disk.volume().capacity()) * 2 / 5;
                let counters = disk.volume().nand().counters();
                let before = [counters.programs, counters.erases];
                for step in 0..8 * len {
                    let sector = match session {
                        0 => step % len,
                        _ => random.below(len),
                    };
                    write(&mut disk, &mut model, sector as u32).expect("room");
                    if step % 64 == 0 {
                        disk.flush().expect("a flush");
                        model.flushed();
                    }
                }
                disk.idle(20, 400).expect("idle time");
                let counters = disk.volume().nand().counters();
                let stats = disk.volume().stats();
                assert_eq!(
                    operations(stats),
                    [counters.programs - before[0], counters.erases - before[1]],
                    "{what}, session {session}: {stats:?}"
                );
                assert_eq!(u64::from(stats.host_writes), 8 * len, "{what}");
                checkpoints += stats.checkpoints;
                victims += stats.victims;
                if session % 2 == 0 {
                    disk.unmount().map_err(|(_, error)| error).expect("an end");
                } else {
                    drop(disk);
                    // The next session recovers first.
                    rig.nand.power_cycle();
                }
            }
            assert!(
                checkpoints > 3 && victims > 3,
                "{what}: {checkpoints} checkpoints, {victims} victims"
            );
        }
    });
}
