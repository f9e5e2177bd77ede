//! Instructions that were decoded, by page of memory. They are no part of the state: without them, words are decoded again.

use crate::a64::Insn;
use crate::memory::PageIndex;
use crate::pe::Fresh;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Words of a page.
const WORDS: usize = 1024;
/// Pages whose instructions are remembered.
const MOST_PAGES: usize = 512;

/// Instructions of one page, [`WORDS`] of them.
type Page = Box<[Option<Insn>]>;

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
    pub(crate) fn get(&self, page: PageIndex, word: usize) -> Option<Insn> {
        self.pages.get(page.get())?.as_ref()?.get(word).copied().flatten()
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
            let held = place.get_or_insert_with(|| vec![None; WORDS].into_boxed_slice());
            if let Some(place) = held.get_mut(word) {
                *place = Some(insn);
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
