//! What the kernel asks for, call by call.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, FileAttr, FileHandle, Filesystem, FopenFlags,
    Generation, INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{openat, FallocateFlags, Mode, OFlags, SeekFrom};
use rustix::io::{Errno, Result};

use super::handles::{Handles, Open, OpenFile};
use super::metadata::{self, attributes, told, Owner};
use super::nodes::{Node, Nodes};

/// How long the kernel believes names and attributes. Whoever changes the source behind the mount may see the old ones for so long.
const BELIEF: Duration = Duration::from_secs(1);
/// Bytes of one write of the kernel.
const WRITE_BYTES_MAX: u32 = 1 << 20;

/// Everything as the source has it.
#[derive(Debug)]
pub(super) struct Passthrough {
    nodes: Nodes,
    handles: Handles,
}

/// The kernel's number of an error.
fn errno(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw_os_error())
}

fn owner(request: &Request) -> Owner {
    Owner {
        user: request.uid(),
        group: request.gid(),
    }
}

/// Flags for the source: its offsets are the kernel's, and its alignment is not the program's.
fn source_flags(flags: i32) -> OFlags {
    OFlags::from_bits_retain(flags.cast_unsigned())
        .difference(OFlags::APPEND | OFlags::DIRECT | OFlags::CREATE | OFlags::EXCL)
}

fn is_direct(flags: i32) -> bool {
    OFlags::from_bits_retain(flags.cast_unsigned()).contains(OFlags::DIRECT)
}

impl Passthrough {
    pub fn new(source: &Path) -> std::io::Result<Self> {
        Ok(Self {
            nodes: Nodes::new(source)?,
            handles: Handles::default(),
        })
    }

    fn node(&self, number: INodeNo) -> Result<Arc<Node>> {
        self.nodes.get(number.0)
    }

    /// Tells the kernel of the file of this name.
    fn entry(&self, parent: &Node, name: &OsStr) -> Result<(Arc<Node>, FileAttr)> {
        let (node, stat) = self.nodes.look_up(parent, name)?;
        let attributes = attributes(&node, &stat);
        Ok((node, attributes))
    }

    fn attributes(&self, node: &Node) -> Result<FileAttr> {
        Ok(attributes(node, &node.stat()?))
    }

    fn open_file(&self, source: File, flags: i32) -> (FileHandle, FopenFlags) {
        let direct = is_direct(flags);
        let handle = self.handles.add(Open::File(Arc::new(OpenFile { source })));
        let how = if direct {
            FopenFlags::FOPEN_DIRECT_IO
        } else {
            FopenFlags::empty()
        };
        (FileHandle(handle), how)
    }

    fn create_file(
        &self,
        parent: &Node,
        name: &OsStr,
        mode: u32,
        flags: i32,
        owner: Owner,
    ) -> Result<(FileAttr, FileHandle, FopenFlags)> {
        // Whether it was there: only what is new belongs to who asks.
        let flags_new = source_flags(flags)
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let wants_new = OFlags::from_bits_retain(flags.cast_unsigned()).contains(OFlags::EXCL);
        let source = match openat(parent.directory(), name, flags_new, mode) {
            Ok(source) => {
                metadata::give(parent, name, owner)?;
                source
            }
            Err(Errno::EXIST) if !wants_new => {
                let flags = flags_new.difference(OFlags::CREATE | OFlags::EXCL);
                openat(parent.directory(), name, flags, mode)?
            }
            Err(error) => return Err(error),
        };
        let (_, attributes) = self.entry(parent, name)?;
        let (handle, how) = self.open_file(source.into(), flags);
        Ok((attributes, handle, how))
    }

    fn set_size(&self, node: &Node, handle: Option<FileHandle>, size: u64) -> Result<()> {
        let open = handle.map(|handle| self.handles.file(handle.0));
        match open {
            Some(Ok(open)) => rustix::fs::ftruncate(&open.source, size),
            _ => rustix::fs::ftruncate(node.open(OFlags::WRONLY)?, size),
        }
    }
}

/// Answers by what a closure does.
macro_rules! answer {
    ($reply:ident, $deed:expr, |$found:pat_param| $told:expr) => {
        match (|| -> Result<_> { $deed })() {
            Ok($found) => $told,
            Err(error) => $reply.error(errno(error)),
        }
    };
}

