//! Patterns for names and paths.

use super::field::Text;

/// How a pattern is compared: found from its text alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Kind {
    /// The text itself.
    Exact,
    /// A beginning, then anything.
    Prefix,
    /// Anything, then an end.
    Suffix,
    /// Any other.
    Glob,
}

/// A pattern: `*` stands for any characters, `?` for one, `\` makes the next character stand for itself. In paths and directories neither crosses a slash;
/// `**` does, and `**/` stands for any number of whole components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern<'p> {
    pub text: &'p [u8],
    /// `*` stops at slashes.
    pub components: bool,
}

impl<'p> Pattern<'p> {
    pub const fn new(field: Text, text: &'p [u8]) -> Self {
        Self {
            text,
            components: field.has_components(),
        }
    }

    /// Bytes of the star that a beginning ends with, or an end begins with.
    const fn star(&self) -> usize {
        if self.components {
            2
        } else {
            1
        }
    }

    pub fn kind(&self) -> Kind {
        let plain = |text: &[u8]| !text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'\\'));
        let star = &b"**"[..self.star()];
        if plain(self.text) {
            Kind::Exact
        } else if self.text.strip_suffix(star).is_some_and(plain) {
            Kind::Prefix
        } else if !self.components && self.text.strip_prefix(star).is_some_and(plain) {
            Kind::Suffix
        } else {
            Kind::Glob
        }
    }

    /// What a beginning or an end is compared with.
    pub fn literal(&self, kind: Kind) -> &'p [u8] {
        match kind {
            Kind::Exact | Kind::Glob => self.text,
            Kind::Prefix => &self.text[..self.text.len().saturating_sub(self.star())],
            Kind::Suffix => self.text.get(self.star()..).unwrap_or(&[]),
        }
    }

    /// True when the text matches, whatever the kind. Steps: at most the product of both lengths for each `**` that is followed by a `*`.
    pub fn matches(&self, text: &str) -> bool {
        matches(self.text, text.as_bytes(), self.components)
    }
}

/// A place to go on from when what follows a star does not match.
#[derive(Clone, Copy)]
struct Retry {
    /// Behind the star, in the pattern.
    pattern: usize,
    /// Where what follows the star was tried last, in the text.
    text: usize,
}

/// Bytes of the character that begins here.
fn character(bytes: &[u8]) -> usize {
    let rest = bytes.iter().skip(1);
    1 + rest.take_while(|&&byte| byte & 0xC0 == 0x80).count()
}

