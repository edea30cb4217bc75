//! The exported functions. What each does is said in the header; here pointers are checked and the engine is called.
//!
//! Of all of them holds: pointers are null, or of the type that the header names and valid through the call; a disk is one that `cuesta_mount` has given and
//! that was not ended since.

use core::ffi::{c_char, c_void, CStr};
use core::mem::size_of;
use core::ptr::NonNull;
use core::slice;

use cuesta::codec::PageLayout;
use cuesta::hal::{Geometry, Nand};
use cuesta::volume::{
    Budget, Error, FormatOptions, Level, LevelIndex, Parameters, Plan, Sector, Ticket, Volume,
    WriteOptions, LEVELS_MAX,
};

use crate::arena::{Arena, SLACK};
use crate::description::{
    of_error, of_format_error, of_mount_error, text, CEvent, CGeometry, CInfo, COptions, Status,
    INVALID, MEMORY, OK, PARAMETERS, WOULD_BLOCK,
};
use crate::part::{CNand, Part};

/// `cuesta`: a volume at the beginning of the memory that it was mounted in.
type Disk = Volume<'static, Part>;

/// A function whose failure is a status.
fn status(run: impl FnOnce() -> Result<(), Status>) -> Status {
    run().err().unwrap_or(OK)
}

fn failed(error: nb::Error<Error>) -> Status {
    match error {
        nb::Error::WouldBlock => WOULD_BLOCK,
        nb::Error::Other(error) => of_error(error),
    }
}

/// Submits a request and hands its ticket out.
unsafe fn submit(
    disk: *mut Disk,
    ticket: *mut u32,
    request: impl FnOnce(&mut Disk) -> nb::Result<Ticket, Error>,
) -> Status {
    status(|| {
        // SAFETY: see the top.
        let (disk, ticket) = unsafe { (disk.as_mut(), ticket.as_mut()) };
        let (disk, ticket) = (disk.ok_or(INVALID)?, ticket.ok_or(INVALID)?);
        let Ticket(number) = request(disk).map_err(failed)?;
        *ticket = number;
        Ok(())
    })
}

/// The sector at a pointer.
unsafe fn sector_at(disk: &Disk, data: *const c_void) -> Option<&'static [u8]> {
    // SAFETY: the header asks for as many bytes as a sector has.
    (!data.is_null())
        .then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), disk.sector_bytes()) })
}

/// Calls with the options of a format.
unsafe fn with_options<T>(
    geometry: &Geometry,
    options: *const COptions,
    call: impl FnOnce(&FormatOptions<'_>) -> Result<T, Status>,
) -> Result<T, Status> {
    // SAFETY: see the top.
    let Some(given) = (unsafe { options.as_ref() }) else {
        return call(&FormatOptions::default());
    };
    let ecc = PageLayout::required(geometry).map_err(|_| PARAMETERS)?;
    let mut levels = [Level::plain(ecc); LEVELS_MAX];
    let levels = (levels.get_mut(..given.level_count as usize)).ok_or(PARAMETERS)?;
    if given.levels.is_null() && !levels.is_empty() {
        return Err(INVALID);
    }
    for (index, level) in levels.iter_mut().enumerate() {
        // SAFETY: there are so many texts.
        let words: *const c_char = unsafe { *given.levels.add(index) };
        if words.is_null() {
            return Err(INVALID);
        }
        // SAFETY: a text ends with a zero.
        let words = unsafe { CStr::from_ptr(words) };
        let words = words.to_str().map_err(|_| INVALID)?;
        *level = Level::parse(words, ecc).map_err(|_| PARAMETERS)?;
    }
    call(&FormatOptions {
        volume_id: given.volume_id,
        capacity: (given.capacity != 0).then_some(given.capacity),
        levels,
        ..FormatOptions::default()
    })
}

/// The memory of a volume in so many bytes of the caller's.
fn plan(
    geometry: &Geometry,
    parameters: &Parameters,
    budget: Budget,
    reads: u32,
) -> Result<Plan, Status> {
    Plan::new(geometry, parameters, budget, reads as usize, 0)
        .map_err(|_| PARAMETERS)?
        .map_err(|_| MEMORY)
}

/// Bytes of the caller's that a volume takes with this plan.
fn bytes_of(plan: &Plan) -> usize {
    plan.bytes() + size_of::<Disk>() + SLACK
}

/// Page buffers, which a plan counts and the caller has elsewhere.
fn buffer_bytes(geometry: &Geometry) -> usize {
    geometry.raw_page_bytes() as usize
        * usize::from(geometry.dies)
        * usize::from(geometry.buffers_per_die)
}

unsafe fn part_of(nand: *const CNand) -> Result<Part, Status> {
    // SAFETY: see the top.
    let table = unsafe { nand.as_ref() }.ok_or(INVALID)?;
    // SAFETY: the functions are the caller's word.
    unsafe { Part::new(table) }.ok_or(INVALID)
}

/// `cuesta_status_text`
#[unsafe(no_mangle)]
pub extern "C" fn cuesta_status_text(status: Status) -> *const c_char {
    text(status).as_ptr()
}

/// `cuesta_format_bytes`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_format_bytes(
    geometry: *const CGeometry,
    options: *const COptions,
    bytes: *mut usize,
) -> Status {
    status(|| {
        // SAFETY: see the top.
        let (geometry, bytes) = unsafe { (geometry.as_ref(), bytes.as_mut()) };
        let (geometry, bytes) = (geometry.ok_or(INVALID)?, bytes.ok_or(INVALID)?);
        let geometry = geometry.geometry().ok_or(INVALID)?;
        // SAFETY: see the top.
        *bytes = unsafe {
            with_options(&geometry, options, |options| {
                let parameters = Parameters::choose(&geometry, options).map_err(|_| PARAMETERS)?;
                let plan = plan(&geometry, &parameters, Budget::Minimum, 1)?;
                Ok(plan.bytes() + SLACK)
            })?
        };
        Ok(())
    })
}

