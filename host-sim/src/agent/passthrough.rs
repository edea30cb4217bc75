//! What the calls of the kernel have in common: files that are opened, made, renamed, cut to a size.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};

use cuesta::cache::Mode as CacheMode;
use cuesta::exec::{Context, Persistence};
use cuesta::policy::{Flags as PolicyFlags, Operation};
use fuser::{FileAttr, FileHandle, FopenFlags, INodeNo, RenameFlags, Request};
use rustix::fs::{openat, Mode, OFlags};
use rustix::io::{Errno, Result};

use super::caller;
use super::handles::{Handles, Open, OpenFile};
use super::metadata::{self, attributes, Owner};
use super::nodes::{Node, Nodes};
use super::served::Served;
use super::serving::{rule_path, Opener, Range, Serving, Verdict};

/// What attributes count in.
const BLOCK_BYTES: u64 = 512;

/// Everything as the source has it, but for the data of files that the engine serves.
#[derive(Debug)]
pub(super) struct Passthrough {
    pub(super) nodes: Nodes,
    pub(super) handles: Handles,
    pub(super) serving: Option<Serving>,
}

/// The kernel's number of an error.
pub(super) fn errno(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw_os_error())
}

pub(super) fn owner(request: &Request) -> Owner {
    Owner {
        user: request.uid(),
        group: request.gid(),
    }
}

/// Flags for the source: its offsets are the kernel's, and its alignment is not the program's.
pub(super) fn source_flags(flags: i32) -> OFlags {
    OFlags::from_bits_retain(flags.cast_unsigned())
        .difference(OFlags::APPEND | OFlags::DIRECT | OFlags::CREATE | OFlags::EXCL)
}

pub(super) fn has(flags: i32, flag: OFlags) -> bool {
    OFlags::from_bits_retain(flags.cast_unsigned()).contains(flag)
}

/// What is known of a request beside its level.
pub(super) fn context_of(open: &OpenFile, range: Range) -> Context {
    Context {
        direct: open.direct,
        paging: range.paging,
        ..Context::default()
    }
}

impl Passthrough {
    pub(super) fn new(source: &Path, serving: Option<Serving>) -> std::io::Result<Self> {
        Ok(Self {
            serving,
            nodes: Nodes::new(source)?,
            handles: Handles::default(),
        })
    }

    pub(super) fn node(&self, number: INodeNo) -> Result<Arc<Node>> {
        self.nodes.get(number.0)
    }

    /// Tells the kernel of the file of this name.
    pub(super) fn entry(&self, parent: &Node, name: &OsStr) -> Result<(Arc<Node>, FileAttr)> {
        let (node, stat) = self.nodes.look_up(parent, name)?;
        let mut attributes = attributes(&node, &stat);
        self.as_seen(&mut attributes);
        Ok((node, attributes))
    }

    pub(super) fn attributes(&self, node: &Node) -> Result<FileAttr> {
        let mut attributes = attributes(node, &node.stat()?);
        self.as_seen(&mut attributes);
        Ok(attributes)
    }

    /// What programs see of a file that the source does not have.
    pub(super) fn as_seen(&self, attributes: &mut FileAttr) {
        let serving = self.serving.as_ref();
        if let Some(seen) = serving.and_then(|serving| serving.seen(attributes.ino.0)) {
            attributes.size = seen.size;
            attributes.blocks = seen.size.div_ceil(BLOCK_BYTES);
            attributes.mtime = seen.modified;
        }
    }

    /// Makes the context of a file that a program opens.
    pub(super) fn opened(
        &self,
        request: &Request,
        node: &Node,
        flags: i32,
    ) -> Result<Option<(Opener, Mutex<Verdict>)>> {
        let Some(serving) = self
            .serving
            .as_ref()
            .filter(|_| Nodes::is_lasting(node.number))
        else {
            return Ok(None);
        };
        let mut said = PolicyFlags::NONE;
        for (flag, meaning) in [
            (OFlags::DIRECT, PolicyFlags::DIRECT),
            (OFlags::DSYNC, PolicyFlags::SYNC),
        ] {
            if has(flags, flag) {
                said = said.with(meaning);
            }
        }
        let opener = Opener {
            application: caller::name_of(request.pid()),
            path: rule_path(&self.nodes.path_of(node)),
            flags: said,
        };
        let verdict = serving.open(node.number, &opener)?;
        Ok(Some((opener, Mutex::new(verdict))))
    }

