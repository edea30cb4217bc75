//! Numbers and fixed structures of the wire, big-endian throughout.
//!
//! Source of every constant: `doc/proto.md` of the `NetworkBlockDevice/nbd` project.

use super::export::ExportError;

/// "NBDMAGIC": the first bytes of the server.
pub(super) const SERVER_MAGIC: u64 = 0x4e42_444d_4147_4943;
/// "IHAVEOPT": newstyle, and before each option.
pub(super) const OPTION_MAGIC: u64 = 0x4948_4156_454f_5054;
pub(super) const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
pub(super) const REQUEST_MAGIC: u32 = 0x2560_9513;
pub(super) const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
pub(super) const CHUNK_MAGIC: u32 = 0x668e_33ef;

/// Least alignment offered to clients; what the protocol advises clients never to go below.
pub(super) const BLOCK_BYTES_MIN: u32 = 512;
/// Least preferred size of a request: what clients assume of a server that tells none.
pub(super) const BLOCK_BYTES_PREFERRED: u32 = 4096;
/// Longest read or write: what the protocol advises clients never to go above.
pub(super) const BLOCK_BYTES_MAX: u32 = 32 << 20;
/// Longest string, an export's name among them.
pub(super) const STRING_BYTES_MAX: usize = 4096;
/// Zeros after the answer to `EXPORT_NAME`, unless both sides agreed to leave them out.
pub(super) const EXPORT_NAME_PADDING: [u8; 124] = [0; 124];

/// Flags of the handshake; the server's and the client's have the same values.
pub(super) mod handshake_flag {
    pub const FIXED_NEWSTYLE: u16 = 1 << 0;
    pub const NO_ZEROES: u16 = 1 << 1;
}

/// Flags that describe an export.
pub(super) mod export_flag {
    pub const HAS_FLAGS: u16 = 1 << 0;
    pub const READ_ONLY: u16 = 1 << 1;
    pub const SEND_FLUSH: u16 = 1 << 2;
    pub const SEND_FUA: u16 = 1 << 3;
    pub const SEND_TRIM: u16 = 1 << 5;
    pub const SEND_WRITE_ZEROES: u16 = 1 << 6;
    pub const SEND_DF: u16 = 1 << 7;
    pub const CAN_MULTI_CONN: u16 = 1 << 8;
}

/// Options that are known to this server.
pub(super) mod option {
    pub const EXPORT_NAME: u32 = 1;
    pub const ABORT: u32 = 2;
    pub const LIST: u32 = 3;
    pub const INFO: u32 = 6;
    pub const GO: u32 = 7;
    pub const STRUCTURED_REPLY: u32 = 8;
}

/// What the answer to an option says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OptionReply(u32);

impl OptionReply {
    pub const ACK: Self = Self(1);
    pub const SERVER: Self = Self(2);
    pub const INFO: Self = Self(3);
    pub const ERR_UNSUP: Self = Self((1 << 31) + 1);
    pub const ERR_INVALID: Self = Self((1 << 31) + 3);
    pub const ERR_UNKNOWN: Self = Self((1 << 31) + 6);
    pub const ERR_SHUTDOWN: Self = Self((1 << 31) + 7);
    pub const ERR_TOO_BIG: Self = Self((1 << 31) + 9);

    /// True of all answers that refuse.
    pub const fn refuses(self) -> bool {
        self.0 >> 31 != 0
    }

    /// The answer of this kind to `option`, without its data of `data_bytes`.
    pub fn header(self, option: u32, data_bytes: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(20);
        bytes.extend_from_slice(&OPTION_REPLY_MAGIC.to_be_bytes());
        bytes.extend_from_slice(&option.to_be_bytes());
        bytes.extend_from_slice(&self.0.to_be_bytes());
        bytes.extend_from_slice(&data_bytes.to_be_bytes());
        bytes
    }
}

/// Kinds of information about an export.
pub(super) mod info {
    pub const EXPORT: u16 = 0;
    pub const NAME: u16 = 1;
    pub const BLOCK_SIZE: u16 = 3;
}

/// The head of an answer to an option, as a client reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OptionAnswer {
    pub option: u32,
    pub reply: OptionReply,
    pub data_bytes: u32,
}

impl OptionAnswer {
    pub const BYTES: usize = 20;

    /// `None` if these are not the first bytes of an answer.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut fields = Fields(bytes);
        (fields.u64()? == OPTION_REPLY_MAGIC).then_some(())?;
        Some(Self {
            option: fields.u32()?,
            reply: OptionReply(fields.u32()?),
            data_bytes: fields.u32()?,
        })
    }
}

/// Commands that are known to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Read,
    Write,
    Disconnect,
    Flush,
    Trim,
    Cache,
    WriteZeroes,
    /// None of the above.
    Unknown,
}

