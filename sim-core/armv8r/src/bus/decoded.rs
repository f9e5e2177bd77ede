//! Instructions that were decoded, by page of memory. They are no part of the state: without them, words are decoded again.

use crate::a64::Insn;
use crate::cached::Fresh;
use crate::memory::PageIndex;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Words of a page.
const WORDS: usize = 1024;
/// Pages whose instructions are remembered.
const MOST_PAGES: usize = 512;

/// Instructions of one page.
#[derive(Debug)]
struct Page {
    /// [`WORDS`] of them.
    insns: Box<[Insn]>,
    /// Which of them were decoded, a bit each.
    known: [u64; WORDS / 64],
}

/// Instructions by page and place in it.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pages: Vec<Option<Page>>,
    held: usize,
}

impl Fresh for Decoded {
    fn fresh(&self) -> Self {
        Self::default()
    }
}

impl Decoded {
    /// The instruction at a word of a page.
    #[inline]
    pub(crate) fn get(&self, page: PageIndex, word: usize) -> Option<&Insn> {
        let page = self.pages.get(page.get())?.as_ref()?;
        let known = page.known.get(word / 64)? >> (word % 64) & 1 == 1;
        page.insns.get(word).filter(|_| known)
    }

    /// Remembers one. `true`: so many pages are remembered that all others were forgotten.
    pub(crate) fn put(&mut self, page: PageIndex, word: usize, insn: Insn) -> bool {
        let mut full = false;
        if self.held >= MOST_PAGES && !matches!(self.pages.get(page.get()), Some(Some(_))) {
            self.pages.clear();
            self.held = 0;
            full = true;
        }
        if self.pages.len() <= page.get() {
            self.pages.resize_with(page.get() + 1, || None);
        }
        if let Some(place) = self.pages.get_mut(page.get()) {
            if place.is_none() {
                self.held += 1;
            }
            let held = place
                .get_or_insert_with(|| Page { insns: vec![insn; WORDS].into_boxed_slice(), known: [0; WORDS / 64] });
            if let Some(place) = held.insns.get_mut(word)
                && let Some(known) = held.known.get_mut(word / 64)
            {
                *place = insn;
                *known |= 1 << (word % 64);
            }
        }
        full
    }

    /// Forgets a page.
    pub(crate) fn forget(&mut self, page: PageIndex) {
        if let Some(place) = self.pages.get_mut(page.get())
            && place.take().is_some()
        {
            self.held -= 1;
        }
    }
}
