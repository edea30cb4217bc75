//! Contexts: classified once, again under another policy, and never another's.

use super::*;
use crate::policy::{compile, Flags, Operation, PolicyTable, StorageLevels};
use crate::volume::Sector;

fn policy(text: &str) -> PolicyTable<std::vec::Vec<u8>> {
    let mut buffer = std::vec![0; 8192];
    let made = compile(text, StorageLevels::UNKNOWN, &mut buffer).unwrap();
    PolicyTable::accept(made.bytes().to_vec()).unwrap()
}

fn write(origin: Origin, count: u32) -> Request<'static> {
    Request {
        tenant: 0,
        range: SectorRange {
            first: Sector(0),
            count,
        },
        operation: Operation::Write,
        origin,
        hints: Hints::default(),
    }
}

const TEXT: &str = r#"
level scratch = ephemeral
level large = bypass
rule path "/tmp/**" -> scratch
rule size 64K.. -> large
"#;

#[test]
fn a_source_is_classified_once_and_sizes_count_all_the_same() {
    let (mut contexts, mut texts) = ([Context::default(); 2], [0; 64]);
    let mut rules = [0; 4];
    let mut classifier = Classifier::new(
        Some(policy(TEXT)),
        ContextTable::new(&mut contexts, &mut texts),
        Counters::new(&mut rules),
        2048,
    );
    let source = |path| Source {
        path: Some(path),
        ..Source::default()
    };
    let tmp = classifier.open(&source("/tmp/a")).unwrap();
    let home = classifier.open(&source("/home/a")).unwrap();
    let mut level = |handle, count| {
        let request = write(Origin::Context(handle), count);
        classifier.classify(&request).unwrap().level.0
    };
    assert_eq!([level(tmp, 1), level(tmp, 100)], [0, 0]);
    assert_eq!([level(home, 1), level(home, 32), level(home, 1)], [2, 1, 2]);
    assert_eq!(classifier.counters().sources, 2);
    assert_eq!(classifier.counters().rules(), [2, 1, 0, 0]);
    assert_eq!(classifier.counters().default, 2);
}

#[test]
fn handles_of_contexts_that_have_ended_name_nothing() {
    let (mut contexts, mut texts) = ([Context::default(); 1], [0; 16]);
    let mut classifier = Classifier::new(
        Some(policy(TEXT)),
        ContextTable::new(&mut contexts, &mut texts),
        Counters::default(),
        2048,
    );
    let source = Source {
        object: Some(7),
        path: Some("/tmp/a"),
        ..Source::default()
    };
    let handle = classifier.open(&source).unwrap();
    assert_eq!(
        classifier.open(&source),
        Err(ContextError::Full { places: 1 })
    );
    let foreign = Request {
        tenant: 1,
        ..write(Origin::Context(handle), 1)
    };
    let unknown = Err(ClassifyError::Context(ContextError::Unknown(handle)));
    assert_eq!(classifier.classify(&foreign), unknown);
    classifier.end(handle).unwrap();
    let request = write(Origin::Context(handle), 1);
    assert_eq!(classifier.classify(&request), unknown);
    // What is written out later still belongs to it.
    let late = write(Origin::Object(7), 1);
    assert_eq!(classifier.classify(&late).unwrap().level.0, 0);
    let again = classifier.open(&source).unwrap();
    assert_ne!(again, handle);
    let flags = Flags::DIRECT;
    assert!(flags.has(Flags::NONE));
}
