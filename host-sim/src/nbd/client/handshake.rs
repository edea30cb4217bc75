//! The client's side of the handshake, up to the choice of an export.

use core::fmt;
use std::io::{self, Read, Write};

use super::super::protocol::{
    export_flag, handshake_flag, info, option, Fields, InfoRequest, OptionAnswer, OptionHeader,
    OptionReply, BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, EXPORT_NAME_PADDING, OPTION_MAGIC, SERVER_MAGIC,
    STRING_BYTES_MAX,
};

/// Answers to one option that are read.
const ANSWERS_MAX: u32 = 64;
/// Longest data of an answer: the longest string and room for what goes with it.
const ANSWER_BYTES_MAX: u32 = 8 << 10;

/// An export, as its server describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Bytes of the disk.
    pub size_bytes: u64,
    /// Offsets and lengths are multiples of this.
    pub block_bytes_min: u32,
    /// Longest read or write.
    pub block_bytes_max: u32,
    /// Nothing can be written.
    pub read_only: bool,
    /// It can be flushed. Where it cannot, nothing is known of what a cut leaves.
    pub flushes: bool,
    /// Writes can be durable before they are answered.
    pub durable_writes: bool,
    /// Ranges can be forgotten. What they read as then is not said.
    pub trims: bool,
    /// Ranges can be made to read as zeros.
    pub zeroes: bool,
    /// Reads are answered in chunks.
    pub structured: bool,
}

/// Why no export could be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The connection failed, or ended.
    Io(io::Error),
    /// This is no NBD server.
    NotNbd,
    /// The server speaks an older protocol, or breaks this one.
    Protocol(&'static str),
    /// The server has no such export, or does not give it.
    Refused(String),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::NotNbd => f.write_str("no NBD server answers there"),
            Self::Protocol(what) => write!(f, "the server breaks the protocol: {what}"),
            Self::Refused(what) if what.is_empty() => {
                f.write_str("the server does not give the export")
            }
            Self::Refused(what) => write!(f, "the server does not give the export: {what}"),
        }
    }
}

impl std::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Leads a connection to the export of this name, to where requests may be sent.
///
/// # Errors
/// See [`HandshakeError`]; the connection is of no more use then.
pub fn greet<S: Read + Write>(stream: &mut S, name: &str) -> Result<Exported, HandshakeError> {
    if name.len() > STRING_BYTES_MAX {
        return Err(HandshakeError::Refused("the name is too long".to_owned()));
    }
    let mut client = Client { stream };
    if u64::from_be_bytes(client.take()?) != SERVER_MAGIC {
        return Err(HandshakeError::NotNbd);
    }
    if u64::from_be_bytes(client.take()?) != OPTION_MAGIC {
        return Err(HandshakeError::Protocol("it is older than `newstyle`"));
    }
    let flags = u16::from_be_bytes(client.take()?);
    let known = handshake_flag::FIXED_NEWSTYLE | handshake_flag::NO_ZEROES;
    let agreed = u32::from(flags & known);
    client.send(&agreed.to_be_bytes())?;
    let no_zeroes = flags & handshake_flag::NO_ZEROES != 0;
    if flags & handshake_flag::FIXED_NEWSTYLE == 0 {
        return client.export_name(name, false, no_zeroes);
    }
    let structured = client.structured_replies()?;
    match client.go(name, structured)? {
        Some(exported) => Ok(exported),
        None => client.export_name(name, structured, no_zeroes),
    }
}

struct Client<'s, S> {
    stream: &'s mut S,
}

