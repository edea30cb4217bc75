//! Reads that are simply one of the store, with nothing else under way: what most reads are. They need no slot.

use crate::volume::Ticket;

use super::desk::Desk;
use super::key::Key;
use super::mode::Mode;
use super::slot::{Kind, Phase};
use super::Terms;

/// Such a read, which the store has accepted. It has the caller's first slot to itself: when anything else is asked for, or does not go as it
/// should, it [moves](Desk::unfold) there and is a request like others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quick {
    pub ticket: Ticket,
    /// The store's.
    pub open: Ticket,
    pub tag: u32,
    unit: u8,
    level: u8,
    tenant: u8,
    paging: bool,
}

impl Quick {
    pub const fn level(&self) -> u8 {
        self.level
    }
}

impl Desk<'_> {
    /// Requests are under way.
    #[inline]
    pub const fn is_busy(&self) -> bool {
        self.active > 0 || self.quick.is_some()
    }

    /// The page that has a unit, if nothing else is under way and a read at these terms is simply one of the store.
    #[inline]
    pub fn quick_hit(&self, key: Key, unit: u8, terms: Terms) -> Option<u32> {
        if self.is_busy() || terms.direct || self.level(terms.level).mode == Mode::Bypass {
            return None;
        }
        let tag = self.tags.find(key)?;
        (self.tags.valid(tag) >> unit & 1 != 0).then_some(tag)
    }

    /// Notes a read that the store has accepted already.
    #[inline]
    pub fn accept_quick(&mut self, tag: u32, unit: u8, terms: Terms, open: Ticket) -> Ticket {
        let ticket = self.next_ticket();
        self.tags.touch(tag);
        self.counters.read_hits = self.counters.read_hits.wrapping_add(1);
        self.quick = Some(Quick {
            ticket,
            open,
            tag,
            unit,
            level: terms.level,
            tenant: terms.tenant,
            paging: terms.paging,
        });
        ticket
    }

    /// Makes a request like others of what was a quick read, if there is one.
    pub fn unfold(&mut self) {
        let Some(quick) = self.quick.take() else {
            return;
        };
        let page = self.tags.get(quick.tag);
        self.begin_slot(0, Kind::Read, page.key(), quick.unit);
        self.store_calls += 1;
        let slot = &mut self.slots[0];
        slot.phase = Phase::Hit;
        slot.ticket = quick.ticket;
        slot.level = quick.level;
        slot.tenant = quick.tenant;
        slot.paging = quick.paging;
        slot.tag = quick.tag;
        slot.generation = page.generation;
        slot.store_open = Some(quick.open);
    }
}
