//! One session of a disk, from the mount to the unmount.

use cuesta::volume::{Error, MountError, Stats};
use cuesta_hal::NandErrorKind;

use crate::campaign::change::Change;
use crate::campaign::driver::{Driver, PowerLost};
use crate::campaign::model::Model;
use crate::campaign::rig::Rig;
use crate::campaign::witness::{Branch, Witness};

/// The mount, the changes, the unmount. What the volume did before the unmount.
///
/// # Errors
/// The power was lost.
///
/// # Panics
/// When the volume cannot be mounted, or fails for another reason.
pub fn session(
    rig: &mut Rig,
    model: &mut Model,
    depth: usize,
    changes: &[Change],
) -> Result<Stats, PowerLost> {
    run(rig, model, depth, changes, None)
}

/// The same, and every moment in which the power could have gone. What is random about the moments follows from `seed`.
///
/// # Errors
/// The power was lost.
///
/// # Panics
/// When the volume cannot be mounted, or fails for another reason.
pub fn witnessed(
    rig: &mut Rig,
    model: &mut Model,
    depth: usize,
    changes: &[Change],
    seed: u64,
) -> (Vec<Branch>, Result<Stats, PowerLost>) {
    let mut witness = Witness::new(&mut rig.nand, seed);
    let stats = run(rig, model, depth, changes, Some(&mut witness));
    witness.look(model);
    rig.nand.unwatch_moments();
    (witness.into_branches(), stats)
}

fn run(
    rig: &mut Rig,
    model: &mut Model,
    depth: usize,
    changes: &[Change],
    mut witness: Option<&mut Witness>,
) -> Result<Stats, PowerLost> {
    let mut disk = match rig.mount() {
        Ok(disk) => disk,
        Err(MountError::Nand(NandErrorKind::PowerLost)) => return Err(PowerLost),
        Err(error) => panic!("mount: {error}"),
    };
    if let Some(witness) = &mut witness {
        witness.look(model);
    }
    Driver::new(disk.volume_mut(), model, depth)
        .before(witness.as_deref_mut())
        .run(changes)?;
    let stats = *disk.volume().stats();
    let ended = disk.unmount();
    if let Some(witness) = &mut witness {
        witness.look(model);
    }
    match ended {
        Ok(_) => {
            model.flushed();
            Ok(stats)
        }
        Err((_, Error::Nand(NandErrorKind::PowerLost))) => Err(PowerLost),
        Err((_, error)) => panic!("unmount: {error}"),
    }
}
