//! Policies drawn at random, beside what a plain reading of the rules says.

use cuesta::policy::{Facts, Operation, PolicyTable, RuleNumber, SourceDecision};
use cuesta::request::{
    Classifier, Context, ContextTable, Counters, Hints, Origin, Request, SectorRange, Source,
};
use cuesta::volume::Sector;
use cuesta_sim::SplitMix64;

use crate::policy;

const APPS: [&str; 4] = ["cc1", "gcc", "psql", "ü"];
const PATHS: [&str; 8] = [
    "/tmp/a.tmp",
    "/tmp/x/b.o",
    "/tmp",
    "/home/u/cache/c",
    "/home/cache/tmp",
    "/pagefile.sys",
    "rel/a.tmp",
    "/tmp/x/y/cc.tmp",
];
const PATTERNS: [&str; 22] = [
    "cc*",
    "*c",
    "*",
    "?",
    "p?ql",
    "gcc",
    "",
    "ü",
    "tmp",
    "a.tmp",
    "*.tmp",
    "/tmp/**",
    "/tmp/*",
    "**/cache/**",
    "/**/tmp",
    "**",
    "/home/*/c*",
    "/tmp/x",
    "*c*c*",
    "/tmp/**/*.tmp",
    r"\/tmp\/*",
    "**c",
];

/// A condition.
enum Expression {
    Text(&'static str, &'static str),
    Number(&'static str, u64, u64),
    Operation(Operation),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
}

/// What a request is.
#[derive(Debug, Clone, Copy)]
struct Known {
    app: Option<&'static str>,
    path: Option<&'static str>,
    tenant: u32,
    size: Option<u64>,
    sectors: (u64, u64),
    operation: Operation,
}

fn of<T: Copy>(random: &mut SplitMix64, from: &[T]) -> T {
    from[random.below(from.len() as u64) as usize]
}

impl Expression {
    fn draw(random: &mut SplitMix64, depth: u32) -> Self {
        let several = |random: &mut SplitMix64| {
            let count = 2 + random.below(3);
            (0..count).map(|_| Self::draw(random, depth - 1)).collect()
        };
        match random.below(if depth == 0 { 4 } else { 8 }) {
            0 | 1 => Self::Text(
                of(random, &["app", "name", "path", "dir", "ext"]),
                of(random, &PATTERNS),
            ),
            2 => {
                let low = random.below(5);
                let field = of(random, &["tenant", "size", "sector"]);
                Self::Number(field, low, low + random.below(20))
            }
            3 => Self::Operation(of(random, &Operation::ALL)),
            4 => Self::Not(Box::new(Self::draw(random, depth - 1))),
            5 | 6 => Self::And(several(random)),
            _ => Self::Or(several(random)),
        }
    }

    fn text(&self) -> String {
        let join = |all: &[Self], sign: &str| {
            let all: Vec<_> = all.iter().map(Self::text).collect();
            format!("({})", all.join(sign))
        };
        match self {
            Self::Text(field, pattern) => format!("{field} \"{pattern}\""),
            Self::Number(field, low, high) => format!("{field} {low}..{high}"),
            Self::Operation(operation) => format!("op {}", operation.name()),
            Self::Not(inner) => format!("!{}", inner.text()),
            Self::And(all) => join(all, " & "),
            Self::Or(all) => join(all, " | "),
        }
    }

