//! The policy of a volume: replaced as a whole at every cut, told when it is damaged.

use cuesta::policy::{load, save, PolicyFault, PolicyTable, StoreError};
use cuesta::volume::{Budget, Error, FormatOptions, ParameterError, Parameters, Sector};
use cuesta_hal::Nand;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::campaign::tear::Tear;
use cuesta_sim::{EmulatedNand, SplitMix64};

use crate::policy;

fn rig(chip: &str, system: u8) -> Rig {
    let builder = EmulatedNand::builder(chip)
        .expect("a chip of the table")
        .seed(7)
        .strict(true)
        .watch_after_torn(true);
    let options = FormatOptions {
        volume_id: 7,
        system,
        ..FormatOptions::default()
    };
    Rig::new(builder, &options, Budget::Full)
}

/// A policy of several sectors.
fn large(mode: &str) -> PolicyTable<Vec<u8>> {
    let rules: String = (0..20)
        .map(|number| format!("rule path \"/{mode}/{number}/**\" & tenant {number} -> {mode}\n"))
        .collect();
    policy(&rules)
}

fn stored(rig: &mut Rig) -> Result<Option<Vec<u8>>, StoreError> {
    let mut disk = rig.mount().expect("a volume");
    let mut buffer = vec![0; 16 * 1024];
    let found = load(disk.volume_mut(), &mut buffer)?;
    Ok(found.map(|policy| policy.bytes().to_vec()))
}

fn replace(rig: &mut Rig, policy: Option<&PolicyTable<Vec<u8>>>) -> Result<(), StoreError> {
    let mut disk = rig.mount().expect("a volume");
    let mut scratch = vec![0; disk.volume().sector_bytes()];
    save(disk.volume_mut(), policy, &mut scratch)?;
    disk.unmount()
        .map_err(|(_, error)| StoreError::Volume(error))?;
    Ok(())
}

#[test]
fn m13_a_policy_survives_a_restart_and_can_be_replaced_and_removed() {
    let mut rig = rig("tiny", 6);
    assert_eq!(stored(&mut rig), Ok(None));
    for mode in ["bypass", "write-back"] {
        let policy = large(mode);
        assert!(policy.bytes().len() > 2 * 512, "of several sectors");
        replace(&mut rig, Some(&policy)).unwrap();
        assert_eq!(stored(&mut rig), Ok(Some(policy.bytes().to_vec())));
    }
    replace(&mut rig, None).unwrap();
    assert_eq!(stored(&mut rig), Ok(None));
}

#[test]
fn m13_after_a_cut_at_any_operation_of_a_replacement_the_old_or_the_new_policy_is_there() {
    for chip in ["tiny", "tiny2"] {
        let mut rig = rig(chip, 6);
        let (old, new) = (large("bypass"), large("write-back"));
        replace(&mut rig, Some(&old)).unwrap();
        let moments = rig.nand.watch_moments(1);
        replace(&mut rig, Some(&new)).unwrap();
        rig.nand.unwatch_moments();
        let (old, new) = (old.bytes().to_vec(), new.bytes().to_vec());
        let mut found = [0u32; 2];
        for (number, moment) in moments.take().into_iter().enumerate() {
            for tear in Tear::of(moment.phase, moment.class) {
                let seed = SplitMix64::derive(5, number as u64).next();
                let mut after = rig.with(moment.cut(tear.at(0, seed)));
                after.nand.power_cycle();
                let policy = stored(&mut after).expect("a policy that is whole");
                let policy = policy.expect("a policy");
                assert!(
                    policy == old || policy == new,
                    "{chip}: {}",
                    moment.describe()
                );
                let is_new = policy == new;
                found[usize::from(is_new)] += 1;
                // It stays what it is, and can be replaced again.
                if number % 8 == 0 {
                    assert_eq!(stored(&mut after), Ok(Some(policy)));
                    replace(&mut after, None).unwrap();
                    assert_eq!(stored(&mut after), Ok(None));
                }
            }
        }
        eprintln!(
            "{chip}: {} cuts left the old policy, {} the new one",
            found[0], found[1]
        );
        assert!(found.iter().all(|&count| count > 20), "{chip}: {found:?}");
    }
}

