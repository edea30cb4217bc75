//! `ekv`: a database with transactions.

use std::collections::BTreeMap;
use std::ops::Range;

use cuesta::door::DoorError;
use cuesta_sim::SplitMix64;
use cuesta_tests::foreign::{finished, Flash, NorClient, RamFlash, ERASE, WRITE};
use ekv::flash::PageID;
use ekv::{Config, Database};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_storage::nor_flash::ErrorType;
use embedded_storage_async::nor_flash::{MultiwriteNorFlash, NorFlash, ReadNorFlash};

use crate::plain;

/// Flash in the form that `ekv` asks for.
struct Pages<F>(F);

impl<F: Flash> ekv::flash::Flash for Pages<F> {
    type Error = DoorError;

    fn page_count(&self) -> usize {
        (Transactions::BYTES as usize / ERASE).min(self.0.capacity() / ERASE)
    }

    async fn erase(&mut self, page: PageID) -> Result<(), DoorError> {
        let from = (page.index() * ERASE) as u32;
        self.0.erase(from, from + ERASE as u32).await
    }

    async fn read(&mut self, page: PageID, at: usize, data: &mut [u8]) -> Result<(), DoorError> {
        self.0.read((page.index() * ERASE + at) as u32, data).await
    }

    async fn write(&mut self, page: PageID, at: usize, data: &[u8]) -> Result<(), DoorError> {
        self.0.write((page.index() * ERASE + at) as u32, data).await
    }
}

/// Transactions of several keys each.
#[derive(Debug)]
struct Transactions;

type Keys = BTreeMap<Vec<u8>, Vec<u8>>;

impl Transactions {
    /// What a step writes and, where there is nothing, deletes.
    fn step(step: u32) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        let mut random = SplitMix64::derive(9, u64::from(step));
        let count = 1 + random.below(5);
        let changes = (0..count).map(|_| {
            let key = format!("key {:02}", random.below(24)).into_bytes();
            let mut value = vec![0; random.below(100) as usize];
            random.fill(&mut value);
            (key, random.chance(4, 5).then_some(value))
        });
        changes.collect()
    }

    fn mount<F: Flash>(flash: F, seed: u32) -> Database<Pages<F>, NoopRawMutex> {
        let mut config = Config::default();
        config.random_seed = seed;
        Database::new(Pages(flash), config)
    }

    async fn all<F: Flash>(database: &Database<Pages<F>, NoopRawMutex>) -> Keys {
        let (mut key, mut value) = ([0; 32], [0; 128]);
        let transaction = database.read_transaction().await;
        let mut cursor = transaction.read_all().await.expect("a database");
        let mut keys = Keys::new();
        while let Some((key_len, value_len)) =
            cursor.next(&mut key, &mut value).await.expect("a record")
        {
            keys.insert(key[..key_len].to_vec(), value[..value_len].to_vec());
        }
        keys
    }
}

impl NorClient for Transactions {
    type Model = Keys;

    const BYTES: u32 = 20 * ERASE as u32;

    fn initial(&self) -> Keys {
        Keys::new()
    }

    fn steps(&self) -> u32 {
        75
    }

    fn play(&self, model: &mut Keys, step: u32) {
        for (key, value) in Self::step(step) {
            match value {
                Some(value) => model.insert(key, value),
                None => model.remove(&key),
            };
        }
    }

    fn may_leave(&self, before: &Keys, step: u32, found: &Keys, bytes: &[u8]) -> bool {
        let mut after = before.clone();
        self.play(&mut after, step);
        let forgotten = found.is_empty() && newest_meta_page_is_empty(bytes);
        *found == *before || *found == after || forgotten
    }

    async fn format<F: Flash>(&self, flash: F) {
        let database = Self::mount(flash, 0);
        database.format().await.expect("a format");
    }

    async fn run<F: Flash>(
        &self,
        flash: F,
        model: &Keys,
        steps: Range<u32>,
        mut done: impl FnMut(),
    ) {
        let database = Self::mount(flash, steps.start);
        database.mount().await.expect("a database");
        let mut model = model.clone();
        for step in steps {
            let mut transaction = database.write_transaction().await;
            for (key, value) in Self::step(step) {
                match value {
                    Some(value) => transaction.write(&key, &value).await.expect("a write"),
                    None => transaction.delete(&key).await.expect("a deletion"),
                }
            }
            transaction.commit().await.expect("a commit");
            done();
            self.play(&mut model, step);
            assert!(Self::all(&database).await == model, "step {step}");
        }
    }

    async fn contents<F: Flash>(&self, flash: F) -> Keys {
        let database = Self::mount(flash, 1);
        database.mount().await.expect("a database");
        Self::all(&database).await
    }
}

/// When a meta page is full, ekv 1.0.0 writes the header of the next one before what it heads. After a cut between the two a mount takes the new page for
/// the newest, and the database for empty. That is so on any flash; nothing that a flash could do would help.
fn newest_meta_page_is_empty(bytes: &[u8]) -> bool {
    let word = |page: &[u8], at| u32::from_le_bytes(page[at..at + 4].try_into().expect("a word"));
    let metas = bytes
        .chunks(ERASE)
        .filter(|page| word(page, 0) == META_MAGIC);
    let newest = metas.max_by_key(|page| word(page, SEQUENCE));
    newest.is_some_and(|page| word(page, CHUNK) == u32::MAX)
}

/// First word of a meta page of ekv, and where in it are its sequence number and the header of its first chunk.
const META_MAGIC: u32 = 0x1d81_bcde;
const SEQUENCE: usize = 12;
const CHUNK: usize = 16;

/// Plain memory of which a copy is kept whenever the newest meta page is empty, though one before it was not.
struct Copied {
    flash: RamFlash<WRITE, ERASE>,
    filled: bool,
    copies: Vec<RamFlash<WRITE, ERASE>>,
}

impl ErrorType for Copied {
    type Error = DoorError;
}

impl ReadNorFlash for Copied {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DoorError> {
        ReadNorFlash::read(&mut self.flash, offset, bytes).await
    }

    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(&self.flash)
    }
}

impl NorFlash for Copied {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), DoorError> {
        NorFlash::erase(&mut self.flash, from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DoorError> {
        NorFlash::write(&mut self.flash, offset, bytes).await?;
        if !newest_meta_page_is_empty(&self.flash.bytes) {
            self.filled = true;
        } else if self.filled {
            self.copies.push(self.flash.clone());
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Copied {}

#[test]
fn what_ekv_forgets_it_forgets_on_plain_memory_too() {
    let mut flash = Copied {
        flash: RamFlash::new(Transactions::BYTES as usize),
        filled: false,
        copies: Vec::new(),
    };
    finished(Transactions.format(&mut flash));
    flash.filled = false;
    let steps = 0..Transactions.steps();
    finished(Transactions.run(&mut flash, &Keys::new(), steps, || {}));
    assert!(!finished(Transactions.contents(&mut flash.flash)).is_empty());
    assert!(!flash.copies.is_empty());
    for copy in flash.copies {
        assert!(finished(Transactions.contents(copy)).is_empty());
    }
}

#[test]
fn z3_a_database_of_ekv_keeps_its_promises() {
    plain::judge(Transactions, "ekv", "tiny", 3);
}
