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

/// Numbers that follow from one another.
struct Draw(u64);

impl Draw {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % below
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn chance(&mut self) -> bool {
        self.below(2) == 0
    }

    fn condition(&mut self, depth: usize) -> std::string::String {
        match self.below(if depth == 0 { 1 } else { 3 }) {
            0 => {
                let not = if self.below(4) == 0 { "!" } else { "" };
                let criterion = self.of(&[
                    "app \"cc*\"",
                    "app \"c*\"",
                    "app \"psql\"",
                    "path \"/home/*/cache/**\"",
                    "path \"/tmp/**\"",
                    "dir \"/tmp/a\"",
                    "name \"*.swp\"",
                    "ext \"o\"",
                    "volume \"b*\"",
                    "profile \"hot*\"",
                    "profile \"cold\"",
                    "tenant 3",
                    "tenant 2..40",
                    "object 7",
                    "priority 4..",
                    "size 8K",
                    "size 64K..",
                    "sector 0..99",
                    "offset 4096",
                    "op write",
                    "lifetime short",
                    "flag direct",
                    "flag random",
                    "asks redundant",
                    "any",
                ]);
                std::format!("{not}{criterion}")
            }
            sign => {
                let sign = if sign == 1 { " & " } else { " | " };
                let count = 2 + self.below(3);
                let all: std::vec::Vec<_> = (0..count).map(|_| self.condition(depth - 1)).collect();
                std::format!("({})", all.join(sign))
            }
        }
    }

    fn facts(&mut self) -> Facts<'static> {
        let mut facts = Facts::new().tenant(self.below(5) as u32);
        if self.chance() {
            facts = facts.application(self.of(&["cc1", "c", "psql", "vim"]));
        }
        if self.chance() {
            facts = facts.path(self.of(&["/tmp/a/x.o", "/home/u/cache/y", "/home/u/v/.a.swp"]));
        }
        if self.chance() {
            let operation = self.of(&Operation::ALL);
            facts = facts
                .operation(operation)
                .size(8192)
                .sectors(self.below(120) as u64, 4);
        }
        match self.below(8) {
            0 => facts = facts.profiles(self.of(&["hot-1,cold", "cold"])),
            1 => facts = facts.lifetime(Lifetime::Short).profiles("hot"),
            2 => facts = facts.profiles("cold").lifetime(self.of(&Lifetime::ALL)),
            3 => facts = facts.flags(self.of(&[Flags::DIRECT, Flags::RANDOM])),
            4 => facts = facts.volume("backup").priority(6).object(7).offset(4096),
            _ => {}
        }
        facts
    }
}

#[test]
fn the_index_never_hides_the_first_rule_that_holds() {
    let mut draw = Draw(11);
    let (mut decided, mut groups) = (0, 0);
    for _ in 0..200 {
        let rules = draw.of(&[1, 8, 40]);
        let text: std::string::String = (0..rules)
            .map(|_| std::format!("rule {} -> bypass\n", draw.condition(2)))
            .collect();
        let mut buffer = std::vec![0; 1 << 16];
        let made = compile(&text, StorageLevels::UNKNOWN, &mut buffer).unwrap();
        let policy = PolicyTable::accept(made.bytes()).unwrap();
        let view = policy.view();
        groups += usize::from(view.parts().count() > form::GROUP_PARTS);
        for _ in 0..40 {
            let facts = draw.facts();
            let holds = |rule: u8| {
                let code = view.code_at(rule.into()).unwrap();
                judge::code_holds(code, &facts)
            };
            let from = draw.below(3) as u8;
            let expected = (from..view.rules_len() as u8).find(|&rule| holds(rule));
            let found = policy.evaluate_from(&facts, from).0;
            assert_eq!(found.map(|rule| rule.0), expected, "{facts:?} of\n{text}");
            decided += usize::from(expected.is_some());
        }
    }
    assert!(decided > 2000 && groups > 20, "{decided} {groups}");
}
