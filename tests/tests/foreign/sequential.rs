//! `sequential-storage`: a map and a queue.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use cuesta_sim::SplitMix64;
use cuesta_tests::foreign::{Flash, NorClient, ERASE};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use crate::plain;

/// Longer than any item.
const ITEM_MAX: usize = 256;

/// Nothing is remembered between calls.
const fn uncached<K>() -> Cache<Uncached, Uncached, Uncached, K> {
    Cache::new_uncached()
}

/// Bytes that differ for each step.
fn value(step: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    SplitMix64::new(u64::from(step)).fill(&mut bytes);
    bytes
}

/// A map of few keys, so that they are written over and over.
#[derive(Debug)]
struct Map;

/// What a step does to the map.
enum MapStep {
    Store(u8, Vec<u8>),
    Remove(u8),
}

impl Map {
    const KEYS: u8 = 12;

    fn step(step: u32) -> MapStep {
        let mut random = SplitMix64::derive(7, u64::from(step));
        let key = random.below(u64::from(Self::KEYS)) as u8;
        if random.chance(1, 8) {
            MapStep::Remove(key)
        } else {
            MapStep::Store(key, value(step, 4 + random.below(180) as usize))
        }
    }

    fn mount<F: Flash>(flash: F) -> MapStorage<u8, F, Cache<Uncached, Uncached, Uncached, u8>> {
        MapStorage::new(flash, MapConfig::new(0..Self::BYTES), uncached())
    }
}

impl NorClient for Map {
    type Model = BTreeMap<u8, Vec<u8>>;

    const BYTES: u32 = 8 * ERASE as u32;

    fn initial(&self) -> Self::Model {
        BTreeMap::new()
    }

    fn steps(&self) -> u32 {
        160
    }

    fn play(&self, model: &mut Self::Model, step: u32) {
        match Self::step(step) {
            MapStep::Store(key, value) => model.insert(key, value),
            MapStep::Remove(key) => model.remove(&key),
        };
    }

    async fn run<F: Flash>(
        &self,
        flash: F,
        model: &Self::Model,
        steps: Range<u32>,
        mut done: impl FnMut(),
    ) {
        let mut map = Self::mount(flash);
        let mut buffer = [0; ITEM_MAX];
        let mut model = model.clone();
        for step in steps {
            match Self::step(step) {
                MapStep::Store(key, value) => {
                    let value = value.as_slice();
                    let stored = map.store_item(&mut buffer, &key, &value);
                    stored.await.expect("a map that stores");
                }
                MapStep::Remove(key) => {
                    let removed = map.remove_item(&mut buffer, &key);
                    removed.await.expect("a map that removes");
                }
            }
            done();
            self.play(&mut model, step);
            let key = (step % u32::from(Self::KEYS)) as u8;
            let found = map.fetch_item::<&[u8]>(&mut buffer, &key).await;
            let found = found.expect("a map that reads");
            assert_eq!(found, model.get(&key).map(Vec::as_slice), "key {key}");
        }
    }

    async fn contents<F: Flash>(&self, flash: F) -> Self::Model {
        let mut map = Self::mount(flash);
        let mut buffer = [0; ITEM_MAX];
        let mut model = BTreeMap::new();
        for key in 0..Self::KEYS {
            let found = map.fetch_item::<&[u8]>(&mut buffer, &key).await;
            if let Some(value) = found.expect("a map that reads") {
                model.insert(key, value.to_vec());
            }
        }
        model
    }
}

/// A queue that is filled and emptied in turn.
#[derive(Debug)]
struct Queue;

impl Queue {
    fn mount<F: Flash>(flash: F) -> QueueStorage<F, Cache<Uncached, Uncached, Uncached>> {
        QueueStorage::new(flash, QueueConfig::new(0..Self::BYTES), uncached())
    }

    /// What a step pushes; nothing if it pops.
    fn pushed(step: u32) -> Option<Vec<u8>> {
        let mut random = SplitMix64::derive(8, u64::from(step));
        let filling = (step / 24).is_multiple_of(2);
        let len = 1 + random.below(140) as usize;
        random
            .chance(if filling { 5 } else { 1 }, 6)
            .then(|| value(step, len))
    }
}

impl NorClient for Queue {
    type Model = VecDeque<Vec<u8>>;

    const BYTES: u32 = 6 * ERASE as u32;

    fn initial(&self) -> Self::Model {
        VecDeque::new()
    }

    fn steps(&self) -> u32 {
        240
    }

    fn play(&self, model: &mut Self::Model, step: u32) {
        match Self::pushed(step) {
            Some(item) => model.push_back(item),
            None => drop(model.pop_front()),
        }
    }

    async fn run<F: Flash>(
        &self,
        flash: F,
        model: &Self::Model,
        steps: Range<u32>,
        mut done: impl FnMut(),
    ) {
        let mut queue = Self::mount(flash);
        let mut buffer = [0; ITEM_MAX];
        let mut model = model.clone();
        for step in steps {
            if let Some(item) = Self::pushed(step) {
                let pushed = queue.push(&item, false).await;
                pushed.expect("a queue with room");
            } else {
                let popped = queue.pop(&mut buffer).await.expect("a queue that pops");
                assert_eq!(popped.as_deref(), model.front().map(Vec::as_slice));
            }
            done();
            self.play(&mut model, step);
        }
    }

    async fn contents<F: Flash>(&self, flash: F) -> Self::Model {
        let mut queue = Self::mount(flash);
        let mut buffer = [0; ITEM_MAX];
        let mut model = VecDeque::new();
        let mut items = queue.iter().await.expect("a queue that can be read");
        while let Some(item) = items.next(&mut buffer).await.expect("an item") {
            model.push_back(item.to_vec());
        }
        model
    }
}

#[test]
fn z3_a_map_of_sequential_storage_keeps_its_promises() {
    plain::judge(Map, "a map of sequential-storage", "tiny", 1);
}

#[test]
fn z3_a_queue_of_sequential_storage_keeps_its_promises() {
    plain::judge(Queue, "a queue of sequential-storage", "tiny4", 2);
}
