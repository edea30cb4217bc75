//! One power session of the demonstration: from mount to unmount.

use std::io::Write;

use cuesta::door::Disk;
use cuesta::hal::NandErrorKind;
use cuesta::volume::{Error, Sector, Volume};
use cuesta_sim::bench::Latencies;
use cuesta_sim::workload::Pattern;
use cuesta_sim::{EmulatedNand, SplitMix64};

use super::files::collect;
use super::ledger::{Content, Ledger};
use super::report::Report;
use super::Demo;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::size;

/// Random reads that are measured.
const READS: u64 = 20_000;
/// Sectors that a trim or a rewritten file has at most.
const EXTENT_MAX: u64 = 16;
/// Members of a batch.
const BATCH_MAX: u64 = 8;

/// A mounted disk and the books about it.
pub struct Session<'d> {
    disk: Disk<'d, &'d mut EmulatedNand>,
    ledger: &'d mut Ledger,
    prng: &'d mut SplitMix64,
    report: &'d mut Report,
    data: Vec<u8>,
}

/// Why a session ended early.
pub enum Stop {
    /// The power was cut.
    Cut,
    /// Something is wrong.
    Wrong(Failure),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Nand(NandErrorKind::PowerLost) => Self::Cut,
            _ => Self::Wrong(Failure::new(format!("a request failed: {error}"))),
        }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Wrong(failure) => failure,
            Stop::Cut => Self::new("the power was cut when it should not have been"),
        }
    }
}

impl<'d> Session<'d> {
    /// Mounts the volume; the virtual time it takes is noted.
    pub fn mount(demo: &'d mut Demo) -> Result<Self, Failure> {
        Self::try_mount(demo).map_err(Failure::from)
    }

    /// As [`mount`](Self::mount), when the power may be cut.
    pub fn try_mount(demo: &'d mut Demo) -> Result<Self, Stop> {
        let start_ns = demo.nand.now_ns();
        let volume =
            Volume::mount(&mut demo.nand, demo.memory.lend()).map_err(|error| match error {
                cuesta::volume::MountError::Nand(NandErrorKind::PowerLost) => Stop::Cut,
                _ => Stop::Wrong(Failure::new(format!("mounting failed: {error}"))),
            })?;
        let mount_ns = volume.nand().now_ns() - start_ns;
        if volume.info().clean {
            demo.report.mounts_clean.push(mount_ns);
        } else {
            demo.report.mounts_after_cut.push(mount_ns);
        }
        let sector_bytes = volume.sector_bytes();
        Ok(Self {
            disk: Disk::new(volume),
            ledger: &mut demo.ledger,
            prng: &mut demo.prng,
            report: &mut demo.report,
            data: vec![0; sector_bytes],
        })
    }

    /// Ends the session cleanly.
    pub fn unmount(self) -> Result<(), Failure> {
        self.disk
            .unmount()
            .map(|_| ())
            .map_err(|(_, error)| Failure::new(format!("unmounting failed: {error}")))
    }

    /// Sees that the last session ended cleanly.
    pub fn after_clean_end(self) -> Result<(), Failure> {
        if self.disk.volume().info().clean {
            Ok(())
        } else {
            Err(Failure::new("the disk was unmounted and is not clean"))
        }
    }

    fn now_ns(&self) -> u64 {
        self.disk.volume().nand().now_ns()
    }

