//! What rules can say, row by row.

use cuesta::cache::{Mode, OnLoss};
use cuesta::exec::{LevelNumber, ResourceSet};
use cuesta::policy::{
    Asked, AskedLevel, AskedRedundancy, Facts, Flags, Lifetime, Operation, Reason, Refusal,
    RuleNumber,
};

use crate::{level, policy};

#[test]
fn m4_every_request_of_a_trace_gets_one_level_and_the_same_in_a_replay() {
    let policy = policy(
        "level small = write-back\nlevel large = bypass\n\
         rule op write & size ..4K -> small\nrule size 64K.. | sector 0..99 -> large\n",
    );
    let trace: Vec<_> = (0..4096_u64)
        .map(|number| {
            let operation = Operation::ALL[number as usize % 4];
            let (first, count) = (number * 7 % 300, 1 + number % 200);
            let facts = Facts::new().operation(operation).sectors(first, count);
            facts.size(count * 2048)
        })
        .collect();
    let replay = || -> Vec<_> {
        let levels = trace.iter().map(|facts| policy.decide(facts));
        levels.map(Result::unwrap).collect()
    };
    let decisions = replay();
    assert_eq!(decisions, replay());
    for wanted in 0..3 {
        let reached = decisions.iter().any(|found| found.level.0 == wanted);
        assert!(reached, "no request at level {wanted}");
    }
}

#[test]
fn m5_a_level_says_each_of_its_dimensions() {
    let policy = policy(
        "level all = ephemeral mirror=3 storage:2 resources:0,2 verify atomic unwritten closed\n\
         level one = write-back parity=4\n",
    );
    let all = policy.level(LevelNumber(0)).unwrap();
    let persistence = all.persistence;
    assert_eq!(persistence.mode, Mode::Ephemeral);
    assert_eq!(persistence.resources, ResourceSet(0b101));
    assert_eq!(persistence.storage.0, 2);
    assert!(persistence.verify && persistence.atomic && all.closed);
    assert_eq!(persistence.on_loss, OnLoss::Unwritten);
    assert_eq!(all.redundancy.map(|found| found.copies()), Some(3));
    let one = policy.level(LevelNumber(1)).unwrap();
    assert_eq!(one.redundancy.map(|found| found.parity()), Some(4));
    assert!(!one.persistence.verify && !one.persistence.atomic && !one.closed);
}

#[test]
fn m6_what_is_asked_for_is_honoured_or_refused_with_a_reason() {
    let policy = policy(
        "level plain = write-through single\nlevel vital = write-through mirror=2\n\
         level scratch = ephemeral single\nlevel secret = bypass single closed\n\
         rule path \"/vital/**\" -> vital\nrule app \"vault\" -> secret\ndefault -> plain\n",
    );
    let ask = |asked, path| {
        let facts = Facts::new().path(path).asked(asked);
        policy
            .decide(&facts)
            .map(|found| (found.level.0, found.reason))
    };
    let named = |name| Asked {
        level: Some(AskedLevel::Name(name)),
        ..Asked::default()
    };
    let redundancy = |asked| Asked {
        redundancy: Some(asked),
        ..Asked::default()
    };
    let mode = |mode| Asked {
        mode: Some(mode),
        ..Asked::default()
    };
    assert_eq!(ask(named("scratch"), "/a"), Ok((2, Reason::Asked)));
    assert_eq!(ask(named("lost"), "/a"), Err(Refusal::NoLevel));
    let closed = Err(Refusal::Closed(LevelNumber(3)));
    assert_eq!(ask(named("secret"), "/a"), closed);
    let redundant = redundancy(AskedRedundancy::Redundant);
    assert_eq!(ask(redundant, "/a"), Ok((1, Reason::AskedFor)));
    let by_rule = Ok((1, Reason::Rule(RuleNumber(0))));
    assert_eq!(ask(redundant, "/vital/a"), by_rule);
    let single = redundancy(AskedRedundancy::Single);
    assert_eq!(ask(single, "/vital/a"), Ok((0, Reason::AskedFor)));
    let ephemeral = mode(Mode::Ephemeral);
    assert_eq!(ask(ephemeral, "/a"), Ok((2, Reason::AskedFor)));
    // The level of that mode is closed: rules give it, asking does not.
    let refused = |redundancy, mode| Err(Refusal::NoneSuch { redundancy, mode });
    assert_eq!(
        ask(mode(Mode::Bypass), "/a"),
        refused(None, Some(Mode::Bypass))
    );
    let vault = Facts::new().application("vault").asked(mode(Mode::Bypass));
    assert_eq!(policy.decide(&vault).unwrap().level.0, 3);
    let both = Asked {
        redundancy: Some(AskedRedundancy::Redundant),
        ..ephemeral
    };
    let none = refused(Some(AskedRedundancy::Redundant), Some(Mode::Ephemeral));
    assert_eq!(ask(both, "/a"), none);
    let other = Asked {
        mode: Some(Mode::WriteBack),
        ..named("scratch")
    };
    assert_eq!(ask(other, "/a"), Err(Refusal::NotAs(LevelNumber(2))));
}

