//! Which program asks.

use std::fs;

/// The name of a process, as the kernel keeps it: up to 15 bytes of its program's. Empty for the kernel itself, and for who is gone.
pub(super) fn name_of(pid: u32) -> String {
    if pid == 0 {
        return String::new();
    }
    let comm = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
    String::from_utf8_lossy(comm).into_owned()
}
