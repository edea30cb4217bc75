//! Numbers of requests.

use cuesta::volume::Ticket;

/// Hands out tickets, one after another.
#[derive(Debug, Default)]
pub(super) struct Tickets(u32);

impl Tickets {
    pub fn next(&mut self) -> Ticket {
        self.0 = self.0.wrapping_add(1);
        Ticket(self.0)
    }
}