#[test]
fn m6_rules_see_what_is_asked_for() {
    let policy = policy("rule asks redundant & asks bypass -> write-back\n");
    let asked = Asked {
        redundancy: Some(AskedRedundancy::Redundant),
        mode: Some(Mode::Bypass),
        level: None,
    };
    let found = policy.evaluate(&Facts::new().asked(asked));
    assert_eq!(found.0, Some(RuleNumber(0)));
    let asked = Asked {
        mode: None,
        ..asked
    };
    assert_eq!(policy.evaluate(&Facts::new().asked(asked)).0, None);
}

#[test]
fn m7_a_page_file_and_a_directory_for_temporary_files_are_ephemeral() {
    let policy = policy(
        "level scratch = ephemeral\n\
         rule name \"pagefile.sys\" | dir \"/var/tmp\" | path \"/tmp/**\" | ext \"swp\" | volume \"scratch*\" -> scratch\n",
    );
    for (facts, expected) in [
        (Facts::new().path("/pagefile.sys"), "scratch"),
        (Facts::new().name("pagefile.sys"), "scratch"),
        (Facts::new().path("/var/tmp/a"), "scratch"),
        (Facts::new().path("/var/tmp/a/b"), "write-through"),
        (Facts::new().path("/tmp/a/b/c"), "scratch"),
        (Facts::new().path("/home/.a.swp"), "scratch"),
        (Facts::new().path("/home/swp"), "write-through"),
        (Facts::new().volume("scratch-1"), "scratch"),
        (Facts::new().volume("data"), "write-through"),
        (Facts::new(), "write-through"),
    ] {
        assert_eq!(level(&policy, &facts), expected, "{facts:?}");
    }
}

#[test]
fn m8_the_same_sectors_have_another_level_for_another_application() {
    let policy = policy("rule app \"cc*\" -> ephemeral\nrule tenant 7 -> write-back\n");
    let facts = Facts::new().sectors(100, 8).operation(Operation::Write);
    assert_eq!(level(&policy, &facts.application("cc1")), "ephemeral");
    assert_eq!(level(&policy, &facts.application("psql")), "write-through");
    assert_eq!(level(&policy, &facts.tenant(7)), "write-back");
    assert_eq!(level(&policy, &facts.tenant(8)), "write-through");
}

#[test]
fn m9_application_and_file_must_both_match() {
    let policy = policy("rule ext \"tmp\" & app \"cc*\" -> ephemeral\n");
    for (app, path, expected) in [
        ("cc1", "/a.tmp", "ephemeral"),
        ("cc1", "/a.c", "write-through"),
        ("ld", "/a.tmp", "write-through"),
        ("ld", "/a.c", "write-through"),
    ] {
        let facts = Facts::new().application(app).path(path);
        assert_eq!(level(&policy, &facts), expected, "{app} {path}");
    }
    let only = Facts::new().application("cc1");
    assert_eq!(level(&policy, &only), "write-through");
}

