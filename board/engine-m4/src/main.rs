//! Runs the engine through a session, a cut, and what follows it. Prints a line, an object of JSON, for each kind of call, for which `count.c` will have reported a
//! count, with the most stack that one of them took. Ends with a status other than 0 when a sector reads as what was not written there.

#![no_std]
#![no_main]

mod codes;
mod part;
mod stack;

use core::panic::PanicInfo;

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use cuesta::door::Disk;
use cuesta::volume::{FormatOptions, Parameters, Sector, Segment, State, Volume};
use cuesta_application::Room;
use cuesta_hal::spi_nand::CHIPS;
use cuesta_hal::{Geometry, Nand};
use m4_marks as mark;
use static_cell::StaticCell;

use part::{Part, BLOCKS};

const SECTOR_BYTES: usize = 2048;

/// Sectors in use, in hundredths of the pages of the part.
const IN_USE: u32 = 70;

/// Requests of a kind that are counted.
const REQUESTS: u32 = 4000;

/// Requests that are enough where all are alike.
const A_FEW: u32 = 200;

static PART: StaticCell<Part> = StaticCell::new();
static ROOM: StaticCell<Room> = StaticCell::new();

/// Calls of one kind.
struct Calls {
    name: &'static str,
    times: u32,
    stack: u32,
}

impl Calls {
    fn of(name: &'static str) -> Self {
        Self {
            name,
            times: 0,
            stack: 0,
        }
    }

    fn call<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let (result, stack) = stack::deepest(|| mark::counted(work));
        self.times += 1;
        self.stack = self.stack.max(stack);
        result
    }

    fn report(&self) {
        mark::report();
        hprintln!(
            "{{\"call\":\"{}\",\"times\":{},\"stack\":{}}}",
            self.name,
            self.times,
            self.stack
        );
    }
}

/// What sectors hold: the number of the last write to each, in a sector's every word; 0 where there was none.
struct Model {
    marks: [u32; MARKS],
    written: u32,
    random: u32,
}

const MARKS: usize = (BLOCKS * 64) as usize;

static MODEL: StaticCell<Model> = StaticCell::new();

impl Model {
    /// xorshift32: G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003), 14.
    fn any(&mut self, below: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random % below
    }

    fn content(&mut self, sector: u32, bytes: &mut [u8; SECTOR_BYTES]) {
        self.written += 1;
        self.marks[sector as usize] = self.written;
        for word in bytes.chunks_exact_mut(4) {
            word.copy_from_slice(&self.written.to_le_bytes());
        }
    }

    fn write(&mut self, calls: &mut Calls, disk: &mut Disk<'_, &mut Part>, sector: u32) {
        let mut bytes = [0; SECTOR_BYTES];
        self.content(sector, &mut bytes);
        if let Err(error) = calls.call(|| disk.write(Sector(sector), &bytes)) {
            panic!("write: {error}");
        }
    }

    fn trim(&mut self, calls: Option<&mut Calls>, disk: &mut Disk<'_, &mut Part>, sector: u32) {
        self.marks[sector as usize] = 0;
        let mut trim = || disk.trim(Sector(sector), 1);
        let trimmed = match calls {
            Some(calls) => calls.call(trim),
            None => trim(),
        };
        if let Err(error) = trimmed {
            panic!("trim: {error}");
        }
    }

    fn read(&self, calls: &mut Calls, disk: &mut Disk<'_, &mut Part>, sector: u32) {
        let mut bytes = [0; SECTOR_BYTES];
        if let Err(error) = calls.call(|| disk.read(Sector(sector), &mut bytes)) {
            panic!("read: {error}");
        }
        let expected = self.marks[sector as usize].to_le_bytes();
        assert!(
            bytes.chunks_exact(4).all(|word| word == expected),
            "sector {sector} holds what was not written there"
        );
    }
}

fn mount<'r>(
    [probe_name, name]: [&'static str; 2],
    geometry: &Geometry,
    part: &'r mut Part,
    room: &'r mut Room,
) -> Disk<'r, &'r mut Part> {
    let mut probe = Calls::of(probe_name);
    let parameters = match probe.call(|| Volume::probe(&mut *part)) {
        Ok(parameters) => parameters,
        Err(error) => panic!("probe: {error}"),
    };
    probe.report();
    let memory = match room.lend(geometry, &parameters) {
        Ok(memory) => memory,
        Err(error) => panic!("{error}"),
    };
    let mut calls = Calls::of(name);
    let mut volume = match calls.call(|| Volume::mount(part, memory)) {
        Ok(volume) => volume,
        Err(error) => panic!("{name}: {error}"),
    };
    calls.report();
    if volume.use_codes(codes::apart).is_err() {
        panic!("codes differ");
    }
    Disk::new(volume)
}

fn unmount(name: &'static str, disk: Disk<'_, &mut Part>) {
    let mut calls = Calls::of(name);
    if let Err((_, error)) = calls.call(|| disk.unmount()) {
        panic!("unmount: {error}");
    }
    calls.report();
}

fn first_write(model: &mut Model, name: &'static str, disk: &mut Disk<'_, &mut Part>) {
    let mut calls = Calls::of(name);
    model.write(&mut calls, disk, 0);
    calls.report();
}

#[entry]
fn main() -> ! {
    mark::known();
    mark::report();
    hprintln!("{{\"known\":{}}}", mark::KNOWN);
    let room = ROOM.init_with(Room::new);
    tell_plans(room);
    life(
        PART.init_with(Part::new),
        room,
        MODEL.init_with(|| Model {
            marks: [0; MARKS],
            written: 0,
            random: 1,
        }),
    );
    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::nop();
    }
}

