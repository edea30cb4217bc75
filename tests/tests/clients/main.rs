//! Block clients that others wrote, against the real `cuesta serve`: fio, qemu-io, nbdcopy with ext4.
//!
//! Each test formats a disk of its own, serves it, lets the client do its worst and tell what it found, stops the server by SIGTERM or by
//! SIGKILL, and has `cuesta check` verify the media. The clients are Debian packages, which `.ci/run` installs. A test whose client is
//! missing says `NOT RUN` on standard error, and fails where the variable `CI` is set.

mod fio;
mod in_use;
mod killed;
mod malformed;
mod nbd_wire;
mod nbdcopy;
mod qemu_io;
