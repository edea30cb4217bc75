//! What the engine decodes for itself: payloads of pages that are otherwise whole, by a mount of the part that holds them.

use cuesta::volume::{Sector, Volume};

use crate::input::Input;
use crate::mount::edit::forge;
use crate::mount::image::Image;

/// Sectors that are read of what was mounted.
const SECTORS: u32 = 4;

/// The same bytes in some pages of one kind; the pages' checks fit them.
pub fn payload(input: &mut Input<'_>) {
    let image = Image::chosen(input);
    let mut rig = image.rig();
    let page = image.metadata_page(input);
    let offset = input.u16();
    let alike = input.flag();
    let bytes = input.rest();
    // Where there are copies, a checkpoint is what all of them say.
    for other in image.alike(page).filter(|&other| alike || other == page) {
        forge(&mut rig.nand, image, other, |main, _| {
            let len = main.len();
            for (byte, given) in main[usize::from(offset) % len..].iter_mut().zip(bytes) {
                *byte = *given;
            }
        });
    }
    let _ = Volume::probe(&mut rig.nand);
    if let Ok(mut disk) = rig.mount() {
        let mut data = vec![0; disk.volume().sector_bytes()];
        let capacity = disk.volume().capacity();
        for sector in (0..capacity).step_by((capacity / SECTORS).max(1) as usize) {
            let _ = disk.read(Sector(sector), &mut data);
        }
        let _ = disk.volume().info();
        let _ = disk.volume().life();
    };
}