/// Goes on behind the last star, and where that cannot take more, behind the last `**`: what an earlier one would take the later one takes as well.
pub(super) fn matches(pattern: &[u8], text: &[u8], components: bool) -> bool {
    // What comes before the first star or mark is compared as it is.
    let wild = |byte: &u8| matches!(byte, b'*' | b'?' | b'\\');
    let plain = pattern.iter().position(wild).unwrap_or(pattern.len());
    if !text.starts_with(&pattern[..plain]) {
        return false;
    }
    let (mut p, mut t) = (plain, plain);
    let mut star: Option<Retry> = None;
    let mut deep: Option<(Retry, bool)> = None;
    loop {
        let rest = &pattern[p..];
        let next = match (rest, text.get(t)) {
            ([], None) => return true,
            ([b'*', b'*', after @ ..], _) if components => {
                // Whole components only where it stands for some: behind a slash or at the beginning, before a slash.
                let begins = p == 0 || pattern[p - 1] == b'/';
                let whole = begins && after.first() == Some(&b'/');
                p += if whole { 3 } else { 2 };
                let retry = Retry {
                    pattern: p,
                    text: t,
                };
                deep = Some((retry, whole));
                star = None;
                continue;
            }
            ([b'*', ..], _) => {
                p += 1;
                star = Some(Retry {
                    pattern: p,
                    text: t,
                });
                continue;
            }
            ([b'?', ..], Some(&byte)) if !(components && byte == b'/') => {
                Some((1, character(&text[t..])))
            }
            ([b'?', ..], _) => None,
            ([b'\\', literal, ..], Some(byte)) => (literal == byte).then_some((2, 1)),
            ([literal, ..], Some(byte)) => (literal == byte).then_some((1, 1)),
            _ => None,
        };
        if let Some((pattern, text)) = next {
            p += pattern;
            t += text;
            continue;
        }
        // The star takes one byte more.
        if let Some(retry) = &mut star {
            if text
                .get(retry.text)
                .is_some_and(|&byte| !(components && byte == b'/'))
            {
                retry.text += 1;
                (p, t) = (retry.pattern, retry.text);
                continue;
            }
        }
        star = None;
        let Some((retry, whole)) = &mut deep else {
            return false;
        };
        let left = text.get(retry.text..).unwrap_or(&[]);
        let more = if *whole {
            left.iter().position(|&byte| byte == b'/').map(|at| at + 1)
        } else {
            (!left.is_empty()).then_some(1)
        };
        let Some(more) = more else {
            return false;
        };
        retry.text += more;
        (p, t) = (retry.pattern, retry.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(pattern: &str, text: &str) -> bool {
        Pattern::new(Text::Path, pattern.as_bytes()).matches(text)
    }

    fn name(pattern: &str, text: &str) -> bool {
        Pattern::new(Text::Name, pattern.as_bytes()).matches(text)
    }

    #[test]
    fn stars_stop_at_slashes_in_paths_and_double_ones_do_not() {
        assert!(path("/tmp/**", "/tmp/a/b"));
        assert!(!path("/tmp/**", "/tmp"));
        assert!(!path("/tmp/*", "/tmp/a/b"));
        assert!(path("/tmp/*", "/tmp/a"));
        assert!(path("/a/**/b", "/a/b"));
        assert!(path("/a/**/b", "/a/x/y/b"));
        assert!(!path("/a/**/b", "/a/xb"));
        assert!(path("**/b", "b"));
        assert!(path("**/*.o", "/x/y/z.o"));
        assert!(!path("**/*.o", "/x/y.o/z"));
        assert!(path("/home/*/cache/**", "/home/u/cache/x/y"));
        assert!(!path("/home/*/cache/**", "/home/u/v/cache/x"));
        assert!(!path("/a?b", "/a/b"));
        assert!(name("a*b*c", "a/bxxc"));
    }

    #[test]
    fn a_question_mark_is_one_character_of_however_many_bytes() {
        assert!(name("?", "ü"));
        assert!(!name("?", "üx"));
        assert!(!name("?", ""));
        assert!(name("x?", "x漢"));
    }

    #[test]
    fn what_follows_a_backslash_stands_for_itself() {
        assert!(name(r"\*", "*"));
        assert!(!name(r"\*", "a"));
        assert!(name(r"a\\b", r"a\b"));
        assert!(name(r"a\", r"a\"));
    }

    #[test]
    fn kinds_are_what_a_glob_would_say() {
        for (pattern, kind) in [
            ("abc", Kind::Exact),
            ("", Kind::Exact),
            ("*", Kind::Prefix),
            ("cc*", Kind::Prefix),
            ("*.o", Kind::Suffix),
            ("a*b", Kind::Glob),
            ("**", Kind::Glob),
            (r"a\*", Kind::Glob),
        ] {
            assert_eq!(
                Pattern::new(Text::Name, pattern.as_bytes()).kind(),
                kind,
                "{pattern}"
            );
        }
        for (pattern, kind) in [
            ("/tmp/**", Kind::Prefix),
            ("/tmp/*", Kind::Glob),
            ("**", Kind::Prefix),
            ("**.o", Kind::Glob),
        ] {
            assert_eq!(
                Pattern::new(Text::Path, pattern.as_bytes()).kind(),
                kind,
                "{pattern}"
            );
        }
    }
}
