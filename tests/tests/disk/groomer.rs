//! The groomer and its hosts: it defers to load, uses idle time, is forced where space is exhausted; hints of hosts place sectors; part of a part is looked at
//! to find a victim.

use cuesta::volume::{Budget, FormatOptions, Parameters, StreamId, WriteBound, WriteOptions};
use cuesta_hal::Geometry;
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{expect_current, within, write, write_with};
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::{chip, EmulatedNand, SplitMix64};

/// What a write was accompanied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// Nothing, or journal pages.
    Nothing,
    /// So many relocations.
    Relocations(u32),
}

/// Writes random sectors among the first `len`, and what each of them was accompanied by.
fn trace(
    disk: &mut RigDisk<'_>,
    model: &mut Model,
    random: &mut SplitMix64,
    len: u32,
    count: u32,
) -> Vec<Beside> {
    let relocations = |disk: &RigDisk<'_>| disk.volume().stats().relocations;
    (0..count)
        .map(|_| {
            let before = relocations(disk);
            write(disk, model, random.below(u64::from(len)) as u32).expect("room");
            match relocations(disk) - before {
                0 => Beside::Nothing,
                moves => Beside::Relocations(moves),
            }
        })
        .collect()
}

/// A part of 64 small blocks whose first `len` sectors were written, and written again until the groomer was at work.
fn used(rig: &mut Rig, model: &mut Model, random: &mut SplitMix64, len: u32) {
    let mut disk = rig.mount().expect("a formatted part");
    for sector in 0..len {
        write(&mut disk, model, sector).expect("room");
    }
    while disk.volume().stats().victims < 8 {
        trace(&mut disk, model, random, len, len);
    }
    disk.unmount().map_err(|(_, error)| error).expect("an end");
}

fn small() -> Rig {
    let making = Making {
        blocks_per_die: Some(64),
        ..Making::of("tiny", Budget::Full)
    };
    making.make(5)
}

/// Lets the groomer work until there are so many free segments, or nothing is left to be done.
fn idle(disk: &mut RigDisk<'_>, free: u32) {
    while disk.volume_mut().idle(free).expect("a part") {
        disk.volume_mut().poll();
        disk.volume_mut().wait();
    }
}

#[test]
fn m30_load_defers_grooming_idle_time_is_used_and_exhaustion_forces_it() {
    let mut rig = small();
    let mut model = Model::new();
    let mut random = SplitMix64::new(5);
    let capacity = rig.parameters.capacity;
    // Two thirds full: there is something to be gained.
    let len = capacity * 2 / 3;
    used(&mut rig, &mut model, &mut random, len);
    let mut disk = rig.mount().expect("a sound part");
    write(&mut disk, &mut model, 0).expect("room");

    // Idle: sectors are relocated and segments freed although nobody writes.
    let before = (*disk.volume().stats(), disk.volume().info().free);
    idle(&mut disk, before.1 + 6);
    let after = (*disk.volume().stats(), disk.volume().info().free);
    eprintln!(
        "idle: {} relocations, {} free segments, {} before",
        after.0.relocations - before.0.relocations,
        after.1,
        before.1
    );
    assert_eq!(after.0.host_writes, before.0.host_writes);
    assert!(
        after.0.relocations > before.0.relocations,
        "nothing was relocated"
    );
    assert!(
        after.1 >= before.1 + 6,
        "{} of {} were freed",
        after.1,
        before.1 + 6
    );

    // Load: what was freed is used up before anything is relocated.
    let slots = disk.volume().shape().slots_per_segment();
    let burst = trace(&mut disk, &mut model, &mut random, len, 2 * slots);
    eprintln!("load: {burst:?}");
    assert!(
        burst.iter().all(|beside| *beside == Beside::Nothing),
        "{burst:?}"
    );

    // Exhaustion: without idle time relocations are part of the writes, a few with each.
    let worn = trace(&mut disk, &mut model, &mut random, len, 40 * slots);
    let tail = &worn[worn.len() / 2..];
    eprintln!("exhausted: {tail:?}");
    let paid = tail
        .iter()
        .filter(|beside| **beside != Beside::Nothing)
        .count();
    assert!(
        paid * 4 > tail.len(),
        "{paid} of {} writes paid",
        tail.len()
    );
    let bound = WriteBound::of(disk.volume().shape().units());
    for beside in tail {
        if let Beside::Relocations(moves) = beside {
            assert!(*moves <= bound.moves, "{moves} relocations with one write");
        }
    }
    expect_current(&mut disk, &model, "in the end");
}

