//! The number of sectors is told once and for all: whatever fails later, all of them are there.

use cuesta::volume::Budget;
use cuesta_hal::{BlockAddress, Nand};
use cuesta_sim::campaign::oracle::{read, write, Reading};
use cuesta_sim::{Fault, SplitMix64, Trigger};
use cuesta_tests::full::{full, overwrite};

#[test]
fn a_disk_has_as_many_sectors_as_ever_when_blocks_have_failed() {
    for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
        let (mut rig, mut model) = full(chip, 52, Budget::Full);
        let geometry = *rig.nand.geometry();
        let capacity = rig.parameters.capacity;
        for die in 0..geometry.dies {
            for at in 1..=geometry.bad_blocks_max_per_die {
                let block = BlockAddress::new(die, geometry.blocks_per_die - 3 * at);
                let trigger = Trigger::Block(block);
                rig.nand.faults().once(trigger, Fault::ProgramFails);
            }
        }
        let mut bad = 0;
        for session in 0..4 {
            let what = format!("{chip}, session {session}");
            let mut disk = rig.mount().expect("a volume");
            assert_eq!(disk.volume().capacity(), capacity, "{what}");
            overwrite(&mut disk, &mut model, &mut SplitMix64::new(session), 400).expect("room");
            write(&mut disk, &mut model, capacity - 1).expect("the last sector");
            assert_eq!(disk.volume().capacity(), capacity, "{what}, written");
            for sector in 0..capacity {
                assert_eq!(read(&mut disk, &model, sector, &what), Reading::Current);
            }
            bad = disk.volume().info().bad_blocks;
            disk.unmount().map_err(|(_, error)| error).expect("an end");
        }
        assert!(bad > 0, "{chip}: no block has failed");
    }
}
