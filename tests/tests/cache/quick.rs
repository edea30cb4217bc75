//! Reads that find their page while nothing else is under way, and what may come between.

use cuesta::cache::{Cache, RepageError, SnapshotError, Source, Terms};
use cuesta::resource::Completion;
use cuesta::volume::{Sector, Ticket};
use cuesta_tests::recorded::{Log, Recorded};

use crate::rig::{bytes, version, Rig, SECTOR};

const FIRST: Source = Source::Primary(0);

type RigCache<'r> = Cache<'r, &'r mut Recorded, Recorded>;

/// A cache that has sector 1 in version 1, as its primary does.
fn warm(rig: &mut Rig) -> RigCache<'_> {
    let memory = rig.memory.lend();
    let mut cache =
        Cache::new(&mut rig.store, &mut rig.primaries, memory, rig.options).expect("memory");
    let written = cache
        .submit_write(FIRST, Sector(1), &bytes(1), Terms::default())
        .expect("a free slot");
    assert_eq!(all(&mut cache), [(written, None)]);
    cache
}

/// What completes, in order: each request, and the version that it read.
fn all(cache: &mut RigCache<'_>) -> Vec<(Ticket, Option<u32>)> {
    let mut found = Vec::new();
    loop {
        match cache.poll() {
            Completion::Data(ticket, data) => found.push((ticket, Some(version(data)))),
            Completion::Written(ticket) | Completion::Flushed(ticket) => found.push((ticket, None)),
            Completion::Pending => cache.wait(),
            Completion::Idle => return found,
            other => panic!("{other:?}"),
        }
    }
}

fn read(cache: &mut RigCache<'_>, terms: Terms) -> Ticket {
    cache
        .submit_read(FIRST, Sector(1), terms)
        .expect("a free slot")
}

#[test]
fn a_read_that_hits_is_told_once_whatever_is_asked_for_meanwhile() {
    let mut rig = Rig::new(8);
    let mut cache = warm(&mut rig);
    let terms = Terms::default();
    let old = read(&mut cache, terms);
    let next = read(&mut cache, terms);
    let write = cache.submit_write(FIRST, Sector(1), &bytes(2), terms);
    let flush = cache.submit_flush().expect("a free slot");
    let found = all(&mut cache);
    let of = |ticket| {
        let mut told = found.iter().filter(|(one, _)| *one == ticket);
        let (_, version) = told.next().expect("told");
        assert_eq!(told.next(), None, "told twice");
        *version
    };
    assert!(matches!(of(old), Some(1 | 2)));
    assert!(matches!(of(next), Some(1 | 2)));
    assert_eq!(of(write.expect("a free slot")), None);
    assert_eq!(of(flush), None);
    let now = read(&mut cache, terms);
    assert_eq!(all(&mut cache), [(now, Some(2))]);
    assert_eq!(cache.counters().read_hits, 3);
}

#[test]
fn a_read_that_hits_holds_its_level_and_keeps_snapshots_away() {
    let mut rig = Rig::new(8);
    let mut cache = warm(&mut rig);
    let terms = Terms {
        level: 9,
        ..Terms::default()
    };
    assert!(!cache.level_is_used(9));
    let ticket = read(&mut cache, terms);
    assert!(cache.level_is_used(9));
    let mut file = Recorded::new("file", 100, SECTOR as u32, 4, &Log::new());
    let saved = cache.save_snapshot(&mut file, |_| true);
    assert_eq!(saved, Err(SnapshotError::Busy));
    assert_eq!(all(&mut cache), [(ticket, Some(1))]);
    assert!(!cache.level_is_used(9));
}

#[test]
fn a_read_that_the_store_fails_gets_what_the_primary_has() {
    let mut rig = Rig::new(8);
    let mut cache = warm(&mut rig);
    let (place, _) = cache.find(FIRST, Sector(1)).expect("a tag");
    cache.store_mut().will.lost.push(4 * place + 1);
    let ticket = read(&mut cache, Terms::default());
    assert_eq!(all(&mut cache), [(ticket, Some(1))]);
    assert_eq!(cache.primaries()[0].reads, 1);
}

#[test]
fn pages_stay_as_they_are_while_such_a_read_is_under_way() {
    let mut rig = Rig::new(8);
    let mut cache = warm(&mut rig);
    let wanted = read(&mut cache, Terms::default());
    assert_eq!(cache.unload(|_| true), Err(SnapshotError::Busy));
    assert!(!cache.give_up(FIRST, Sector(1), 1, false));
    let other = [1, 8][usize::from(cache.page_sectors() == 1)];
    assert_eq!(cache.set_page_sectors(other), Err(RepageError::Busy));
    assert_eq!(all(&mut cache), [(wanted, Some(1))]);
    assert_eq!(cache.unload(|_| true), Ok(1));
}
