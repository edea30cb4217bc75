//! Servers that go away, and what is left of what they had acknowledged.

use std::fs::File;
use std::time::{Duration, Instant};

use cuesta::resource::{Resource, ResourceError};
use cuesta::volume::Sector;
use cuesta_sim::resource::NbdOptions;
use cuesta_sim::SplitMix64;
use cuesta_tests::program::Scratch;
use cuesta_tests::resource_contract::{all, is, next, submit, Ask, End};
use cuesta_tests::tools;

use crate::served::{QemuNbd, Remote};

const SECTORS: u64 = 128;
/// No patience at all: what cannot be done is told at once.
const NONE: NbdOptions = NbdOptions {
    sector_bytes: 4096,
    depth: 16,
    patience: Duration::ZERO,
    silence_max: Duration::from_secs(30),
    durable_writes: false,
    unflushed_bytes_max: 1 << 20,
    identity: 0,
};
/// Longer than any server stays away.
const LONG: NbdOptions = NbdOptions {
    patience: Duration::from_secs(60),
    ..NONE
};

/// Asks until the answer is another one than that the server is away.
fn once_it_is_back(resource: &mut dyn Resource, ask: &Ask) -> End {
    let began = Instant::now();
    loop {
        match submit(resource, ask, &mut Vec::new()) {
            Ok(_) => match next(resource).unwrap().1 {
                End::Failed(ResourceError::Gone) => {}
                end => return end,
            },
            Err(error) => assert_eq!(error, ResourceError::Gone),
        }
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn m17_a_server_that_vanishes_is_gone_and_requests_go_on_when_it_is_back() {
    let remote = Remote::new(SECTORS);
    let mut resource = remote.connect(NONE);
    assert_eq!(all(&mut resource, &[Ask::Write(1, 1)]), [End::Done]);
    remote.vanish();
    let ends = (0..3).map(
        |_| match submit(&mut resource, &Ask::Read(1), &mut Vec::new()) {
            Ok(_) => next(&mut resource).unwrap().1,
            Err(error) => End::Failed(error),
        },
    );
    let ends: Vec<End> = ends.collect();
    assert_eq!(ends, vec![End::Failed(ResourceError::Gone); 3]);
    assert!(!resource.status().ready);
    remote.come_back();
    // It was acknowledged, not flushed, and the server has lost it: it is there.
    assert!(is(&once_it_is_back(&mut resource, &Ask::Read(1)), 1, 1));
    assert!(resource.status().ready);
    let history = resource.history();
    assert_eq!((history.reconnections, history.resent), (1, 1));
}

/// A model beside the disk; the server loses its power again and again, at any moment, with requests under way.
#[test]
fn m17_nothing_acknowledged_is_dropped_however_often_the_server_is_cut() {
    let remote = Remote::new(SECTORS);
    let mut resource = remote.connect(LONG);
    let mut random = SplitMix64::new(0xC07);
    let mut model = [0_u32; SECTORS as usize];
    let mut version = 0;
    for round in 0..30 {
        let mut ended = Vec::new();
        let mut reads = Vec::new();
        let asks = 1 + random.below(60);
        let cut = random.below(asks);
        for at in 0..asks {
            version += 1;
            let sector = random.below(SECTORS) as u32;
            let ask = match random.below(8) {
                0..4 => Ask::Write(sector, version),
                4..6 => Ask::Read(sector),
                6 => Ask::Trim(sector, (SECTORS as u32 - sector).min(9)),
                _ => Ask::Flush,
            };
            let ticket = submit(&mut resource, &ask, &mut ended).unwrap();
            match ask {
                Ask::Write(..) => model[sector as usize] = version,
                Ask::Read(_) => reads.push((ticket, sector, model[sector as usize])),
                Ask::Trim(first, count) => model[first as usize..(first + count) as usize].fill(0),
                Ask::Flush => {}
            }
            if at == cut {
                remote.vanish();
                remote.come_back();
            }
        }
        while let Some(end) = next(&mut resource) {
            ended.push(end);
        }
        assert_eq!(ended.len() as u64, asks);
        for (ticket, end) in &ended {
            assert!(!matches!(end, End::Failed(_)), "round {round}: {end:?}");
            if let Some((_, sector, version)) = reads.iter().find(|read| read.0 == *ticket) {
                assert!(is(end, *sector, *version), "round {round}, sector {sector}");
            }
        }
    }
    let history = resource.history();
    assert!(
        history.reconnections >= 25 && history.resent > 100,
        "{history:?}"
    );
    assert_eq!(all(&mut resource, &[Ask::Flush]), [End::Done]);
    remote.vanish();
    remote.come_back();
    let mut fresh = remote.connect(NONE);
    for (sector, &version) in (0..).zip(&model) {
        assert!(is(
            &all(&mut fresh, &[Ask::Read(sector)])[0],
            sector,
            version
        ));
    }
}

#[test]
fn m17_an_export_that_became_smaller_is_told() {
    let remote = Remote::new(SECTORS);
    let mut resource = remote.connect(NONE);
    all(&mut resource, &[Ask::Write(1, 1), Ask::Flush]);
    all(&mut resource, &[Ask::Write(100, 2), Ask::Write(2, 3)]);
    remote.vanish();
    remote.resize(64);
    remote.come_back();
    assert!(is(&once_it_is_back(&mut resource, &Ask::Read(2)), 2, 3));
    assert_eq!(resource.status().sectors, 64);
    let error = ResourceError::OutOfRange {
        sector: Sector(64),
        sectors: 64,
    };
    // What was acknowledged and lay beyond cannot become durable: once, that is an error.
    let ends = all(&mut resource, &[Ask::Flush]);
    assert_eq!(ends, [End::Failed(error)]);
    assert_eq!(resource.history().cut_off, 1);
    assert_eq!(all(&mut resource, &[Ask::Flush]), [End::Done]);
    let beyond = submit(&mut resource, &Ask::Write(64, 1), &mut Vec::new());
    assert_eq!(beyond, Err(error));
}

#[test]
fn m17_a_flush_says_what_the_server_has() {
    let remote = Remote::new(SECTORS);
    let mut resource = remote.connect(NONE);
    all(&mut resource, &[Ask::Write(5, 1), Ask::Flush]);
    assert_eq!(remote.flushes(), 1);
    all(&mut resource, &[Ask::Write(5, 2)]);
    drop(resource);
    remote.vanish();
    remote.come_back();
    let mut resource = remote.connect(NbdOptions {
        durable_writes: true,
        ..NONE
    });
    assert!(is(&all(&mut resource, &[Ask::Read(5)])[0], 5, 1));
    all(&mut resource, &[Ask::Write(5, 3)]);
    drop(resource);
    remote.vanish();
    remote.come_back();
    let mut resource = remote.connect(NONE);
    assert!(is(&all(&mut resource, &[Ask::Read(5)])[0], 5, 3));
}

#[test]
fn m17_a_foreign_server_that_is_ended_comes_back() {
    let test = "m17_a_foreign_server_that_is_ended_comes_back";
    if tools::are_missing(test, &["qemu-nbd"]) {
        return;
    }
    let scratch = Scratch::empty();
    let file = File::create(scratch.path("disk.img")).unwrap();
    file.set_len(4096 * SECTORS).unwrap();
    let server = QemuNbd::start(&scratch, "disk.img");
    let mut resource = server.connect(LONG);
    let mut ended = Vec::new();
    for sector in 0..40 {
        submit(&mut resource, &Ask::Write(sector, 7), &mut ended).unwrap();
    }
    server.kill();
    let server = QemuNbd::start(&scratch, "disk.img");
    while let Some(end) = next(&mut resource) {
        ended.push(end);
    }
    assert!(ended.len() == 40 && ended.iter().all(|(_, end)| *end == End::Done));
    for sector in 0..40 {
        assert!(is(&all(&mut resource, &[Ask::Read(sector)])[0], sector, 7));
    }
    drop(server);
}
