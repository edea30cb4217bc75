//! The power goes: at every operation, in every phase, while requests overlap, and while a disk recovers.

mod crash;
mod early;
mod interleavings;
mod recovery;
mod same_sector;
mod torn_neighbours;
mod torn_record;
