//! Physical memory: pages that come into being when they are first written, and that copies share until then.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use boards::{Kind, Span};

/// Bytes of a page.
pub const PAGE: u64 = 4096;
const PAGE_BYTES: usize = PAGE as usize;

/// What a page holds.
type Bytes = [u8; PAGE_BYTES];

/// Where a page is among those that there are. It stays the same for the life of a [`Memory`] and of its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageIndex(u32);

impl PageIndex {
    pub(crate) const fn get(self) -> usize {
        self.0 as usize
    }
}

/// One page.
#[derive(Clone)]
struct Page {
    bytes: Rc<Bytes>,
    /// Somebody remembers what it holds, as instructions: writes are told.
    watched: bool,
}

/// Memory by ranges of addresses, whose pages read as zero until they are written.
#[derive(Clone)]
pub struct Memory {
    /// The ranges that there are, by base.
    ranges: Vec<(Span, Kind)>,
    /// The place of a page by its number.
    index: BTreeMap<u64, u32>,
    pages: Vec<Page>,
    /// Pages that there may be.
    limit: usize,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Wrote it.
    Plainly,
    /// Wrote it to a page of which somebody remembers instructions. That is not known any more from here on.
    Watched(PageIndex),
    /// Wrote nothing: no more pages may come into being.
    Full,
}

impl Memory {
    /// Memory in these ranges, those of devices left out. At most `limit` pages may be written.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = (Span, Kind)>, limit: usize) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().filter(|(_, kind)| *kind != Kind::Device).collect();
        ranges.sort_unstable_by_key(|(span, _)| *span);
        Self { ranges, index: BTreeMap::new(), pages: Vec::new(), limit: limit.min(u32::MAX as usize) }
    }

    /// Whether all of `bytes` from `address` on is memory that this PE reaches, and if so whether stores can write it.
    #[must_use]
    pub fn answers(&self, pe: usize, address: u64, bytes: u64) -> Option<bool> {
        let span = Span::with_size(address, bytes)?;
        let (_, kind) = self.ranges.iter().find(|(range, _)| range.covers(&span))?;
        match kind {
            Kind::Ram => Some(true),
            Kind::Tcm { pe: owner } => (owner.get() == pe).then_some(true),
            Kind::Flash => Some(false),
            Kind::Device => None,
        }
    }

    /// Whether there is memory at an address, whoever reaches it.
    #[must_use]
    pub fn holds(&self, address: u64) -> bool {
        self.ranges.iter().any(|(range, _)| range.contains(address))
    }

    /// Pages that were written.
    #[must_use]
    pub const fn pages(&self) -> usize {
        self.pages.len()
    }

    /// The page of `address`, if it was written.
    pub(crate) fn page(&self, address: u64) -> Option<PageIndex> {
        self.index.get(&(address / PAGE)).copied().map(PageIndex)
    }

    /// The page of `address`, which comes into being; `None`: there may be no more.
    pub(crate) fn make_page(&mut self, address: u64) -> Option<PageIndex> {
        if let Some(page) = self.page(address) {
            return Some(page);
        }
        if self.pages.len() >= self.limit {
            return None;
        }
        let place = u32::try_from(self.pages.len()).ok()?;
        self.pages.push(Page { bytes: Rc::new([0; PAGE_BYTES]), watched: false });
        self.index.insert(address / PAGE, place);
        Some(PageIndex(place))
    }

    /// The `N` bytes from `offset` of a page; `None` where they run out of it.
    #[inline]
    pub(crate) fn load<const N: usize>(&self, page: PageIndex, offset: usize) -> Option<[u8; N]> {
        self.pages.get(page.get())?.bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
    }

    /// Writes `N` bytes from `offset` of a page. Nothing where they run out of it.
    #[inline]
    pub(crate) fn store<const N: usize>(&mut self, page: PageIndex, offset: usize, value: [u8; N]) -> Written {
        let Some(found) = self.pages.get_mut(page.get()) else {
            return Written::Full;
        };
        if let Some(end) = offset.checked_add(N)
            && let Some(place) = Rc::make_mut(&mut found.bytes).get_mut(offset..end)
        {
            place.copy_from_slice(&value);
        }
        if found.watched {
            found.watched = false;
            return Written::Watched(page);
        }
        Written::Plainly
    }

    /// Has the next write to a page told.
    pub(crate) fn watch(&mut self, page: PageIndex) {
        if let Some(page) = self.pages.get_mut(page.get()) {
            page.watched = true;
        }
    }

    /// Has no write told any more.
    pub(crate) fn watch_nothing(&mut self) {
        self.pages.iter_mut().for_each(|page| page.watched = false);
    }

    /// Reads bytes, whatever they lie in; zeros where nothing was written.
    pub fn read(&self, address: u64, bytes: &mut [u8]) {
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = (at % PAGE) as usize;
            let length = rest.len().min(PAGE_BYTES - offset);
            let (now, later) = rest.split_at_mut(length);
            let page = self.page(at).and_then(|page| self.pages.get(page.get()));
            match page.and_then(|page| page.bytes.get(offset..offset + length)) {
                Some(held) => now.copy_from_slice(held),
                None => now.fill(0),
            }
            at = at.wrapping_add(length as u64);
            rest = later;
        }
    }

    /// Writes bytes as a loader does, flash too; `false`, with some of them written, where it meets no memory or there may be
    /// no more pages.
    #[must_use]
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        let Some(span) = Span::with_size(address, bytes.len() as u64) else {
            return false;
        };
        if !self.ranges.iter().any(|(range, _)| range.covers(&span)) {
            return false;
        }
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(page) = self.make_page(at) else {
                return false;
            };
            let offset = (at % PAGE) as usize;
            let (now, later) = rest.split_at_checked(PAGE_BYTES - offset).unwrap_or((rest, &[]));
            if let Some(found) = self.pages.get_mut(page.get())
                && let Some(place) = Rc::make_mut(&mut found.bytes).get_mut(offset..offset + now.len())
            {
                place.copy_from_slice(now);
            }
            at = at.wrapping_add(now.len() as u64);
            rest = later;
        }
        true
    }

    /// Whether all bytes of the pages that `self` has written are the same in `other`.
    fn within(&self, other: &Self) -> bool {
        self.index.iter().all(|(number, place)| {
            let bytes = self.pages.get(*place as usize).map(|page| &page.bytes);
            let theirs = other.index.get(number).and_then(|place| other.pages.get(*place as usize));
            match (bytes, theirs) {
                (Some(ours), Some(theirs)) => Rc::ptr_eq(ours, &theirs.bytes) || ours == &theirs.bytes,
                (Some(ours), None) => ours.iter().all(|byte| *byte == 0),
                (None, _) => true,
            }
        })
    }
}