/// `cuesta_format`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_format(
    nand: *const CNand,
    options: *const COptions,
    memory: *mut c_void,
    bytes: usize,
) -> Status {
    status(|| {
        // SAFETY: see the top.
        let part = unsafe { part_of(nand)? };
        let memory = NonNull::new(memory.cast::<u8>()).ok_or(INVALID)?;
        let geometry = *part.geometry();
        // SAFETY: see the top; the memory is the caller's again when the format has ended.
        unsafe {
            with_options(&geometry, options, |options| {
                let parameters = Parameters::choose(&geometry, options).map_err(|_| PARAMETERS)?;
                let plan = plan(&geometry, &parameters, Budget::Minimum, 1)?;
                let memory = Arena::new(memory, bytes).cut(&plan).ok_or(MEMORY)?;
                Volume::format(part, memory, options).map_err(of_format_error)?;
                Ok(())
            })
        }
    })
}

/// `cuesta_mount_bytes`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_mount_bytes(
    nand: *const CNand,
    reads: u32,
    least: *mut usize,
    most: *mut usize,
) -> Status {
    status(|| {
        // SAFETY: see the top.
        let (least, most) = unsafe { (least.as_mut(), most.as_mut()) };
        let (least, most) = (least.ok_or(INVALID)?, most.ok_or(INVALID)?);
        // SAFETY: see the top.
        let mut part = unsafe { part_of(nand)? };
        let parameters = Volume::probe(&mut part).map_err(of_mount_error)?;
        let plan = |budget| plan(part.geometry(), &parameters, budget, reads);
        *least = bytes_of(&plan(Budget::Minimum)?);
        *most = bytes_of(&plan(Budget::Full)?);
        Ok(())
    })
}

/// `cuesta_mount`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_mount(
    nand: *const CNand,
    reads: u32,
    memory: *mut c_void,
    bytes: usize,
    disk: *mut *mut Disk,
) -> Status {
    status(|| {
        // SAFETY: see the top.
        let disk = unsafe { disk.as_mut() }.ok_or(INVALID)?;
        let memory = NonNull::new(memory.cast::<u8>()).ok_or(INVALID)?;
        // SAFETY: see the top.
        let mut part = unsafe { part_of(nand)? };
        let parameters = Volume::probe(&mut part).map_err(of_mount_error)?;
        // SAFETY: the caller has given the memory away.
        let mut arena = unsafe { Arena::new(memory, bytes) };
        let place = arena.room::<Disk>(1).ok_or(MEMORY)?;
        let geometry = *part.geometry();
        let spare = bytes.checked_sub(size_of::<Disk>() + SLACK).ok_or(MEMORY)?;
        let budget = Budget::Bytes(spare + buffer_bytes(&geometry));
        let plan = plan(&geometry, &parameters, budget, reads)?;
        let memory = arena.cut(&plan).ok_or(MEMORY)?;
        let volume = Volume::mount(part, memory).map_err(of_mount_error)?;
        // SAFETY: the place is large enough, aligned and nobody else's.
        unsafe { place.write(volume) };
        *disk = place.as_ptr();
        Ok(())
    })
}

/// `cuesta_unmount`
///
/// # Safety
/// See the top of the module; the disk is none afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_unmount(disk: *mut Disk) -> Status {
    status(|| {
        let disk = NonNull::new(disk).ok_or(INVALID)?;
        // SAFETY: nobody reads it from there again.
        let volume = unsafe { disk.read() };
        volume.unmount().map_err(|(_, error)| of_error(error))?;
        Ok(())
    })
}

/// `cuesta_abandon`
///
/// # Safety
/// See the top of the module; the disk is none afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_abandon(disk: *mut Disk) {
    if let Some(disk) = NonNull::new(disk) {
        // SAFETY: nobody reads it from there again.
        let _ = unsafe { disk.read() }.abandon();
    }
}