/// Write amplification where a small part of the sectors is written again and again for a while, and then another part, with or without hints.
fn moving(hints: bool) -> f64 {
    let geometry = Geometry {
        blocks_per_die: 128,
        ..chip("tiny").expect("a chip of the table").geometry
    };
    let builder = EmulatedNand::builder("tiny")
        .expect("a chip of the table")
        .geometry(geometry)
        .seed(3);
    let options = FormatOptions {
        volume_id: 3,
        classes: Some(2),
        ..FormatOptions::default()
    };
    let mut rig = Rig::new(builder, &options, Budget::Full);
    let mut model = Model::new();
    let mut random = SplitMix64::new(3);
    let mut disk = rig.mount().expect("a formatted part");
    let len = disk.volume().capacity() * 9 / 10;
    let options = |hot: bool| WriteOptions {
        stream: hints.then_some(StreamId(if hot { 0 } else { 7 })),
        ..WriteOptions::default()
    };
    for sector in 0..len {
        write_with(&mut disk, &mut model, sector, options(false)).expect("room");
    }
    let before = *disk.volume().stats();
    for round in 0..40 {
        // Written some eight times, then left alone.
        let (hot, extent) = (round % 10 * (len / 10), len / 20);
        for _ in 0..extent * 8 {
            let sector = hot + random.below(u64::from(extent)) as u32;
            write_with(&mut disk, &mut model, sector, options(true)).expect("room");
        }
        for sector in hot..hot + extent {
            write_with(&mut disk, &mut model, sector, options(false)).expect("room");
        }
    }
    let after = *disk.volume().stats();
    expect_current(&mut disk, &model, "in the end");
    let writes = f64::from(after.host_writes - before.host_writes);
    1.0 + f64::from(after.relocations - before.relocations) / writes
}

#[test]
fn a_host_that_knows_what_is_overwritten_soon_saves_relocations() {
    let (without, with) = (moving(false), moving(true));
    eprintln!("write amplification {without:.3}, with hints {with:.3}");
    assert!(with < without, "{with} with hints, {without} without");
}

#[test]
fn sectors_of_a_stream_share_segments() {
    let mut rig = small();
    let mut model = Model::new();
    let mut disk = rig.mount().expect("a formatted part");
    let Parameters { classes, .. } = disk.volume().info().parameters;
    assert!(classes < 4, "one of {classes} is for probation");
    let len = disk.volume().capacity() / 2;
    let mut expected = vec![0; usize::from(classes)];
    for sector in 0..len {
        // Numbers beyond the last class stand for it.
        let stream = (sector % 4) as u8;
        let options = WriteOptions {
            stream: Some(StreamId(stream)),
            ..WriteOptions::default()
        };
        write_with(&mut disk, &mut model, sector, options).expect("room");
        expected[usize::from(stream.min(classes - 1))] += 1;
    }
    let volume = disk.volume();
    let mut found = vec![0; usize::from(classes)];
    for index in 0..volume.shape().segments {
        let segment = volume.segment_info(index).expect("a segment");
        if segment.holds_data() {
            found[usize::from(segment.class)] += segment.valid;
        }
    }
    assert_eq!(found, expected);
    expect_current(&mut disk, &model, "in the end");
}

#[test]
fn a_part_of_more_segments_than_are_looked_at_at_once_goes_on_when_full() {
    within(200, "many segments", || {
        let making = Making {
            blocks_per_die: Some(1536),
            ..Making::of("tiny", Budget::Full)
        };
        let mut rig = making.make(9);
        let mut model = Model::new();
        let mut random = SplitMix64::new(9);
        let mut disk = rig.mount().expect("a formatted part");
        let capacity = disk.volume().capacity();
        for sector in 0..capacity {
            write(&mut disk, &mut model, sector).expect("room");
        }
        let before = *disk.volume().stats();
        trace(&mut disk, &mut model, &mut random, capacity, capacity / 2);
        let after = *disk.volume().stats();
        let relocations =
            f64::from(after.relocations - before.relocations) / f64::from(capacity / 2);
        eprintln!("{capacity} sectors, {relocations:.2} relocations a write");
        assert!(after.victims > before.victims + 500, "{after:?}");
        expect_current(&mut disk, &model, "in the end");
    });
}
