//! The driver of serial NAND against emulated parts, down to the bytes of the bus.

mod bench;

mod bad_input;
mod controller;
mod engine;
mod parts;
mod twin;
mod wires;
