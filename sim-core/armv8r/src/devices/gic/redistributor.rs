//! A Redistributor: the SGIs and PPIs of a PE, and `GICR_*` (IHI 0069, 4.3, 4.4 and chapter 12), without LPIs.
//!
//! Accesses are as those of the Distributor; `GICR_TYPER` is read in doublewords too. `GICR_STATUSR` is not implemented, as is
//! allowed: RAZ/WI.

use super::bank::{Bank, Bits};
use super::identification;

/// `GICR_WAKER.ProcessorSleep`.
const PROCESSOR_SLEEP: u32 = 1 << 1;
/// `GICR_WAKER.ChildrenAsleep`.
const CHILDREN_ASLEEP: u32 = 1 << 2;

/// A Redistributor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redistributor {
    pub(crate) bank: Bank,
    /// `GICR_TYPER`.
    typer: u64,
    /// The PE sleeps: nothing is forwarded to it. As at reset.
    pub(crate) asleep: bool,
}

impl Redistributor {
    /// That of a PE by its number and affinity, Aff3 to Aff0.
    pub(crate) fn new(number: usize, affinity: u32, last: bool, priority_mask: u8) -> Self {
        let typer = u64::from(affinity) << 32 | (number as u64 & 0xffff) << 8 | u64::from(last) << 4;
        Self { bank: Bank::private(priority_mask), typer, asleep: true }
    }

    /// Reads the frame `RD_base`.
    pub(crate) fn read(&self, offset: u64, bytes: u8) -> u64 {
        match (bytes, offset) {
            (8, 0x8) => self.typer,
            (4, 0x4) => identification::IIDR.into(),
            (4, 0x8) => self.typer & 0xffff_ffff,
            (4, 0xc) => self.typer >> 32,
            (4, 0x14) if self.asleep => (PROCESSOR_SLEEP | CHILDREN_ASLEEP).into(),
            (4, 0xffd0..0x1_0000) if offset.is_multiple_of(4) => identification::redistributor(offset).into(),
            _ => 0,
        }
    }

    /// Writes it. `ChildrenAsleep` follows `ProcessorSleep` at once (IHI 0069, chapter 11).
    pub(crate) const fn write(&mut self, offset: u64, bytes: u8, value: u64) {
        if bytes == 4 && offset == 0x14 {
            self.asleep = value as u32 & PROCESSOR_SLEEP != 0;
        }
    }

    /// Reads the frame `SGI_base`.
    pub(crate) fn read_sgi(&self, offset: u64, bytes: u8) -> u64 {
        match (bytes, offset) {
            (1, 0x400..0x420) => self.bank.read_priority(offset - 0x400).into(),
            (4, 0x80..0x400) if offset.is_multiple_of(0x80) => {
                Bits::at(offset).map_or(0, |register| self.bank.read_bits(register)).into()
            }
            (4, 0x400..0x420) if offset.is_multiple_of(4) => {
                u32::from_le_bytes([0, 1, 2, 3].map(|byte| self.bank.read_priority(offset - 0x400 + byte))).into()
            }
            (4, 0xc00 | 0xc04) => self.bank.read_trigger(offset == 0xc04).into(),
            _ => 0,
        }
    }

    /// Writes it.
    pub(crate) fn write_sgi(&mut self, offset: u64, bytes: u8, value: u64) {
        match (bytes, offset) {
            (1, 0x400..0x420) => self.bank.write_priority(offset - 0x400, value as u8),
            (4, 0x80..0x400) if offset.is_multiple_of(0x80) => {
                if let Some(register) = Bits::at(offset) {
                    self.bank.write_bits(register, value as u32);
                }
            }
            (4, 0x400..0x420) if offset.is_multiple_of(4) => {
                for (byte, value) in (0..).zip((value as u32).to_le_bytes()) {
                    self.bank.write_priority(offset - 0x400 + byte, value);
                }
            }
            (4, 0xc00 | 0xc04) => self.bank.write_trigger(offset == 0xc04, value as u32),
            _ => {}
        }
    }
}
