//! A record page of which a cut has left a part tells nothing, even where its header and its beginning can be read.

use cuesta::volume::Budget;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::write;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::campaign::verdict::settles;
use cuesta_sim::{CutPhase, CutPlan, TornErase, TornProgram};

/// Sectors written before a record page is looked for: its deltas take up more than the 512 bytes that a cut leaves or takes.
const SECTORS: u32 = 150;
const SEEDS: u64 = 24;

/// Writes one sector after the other until a record page was written; the programs and erases before and after the last write. None when the power goes.
fn write_on(rig: &mut Rig, model: &mut Model) -> Option<(u64, u64)> {
    let before = rig.nand.counters();
    let mut disk = rig.mount().expect("a volume");
    let mut last = (0, 0);
    for sector in 0..2 * SECTORS {
        write(&mut disk, model, sector).ok()?;
        let did = disk.volume().nand().counters().since(&before);
        let (pages, done) = (disk.volume().stats().meta_pages, did.programs + did.erases);
        if sector > SECTORS && pages > last.0 {
            return Some((last.1, done));
        }
        last = (pages, done);
    }
    panic!("no record page was due");
}

#[test]
fn a_half_written_record_page_loses_nothing() {
    let base = Rig::of("tiny-multi", 53, Budget::Full);
    let (from, to) = write_on(&mut base.clone(), &mut Model::new()).expect("power");
    for index in from..to {
        for seed in 0..SEEDS {
            let (mut rig, mut model) = (base.clone(), Model::new());
            let plan = CutPlan::during(index, seed).phase(CutPhase::During);
            rig.nand
                .plan_cut(plan.torn(TornProgram::Sectors512, TornErase::Drawn));
            assert_eq!(write_on(&mut rig, &mut model), None, "the cut was to come");
            rig.nand.power_cycle();
            model.power_cycled();
            let mut disk = rig.mount().expect("a volume");
            settles(
                &mut disk,
                &mut model,
                &format!("cut at {index}, seed {seed}"),
            );
        }
    }
}