/// `cuesta_get_info`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_get_info(disk: *const Disk, info: *mut CInfo) -> Status {
    status(|| {
        // SAFETY: see the top.
        let (disk, out) = unsafe { (disk.as_ref(), info.as_mut()) };
        let (disk, out) = (disk.ok_or(INVALID)?, out.ok_or(INVALID)?);
        let info = disk.info();
        *out = CInfo {
            capacity: disk.capacity(),
            sector_bytes: disk.sector_bytes() as u32,
            mapped: info.mapped,
            bad_blocks: info.bad_blocks,
            wear_min: info.wear_min,
            wear_max: info.wear_max,
            batch_max: disk.batch_max() as u32,
            clean: info.clean.into(),
            read_only: info.read_only.into(),
        };
        Ok(())
    })
}

/// `cuesta_submit_write`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_submit_write(
    disk: *mut Disk,
    sector: u32,
    data: *const c_void,
    ticket: *mut u32,
) -> Status {
    // SAFETY: the same.
    unsafe { cuesta_submit_write_at(disk, sector, data, 0, ticket) }
}

/// `cuesta_submit_write_at`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_submit_write_at(
    disk: *mut Disk,
    sector: u32,
    data: *const c_void,
    level: u32,
    ticket: *mut u32,
) -> Status {
    if data.is_null() {
        return INVALID;
    }
    let level = LevelIndex(level.try_into().unwrap_or(u8::MAX));
    // SAFETY: see the top.
    unsafe {
        submit(disk, ticket, |disk| {
            let data = sector_at(disk, data).unwrap_or(&[]);
            disk.submit_write_with(Sector(sector), data, WriteOptions::from(level))
        })
    }
}

/// `cuesta_submit_read`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_submit_read(
    disk: *mut Disk,
    sector: u32,
    ticket: *mut u32,
) -> Status {
    // SAFETY: see the top.
    unsafe { submit(disk, ticket, |disk| disk.submit_read(Sector(sector))) }
}

/// `cuesta_submit_trim`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_submit_trim(
    disk: *mut Disk,
    first: u32,
    count: u32,
    ticket: *mut u32,
) -> Status {
    // SAFETY: see the top.
    unsafe { submit(disk, ticket, |disk| disk.submit_trim(Sector(first), count)) }
}

/// `cuesta_submit_flush`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_submit_flush(disk: *mut Disk, ticket: *mut u32) -> Status {
    // SAFETY: see the top.
    unsafe { submit(disk, ticket, Volume::submit_flush) }
}

/// `cuesta_begin_batch`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_begin_batch(disk: *mut Disk) -> Status {
    status(|| {
        // SAFETY: see the top.
        let disk = unsafe { disk.as_mut() }.ok_or(INVALID)?;
        disk.begin_batch().map_err(failed)
    })
}

/// `cuesta_submit_batch_write`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_submit_batch_write(
    disk: *mut Disk,
    sector: u32,
    data: *const c_void,
    ticket: *mut u32,
) -> Status {
    if data.is_null() {
        return INVALID;
    }
    // SAFETY: see the top.
    unsafe {
        submit(disk, ticket, |disk| {
            let data = sector_at(disk, data).unwrap_or(&[]);
            disk.submit_batch_write(Sector(sector), data)
        })
    }
}

/// `cuesta_submit_commit`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_submit_commit(disk: *mut Disk, ticket: *mut u32) -> Status {
    // SAFETY: see the top.
    unsafe { submit(disk, ticket, Volume::submit_commit) }
}

/// `cuesta_abort_batch`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_abort_batch(disk: *mut Disk) {
    // SAFETY: see the top.
    if let Some(disk) = unsafe { disk.as_mut() } {
        disk.abort_batch();
    }
}

/// `cuesta_poll`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_poll(disk: *mut Disk, event: *mut CEvent) -> Status {
    status(|| {
        if event.is_null() {
            return Err(INVALID);
        }
        // SAFETY: see the top.
        let disk = unsafe { disk.as_mut() }.ok_or(INVALID)?;
        // SAFETY: not null; it may be memory that nobody has written yet.
        unsafe { event.write(disk.poll().into()) };
        Ok(())
    })
}

/// `cuesta_wait`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_wait(disk: *mut Disk) {
    // SAFETY: see the top.
    if let Some(disk) = unsafe { disk.as_mut() } {
        disk.wait();
    }
}

/// `cuesta_idle`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_idle(disk: *mut Disk, free: u32, more: *mut u32) -> Status {
    status(|| {
        // SAFETY: see the top.
        let (disk, more) = unsafe { (disk.as_mut(), more.as_mut()) };
        let (disk, more) = (disk.ok_or(INVALID)?, more.ok_or(INVALID)?);
        *more = disk.idle(free).map_err(of_error)?.into();
        Ok(())
    })
}

/// `cuesta_time_passed`
///
/// # Safety
/// See the top of the module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuesta_time_passed(disk: *mut Disk) {
    // SAFETY: see the top.
    if let Some(disk) = unsafe { disk.as_mut() } {
        disk.time_passed();
    }
}
