//! The text: what is wrong with it, and where; what never decides.

use cuesta::codec::Ecc;
use cuesta::policy::{
    compile, PolicyErrorKind, PolicyFault, PolicyTable, RuleNumber, StorageLevels, Unreachable,
};
use cuesta::volume::{Level, Redundancy};

use crate::policy;

/// Line, column and message of what is wrong.
fn error(text: &str) -> (u32, u32, String) {
    let mut buffer = vec![0; 4096];
    let error = compile(text, StorageLevels::UNKNOWN, &mut buffer).unwrap_err();
    (error.place.line, error.place.column, error.kind.to_string())
}

#[test]
fn m13_a_bad_rule_is_refused_with_its_position_and_what_is_expected() {
    for (text, line, column, part) in [
        ("rule app \"a\" -> lost", 1, 17, "no level \"lost\""),
        (
            "\n  rool any -> bypass",
            2,
            3,
            "\"rool\" was found, level, rule or default",
        ),
        (
            "rule app cc -> bypass",
            1,
            10,
            "\"cc\" was found, a pattern",
        ),
        (
            "rule app \"a\" & -> bypass",
            1,
            16,
            "\"->\" was found, a criterion",
        ),
        ("rule (app \"a\" -> bypass", 1, 15, "\"->\" was found, )"),
        ("rule app \"a\" bypass", 1, 14, "-> and a level"),
        ("rule app \"a", 1, 10, "not closed"),
        ("rule größe 3 -> bypass", 1, 6, "\"gr\" was found"),
        ("rule size 4Q.. -> bypass", 1, 11, "64K"),
        (
            "rule size 99999999999999999999 -> bypass",
            1,
            11,
            "expected",
        ),
        ("rule size 8K..4K -> bypass", 1, 11, "its end is before"),
        ("rule size < 0 -> bypass", 1, 11, "nothing lies in"),
        (
            "rule op wriite -> bypass",
            1,
            9,
            "read, write, trim or flush",
        ),
        (
            "level a = write-through\nlevel a = bypass",
            2,
            7,
            "a second time",
        ),
        ("level a- = bypass", 1, 8, "\"-\" was found, = and"),
        ("level seventeen_letters = bypass", 1, 7, "no name"),
        ("level a = mirror=4", 1, 18, "mirror=2, mirror=3"),
        ("level a = verify verify", 1, 18, "a second time"),
        ("level a = bypass write-back", 1, 18, "a second time"),
        ("level a =", 1, 10, "the end was found"),
        ("level bypass = ephemeral", 1, 16, "another name"),
        ("level a = resources:0,8", 1, 23, "0 to 7"),
        ("level a = storage:16", 1, 19, "no level \"16\""),
        (
            "default -> bypass\ndefault -> bypass",
            2,
            1,
            "a second time",
        ),
        ("default -> bypass any", 1, 19, "the end of the line"),
        ("rule name \"a\u{7}\" -> bypass", 1, 13, "\\u{7}"),
        ("rule ü", 1, 6, "\"ü\" was found"),
    ] {
        let found = error(text);
        assert_eq!((found.0, found.1), (line, column), "{text}: {found:?}");
        assert!(found.2.contains(part), "{text}: {found:?}");
    }
    let deep = format!("rule {}any{} -> bypass", "(".repeat(9), ")".repeat(9));
    assert_eq!(error(&deep).1, 14);
}

#[test]
fn m13_a_policy_that_is_too_large_says_by_how_much_and_then_fits() {
    let text: String = (0..40)
        .map(|number| format!("rule path \"/{number}/**\" & size {number}K.. -> bypass\n"))
        .collect();
    let whole = policy(&text).bytes().len();
    for room in [0, 24, 200, 500, 1000, whole - 70, whole - 1] {
        let mut buffer = vec![0; room];
        match compile(&text, StorageLevels::UNKNOWN, &mut buffer)
            .unwrap_err()
            .kind
        {
            PolicyErrorKind::Room { needed, room: told } => {
                assert_eq!(told, room);
                // Where nothing could be made yet, at most so many.
                let bare = room < whole / 2;
                assert!(
                    needed == whole || bare && needed > whole,
                    "{needed} in {room}"
                );
            }
            other => panic!("{other}"),
        }
    }
    let mut buffer = vec![0; whole];
    assert!(compile(&text, StorageLevels::UNKNOWN, &mut buffer).is_ok());
}

