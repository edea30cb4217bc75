//! Policies through their public doors: text, binary form, decisions, contexts, and the volume that keeps them. The numbers in names are rows of
//! `docs/MISSION.md`.

mod contexts;
mod model;
mod rows;
mod stored;
mod words;

use cuesta::policy::{compile, Facts, PolicyTable, StorageLevels};

/// A policy from its text, accepted as if it came from elsewhere.
fn policy(text: &str) -> PolicyTable<Vec<u8>> {
    let mut buffer = vec![0; 64 * 1024];
    let made = compile(text, StorageLevels::UNKNOWN, &mut buffer);
    let made = made.unwrap_or_else(|error| panic!("{error}\n{text}"));
    PolicyTable::accept(made.bytes().to_vec()).expect("what the compiler makes")
}

/// The name of the level that a request gets.
fn level<'p>(policy: &'p PolicyTable<Vec<u8>>, facts: &Facts<'_>) -> &'p str {
    let decision = policy.decide(facts).expect("nothing is asked for");
    let level = policy.level(decision.level).expect("a level");
    assert_eq!(level.persistence, decision.persistence);
    level.name
}
