//! The Distributor: SPIs, their routes, and `GICD_*` (IHI 0069, 4.5 and chapter 12), with one Security state and affinity routing
//! always on.
//!
//! Registers are accessed in words; `IPRIORITYR` in bytes too, `IROUTER` in doublewords too, and the registers of messages in
//! halfwords too (IHI 0069, chapter 12, access sizes). Other accesses, and those to what is reserved, are RAZ/WI. `GICD_STATUSR` is not
//! implemented, as is allowed: RAZ/WI.

use alloc::vec::Vec;

use super::bank::{Bank, Bits};
use super::identification;

/// The first SPI.
pub(crate) const FIRST_SPI: u32 = 32;
/// SPIs at most: INTIDs 32 to 1019.
const MOST_SPIS: usize = 988;
/// Interrupts in a word of bits.
const WORD: u32 = 32;

/// `GICD_CTLR`: `EnableGrp0` and `EnableGrp1`; ARE and DS, which are RAO/WI.
const CTLR_FIXED: u32 = 1 << 4 | 1 << 6;
/// `GICD_TYPER`: MBIS, and 10 bits of INTID.
const TYPER_FIXED: u32 = 1 << 16 | 9 << 19;
/// `GICD_IROUTER<n>.Interrupt_Routing_Mode`: any PE that participates.
const IRM: u64 = 1 << 31;
/// `GICD_IROUTER<n>`: `Aff3`, and `Aff2` to `Aff0`.
const AFFINITY: u64 = 0xff_00ff_ffff;

/// Where an SPI goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Route {
    /// `GICD_IROUTER<n>`.
    router: u64,
    /// The PE that it names, if there is one.
    pe: Option<usize>,
}

/// The Distributor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Distributor {
    pub(crate) enable0: bool,
    pub(crate) enable1: bool,
    banks: Vec<Bank>,
    routes: Vec<Route>,
    /// Aff3 to Aff0 of each PE.
    affinities: Vec<u32>,
}

impl Distributor {
    /// With at most 988 SPIs.
    pub(crate) fn new(affinities: Vec<u32>, spis: usize, priority_mask: u8) -> Self {
        let spis = spis.min(MOST_SPIS);
        let banks = (0..spis).step_by(WORD as usize).map(|first| Bank::shared(spis - first, priority_mask)).collect();
        let mut distributor = Self { enable0: false, enable1: false, banks, routes: Vec::new(), affinities };
        let route = Route { router: 0, pe: distributor.pe_of(0) };
        distributor.routes.resize(spis, route);
        distributor
    }

    /// Whether a PE has an Aff3 other than 0.
    pub(crate) fn affinity3(&self) -> bool {
        self.affinities.iter().any(|affinity| affinity >> 24 != 0)
    }

    /// Whether a PE has an Aff0 of 16 or more: lists of targets then need a range.
    pub(crate) fn ranges(&self) -> bool {
        self.affinities.iter().any(|affinity| affinity & 0xff > 15)
    }

    /// The PE of an affinity, Aff3 to Aff0.
    pub(crate) fn pe_of(&self, affinity: u32) -> Option<usize> {
        self.affinities.iter().position(|&other| other == affinity)
    }

    /// The bank of an SPI, and its number there.
    pub(crate) fn spi(&self, intid: u32) -> Option<(&Bank, u32)> {
        let index = intid.checked_sub(FIRST_SPI)?;
        self.banks.get((index / WORD) as usize).map(|bank| (bank, index % WORD))
    }

    /// As [`Distributor::spi`].
    pub(crate) fn spi_mut(&mut self, intid: u32) -> Option<(&mut Bank, u32)> {
        let index = intid.checked_sub(FIRST_SPI)?;
        self.banks.get_mut((index / WORD) as usize).map(|bank| (bank, index % WORD))
    }

    /// SPIs that may be signalled, each with its bank and its number there.
    pub(crate) fn candidates(&self, group0: bool, group1: bool) -> impl Iterator<Item = (u32, &Bank, u32)> {
        self.banks.iter().zip(0..).flat_map(move |(bank, word)| {
            let mut left = bank.candidates(group0, group1);
            core::iter::from_fn(move || {
                let index = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some((FIRST_SPI + word * WORD + index, bank, index))
            })
        })
    }

    /// Whether an SPI is routed to `pe`, of which `any` says that it is the one that takes what is routed to any PE.
    pub(crate) fn routed_to(&self, intid: u32, pe: usize, any: bool) -> bool {
        let route = intid.checked_sub(FIRST_SPI).and_then(|index| self.routes.get(index as usize));
        route.is_some_and(|route| if route.router & IRM == 0 { route.pe == Some(pe) } else { any })
    }

    /// Reads `bytes` at `offset` of the frame.
    pub(crate) fn read(&self, offset: u64, bytes: u8) -> u64 {
        match (bytes, offset) {
            (1, 0x400..0x800) => u64::from(self.read_priority(offset - 0x400)),
            (4, _) if offset.is_multiple_of(4) => u64::from(self.read_word(offset)),
            (8, 0x6100..0x8000) if offset.is_multiple_of(8) => self.router(offset),
            _ => 0,
        }
    }

