//! The agent in the path of files, used by programs of other people: SQLite, git, a C compiler, cp.
//!
//! Each test mounts a directory of its own, and unmounts it whatever happens. Where there is no `/dev/fuse`, or mounting is not allowed, a test says `NOT RUN` on
//! standard error; so it does where a program is missing, and fails where the variable `CI` is set.
#![cfg(target_os = "linux")]

mod levels;
mod mounted;
mod passing;
