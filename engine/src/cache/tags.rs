//! The tags: which page has which key, and which one is given up for another.

use super::balance::Balance;
use super::ghosts::{self, Ghosts};
use super::index::Index;
use super::key::Key;
use super::plan::Replacement;
use super::queues::Queues;
use super::tag::{State, Tag};

/// No tag.
pub(super) const NONE: u32 = u32::MAX;
/// Levels that tags can name.
pub(super) const LEVELS: usize = 16;

/// All tags, and what finds and orders them.
#[derive(Debug)]
pub(super) struct Tags<'m> {
    /// As many as there is memory for.
    all: &'m mut [Tag],
    /// Those that there are pages for.
    len: u32,
    index: Index<'m>,
    /// Of those that left the small queue.
    ghosts: Ghosts<'m>,
    /// Of those that left the main one.
    main_ghosts: Ghosts<'m>,
    queues: Queues<'m>,
    balance: Balance,
    replacement: Replacement,
    /// Tags from this one on were never used.
    fresh: u32,
    /// Free ones that were used before, linked by their pages.
    vacant: u32,
    /// Tags in use, by level.
    used: [u32; LEVELS],
    /// Tags with units that the primary does not have, and has to get.
    dirty: u32,
    /// Tags with units that the primary must not get.
    ephemeral: u32,
    /// Levels whose pages go first, whether used or not: a bit for each.
    pub first_to_go: u16,
    /// Pages that were given up for others.
    pub stolen: u32,
}

impl<'m> Tags<'m> {
    /// Tags for so many pages, and memory for more, smaller ones if there is any.
    pub fn new(
        pages: u32,
        all: &'m mut [Tag],
        index: &'m mut [u32],
        queues: &'m mut [u32],
        ghosts: &'m mut [u16],
        replacement: Replacement,
    ) -> Self {
        all.fill(Tag::default());
        let of_small = (replacement.ghosts_of_small(all.len())).min(ghosts.len());
        let (ghosts, main_ghosts) = ghosts.split_at_mut(of_small);
        let mut tags = Self {
            len: pages.min(all.len() as u32),
            balance: Balance::default(),
            all,
            index: Index::new(index),
            ghosts: Ghosts::new(ghosts),
            main_ghosts: Ghosts::new(main_ghosts),
            queues: Queues::new(queues),
            replacement,
            fresh: 0,
            vacant: NONE,
            used: [0; LEVELS],
            dirty: 0,
            ephemeral: 0,
            first_to_go: 0,
            stolen: 0,
        };
        tags.limit();
        tags
    }

    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Tags that there is memory for.
    pub const fn most(&self) -> u32 {
        self.all.len() as u32
    }

    pub fn all(&self) -> &[Tag] {
        self.all.get(..self.len as usize).unwrap_or(self.all)
    }

    /// Empties queues and ghosts, limits them to what so many pages have, and begins with as short a small queue as there may be.
    fn limit(&mut self) {
        let pages = self.len as usize;
        let replacement = self.replacement;
        let small = replacement.small_of(pages);
        self.queues.reset(pages, small);
        self.balance = Balance::new(small, replacement.small_max_of(pages), pages);
        self.ghosts.reset(replacement.ghosts_of_small(pages));
        self.main_ghosts.reset(replacement.ghosts_of_main(pages));
    }

    pub fn get(&self, tag: u32) -> Tag {
        self.all.get(tag as usize).copied().unwrap_or_default()
    }

    /// Units of a page that the store holds.
    #[inline]
    pub fn valid(&self, tag: u32) -> u8 {
        self.all.get(tag as usize).map_or(0, |tag| tag.valid)
    }

    pub const fn dirty(&self) -> u32 {
        self.dirty
    }

    pub const fn ephemeral(&self) -> u32 {
        self.ephemeral
    }

    /// Pages in use at a level.
    pub fn used(&self, level: u8) -> u32 {
        self.used[usize::from(level) % LEVELS]
    }