#[test]
fn m9_and_binds_tighter_than_or_and_not_tighter_than_both() {
    let truth = |condition: &str, facts: &Facts<'_>| {
        let policy = policy(&format!("rule {condition} -> bypass\n"));
        level(&policy, facts) == "bypass"
    };
    for bits in 0..8_u64 {
        let [a, b, c] = [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0];
        let facts = Facts::new()
            .tenant(u32::from(a))
            .priority(u8::from(b))
            .offset(u64::from(c));
        let (x, y, z) = ("tenant 1", "priority 1", "offset 1");
        for (condition, expected) in [
            (format!("{x} | {y} & {z}"), a | b & c),
            (format!("({x} | {y}) & {z}"), (a | b) & c),
            (format!("!{x} & {y} | {z}"), !a & b | c),
            (format!("!({x} & {y}) | {z}"), !(a & b) | c),
            (format!("!!{x} & !({y} | !{z})"), a & !(b | !c)),
        ] {
            assert_eq!(
                truth(&condition, &facts),
                expected,
                "{condition} of {bits:03b}"
            );
        }
    }
}

#[test]
fn m10_a_hint_a_size_a_place_or_a_direction_flips_the_level() {
    let facts = Facts::new()
        .operation(Operation::Write)
        .size(4096)
        .sectors(10, 2)
        .offset(0)
        .priority(3);
    for (condition, other) in [
        ("lifetime short", facts.lifetime(Lifetime::Short)),
        ("flag temporary", facts.flags(Flags::TEMPORARY)),
        ("flag direct", facts.flags(Flags::DIRECT)),
        ("op trim", facts.operation(Operation::Trim)),
        ("size 64K..", facts.size(65536)),
        ("size < 4K", facts.size(4095)),
        ("sector 100..199", facts.sectors(198, 2)),
        ("offset >= 1M", facts.offset(1 << 20)),
        ("priority > 6", facts.priority(7)),
        ("object 77", facts.object(77)),
    ] {
        let policy = policy(&format!("rule {condition} -> bypass\n"));
        assert_eq!(level(&policy, &facts), "write-through", "{condition}");
        assert_eq!(level(&policy, &other), "bypass", "{condition}");
    }
}

#[test]
fn m10_a_request_that_is_partly_outside_a_range_of_sectors_does_not_match() {
    let policy = policy("rule sector 100..199 -> bypass\n");
    for (first, count, inside) in [
        (100, 100, true),
        (99, 1, false),
        (150, 51, false),
        (199, 1, true),
        (0, 300, false),
    ] {
        let found = level(&policy, &Facts::new().sectors(first, count)) == "bypass";
        assert_eq!(found, inside, "{first}+{count}");
    }
    assert_eq!(
        level(&policy, &Facts::new().sectors(150, 0)),
        "write-through"
    );
}

#[test]
fn m11_an_injected_profile_changes_the_level() {
    let policy = policy("rule profile \"rewritten*\" & !profile \"shared\" -> write-back\n");
    let facts = Facts::new().path("/db/log");
    assert_eq!(level(&policy, &facts), "write-through");
    let hot = facts.profiles("small,rewritten-often");
    assert_eq!(level(&policy, &hot), "write-back");
    let shared = facts.profiles("rewritten-often,shared");
    assert_eq!(level(&policy, &shared), "write-through");
}

#[test]
fn m12_what_matches_nothing_is_write_through() {
    for text in [
        "",
        "# nothing\n",
        "level scratch = ephemeral\nrule !any -> scratch\n",
    ] {
        let policy = policy(text);
        let decision = policy.decide(&Facts::new().path("/tmp/a")).unwrap();
        assert_eq!(decision.persistence.mode, Mode::WriteThrough);
        assert_eq!(decision.reason, Reason::Default);
    }
    let other = policy("default -> bypass\n");
    assert_eq!(level(&other, &Facts::new()), "bypass");
}

#[test]
fn m13_explain_says_which_rule_matched_and_why() {
    let policy = policy(
        "rule path \"/tmp/**\" -> ephemeral\nrule ext \"tmp\" & app \"cc*\" | lifetime short -> bypass\n",
    );
    let facts = Facts::new().path("/a/b.tmp").application("cc1");
    let told = policy.explain(&facts).to_string();
    assert_eq!(
        told,
        "rule 1: no (path \"/tmp/**\": no)\n\
         rule 2: yes (ext \"tmp\": yes; app \"cc*\": yes)\n\
         level bypass = bypass\n\
         by rule ext \"tmp\" & app \"cc*\" | lifetime short -> bypass\n"
    );
    let told = policy.explain(&Facts::new()).to_string();
    assert!(
        told.contains("lifetime short: no, as it is not known"),
        "{told}"
    );
    assert!(
        told.ends_with("by the default, as no rule matches\n"),
        "{told}"
    );
}
