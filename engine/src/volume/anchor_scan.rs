//! Finding the newest checkpoint: by looking at the first blocks of the part, then along the rings that an anchor names.

use cuesta_hal::{BlockAddress, Buffer, Geometry, Nand, NandErrorKind, PageAddress};
use heapless::Vec;

use super::anchor::{anchor_place, Head, CONFIRMING, OPENING};
use super::error::MountError;
use super::io::{self, HEADER_READS};
use super::parameter_error::ParameterError;
use super::parameters::{
    default_sector_bytes, width_fits, Parameters, ANCHOR_PREFIX, FORMAT_VERSION, RINGS_MAX,
    RING_BLOCKS_MAX,
};
use super::quota::Quota;
use super::read::TRIES_MAX;
use super::ring::RINGS_LEAST;
use crate::codec::crc::Seed;
use crate::codec::header::{FLAG_ATTEMPT, FLAG_FORMATTING};
use crate::codec::{Header, HeaderState, Kind, PageLayout};

/// A checkpoint, or the start of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub sequence: u32,
    pub ring: u8,
    pub slot: u8,
    /// Page of the place at which it starts.
    pub page: u32,
}

/// The trace of an attempt to begin a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Number of the checkpoint that would have committed it.
    pub sequence: u32,
    pub ring: u8,
    /// The place it opens.
    pub slot: u8,
    /// The program of the opening page was finished, as far as can be told.
    pub confirmed: bool,
}

/// What is known of the anchors.
#[derive(Debug)]
pub(super) struct Anchors {
    pub head: Head,
    /// Newest first.
    pub starts: Vec<Start, STARTS_MAX>,
    /// Largest number of a checkpoint that anyone began.
    pub sequence: u32,
    /// Latest log time of an opening page.
    pub time: u64,
    /// The place of each ring that was opened last; none where nothing of the ring can be read.
    pub opened: [Option<u8>; RINGS_MAX],
    /// Places of each ring that were opened since the format.
    pub openings: [u32; RINGS_MAX],
    /// The traces of attempts to begin a session.
    pub attempts: Vec<Attempt, { RINGS_MAX * RING_BLOCKS_MAX }>,
}

impl Anchors {
    /// Anchors that nothing is known of yet.
    pub fn unknown(geometry: &Geometry) -> Self {
        Self {
            head: Head::lost(geometry, Parameters::NONE),
            starts: Vec::new(),
            sequence: 0,
            time: 0,
            opened: [None; RINGS_MAX],
            openings: [0; RINGS_MAX],
            attempts: Vec::new(),
        }
    }

    /// Forgets all that is known, but for this head.
    pub fn clear(&mut self, head: Head) {
        self.head = head;
        self.starts.clear();
        self.sequence = 0;
        self.time = 0;
        self.opened = [None; RINGS_MAX];
        self.openings = [0; RINGS_MAX];
        self.attempts.clear();
    }

    fn add(&mut self, start: Start) {
        let newer = |other: &Start| other.sequence >= start.sequence;
        let at = self.starts.partition_point(newer);
        let _ = self.starts.insert(at, start);
    }
}

/// Checkpoints that are looked at in all places: two in each.
const STARTS_MAX: usize = 2 * RINGS_MAX * RING_BLOCKS_MAX;

/// Blocks of a die that anchors may be in.
pub(super) const fn probe_blocks(geometry: &Geometry) -> u32 {
    let more = 2 * RING_BLOCKS_MAX as u32;
    let blocks = geometry.bad_blocks_max_per_die.saturating_add(more);
    if blocks < geometry.blocks_per_die {
        blocks
    } else {
        geometry.blocks_per_die
    }
}

/// Block `number`, counted die by die.
pub(super) const fn block_of(geometry: &Geometry, number: u32) -> BlockAddress {
    BlockAddress::new(
        (number / geometry.blocks_per_die) as u16,
        number % geometry.blocks_per_die,
    )
}

/// The dies that may hold anchors.
pub(super) const fn anchor_dies(geometry: &Geometry) -> u16 {
    if geometry.dies < RINGS_MAX as u16 {
        geometry.dies
    } else {
        RINGS_MAX as u16
    }
}