    /// Writes `bytes` at `offset` of the frame.
    pub(crate) fn write(&mut self, offset: u64, bytes: u8, value: u64) {
        match (bytes, offset) {
            (1, 0x400..0x800) => self.write_priority(offset - 0x400, value as u8),
            (2, 0x40 | 0x48) => self.write_word(offset, value as u32 & 0xffff),
            (4, _) if offset.is_multiple_of(4) => self.write_word(offset, value as u32),
            (8, 0x6100..0x8000) if offset.is_multiple_of(8) => self.set_router(offset, value),
            _ => {}
        }
    }

    fn typer(&self) -> u32 {
        let lines = self.banks.len() as u32;
        TYPER_FIXED | lines | u32::from(self.affinity3()) << 24 | u32::from(self.ranges()) << 26
    }

    fn read_word(&self, offset: u64) -> u32 {
        match offset {
            0x0 => CTLR_FIXED | u32::from(self.enable0) | u32::from(self.enable1) << 1,
            0x4 => self.typer(),
            0x8 => identification::IIDR,
            0x80..0x400 => self.bits(offset).map_or(0, |(bank, register)| bank.read_bits(register)),
            0x400..0x800 => u32::from_le_bytes([0, 1, 2, 3].map(|byte| self.read_priority(offset - 0x400 + byte))),
            0xc00..0xd00 => trigger(offset)
                .and_then(|(word, upper)| self.banks.get(word).map(|bank| bank.read_trigger(upper)))
                .unwrap_or(0),
            0x6100..0x8000 => (self.router(offset & !7) >> (8 * (offset & 4))) as u32,
            0xffd0..0x1_0000 => identification::distributor(offset),
            _ => 0,
        }
    }

    fn write_word(&mut self, offset: u64, value: u32) {
        match offset {
            0x0 => {
                self.enable0 = value & 1 != 0;
                self.enable1 = value & 2 != 0;
            }
            0x40 | 0x48 => {
                if let Some((bank, index)) = self.spi_mut(value & 0x1fff) {
                    if offset == 0x40 { bank.set_message(index) } else { bank.clear_message(index) }
                }
            }
            0x80..0x400 => {
                if let Some((bank, register)) = self.bits_mut(offset) {
                    bank.write_bits(register, value);
                }
            }
            0x400..0x800 => {
                for (byte, value) in (0..).zip(value.to_le_bytes()) {
                    self.write_priority(offset - 0x400 + byte, value);
                }
            }
            0xc00..0xd00 => {
                if let Some((word, upper)) = trigger(offset)
                    && let Some(bank) = self.banks.get_mut(word)
                {
                    bank.write_trigger(upper, value);
                }
            }
            0x6100..0x8000 => {
                let shift = 8 * (offset & 4);
                let kept = self.router(offset & !7) & !(0xffff_ffff << shift);
                self.set_router(offset & !7, kept | u64::from(value) << shift);
            }
            _ => {}
        }
    }

    fn bits(&self, offset: u64) -> Option<(&Bank, Bits)> {
        self.banks.get(word(offset)?).zip(Bits::at(offset))
    }

    fn bits_mut(&mut self, offset: u64) -> Option<(&mut Bank, Bits)> {
        self.banks.get_mut(word(offset)?).zip(Bits::at(offset))
    }

    fn read_priority(&self, intid: u64) -> u8 {
        self.spi(intid as u32).map_or(0, |(bank, index)| bank.read_priority(index.into()))
    }

    fn write_priority(&mut self, intid: u64, value: u8) {
        if let Some((bank, index)) = self.spi_mut(intid as u32) {
            bank.write_priority(index.into(), value);
        }
    }

    fn router(&self, offset: u64) -> u64 {
        self.routes.get(route(offset)).map_or(0, |route| route.router)
    }

    fn set_router(&mut self, offset: u64, value: u64) {
        let router = value & (AFFINITY | IRM);
        let pe = self.pe_of((router >> 8) as u32 & 0xff00_0000 | router as u32 & 0xff_ffff);
        if let Some(route) = self.routes.get_mut(route(offset)) {
            *route = Route { router, pe };
        }
    }
}

/// The bank of a register with a bit for each interrupt: its first word is of SGIs and PPIs, which the Redistributors have.
fn word(offset: u64) -> Option<usize> {
    ((offset & 0x7f) as usize / 4).checked_sub(1)
}

/// The bank and the half of it of a word of `ICFGR`.
fn trigger(offset: u64) -> Option<(usize, bool)> {
    let word = (offset - 0xc00) as usize / 4;
    (word / 2).checked_sub(1).map(|bank| (bank, word % 2 == 1))
}

/// Which SPI an `IROUTER<n>` is of.
const fn route(offset: u64) -> usize {
    ((offset - 0x6000) / 8) as usize - FIRST_SPI as usize
}
