//! Policies: as text, as TOML, as bytes.

use cuesta::cache::Mode;
use cuesta::policy::{
    compile, Asked, AskedRedundancy, Facts, Flags, Operation, PolicyTable, RuleNumber,
    SourceDecision, StorageLevels,
};
use cuesta_sim::policy_file;

/// Bytes that policies are compiled into.
const ROOM: usize = 8192;

/// A text, in a buffer of which the first two bytes say the length.
pub fn policy_text(data: &[u8]) {
    let (size, text) = data.split_at(data.len().min(2));
    let room = size
        .iter()
        .fold(0, |room, &byte| room * 256 + usize::from(byte))
        % ROOM;
    let text = String::from_utf8_lossy(text);
    let mut small = vec![0; room];
    let mut large = vec![0; 1 << 20];
    let made = compile(&text, StorageLevels::UNKNOWN, &mut large);
    let tight = compile(&text, StorageLevels::UNKNOWN, &mut small);
    match (made, tight) {
        (Ok(policy), tight) => {
            match tight {
                Ok(tight) => assert_eq!(tight.bytes(), policy.bytes()),
                Err(error) => assert!(error.to_string().contains("more than the")),
            }
            let policy = PolicyTable::accept(policy.bytes()).expect("what was compiled");
            is_read_as_printed(&policy);
            is_asked(&policy);
        }
        (Err(error), Err(_)) => {
            assert!(!error.to_string().is_empty());
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&(error.place.line as usize)));
            let line = text.split('\n').nth(error.place.line as usize - 1);
            let columns = line.map_or(0, |line| line.chars().count());
            assert!((1..=columns + 1).contains(&(error.place.column as usize)));
        }
        (Err(error), Ok(_)) => panic!("fits a small buffer only: {error}"),
    }
}

/// A file in TOML.
pub fn policy_toml(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match policy_file::from_toml(&text, StorageLevels::UNKNOWN) {
        Ok(policy) => {
            let policy = PolicyTable::accept(policy.bytes()).expect("what was compiled");
            is_read_as_printed(&policy);
        }
        Err(error) => {
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&error.line), "{error}");
            assert!(error.column >= 1 && !error.what.is_empty());
        }
    }
}

/// The binary form, with a checksum that fits.
pub fn policy_binary(data: &[u8]) {
    let mut bytes = data.to_vec();
    let _ = PolicyTable::accept(&bytes);
    PolicyTable::<Vec<u8>>::seal(&mut bytes);
    if let Ok(policy) = PolicyTable::accept(&bytes[..]) {
        is_read_as_printed(&policy);
        is_asked(&policy);
    }
}

/// Printed and compiled, it is the same.
fn is_read_as_printed(policy: &PolicyTable<&[u8]>) {
    let text = policy.to_string();
    let mut buffer = vec![0; 1 << 20];
    let again = compile(&text, StorageLevels::UNKNOWN, &mut buffer);
    let again = again.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(again.bytes(), policy.bytes(), "{text}");
}

/// Every answer is one that there can be, and all ways to ask agree.
fn is_asked(policy: &PolicyTable<&[u8]>) {
    let levels = policy.levels().count();
    let some = Facts::new()
        .path("/tmp/a/b.tmp")
        .application("cc1")
        .tenant(1)
        .size(4096)
        .sectors(3, 4)
        .operation(Operation::Write)
        .flags(Flags::DIRECT)
        .profiles("hot,cold");
    let asked = Asked {
        redundancy: Some(AskedRedundancy::Single),
        mode: Some(Mode::Bypass),
        level: None,
    };
    for facts in [Facts::new(), some, some.asked(asked)] {
        let (rule, level) = policy.evaluate(&facts);
        assert!(usize::from(level.0) < levels);
        if let SourceDecision::Always(of_source, _) = policy.evaluate_source(&facts) {
            assert_eq!(of_source, rule);
        }
        if let Some(rule) = rule {
            assert_eq!(policy.unreachable(rule), None);
        }
        assert!(!policy.explain(&facts).to_string().is_empty());
        let _ = policy.decide(&facts);
    }
    for rule in (0..policy.rules_len()).take(8) {
        let _ = policy.unreachable(RuleNumber(rule as u8));
    }
}
