//! Translation tables that give a set of rights over the FVP's addresses: stage 1 of EL2, or stage 2 (DDI 0487, VMSAv8-64, 4 KiB
//! granule, 32-bit addresses).

use crate::die;

/// Bytes of a page.
pub(crate) const PAGE: u64 = 0x1000;
/// Bytes of a block at level 2.
const BLOCK: u64 = 0x20_0000;
/// Tables of pages that one set can have.
const POOL: usize = 48;

/// What the FVP has, and where virt has what stands for it: first address, size, address on virt, device.
pub(crate) const MEMORY: [(u64, u64, u64, bool); 4] = [
    // DRAM.
    (0, 0x8000_0000, 0x4000_0000, false),
    // UART0: a PL011 on both.
    (0x9c09_0000, 0x1000, 0x0900_0000, true),
    // The GIC's distributor and first redistributor.
    (0xaf00_0000, 0x1_0000, 0x0800_0000, true),
    (0xaf10_0000, 0x2_0000, 0x080a_0000, true),
];

/// Where this image is, one block, at the same address on both sides.
pub(crate) const SHIM: u64 = 0xc000_0000;

/// What may be done at an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
}

/// Whose accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// EL2's own.
    El2,
    /// EL1's, at stage 2.
    Guest,
}

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Table([u64; 512]);

/// Valid; at levels 1 and 2 with [`TABLE`] a table, without it a block.
const VALID: u64 = 1;
const TABLE: u64 = 1 << 1;
/// The access flag.
const AF: u64 = 1 << 10;
/// Inner shareable.
const INNER: u64 = 0b11 << 8;
/// The addresses that a descriptor holds.
const ADDRESS: u64 = 0xffff_ffff_f000;

/// One set of tables.
pub(crate) struct Tables {
    top: Table,
    blocks: [Table; 4],
    pages: [Table; POOL],
    used: usize,
}

impl Tables {
    pub(crate) const fn new() -> Self {
        const EMPTY: Table = Table([0; 512]);
        Self { top: EMPTY, blocks: [EMPTY; 4], pages: [EMPTY; POOL], used: 0 }
    }

    /// Links the upper levels; the address for the base register.
    pub(crate) fn link(&mut self) -> u64 {
        for (entry, table) in self.top.0.iter_mut().zip(&self.blocks) {
            *entry = core::ptr::from_ref(table) as u64 | TABLE | VALID;
        }
        core::ptr::from_ref(&self.top) as u64
    }

    /// Maps this image for EL2.
    pub(crate) fn map_shim(&mut self) {
        let all = Rights { read: true, write: true, execute: true };
        self.put(SHIM, SHIM, BLOCK, descriptor(Stage::El2, all, false));
    }

    /// Gives `rights` from `first` to `last`, where there is memory. Both are the ends of pages. Whether anything changed.
    pub(crate) fn set(&mut self, stage: Stage, first: u64, last: u64, rights: Rights) -> bool {
        let mut changed = false;
        for (base, size, there, device) in MEMORY {
            let (from, to) = (first.max(base), last.min(base + size - 1));
            if from <= to {
                changed |= self.put(from, from - base + there, to - from + 1, descriptor(stage, rights, device));
            }
        }
        changed
    }

    fn put(&mut self, mut address: u64, mut there: u64, mut size: u64, descriptor: u64) -> bool {
        let mut changed = false;
        let mut write = |entry: &mut u64, kind: u64, there: u64| {
            let next = if descriptor == 0 { 0 } else { descriptor | kind | there };
            changed |= core::mem::replace(entry, next) != next;
        };
        while size > 0 {
            let (gib, block) = ((address >> 30) as usize, (address / BLOCK % 512) as usize);
            let Some(entry) = self.blocks.get_mut(gib).and_then(|table| table.0.get_mut(block)) else { break };
            let whole = address.is_multiple_of(BLOCK) && there.is_multiple_of(BLOCK) && size >= BLOCK;
            let step = if whole && *entry & TABLE == 0 {
                write(entry, 0, there);
                BLOCK
            } else {
                let pages = if *entry & TABLE == 0 {
                    let Some(pages) = self.pages.get_mut(self.used) else { die("more tables than there are") };
                    self.used += 1;
                    // What the block held, page by page.
                    let held = *entry;
                    for (page, at) in pages.0.iter_mut().zip(0u64..) {
                        *page = if held == 0 { 0 } else { (held | TABLE) + at * PAGE };
                    }
                    *entry = core::ptr::from_ref(pages) as u64 | TABLE | VALID;
                    pages
                } else {
                    let at = (*entry & ADDRESS) as usize;
                    let own = self.pages.iter_mut().find(|pages| core::ptr::from_ref(*pages) as usize == at);
                    let Some(pages) = own else { die("a table that is not of the pool") };
                    pages
                };
                if let Some(page) = pages.0.get_mut((address / PAGE % 512) as usize) {
                    write(page, TABLE, there);
                }
                PAGE
            };
            (address, there, size) = (address + step, there + step, size - step);
        }
        changed
    }
}

/// The descriptor of a block without its address; 0 where nothing may be done.
fn descriptor(stage: Stage, rights: Rights, device: bool) -> u64 {
    let Rights { read, write, execute } = rights;
    if !(read || write || execute) {
        return 0;
    }
    let common = AF | INNER | VALID;
    match stage {
        // AttrIndx 0 Normal, 1 Device (MAIR_EL2 in `main`); AP[1] is RES1, AP[2] read-only, XN.
        Stage::El2 => common | u64::from(device) << 2 | 1 << 6 | u64::from(!write) << 7 | u64::from(!execute) << 54,
        // MemAttr: Normal write-back, or Device-nGnRE; S2AP; XN for both levels.
        Stage::Guest => {
            let memory = if device { 0b0001 } else { 0b1111 };
            common | memory << 2 | u64::from(read) << 6 | u64::from(write) << 7 | u64::from(!execute) << 54
        }
    }
}
