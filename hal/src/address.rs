//! Typed addresses: what could be mixed up is a type of its own.

/// A die (logical unit): executes one array operation at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Die(pub u16);

/// An erase block within its die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BlockIndex(pub u32);

/// A page within its block, in programming order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PageIndex(pub u16);

/// An erase block of the whole part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BlockAddress {
    /// The die that holds the block.
    pub die: Die,
    /// The block within the die.
    pub block: BlockIndex,
}

impl BlockAddress {
    /// The block `block` of die `die`.
    #[must_use]
    pub const fn new(die: u16, block: u32) -> Self {
        Self {
            die: Die(die),
            block: BlockIndex(block),
        }
    }

    /// The page `page` of this block.
    #[must_use]
    pub const fn page(self, page: u16) -> PageAddress {
        PageAddress {
            block: self,
            page: PageIndex(page),
        }
    }
}

/// A page of the whole part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PageAddress {
    /// The block that holds the page.
    pub block: BlockAddress,
    /// The page within the block.
    pub page: PageIndex,
}

impl PageAddress {
    /// The die that holds the page.
    #[must_use]
    pub const fn die(self) -> Die {
        self.block.die
    }
}

/// Which of a die's page buffers an operation uses.
///
/// Every part has [`Buffer::First`]; [`Buffer::Second`] exists where
/// [`Geometry::buffers_per_die`](crate::Geometry::buffers_per_die) is 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Buffer {
    /// The buffer every part has.
    #[default]
    First,
    /// The buffer of parts with two.
    Second,
}

impl Buffer {
    /// 0 or 1.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// The bytes of a page that a read transfers: one range of the main area and one of the spare, either of which may be
/// empty.
///
/// Offsets count from the start of the page; the spare begins at
/// [`Geometry::page_bytes`](crate::Geometry::page_bytes). On a serial bus the transfer costs as much as the array read, so a
/// caller that needs a header asks for the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Columns {
    /// First byte of the main range.
    pub main_start: u32,
    /// Length of the main range in bytes.
    pub main_len: u32,
    /// First byte of the spare range, counted from the start of the page.
    pub spare_start: u32,
    /// Length of the spare range in bytes.
    pub spare_len: u32,
}

impl Columns {
    /// The whole page, spare included.
    #[must_use]
    pub const fn whole(geometry: &crate::Geometry) -> Self {
        Self {
            main_start: 0,
            main_len: geometry.page_bytes,
            spare_start: geometry.page_bytes,
            spare_len: geometry.spare_bytes as u32,
        }
    }

    /// One range of the spare; `start` counts from the beginning of the spare. Whether it exists is for
    /// [`fits`](Self::fits) to say.
    #[must_use]
    pub const fn spare(geometry: &crate::Geometry, start: u32, len: u32) -> Self {
        Self {
            main_start: 0,
            main_len: 0,
            spare_start: geometry.page_bytes.saturating_add(start),
            spare_len: len,
        }
    }

    /// Bytes transferred; `u32::MAX` stands for that and more, which fits no part.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.main_len.saturating_add(self.spare_len)
    }

    /// True when nothing is transferred.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when the two ranges are one: a bus needs a single transfer command.
    #[must_use]
    pub const fn is_contiguous(&self) -> bool {
        self.main_len == 0
            || self.spare_len == 0
            || self.main_start as u64 + self.main_len as u64 == self.spare_start as u64
    }

    /// The ranges to transfer, each as start and length: one where they touch, the other one being empty then.
    pub(crate) const fn transfers(&self) -> [(u32, u32); 2] {
        if self.main_len != 0 && self.spare_len != 0 && self.is_contiguous() {
            [(self.main_start, self.len()), (0, 0)]
        } else {
            [
                (self.main_start, self.main_len),
                (self.spare_start, self.spare_len),
            ]
        }
    }

    /// True when both ranges lie in their areas of `geometry`. An empty range lies anywhere.
    #[must_use]
    pub const fn fits(&self, geometry: &crate::Geometry) -> bool {
        let main_end = self.main_start as u64 + self.main_len as u64;
        let spare_end = self.spare_start as u64 + self.spare_len as u64;
        let page_end = geometry.page_bytes as u64 + geometry.spare_bytes as u64;
        (self.main_len == 0 || main_end <= geometry.page_bytes as u64)
            && (self.spare_len == 0
                || (self.spare_start >= geometry.page_bytes && spare_end <= page_end))
    }
}

#[cfg(test)]
mod tests;
