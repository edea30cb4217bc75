//! Contexts: made at the first operation, classified once, again under another policy.

use cuesta::policy::{Flags, Operation, PolicyTable, Reason};
use cuesta::request::{
    Classifier, ClassifyError, Context, ContextError, ContextHandle, ContextTable, Counters, Hints,
    Origin, Request, SectorRange, Source,
};
use cuesta::volume::Sector;

use crate::policy;

fn request(origin: Origin) -> Request<'static> {
    Request {
        tenant: 0,
        range: SectorRange {
            first: Sector(0),
            count: 1,
        },
        operation: Operation::Write,
        origin,
        hints: Hints::default(),
    }
}

struct Memory {
    contexts: Vec<Context>,
    texts: Vec<u8>,
    rules: Vec<u32>,
}

impl Memory {
    fn new(places: usize) -> Self {
        Self {
            contexts: vec![Context::default(); places],
            texts: vec![0; places * 64],
            rules: vec![0; 16],
        }
    }

    fn classifier(&mut self, text: &str) -> Classifier<'_, Vec<u8>> {
        Classifier::new(
            Some(policy(text)),
            ContextTable::new(&mut self.contexts, &mut self.texts),
            Counters::new(&mut self.rules),
            512,
        )
    }
}

/// The name of a request's level.
fn level(classifier: &mut Classifier<'_, Vec<u8>>, request: &Request<'_>) -> String {
    let decision = classifier.classify(request).unwrap();
    let policy = classifier.policy().unwrap();
    policy.level(decision.level).unwrap().name.to_owned()
}

fn path(path: &str) -> Source<'_> {
    Source {
        path: Some(path),
        ..Source::default()
    }
}

#[test]
fn m58_a_handle_is_classified_once_however_many_requests_name_it() {
    let mut memory = Memory::new(4);
    let mut classifier = memory.classifier(
        "rule path \"/tmp/**\" -> ephemeral\nrule app \"cc\" & !name \"*.c\" -> bypass\n",
    );
    let handle = classifier.open(&path("/tmp/a")).unwrap();
    assert_eq!(classifier.counters().sources, 0);
    for _ in 0..100 {
        let found = level(&mut classifier, &request(Origin::Context(handle)));
        assert_eq!(found, "ephemeral");
    }
    assert_eq!(classifier.counters().sources, 1);
    assert_eq!(classifier.counters().rules()[0], 100);
}

#[test]
fn m13_the_very_next_request_obeys_a_new_policy() {
    let mut memory = Memory::new(4);
    let mut classifier = memory.classifier("rule path \"/tmp/**\" -> ephemeral\n");
    let handle = classifier.open(&path("/tmp/a")).unwrap();
    let ours = request(Origin::Context(handle));
    assert_eq!(level(&mut classifier, &ours), "ephemeral");
    let before = classifier.replace(Some(policy("rule path \"/tmp/**\" -> bypass\n")));
    assert_eq!(before.map(|policy| policy.rules_len()), Some(1));
    assert_eq!(classifier.epoch(), 1);
    assert_eq!(level(&mut classifier, &ours), "bypass");
    let none: Option<PolicyTable<Vec<u8>>> = None;
    classifier.replace(none);
    let decision = classifier.classify(&ours).unwrap();
    assert_eq!(decision.reason, Reason::NoPolicy);
    assert_eq!(classifier.counters().no_policy, 1);
}

#[test]
fn m11_a_profile_that_comes_later_changes_the_level_of_the_next_request() {
    let mut memory = Memory::new(2);
    let mut classifier = memory.classifier("rule profile \"hot\" -> write-back\n");
    let handle = classifier.open(&path("/db")).unwrap();
    let ours = request(Origin::Context(handle));
    assert_eq!(level(&mut classifier, &ours), "write-through");
    classifier.set_profiles(handle, "large,hot").unwrap();
    assert_eq!(level(&mut classifier, &ours), "write-back");
    classifier.set_profiles(handle, "").unwrap();
    assert_eq!(level(&mut classifier, &ours), "write-through");
}