    fn holds(&self, known: &Known) -> bool {
        match self {
            Self::Text(field, pattern) => {
                let path = known.path;
                let parts = path.map(|path| path.rsplit_once('/').unwrap_or(("", path)));
                let name = parts.map(|(_, name)| name);
                let text = match *field {
                    "app" => known.app,
                    "path" => path,
                    "dir" => parts.map(|(dir, _)| match dir {
                        "" if path.is_some_and(|path| path.starts_with('/')) => "/",
                        dir => dir,
                    }),
                    "name" => name,
                    _ => name.map(|name| match name.rsplit_once('.') {
                        Some((stem, extension)) if !stem.is_empty() => extension,
                        _ => "",
                    }),
                };
                let components = matches!(*field, "path" | "dir");
                let chars = |text: &str| text.chars().collect::<Vec<_>>();
                text.is_some_and(|text| glob(&chars(pattern), &chars(text), components, '/'))
            }
            Self::Number(field, low, high) => {
                let within = |value: u64| (*low..=*high).contains(&value);
                match *field {
                    "tenant" => within(known.tenant.into()),
                    "size" => known.size.is_some_and(within),
                    _ => {
                        let (first, count) = known.sectors;
                        count > 0 && within(first) && within(first + count - 1)
                    }
                }
            }
            Self::Operation(operation) => known.operation == *operation,
            Self::Not(inner) => !inner.holds(known),
            Self::And(all) => all.iter().all(|one| one.holds(known)),
            Self::Or(all) => all.iter().any(|one| one.holds(known)),
        }
    }
}

/// Tries everything.
fn glob(pattern: &[char], text: &[char], components: bool, before: char) -> bool {
    let crosses = |taken: &[char]| components && taken.contains(&'/');
    match pattern {
        [] => text.is_empty(),
        ['*', '*', rest @ ..] if components => {
            if before == '/' && rest.first() == Some(&'/') {
                (0..=text.len()).any(|at| {
                    (at == 0 || text[at - 1] == '/') && glob(&rest[1..], &text[at..], true, '/')
                })
            } else {
                (0..=text.len()).any(|at| glob(rest, &text[at..], true, '*'))
            }
        }
        ['*', rest @ ..] => (0..=text.len())
            .take_while(|&at| !crosses(&text[..at]))
            .any(|at| glob(rest, &text[at..], components, '*')),
        ['?', rest @ ..] => {
            !text.is_empty() && !crosses(&text[..1]) && glob(rest, &text[1..], components, '?')
        }
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.first() == Some(literal) && glob(rest, &text[1..], components, *literal)
        }
    }
}

impl Known {
    fn draw(random: &mut SplitMix64) -> Self {
        Self {
            app: random.chance(3, 4).then(|| of(random, &APPS)),
            path: random.chance(3, 4).then(|| of(random, &PATHS)),
            tenant: random.below(6) as u32,
            size: random.chance(3, 4).then(|| random.below(30)),
            sectors: (random.below(20), random.below(4)),
            operation: of(random, &Operation::ALL),
        }
    }

    fn facts(&self) -> Facts<'static> {
        let (first, count) = self.sectors;
        let mut facts = Facts::new()
            .tenant(self.tenant)
            .operation(self.operation)
            .sectors(first, count);
        if let Some(app) = self.app {
            facts = facts.application(app);
        }
        if let Some(path) = self.path {
            facts = facts.path(path);
        }
        if let Some(size) = self.size {
            facts = facts.size(size);
        }
        facts
    }
}

fn draw_policy(random: &mut SplitMix64) -> (Vec<Expression>, PolicyTable<Vec<u8>>) {
    let most = if random.chance(1, 8) { 90 } else { 12 };
    let count = 1 + random.below(most);
    let rules: Vec<_> = (0..count).map(|_| Expression::draw(random, 2)).collect();
    let text: String = rules
        .iter()
        .map(|rule| format!("rule {} -> bypass\n", rule.text()))
        .collect();
    let policy = policy(&text);
    (rules, policy)
}

#[test]
fn m4_the_first_rule_that_holds_decides_whatever_the_index_says() {
    let mut random = SplitMix64::new(41);
    let mut decided = [0u32; 2];
    for _ in 0..600 {
        let (rules, policy) = draw_policy(&mut random);
        for _ in 0..60 {
            let known = Known::draw(&mut random);
            let facts = known.facts();
            let expected = rules.iter().position(|rule| rule.holds(&known));
            let expected = expected.map(|rule| RuleNumber(rule as u8));
            assert_eq!(
                policy.evaluate(&facts).0,
                expected,
                "{known:?} of\n{policy}"
            );
            decided[usize::from(expected.is_some())] += 1;
            if let SourceDecision::Always(rule, _) = policy.evaluate_source(&facts) {
                assert_eq!(rule, expected, "{known:?} of\n{policy}");
            }
        }
    }
    assert!(decided.iter().all(|&count| count > 3000), "{decided:?}");
}

