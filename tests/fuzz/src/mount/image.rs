//! Images of disks that have been used for a while, each made once a process.

use std::sync::OnceLock;

use cuesta::codec::crc::Seed;
use cuesta::codec::{Header, HeaderState, Kind, PageLayout};
use cuesta::volume::{Budget, LevelIndex, Shape};
use cuesta_hal::{Nand, PageAddress};
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::change::{filling, mixture};
use cuesta_sim::campaign::damage::{block_number, programmed_pages};
use cuesta_sim::campaign::driver::Driver;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::campaign::session::session;
use cuesta_sim::{CutPlan, EmulatedNand, SplitMix64};

use crate::input::Input;

/// Stream of the journal, where a page of sums is none of sector data.
const JOURNAL: u8 = 9;

/// The disks, with little more blocks than they must have: pages of one and several sectors, dies from one to four, copies, parity, packed headers.
const MAKINGS: [Making; 6] = [
    Making {
        blocks_per_die: Some(28),
        ..Making::of("tiny", Budget::Minimum)
    },
    Making {
        blocks_per_die: Some(17),
        pages_per_block: Some(8),
        depth: 4,
        ..Making::of("tiny2", Budget::Full)
    },
    Making {
        width: Some(2),
        pages_per_block: Some(8),
        ..Making::of("tiny", Budget::Full).with_levels(62, &["single", "twice=mirror=2"])
    },
    Making {
        width: Some(4),
        pages_per_block: Some(8),
        depth: 4,
        ..Making::of("tiny4", Budget::Minimum).with_levels(
            36,
            &["single=secded", "twice=mirror=2", "sum=bch4,parity=3"],
        )
    },
    Making {
        blocks_per_die: Some(9),
        pages_per_block: Some(8),
        depth: 4,
        ..Making::of("tiny-multi", Budget::Full)
    },
    Making {
        blocks_per_die: Some(28),
        pages_per_block: Some(8),
        ..Making::of("tiny", Budget::Full).with_chip_ecc()
    },
];

/// A page that holds something.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Where it is.
    pub address: PageAddress,
    /// What its checks start from.
    pub seed: Seed,
    /// The header of its first unit.
    pub header: Header,
}

/// A disk that is not mounted, and what it should hold.
#[derive(Debug)]
pub struct Image {
    rig: Rig,
    /// What it holds.
    pub model: Model,
    /// Its arithmetic.
    pub shape: Shape,
    /// The layout of each level's pages.
    layouts: Vec<PageLayout>,
    /// Its pages of sector data, those of sums included.
    data: Vec<Page>,
    /// All others.
    metadata: Vec<Page>,
}

impl Image {
    /// One of the images.
    pub fn chosen(input: &mut Input<'_>) -> &'static Self {
        static IMAGES: [[OnceLock<Image>; 2]; MAKINGS.len()] =
            [const { [const { OnceLock::new() }; 2] }; MAKINGS.len()];
        let (making, cleanly) = (usize::from(input.u8()) % MAKINGS.len(), input.flag());
        IMAGES[making][usize::from(cleanly)].get_or_init(|| Self::new(&MAKINGS[making], cleanly))
    }

    /// Makes a disk and uses it; the last session ends with an unmount, or with the power gone.
    fn new(making: &Making, cleanly: bool) -> Self {
        let mut rig = making.make(7);
        let mut model = Model::new();
        let mut random = SplitMix64::new(7);
        let capacity = rig.parameters.capacity;
        let mut disk = rig.mount().expect("a formatted part");
        let shape = *disk.volume().shape();
        let layouts = (0..rig_levels(&disk))
            .map_while(|level| disk.volume().level(LevelIndex(level)))
            .map(|level| shape.layout.with(level.ecc).expect("a level of the volume"))
            .collect();
        let ageing = mixture(&mut random, capacity, capacity * 2);
        let mut driver = Driver::new(disk.volume_mut(), &mut model, making.depth);
        for changes in [&filling(capacity), &ageing] {
            driver.run(changes).expect("power");
        }
        drop(driver);
        disk.unmount().map_err(|(_, error)| error).expect("room");
        model.flushed();
        let changes = mixture(&mut random, capacity, capacity);
        if !cleanly {
            let cut = CutPlan::during(u64::from(capacity), 7);
            rig.nand.plan_cut(cut);
        }
        let ended = session(&mut rig, &mut model, making.depth, &changes);
        assert_eq!(ended.is_ok(), cleanly);
        rig.nand.power_cycle();
        model.power_cycled();
        let mut image = Self {
            rig,
            model,
            shape,
            layouts,
            data: Vec::new(),
            metadata: Vec::new(),
        };
        for address in programmed_pages(&image.rig.nand) {
            let Some(page) = image.identify(address) else {
                continue;
            };
            if is_of_data(&page.header) {
                image.data.push(page);
            } else {
                image.metadata.push(page);
            }
        }
        // So that a kind can be chosen by where it is in the list.
        let order = |page: &Page| (page.header.kind as u8, page.header.id, page.header.time);
        image.metadata.sort_by_key(order);
        assert!(!image.data.is_empty() && !image.metadata.is_empty());
        image
    }

    /// A copy of the disk.
    #[must_use]
    pub fn rig(&self) -> Rig {
        self.rig.clone()
    }

    /// The layout of the page of a header.
    #[must_use]
    pub fn layout(&self, header: &Header) -> PageLayout {
        let own = self.layouts.get(usize::from(header.level));
        own.filter(|_| is_of_data(header))
            .copied()
            .unwrap_or(self.shape.layout)
    }

    /// The pages of metadata: by kind, number and log time.
    #[must_use]
    pub fn metadata_pages(&self) -> &[Page] {
        &self.metadata
    }

    /// A page of metadata.
    pub fn metadata_page(&self, input: &mut Input<'_>) -> PageAddress {
        self.metadata[input.below(self.metadata.len())].address
    }

    /// A page that holds anything, of metadata more often than not.
    pub fn page(&self, input: &mut Input<'_>) -> PageAddress {
        if input.u8().is_multiple_of(4) {
            self.data[input.below(self.data.len())].address
        } else {
            self.metadata_page(input)
        }
    }

    /// Any page of the part.
    pub fn any_page(&self, input: &mut Input<'_>) -> PageAddress {
        let geometry = self.rig.nand.geometry();
        let pages = usize::from(geometry.pages_per_block);
        let number = input.below(geometry.blocks() as usize * pages);
        let block = (number / pages) as u32;
        cuesta_sim::campaign::damage::block_of(&self.rig.nand, block).page((number % pages) as u16)
    }

    /// The pages of metadata that hold the same part of the same: of a checkpoint, of a range of sectors, or of a stripe.
    pub fn alike(&self, page: PageAddress) -> impl Iterator<Item = PageAddress> + '_ {
        let key = |header: &Header| (header.kind, header.id, header.stream);
        let wanted = self.metadata.iter().find(|other| other.address == page);
        self.metadata
            .iter()
            .filter(move |other| wanted.is_some_and(|own| key(&own.header) == key(&other.header)))
            .map(|other| other.address)
    }