    /// Pages in the order in which they would be offered for stealing.
    pub fn in_order(&self) -> impl Iterator<Item = u32> + '_ {
        self.queues.in_order()
    }

    pub fn find(&self, key: Key) -> Option<u32> {
        self.index.find(self.all, key)
    }

    /// Counts a use. Those in a row right after a page came to the small queue are one: they say nothing about the time after (the correlation
    /// window of Clock2Q+).
    #[inline]
    pub fn touch(&mut self, tag: u32) {
        let Some(found) = self.all.get_mut(tag as usize) else {
            return;
        };
        let window = u32::from(self.replacement.window);
        if window > 0 && found.is_small() && self.queues.age(found.stamp()) < window {
            return;
        }
        found.add_use();
    }

    pub fn set_pinned(&mut self, tag: u32, pinned: bool) {
        if let Some(found) = self.all.get_mut(tag as usize) {
            found.set_pinned(pinned);
        }
    }

    /// Changes a tag's level; its state stays.
    pub fn set_level(&mut self, tag: u32, level: u8) {
        if let Some(found) = self.all.get_mut(tag as usize) {
            self.used[usize::from(found.level())] -= 1;
            found.set_level(level);
            self.used[usize::from(found.level())] += 1;
        }
    }

    /// Changes which units are valid and newer than the primary's, and the state. The one place where counts follow.
    pub fn set_units(&mut self, tag: u32, valid: u8, dirty: u8, state: State) {
        let Some(found) = self.all.get_mut(tag as usize) else {
            return;
        };
        let (was_dirty, was_ephemeral) = (counts_dirty(found), counts_ephemeral(found));
        found.valid = valid;
        found.dirty = dirty & valid;
        found.set_state(state);
        self.dirty = self.dirty + u32::from(counts_dirty(found)) - u32::from(was_dirty);
        self.ephemeral =
            self.ephemeral + u32::from(counts_ephemeral(found)) - u32::from(was_ephemeral);
    }

    /// Gives a page to a key that has none. `held` says which ones requests are under way for. Takes at most
    /// [`Replacement::sweep_steps`] steps; `None` when it has found none by then.
    pub fn admit(
        &mut self,
        key: Key,
        level: u8,
        tenant: u8,
        held: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let tag = self.room_for(key.hash(), held)?;
        let stamp = self.queues.stamp();
        let found = self.all.get_mut(tag as usize)?;
        found.page = key.page;
        found.source = key.source;
        found.tenant = tenant;
        found.set_level(level);
        found.set_stamp(stamp);
        found.set_uses(0);
        found.set_pinned(false);
        self.used[usize::from(found.level())] += 1;
        self.set_units(tag, 0, 0, State::Filling);
        self.index.insert(key, tag);
        Some(tag)
    }

    /// Says that every page was used before, and is free: any may be taken by [`restore`](Self::restore) then, before the first [`admit`](Self::admit).
    pub fn use_all(&mut self) {
        for tag in (0..self.len()).rev() {
            let small = self.queues.main_is_full();
            self.place(tag, small);
            if let Some(found) = self.all.get_mut(tag as usize) {
                found.page = self.vacant;
            }
            self.vacant = tag;
        }
        self.fresh = self.len();
    }

    /// Gives a free page its key again. False when another one has the key.
    pub fn restore(&mut self, tag: u32, key: Key, level: u8, tenant: u8, units: u8) -> bool {
        if self.find(key).is_some() || self.get(tag).state() != State::Free {
            return false;
        }
        let Some(found) = self.all.get_mut(tag as usize) else {
            return false;
        };
        found.page = key.page;
        found.source = key.source;
        found.tenant = tenant;
        found.set_level(level);
        self.used[usize::from(found.level())] += 1;
        self.set_units(tag, units, units, State::Dirty);
        self.index.insert(key, tag);
        true
    }

    /// Splits each page into `parts` of so many units, where it lies; there are `pages` of them then. There is memory for as many.
    pub fn split(&mut self, parts: u32, units: u32, pages: u32) {
        let mask = ((1u16 << units) - 1) as u8;
        // From the last on: what is written lies behind what is still to be read.
        for at in (0..self.len).rev() {
            let whole = self.get(at);
            for part in 0..parts {
                let (valid, dirty) = (whole.valid >> (part * units), whole.dirty >> (part * units));
                let mut tag = whole;
                tag.page = whole.page.wrapping_mul(parts).wrapping_add(part);
                tag.generation = whole.generation.wrapping_add(1);
                tag.valid = valid & mask;
                tag.dirty = dirty & mask;
                tag.set_state(match (whole.state(), tag.valid, tag.dirty) {
                    (State::Free, ..) | (_, 0, _) => State::Free,
                    (_, _, 0) => State::Clean,
                    (state, ..) => state,
                });
                if let Some(place) = self.all.get_mut((at * parts + part) as usize) {
                    *place = tag;
                }
            }
        }
        let from = self.len.saturating_mul(parts).min(pages) as usize;
        if let Some(rest) = self.all.get_mut(from..pages as usize) {
            rest.fill(Tag::default());
        }
        self.rebuild(pages);
    }

    /// Joins pages that lie side by side and are parts of one; the others are given up, and all are clean. There are `pages` then.
    pub fn join(&mut self, parts: u32, units: u32, pages: u32) {
        for at in 0..pages {
            let part = |number: u32| (number, self.get(at * parts + number));
            let fits = |(number, tag): &(u32, Tag)| {
                tag.state() == State::Clean && tag.dirty == 0 && tag.page % parts == *number
            };
            let valid = |(_, tag): &(u32, Tag)| tag.valid.count_ones();
            let first = (0..parts).map(part).filter(fits).max_by_key(valid);
            let mut whole = Tag::default();
            if let Some((_, first)) = first {
                whole = first;
                whole.page = first.page / parts;
                whole.generation = first.generation.wrapping_add(1);
                whole.valid = 0;
                for (number, tag) in (0..parts).map(part).filter(fits) {
                    let same = (tag.source, tag.tenant, tag.level(), tag.page / parts)
                        == (first.source, first.tenant, first.level(), whole.page);
                    if same {
                        whole.valid |= tag.valid << (number * units);
                    }
                }
            }
            if let Some(place) = self.all.get_mut(at as usize) {
                *place = whole;
            }
        }
        self.rebuild(pages);
    }

    /// Gives up everything; there are `pages` then.
    pub fn clear(&mut self, pages: u32) {
        self.all.fill(Tag::default());
        self.rebuild(pages);
    }

    /// Makes everything anew that follows from the tags. Of two with the same key the later one is given up.
    fn rebuild(&mut self, pages: u32) {
        self.len = pages.min(self.all.len() as u32);
        self.limit();
        self.index.clear();
        self.used = [0; LEVELS];
        (self.dirty, self.ephemeral) = (0, 0);
        for free in [false, true] {
            for tag in 0..self.len {
                let found = self.get(tag);
                if (found.state() == State::Free) != free {
                    continue;
                }
                if !free && self.find(found.key()).is_some() {
                    if let Some(place) = self.all.get_mut(tag as usize) {
                        *place = Tag::default();
                    }
                    // Its turn comes with the free ones.
                    continue;
                }
                if !free {
                    self.index.insert(found.key(), tag);
                    self.used[usize::from(found.level())] += 1;
                    self.dirty += u32::from(counts_dirty(&found));
                    self.ephemeral += u32::from(counts_ephemeral(&found));
                }
                let small = found.is_small() && !self.queues.small_is_full();
                self.place(tag, small || self.queues.main_is_full());
            }
        }
        self.fresh = self.len;
        self.link_free();
    }

    /// Links the free pages, after [`restore`](Self::restore) has taken some of them.
    pub fn link_free(&mut self) {
        self.vacant = NONE;
        for tag in (0..self.len()).rev() {
            let vacant = self.vacant;
            if let Some(found) = self.all.get_mut(tag as usize) {
                if found.state() == State::Free {
                    found.page = vacant;
                    self.vacant = tag;
                }
            }
        }
    }

    /// A page for a key, in the queue that is right for it.
    fn room_for(&mut self, hash: u32, held: impl Fn(u32) -> bool) -> Option<u32> {
        if self.vacant != NONE {
            let tag = self.vacant;
            self.vacant = self.get(tag).page;
            return Some(tag);
        }
        let known = self.queues.small() == 0 || self.has_come_back(hash);
        let mut steps = self.replacement.sweep_steps;
        if self.fresh < self.len() {
            return Some(self.first_use(known));
        }
        if !known && self.queues.small() < self.balance.wanted() && self.queues.can_lengthen() {
            let tag = self.sweep(&mut steps, &held)?;
            self.queues.lengthen_small();
            self.set_small(tag, true);
            return Some(tag);
        }
        while steps > 0 {
            let shorten = self.queues.can_shorten(self.balance.wanted());
            if known && !shorten {
                let tag = self.sweep(&mut steps, &held)?;
                self.queues.advance();
                return Some(tag);
            }
            let oldest = self.queues.oldest_small()?;
            steps -= 1;
            let found = self.get(oldest);
            let goes = found.is_stealable()
                && (found.uses() < self.replacement.promote_uses || self.goes_first(&found))
                && !held(oldest);
            if goes {
                self.evict(oldest, true);
            }
            // Where the small queue is too long, its place goes to the main one with what is to be there.
            if shorten && (known || !goes) {
                self.queues.shorten_small();
                self.promote(oldest);
                if goes {
                    return Some(oldest);
                }
                continue;
            }
            if goes {
                self.queues.pop_small();
                self.place(oldest, true);
                return Some(oldest);
            }
            // It stays, and another page has to go for it. Without one it has to wait for its turn again.
            let freed = self.sweep(&mut steps, &held);
            self.queues.pop_small();
            match freed {
                Some(freed) => {
                    self.promote(oldest);
                    self.queues.replace_at_hand(oldest);
                    self.queues.advance();
                    self.place(freed, true);
                    return Some(freed);
                }
                None => self.place(oldest, true),
            }
        }
        None
    }

    /// True when a key has left the small queue lately. Whether it, or a key that has left the main one, would still be there if the queue had been somewhat
    /// longer is what the length follows.
    fn has_come_back(&mut self, hash: u32) -> bool {
        if self.main_ghosts.take(hash).is_some() {
            self.balance.main_was_short();
        }
        let age = self.ghosts.take(hash);
        // Of the ghosts of both queues the same number counts.
        if age.is_some_and(|age| age < ghosts::ROW / Replacement::GHOSTS_OF_MAIN) {
            self.balance.small_was_short();
        }
        age.is_some()
    }

    /// A page that was never used.
    fn first_use(&mut self, known: bool) -> u32 {
        let tag = self.fresh;
        self.fresh += 1;
        let to_small = !known || self.queues.main_is_full();
        if !known && self.queues.small_is_full() {
            if let Some(oldest) = self.queues.oldest_small() {
                // There is room in the ring: nothing is lost by keeping it.
                self.queues.pop_small();
                self.promote(oldest);
                self.queues.push_main(oldest);
            }
        }
        self.place(tag, to_small);
        tag
    }

    fn place(&mut self, tag: u32, small: bool) {
        if small {
            self.queues.push_small(tag);
        } else {
            self.queues.push_main(tag);
        }
        self.set_small(tag, small);
    }

    fn set_small(&mut self, tag: u32, small: bool) {
        if let Some(found) = self.all.get_mut(tag as usize) {
            found.set_small(small);
        }
    }

    fn promote(&mut self, tag: u32) {
        if let Some(found) = self.all.get_mut(tag as usize) {
            found.set_small(false);
            found.set_uses(0);
        }
    }

    fn goes_first(&self, tag: &Tag) -> bool {
        self.first_to_go >> tag.level() & 1 != 0
    }

    /// Moves the hand on to a page that may go, and takes its key; the hand stays at it.
    fn sweep(&mut self, steps: &mut u32, held: &impl Fn(u32) -> bool) -> Option<u32> {
        while *steps > 0 {
            *steps -= 1;
            let tag = self.queues.at_hand()?;
            let found = self.get(tag);
            if found.is_stealable() {
                let uses = found.uses();
                if (uses == 0 || self.goes_first(&found)) && !held(tag) {
                    self.evict(tag, false);
                    return Some(tag);
                }
                if let Some(found) = self.all.get_mut(tag as usize) {
                    found.set_uses(uses.saturating_sub(1));
                }
            }
            self.queues.advance();
        }
        None
    }

    /// Takes a page's key away, for another, and remembers it among those that left its queue.
    fn evict(&mut self, tag: u32, small: bool) {
        let hash = self.get(tag).key().hash();
        self.forget(tag);
        self.stolen = self.stolen.wrapping_add(1);
        if small {
            self.ghosts.insert(hash);
        } else {
            self.main_ghosts.insert(hash);
        }
    }

    fn forget(&mut self, tag: u32) {
        let found = self.get(tag);
        self.index.remove(self.all, found.key(), tag);
        self.used[usize::from(found.level())] -= 1;
        self.set_units(tag, 0, 0, State::Free);
        if let Some(found) = self.all.get_mut(tag as usize) {
            found.generation = found.generation.wrapping_add(1);
            found.set_uses(0);
            found.set_pinned(false);
        }
    }

    /// Frees a page: whatever it holds is given up.
    pub fn free(&mut self, tag: u32) {
        if self.get(tag).state() == State::Free {
            return;
        }
        self.forget(tag);
        if let Some(found) = self.all.get_mut(tag as usize) {
            found.page = self.vacant;
            self.vacant = tag;
        }
    }
}

/// Flushing pages count as dirty: until the primary has acknowledged, they are.
const fn counts_dirty(tag: &Tag) -> bool {
    tag.dirty != 0 && matches!(tag.state(), State::Dirty | State::Flushing)
}

const fn counts_ephemeral(tag: &Tag) -> bool {
    matches!(tag.state(), State::Ephemeral)
}
