//! Parts that fail, fade, forget or hold what nobody wrote: repaired, rebuilt, or told, and never taken for data.

mod chip_ecc;
mod code_failures;
mod end_of_life;
mod failures;
mod forged;
mod garbage;
mod level_faults;
mod lost_dies;
mod parity;
mod refresh;
mod scan;
mod strength;
mod unreadable;
