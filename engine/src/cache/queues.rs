//! The two queues: the order in which pages are offered for stealing.

/// Parts of the small queue's length that ages in it are told by.
pub(super) const STAMPS: u32 = 8;

/// A queue of the pages on probation, first in, first out, and a ring of the others with the hand of a clock. Every page that was ever used is in
/// exactly one place of one of them; a free one stays where it is.
///
/// The small queue has the places before `small`, the main ring those behind. Once every place is taken, the border may move: a place at a time,
/// and only when what the small queue has next to it is its newest page (to lengthen it) or one of its oldest (to shorten it).
#[derive(Debug)]
pub(super) struct Queues<'m> {
    places: &'m mut [u32],
    /// Places that are used: all of them where pages are as small as there is memory for.
    len: usize,
    small: usize,
    first: usize,
    small_len: usize,
    main_len: usize,
    /// A place of the main ring.
    hand: usize,
    /// Pages that have come to the small queue, wrapping.
    pushed: u32,
}

impl<'m> Queues<'m> {
    /// Queues of no page yet: [`reset`](Self::reset) gives them some.
    pub fn new(places: &'m mut [u32]) -> Self {
        Self {
            places,
            len: 0,
            small: 0,
            first: 0,
            small_len: 0,
            main_len: 0,
            hand: 0,
            pushed: 0,
        }
    }

    /// Empties both, for so many pages, of which `small` are those of the small queue.
    pub fn reset(&mut self, pages: usize, small: usize) {
        self.len = pages.min(self.places.len());
        self.small = small.min(self.len);
        (self.first, self.small_len, self.main_len) = (0, 0, 0);
        self.hand = self.small;
    }

    /// Places of the small queue.
    pub const fn small(&self) -> usize {
        self.small
    }

    pub const fn small_is_full(&self) -> bool {
        self.small_len >= self.small
    }

    pub const fn main_is_full(&self) -> bool {
        self.small + self.main_len >= self.len
    }

    /// What time it is in the small queue.
    pub fn stamp(&self) -> u8 {
        let step = (self.small as u32 / STAMPS).max(1);
        (self.pushed / step % 16) as u8
    }

    /// How long something lies in the small queue, in [`STAMPS`] of its length.
    pub fn age(&self, stamp: u8) -> u32 {
        u32::from(self.stamp().wrapping_sub(stamp) & 15)
    }

    fn set(&mut self, place: usize, tag: u32) {
        if let Some(entry) = self.places.get_mut(place) {
            *entry = tag;
        }
    }

    fn get(&self, place: usize) -> Option<u32> {
        self.places.get(place).copied()
    }

    /// Appends to the small queue, which has room.
    pub fn push_small(&mut self, tag: u32) {
        if self.small_is_full() {
            return;
        }
        let at = (self.first + self.small_len) % self.small;
        self.set(at, tag);
        self.small_len += 1;
        self.pushed = self.pushed.wrapping_add(1);
    }

    pub fn oldest_small(&self) -> Option<u32> {
        (self.small_len > 0).then(|| self.get(self.first))?
    }

    pub const fn pop_small(&mut self) {
        if self.small_len > 0 {
            self.first = (self.first + 1) % self.small;
            self.small_len -= 1;
        }
    }

    /// Appends to the ring, which has room.
    pub fn push_main(&mut self, tag: u32) {
        if !self.main_is_full() {
            self.set(self.small + self.main_len, tag);
            self.main_len += 1;
        }
    }

    /// The page at the hand.
    pub fn at_hand(&self) -> Option<u32> {
        (self.main_len > 0).then(|| self.get(self.hand))?
    }

    /// Puts another page at the hand's place.
    pub fn replace_at_hand(&mut self, tag: u32) {
        if self.main_len > 0 {
            self.set(self.hand, tag);
        }
    }

    pub const fn advance(&mut self) {
        self.hand += 1;
        if self.hand >= self.small + self.main_len {
            self.hand = self.small;
        }
    }

    /// True when the small queue's newest page lies next to the border: it can be lengthened there.
    pub const fn can_lengthen(&self) -> bool {
        self.first == 0 && self.small_is_full() && self.main_is_full() && self.main_len > 1
    }

    /// Takes the page at the hand out of the ring, and appends it to the small queue at the place that becomes free at the border. Whose place that was
    /// goes to the hand's place.
    pub fn lengthen_small(&mut self) {
        let border = self.small;
        if let (Some(taken), Some(moved)) = (self.get(self.hand), self.get(border)) {
            self.set(self.hand, moved);
            self.set(border, taken);
        }
        self.small += 1;
        self.small_len += 1;
        self.main_len -= 1;
        self.pushed = self.pushed.wrapping_add(1);
        self.advance();
    }

