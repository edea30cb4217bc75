//! The caller's table of functions, as a NAND.

use core::ffi::c_void;
use core::slice;

use cuesta::hal::{
    BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, NandErrorKind, PageAddress,
    ReadOutcome, ReadStatus,
};

use crate::description::{nand_error, CBlock, CColumns, CGeometry, CPage, Status, OK, WOULD_BLOCK};

/// `cuesta_nand`. Functions may be null in what a caller hands over; [`Part::new`] refuses that.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CNand {
    geometry: CGeometry,
    context: *mut c_void,
    buffer: Option<unsafe extern "C" fn(*mut c_void, u32, u32) -> *mut u8>,
    start_read:
        Option<unsafe extern "C" fn(*mut c_void, *const CPage, *const CColumns, u32) -> Status>,
    start_program: Option<unsafe extern "C" fn(*mut c_void, *const CPage, u32) -> Status>,
    start_erase: Option<unsafe extern "C" fn(*mut c_void, *const CBlock) -> Status>,
    poll: Option<unsafe extern "C" fn(*mut c_void, u32, *mut u32) -> Status>,
    wait: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// What was started on a die: the caller's poll does not say what has ended.
#[derive(Debug, Clone, Copy)]
enum Started {
    Read,
    Program,
    Erase,
}

/// Dies whose operations are kept apart.
const DIES_MAX: usize = 64;

/// A part whose functions are there.
#[derive(Debug)]
pub struct Part {
    table: CNand,
    geometry: Geometry,
    started: [Option<Started>; DIES_MAX],
}

impl Part {
    /// The part, if the table is complete and the geometry is one.
    ///
    /// # Safety
    /// The functions do what the header says, as long as the part is used.
    pub unsafe fn new(table: &CNand) -> Option<Self> {
        let complete = table.buffer.is_some()
            && table.start_read.is_some()
            && table.start_program.is_some()
            && table.start_erase.is_some()
            && table.poll.is_some();
        let geometry = table.geometry.geometry()?;
        (complete && usize::from(geometry.dies) <= DIES_MAX).then_some(Self {
            table: *table,
            geometry,
            started: [None; DIES_MAX],
        })
    }

    fn buffer_of(&self, die: Die, buffer: Buffer) -> *mut u8 {
        if die.0 >= self.geometry.dies || !self.geometry.has_buffer(buffer) {
            return core::ptr::null_mut();
        }
        match self.table.buffer {
            // SAFETY: the function and its context are the caller's word (`new`).
            Some(function) => unsafe {
                function(self.table.context, die.0.into(), buffer.index() as u32)
            },
            None => core::ptr::null_mut(),
        }
    }

    /// Notes what was started, if it was.
    fn note(&mut self, die: Die, what: Started, status: Status) -> Result<(), NandErrorKind> {
        if status != OK {
            return Err(nand_error(status));
        }
        if let Some(started) = self.started.get_mut(usize::from(die.0)) {
            *started = Some(what);
        }
        Ok(())
    }
}

impl Nand for Part {
    type Error = NandErrorKind;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        let start = self.buffer_of(die, buffer);
        if start.is_null() {
            return &[];
        }
        // SAFETY: a buffer of the part is as long as a page with its spare, and the engine's while no operation uses it.
        unsafe { slice::from_raw_parts(start, self.geometry.raw_page_bytes() as usize) }
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        let start = self.buffer_of(die, buffer);
        if start.is_null() {
            return &mut [];
        }
        // SAFETY: as above; `self` is borrowed for as long as the slice is.
        unsafe { slice::from_raw_parts_mut(start, self.geometry.raw_page_bytes() as usize) }
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), NandErrorKind> {
        if !self.geometry.has_page(page) || !columns.fits(&self.geometry) {
            return Err(NandErrorKind::OutOfBounds);
        }
        let (at, what) = (CPage::from(page), CColumns::from(columns));
        let status = match self.table.start_read {
            // SAFETY: the caller's word (`new`); the pointers live through the call.
            Some(function) => unsafe {
                function(self.table.context, &at, &what, buffer.index() as u32)
            },
            None => return Err(NandErrorKind::Other),
        };
        self.note(page.die(), Started::Read, status)
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), NandErrorKind> {
        if !self.geometry.has_page(page) {
            return Err(NandErrorKind::OutOfBounds);
        }
        let at = CPage::from(page);
        let status = match self.table.start_program {
            // SAFETY: as above.
            Some(function) => unsafe { function(self.table.context, &at, buffer.index() as u32) },
            None => return Err(NandErrorKind::Other),
        };
        self.note(page.die(), Started::Program, status)
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), NandErrorKind> {
        if !self.geometry.has_block(block) {
            return Err(NandErrorKind::OutOfBounds);
        }
        let at = CBlock::from(block);
        let status = match self.table.start_erase {
            // SAFETY: as above.
            Some(function) => unsafe { function(self.table.context, &at) },
            None => return Err(NandErrorKind::Other),
        };
        self.note(block.die, Started::Erase, status)
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, NandErrorKind> {
        let place = self.started.get_mut(usize::from(die.0));
        let Some((place, started)) = place.and_then(|place| place.map(|started| (place, started)))
        else {
            return Err(nb::Error::WouldBlock);
        };
        let mut ended = u32::MAX;
        let status = match self.table.poll {
            // SAFETY: as above.
            Some(function) => unsafe { function(self.table.context, die.0.into(), &mut ended) },
            None => return Err(nb::Error::Other(NandErrorKind::Other)),
        };
        if status == WOULD_BLOCK {
            return Err(nb::Error::WouldBlock);
        }
        *place = None;
        if status != OK {
            return Err(nb::Error::Other(nand_error(status)));
        }
        match (started, ended) {
            (Started::Read, 0) => Ok(Completion::Read(ReadStatus::Ok(ReadOutcome::RAW))),
            (Started::Read, 2) => Ok(Completion::Read(ReadStatus::Uncorrectable)),
            (Started::Program, 0) => Ok(Completion::Programmed),
            (Started::Program, 1) => Ok(Completion::ProgramFailed),
            (Started::Erase, 0) => Ok(Completion::Erased),
            (Started::Erase, 1) => Ok(Completion::EraseFailed),
            _ => Err(nb::Error::Other(NandErrorKind::Other)),
        }
    }

    fn wait(&mut self) {
        if let Some(function) = self.table.wait {
            // SAFETY: as above.
            unsafe { function(self.table.context) };
        }
    }
}
