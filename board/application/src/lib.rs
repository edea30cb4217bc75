//! A disk on one NAND part, run by lines of text. Knows no board: a firmware image brings the part, the memory and somewhere to write to.
//!
//! * [`run`] carries a line of commands out,
//! * [`resume`] goes on after a reset that the command `cut` has led to,
//! * [`Board`] is what else it asks of a board,
//! * [`Room`] is the memory of the volume,
//! * [`LineEditor`] and [`Terminal`] are for images with a serial line,
//! * `usb_stick` is the disk as a USB stick (feature `usb-stick`),
//! * [`mark`] fills sectors so that their contents tell who they are.

#![no_std]

mod bench;
mod board;
mod command;
mod cut;
pub mod ledger;
pub mod mark;
mod room;
mod session;
mod terminal;
#[cfg(feature = "usb-stick")]
pub mod usb_stick;
mod wear;

pub use board::Board;
pub use command::{Command, CommandError};
pub use cut::resume;
pub use room::{Room, RoomError};
pub use session::{mount, run, Failure};
pub use terminal::{LineEditor, Terminal, LINE_BYTES};
