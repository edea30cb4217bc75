//! Sectors behind those of hosts: what belongs to the volume as a whole, such as its policy.

use cuesta_hal::Nand;

use super::address::{Sector, Ticket};
use super::error::Error;
use super::level::LevelIndex;
use super::Volume;

impl<N: Nand> Volume<'_, N> {
    /// How many there are.
    #[must_use]
    pub const fn system_sectors(&self) -> u32 {
        self.parameters.system as u32
    }

    fn system_sector(&self, number: u32) -> nb::Result<Sector, Error> {
        let sector = Sector(self.capacity().saturating_add(number));
        if number < self.system_sectors() {
            Ok(sector)
        } else {
            let capacity = self.shape.capacity;
            Err(nb::Error::Other(Error::OutOfRange { sector, capacity }))
        }
    }

    /// The level that survives most: at this one system sectors are written.
    fn level_of_system(&self) -> LevelIndex {
        (0..self.parameters.levels)
            .map(LevelIndex)
            .rev()
            .max_by_key(|&index| {
                self.level(index)
                    .map(|level| (level.redundancy.survives(), level.ecc as u8))
            })
            .unwrap_or_default()
    }

    /// Reads a system sector, as [`submit_read`](Self::submit_read) a host's.
    ///
    /// # Errors
    /// Those of a read.
    pub fn submit_system_read(&mut self, number: u32) -> nb::Result<Ticket, Error> {
        let sector = self.system_sector(number)?;
        self.accept_read(sector)
    }

    /// Writes a system sector as a member of the open batch: they are replaced together or not at all.
    ///
    /// # Errors
    /// Those of [`submit_batch_write`](Self::submit_batch_write).
    pub fn submit_system_write(&mut self, number: u32, data: &[u8]) -> nb::Result<Ticket, Error> {
        let sector = self.system_sector(number)?;
        self.accept_member(sector, data, self.level_of_system().into())
    }
}
