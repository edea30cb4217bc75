//! Every error can be handed up as a boxed one, as the programs of other people do, and still says what was found.

use std::error::Error;

use cuesta::codec::crc::Seed;
use cuesta::codec::{Ecc, PageLayout};
use cuesta::door::Disk;
use cuesta::volume::{Budget, FormatOptions, Parameters, Plan, Sector, Volume};
use cuesta_hal::{BlockAddress, Nand, NandError};
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::EmulatedNand;

type Outcome = Result<(), Box<dyn Error>>;

/// What must be found in the message, and a way into the error.
type Case = (&'static str, fn() -> Outcome);

fn tiny() -> Result<(EmulatedNand, Parameters, OwnedMemory), Box<dyn Error>> {
    let nand = EmulatedNand::of("tiny")?;
    let parameters = Parameters::choose(nand.geometry(), &FormatOptions::default())?;
    let own = size_of::<Volume<'_, &mut EmulatedNand>>();
    let plan = Plan::new(nand.geometry(), &parameters, Budget::Minimum, 1, own)??;
    let memory = OwnedMemory::new(&plan);
    Ok((nand, parameters, memory))
}

const CASES: [Case; 10] = [
    ("0 data classes asked for, 1 to 8", || {
        let options = FormatOptions {
            classes: Some(0),
            ..FormatOptions::default()
        };
        Parameters::choose(tiny()?.0.geometry(), &options)?;
        Ok(())
    }),
    ("7 bytes of RAM are too few", || {
        let (nand, parameters, _) = tiny()?;
        Plan::new(nand.geometry(), &parameters, Budget::Bytes(7), 1, 0)??;
        Ok(())
    }),
    ("a count of the geometry is zero", || {
        let mut geometry = *tiny()?.0.geometry();
        geometry.dies = 0;
        geometry.validate()?;
        Ok(())
    }),
    ("sectors of 100 B", || {
        PageLayout::new(tiny()?.0.geometry(), 100)?;
        Ok(())
    }),
    ("the page looks erased", || {
        let nand = tiny()?.0;
        let layout = PageLayout::new(nand.geometry(), 512)?;
        let mut page = vec![0xFF; nand.geometry().raw_page_bytes() as usize];
        let seed = Seed {
            volume: 0,
            place: 0,
        };
        layout.decode_unit(&mut page, 0, seed)?;
        Ok(())
    }),
    ("more bits are wrong than the code can repair", || {
        let code = Ecc::Bch4.portable();
        code.decode(&mut [0x55; 512], &mut [0x2A; 7])?;
        Ok(())
    }),
    ("the part is blank", || {
        let (mut nand, _, mut memory) = tiny()?;
        Volume::mount(&mut nand, memory.lend())?;
        Ok(())
    }),
    ("bad blocks on a die that may have", || {
        let (_, _, mut memory) = tiny()?;
        let bad: Vec<_> = (0..8).map(|block| BlockAddress::new(0, block)).collect();
        let mut nand = EmulatedNand::builder("tiny")?.bad_blocks(&bad).build();
        Volume::format(&mut nand, memory.lend(), &FormatOptions::default())?;
        Ok(())
    }),
    ("lies beyond the end of the volume", || {
        let (mut nand, _, mut memory) = tiny()?;
        Volume::format(&mut nand, memory.lend(), &FormatOptions::default())?;
        let mut disk = Disk::new(Volume::mount(&mut nand, memory.lend())?);
        disk.write(Sector(u32::MAX), &[0; 512])?;
        Ok(())
    }),
    ("power lost", || {
        let mut nand = tiny()?.0;
        nand.cut();
        let start = nand.start_erase(BlockAddress::new(0, 0));
        start.map_err(|error| error.kind())?;
        Ok(())
    }),
];

#[test]
fn an_error_that_is_handed_up_in_a_box_still_says_what_was_found() {
    for (part, fails) in CASES {
        let told = fails().expect_err(part).to_string();
        assert!(told.contains(part), "\"{part}\" is not in \"{told}\"");
    }
}