/// Reads the header of an anchor page, so many `times` at most until there is one.
fn start_at<N: Nand>(
    nand: &mut N,
    layout: &PageLayout,
    page: PageAddress,
    times: u8,
) -> Result<HeaderState, NandErrorKind> {
    let place = anchor_place(nand.geometry(), page, layout.units());
    let header = |nand: &mut N| io::read(nand, page, layout.header_columns());
    let mut state = HeaderState::Bad;
    io::read_until(nand, times, header, |nand| {
        state = layout.read_header(nand.buffer(page.die(), Buffer::First), 0, place);
        matches!(state, HeaderState::Valid(_)).then_some(())
    })?;
    Ok(state)
}

/// Reads and checks an anchor page into the buffer of its die; true when it is page `id` of checkpoint `sequence`.
pub(super) fn read_anchor<N: Nand>(
    nand: &mut N,
    layout: &PageLayout,
    page: PageAddress,
    id: u32,
    sequence: Option<u32>,
) -> Result<bool, NandErrorKind> {
    let place = anchor_place(nand.geometry(), page, layout.units());
    let is_meant = |header: &Header| {
        header.kind == Kind::Anchor
            && header.id == id
            && sequence.is_none_or(|sequence| header.birth == sequence)
    };
    let whole = |nand: &mut N| io::read(nand, page, layout.page_columns());
    let read = io::read_until(nand, TRIES_MAX, whole, |nand| {
        let buffer = nand.buffer_mut(page.die(), Buffer::First);
        let mut units = 0..layout.units();
        let good = units.all(|unit| {
            let seed = Seed {
                volume: 0,
                place: place + unit,
            };
            let decoded = layout.decode_unit(buffer, unit, seed);
            decoded.is_ok_and(|(header, _)| is_meant(&header))
        });
        good.then_some(())
    });
    Ok(read?.is_some())
}

/// What the probed blocks looked like, if no anchor was found.
#[derive(Debug, Default)]
struct Looks {
    erased: u32,
    ours: u32,
    other: u32,
}

/// Finds the anchors. They are filled in where the caller has them, as they are kilobytes; after an error they say nothing.
pub(super) fn find<N: Nand>(nand: &mut N, anchors: &mut Anchors) -> Result<(), MountError> {
    let geometry = *nand.geometry();
    geometry
        .validate()
        .map_err(|error| MountError::Parameters(ParameterError::Geometry(error)))?;
    let layout = PageLayout::new(&geometry, default_sector_bytes(&geometry))
        .map_err(|error| MountError::Parameters(ParameterError::Layout(error)))?;
    io::quiesce(nand);
    let mut looks = Looks::default();
    for die in 0..anchor_dies(&geometry) {
        for block in 0..probe_blocks(&geometry) {
            let page = BlockAddress::new(die, block).page(0);
            match start_at(nand, &layout, page, HEADER_READS)? {
                HeaderState::Valid(header)
                    if header.kind == Kind::Anchor && header.id == OPENING =>
                {
                    looks.ours += 1;
                    if !read_anchor(nand, &layout, page, OPENING, None)? {
                        continue;
                    }
                    if header.flags & FLAG_FORMATTING != 0 {
                        return Err(MountError::HalfFormatted);
                    }
                    let payload =
                        &nand.buffer(page.die(), Buffer::First)[..layout.page_bytes() as usize];
                    match Head::version(payload) {
                        Some(found) if found != FORMAT_VERSION => {
                            return Err(MountError::Version {
                                found,
                                supported: FORMAT_VERSION,
                            });
                        }
                        _ => {}
                    }
                    if let Some(head) = Head::decode(payload) {
                        anchors.clear(head);
                        return along_rings(nand, &layout, &geometry, anchors);
                    }
                }
                HeaderState::Valid(_) => looks.ours += 1,
                HeaderState::Erased if looks_erased(nand, &layout, page)? => looks.erased += 1,
                HeaderState::Erased => looks.other += 1,
                HeaderState::Bad => {
                    let place = page_place_narrow(&geometry, page, layout.units());
                    let buffer = nand.buffer(page.die(), Buffer::First);
                    if matches!(layout.read_header(buffer, 0, place), HeaderState::Valid(_)) {
                        looks.ours += 1;
                    } else {
                        looks.other += 1;
                    }
                }
            }
        }
    }
    Err(match looks {
        Looks { ours: 1.., .. } => MountError::Damaged,
        Looks { other: 0, .. } => MountError::Blank,
        _ => MountError::Foreign,
    })
}

