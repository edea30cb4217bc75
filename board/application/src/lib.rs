//! A disk on one NAND part, run by lines of text. Knows no board: a firmware image brings the part, the memory and somewhere to write to.
//!
//! * [`run`] carries a line of commands out,
//! * [`Room`] is the memory of the volume,
//! * [`mark`] fills sectors so that their contents tell who they are.

#![no_std]

mod command;
pub mod mark;
mod room;
mod session;

pub use command::{Command, CommandError};
pub use room::{Room, RoomError};
pub use session::{run, Failure};
