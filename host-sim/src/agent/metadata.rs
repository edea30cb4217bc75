//! Names, attributes and everything else that is not data: done on the source, as the program asked.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo, TimeOrNow};
use rustix::fs::{
    chmod, chownat, getxattr, linkat, listxattr, mkdirat, mknodat, readlinkat, removexattr,
    renameat_with, setxattr, statvfs, symlinkat, unlinkat, utimensat, AtFlags, Gid, Mode,
    RenameFlags, Stat, StatVfs, Timespec, Timestamps, Uid, XattrFlags, CWD, UTIME_NOW, UTIME_OMIT,
};
use rustix::io::{Errno, Result};

use super::nodes::Node;

/// Bytes of an attribute beyond those of its file at most (`XATTR_SIZE_MAX` of Linux).
const XATTR_BYTES_MAX: usize = 64 << 10;
/// New files belong to the group of a directory that has this bit.
const SET_GROUP: u32 = 0o2000;

/// Who makes a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub user: u32,
    pub group: u32,
}

/// A file's kind.
pub(super) fn kind(mode: u32) -> FileType {
    match mode & 0o170_000 {
        0o040_000 => FileType::Directory,
        0o120_000 => FileType::Symlink,
        0o060_000 => FileType::BlockDevice,
        0o020_000 => FileType::CharDevice,
        0o010_000 => FileType::NamedPipe,
        0o140_000 => FileType::Socket,
        _ => FileType::RegularFile,
    }
}

fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let nanoseconds = Duration::from_nanos(nanoseconds);
    let whole = Duration::from_secs(seconds.unsigned_abs());
    if seconds >= 0 {
        UNIX_EPOCH + whole + nanoseconds
    } else {
        UNIX_EPOCH - whole + nanoseconds
    }
}

/// Attributes as the kernel wants them.
pub(super) fn attributes(node: &Node, stat: &Stat) -> FileAttr {
    FileAttr {
        ino: INodeNo(node.number),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
        atime: time(stat.st_atime, stat.st_atime_nsec),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        crtime: UNIX_EPOCH,
        kind: kind(stat.st_mode),
        perm: u16::try_from(stat.st_mode & 0o7777).unwrap_or(0),
        nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: u32::try_from(stat.st_rdev).unwrap_or(0),
        blksize: u32::try_from(stat.st_blksize).unwrap_or(4096),
        flags: 0,
    }
}

/// Gives a new file to who made it.
pub(super) fn give(parent: &Node, name: &OsStr, owner: Owner) -> Result<()> {
    let inherited = parent.stat()?.st_mode & SET_GROUP != 0;
    let group = (!inherited).then(|| Gid::from_raw(owner.group));
    chownat(
        parent.directory(),
        name,
        Some(Uid::from_raw(owner.user)),
        group,
        AtFlags::SYMLINK_NOFOLLOW,
    )
}

pub(super) fn make_directory(parent: &Node, name: &OsStr, mode: u32, owner: Owner) -> Result<()> {
    mkdirat(parent.directory(), name, Mode::from_raw_mode(mode))?;
    give(parent, name, owner)
}

pub(super) fn make_node(
    parent: &Node,
    name: &OsStr,
    mode: u32,
    device: u32,
    owner: Owner,
) -> Result<()> {
    let kind = rustix::fs::FileType::from_raw_mode(mode);
    let device = u64::from(device);
    mknodat(
        parent.directory(),
        name,
        kind,
        Mode::from_raw_mode(mode),
        device,
    )?;
    give(parent, name, owner)
}

pub(super) fn make_link(parent: &Node, name: &OsStr, target: &Path, owner: Owner) -> Result<()> {
    symlinkat(target, parent.directory(), name)?;
    give(parent, name, owner)
}

pub(super) fn read_link(node: &Node) -> Result<CString> {
    readlinkat(node.directory(), "", Vec::new())
}