impl Command {
    const fn new(code: u16) -> Self {
        match code {
            0 => Self::Read,
            1 => Self::Write,
            2 => Self::Disconnect,
            3 => Self::Flush,
            4 => Self::Trim,
            5 => Self::Cache,
            6 => Self::WriteZeroes,
            _ => Self::Unknown,
        }
    }

    /// `None` of what nobody asks for.
    const fn code(self) -> Option<u16> {
        match self {
            Self::Read => Some(0),
            Self::Write => Some(1),
            Self::Disconnect => Some(2),
            Self::Flush => Some(3),
            Self::Trim => Some(4),
            Self::Cache => Some(5),
            Self::WriteZeroes => Some(6),
            Self::Unknown => None,
        }
    }
}

/// Flags of a request.
pub(super) mod command_flag {
    /// Durable before it is answered.
    pub const FUA: u16 = 1 << 0;
    /// Zeroes are to be written, not forgotten.
    pub const NO_HOLE: u16 = 1 << 1;
    /// The data of a read in one chunk.
    pub const DF: u16 = 1 << 2;
}

/// Errors of the transmission phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ErrorCode(u32);

impl ErrorCode {
    pub const EPERM: Self = Self(1);
    pub const EIO: Self = Self(5);
    pub const EINVAL: Self = Self(22);
    pub const ENOSPC: Self = Self(28);
    pub const EOVERFLOW: Self = Self(75);
    pub const ENOTSUP: Self = Self(95);
    pub const ESHUTDOWN: Self = Self(108);

    /// The error that a reply names; `None` of success.
    pub const fn of(code: u32) -> Option<Self> {
        if code == 0 {
            None
        } else {
            Some(Self(code))
        }
    }
}

/// An error and the sentence that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: ErrorCode,
    pub text: &'static str,
}

impl Refusal {
    pub const fn new(code: ErrorCode, text: &'static str) -> Self {
        Self { code, text }
    }
}

impl From<ExportError> for Refusal {
    fn from(error: ExportError) -> Self {
        let code = match error {
            ExportError::NoSpace => ErrorCode::ENOSPC,
            ExportError::Io => ErrorCode::EIO,
            ExportError::ReadOnly => ErrorCode::EPERM,
            ExportError::Invalid => ErrorCode::EINVAL,
            ExportError::Shutdown => ErrorCode::ESHUTDOWN,
        };
        Self::new(code, error.text())
    }
}

/// Reads fields one after another; `None` past the end.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn bytes(&mut self, count: u32) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(field)
    }

    /// `Some` if nothing is left over.
    pub fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// What precedes the data of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OptionHeader {
    pub option: u32,
    pub data_bytes: u32,
}

impl OptionHeader {
    pub const BYTES: usize = 16;

    /// `None` if these are not the first bytes of an option.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut fields = Fields(bytes);
        (fields.u64()? == OPTION_MAGIC).then_some(())?;
        Some(Self {
            option: fields.u32()?,
            data_bytes: fields.u32()?,
        })
    }

    pub fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend_from_slice(&OPTION_MAGIC.to_be_bytes());
        bytes.extend_from_slice(&self.option.to_be_bytes());
        bytes.extend_from_slice(&self.data_bytes.to_be_bytes());
        bytes
    }
}

/// The data of `GO` and `INFO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InfoRequest<'a> {
    pub name: &'a [u8],
    pub wants_name: bool,
}

impl<'a> InfoRequest<'a> {
    /// `None` if the lengths within the data contradict each other.
    pub fn decode(data: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(data);
        let name_bytes = fields.u32()?;
        let name = fields.bytes(name_bytes)?;
        let mut wants_name = false;
        for _ in 0..fields.u16()? {
            wants_name |= fields.u16()? == info::NAME;
        }
        fields.end()?;
        Some(Self { name, wants_name })
    }

    /// Asks for an export of this name, of at most 4096 bytes, and for the sizes of its requests.
    pub fn encode(name: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(name.len() + 8);
        bytes.extend_from_slice(&u32::try_from(name.len()).unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&1_u16.to_be_bytes());
        bytes.extend_from_slice(&info::BLOCK_SIZE.to_be_bytes());
        bytes
    }
}

/// A command, and the range it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub flags: u16,
    pub command: Command,
    /// Chosen by the client, returned with the answer.
    pub cookie: u64,
    pub offset: u64,
    pub len: u32,
}

impl Request {
    pub const BYTES: usize = 28;

    /// `None` if these are not the first bytes of a request.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut fields = Fields(bytes);
        (fields.u32()? == REQUEST_MAGIC).then_some(())?;
        Some(Self {
            flags: fields.u16()?,
            command: Command::new(fields.u16()?),
            cookie: fields.u64()?,
            offset: fields.u64()?,
            len: fields.u32()?,
        })
    }

    pub const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// `None` of a command that nobody knows.
    pub fn encode(&self) -> Option<[u8; Self::BYTES]> {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.flags.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.command.code()?.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.cookie.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_be_bytes());
        bytes[24..].copy_from_slice(&self.len.to_be_bytes());
        Some(bytes)
    }
}

