//! Policies as text, as bytes, and asked.

use super::*;
use std::string::ToString;

fn with<R>(text: &str, look: impl FnOnce(PolicyTable<&[u8]>) -> R) -> R {
    let mut buffer = [0; 8192];
    let made = compile(text, StorageLevels::UNKNOWN, &mut buffer).unwrap();
    look(PolicyTable::accept(made.bytes()).unwrap())
}

#[test]
fn a_policy_is_printed_as_it_was_written() {
    for condition in [
        "any",
        "!any",
        "path \"/tmp/**\" | ext \"tmp\" & app \"cc*\"",
        "(path \"/tmp/**\" | ext \"tmp\") & app \"cc*\"",
        "tenant 1 & (tenant 2 | tenant 3)",
        "tenant 1 & (tenant 2 | tenant 3) & tenant 4",
        "tenant 1 & (tenant 2 | tenant 3 & tenant 4)",
        "((tenant 1 | tenant 2) & tenant 3 | tenant 4) & tenant 5",
        "size 4K..64K & sector ..1M & offset 3.. & priority 0..",
        "!flag paging | lifetime short | asks redundant | op write",
        "name \"a\\\"b\" | volume \"\" | profile \"*hot*\" | dir \"/a\" | object 7",
    ] {
        let text = std::format!(
            "level write-back = write-back\nrule {condition} -> write-back\ndefault -> write-back\n"
        );
        with(&text, |policy| assert_eq!(policy.to_string(), text));
    }
}

#[test]
fn chains_in_parentheses_become_part_of_the_chain_around_them() {
    for (written, shown) in [
        (
            "tenant 1 & (tenant 2 & tenant 3) & tenant 4",
            "tenant 1 & tenant 2 & tenant 3 & tenant 4",
        ),
        (
            "(tenant 1 | tenant 2) | (tenant 3 | tenant 4)",
            "tenant 1 | tenant 2 | tenant 3 | tenant 4",
        ),
        (
            "!(tenant 1 | tenant 2) & tenant 3",
            "!tenant 1 & !tenant 2 & tenant 3",
        ),
        (
            "!(tenant 1 & !(tenant 2 | size 4)) | any",
            "!tenant 1 | tenant 2 | size 4 | any",
        ),
        (
            "tenant 1 & (tenant 2 & (tenant 3 | tenant 4 & tenant 5)) & tenant 6",
            "tenant 1 & tenant 2 & (tenant 3 | tenant 4 & tenant 5) & tenant 6",
        ),
    ] {
        with(&std::format!("rule {written} -> bypass"), |policy| {
            let text = policy.to_string();
            assert!(
                text.contains(&std::format!("rule {shown} -> bypass\n")),
                "{text}"
            );
            with(&text, |again| assert_eq!(again.bytes(), policy.bytes()));
        });
    }
}