/// True when a format was begun and not finished.
pub(super) fn half_formatted<N: Nand>(nand: &mut N) -> Result<bool, NandErrorKind> {
    let geometry = *nand.geometry();
    let Ok(layout) = PageLayout::new(&geometry, default_sector_bytes(&geometry)) else {
        return Ok(false);
    };
    for die in 0..anchor_dies(&geometry) {
        for block in 0..probe_blocks(&geometry) {
            let page = BlockAddress::new(die, block).page(0);
            match start_at(nand, &layout, page, HEADER_READS)? {
                HeaderState::Valid(header)
                    if header.kind == Kind::Anchor
                        && header.id == OPENING
                        && header.flags & FLAG_FORMATTING != 0 =>
                {
                    return Ok(true);
                }
                _ => {}
            }
        }
    }
    Ok(false)
}

/// The place of a page of sector data or journal in segments one block wide.
fn page_place_narrow(geometry: &Geometry, page: PageAddress, units: u32) -> u32 {
    let segment = page.block.block.0 * u32::from(geometry.dies) + u32::from(page.block.die.0);
    (segment * u32::from(geometry.pages_per_block) + u32::from(page.page.0)) * units
}

/// True when the main area of a page is erased too, but for a few bits.
fn looks_erased<N: Nand>(
    nand: &mut N,
    layout: &PageLayout,
    page: PageAddress,
) -> Result<bool, NandErrorKind> {
    io::read(nand, page, layout.page_columns())?;
    let main = &nand.buffer(page.die(), Buffer::First)[..layout.page_bytes() as usize];
    let zeros: u32 = main.iter().map(|byte| byte.count_zeros()).sum();
    Ok(zeros <= layout.page_bytes() / 64)
}

fn along_rings<N: Nand>(
    nand: &mut N,
    layout: &PageLayout,
    geometry: &Geometry,
    anchors: &mut Anchors,
) -> Result<(), MountError> {
    let found = &anchors.head;
    if found.dies != geometry.dies
        || found.blocks_per_die != geometry.blocks_per_die
        || found.pages_per_block != geometry.pages_per_block
        || found.page_bytes != geometry.page_bytes
        || found.spare_bytes != geometry.spare_bytes
        || found.parameters.sector_bytes != layout.sector_bytes()
        || !found.parameters.are_possible()
        || !width_fits(geometry, found.parameters.width())
    {
        return Err(MountError::Geometry);
    }
    let quota = Quota::new(geometry, &found.parameters).map_err(MountError::Parameters)?;
    if !found.parameters.fit(&quota) {
        return Err(MountError::Parameters(ParameterError::Capacity {
            asked: found.parameters.capacity,
            max: quota.capacity_max,
        }));
    }
    for ring in 0..anchors.head.rings.len() as u8 {
        look_into_ring(nand, layout, &quota, anchors, ring)?;
    }
    let newest = anchors.starts.first().map_or(0, |start| start.sequence);
    anchors.sequence = anchors.sequence.max(newest);
    Ok(())
}

