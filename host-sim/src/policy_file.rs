//! Policies in files: the engine's own text, or TOML that says the same.
//!
//! ```toml
//! default = "write-through"
//!
//! [[level]]
//! name = "scratch"
//! is = "ephemeral revert"
//!
//! [[rule]]
//! when = 'path "/tmp/**" | ext "tmp" & app "cc*"'
//! level = "scratch"
//!
//! [[rule]] # what stands side by side must all hold
//! app = "postgres"
//! size = "64K.."
//! level = "write-back"
//! ```

use std::fmt;
use std::path::Path;

use cuesta::policy::{compile, Compiler, PolicyError, PolicyTable, StorageLevels};
use serde::Deserialize;
use toml::Spanned;

/// Bytes that a policy is compiled in: more than the largest that there can be.
const BUFFER_BYTES: usize = 256 * 1024;

/// Why a file is no policy, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFileError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What was found and what is expected.
    pub what: String,
}

impl fmt::Display for PolicyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.what
        )
    }
}

impl std::error::Error for PolicyFileError {}

/// True when the name says that a file is TOML.
#[must_use]
pub fn is_toml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// Compiles the engine's own text.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn from_text(
    text: &str,
    storage: StorageLevels<'_>,
) -> Result<PolicyTable<Vec<u8>>, PolicyFileError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    compile(text, storage, &mut buffer)
        .map(owned)
        .map_err(|error| PolicyFileError {
            line: error.place.line as usize,
            column: error.place.column as usize,
            what: error.kind.to_string(),
        })
}

fn owned(policy: PolicyTable<&mut [u8]>) -> PolicyTable<Vec<u8>> {
    policy.to_owned_bytes(policy.bytes().to_vec())
}

/// A number or a text that says a range.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Range {
    Number(u64),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    default: Option<Spanned<String>>,
    #[serde(default, rename = "level")]
    levels: Vec<Level>,
    #[serde(default, rename = "rule")]
    rules: Vec<Spanned<Rule>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    name: Spanned<String>,
    is: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    when: Option<Spanned<String>>,
    app: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    dir: Option<Spanned<String>>,
    ext: Option<Spanned<String>>,
    volume: Option<Spanned<String>>,
    profile: Option<Spanned<String>>,
    tenant: Option<Spanned<Range>>,
    object: Option<Spanned<Range>>,
    priority: Option<Spanned<Range>>,
    sector: Option<Spanned<Range>>,
    size: Option<Spanned<Range>>,
    offset: Option<Spanned<Range>>,
    op: Option<Spanned<String>>,
    lifetime: Option<Spanned<String>>,
    flag: Option<Spanned<String>>,
    asks: Option<Spanned<String>>,
    level: Spanned<String>,
}

/// A text of which each part comes from somewhere in a file.
#[derive(Debug, Default)]
struct Assembled {
    text: String,
    /// Where a part begins in the text, where in the file, and whether it stands there as it is.
    parts: Vec<(usize, usize, bool)>,
}

impl Assembled {
    /// Adds a criterion, with `&` before it if it is not the first.
    fn add(&mut self, from: usize, criterion: &str) {
        self.join();
        self.parts.push((self.text.len(), from, false));
        self.text.push_str(criterion);
    }

    fn join(&mut self) {
        if !self.text.is_empty() {
            self.text.push_str(" & ");
        }
    }

    /// The place in the file of a place in the text.
    fn origin(&self, at: usize) -> usize {
        match self.parts.iter().rev().find(|(begin, ..)| *begin <= at) {
            Some((begin, from, true)) => from + (at - begin),
            Some((_, from, false)) => *from,
            None => 0,
        }
    }
}

/// Where in the file the value of a text stands, and whether it stands there as it is, without escapes.
fn source_of(file: &str, value: &Spanned<String>) -> (usize, bool) {
    let span = value.span();
    let written = file.get(span.clone()).unwrap_or("");
    match written.find(value.get_ref().as_str()) {
        Some(at) if !value.get_ref().is_empty() => (span.start + at, true),
        _ => (span.start, false),
    }
}

impl Rule {
    fn condition(&self, file: &str) -> Assembled {
        let mut condition = Assembled::default();
        if let Some(when) = &self.when {
            let (from, as_it_is) = source_of(file, when);
            condition.text.push('(');
            condition.parts.push((condition.text.len(), from, as_it_is));
            condition.text.push_str(when.get_ref());
            condition.parts.push((condition.text.len(), from, false));
            condition.text.push(')');
        }
        for (word, value) in [
            ("app", &self.app),
            ("name", &self.name),
            ("path", &self.path),
            ("dir", &self.dir),
            ("ext", &self.ext),
            ("volume", &self.volume),
            ("profile", &self.profile),
        ] {
            if let Some(value) = value {
                let pattern = value.get_ref().replace('"', "\\\"");
                condition.add(value.span().start, &format!("{word} \"{pattern}\""));
            }
        }
        for (word, value) in [
            ("tenant", &self.tenant),
            ("object", &self.object),
            ("priority", &self.priority),
            ("sector", &self.sector),
            ("size", &self.size),
            ("offset", &self.offset),
        ] {
            if let Some(value) = value {
                let criterion = match value.get_ref() {
                    Range::Number(number) => format!("{word} {number}"),
                    Range::Text(range) => format!("{word} {range}"),
                };
                condition.add(value.span().start, &criterion);
            }
        }
        for (word, value) in [
            ("op", &self.op),
            ("lifetime", &self.lifetime),
            ("flag", &self.flag),
            ("asks", &self.asks),
        ] {
            if let Some(value) = value {
                condition.add(value.span().start, &format!("{word} {}", value.get_ref()));
            }
        }
        condition
    }
}

