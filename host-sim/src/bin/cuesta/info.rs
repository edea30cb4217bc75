//! `cuesta info`: what a disk image holds.

use std::io::Write;

use cuesta::hal::Nand;
use cuesta::volume::{Budget, Outlook, State};
use serde_json::json;

use crate::disk::{DiskArguments, DiskFile};
use crate::failure::Failure;
use crate::size;
use crate::table::print_facts;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    disk: DiskArguments,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let mut file = DiskFile::open(&arguments.disk, Budget::Full)?;
    let chip = file.nand().chip_name();
    let geometry = *file.nand().geometry();
    let wear = file.nand().wear();
    let disk = file.mount()?;
    let volume = disk.volume();
    let info = volume.info();
    let parameters = info.parameters;
    let bytes = u64::from(parameters.capacity) * u64::from(parameters.sector_bytes);
    let raw_bytes = geometry.main_bytes();
    let has_ecc = geometry.chip_ecc.is_some_and(|ecc| ecc.enabled);
    let open = (0..info.segments)
        .filter_map(|index| volume.segment_info(index))
        .filter(|segment| segment.state == State::Open)
        .count();
    let endurance = f64::from(geometry.endurance_cycles);
    if arguments.json {
        let object = json!({
            "disk": arguments.disk.path.display().to_string(),
            "chip": chip,
            "chip_ecc": has_ecc,
            "volume_id": format!("{:016x}", parameters.volume_id),
            "clean": info.clean,
            "read_only": info.read_only,
            "found_without_anchors": info.scanned,
            "sectors": parameters.capacity,
            "system_sectors": parameters.system,
            "sector_bytes": parameters.sector_bytes,
            "bytes": bytes,
            "raw_bytes": raw_bytes,
            "sectors_mapped": info.mapped,
            "host_writes": info.host_writes,
            "segments": info.segments,
            "segments_free": info.free,
            "segments_open": open,
            "segments_journal": info.journal,
            "segments_retired": info.retired,
            "segment_blocks": parameters.width(),
            "classes": parameters.classes,
            "levels": parameters.levels(),
            "bad_blocks": info.bad_blocks,
            "checkpoint": info.checkpoint,
            "deltas": info.deltas,
            "wear_min": wear.min,
            "wear_max": wear.max,
            "wear_mean": wear.mean,
            "wear_stddev": wear.stddev,
            "endurance_cycles": geometry.endurance_cycles,
            "checkpoint_erases": info.life.checkpoint_erases,
            "erases_left_percent": info.life.erases_left_percent(),
            "spare_blocks": info.life.spare_blocks,
            "checkpoint_places": info.life.places,
            "bad_blocks_max": info.life.bad_blocks_max,
            "outlook": match info.life.outlook() {
                Outlook::Good => "good",
                Outlook::EndsSoon => "ends soon",
                Outlook::Over => "over",
            },
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let facts = [
        (
            "chip",
            format!(
                "{chip}: {} x {} blocks x {} pages x ({} + {}) B{}",
                geometry.dies,
                geometry.blocks_per_die,
                geometry.pages_per_block,
                geometry.page_bytes,
                geometry.spare_bytes,
                if has_ecc {
                    ", its own error correction on"
                } else {
                    ""
                }
            ),
        ),
        ("volume", format!("{:016x}", parameters.volume_id)),
        (
            "last session",
            if info.scanned {
                "all anchors are lost: the journal was found without them".to_owned()
            } else if info.clean {
                "ended cleanly".to_owned()
            } else {
                "ended by a cut: recovery runs before the next change".to_owned()
            },
        ),
        (
            "capacity",
            format!(
                "{} sectors of {} B: {}, {:.1} % of the raw pages",
                parameters.capacity,
                parameters.sector_bytes,
                size::show(bytes),
                100.0 * bytes as f64 / raw_bytes as f64
            ),
        ),
        (
            "in use",
            format!(
                "{} sectors, {:.1} %",
                info.mapped,
                100.0 * f64::from(info.mapped) / f64::from(parameters.capacity.max(1))
            ),
        ),
        (
            "segments",
            format!(
                "{} of {} block(s): {} free, {open} open, {} journal, {} retired",
                info.segments,
                parameters.width(),
                info.free,
                info.journal,
                info.retired
            ),
        ),
        ("classes", parameters.classes.to_string()),
        ("levels", parameters.levels().to_string()),
        ("bad blocks", info.bad_blocks.to_string()),
        ("host writes", info.host_writes.to_string()),
        ("checkpoint", info.checkpoint.to_string()),
        (
            "wear",
            format!(
                "{} to {} erases a block, mean {:.1}: {:.3} % of {} rated",
                wear.min,
                wear.max,
                wear.mean,
                100.0 * wear.mean / endurance,
                geometry.endurance_cycles
            ),
        ),
        (
            "life",
            format!(
                "{} % of the rated erases left, {} spare blocks ({} may be bad): {}",
                info.life.erases_left_percent(),
                info.life.spare_blocks,
                info.life.bad_blocks_max,
                match info.life.outlook() {
                    Outlook::Good => "good",
                    Outlook::EndsSoon => "ends soon, replace the part",
                    Outlook::Over => "over, it can only be read",
                }
            ),
        ),
    ];
    print_facts(out, &facts)?;
    Ok(())
}
