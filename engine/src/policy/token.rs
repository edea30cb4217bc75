//! The words of the text of a policy.

use super::error::{Found, Place, PolicyError, PolicyErrorKind};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// Letters, digits and `_`, and `-` between them.
    Word(&'t str),
    /// What stands between quotation marks.
    Text(&'t str),
    /// One of the signs.
    Sign(&'static str),
    /// Something that is none of these.
    Other(&'t str),
    LineEnd,
    End,
}

/// Longer ones first.
const SIGNS: [&str; 14] = [
    "->", "..", "<=", ">=", "=", "<", ">", "&", "|", "!", "(", ")", ":", ",",
];

/// A token, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot<'t> {
    pub token: Token<'t>,
    /// The token as it stands in the text.
    pub source: &'t str,
    pub place: Place,
}

impl<'t> Spot<'t> {
    pub fn error(&self, kind: PolicyErrorKind<'t>) -> PolicyError<'t> {
        PolicyError {
            place: self.place,
            kind,
        }
    }

    /// Something else belongs here.
    pub fn expected(&self, expected: &'static str) -> PolicyError<'t> {
        let found = match self.token {
            Token::LineEnd => Found::LineEnd,
            Token::End => Found::End,
            _ => Found::Text(self.source),
        };
        self.error(PolicyErrorKind::Expected { found, expected })
    }
}

/// The tokens of a text, one at a time.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'t> {
    rest: &'t str,
    place: Place,
    next: Option<Spot<'t>>,
}

impl<'t> Tokens<'t> {
    pub const fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            place: Place { line: 1, column: 1 },
            next: None,
        }
    }

    /// Takes so many bytes of the text.
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for character in taken.chars() {
            if character == '\n' {
                self.place.line += 1;
                self.place.column = 1;
            } else {
                self.place.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) {
        let blank = |character: char| matches!(character, ' ' | '\t' | '\r');
        let bytes = self.rest.len() - self.rest.trim_start_matches(blank).len();
        self.take(bytes);
        if self.rest.starts_with('#') {
            let bytes = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(bytes);
        }
    }

    /// The next token, which stays.
    pub fn peek(&mut self) -> Result<Spot<'t>, PolicyError<'t>> {
        if let Some(next) = self.next {
            return Ok(next);
        }
        let next = self.read()?;
        self.next = Some(next);
        Ok(next)
    }

    /// The next token.
    pub fn next(&mut self) -> Result<Spot<'t>, PolicyError<'t>> {
        let next = self.peek()?;
        self.next = None;
        Ok(next)
    }

    /// Takes the next token if it is this sign.
    pub fn accept(&mut self, sign: &str) -> Result<bool, PolicyError<'t>> {
        let found = matches!(self.peek()?.token, Token::Sign(found) if found == sign);
        if found {
            self.next = None;
        }
        Ok(found)
    }

    /// Takes line ends: what follows may stand in a line of its own.
    pub fn skip_lines(&mut self) -> Result<(), PolicyError<'t>> {
        while self.peek()?.token == Token::LineEnd {
            self.next = None;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Spot<'t>, PolicyError<'t>> {
        self.skip_blanks();
        let place = self.place;
        let Some(first) = self.rest.chars().next() else {
            return Ok(Spot {
                token: Token::End,
                source: "",
                place,
            });
        };
        let spot = |token, source| Spot {
            token,
            source,
            place,
        };
        if first == '\n' {
            return Ok(spot(Token::LineEnd, self.take(1)));
        }
        if first == '"' {
            return self.text(place);
        }
        let word = word(self.rest);
        if word > 0 {
            let word = self.take(word);
            return Ok(spot(Token::Word(word), word));
        }
        let sign = SIGNS.into_iter().find(|sign| self.rest.starts_with(sign));
        Ok(match sign {
            Some(sign) => spot(Token::Sign(sign), self.take(sign.len())),
            None => {
                let other = self.take(first.len_utf8());
                spot(Token::Other(other), other)
            }
        })
    }

    fn text(&mut self, place: Place) -> Result<Spot<'t>, PolicyError<'t>> {
        let all = self.rest;
        self.take(1);
        let mut escaped = false;
        let mut bytes = 1;
        while let Some(character) = self.rest.chars().next() {
            let error = |kind, place| Err(PolicyError { place, kind });
            if character == '\n' {
                break;
            }
            if character.is_control() {
                let found = character;
                return error(PolicyErrorKind::Character { found }, self.place);
            }
            bytes += self.take(character.len_utf8()).len();
            if character == '"' && !escaped {
                let source = all.get(..bytes).unwrap_or(all);
                let inner = all.get(1..bytes - 1).unwrap_or("");
                return Ok(Spot {
                    token: Token::Text(inner),
                    source,
                    place,
                });
            }
            escaped = character == '\\' && !escaped;
        }
        let kind = PolicyErrorKind::OpenText;
        Err(PolicyError { place, kind })
    }
}

/// Bytes of the word that a text begins with.
fn word(text: &str) -> usize {
    let bytes = text.as_bytes();
    let inner = |at: usize| {
        bytes
            .get(at)
            .is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let mut len = 0;
    while inner(len) || len > 0 && bytes.get(len) == Some(&b'-') && inner(len + 1) {
        len += 1;
    }
    len
}