#[test]
fn what_lies_behind_a_policy_decides_nothing() {
    let mut random = SplitMix64::new(44);
    let drawn = (0..200).map(|_| draw_policy(&mut random).1.bytes().to_vec());
    let without_rules = vec![policy("").bytes().to_vec(); 200];
    for bytes in drawn.chain(without_rules).collect::<Vec<_>>() {
        // Mostly zeros, so that numbers there are small.
        let mut longer = bytes.clone();
        longer.extend((0..300).map(|_| u8::from(random.chance(1, 16))));
        let (policy, longer) = (PolicyTable::accept(bytes), PolicyTable::accept(longer));
        let (policy, longer) = (policy.expect("a policy"), longer.expect("a policy"));
        for _ in 0..20 {
            let known = Known::draw(&mut random);
            let facts = known.facts();
            let expected = policy.evaluate(&facts);
            assert_eq!(longer.evaluate(&facts), expected, "{known:?} of\n{policy}");
        }
    }
}

#[test]
fn m13_what_is_printed_is_read_as_the_same_policy() {
    let mut random = SplitMix64::new(42);
    for _ in 0..1000 {
        let (_, drawn) = draw_policy(&mut random);
        let shown = drawn.to_string();
        assert_eq!(policy(&shown).bytes(), drawn.bytes(), "{shown}");
    }
}

#[test]
fn rules_that_are_called_unreachable_never_decide() {
    let mut random = SplitMix64::new(43);
    let mut found = 0;
    for _ in 0..400 {
        let (rules, policy) = draw_policy(&mut random);
        let unreachable = |rule: usize| policy.unreachable(RuleNumber(rule as u8));
        let unreachable: Vec<_> = (0..rules.len())
            .filter(|&rule| unreachable(rule).is_some())
            .collect();
        found += unreachable.len();
        for _ in 0..100 {
            let known = Known::draw(&mut random);
            let decides = rules.iter().position(|rule| rule.holds(&known));
            assert!(
                decides.is_none_or(|rule| !unreachable.contains(&rule)),
                "rule {decides:?} for {known:?} of\n{policy}"
            );
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn m58_a_request_of_a_context_gets_what_it_would_get_without() {
    let mut random = SplitMix64::new(44);
    let (mut contexts, mut texts) = ([Context::default(); 4], [0; 4 * 64]);
    let mut once = 0;
    for _ in 0..300 {
        let (rules, policy) = draw_policy(&mut random);
        let mut counts = [0; 128];
        let mut classifier = Classifier::new(
            Some(policy),
            ContextTable::new(&mut contexts, &mut texts),
            Counters::new(&mut counts),
            1,
        );
        let source = Known::draw(&mut random);
        let handle = classifier
            .open(&Source {
                tenant: source.tenant,
                application: source.app,
                path: source.path,
                ..Source::default()
            })
            .unwrap();
        for _ in 0..20 {
            let request = Known::draw(&mut random);
            let (first, count) = request.sectors;
            let bytes = request.size.unwrap_or(count);
            let known = Known {
                app: source.app,
                path: source.path,
                tenant: source.tenant,
                size: Some(bytes),
                ..request
            };
            let decision = classifier
                .classify(&Request {
                    tenant: source.tenant,
                    range: SectorRange {
                        first: Sector(first as u32),
                        count: count as u32,
                    },
                    operation: request.operation,
                    origin: Origin::Context(handle),
                    hints: Hints {
                        bytes: Some(bytes),
                        ..Hints::default()
                    },
                })
                .unwrap();
            let expected = rules.iter().any(|rule| rule.holds(&known));
            let name = classifier
                .policy()
                .and_then(|policy| policy.level(decision.level));
            let found = name.is_some_and(|level| level.name == "bypass");
            assert_eq!(found, expected, "{known:?}");
        }
        assert_eq!(classifier.counters().sources, 1);
        once += 1;
    }
    assert_eq!(once, 300);
}