    /// What the checks of a page of this kind start from, if its stripe began so many offsets before.
    #[must_use]
    pub fn seed(&self, kind: Kind, page: PageAddress, before: u32) -> Option<Seed> {
        let shape = &self.shape;
        if kind == Kind::Anchor {
            let number = block_number(&self.rig.nand, page.block);
            return Some(Seed {
                volume: 0,
                place: (number * shape.rows + u32::from(page.page.0)) * shape.units(),
            });
        }
        let segment = shape.segment_of(page.block);
        let column =
            (0..shape.width()).find(|&column| shape.block(segment, column) == page.block)?;
        let offset = (u32::from(page.page.0) * shape.width() + column).checked_sub(before)?;
        let volume = match kind {
            Kind::Record => 0,
            _ => self.rig.parameters.volume_id,
        };
        Some(Seed {
            volume,
            place: shape.location(segment, offset, 0).0,
        })
    }

    /// What a page of the image is.
    fn identify(&self, address: PageAddress) -> Option<Page> {
        let raw = self.rig.nand.true_bytes(address);
        let seeds = [Kind::Anchor, Kind::Record, Kind::Data]
            .into_iter()
            .flat_map(|kind| (0..self.shape.width()).map(move |before| (kind, before)))
            .filter_map(|(kind, before)| self.seed(kind, address, before));
        seeds.into_iter().find_map(|seed| {
            let headers = self.decode(&mut raw.clone(), seed)?;
            Some(Page {
                address,
                seed,
                header: *headers.first()?,
            })
        })
    }

    /// What a page is now, its bits corrected; `None` where it is none any more.
    #[must_use]
    pub fn found(&self, nand: &EmulatedNand, address: PageAddress) -> Option<Found> {
        let mut bytes = nand.true_bytes(address);
        let known = self.data.iter().chain(&self.metadata);
        let page = known.into_iter().find(|page| page.address == address)?;
        let headers = self.decode(&mut bytes, page.seed)?;
        Some(Found {
            bytes,
            headers,
            before: self.before(page),
        })
    }

    /// By how many offsets a page lies behind the first of its stripe.
    fn before(&self, page: &Page) -> u32 {
        let own = self.seed(page.header.kind, page.address, 0);
        own.map_or(0, |own| {
            own.place.saturating_sub(page.seed.place) / self.shape.units()
        })
    }

    fn decode(&self, bytes: &mut [u8], seed: Seed) -> Option<Vec<Header>> {
        let layout = self.shape.layout;
        let HeaderState::Valid(first) = layout.read_header(bytes, 0, seed.place) else {
            return None;
        };
        let of_level = |_| Some(self.layout(&first));
        let headers: Vec<Header> = (0..self.shape.units())
            .map_while(|unit| {
                let decoded = layout.decode_unit_with(bytes, unit, seed.of_unit(unit), of_level);
                decoded.ok().map(|(header, _)| header)
            })
            .collect();
        (!headers.is_empty()).then_some(headers)
    }
}

/// A page that was read.
#[derive(Debug)]
pub struct Found {
    /// Its bytes, corrected.
    pub bytes: Vec<u8>,
    /// The headers of its units, those that hold nothing left out.
    pub headers: Vec<Header>,
    /// By how many offsets it lies behind the first page of its stripe.
    pub before: u32,
}

/// True for sector data and the sums of it.
#[must_use]
pub fn is_of_data(header: &Header) -> bool {
    match header.kind {
        Kind::Data => true,
        Kind::Parity => header.stream != JOURNAL,
        _ => false,
    }
}

fn rig_levels(disk: &cuesta_sim::campaign::rig::RigDisk<'_>) -> u8 {
    disk.volume().info().parameters.levels()
}