#[test]
fn m13_there_are_as_many_rules_and_levels_as_are_said_and_no_more() {
    let rules = |count: usize| "rule tenant 1 -> bypass\n".repeat(count);
    policy(&rules(128));
    assert!(error(&rules(129)).2.contains("128 rules at most"));
    let levels = |count: usize| -> String {
        (0..count)
            .map(|number| format!("level l{number} = bypass\n"))
            .collect()
    };
    policy(&format!("{}default -> l0\n", levels(16)));
    assert!(error(&levels(17)).2.contains("16 levels at most"));
}

#[test]
fn rules_go_on_in_the_next_line_behind_an_operator_and_within_parentheses() {
    let policy = policy("rule app \"a\" |\n # both\n (\n tenant 1\n) &\n size 1\n ->\n bypass\n");
    assert_eq!(
        policy.to_string(),
        "level bypass = bypass\nlevel write-through = write-through\nrule app \"a\" | tenant 1 & size 1 -> bypass\ndefault -> write-through\n"
    );
}

#[test]
fn m13_rules_that_never_decide_are_found() {
    let policy = policy(
        r#"rule path "/tmp/**" | ext "tmp" -> bypass
rule path "/tmp/x/*" & app "a" -> write-back
rule path "/home/**" & size 4K..8K -> write-back
rule path "/home/u/**" & size 4K & op write -> bypass
rule path "/home/u/**" & size 16K -> bypass
rule size ..4K & size 8K.. -> bypass
rule op read & op write | app "a" & !app "*" -> bypass
rule name "x.tmp" & ext "tmp" -> bypass
rule tenant 1 | size 1 -> bypass
rule any -> bypass
rule tenant 2 -> bypass
"#,
    );
    let behind = |rule| Some(Unreachable::Behind(RuleNumber(rule)));
    let never = Some(Unreachable::Contradiction);
    let found: Vec<_> = (0..11)
        .map(|rule| policy.unreachable(RuleNumber(rule)))
        .collect();
    assert_eq!(
        found,
        [
            None,
            behind(0),
            None,
            behind(2),
            None,
            never,
            never,
            behind(0),
            None,
            None,
            behind(9)
        ]
    );
}

#[test]
fn m5_levels_of_the_volume_are_found_by_name_number_and_redundancy() {
    let level = |name, redundancy| Level::new(name, Ecc::Bch4, redundancy);
    let stored = [
        level("default", Redundancy::Single),
        None,
        level("vital-", Redundancy::Mirror(2)),
    ];
    let mut buffer = vec![0; 4096];
    let mut show = |text: &str| {
        compile(text, StorageLevels::new(&stored), &mut buffer)
            .map(|policy| policy.to_string().lines().next().unwrap_or("").to_owned())
            .map_err(|error| error.to_string())
    };
    let vital = "level a = write-through mirror=2 storage:2";
    assert_eq!(show("level a = mirror=2").unwrap(), vital);
    assert_eq!(show("level a = storage:\"vital-\"").unwrap(), vital);
    assert_eq!(show("level a = mirror=2 storage:2").unwrap(), vital);
    for (text, part) in [
        ("level a = storage:1", "no level \"1\""),
        ("level a = storage:lost", "no level \"lost\""),
        ("level a = mirror=3", "no level of the volume has mirror=3"),
        (
            "level a = single storage:2",
            "single is asked for, the volume's level that is named has mirror=2",
        ),
    ] {
        let told = show(text).unwrap_err();
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn m13_a_damaged_policy_is_refused_whatever_byte_is_wrong() {
    let policy = policy("level a = ephemeral\nrule path \"/a/**\" & (tenant 1 | size 4K..) -> a\n");
    let bytes = policy.bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << bit;
            assert!(
                PolicyTable::accept(&damaged).is_err(),
                "byte {at} bit {bit}"
            );
        }
    }
    for len in 0..bytes.len() {
        assert!(PolicyTable::accept(&bytes[..len]).is_err());
    }
    let longer = [bytes, &[0xFF; 100]].concat();
    assert_eq!(
        PolicyTable::accept(&longer).map(|found| found.bytes().to_vec()),
        Ok(bytes.to_vec())
    );
    assert_eq!(
        PolicyTable::accept([0; 64]).err(),
        Some(PolicyFault::NoPolicy)
    );
}