impl PartialEq for Memory {
    /// Whether the same bytes are at the same addresses, whichever of them were written.
    fn eq(&self, other: &Self) -> bool {
        self.ranges == other.ranges && self.limit == other.limit && self.within(other) && other.within(self)
    }
}

impl core::fmt::Debug for Memory {
    /// Ranges, and how many pages; not what they hold.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Memory").field("ranges", &self.ranges).field("pages", &self.pages.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let span = |base, size| Span::with_size(base, size).unwrap();
        Memory::new(
            [
                (span(0x10_0000, 0x1000), Kind::Flash),
                (span(0, 0x8000), Kind::Ram),
                (span(0x20_0000, 64), Kind::Tcm { pe: boards::PeId::new(1) }),
            ],
            4,
        )
    }

    fn bytes<const N: usize>(memory: &Memory, address: u64) -> [u8; N] {
        let mut bytes = [0xee; N];
        memory.read(address, &mut bytes);
        bytes
    }

    #[test]
    fn it_answers_in_its_ranges_only() {
        let memory = memory();
        let answers = |address, bytes| memory.answers(0, address, bytes);
        assert_eq!((answers(0, 8), answers(0x7ff8, 8), answers(0x7ff9, 8)), (Some(true), Some(true), None));
        assert_eq!((answers(0x10_0000, 1), answers(u64::MAX, 8), answers(0, 0)), (Some(false), None, None));
        assert_eq!((answers(0x20_0000, 8), memory.answers(1, 0x20_0000, 8)), (None, Some(true)));
        assert!(memory.holds(0x20_003f) && !memory.holds(0x20_0040));
    }

    #[test]
    fn bytes_cross_pages_and_pages_are_counted() {
        let mut memory = memory();
        assert!(memory.write(0xffe, &[1, 2, 3, 4]) && memory.pages() == 2);
        assert_eq!(bytes(&memory, 0xffd), [0, 1, 2, 3, 4, 0]);
        assert!(!memory.write(0x7fff, &[1, 2]), "beyond the range");
        assert!(memory.write(0x2000, &[1]) && memory.write(0x3000, &[1]) && !memory.write(0x4000, &[1]), "four pages");
    }

    #[test]
    fn copies_share_pages_until_one_is_written() {
        let mut one = memory();
        assert!(one.write(0x1000, &[7]));
        let mut two = one.clone();
        assert!(one == two && Rc::ptr_eq(&one.pages.first().unwrap().bytes, &two.pages.first().unwrap().bytes));
        let page = two.page(0x1000).unwrap();
        assert_eq!(two.store(page, 8, 9_u32.to_le_bytes()), Written::Plainly);
        assert!(one != two && bytes(&one, 0x1008) == [0] && two.load(page, 8) == Some([9, 0]));
        // A page of zeros is as good as none.
        let mut plain = memory();
        assert!(plain.write(0x1000, &[7]) && one.write(0x2000, &[0]) && one == plain);
    }

    #[test]
    fn a_page_that_is_watched_tells_of_one_write() {
        let mut memory = memory();
        let page = memory.make_page(0x1000).unwrap();
        memory.watch(page);
        assert_eq!(memory.store(page, 0, [1]), Written::Watched(page));
        assert_eq!(memory.store(page, 0, [1]), Written::Plainly);
        assert_eq!(memory.store(page, 4095, [1, 2]), Written::Plainly, "what runs out of a page is not written");
        assert_eq!(memory.load::<2>(page, 4095), None);
    }
}
