//! Memory in pages, all zero until written.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

const PAGE: u64 = 4096;

#[derive(Debug, Clone)]
struct Page {
    bytes: [u8; PAGE as usize],
    /// Which write to the memory the last one to this page was, counted from 1.
    written: u64,
}

/// Bytes by address.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pages: BTreeMap<u64, Box<Page>>,
    writes: u64,
}

impl PartialEq for Memory {
    /// Bytes count, and not how they came there.
    fn eq(&self, other: &Self) -> bool {
        self.pages().eq(other.pages())
    }
}

impl Memory {
    /// The 32-bit word at an aligned address.
    #[must_use]
    pub fn word(&self, addr: u64) -> u32 {
        let at = (addr % PAGE) as usize;
        let page = self.pages.get(&(addr - addr % PAGE));
        page.map_or(0, |page| u32::from_le_bytes(page.bytes[at..at + 4].try_into().unwrap()))
    }

    /// Writes the word at an aligned address.
    pub fn set(&mut self, addr: u64, value: u32) {
        let at = (addr % PAGE) as usize;
        self.page(addr)[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Sets bits of a word; gives what it was.
    pub fn or(&mut self, addr: u64, bits: u32) -> u32 {
        let old = self.word(addr);
        self.set(addr, old | bits);
        old
    }

    /// Keeps only these bits of a word; gives what it was.
    pub fn and(&mut self, addr: u64, bits: u32) -> u32 {
        let old = self.word(addr);
        self.set(addr, old & bits);
        old
    }

    /// The page that holds an address, there from now on, to be written.
    pub fn page(&mut self, addr: u64) -> &mut [u8; PAGE as usize] {
        self.writes += 1;
        let new = || Box::new(Page { bytes: [0; PAGE as usize], written: 0 });
        let page = self.pages.entry(addr - addr % PAGE).or_insert_with(new);
        page.written = self.writes;
        &mut page.bytes
    }

    /// Every page there is, with its address.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &[u8; PAGE as usize])> {
        self.pages.iter().map(|(addr, page)| (*addr, &page.bytes))
    }

    /// Every page there is, to be overwritten.
    pub fn pages_mut(&mut self) -> impl Iterator<Item = (u64, &mut [u8; PAGE as usize])> {
        self.writes += 1;
        self.pages.iter_mut().map(|(addr, page)| {
            page.written = self.writes;
            (*addr, &mut page.bytes)
        })
    }

    /// How many writes there were: one that wants to know later what was written since keeps this.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.writes
    }

    /// Every page there is, with its address, and which write was the last to it by [`Memory::writes`].
    pub fn written(&self) -> impl Iterator<Item = (u64, &[u8; PAGE as usize], u64)> {
        self.pages.iter().map(|(addr, page)| (*addr, &page.bytes, page.written))
    }

    /// Forgets the page that holds an address: it reads as zero.
    pub fn clear(&mut self, addr: u64) {
        self.pages.remove(&(addr - addr % PAGE));
    }
}