/// Notes the opening page and the newest checkpoints of each place of a ring.
fn look_into_ring<N: Nand>(
    nand: &mut N,
    layout: &PageLayout,
    quota: &Quota,
    anchors: &mut Anchors,
    ring: u8,
) -> Result<(), NandErrorKind> {
    let geometry = *nand.geometry();
    let blocks = anchors.head.rings[usize::from(ring)].clone();
    // Two rings have traces in the first alone.
    let has_traces = ring == 0 || anchors.head.rings.len() > RINGS_LEAST;
    let mut newest_opening = None;
    for slot in 0..(blocks.len() as u32 / quota.blocks_per_slot) as u8 {
        let page_of = |at| ring_page(&geometry, &blocks, quota.blocks_per_slot, slot, at);
        if let Some(page) = page_of(0) {
            match start_at(nand, layout, page, HEADER_READS)? {
                HeaderState::Valid(header)
                    if header.kind == Kind::Anchor && header.id == OPENING =>
                {
                    anchors.sequence = anchors.sequence.max(header.birth);
                    anchors.time = anchors.time.max(header.time);
                    if let Some(openings) = anchors.openings.get_mut(usize::from(ring)) {
                        *openings = header.erases.max(*openings);
                    }
                    if header.flags & FLAG_ATTEMPT != 0 && has_traces {
                        let _ = anchors.attempts.push(Attempt {
                            sequence: header.birth,
                            ring,
                            slot,
                            confirmed: is_confirmed(nand, layout, page.block.page(1))?,
                        });
                    }
                    if newest_opening.is_none_or(|newest| (header.birth, header.time) > newest) {
                        newest_opening = Some((header.birth, header.time));
                        anchors.opened[usize::from(ring)] = Some(slot);
                    }
                }
                _ => {}
            }
        }
        let newest = newest_start(nand, layout, quota, page_of)?;
        if let Some((sequence, page)) = newest {
            let start = Start {
                sequence,
                ring,
                slot,
                page,
            };
            anchors.add(start);
            if page >= ANCHOR_PREFIX + quota.checkpoint_pages {
                // The one before, in case this one is not complete.
                anchors.add(Start {
                    sequence: sequence.wrapping_sub(1),
                    page: page - quota.checkpoint_pages,
                    ..start
                });
            }
        }
    }
    Ok(())
}

/// The number of the last checkpoint that was begun in a place, and the page at which it starts.
fn newest_start<N: Nand>(
    nand: &mut N,
    layout: &PageLayout,
    quota: &Quota,
    page_of: impl Fn(u32) -> Option<PageAddress>,
) -> Result<Option<(u32, u32)>, NandErrorKind> {
    let rows = u32::from(nand.geometry().pages_per_block);
    let fit = (quota.blocks_per_slot * rows - ANCHOR_PREFIX) / quota.checkpoint_pages;
    let fit = fit.max(1);
    let mut start = |index: u32, times: u8| {
        let at = ANCHOR_PREFIX + index * quota.checkpoint_pages;
        let Some(page) = page_of(at).filter(|_| index < fit) else {
            return Ok(None);
        };
        Ok(match start_at(nand, layout, page, times)? {
            HeaderState::Valid(header) if header.kind == Kind::Anchor && header.id == 0 => {
                Some((header.birth, at))
            }
            _ => None,
        })
    };
    // Valid starts are a prefix: halve. What ends it is read once more.
    let mut newest = start(0, HEADER_READS)?;
    let mut low = u32::from(newest.is_some());
    while newest.is_some() {
        let mut high = fit;
        while low < high {
            let middle = (low + high) / 2;
            match start(middle, 1)? {
                None => high = middle,
                found => {
                    newest = found;
                    low = middle + 1;
                }
            }
        }
        match start(low, 1)? {
            None => break,
            found => {
                newest = found;
                low += 1;
            }
        }
    }
    Ok(newest)
}

/// True when the page behind an opening page is there.
fn is_confirmed<N: Nand>(
    nand: &mut N,
    layout: &PageLayout,
    page: PageAddress,
) -> Result<bool, NandErrorKind> {
    Ok(match start_at(nand, layout, page, HEADER_READS)? {
        HeaderState::Valid(header) => header.kind == Kind::Anchor && header.id == CONFIRMING,
        HeaderState::Erased | HeaderState::Bad => false,
    })
}

/// The `at`-th page of a place in a ring.
fn ring_page(
    geometry: &Geometry,
    ring: &[u32],
    blocks_per_slot: u32,
    slot: u8,
    at: u32,
) -> Option<PageAddress> {
    // Never 0, which the compiler cannot know.
    let rows = u32::from(geometry.pages_per_block).max(1);
    let number = *ring.get((u32::from(slot) * blocks_per_slot + at / rows) as usize)?;
    if number >= geometry.blocks() {
        return None;
    }
    Some(block_of(geometry, number).page((at % rows) as u16))
}