/// Prints what the planner asks the room for, for every part that the driver knows; the room has to be able to lend it.
fn tell_plans(room: &mut Room) {
    for chip in &CHIPS {
        let geometry = &chip.geometry;
        let parameters = match Parameters::choose(geometry, &FormatOptions::default()) {
            Ok(parameters) => parameters,
            // A build without strong codes.
            Err(_) => continue,
        };
        let lent = room.lend(geometry, &parameters).is_ok();
        match Room::plan(geometry, &parameters) {
            Ok(plan) if lent => {
                hprintln!("{{\"part\":\"{}\",\"plan\":{}}}", chip.name, plan.bytes())
            }
            _ => panic!("no room for {}", chip.name),
        }
    }
}

fn life(part: &mut Part, room: &mut Room, model: &mut Model) {
    let geometry = *part.geometry();
    let in_use = BLOCKS * u32::from(geometry.pages_per_block) * IN_USE / 100;
    let options = FormatOptions::default();
    let parameters = match Parameters::choose(&geometry, &options) {
        Ok(parameters) => parameters,
        Err(error) => panic!("parameters: {error}"),
    };
    assert!(in_use <= parameters.capacity, "too small a disk");
    let memory = match room.lend(&geometry, &parameters) {
        Ok(memory) => memory,
        Err(error) => panic!("{error}"),
    };
    let mut calls = Calls::of("format");
    if let Err(error) = calls.call(|| Volume::format(&mut *part, memory, &options)) {
        panic!("format: {error}");
    }
    calls.report();

    let mut disk = mount(["probe, empty", "mount, empty"], &geometry, part, room);
    first_write(model, "first write after an end", &mut disk);
    let mut calls = Calls::of("write, filling in order");
    for sector in 0..in_use {
        model.write(&mut calls, &mut disk, sector);
    }
    calls.report();
    // What comes before is a disk that is not like one in use.
    let mut calls = Calls::of("write, warming up");
    for _ in 0..in_use {
        let sector = model.any(in_use);
        model.write(&mut calls, &mut disk, sector);
    }
    calls.report();
    let mut calls = Calls::of("write, at random");
    for _ in 0..REQUESTS {
        let sector = model.any(in_use);
        model.write(&mut calls, &mut disk, sector);
    }
    calls.report();
    let mut calls = Calls::of("read, at random");
    for _ in 0..REQUESTS {
        let sector = model.any(in_use);
        model.read(&mut calls, &mut disk, sector);
    }
    calls.report();
    let mut calls = Calls::of("read, in order");
    for sector in 0..REQUESTS {
        model.read(&mut calls, &mut disk, sector);
    }
    calls.report();
    let mut calls = Calls::of("trim");
    for sector in 0..A_FEW {
        model.trim(Some(&mut calls), &mut disk, sector);
    }
    calls.report();
    let mut calls = Calls::of("flush, after a trim");
    for sector in A_FEW..2 * A_FEW {
        model.trim(None, &mut disk, sector);
        if let Err(error) = calls.call(|| disk.flush()) {
            panic!("flush: {error}");
        }
    }
    calls.report();
    let mut calls = Calls::of("idle");
    let free = disk.volume().info().free + 4;
    for _ in 0..REQUESTS {
        if let Err(error) = calls.call(|| disk.idle(free, 1)) {
            panic!("idle: {error}");
        }
    }
    calls.report();
    unmount("unmount, after writes", disk);

    let mut disk = mount(
        ["probe, after an end", "mount, after an end"],
        &geometry,
        part,
        room,
    );
    first_write(model, "first write after an end, full", &mut disk);
    let mut calls = Calls::of("write, before a cut");
    for _ in 0..A_FEW {
        let sector = model.any(in_use);
        model.write(&mut calls, &mut disk, sector);
    }
    let _cut = disk.into_volume().abandon();
    calls.report();

    let mut disk = mount(
        ["probe, after a cut", "mount, after a cut"],
        &geometry,
        part,
        room,
    );
    let mut calls = Calls::of("read, before a change");
    for sector in 0..in_use {
        model.read(&mut calls, &mut disk, sector);
    }
    calls.report();
    first_write(model, "first write after a cut", &mut disk);
    let mut calls = Calls::of("verify");
    let verified = calls.call(|| disk.volume_mut().verify(&mut |_| {}, &mut |_, _| {}));
    match verified {
        Ok(verified) => assert!(verified.findings == 0, "verify: {verified:?}"),
        Err(error) => panic!("verify: {error}"),
    }
    calls.report();
    let shape = *disk.volume().shape();
    let mut rings = [None; 16];
    let reserved = (0..shape.segments).filter(|&index| {
        let segment = disk.volume().segment_info(index);
        segment.is_some_and(|segment| matches!(segment.state, State::Reserved))
    });
    for (ring, index) in rings.iter_mut().zip(reserved) {
        *ring = Some(Segment(index));
    }
    let _cut = disk.into_volume().abandon();
    for segment in rings.into_iter().flatten() {
        (0..shape.width()).for_each(|column| part.spoil(shape.block(segment, column)));
    }

    let mut disk = mount(
        ["probe, without checkpoints", "mount, without checkpoints"],
        &geometry,
        part,
        room,
    );
    first_write(model, "first write without checkpoints", &mut disk);
    unmount("unmount, after a recovery", disk);
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::nop();
    }
}
