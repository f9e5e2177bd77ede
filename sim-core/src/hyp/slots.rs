//! The slot driver: how a region gets into the MPU's registers. The same source drives EL1 and EL2, host and board.
//!
//! PMSAv8-64 reaches region *n* through `PRBAR<n mod 16>` once `PRSELR` holds the bank (*n* rounded down to 16); plain
//! `PRBAR` is the bank's first. So `PRSELR` is kept a multiple of 16 and written, with an `ISB` behind it, only when the bank
//! changes. `PRENR` holds the enable bits of slots 0 to 31; slots above are reached through their own PRLAR.

use crate::platform::{Platform, SysReg};
use alloc::vec::Vec;
use mpu_model::{Level, MpuReg, RegionWords};

/// A set of slots, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotSet([u64; 4]);

impl SlotSet {
    /// Adds a slot.
    pub fn insert(&mut self, slot: u8) {
        if let Some(word) = self.0.get_mut(usize::from(slot / 64)) {
            *word |= 1 << (slot % 64);
        }
    }

    /// Whether a slot is in.
    #[must_use]
    pub fn contains(&self, slot: u8) -> bool {
        self.0.get(usize::from(slot / 64)).is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    /// How many slots are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no slot is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    fn remove(&mut self, slot: u8) {
        if let Some(word) = self.0.get_mut(usize::from(slot / 64)) {
            *word &= !(1 << (slot % 64));
        }
    }

    /// The enable bits of slots 0 to 31, as PRENR has them.
    fn prenr(&self) -> u64 {
        self.0[0] & 0xffff_ffff
    }
}

/// What the hypervisor remembers of one PE's MPU at one level.
#[derive(Clone, Debug)]
pub struct Slots {
    level: Level,
    bank: u8,
    enabled: SlotSet,
    words: Vec<RegionWords>,
}

impl Slots {
    /// The driver of an MPU with `regions` slots, just out of reset.
    #[must_use]
    pub fn new(level: Level, regions: u8) -> Self {
        let words = alloc::vec![RegionWords::default(); usize::from(regions)];
        Self { level, bank: 0, enabled: SlotSet::default(), words }
    }

    /// How many slots there are.
    #[must_use]
    pub fn len(&self) -> u8 {
        u8::try_from(self.words.len()).unwrap_or(u8::MAX)
    }

    /// Whether there are none; an MPU has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The slots enabled as of the last write.
    #[must_use]
    pub fn enabled(&self) -> SlotSet {
        self.enabled
    }

    const fn reg(&self, reg: MpuReg) -> SysReg {
        match self.level {
            Level::El1 => SysReg::El1(reg),
            Level::El2 => SysReg::El2(reg),
        }
    }

    fn select<P: Platform>(&mut self, p: &mut P, slot: u8) -> Result<(), P::Fault> {
        let bank = slot & 0xf0;
        if bank != self.bank {
            p.write(self.reg(MpuReg::Prselr), u64::from(bank))?;
            p.isb()?;
            self.bank = bank;
        }
        Ok(())
    }

    const fn prbar(slot: u8) -> MpuReg {
        match slot & 0xf {
            0 => MpuReg::Prbar,
            n => MpuReg::PrbarN(n),
        }
    }

    const fn prlar(slot: u8) -> MpuReg {
        match slot & 0xf {
            0 => MpuReg::Prlar,
            n => MpuReg::PrlarN(n),
        }
    }

    /// Writes a region into a slot that is disabled: base first, the limit with the enable bit last. In force after the
    /// caller's barriers.
    pub fn write<P: Platform>(&mut self, p: &mut P, slot: u8, words: RegionWords) -> Result<(), P::Fault> {
        self.select(p, slot)?;
        p.write(self.reg(Self::prbar(slot)), words.prbar)?;
        p.write(self.reg(Self::prlar(slot)), words.prlar)?;
        if let Some(shadow) = self.words.get_mut(usize::from(slot)) {
            *shadow = words;
        }
        if words.enabled() {
            self.enabled.insert(slot);
        } else {
            self.enabled.remove(slot);
        }
        Ok(())
    }

    /// Clears the enable bits of `slots` and keeps their limits: one PRENR write for slots 0 to 31, one PRLAR write for each
    /// above. Slots that are off already cost nothing.
    pub fn disable<P: Platform>(&mut self, p: &mut P, slots: &SlotSet) -> Result<(), P::Fault> {
        let before = self.enabled;
        for (word, off) in self.enabled.0.iter_mut().zip(slots.0) {
            *word &= !off;
        }
        if self.enabled.prenr() != before.prenr() {
            p.write(self.reg(MpuReg::Prenr), self.enabled.prenr())?;
        }
        for slot in 32..self.len() {
            if before.contains(slot) && !self.enabled.contains(slot) {
                self.select(p, slot)?;
                let words = self.words.get(usize::from(slot)).copied().unwrap_or_default().disabled();
                p.write(self.reg(Self::prlar(slot)), words.prlar)?;
            }
        }
        for (slot, shadow) in (0..).zip(self.words.iter_mut()) {
            if slots.contains(slot) {
                *shadow = shadow.disabled();
            }
        }
        Ok(())
    }

    /// Reads all slots into `into`, as many as fit: the save half of a vCPU switch.
    pub fn save<P: Platform>(&mut self, p: &mut P, into: &mut [RegionWords]) -> Result<(), P::Fault> {
        for (slot, words) in (0..self.len()).zip(into) {
            self.select(p, slot)?;
            words.prbar = p.read(self.reg(Self::prbar(slot)));
            words.prlar = p.read(self.reg(Self::prlar(slot)));
        }
        Ok(())
    }

    /// Writes all slots from `from`: the restore half. The MPU must be off or the caller must not depend on it: base and
    /// limit of a live slot change one after the other.
    pub fn restore<P: Platform>(&mut self, p: &mut P, from: &[RegionWords]) -> Result<(), P::Fault> {
        for (slot, words) in (0..self.len()).zip(from) {
            self.write(p, slot, *words)?;
        }
        Ok(())
    }
}
