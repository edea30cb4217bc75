//! Pages behind the last record page that cannot be read, and are known by the parity of their stripe.

use cuesta_hal::{Buffer, Nand};
use heapless::Vec;

use super::data::{Cursor, Own};
use crate::codec::{Header, HeaderState, HeaderSum, Kind};
use crate::volume::address::Segment;
use crate::volume::data_parity::{bit_of, summed, time_of};
use crate::volume::error::LoadError;
use crate::volume::parameters::UNITS_MAX;
use crate::volume::{io, Volume};

/// The headers of a page's units, as far as they hold something.
type Headers = Vec<Header, UNITS_MAX>;

impl<N: Nand> Volume<'_, N> {
    /// The one page of a stripe that could not be read, if the cursor is at the parity page of the stripe: what its units hold follows from the others.
    pub(super) fn made_by_parity(&mut self, cursor: &Cursor) -> Result<Option<Cursor>, LoadError> {
        let header = cursor.header;
        if header.kind != Kind::Parity || !cursor.was_read() {
            return Ok(None);
        }
        let missing = header.erases & !cursor.seen;
        let (segment, parity) = (cursor.segment, cursor.offset);
        let Some(offset) = summed(parity, missing).next() else {
            return Ok(None);
        };
        if missing.count_ones() > 1 || self.is_void(segment, offset) {
            return Ok(None);
        }
        let mut sum = HeaderSum::new();
        for at in summed(parity, header.erases & !bit_of(parity, offset)) {
            let Some(headers) = self.headers_at(segment, at, time_of(at, parity, &header))? else {
                return Ok(None);
            };
            for (unit, header) in (0..).zip(&headers) {
                sum.add(unit, header);
            }
        }
        for (unit, own) in (0..).zip(&cursor.units) {
            if let Some(own) = own {
                sum.add_parity(unit, &own.with(&header));
            }
        }
        let common = Header {
            kind: Kind::Data,
            time: time_of(offset, parity, &header),
            ..header
        };
        let units = (0..self.shape.units())
            .map(|unit| sum.left(unit, &common).map(|header| Own::of(&header)))
            .collect();
        Ok(Some(Cursor::made(segment, offset, common, units)))
    }

    /// The headers of a page of sector data; none if it is not the one of that log time.
    fn headers_at(
        &mut self,
        segment: Segment,
        offset: u32,
        time: u64,
    ) -> Result<Option<Headers>, LoadError> {
        let layout = self.shape.layout;
        let page = self.shape.page(segment, offset);
        io::read(&mut self.nand, page, layout.header_columns())?;
        let buffer = self.nand.buffer(page.die(), Buffer::First);
        let place = self.shape.location(segment, offset, 0);
        let headers: Headers = (0..self.shape.units())
            .map_while(
                |unit| match layout.read_header(buffer, unit, place.0 + unit) {
                    HeaderState::Valid(header)
                        if header.kind == Kind::Data && header.time == time =>
                    {
                        Some(header)
                    }
                    _ => None,
                },
            )
            .collect();
        Ok(Some(headers).filter(|headers| !headers.is_empty()))
    }
}
