//! An aged image, edited; then used like a disk.
//!
//! An input chooses an image, edits of it, and what a host does then. What must hold:
//!
//! * Nothing panics, and every call ends after a bounded number of operations on the part.
//! * A sector reads as a version that was once written to it, or as an error, unless an edit forged sector data.
//! * If no edit forged anything, what was written and acknowledged since then is not lost: it reads as it was written, or as an error.

pub mod edit;
mod host;
pub mod image;

use crate::input::Input;

use host::Host;
use image::Image;

/// Runs a host on an edited image.
pub fn mount(data: &[u8]) {
    let mut input = Input(data);
    let image = Image::chosen(&mut input);
    let mut rig = image.rig();
    let forged = edit::edit(&mut rig.nand, image, &mut input);
    // What is forged may make a volume program what it should not; that is between it and the part then.
    rig.nand.set_strict(forged == edit::Forged::Nothing);
    Host::new(rig, image.model.clone(), forged).run(&mut input);
}