    /// Writes `content` and books it.
    fn write(&mut self, sector: u32, content: Content) -> Result<(), Stop> {
        self.ledger.fill(sector, content, &mut self.data);
        match self.disk.write(Sector(sector), &self.data) {
            Ok(()) => self.ledger.written(sector, content),
            Err(error) => {
                self.ledger.write_cut(sector, content);
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn trim(&mut self, first: u32, count: u32) -> Result<(), Stop> {
        let done = self.disk.trim(Sector(first), count);
        self.ledger.trimmed(first, count, done.is_err());
        Ok(done?)
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.disk.flush()?;
        self.ledger.flushed();
        Ok(())
    }

    /// Stores the files, as many copies as fit.
    pub fn store_files(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let files = collect();
        let bytes: usize = files.contents.iter().map(Vec::len).sum();
        let copies = self.ledger.lay_out(&files);
        let mut progress = Progress::new("storing", false);
        let extents = self.ledger.extents.clone();
        let (mut done, total) = (0, u64::from(self.ledger.sectors()));
        for extent in &extents {
            for piece in 0..extent.count {
                let file = extent.file;
                self.write(extent.first + piece, Content::File { file, piece })?;
            }
            done += u64::from(extent.count);
            progress.set(done, total);
        }
        self.flush()?;
        drop(progress);
        writeln!(
            out,
            "  stored       {} {} ({}), {copies} times over: {done} sectors",
            files.contents.len(),
            files.source,
            size::show(bytes as u64)
        )?;
        Ok(())
    }

    /// Overwrites as the hotcold bench does: two disks unmeasured, one measured.
    pub fn overwrite(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let sectors = self.ledger.sectors();
        let all = u64::from(sectors);
        let mut requests = Pattern::HotCold { tenth: 0 }
            .with(self.prng.next())
            .over(sectors);
        let mut progress = Progress::new("overwriting", false);
        let mut latencies = Latencies::default();
        let mut before = self.disk.volume().nand().counters();
        for done in 0..3 * all {
            if done == 2 * all {
                before = self.disk.volume().nand().counters();
            }
            let start_ns = self.now_ns();
            let content = self.ledger.fresh();
            self.write(requests.next(), content)?;
            if done >= 2 * all {
                latencies.push(self.now_ns() - start_ns);
            }
            progress.set(done, 3 * all);
        }
        self.flush()?;
        let counters = self.disk.volume().nand().counters().since(&before);
        let units = f64::from(self.disk.volume().shape().units());
        self.report.write_amplification = counters.programs as f64 * units / all as f64;
        self.report.write_mb_s =
            (all * self.data.len() as u64) as f64 * 1000.0 / counters.now_ns as f64;
        self.report.writes = latencies;
        self.report.slots_per_segment = self.disk.volume().shape().slots_per_segment();
        drop(progress);
        writeln!(
            out,
            "  overwrote    {} sectors, nine of ten in the hottest tenth",
            3 * all
        )?;
        Ok(())
    }

    /// Trims every tenth file and stores every second of those again.
    pub fn delete_and_restore(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let extents = self.ledger.extents.clone();
        let (mut trimmed, mut restored) = (0, 0);
        for (number, extent) in extents.iter().enumerate() {
            if number % 10 != 0 {
                continue;
            }
            self.trim(extent.first, extent.count)?;
            trimmed += extent.count;
            if number % 20 == 0 {
                for piece in 0..extent.count {
                    let file = extent.file;
                    self.write(extent.first + piece, Content::File { file, piece })?;
                }
                restored += extent.count;
            }
        }
        self.flush()?;
        writeln!(
            out,
            "  trimmed      {trimmed} sectors of every tenth file, stored {restored} of them again"
        )?;
        Ok(())
    }

    /// Reads at random.
    pub fn read(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let mut latencies = Latencies::default();
        let before = self.disk.volume().nand().counters();
        let mut written = 0u64;
        for _ in 0..READS {
            let sector = self.prng.below(u64::from(self.ledger.sectors())) as u32;
            let start_ns = self.now_ns();
            if self.read_and_compare(sector)? {
                written += 1;
                latencies.push(self.now_ns() - start_ns);
            }
        }
        let counters = self.disk.volume().nand().counters().since(&before);
        self.report.reads_per_read = counters.reads as f64 / written.max(1) as f64;
        self.report.reads = latencies;
        writeln!(out, "  read         {READS} sectors at random, all right")?;
        Ok(())
    }

    /// Reads a sector and compares it with the books; false when it is unwritten.
    fn read_and_compare(&mut self, sector: u32) -> Result<bool, Stop> {
        let written = self.disk.read(Sector(sector), &mut self.data)?;
        let agrees = self.ledger.agrees(sector, &self.data);
        self.judge(sector, agrees).map(|()| written)
    }

    /// Reads a sector that the last cut may have touched, and books what it holds.
    fn read_and_settle(&mut self, sector: u32) -> Result<(), Stop> {
        self.disk.read(Sector(sector), &mut self.data)?;
        let settled = self.ledger.settle(sector, &self.data);
        self.judge(sector, settled)
    }

    fn judge(&mut self, sector: u32, right: bool) -> Result<(), Stop> {
        if right {
            Ok(())
        } else {
            let line = self.ledger.explain(sector, &self.data);
            Err(Stop::Wrong(Failure::new(line)))
        }
    }

    /// Verifies every sector; to be called when those have been settled that a cut may have touched.
    pub fn verify_all(&mut self, what: &str) -> Result<(), Stop> {
        let sectors = self.ledger.sectors();
        let mut progress = Progress::new(what, false);
        for sector in 0..sectors {
            self.read_and_compare(sector)?;
            progress.set(u64::from(sector), u64::from(sectors));
        }
        Ok(())
    }

    /// Lets the engine verify its media.
    pub fn verify_media(&mut self) -> Result<(), Failure> {
        let mut first = None;
        self.disk
            .volume_mut()
            .verify(
                &mut |finding| {
                    first.get_or_insert(finding);
                },
                &mut |_, _| {},
            )
            .map_err(|error| Failure::new(format!("the media cannot be verified: {error}")))?;
        match first {
            None => Ok(()),
            Some(finding) => Err(Failure::new(format!("the media are wrong: {finding}"))),
        }
    }

    /// Finds out whether a batch whose commit was cut took effect: as a whole, or not at all.
    fn settle_batch(&mut self) -> Result<(), Stop> {
        let members = self.ledger.open_batch();
        let mut taken = 0;
        for &(sector, content) in &members {
            self.disk.read(Sector(sector), &mut self.data)?;
            taken += usize::from(self.ledger.is_member(sector, content, &self.data));
        }
        if taken != 0 && taken != members.len() {
            return Err(Stop::Wrong(Failure::new(format!(
                "{taken} of {} sectors of an atomic batch took effect",
                members.len()
            ))));
        }
        self.ledger.settle_batch(taken > 0);
        Ok(())
    }

    /// Verifies what the last cut could have touched, and `more` other sectors.
    pub fn verify_suspects(&mut self, more: u32) -> Result<(), Stop> {
        self.settle_batch()?;
        let mut suspects = self.ledger.suspects();
        for _ in 0..more {
            suspects.push(self.prng.below(u64::from(self.ledger.sectors())) as u32);
        }
        for (index, &sector) in suspects.iter().enumerate() {
            if let Err(stop) = self.read_and_settle(sector) {
                self.ledger.look_again(&suspects[index..]);
                return Err(stop);
            }
        }
        Ok(())
    }

    /// The first write after a cut: recovery runs before it.
    pub fn first_write(&mut self) -> Result<(), Stop> {
        let mut sector = self.draw_sector();
        while self.ledger.is_doubtful(sector) {
            sector = self.draw_sector();
        }
        let start_ns = self.now_ns();
        let content = self.ledger.fresh();
        self.write(sector, content)?;
        self.report.recoveries.push(self.now_ns() - start_ns);
        Ok(())
    }

    fn draw_sector(&mut self) -> u32 {
        self.prng.below(u64::from(self.ledger.sectors())) as u32
    }

    /// A random request.
    pub fn request(&mut self) -> Result<(), Stop> {
        let sector = self.draw_sector();
        let room = u64::from(self.ledger.sectors() - sector);
        let count = (1 + self.prng.below(EXTENT_MAX.min(room))) as u32;
        match self.prng.below(20) {
            0..=10 => {
                let content = self.ledger.fresh();
                self.write(sector, content)
            }
            11..=12 => {
                for sector in sector..sector + count {
                    let content = self.ledger.fresh();
                    self.write(sector, content)?;
                }
                Ok(())
            }
            13..=14 => self.trim(sector, count),
            15..=16 => self.batch(),
            17..=18 => self.flush(),
            _ => self.read_and_compare(sector).map(|_| ()),
        }
    }

    fn batch(&mut self) -> Result<(), Stop> {
        let mut members: Vec<(u32, Content)> = Vec::new();
        for _ in 0..2 + self.prng.below(BATCH_MAX - 1) {
            let sector = self.draw_sector();
            if members.iter().all(|&(member, _)| member != sector) {
                members.push((sector, self.ledger.fresh()));
            }
        }
        self.disk.begin_batch()?;
        for &(sector, content) in &members {
            self.ledger.fill(sector, content, &mut self.data);
            self.disk.batch_write(Sector(sector), &self.data)?;
        }
        match self.disk.commit_batch() {
            Ok(()) => self.ledger.committed(&members),
            Err(error) => {
                self.ledger.commit_cut(members);
                return Err(error.into());
            }
        }
        Ok(())
    }
}
