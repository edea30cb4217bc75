//! What a host did that no data sheet allows.

/// A command that a part ignores or misunderstands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Breach {
    /// A command other than a reset, a status or an identity while the part was busy. Ignored.
    WhileBusy {
        /// Its opcode.
        opcode: u8,
    },
    /// A program or erase without a write enable. Ignored.
    NotEnabled {
        /// Its opcode.
        opcode: u8,
    },
    /// A program or erase while the blocks were protected. It failed.
    Protected {
        /// Its opcode.
        opcode: u8,
    },
    /// An opcode that the part does not know. Ignored.
    UnknownOpcode(u8),
    /// A frame that is too short, or too long, for its command. Ignored.
    Length {
        /// Its opcode.
        opcode: u8,
        /// Bytes of the frame.
        found: usize,
    },
    /// A column beyond the page. The bytes went nowhere.
    Column(u16),
    /// A page that the part does not have. Ignored.
    Row(u32),
    /// A program or erase while the one-time area stands in for the array. Ignored.
    OneTimeArea {
        /// Its opcode.
        opcode: u8,
    },
    /// A register that the part does not have, or that cannot be written. Ignored.
    Register(u8),
    /// The cache of a plane was programmed into a block of the other one, or read after a page of the other one was.
    Plane,
    /// The cache was read while reads run on through the array: the column is not the one that was asked for.
    Continuous,
    /// The array forbids it; the emulator's referee tells more. It failed.
    Array,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WhileBusy { opcode } => write!(f, "command {opcode:02X} while busy"),
            Self::NotEnabled { opcode } => write!(f, "command {opcode:02X} without a write enable"),
            Self::Protected { opcode } => write!(f, "command {opcode:02X} on a protected block"),
            Self::UnknownOpcode(opcode) => write!(f, "unknown command {opcode:02X}"),
            Self::Length { opcode, found } => {
                write!(f, "command {opcode:02X} in a frame of {found} bytes")
            }
            Self::Column(column) => write!(f, "column {column} lies beyond the page"),
            Self::Row(row) => write!(f, "there is no page {row}"),
            Self::OneTimeArea { opcode } => {
                write!(f, "command {opcode:02X} on the one-time area")
            }
            Self::Register(register) => write!(f, "register {register:02X} cannot be written"),
            Self::Plane => f.write_str("the cache of the other plane"),
            Self::Continuous => f.write_str("a read of a column outside buffer mode"),
            Self::Array => f.write_str("the array forbids it"),
        }
    }
}
