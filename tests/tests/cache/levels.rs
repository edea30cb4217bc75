//! What resources are asked for at each level.

use cuesta::cache::{Persistence, ResourceSet};
use cuesta::exec::{Advice, ExecError, Refusal};
use cuesta::resource::ResourceError;
use cuesta::volume::{LevelIndex, Sector};
use cuesta_tests::recorded::Deed;

use crate::rig::{bytes, read, write, Rig, BACK, EPHEMERAL, SECTOR, THROUGH};

#[test]
fn m15_each_level_has_its_own_trace_of_resource_operations() {
    let mirrored = Persistence {
        resources: ResourceSet(0b11),
        ..THROUGH
    };
    let verified = Persistence {
        verify: true,
        ..THROUGH
    };
    let stored = Persistence {
        storage: LevelIndex(3),
        ..THROUGH
    };
    let second = Persistence {
        resources: ResourceSet(0b10),
        ..THROUGH
    };
    let expected: [(_, &[_]); 6] = [
        (
            THROUGH,
            &[("store", Deed::Write(0, 0)), ("first", Deed::Write(0, 0))],
        ),
        (
            mirrored,
            &[
                ("store", Deed::Write(0, 0)),
                ("first", Deed::Write(0, 0)),
                ("second", Deed::Write(0, 0)),
            ],
        ),
        (
            verified,
            &[
                ("store", Deed::Write(0, 0)),
                ("first", Deed::Write(0, 0)),
                ("first", Deed::Read(0)),
            ],
        ),
        (
            stored,
            &[("store", Deed::Write(0, 0)), ("first", Deed::Write(0, 3))],
        ),
        (
            second,
            &[("store", Deed::Write(0, 0)), ("second", Deed::Write(0, 0))],
        ),
        (EPHEMERAL, &[("store", Deed::Write(0, 0))]),
    ];
    for (level, deeds) in expected {
        let mut rig = Rig::new(4);
        let log = rig.log.clone();
        let mut disk = rig.disk();
        write(&mut disk, 0, 1, &level);
        assert_eq!(log.asked(), deeds, "{level:?}");
        assert_eq!(read(&mut disk, 0, &level), 1);
    }
}

#[test]
fn m20_a_write_is_acknowledged_when_all_resources_of_its_level_have_it() {
    let mirrored = Persistence {
        resources: ResourceSet(0b11),
        ..THROUGH
    };
    let mut rig = Rig::new(4);
    let mut disk = rig.disk();
    write(&mut disk, 3, 1, &mirrored);
    disk.cache_mut().primaries_mut()[1].will.gone = true;
    let refused = disk.write(Sector(3), &bytes(2), &mirrored, Default::default());
    assert_eq!(refused, Err(ResourceError::Gone.into()));
    // One of them can no longer read it: the other one can.
    let first = &mut disk.cache_mut().primaries_mut()[0];
    first.will.lost.push(7);
    let second = &mut disk.cache_mut().primaries_mut()[1];
    second.will.gone = false;
    second.sectors.insert(7, bytes(70));
    assert_eq!(read(&mut disk, 7, &mirrored), 70);
}

#[test]
fn m35_the_same_address_on_two_resources_is_two_sectors() {
    let second = Persistence {
        resources: ResourceSet(0b10),
        ..THROUGH
    };
    let mut rig = Rig::new(4);
    let mut disk = rig.disk();
    write(&mut disk, 5, 1, &THROUGH);
    write(&mut disk, 5, 2, &second);
    assert_eq!(read(&mut disk, 5, &THROUGH), 1);
    assert_eq!(read(&mut disk, 5, &second), 2);
}

#[test]
fn what_cannot_be_served_as_asked_for_is_refused_with_the_reason() {
    let mut rig = Rig::new(4);
    let mut disk = rig.disk();
    let atomic = Persistence {
        atomic: true,
        ..THROUGH
    };
    let two = vec![1; 2 * SECTOR];
    assert_eq!(
        disk.write(Sector(0), &two, &atomic, Default::default()),
        Err(ExecError::Refused(Refusal::Atomic {
            sectors: 2,
            most: 1
        }))
    );
    write(&mut disk, 0, 1, &atomic);
    let nowhere = Persistence {
        resources: ResourceSet(0b101),
        ..THROUGH
    };
    assert_eq!(
        disk.check(&nowhere),
        Err(Refusal::NoResource(ResourceSet(0b100)))
    );
    assert_eq!(disk.check(&BACK), Ok(Some(Advice::VolatileWriteBack)));
    assert_eq!(disk.check(&EPHEMERAL), Ok(None));
    let verified = Persistence {
        verify: true,
        ..THROUGH
    };
    disk.cache_mut().primaries_mut()[0].will.twists = true;
    assert_eq!(
        disk.write(Sector(1), &bytes(5), &verified, Default::default()),
        Err(ExecError::Resource(ResourceError::Device)),
        "what is read back is something else"
    );
}