    /// The engine's file and the level, if this request is the engine's: it serves the file already, or a rule names it.
    pub(super) fn of_engine(
        &self,
        open: &OpenFile,
        range: Range,
    ) -> Result<Option<(Arc<Served>, Persistence)>> {
        let (Some(serving), Some((opener, verdict))) = (&self.serving, &open.opened) else {
            return Ok(None);
        };
        let number = open.node.number;
        let level = serving.level(number, verdict, range)?;
        let passes = level.is_none_or(|level| level.mode == CacheMode::Bypass) || open.direct;
        let served = match serving.find(number) {
            Some(served) => served,
            None if passes => return Ok(None),
            None => serving.serve(&open.node, opener)?,
        };
        let mut level = level.unwrap_or_default();
        if open.direct && range.operation == Operation::Write {
            level.mode = CacheMode::Bypass;
        }
        Ok(Some((served, level)))
    }

    /// The engine's file of this number.
    pub(super) fn served(&self, number: u64) -> Option<Arc<Served>> {
        self.serving.as_ref()?.find(number)
    }

    /// A file has lost a name, or was closed.
    pub(super) fn settle(&self, number: Option<u64>) {
        if let (Some(serving), Some(number)) = (&self.serving, number) {
            if !self.handles.has(number) {
                serving.settle(number);
            }
        }
    }

    pub(super) fn rename_file(
        &self,
        from: (&Node, &OsStr),
        to: (&Node, &OsStr),
        flags: RenameFlags,
    ) -> Result<()> {
        let Some(serving) = &self.serving else {
            return metadata::rename(from, to, flags);
        };
        let moved = self.nodes.number_of(from.0, from.1);
        let replaced = self.nodes.number_of(to.0, to.1);
        let path = |(parent, name): (&Node, &OsStr)| self.nodes.path_of(parent).join(name);
        // What comes to a place where it is durable is on the source before it is there.
        if let Some(moved) = moved {
            serving.moved(moved, &path(to))?;
        }
        if let Some(replaced) = replaced.filter(|_| flags.contains(RenameFlags::RENAME_EXCHANGE)) {
            serving.moved(replaced, &path(from))?;
        }
        metadata::rename(from, to, flags)?;
        self.settle(replaced);
        let directory = moved.is_some_and(|moved| serving.find(moved).is_none());
        if directory {
            // With it, files may have come to other places.
            for number in serving.all() {
                if let Ok(node) = self.nodes.get(number) {
                    serving.moved(number, &self.nodes.path_of(&node))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn open_file(
        &self,
        request: &Request,
        node: Arc<Node>,
        source: File,
        flags: i32,
    ) -> Result<(FileHandle, FopenFlags)> {
        let direct = has(flags, OFlags::DIRECT);
        let opened = self.opened(request, &node, flags)?;
        let handle = self.handles.add(Open::File(Arc::new(OpenFile {
            source,
            node,
            direct,
            sync: has(flags, OFlags::DSYNC),
            opened,
        })));
        let how = if direct {
            FopenFlags::FOPEN_DIRECT_IO
        } else {
            FopenFlags::empty()
        };
        Ok((FileHandle(handle), how))
    }

    pub(super) fn create_file(
        &self,
        parent: &Node,
        name: &OsStr,
        mode: u32,
        flags: i32,
        request: &Request,
    ) -> Result<(FileAttr, FileHandle, FopenFlags)> {
        // Whether it was there: only what is new belongs to who asks.
        let flags_new = source_flags(flags)
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let wants_new = has(flags, OFlags::EXCL);
        let source = match openat(parent.directory(), name, flags_new, mode) {
            Ok(source) => {
                metadata::give(parent, name, owner(request))?;
                source
            }
            Err(Errno::EXIST) if !wants_new => {
                let flags = flags_new.difference(OFlags::CREATE | OFlags::EXCL);
                openat(parent.directory(), name, flags, mode)?
            }
            Err(error) => return Err(error),
        };
        let (node, attributes) = self.entry(parent, name)?;
        let (handle, how) = self.open_file(request, node, source.into(), flags)?;
        Ok((attributes, handle, how))
    }

    pub(super) fn set_size(
        &self,
        node: &Node,
        handle: Option<FileHandle>,
        size: u64,
    ) -> Result<()> {
        if let Some(served) = self.served(node.number) {
            return served.pass(size, |file| rustix::fs::ftruncate(file, size));
        }
        let open = handle.map(|handle| self.handles.file(handle.0));
        match open {
            Some(Ok(open)) => rustix::fs::ftruncate(&open.source, size),
            _ => rustix::fs::ftruncate(node.open(OFlags::WRONLY)?, size),
        }
    }
}