/// The byte of a text at a line and column.
fn byte_at(text: &str, error: &PolicyError<'_>) -> usize {
    let lines = text.split_inclusive('\n');
    let line = error.place.line as usize - 1;
    let before: usize = lines.clone().take(line).map(str::len).sum();
    let line = lines.clone().nth(line).unwrap_or("");
    let column = error.place.column as usize - 1;
    let within = line.char_indices().nth(column);
    before + within.map_or(line.len(), |(at, _)| at)
}

fn error_at(file: &str, at: usize, what: impl fmt::Display) -> PolicyFileError {
    let before = file.get(..at.min(file.len())).unwrap_or(file);
    let line = before.rsplit('\n').next().unwrap_or("");
    PolicyFileError {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        what: what.to_string(),
    }
}

/// Compiles TOML.
///
/// # Errors
/// The first thing that is wrong, and where in the TOML.
pub fn from_toml(
    file: &str,
    storage: StorageLevels<'_>,
) -> Result<PolicyTable<Vec<u8>>, PolicyFileError> {
    let policy: Policy = toml::from_str(file).map_err(|error| {
        let at = error.span().map_or(file.len(), |span| span.start);
        error_at(file, at, error.message())
    })?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut compiler = Compiler::new(&mut buffer, storage);
    for level in &policy.levels {
        let (from, as_it_is) = source_of(file, &level.is);
        compiler
            .level(level.name.get_ref(), level.is.get_ref())
            .map_err(|error| {
                let at = match as_it_is {
                    true => from + byte_at(level.is.get_ref(), &error),
                    false => from,
                };
                error_at(file, at, error.kind)
            })?;
    }
    for rule in &policy.rules {
        let condition = rule.get_ref().condition(file);
        if condition.text.is_empty() {
            return Err(error_at(
                file,
                rule.span().start,
                "a rule without criteria: write when = 'any' if it is meant",
            ));
        }
        let name = &rule.get_ref().level;
        let level = compiler
            .find_level(name.get_ref())
            .map_err(|kind| error_at(file, name.span().start, kind))?;
        compiler.rule(&condition.text, level).map_err(|error| {
            let at = condition.origin(byte_at(&condition.text, &error));
            error_at(file, at, error.kind)
        })?;
    }
    if let Some(name) = &policy.default {
        let level = compiler
            .find_level(name.get_ref())
            .map_err(|kind| error_at(file, name.span().start, kind))?;
        compiler.default_level(level);
    }
    compiler
        .finish()
        .map(owned)
        .map_err(|kind| error_at(file, file.len(), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(file: &str) -> Result<String, PolicyFileError> {
        from_toml(file, StorageLevels::UNKNOWN).map(|policy| policy.to_string())
    }

    #[test]
    fn toml_says_what_the_text_says() {
        let file = r#"
default = "write-back"
[[level]]
name = "scratch"
is = "ephemeral unwritten"
[[rule]]
when = 'path "/tmp/**" | ext "tmp"'
app = "cc\"*"
size = "64K.."
tenant = 3
op = "write"
level = "scratch"
"#;
        let text = r#"level scratch = ephemeral unwritten
level write-back = write-back
rule (path "/tmp/**" | ext "tmp") & app "cc\"*" & tenant 3 & size 64K.. & op write -> scratch
default -> write-back
"#;
        assert_eq!(toml(file).unwrap(), text);
    }

    #[test]
    fn errors_are_told_with_their_place_in_the_toml() {
        let place = |file: &str| {
            let error = toml(file).unwrap_err();
            (error.line, error.column)
        };
        let rule = |line: &str| format!("[[rule]]\nlevel = \"bypass\"\n{line}\n");
        assert_eq!(place(&rule("when = 'app \"a\" & apq \"b\"'")), (3, 19));
        assert_eq!(
            place(&rule("when = '''\napp \"a\" &\n  apq \"b\"'''")),
            (5, 3)
        );
        assert_eq!(place(&rule("size = \"4Q\"")), (3, 8));
        assert_eq!(place(&rule("colour = 3")), (3, 1));
        assert_eq!(place("default = \"vital\""), (1, 11));
        assert_eq!(
            place("[[level]]\nname = \"a\"\nis = \"verify verify\""),
            (3, 14)
        );
        assert_eq!(place("a = = b"), (1, 5));
        assert_eq!(place("[[rule]]\nlevel = \"bypass\""), (1, 1));
    }
}