/// The head of a simple reply: success without `error`. The data of a read follows it.
pub(super) fn simple_reply(cookie: u64, error: Option<ErrorCode>) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&SIMPLE_REPLY_MAGIC.to_be_bytes());
    bytes[4..8].copy_from_slice(&error.map_or(0, |code| code.0).to_be_bytes());
    bytes[8..].copy_from_slice(&cookie.to_be_bytes());
    bytes
}

/// Kinds of chunks a structured reply is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkKind {
    /// Nothing more to say.
    None,
    OffsetData,
    /// A range of zeros.
    OffsetHole,
    Error,
    ErrorOffset,
    /// An error, by the number; what else it says is skipped.
    OtherError,
}

impl ChunkKind {
    const fn code(self) -> u16 {
        match self {
            Self::None => 0,
            Self::OffsetData => 1,
            Self::OffsetHole => 2,
            Self::Error => (1 << 15) + 1,
            Self::ErrorOffset => (1 << 15) + 2,
            Self::OtherError => u16::MAX,
        }
    }

    /// `None` of a kind that is no error and that nobody asked for.
    const fn decode(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::OffsetData),
            2 => Some(Self::OffsetHole),
            0x8001 => Some(Self::Error),
            0x8002 => Some(Self::ErrorOffset),
            0x8003.. => Some(Self::OtherError),
            _ => None,
        }
    }
}

/// The head of a reply of either form, as a client reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyHead {
    /// Success without an error; the data of a read follows.
    Simple {
        cookie: u64,
        error: Option<ErrorCode>,
    },
    /// `data_bytes` of the kind follow.
    Chunk {
        cookie: u64,
        kind: ChunkKind,
        last: bool,
        data_bytes: u32,
    },
}

impl ReplyHead {
    /// Bytes that tell the form.
    pub const FORM_BYTES: usize = 4;
    pub const SIMPLE_BYTES: usize = 16;
    pub const CHUNK_BYTES: usize = 20;

    /// How long the head is that begins with these bytes; `None` if they begin none.
    pub fn bytes(form: [u8; Self::FORM_BYTES]) -> Option<usize> {
        match u32::from_be_bytes(form) {
            SIMPLE_REPLY_MAGIC => Some(Self::SIMPLE_BYTES),
            CHUNK_MAGIC => Some(Self::CHUNK_BYTES),
            _ => None,
        }
    }

    /// `None` if this is no head, or of a kind that nobody asked for.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        match fields.u32()? {
            SIMPLE_REPLY_MAGIC => Some(Self::Simple {
                error: ErrorCode::of(fields.u32()?),
                cookie: fields.u64()?,
            }),
            CHUNK_MAGIC => {
                let flags = fields.u16()?;
                Some(Self::Chunk {
                    kind: ChunkKind::decode(fields.u16()?)?,
                    last: flags & 1 != 0,
                    cookie: fields.u64()?,
                    data_bytes: fields.u32()?,
                })
            }
            _ => None,
        }
    }
}

/// The head of a chunk; `last` if no other follows for the same request.
pub(super) fn chunk_header(cookie: u64, kind: ChunkKind, last: bool, data_bytes: u32) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&CHUNK_MAGIC.to_be_bytes());
    bytes[4..6].copy_from_slice(&u16::from(last).to_be_bytes());
    bytes[6..8].copy_from_slice(&kind.code().to_be_bytes());
    bytes[8..16].copy_from_slice(&cookie.to_be_bytes());
    bytes[16..].copy_from_slice(&data_bytes.to_be_bytes());
    bytes
}

/// A whole error chunk, the last of its reply; with the place of the failure if there is one.
pub(super) fn error_chunk(cookie: u64, refusal: Refusal, offset: Option<u64>) -> Vec<u8> {
    // Texts are sentences of this folder, far shorter than the field can say.
    let text_bytes = u16::try_from(refusal.text.len()).unwrap_or(0);
    let text = &refusal.text[..usize::from(text_bytes)];
    let (kind, place_bytes) = match offset {
        Some(_) => (ChunkKind::ErrorOffset, 8),
        None => (ChunkKind::Error, 0),
    };
    let mut bytes =
        chunk_header(cookie, kind, true, 6 + u32::from(text_bytes) + place_bytes).to_vec();
    bytes.extend_from_slice(&refusal.code.0.to_be_bytes());
    bytes.extend_from_slice(&text_bytes.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    if let Some(offset) = offset {
        bytes.extend_from_slice(&offset.to_be_bytes());
    }
    bytes
}