pub(super) fn remove(parent: &Node, name: &OsStr, directory: bool) -> Result<()> {
    let flags = if directory {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    unlinkat(parent.directory(), name, flags)
}

pub(super) fn rename(
    from: (&Node, &OsStr),
    to: (&Node, &OsStr),
    flags: fuser::RenameFlags,
) -> Result<()> {
    let flags = RenameFlags::from_bits_retain(flags.bits());
    renameat_with(from.0.directory(), from.1, to.0.directory(), to.1, flags)
}

pub(super) fn link(node: &Node, parent: &Node, name: &OsStr) -> Result<()> {
    let flags = AtFlags::SYMLINK_FOLLOW;
    linkat(CWD, node.magic(), parent.directory(), name, flags)
}

pub(super) fn set_mode(node: &Node, mode: u32) -> Result<()> {
    chmod(node.magic(), Mode::from_raw_mode(mode))
}

pub(super) fn set_owner(node: &Node, user: Option<u32>, group: Option<u32>) -> Result<()> {
    let (user, group) = (user.map(Uid::from_raw), group.map(Gid::from_raw));
    chownat(node.directory(), "", user, group, AtFlags::EMPTY_PATH)
}

fn timestamp(time: Option<TimeOrNow>) -> Timespec {
    let (tv_sec, tv_nsec) = match time {
        None => (0, UTIME_OMIT),
        Some(TimeOrNow::Now) => (0, UTIME_NOW),
        Some(TimeOrNow::SpecificTime(time)) => match time.duration_since(UNIX_EPOCH) {
            Ok(after) => (seconds(after), after.subsec_nanos().into()),
            Err(before) => {
                let before = before.duration();
                match before.subsec_nanos() {
                    0 => (-seconds(before), 0),
                    nanoseconds => (-seconds(before) - 1, (1_000_000_000 - nanoseconds).into()),
                }
            }
        },
    };
    Timespec { tv_sec, tv_nsec }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn set_times(
    node: &Node,
    access: Option<TimeOrNow>,
    change: Option<TimeOrNow>,
) -> Result<()> {
    let times = Timestamps {
        last_access: timestamp(access),
        last_modification: timestamp(change),
    };
    utimensat(CWD, node.magic(), &times, AtFlags::empty())
}

pub(super) fn space(node: &Node) -> Result<StatVfs> {
    statvfs(node.magic())
}

/// The value of an attribute.
pub(super) fn get_attribute(node: &Node, name: &OsStr) -> Result<Vec<u8>> {
    let mut value = vec![0; XATTR_BYTES_MAX];
    let bytes = getxattr(node.magic(), name, &mut value[..])?;
    value.truncate(bytes);
    Ok(value)
}

pub(super) fn attribute_names(node: &Node) -> Result<Vec<u8>> {
    let mut names = vec![0; XATTR_BYTES_MAX];
    let bytes = listxattr(node.magic(), &mut names[..])?;
    names.truncate(bytes);
    Ok(names)
}

pub(super) fn set_attribute(node: &Node, name: &OsStr, value: &[u8], flags: i32) -> Result<()> {
    let flags = XattrFlags::from_bits_retain(flags.cast_unsigned());
    setxattr(node.magic(), name, value, flags)
}

pub(super) fn remove_attribute(node: &Node, name: &OsStr) -> Result<()> {
    removexattr(node.magic(), name)
}

/// An entry of a directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub inode: u64,
    pub kind: FileType,
    pub name: Vec<u8>,
}

/// All entries of a directory.
pub(super) fn entries(node: &Node) -> io::Result<Vec<Entry>> {
    let this = node.number;
    let mut entries = vec![
        Entry {
            inode: this,
            kind: FileType::Directory,
            name: b".".to_vec(),
        },
        Entry {
            inode: this,
            kind: FileType::Directory,
            name: b"..".to_vec(),
        },
    ];
    for entry in std::fs::read_dir(node.magic())? {
        let entry = entry?;
        let kind = FileType::from_std(entry.file_type()?).unwrap_or(FileType::RegularFile);
        entries.push(Entry {
            inode: std::os::unix::fs::DirEntryExt::ino(&entry),
            kind,
            name: entry.file_name().into_vec(),
        });
    }
    Ok(entries)
}

impl Entry {
    pub fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.name)
    }
}

/// An error of the standard library as the kernel wants it.
pub(super) fn told(error: &io::Error) -> Errno {
    error
        .raw_os_error()
        .map_or(Errno::IO, Errno::from_raw_os_error)
}
