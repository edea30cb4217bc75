//! Files that the kernel knows, by the number that it calls them.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{openat, statat, AtFlags, Mode, OFlags, Stat, CWD};
use rustix::io::{Errno, Result};

/// What the kernel calls the root.
pub(super) const ROOT: u64 = 1;
/// Numbers from here on are for files of other devices, and for one that has the root's number.
const FOREIGN: u64 = 1 << 63;

/// A file of the source.
#[derive(Debug)]
pub(super) struct Node {
    /// What the kernel calls it.
    pub number: u64,
    /// Reaches it whatever its name is.
    fd: OwnedFd,
}

impl Node {
    /// Attributes, as the source has them.
    pub fn stat(&self) -> Result<Stat> {
        statat(
            &self.fd,
            "",
            AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW,
        )
    }

    /// A path that leads to the file itself, for calls that take no descriptor of this kind.
    pub fn magic(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
    }

    /// The directory, to find names in.
    pub fn directory(&self) -> impl AsFd + '_ {
        &self.fd
    }

    /// Opens it.
    pub fn open(&self, flags: OFlags) -> Result<OwnedFd> {
        // It leads to a file, not through a link.
        let flags = flags.difference(OFlags::NOFOLLOW) | OFlags::CLOEXEC;
        rustix::fs::open(self.magic(), flags, Mode::empty())
    }

    /// Where it is at the moment, or was when it had a name.
    pub fn path(&self) -> PathBuf {
        std::fs::read_link(self.magic()).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Known {
    node: Arc<Node>,
    device: u64,
    inode: u64,
    /// As often as the kernel was told of it, and has not forgotten.
    lookups: u64,
}

#[derive(Debug, Default)]
struct Table {
    by_number: HashMap<u64, Known>,
    by_inode: HashMap<(u64, u64), u64>,
    next_foreign: u64,
}

/// All files that the kernel knows.
#[derive(Debug)]
pub(super) struct Nodes {
    root_path: PathBuf,
    root_device: u64,
    table: Mutex<Table>,
}

impl Nodes {
    /// The root alone.
    pub fn new(source: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, source, flags, Mode::empty())?;
        let node = Node { number: ROOT, fd };
        let stat = node.stat()?;
        let root_path = node.path();
        let nodes = Self {
            root_path,
            root_device: stat.st_dev,
            table: Mutex::default(),
        };
        nodes.admit(node, &stat);
        Ok(nodes)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, node: Node, stat: &Stat) {
        let mut table = self.table();
        table
            .by_inode
            .insert((stat.st_dev, stat.st_ino), node.number);
        table.by_number.insert(
            node.number,
            Known {
                node: Arc::new(node),
                device: stat.st_dev,
                inode: stat.st_ino,
                lookups: 1,
            },
        );
    }

    /// The file that the kernel calls so.
    pub fn get(&self, number: u64) -> Result<Arc<Node>> {
        self.table()
            .by_number
            .get(&number)
            .map(|known| Arc::clone(&known.node))
            .ok_or(Errno::STALE)
    }

    /// The file of this name, which the kernel is about to be told of.
    pub fn look_up(&self, parent: &Node, name: &OsStr) -> Result<(Arc<Node>, Stat)> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(parent.directory(), name, flags, Mode::empty())?;
        let stat = statat(&fd, "", AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW)?;
        let mut table = self.table();
        let inode = (stat.st_dev, stat.st_ino);
        if let Some(number) = table.by_inode.get(&inode).copied() {
            if let Some(known) = table.by_number.get_mut(&number) {
                known.lookups += 1;
                return Ok((Arc::clone(&known.node), stat));
            }
        }
        // The number that programs see: the source's own, where it is nobody else's.
        let number = if stat.st_dev == self.root_device && stat.st_ino > ROOT {
            stat.st_ino
        } else {
            table.next_foreign += 1;
            FOREIGN + table.next_foreign
        };
        let node = Arc::new(Node { number, fd });
        let known = Known {
            node: Arc::clone(&node),
            device: stat.st_dev,
            inode: stat.st_ino,
            lookups: 1,
        };
        table.by_inode.insert(inode, number);
        table.by_number.insert(number, known);
        Ok((node, stat))
    }

    /// The kernel has forgotten that it was told of a file so many times.
    pub fn forget(&self, number: u64, lookups: u64) {
        let mut table = self.table();
        let Some(known) = table.by_number.get_mut(&number) else {
            return;
        };
        known.lookups = known.lookups.saturating_sub(lookups);
        if known.lookups == 0 && number != ROOT {
            let inode = (known.device, known.inode);
            table.by_number.remove(&number);
            table.by_inode.remove(&inode);
        }
    }

    /// Where in the source a file is: `dir/name`.
    pub fn path_of(&self, node: &Node) -> PathBuf {
        let path = node.path();
        match path.strip_prefix(&self.root_path) {
            Ok(within) => within.to_owned(),
            Err(_) => path,
        }
    }

    /// The number of the file of this name, which the kernel need not know: those of other devices have none.
    pub fn number_of(&self, parent: &Node, name: &OsStr) -> Option<u64> {
        let stat = statat(parent.directory(), name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        (stat.st_dev == self.root_device && stat.st_ino > ROOT).then_some(stat.st_ino)
    }

    /// True of numbers that stay with their file, also when the kernel has forgotten it.
    pub fn is_lasting(number: u64) -> bool {
        number > ROOT && number < FOREIGN
    }
}
