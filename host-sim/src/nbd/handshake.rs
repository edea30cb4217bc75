//! Fixed newstyle handshake: options, up to the choice of the export.

use core::sync::atomic::{AtomicBool, Ordering};

use super::byte_export::Shape;
use super::connection::{Connection, Ending};
use super::protocol::{
    export_flag, handshake_flag, info, option, InfoRequest, OptionHeader, OptionReply,
    BLOCK_BYTES_MAX, EXPORT_NAME_PADDING, OPTION_MAGIC, SERVER_MAGIC,
};

/// Longest data of an option that is looked at: a name of the longest kind and room for the rest.
const OPTION_BYTES_MAX: u32 = 8 << 10;
/// Longest data of an option that is read past. Who sends more is not negotiating.
const OPTION_BYTES_DISCARDED_MAX: u32 = 64 << 20;
/// Options a client may send before it chooses an export.
const OPTIONS_MAX: u32 = 1024;

/// What a client can learn of an export.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offered<'a> {
    pub name: &'a str,
    pub shape: Shape,
    pub read_only: bool,
}

/// What a client can have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer<'a> {
    /// The first is for clients that ask for none.
    pub exports: &'a [Offered<'a>],
    /// Set once the server stops.
    pub stop: &'a AtomicBool,
}

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreement {
    /// The export, by its place.
    pub export: usize,
    /// Reads are answered in chunks, errors with a text.
    pub structured: bool,
}

/// What a client said of itself.
#[derive(Debug, Clone, Copy)]
struct Client {
    /// It can read answers to options.
    fixed: bool,
    no_zeroes: bool,
}

/// Leads a client up to the transmission phase.
///
/// # Errors
///
/// The connection is over: the client gave up, or chose an export by `EXPORT_NAME` that is not there, which the
/// protocol can answer no other way.
pub(super) fn negotiate(
    connection: &mut Connection,
    offer: &Offer<'_>,
) -> Result<Agreement, Ending> {
    let client = greet(connection)?;
    let mut negotiation = Negotiation {
        connection,
        offer,
        client,
        structured: false,
    };
    let mut data = Vec::new();
    for _ in 0..OPTIONS_MAX {
        let header = negotiation.connection.read_array()?;
        let header = OptionHeader::decode(&header).ok_or(Ending::Violation)?;
        if header.data_bytes > OPTION_BYTES_MAX {
            negotiation.skip(header)?;
        } else {
            negotiation
                .connection
                .read_payload(header.data_bytes, &mut data)?;
            if let Some(export) = negotiation.answer(header.option, &data)? {
                return Ok(Agreement {
                    export,
                    structured: negotiation.structured,
                });
            }
        }
        negotiation.connection.flush()?;
    }
    Err(Ending::Violation)
}

/// Exchanges magic numbers and flags.
fn greet(connection: &mut Connection) -> Result<Client, Ending> {
    let known = handshake_flag::FIXED_NEWSTYLE | handshake_flag::NO_ZEROES;
    connection.send(&SERVER_MAGIC.to_be_bytes())?;
    connection.send(&OPTION_MAGIC.to_be_bytes())?;
    connection.send(&known.to_be_bytes())?;
    connection.flush()?;
    let flags = u32::from_be_bytes(connection.read_array()?);
    if flags & !u32::from(known) != 0 {
        return Err(Ending::Violation);
    }
    let has = |flag: u16| flags & u32::from(flag) != 0;
    Ok(Client {
        fixed: has(handshake_flag::FIXED_NEWSTYLE),
        no_zeroes: has(handshake_flag::NO_ZEROES),
    })
}

struct Negotiation<'c, 'a> {
    connection: &'c mut Connection,
    offer: &'c Offer<'a>,
    client: Client,
    structured: bool,
}

