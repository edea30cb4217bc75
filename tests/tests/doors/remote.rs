//! The door of the network: `cuesta serve`, and a client.

use std::fs;

use cuesta::resource::{Completion, Resource, ResourceError};
use cuesta::volume::{Sector, Ticket, WriteOptions};
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::nbd::client::Uri;
use cuesta_sim::resource::{NbdOptions, NbdResource};
use cuesta_tests::program::Scratch;

use crate::requests::{filled, Request, State};
use crate::{BUDGET, CHIP};

fn done(
    resource: &mut NbdResource,
    mut submit: impl FnMut(&mut NbdResource) -> nb::Result<Ticket, ResourceError>,
) {
    let mut wanted = None;
    loop {
        if wanted.is_none() {
            wanted = match submit(resource) {
                Ok(ticket) => Some(ticket),
                Err(nb::Error::WouldBlock) => None,
                Err(nb::Error::Other(error)) => panic!("{error}"),
            };
        }
        match resource.poll() {
            Completion::Written(ticket) | Completion::Flushed(ticket) if Some(ticket) == wanted => {
                return;
            }
            Completion::Failed(_, error) => panic!("{error}"),
            Completion::Pending => resource.wait(),
            _ => {}
        }
    }
}

/// Serves a trace of writes and flushes, and tells what the disk holds afterwards.
pub fn served(trace: &[Request]) -> State {
    let scratch = Scratch::empty();
    scratch.cuesta_succeeds(&["format", "disk.nand", "--chip", CHIP]);
    let serving = scratch.serve(&[]);
    let bytes = Rig::of(CHIP, 1, BUDGET).parameters.sector_bytes;
    let options = NbdOptions {
        sector_bytes: bytes,
        ..NbdOptions::default()
    };
    let uri: Uri = serving.uri().parse().expect("an address");
    let mut resource = NbdResource::connect(&uri, options).expect("a server");
    for &request in trace {
        match request {
            Request::Write(sector, byte) => {
                let data = vec![byte; bytes as usize];
                done(&mut resource, |resource| {
                    resource.submit_write(Sector(sector), &data, WriteOptions::default())
                });
            }
            Request::Flush => done(&mut resource, |resource| resource.submit_flush()),
            other => unreachable!("{other:?} is no part of such a trace"),
        }
    }
    drop(resource);
    serving.stop();
    scratch.check();
    scratch.cuesta_succeeds(&["export", "disk.nand", "disk.raw"]);
    let raw = fs::read(scratch.path("disk.raw")).expect("an image");
    raw.chunks(bytes as usize).map(filled).collect()
}
