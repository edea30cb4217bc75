//! What the kernel asks for, call by call.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cuesta::policy::Operation;
use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, FileHandle, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs,
    ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{FallocateFlags, OFlags, SeekFrom};
use rustix::io::{Errno, Result};

use super::handles::Open;
use super::metadata::{self, told};
use super::passthrough::{context_of, errno, owner, source_flags, Passthrough};
use super::serving::Range;

/// How long the kernel believes names and attributes. Whoever changes the source behind the mount may see the old ones for so long.
const BELIEF: Duration = Duration::from_secs(1);
/// Linux's numbers.
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;
/// Bytes of one write of the kernel.
const WRITE_BYTES_MAX: u32 = 1 << 20;

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

    fn destroy(&mut self) {
        if let Some(serving) = &self.serving {
            // Nobody is left to be told; files that could not be brought home have told whoever wrote them.
            let _ = serving.finish();
        }
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
                    if let (Some(change), Some(served)) = (change, self.served(node.number)) {
                        served.touch(match change {
                            TimeOrNow::SpecificTime(time) => time,
                            TimeOrNow::Now => SystemTime::now(),
                        });
                    }
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
            {
                let parent = self.node(parent)?;
                let number = self.nodes.number_of(&parent, name);
                metadata::remove(&parent, name, false)?;
                self.settle(number);
                Ok(())
            },
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
                self.rename_file((&from, name), (&to, new_name), flags)
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

    fn open(&self, request: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        answer!(
            reply,
            {
                let node = self.node(number)?;
                let source = node.open(source_flags(flags.0))?.into();
                self.open_file(request, node, source, flags.0)
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
                self.create_file(&parent, name, mode, flags, request)
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
                let range = Range {
                    operation: Operation::Read,
                    offset,
                    len: size.into(),
                    paging: false,
                };
                if let Some((served, level)) = self.of_engine(&open, range)? {
                    return served.read(offset, size, level, context_of(&open, range));
                }
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
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        answer!(
            reply,
            {
                let open = self.handles.file(handle.0)?;
                let range = Range {
                    operation: Operation::Write,
                    offset,
                    len: data.len() as u64,
                    paging: write_flags.contains(WriteFlags::FUSE_WRITE_CACHE),
                };
                if let Some((served, level)) = self.of_engine(&open, range)? {
                    served.write(offset, data, level, context_of(&open, range))?;
                    return if open.sync { served.sync(true) } else { Ok(()) };
                }
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
        if let Some(Open::File(file)) = self.handles.remove(handle.0) {
            if let (Some(serving), Some((_, verdict))) = (&self.serving, &file.opened) {
                serving.end(verdict);
            }
            self.settle(Some(file.node.number));
        }
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
                if let Some(served) = self.served(open.node.number) {
                    return served.sync(data_only);
                }
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
                if let Some(served) = self.served(open.node.number) {
                    let deed = |file: &File| rustix::fs::fallocate(file, mode, offset, length);
                    return served.pass(u64::MAX, deed);
                }
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
                if let Some(served) = self.served(open.node.number) {
                    return served.seek(place, whence == SEEK_DATA);
                }
                // The others are the kernel's own.
                let whence = match whence {
                    SEEK_DATA => SeekFrom::Data(place),
                    SEEK_HOLE => SeekFrom::Hole(place),
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