impl Filesystem for Passthrough {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // What the kernel does not have, it does without.
        let _ = config.set_max_write(WRITE_BYTES_MAX);
        let _ = config.add_capabilities(InitFlags::FUSE_PARALLEL_DIROPS);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer!(reply, self.entry(&*self.node(parent)?, name), |(
            _,
            found,
        )| {
            reply.entry(&BELIEF, &found, Generation(0))
        });
    }

    fn forget(&self, _request: &Request, number: INodeNo, lookups: u64) {
        self.nodes.forget(number.0, lookups);
    }

    fn getattr(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        answer!(reply, self.attributes(&*self.node(number)?), |found| {
            reply.attr(&BELIEF, &found)
        });
    }

    fn setattr(
        &self,
        _request: &Request,
        number: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        access: Option<TimeOrNow>,
        change: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        answer!(
            reply,
            {
                let node = self.node(number)?;
                if let Some(mode) = mode {
                    metadata::set_mode(&node, mode)?;
                }
                if user.is_some() || group.is_some() {
                    metadata::set_owner(&node, user, group)?;
                }
                if let Some(size) = size {
                    self.set_size(&node, handle, size)?;
                }
                if access.is_some() || change.is_some() {
                    metadata::set_times(&node, access, change)?;
                }
                self.attributes(&node)
            },
            |found| reply.attr(&BELIEF, &found)
        );
    }

    fn readlink(&self, _request: &Request, number: INodeNo, reply: ReplyData) {
        answer!(reply, metadata::read_link(&*self.node(number)?), |target| {
            reply.data(target.as_bytes())
        });
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        device: u32,
        reply: ReplyEntry,
    ) {
        answer!(
            reply,
            {
                let parent = self.node(parent)?;
                metadata::make_node(&parent, name, mode, device, owner(request))?;
                self.entry(&parent, name)
            },
            |(_, found)| reply.entry(&BELIEF, &found, Generation(0))
        );
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        answer!(
            reply,
            {
                let parent = self.node(parent)?;
                metadata::make_directory(&parent, name, mode, owner(request))?;
                self.entry(&parent, name)
            },
            |(_, found)| reply.entry(&BELIEF, &found, Generation(0))
        );
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(
            reply,
            metadata::remove(&*self.node(parent)?, name, false),
            |()| reply.ok()
        );
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(
            reply,
            metadata::remove(&*self.node(parent)?, name, true),
            |()| reply.ok()
        );
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        answer!(
            reply,
            {
                let parent = self.node(parent)?;
                metadata::make_link(&parent, name, target, owner(request))?;
                self.entry(&parent, name)
            },
            |(_, found)| reply.entry(&BELIEF, &found, Generation(0))
        );
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        answer!(
            reply,
            {
                let (from, to) = (self.node(parent)?, self.node(new_parent)?);
                metadata::rename((&from, name), (&to, new_name), flags)
            },
            |()| reply.ok()
        );
    }

    fn link(
        &self,
        _request: &Request,
        number: INodeNo,
        new_parent: INodeNo,
        new_name: &OsStr,
        reply: ReplyEntry,
    ) {
        answer!(
            reply,
            {
                let (node, parent) = (self.node(number)?, self.node(new_parent)?);
                metadata::link(&node, &parent, new_name)?;
                self.entry(&parent, new_name)
            },
            |(_, found)| reply.entry(&BELIEF, &found, Generation(0))
        );
    }

    fn open(&self, _request: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        answer!(
            reply,
            {
                let node = self.node(number)?;
                let source = node.open(source_flags(flags.0))?.into();
                Ok(self.open_file(source, flags.0))
            },
            |(handle, how)| reply.opened(handle, how)
        );
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        answer!(
            reply,
            {
                let parent = self.node(parent)?;
                self.create_file(&parent, name, mode, flags, owner(request))
            },
            |(found, handle, how)| reply.created(&BELIEF, &found, Generation(0), handle, how)
        );
    }

    fn read(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock: Option<LockOwner>,
        reply: ReplyData,
    ) {
        answer!(
            reply,
            {
                let open = self.handles.file(handle.0)?;
                let mut bytes = vec![0; size as usize];
                let mut filled = 0;
                while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                    match open.source.read_at(rest, offset + filled as u64) {
                        Ok(0) => break,
                        Ok(read) => filled += read,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(told(&error)),
                    }
                }
                bytes.truncate(filled);
                Ok(bytes)
            },
            |bytes| reply.data(&bytes)
        );
    }

    fn write(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        answer!(
            reply,
            {
                let open = self.handles.file(handle.0)?;
                let written = open.source.write_all_at(data, offset);
                written.map_err(|error| told(&error))
            },
            |()| reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX))
        );
    }

    fn flush(
        &self,
        _request: &Request,
        _number: INodeNo,
        _handle: FileHandle,
        _lock: LockOwner,
        reply: ReplyEmpty,
    ) {
        // A program closes a file: it has not asked for anything to be durable.
        reply.ok();
    }

    fn release(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.handles.remove(handle.0);
        reply.ok();
    }

    fn fsync(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        data_only: bool,
        reply: ReplyEmpty,
    ) {
        answer!(
            reply,
            {
                let open = self.handles.file(handle.0)?;
                if data_only {
                    rustix::fs::fdatasync(&open.source)
                } else {
                    rustix::fs::fsync(&open.source)
                }
            },
            |()| reply.ok()
        );
    }

    fn opendir(&self, _request: &Request, number: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        answer!(
            reply,
            {
                let node = self.node(number)?;
                let entries = metadata::entries(&node).map_err(|error| told(&error))?;
                Ok(self.handles.add(Open::Directory(Arc::new(entries))))
            },
            |handle| reply.opened(FileHandle(handle), FopenFlags::empty())
        );
    }

    fn readdir(
        &self,
        _request: &Request,
        number: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        answer!(
            reply,
            {
                if offset == 0 {
                    let node = self.node(number)?;
                    let entries = metadata::entries(&node).map_err(|error| told(&error))?;
                    self.handles.rewind(handle.0, Arc::new(entries));
                }
                self.handles.directory(handle.0)
            },
            |entries| {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                for (at, entry) in (1..).zip(entries.iter()).skip(from) {
                    // The place of the next.
                    if reply.add(INodeNo(entry.inode), at, entry.kind, entry.name()) {
                        break;
                    }
                }
                reply.ok()
            }
        );
    }

    fn releasedir(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.handles.remove(handle.0);
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        answer!(
            reply,
            {
                let node = self.node(number)?;
                rustix::fs::fsync(node.open(OFlags::RDONLY | OFlags::DIRECTORY)?)
            },
            |()| reply.ok()
        );
    }

    fn statfs(&self, _request: &Request, number: INodeNo, reply: ReplyStatfs) {
        answer!(reply, metadata::space(&*self.node(number)?), |space| {
            let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            reply.statfs(
                space.f_blocks,
                space.f_bfree,
                space.f_bavail,
                space.f_files,
                space.f_ffree,
                short(space.f_bsize),
                short(space.f_namemax),
                short(space.f_frsize),
            )
        });
    }

    fn setxattr(
        &self,
        _request: &Request,
        number: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        answer!(
            reply,
            metadata::set_attribute(&*self.node(number)?, name, value, flags),
            |()| reply.ok()
        );
    }

    fn getxattr(
        &self,
        _request: &Request,
        number: INodeNo,
        name: &OsStr,
        size: u32,
        reply: ReplyXattr,
    ) {
        answer!(
            reply,
            metadata::get_attribute(&*self.node(number)?, name),
            |value| attribute(reply, &value, size)
        );
    }

    fn listxattr(&self, _request: &Request, number: INodeNo, size: u32, reply: ReplyXattr) {
        answer!(
            reply,
            metadata::attribute_names(&*self.node(number)?),
            |names| attribute(reply, &names, size)
        );
    }

    fn removexattr(&self, _request: &Request, number: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(
            reply,
            metadata::remove_attribute(&*self.node(number)?, name),
            |()| reply.ok()
        );
    }

    fn access(&self, _request: &Request, _number: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        // The kernel decides by the attributes.
        reply.ok();
    }

    fn fallocate(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        answer!(
            reply,
            {
                let open = self.handles.file(handle.0)?;
                let mode = FallocateFlags::from_bits_retain(mode.cast_unsigned());
                rustix::fs::fallocate(&open.source, mode, offset, length)
            },
            |()| reply.ok()
        );
    }

    fn lseek(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        answer!(
            reply,
            {
                let open = self.handles.file(handle.0)?;
                let place = offset.unsigned_abs();
                // The others are the kernel's own.
                let whence = match whence {
                    3 => SeekFrom::Data(place),
                    4 => SeekFrom::Hole(place),
                    _ => return Err(Errno::INVAL),
                };
                rustix::fs::seek(&open.source, whence)
            },
            |found| reply.offset(i64::try_from(found).unwrap_or(i64::MAX))
        );
    }

    fn copy_file_range(
        &self,
        _request: &Request,
        _from: INodeNo,
        _from_handle: FileHandle,
        _from_offset: u64,
        _to: INodeNo,
        _to_handle: FileHandle,
        _to_offset: u64,
        _len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        // Programs read and write then, and the kernel does so for them.
        reply.error(errno(Errno::NOSYS));
    }
}

/// Answers with a value, or with its length where none fits.
fn attribute(reply: ReplyXattr, value: &[u8], room: u32) {
    let bytes = u32::try_from(value.len()).unwrap_or(u32::MAX);
    if room == 0 {
        reply.size(bytes);
    } else if bytes > room {
        reply.error(errno(Errno::RANGE));
    } else {
        reply.data(value);
    }
}