impl<S: Read + Write> Client<'_, S> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], HandshakeError> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        self.stream.write_all(bytes)?;
        Ok(self.stream.flush()?)
    }

    fn option(&mut self, option: u32, data: &[u8]) -> Result<(), HandshakeError> {
        let header = OptionHeader {
            option,
            // A name and a few numbers.
            data_bytes: u32::try_from(data.len()).unwrap_or(0),
        };
        let mut bytes = header.encode();
        bytes.extend_from_slice(data);
        self.send(&bytes)
    }

    fn answer(&mut self, option: u32) -> Result<(OptionReply, Vec<u8>), HandshakeError> {
        let answer = OptionAnswer::decode(&self.take()?)
            .ok_or(HandshakeError::Protocol("an answer without its magic"))?;
        if answer.option != option {
            return Err(HandshakeError::Protocol("an answer to another option"));
        }
        if answer.data_bytes > ANSWER_BYTES_MAX {
            return Err(HandshakeError::Protocol("an answer that is too long"));
        }
        let mut data = vec![0; answer.data_bytes as usize];
        self.stream.read_exact(&mut data)?;
        Ok((answer.reply, data))
    }

    /// Asks for replies in chunks.
    fn structured_replies(&mut self) -> Result<bool, HandshakeError> {
        self.option(option::STRUCTURED_REPLY, &[])?;
        let (reply, _) = self.answer(option::STRUCTURED_REPLY)?;
        Ok(reply == OptionReply::ACK)
    }

    /// Chooses the export; `None` when the server does not know how.
    fn go(&mut self, name: &str, structured: bool) -> Result<Option<Exported>, HandshakeError> {
        self.option(option::GO, &InfoRequest::encode(name))?;
        let mut export = None;
        let mut blocks = (BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
        for _ in 0..ANSWERS_MAX {
            let (reply, data) = self.answer(option::GO)?;
            match reply {
                OptionReply::INFO => {
                    let short = HandshakeError::Protocol("an information that is too short");
                    learn(&data, &mut export, &mut blocks).ok_or(short)?;
                }
                OptionReply::ACK => {
                    let (size_bytes, flags) =
                        export.ok_or(HandshakeError::Protocol("an export without a size"))?;
                    let exported = exported(size_bytes, flags, structured);
                    return Ok(Some(Exported {
                        block_bytes_min: blocks.0,
                        block_bytes_max: blocks.1,
                        ..exported
                    }));
                }
                OptionReply::ERR_UNSUP => return Ok(None),
                reply if reply.refuses() => {
                    let told = String::from_utf8_lossy(&data).into_owned();
                    return Err(HandshakeError::Refused(told));
                }
                _ => return Err(HandshakeError::Protocol("an answer of an unknown kind")),
            }
        }
        Err(HandshakeError::Protocol("too many answers"))
    }

    /// Chooses the export as servers without `GO` want it. One that does not have it hangs up.
    fn export_name(
        &mut self,
        name: &str,
        structured: bool,
        no_zeroes: bool,
    ) -> Result<Exported, HandshakeError> {
        self.option(option::EXPORT_NAME, name.as_bytes())?;
        let size_bytes = u64::from_be_bytes(self.take()?);
        let flags = u16::from_be_bytes(self.take()?);
        if !no_zeroes {
            self.take::<{ EXPORT_NAME_PADDING.len() }>()?;
        }
        Ok(exported(size_bytes, flags, structured))
    }
}

/// Takes in what an answer tells of the export. `None` if it is shorter than its kind.
fn learn(data: &[u8], export: &mut Option<(u64, u16)>, blocks: &mut (u32, u32)) -> Option<()> {
    let mut fields = Fields(data);
    match fields.u16()? {
        info::EXPORT => *export = Some((fields.u64()?, fields.u16()?)),
        info::BLOCK_SIZE => {
            let least = fields.u32()?;
            let _preferred = fields.u32()?;
            *blocks = (least, fields.u32()?);
        }
        _ => {}
    }
    Some(())
}

fn exported(size_bytes: u64, flags: u16, structured: bool) -> Exported {
    // Without the first of the flags, the others mean nothing.
    let has = |flag| flags & export_flag::HAS_FLAGS != 0 && flags & flag != 0;
    Exported {
        size_bytes,
        block_bytes_min: BLOCK_BYTES_MIN,
        block_bytes_max: BLOCK_BYTES_MAX,
        read_only: has(export_flag::READ_ONLY),
        flushes: has(export_flag::SEND_FLUSH),
        durable_writes: has(export_flag::SEND_FUA),
        trims: has(export_flag::SEND_TRIM),
        zeroes: has(export_flag::SEND_WRITE_ZEROES),
        structured,
    }
}
