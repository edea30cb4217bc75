//! Where a server is: `nbd://HOST:PORT/NAME` and `nbd+unix:///NAME?socket=PATH`.
//!
//! Source: `doc/uri.md` of the `NetworkBlockDevice/nbd` project.

use core::fmt;
use core::str::FromStr;
use std::path::PathBuf;

/// The port of servers that name none.
const PORT: u16 = 10809;

/// A server and one of its exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// At a Unix socket.
    Unix {
        /// The socket.
        socket: PathBuf,
        /// The export.
        name: String,
    },
    /// Over TCP.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
        /// The export.
        name: String,
    },
}

/// Why some text is no server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// It begins neither with `nbd://` nor with `nbd+unix:///`.
    Scheme,
    /// `nbd+unix` without `?socket=`.
    NoSocket,
    /// No host, or a port that is none.
    Address,
    /// An escape that is none, or a name that is no text.
    Escape,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "a server is nbd://HOST:PORT/NAME or nbd+unix:///NAME?socket=PATH",
            Self::NoSocket => "nbd+unix:///NAME needs ?socket=PATH",
            Self::Address => "a server over TCP is nbd://HOST:PORT/NAME",
            Self::Escape => "%XX with two hexadecimal digits stands for a byte of UTF-8",
        })
    }
}

impl std::error::Error for UriError {}

impl Uri {
    /// The export.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Unix { name, .. } | Self::Tcp { name, .. } => name,
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { socket, name } => {
                write!(f, "nbd+unix:///{name}?socket={}", socket.display())
            }
            Self::Tcp { host, port, name } if host.contains(':') => {
                write!(f, "nbd://[{host}]:{port}/{name}")
            }
            Self::Tcp { host, port, name } => write!(f, "nbd://{host}:{port}/{name}"),
        }
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if let Some(rest) = text.strip_prefix("nbd+unix://") {
            let (path, query) = rest.split_once('?').ok_or(UriError::NoSocket)?;
            let socket = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("socket="))
                .filter(|socket| !socket.is_empty())
                .ok_or(UriError::NoSocket)?;
            return Ok(Self::Unix {
                socket: PathBuf::from(decoded(socket)?),
                name: decoded(path.strip_prefix('/').unwrap_or(path))?,
            });
        }
        let rest = text.strip_prefix("nbd://").ok_or(UriError::Scheme)?;
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(UriError::Address)?,
            None => match authority.rfind(':') {
                Some(colon) => authority.split_at(colon),
                None => (authority, ""),
            },
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| UriError::Address)?,
            None if port.is_empty() => PORT,
            None => return Err(UriError::Address),
        };
        if host.is_empty() {
            return Err(UriError::Address);
        }
        Ok(Self::Tcp {
            host: decoded(host)?,
            port,
            name: decoded(name)?,
        })
    }
}

/// Text with its escapes taken out.
fn decoded(text: &str) -> Result<String, UriError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>().ok_or(UriError::Escape)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(UriError::Escape);
        let value = digit(digits[0])? * 16 + digit(digits[1])?;
        bytes.push(u8::try_from(value).map_err(|_| UriError::Escape)?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| UriError::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, name: &str) -> Uri {
        Uri::Tcp {
            host: host.to_owned(),
            port,
            name: name.to_owned(),
        }
    }

    #[test]
    fn servers_are_named_as_other_programs_name_them() {
        for (text, uri) in [
            ("nbd://a.example", tcp("a.example", 10809, "")),
            ("nbd://127.0.0.1:7/", tcp("127.0.0.1", 7, "")),
            ("nbd://[::1]:7/a%20b", tcp("::1", 7, "a b")),
            ("nbd://[::1]/x", tcp("::1", 10809, "x")),
        ] {
            assert_eq!(text.parse(), Ok(uri));
        }
        assert_eq!(
            "nbd+unix:///disk?socket=/run/a%3Fb".parse(),
            Ok(Uri::Unix {
                socket: PathBuf::from("/run/a?b"),
                name: "disk".to_owned()
            })
        );
        for (text, error) in [
            ("http://a", UriError::Scheme),
            ("nbd://", UriError::Address),
            ("nbd://a:b/", UriError::Address),
            ("nbd://[::1", UriError::Address),
            ("nbd://[::1]7/", UriError::Address),
            ("nbd+unix:///a", UriError::NoSocket),
            ("nbd+unix:///a?socket=", UriError::NoSocket),
            ("nbd://a/%4", UriError::Escape),
            ("nbd://a/%zz", UriError::Escape),
            ("nbd://a/%ff", UriError::Escape),
        ] {
            assert_eq!(text.parse::<Uri>(), Err(error), "{text}");
        }
    }
}
