//! Emulated NAND.