    /// True when nothing but the oldest pages of the small queue, no more of them than it has above `wanted`, lie next to the border.
    pub const fn can_shorten(&self, wanted: usize) -> bool {
        let wanted = if wanted > 1 { wanted } else { 1 };
        self.small > wanted
            && self.first >= wanted
            && self.small_is_full()
            && self.main_is_full()
            && self.main_len > 0
    }

    /// Hands the small queue's oldest page and the place at the border over to the ring. Whose place that was becomes the oldest.
    pub fn shorten_small(&mut self) {
        let border = self.small - 1;
        if let (Some(oldest), Some(moved)) = (self.get(self.first), self.get(border)) {
            self.set(self.first, moved);
            self.set(border, oldest);
        }
        self.small = border;
        self.small_len -= 1;
        self.main_len += 1;
        self.first %= border.max(1);
    }

    /// Pages in the order in which they would be offered: the small queue's, then the ring's from the hand on.
    pub fn in_order(&self) -> impl Iterator<Item = u32> + '_ {
        let (small, main) = self.places.split_at(self.small);
        let small = (0..self.small_len).map(|i| small[(self.first + i) % self.small]);
        let main = &main[..self.main_len];
        let (before, from) = main.split_at((self.hand - self.small).min(main.len()));
        small.chain(from.iter().chain(before).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(places: &mut [u32], small: usize) -> Queues<'_> {
        let count = places.len() as u32;
        let mut queues = Queues::new(places);
        queues.reset(count as usize, small);
        for tag in 0..count {
            if queues.small_is_full() {
                queues.push_main(tag);
            } else {
                queues.push_small(tag);
            }
        }
        queues
    }

    fn order(queues: &Queues<'_>) -> std::vec::Vec<u32> {
        queues.in_order().collect()
    }

    #[test]
    fn a_longer_small_queue_keeps_its_order_and_takes_the_page_at_the_hand() {
        let mut places = [0; 8];
        let mut queues = full(&mut places, 3);
        (0..2).for_each(|_| queues.advance());
        assert_eq!(order(&queues), [0, 1, 2, 5, 6, 7, 3, 4]);
        assert!(queues.can_lengthen());
        queues.lengthen_small();
        assert_eq!(queues.small(), 4);
        assert_eq!(order(&queues), [0, 1, 2, 5, 6, 7, 4, 3]);
        // At the border itself, nobody has to move.
        (0..2).for_each(|_| queues.advance());
        queues.lengthen_small();
        assert_eq!(order(&queues), [0, 1, 2, 5, 4, 3, 6, 7]);
        queues.pop_small();
        queues.push_small(0);
        assert!(!queues.can_lengthen(), "its newest page is elsewhere");
    }

    #[test]
    fn a_shorter_small_queue_gives_its_oldest_page_and_moves_only_old_ones() {
        let mut places = [0; 8];
        let mut queues = full(&mut places, 5);
        assert!(!queues.can_shorten(3), "its newest page is at the border");
        for tag in 0..3 {
            queues.pop_small();
            queues.push_small(tag);
        }
        assert_eq!(order(&queues), [3, 4, 0, 1, 2, 5, 6, 7]);
        assert!(queues.can_shorten(3) && !queues.can_shorten(5));
        queues.shorten_small();
        assert_eq!(order(&queues), [4, 0, 1, 2, 5, 6, 7, 3]);
        queues.shorten_small();
        assert_eq!(order(&queues), [0, 1, 2, 5, 6, 7, 4, 3]);
        assert!(!queues.can_shorten(3));
    }

    #[test]
    fn whatever_moves_each_page_keeps_exactly_one_place() {
        let mut places = [0; 23];
        let mut queues = full(&mut places, 4);
        let mut seed = 7u32;
        for _ in 0..5000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let wanted = 1 + (seed >> 20) as usize % 20;
            if queues.small() < wanted && queues.can_lengthen() {
                queues.lengthen_small();
            } else if queues.can_shorten(wanted) {
                queues.shorten_small();
            } else if let Some(oldest) = queues.oldest_small() {
                queues.pop_small();
                queues.push_small(oldest);
            }
            (0..seed >> 29).for_each(|_| queues.advance());
            let mut all = order(&queues);
            all.sort_unstable();
            assert_eq!(all, std::vec::Vec::from_iter(0..23));
        }
    }
}
