//! Calls to a running server: another policy, what is in force, what was counted. Over a Unix socket, one call a connection.
//!
//! ```text
//! call      "CuestaControl1 " verb " " bytes " " export "\n", then so many bytes
//! answer    "done " bytes "\n" or "refused " bytes "\n", then so many bytes
//! ```
//!
//! The export is named as clients name it; `*` stands for the only one. Verbs are those of [`Verb`]; text is UTF-8.

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use crate::nbd::{bind_unix, BindError, SocketFile};

/// What a call begins with.
const GREETING: &str = "CuestaControl1";
/// Bytes of a text, at most: more than the text of the largest policy.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a first line, at most.
const LINE_BYTES_MAX: usize = 8192;
/// How long a caller may take over each part of a call: the server has one thread for all of them.
const PATIENCE: Duration = Duration::from_secs(2);
/// Reads of what a caller has sent beyond a call.
const REST_READS_MAX: u32 = 16;
/// How long a server may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Put the policy in the text in force.
    Set,
    /// The same, its text being TOML.
    SetToml,
    /// The policy in force, as text.
    Show,
    /// What was counted: by rule, by reason.
    Counters,
}

impl Verb {
    const ALL: [Self; 4] = [Self::Set, Self::SetToml, Self::Show, Self::Counters];

    const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::SetToml => "set-toml",
            Self::Show => "show",
            Self::Counters => "counters",
        }
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What is to be done.
    pub verb: Verb,
    /// Of which export; the only one where none is named.
    pub export: Option<String>,
    /// What goes with it.
    pub text: String,
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The first line, without its end.
fn read_line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LINE_BYTES_MAX {
        stream.read_exact(&mut byte)?;
        if byte == *b"\n" {
            return String::from_utf8(line).map_err(|_| wrong("a line that is no text"));
        }
        line.push(byte[0]);
    }
    Err(wrong("a line without an end"))
}

fn read_text(stream: &mut impl Read, bytes: &str) -> io::Result<String> {
    let bytes: usize = bytes.parse().map_err(|_| wrong("a length is expected"))?;
    if bytes > TEXT_BYTES_MAX {
        return Err(wrong("more text than any policy has"));
    }
    let mut text = vec![0; bytes];
    stream.read_exact(&mut text)?;
    String::from_utf8(text).map_err(|_| wrong("that is no text"))
}

impl Call {
    /// Reads a call.
    ///
    /// # Errors
    /// What is no call, or the connection.
    pub fn receive(stream: &mut impl Read) -> io::Result<Self> {
        let line = read_line(stream)?;
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        if word() != GREETING {
            return Err(wrong("no call of this version"));
        }
        let verb = word();
        let verb = Verb::ALL.into_iter().find(|known| known.name() == verb);
        let verb = verb.ok_or_else(|| wrong("a call that is not known"))?;
        let bytes = word();
        let export = Some(word()).filter(|name| *name != "*").map(str::to_owned);
        let text = read_text(stream, bytes)?;
        Ok(Self { verb, export, text })
    }

    /// Calls the server that listens at a path; its answer, or why it refuses.
    ///
    /// # Errors
    /// The connection, or an answer that is none.
    pub fn make(&self, path: &Path) -> io::Result<Result<String, String>> {
        let export = self.export.as_deref().unwrap_or("*");
        if export.contains('\n') || self.text.len() > TEXT_BYTES_MAX {
            return Err(wrong("a name of several lines, or too much text"));
        }
        let mut stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
        stream.set_write_timeout(Some(ANSWER_PATIENCE))?;
        let (verb, bytes) = (self.verb.name(), self.text.len());
        let call = format!("{GREETING} {verb} {bytes} {export}\n{}", self.text);
        stream.write_all(call.as_bytes())?;
        let line = read_line(&mut stream)?;
        let (outcome, bytes) = line.split_once(' ').unwrap_or_default();
        let text = read_text(&mut stream, bytes)?;
        match outcome {
            "done" => Ok(Ok(text)),
            "refused" => Ok(Err(text)),
            _ => Err(wrong("no answer of a server of this version")),
        }
    }
}

/// A socket at which a server takes calls. Only its user can call it. The file goes with it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    _file: SocketFile,
}

impl ControlSocket {
    /// Listens at a path. A socket that nobody listens at is replaced; nothing else is ever removed.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let (listener, file) = bind_unix(path)?;
        let owner_only = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, owner_only).map_err(|source| BindError::Io {
            at: path.display().to_string(),
            source,
        })?;
        Ok(Self {
            listener,
            _file: file,
        })
    }

    /// Answers one call, if one waits. A caller that says nothing sensible, or nothing at all, is told so, or left alone.
    pub fn serve(&self, answer: impl FnOnce(&Call) -> Result<String, String>) {
        let Ok((mut stream, _)) = self.listener.accept() else {
            return;
        };
        let prepared = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        if prepared.is_err() {
            return;
        }
        let answer = match Call::receive(&mut stream) {
            Ok(call) => answer(&call),
            Err(error) => Err(error.to_string()),
        };
        let (outcome, text) = match &answer {
            Ok(text) => ("done", text),
            Err(text) => ("refused", text),
        };
        // Whoever has left does not want to know.
        let _ = write!(stream, "{outcome} {}\n{text}", text.len());
        let _ = stream.shutdown(Shutdown::Write);
        // Closed with something unread, the answer would be lost on its way.
        let mut rest = [0; 4096];
        for _ in 0..REST_READS_MAX {
            if !matches!(stream.read(&mut rest), Ok(read) if read > 0) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Verb, LINE_BYTES_MAX};

    #[test]
    fn what_is_no_call_is_refused_whatever_its_bytes() {
        let call = b"CuestaControl1 set 5 my disk\nabcde";
        let read = Call::receive(&mut &call[..]).unwrap();
        assert_eq!((read.verb, read.text.as_str()), (Verb::Set, "abcde"));
        assert_eq!(read.export.as_deref(), Some("my disk"));
        for length in 0..call.len() {
            assert!(Call::receive(&mut &call[..length]).is_err());
        }
        let endless = vec![b'a'; LINE_BYTES_MAX + 1];
        let wrong: [&[u8]; 6] = [
            &endless,
            b"GET / HTTP/1.1\r\n\r\n",
            b"CuestaControl1 stop 0 *\n",
            b"CuestaControl1 set 99999999999999999999 *\n",
            b"CuestaControl1 set 1048577 *\n",
            b"CuestaControl1 set 2 *\n\xff\xff",
        ];
        for bytes in wrong {
            assert!(Call::receive(&mut &bytes[..]).is_err());
        }
    }
}
