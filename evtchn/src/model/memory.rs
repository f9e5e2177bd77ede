//! Memory in pages, all zero until written.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

const PAGE: u64 = 4096;

/// Bytes by address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    pages: BTreeMap<u64, Box<[u8; PAGE as usize]>>,
}

impl Memory {
    /// The 32-bit word at an aligned address.
    #[must_use]
    pub fn word(&self, addr: u64) -> u32 {
        let at = (addr % PAGE) as usize;
        let page = self.pages.get(&(addr - addr % PAGE));
        page.map_or(0, |page| u32::from_le_bytes(page[at..at + 4].try_into().unwrap()))
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

    /// The page that holds an address, there from now on.
    pub fn page(&mut self, addr: u64) -> &mut [u8; PAGE as usize] {
        self.pages.entry(addr - addr % PAGE).or_insert_with(|| Box::new([0; PAGE as usize]))
    }

    /// Every page there is, with its address.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &[u8; PAGE as usize])> {
        self.pages.iter().map(|(addr, page)| (*addr, &**page))
    }

    /// Every page there is, to be overwritten.
    pub fn pages_mut(&mut self) -> impl Iterator<Item = (u64, &mut [u8; PAGE as usize])> {
        self.pages.iter_mut().map(|(addr, page)| (*addr, &mut **page))
    }

    /// Forgets the page that holds an address: it reads as zero.
    pub fn clear(&mut self, addr: u64) {
        self.pages.remove(&(addr - addr % PAGE));
    }
}