#[test]
fn m59_what_is_written_out_anonymously_gets_the_level_of_its_file() {
    let mut memory = Memory::new(3);
    let text = "rule path \"/tmp/**\" & app \"cc\" -> ephemeral\nrule path \"/tmp/**\" -> bypass\nrule flag paging -> write-back\n";
    let mut classifier = memory.classifier(text);
    let file = |application, tenant| Source {
        tenant,
        object: Some(77),
        application: Some(application),
        path: Some("/tmp/a"),
        ..Source::default()
    };
    let anonymous = request(Origin::Object(77));
    // Of a file that nobody has opened nothing is known but that it is paged.
    assert_eq!(level(&mut classifier, &anonymous), "write-back");
    let other = classifier.open(&file("ld", 0)).unwrap();
    let last = classifier.open(&file("cc", 0)).unwrap();
    let foreign = classifier.open(&file("ld", 1)).unwrap();
    assert_eq!(level(&mut classifier, &anonymous), "ephemeral");
    // An open one goes before one that has ended; then the one that ended last.
    classifier.end(last).unwrap();
    assert_eq!(level(&mut classifier, &anonymous), "bypass");
    classifier.end(other).unwrap();
    assert_eq!(level(&mut classifier, &anonymous), "bypass");
    classifier.end(foreign).unwrap();
}

#[test]
fn m57_paging_other_and_direct_requests_are_told_apart() {
    let mut memory = Memory::new(2);
    let text = "rule flag direct -> bypass\nrule flag paging -> write-back\nrule flag non-paging -> ephemeral\n";
    let mut classifier = memory.classifier(text);
    let handle = classifier.open(&path("/a")).unwrap();
    for (flags, expected) in [
        (Flags::NON_PAGING, "ephemeral"),
        (Flags::PAGING, "write-back"),
        (Flags::DIRECT, "bypass"),
        (Flags::NONE, "write-through"),
        (Flags::DIRECT.with(Flags::NON_PAGING), "bypass"),
    ] {
        let mut ours = request(Origin::Context(handle));
        ours.hints.flags = flags;
        assert_eq!(level(&mut classifier, &ours), expected, "{flags:?}");
    }
    // What is said of the source is said of its requests.
    let direct = Source {
        flags: Flags::DIRECT,
        ..path("/a")
    };
    let direct = classifier.open(&direct).unwrap();
    assert_eq!(
        level(&mut classifier, &request(Origin::Context(direct))),
        "bypass"
    );
}

#[test]
fn m8_one_file_opened_by_two_applications_has_two_levels() {
    let mut memory = Memory::new(2);
    let mut classifier = memory.classifier("rule app \"cc\" -> ephemeral\n");
    let file = |application| Source {
        application: Some(application),
        ..path("/a")
    };
    let one = classifier.open(&file("cc")).unwrap();
    let other = classifier.open(&file("psql")).unwrap();
    assert_eq!(
        level(&mut classifier, &request(Origin::Context(one))),
        "ephemeral"
    );
    assert_eq!(
        level(&mut classifier, &request(Origin::Context(other))),
        "write-through"
    );
}

#[test]
fn m58_a_place_is_used_again_only_when_its_context_has_ended_and_old_handles_name_nothing() {
    let mut memory = Memory::new(2);
    let mut classifier = memory.classifier("rule path \"/tmp/**\" -> ephemeral\n");
    let first = classifier.open(&path("/tmp/a")).unwrap();
    let second = classifier.open(&path("/b")).unwrap();
    let full = Err(ContextError::Full { places: 2 });
    assert_eq!(classifier.open(&path("/c")), full);
    let long = "/".repeat(65);
    let (found, room) = (65, 64);
    let refused = Err(ContextError::TextLength { found, room });
    assert_eq!(classifier.open(&path(&long)), refused);
    classifier.end(first).unwrap();
    assert_eq!(classifier.end(first), Err(ContextError::Unknown(first)));
    let third = classifier.open(&path("/c")).unwrap();
    let gone = ClassifyError::Context(ContextError::Unknown(first));
    assert_eq!(
        classifier.classify(&request(Origin::Context(first))),
        Err(gone)
    );
    assert_eq!(classifier.counters().refused, 1);
    for handle in [second, third] {
        assert_eq!(ContextHandle::from_bits(handle.to_bits()), handle);
        assert_eq!(
            level(&mut classifier, &request(Origin::Context(handle))),
            "write-through"
        );
    }
}
