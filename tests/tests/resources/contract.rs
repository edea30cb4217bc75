//! The contract, on every kind of resource.

use std::fs::File;

use cuesta::resource::{RamStore, Resource, ResourceError};
use cuesta::volume::{Budget, FormatOptions, Parameters, Sector, Volume};
use cuesta_hal::Nand;
use cuesta_sim::footprint::Footprint;
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::resource::{
    FileOptions, FileResource, FileResourceError, NbdOptions, NbdResource, NbdResourceError,
};
use cuesta_sim::EmulatedNand;
use cuesta_tests::program::Scratch;
use cuesta_tests::resource_contract::{all, holds, is, Ask};
use cuesta_tests::tools;

use crate::served::{QemuNbd, Remote};

const SECTOR_BYTES: u32 = 4096;
const SECTORS: u64 = 256;

#[test]
fn m16_ram_keeps_the_contract() {
    let bytes = SECTOR_BYTES as usize * SECTORS as usize;
    let (mut bytes, mut written) = (vec![0; bytes], [0; SECTORS as usize / 8]);
    holds(&mut RamStore::new(&mut bytes, &mut written, SECTOR_BYTES as usize).unwrap());
}

#[test]
fn m16_a_volume_keeps_the_contract() {
    let mut nand = EmulatedNand::of("tiny").unwrap();
    let options = FormatOptions {
        volume_id: 7,
        ..FormatOptions::default()
    };
    let parameters = Parameters::choose(nand.geometry(), &options).unwrap();
    let footprint = Footprint::new(nand.geometry(), &parameters, Budget::Full, 1).unwrap();
    let mut memory = OwnedMemory::new(&footprint.plan);
    Volume::format(&mut nand, memory.lend(), &options).unwrap();
    let mut volume = Volume::mount(&mut nand, memory.lend()).unwrap();
    holds(&mut volume);
}

#[test]
fn m16_a_file_keeps_the_contract_and_what_it_holds() {
    let scratch = Scratch::empty();
    let path = scratch.path("disk.img");
    let file = File::create(&path).unwrap();
    // What is beyond the last whole sector is left alone.
    file.set_len(u64::from(SECTOR_BYTES) * SECTORS + 100)
        .unwrap();
    let options = FileOptions::default();
    let mut resource = FileResource::open(&path, options).unwrap();
    assert_eq!(u64::from(resource.status().sectors), SECTORS);
    let second = FileResource::open(&path, options);
    assert!(matches!(second, Err(FileResourceError::InUse(_))));
    holds(&mut resource);
    all(&mut resource, &[Ask::Write(3, 9), Ask::Flush]);
    drop(resource);

    let read_only = FileOptions {
        read_only: true,
        ..options
    };
    let mut resource = FileResource::open(&path, read_only).unwrap();
    assert!(is(
        &all(&mut resource, &[Ask::Read(3), Ask::Flush])[0],
        3,
        9
    ));
    let refused = resource.submit_trim(Sector(3), 1);
    assert_eq!(refused, Err(nb::Error::Other(ResourceError::ReadOnly)));
    drop(resource);
    file.set_len(100).unwrap();
    let empty = FileResource::open(&path, options);
    assert!(matches!(empty, Err(FileResourceError::Empty { .. })));
}

#[test]
fn m16_m17_a_remote_disk_keeps_the_contract() {
    let remote = Remote::new(SECTORS);
    let mut resource = remote.connect(NbdOptions::default());
    assert_eq!(u64::from(resource.status().sectors), SECTORS);
    holds(&mut resource);
    // One request at a time, and with little memory for what is not flushed.
    for options in [
        NbdOptions {
            depth: 1,
            ..NbdOptions::default()
        },
        NbdOptions {
            unflushed_bytes_max: 3 * SECTOR_BYTES as usize,
            ..NbdOptions::default()
        },
        NbdOptions {
            durable_writes: true,
            ..NbdOptions::default()
        },
    ] {
        let mut resource = remote.connect(options);
        holds(&mut resource);
        assert_eq!(
            resource.history().own_flushes > 0,
            options.unflushed_bytes_max < 1 << 20
        );
    }
}

#[test]
fn m17_a_remote_disk_on_nand_keeps_the_contract() {
    let scratch = Scratch::with_disk();
    let serving = scratch.serve(&[]);
    let uri = serving.uri().parse().unwrap();
    for sector_bytes in [512, 4096] {
        let options = NbdOptions {
            sector_bytes,
            ..NbdOptions::default()
        };
        let mut resource = NbdResource::connect(&uri, options).unwrap();
        if sector_bytes == 4096 {
            holds(&mut resource);
        } else {
            all(&mut resource, &[Ask::Write(9, 2), Ask::Flush]);
            assert!(is(&all(&mut resource, &[Ask::Read(9)])[0], 9, 2));
        }
    }
    assert_eq!(serving.stop().count("errors"), 0);
    scratch.check();
}

#[test]
fn m17_a_disk_served_by_qemu_keeps_the_contract() {
    let test = "m17_a_disk_served_by_qemu_keeps_the_contract";
    if tools::are_missing(test, &["qemu-nbd"]) {
        return;
    }
    let scratch = Scratch::empty();
    let file = File::create(scratch.path("disk.img")).unwrap();
    file.set_len(u64::from(SECTOR_BYTES) * SECTORS).unwrap();
    let server = QemuNbd::start(&scratch, "disk.img");
    let mut resource = server.connect(NbdOptions::default());
    assert!(resource.exported().structured && resource.exported().zeroes);
    holds(&mut resource);
    all(&mut resource, &[Ask::Write(3, 9), Ask::Flush]);
    let missing = "nbd+unix:///other?socket=nowhere".parse().unwrap();
    let refused = NbdResource::connect(&missing, NbdOptions::default());
    assert!(matches!(refused, Err(NbdResourceError::Unreachable { .. })));
}

#[test]
fn m17_a_disk_served_by_nbdkit_keeps_the_contract() {
    let test = "m17_a_disk_served_by_nbdkit_keeps_the_contract";
    if tools::are_missing(test, &["nbdkit"]) {
        return;
    }
    let scratch = Scratch::empty();
    let server = QemuNbd::nbdkit(&scratch, &format!("{}", u64::from(SECTOR_BYTES) * SECTORS));
    let mut resource = server.connect(NbdOptions::default());
    holds(&mut resource);
}
