//! Files and directories that programs have open.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::{Errno, Result};

use super::metadata::Entry;
use super::nodes::Node;
use super::serving::{Opener, Verdict};

/// An open file.
#[derive(Debug)]
pub(super) struct OpenFile {
    /// Opened as the program asked, but for `O_DIRECT` and `O_APPEND`.
    pub source: File,
    pub node: Arc<Node>,
    /// Whoever opened it wants no cache in between.
    pub direct: bool,
    /// What is written is durable when the call returns.
    pub sync: bool,
    /// What was decided about it; nothing where no policy is.
    pub opened: Option<(Opener, Mutex<Verdict>)>,
}

/// What a program has open.
#[derive(Debug)]
pub(super) enum Open {
    File(Arc<OpenFile>),
    /// The entries, as they were when it was opened or rewound.
    Directory(Arc<Vec<Entry>>),
}

#[derive(Debug, Default)]
struct Table {
    open: HashMap<u64, Open>,
    last: u64,
}

/// All that programs have open, by the number that the kernel calls it.
#[derive(Debug, Default)]
pub(super) struct Handles(Mutex<Table>);

impl Handles {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, open: Open) -> u64 {
        let mut table = self.table();
        table.last += 1;
        let number = table.last;
        table.open.insert(number, open);
        number
    }

    pub fn file(&self, number: u64) -> Result<Arc<OpenFile>> {
        match self.table().open.get(&number) {
            Some(Open::File(file)) => Ok(Arc::clone(file)),
            _ => Err(Errno::BADF),
        }
    }

    pub fn directory(&self, number: u64) -> Result<Arc<Vec<Entry>>> {
        match self.table().open.get(&number) {
            Some(Open::Directory(entries)) => Ok(Arc::clone(entries)),
            _ => Err(Errno::BADF),
        }
    }

    /// A directory is read from its start again.
    pub fn rewind(&self, number: u64, entries: Arc<Vec<Entry>>) {
        if let Some(Open::Directory(old)) = self.table().open.get_mut(&number) {
            *old = entries;
        }
    }

    /// True while a program has this file open.
    pub fn has(&self, node: u64) -> bool {
        self.table().open.values().any(|open| match open {
            Open::File(file) => file.node.number == node,
            Open::Directory(_) => false,
        })
    }

    pub fn remove(&self, number: u64) -> Option<Open> {
        self.table().open.remove(&number)
    }
}