#[test]
fn m13_a_damaged_policy_is_told_and_the_volume_serves() {
    let mut rig = rig("tiny", 6);
    let mut damaged = large("bypass").into_bytes();
    let last = damaged.len() - 1;
    {
        let mut disk = rig.mount().expect("a volume");
        let sector = disk.volume().sector_bytes();
        damaged[last] ^= 1;
        let volume = disk.volume_mut();
        volume.begin_batch().unwrap();
        for (number, part) in (0..).zip(damaged.chunks(sector)) {
            let mut data = part.to_vec();
            data.resize(sector, 0);
            while volume.submit_system_write(number, &data) == Err(nb::Error::WouldBlock) {
                volume.poll();
                volume.wait();
            }
        }
        while volume.submit_commit() == Err(nb::Error::WouldBlock) {
            volume.poll();
            volume.wait();
        }
        disk.unmount().map_err(|(_, error)| error).unwrap();
    }
    let fault = StoreError::Fault(PolicyFault::Checksum);
    assert_eq!(stored(&mut rig), Err(fault));
    assert!(fault.to_string().contains("write-through"));
    let mut disk = rig.mount().expect("a volume");
    let data = vec![3; disk.volume().sector_bytes()];
    disk.write(Sector(0), &data).unwrap();
    disk.unmount().map_err(|(_, error)| error).unwrap();
    replace(&mut rig, Some(&large("bypass"))).unwrap();
    assert!(stored(&mut rig).unwrap().is_some());
}

#[test]
fn m13_hosts_cannot_reach_the_policy_and_lose_no_sector_by_default() {
    let with = rig("tiny", 6);
    let mut without = rig("tiny", 0);
    let sectors = |rig: &Rig| rig.parameters.capacity;
    assert_eq!(sectors(&with) + 6, sectors(&without));
    let mut rig = with;
    let mut disk = rig.mount().expect("a volume");
    let capacity = disk.volume().capacity();
    let data = vec![0; disk.volume().sector_bytes()];
    let sector = Sector(capacity);
    let beyond = Error::OutOfRange { sector, capacity };
    assert_eq!(disk.write(sector, &data), Err(beyond));
    assert_eq!(disk.trim(Sector(capacity - 1), 2), Err(beyond));
    let volume = disk.volume_mut();
    assert_eq!(volume.submit_read(sector), Err(nb::Error::Other(beyond)));
    volume.begin_batch().unwrap();
    let member = volume.submit_batch_write(sector, &data);
    assert_eq!(member, Err(nb::Error::Other(beyond)));
    assert!(volume.submit_system_read(6).is_err());
    let policy = large("bypass");
    let place = replace(&mut without, Some(&policy));
    assert!(
        matches!(place, Err(StoreError::Place { room: 0, .. })),
        "{place:?}"
    );
    assert_eq!(stored(&mut without), Ok(None));
}

#[test]
fn m13_a_policy_is_found_again_when_every_checkpoint_is_lost() {
    let mut rig = rig("tiny", 6);
    let policy = large("bypass");
    replace(&mut rig, Some(&policy)).unwrap();
    let info = rig.mount().expect("a volume").volume().info();
    assert!(!info.scanned);
    for block in 0..12 {
        let block = cuesta_hal::BlockAddress::new(0, block);
        let header = rig.nand.true_bytes(block.page(0));
        // The opening page of an anchor place begins with the mark.
        if header.starts_with(b"CUESTA") {
            rig.nand.start_erase(block).expect("an erase");
            while rig.nand.poll(block.die).is_err() {
                rig.nand.wait();
            }
        }
    }
    let disk = rig.mount().expect("a volume without checkpoints");
    assert!(disk.volume().info().scanned);
    assert_eq!(disk.volume().system_sectors(), 6);
    drop(disk);
    assert_eq!(stored(&mut rig), Ok(Some(policy.bytes().to_vec())));
}

#[test]
fn more_system_sectors_than_there_can_be_are_refused() {
    let nand = EmulatedNand::of("tiny").unwrap();
    let options = FormatOptions {
        system: 8,
        ..FormatOptions::default()
    };
    let refused = ParameterError::System { asked: 8, max: 7 };
    assert_eq!(Parameters::choose(nand.geometry(), &options), Err(refused));
}