impl<'a> Negotiation<'_, 'a> {
    /// Reads past an option that is too long to be looked at, and says so.
    fn skip(&mut self, header: OptionHeader) -> Result<(), Ending> {
        if header.option == option::EXPORT_NAME || !self.client.fixed {
            return Err(Ending::Violation);
        }
        let absurd = header.data_bytes > OPTION_BYTES_DISCARDED_MAX;
        if !absurd {
            self.connection.discard(header.data_bytes)?;
        }
        self.refuse(
            header.option,
            OptionReply::ERR_TOO_BIG,
            "the option is too long",
        )?;
        if absurd {
            self.connection.flush()?;
            return Err(Ending::Violation);
        }
        Ok(())
    }

    /// Answers an option; the chosen export once the transmission phase begins.
    fn answer(&mut self, code: u32, data: &[u8]) -> Result<Option<usize>, Ending> {
        if code == option::EXPORT_NAME {
            return self.export_name(data).map(Some);
        }
        if !self.client.fixed {
            // It could not read any answer.
            return Err(Ending::Violation);
        }
        if code == option::ABORT {
            self.reply(code, OptionReply::ACK, &[])?;
            self.connection.flush()?;
            return Err(Ending::Closed);
        }
        if self.offer.stop.load(Ordering::Relaxed) {
            self.refuse(code, OptionReply::ERR_SHUTDOWN, "the server stops")?;
            self.connection.flush()?;
            return Err(Ending::Closed);
        }
        match code {
            option::GO | option::INFO => {
                let known = self.info(code, data)?;
                if known.is_some() && code == option::GO {
                    self.connection.flush()?;
                    return Ok(known);
                }
            }
            option::LIST if data.is_empty() => {
                for export in self.offer.exports {
                    let name = export.name.as_bytes();
                    let mut entry = length(name).to_be_bytes().to_vec();
                    entry.extend_from_slice(name);
                    self.reply(code, OptionReply::SERVER, &entry)?;
                }
                self.reply(code, OptionReply::ACK, &[])?;
            }
            option::STRUCTURED_REPLY if data.is_empty() && !self.structured => {
                self.structured = true;
                self.reply(code, OptionReply::ACK, &[])?;
            }
            option::LIST => {
                self.refuse(code, OptionReply::ERR_INVALID, "the option carries no data")?
            }
            option::STRUCTURED_REPLY => self.refuse(
                code,
                OptionReply::ERR_INVALID,
                "the option carries no data and is sent once",
            )?,
            _ => self.refuse(code, OptionReply::ERR_UNSUP, "the option is not supported")?,
        }
        Ok(None)
    }

    /// Describes the export that was named, if there is one.
    fn info(&mut self, code: u32, data: &[u8]) -> Result<Option<usize>, Ending> {
        let Some(request) = InfoRequest::decode(data) else {
            self.refuse(
                code,
                OptionReply::ERR_INVALID,
                "the lengths in the option contradict each other",
            )?;
            return Ok(None);
        };
        let Some((place, found)) = self.named(request.name) else {
            self.refuse(
                code,
                OptionReply::ERR_UNKNOWN,
                "there is no export of this name",
            )?;
            return Ok(None);
        };
        let shape = found.shape;

        let mut export = info::EXPORT.to_be_bytes().to_vec();
        export.extend_from_slice(&shape.size_bytes.to_be_bytes());
        export.extend_from_slice(&self.export_flags(found).to_be_bytes());
        self.reply(code, OptionReply::INFO, &export)?;

        // Told unasked too: requests that are not aligned to the first are refused.
        let mut sizes = info::BLOCK_SIZE.to_be_bytes().to_vec();
        for bytes in [
            shape.block_bytes_min,
            shape.block_bytes_preferred,
            BLOCK_BYTES_MAX,
        ] {
            sizes.extend_from_slice(&bytes.to_be_bytes());
        }
        self.reply(code, OptionReply::INFO, &sizes)?;

        if request.wants_name {
            let mut name = info::NAME.to_be_bytes().to_vec();
            name.extend_from_slice(found.name.as_bytes());
            self.reply(code, OptionReply::INFO, &name)?;
        }
        self.reply(code, OptionReply::ACK, &[])?;
        Ok(Some(place))
    }

    /// The old way to choose an export, without any answer but success.
    fn export_name(&mut self, name: &[u8]) -> Result<usize, Ending> {
        let (place, found) = match self.named(name) {
            Some(found) if !self.offer.stop.load(Ordering::Relaxed) => found,
            _ => return Err(Ending::Closed),
        };
        self.connection
            .send(&found.shape.size_bytes.to_be_bytes())?;
        let flags = self.export_flags(found);
        self.connection.send(&flags.to_be_bytes())?;
        if !self.client.no_zeroes {
            self.connection.send(&EXPORT_NAME_PADDING)?;
        }
        self.connection.flush()?;
        Ok(place)
    }

    /// The export of this name. The empty name is the default export, which is the first.
    fn named(&self, name: &[u8]) -> Option<(usize, Offered<'a>)> {
        let exports = self.offer.exports;
        let found = exports
            .iter()
            .position(|export| export.name.as_bytes() == name);
        let place = found.or(name.is_empty().then_some(0))?;
        exports.get(place).map(|export| (place, *export))
    }

    fn export_flags(&self, export: Offered<'_>) -> u16 {
        let mut flags = export_flag::HAS_FLAGS
            | export_flag::SEND_FLUSH
            | export_flag::SEND_FUA
            | export_flag::CAN_MULTI_CONN;
        flags |= if export.read_only {
            export_flag::READ_ONLY
        } else {
            export_flag::SEND_TRIM | export_flag::SEND_WRITE_ZEROES
        };
        if self.structured {
            flags |= export_flag::SEND_DF;
        }
        flags
    }

    fn refuse(&mut self, code: u32, reply: OptionReply, text: &str) -> Result<(), Ending> {
        self.reply(code, reply, text.as_bytes())
    }

    fn reply(&mut self, code: u32, reply: OptionReply, data: &[u8]) -> Result<(), Ending> {
        self.connection.send(&reply.header(code, length(data)))?;
        self.connection.send(data)
    }
}

/// Length of what this file sends: names and sentences, bounded by the longest name.
fn length(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::InfoRequest;

    #[test]
    fn an_info_request_with_lengths_that_do_not_add_up_is_refused() {
        let whole = [0, 0, 0, 2, b'a', b'b', 0, 2, 0, 1, 0, 3];
        let request = InfoRequest::decode(&whole).unwrap();
        assert_eq!(request.name, b"ab");
        assert!(request.wants_name);
        for cut in 0..whole.len() {
            assert_eq!(InfoRequest::decode(&whole[..cut]), None);
        }
        assert_eq!(InfoRequest::decode(&[&whole[..], &[0]].concat()), None);
    }
}
