//! The slot driver: how regions get into the registers of an MPU, on hardware and on the model alike.
//!
//! PMSAv8-32 reaches regions 0 to 31 by name, and those above through `HPRSELR`. PMSAv8-64 reaches region *n* through
//! `PRBAR<n mod 16>` once `PRSELR` holds the bank (*n* rounded down to 16); plain `PRBAR` is the bank's first. So `PRSELR` is kept a multiple of 16 and written, with an ISB behind it, only when the
//! bank changes. `PRENR` holds the enable bits of slots 0 to 31; slots above are reached through their own PRLAR.
//!
//! A slot that is on is turned off, and that is synchronised, before it gets another range: base and limit are two
//! registers, and between their writes the old limit would stand beside the new base.

use crate::hazard::WriteHazard;
use crate::mpu::Mpu;
use crate::planner::Update;
use crate::planner::switch::{self, Cost, NoRoom};
use crate::pmsa::Pmsa;
use crate::regs::{MpuReg, RegionWords};
use crate::slot::Slot;
use crate::slot_set::{BEYOND_PRENR, SlotSet};

/// The registers of one MPU and the barriers of its PE.
pub trait Registers {
    /// What can go wrong at an access; `Infallible` on hardware, where an exception is taken instead.
    type Fault;

    /// Reads a register.
    fn read(&mut self, reg: MpuReg) -> u64;
    /// Writes a register.
    fn write(&mut self, reg: MpuReg, value: u64) -> Result<(), Self::Fault>;
    /// An ISB.
    fn isb(&mut self) -> Result<(), Self::Fault>;
    /// A DSB.
    fn dsb(&mut self) -> Result<(), Self::Fault>;
}

impl Registers for Mpu {
    type Fault = WriteHazard;

    fn read(&mut self, reg: MpuReg) -> u64 {
        Self::read(self, reg)
    }

    fn write(&mut self, reg: MpuReg, value: u64) -> Result<(), WriteHazard> {
        Self::write(self, reg, value)
    }

    fn isb(&mut self) -> Result<(), WriteHazard> {
        self.context_sync();
        Ok(())
    }

    fn dsb(&mut self) -> Result<(), WriteHazard> {
        Self::dsb(self);
        Ok(())
    }
}

/// What the driver remembers of one MPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    pmsa: Pmsa,
    regions: u8,
    /// What `PRSELR` holds.
    selected: u8,
    enabled: SlotSet,
}

impl Slots {
    /// The driver of an MPU with `regions` slots, just out of reset.
    #[must_use]
    pub const fn new(regions: u8) -> Self {
        Self { pmsa: Pmsa::V64, regions, selected: 0, enabled: SlotSet::EMPTY }
    }

    /// The same for PMSAv8-32. At EL1, which has no PRENR there, only [`Slots::save`] and [`Slots::restore`] are for use. Words are still given in the 64-bit layout; those of a region above 4 GiB lose
    /// their upper half.
    #[must_use]
    pub const fn new_32(regions: u8) -> Self {
        Self { pmsa: Pmsa::V32, regions, selected: 0, enabled: SlotSet::EMPTY }
    }

    /// The driver of an MPU with `regions` slots and these registers, just out of reset.
    #[must_use]
    pub const fn of(pmsa: Pmsa, regions: u8) -> Self {
        match pmsa {
            Pmsa::V64 => Self::new(regions),
            Pmsa::V32 => Self::new_32(regions),
        }
    }

    /// How many slots there are.
    #[must_use]
    pub const fn regions(&self) -> u8 {
        self.regions
    }

    /// The slots enabled as of the last write.
    #[must_use]
    pub const fn enabled(&self) -> SlotSet {
        self.enabled
    }

    /// Makes PRSELR lead to the slot, if it has to.
    fn select<R: Registers>(&mut self, registers: &mut R, slot: Slot) -> Result<(), R::Fault> {
        let selection = match (self.pmsa, slot.number()) {
            (Pmsa::V64, number) => number & 0xf0,
            (Pmsa::V32, 0..32) => return Ok(()),
            (Pmsa::V32, number) => number,
        };
        if selection != self.selected {
            registers.write(MpuReg::Prselr, u64::from(selection))?;
            registers.isb()?;
            self.selected = selection;
        }
        Ok(())
    }

    const fn prbar(&self, slot: Slot) -> MpuReg {
        match (self.pmsa, slot.number()) {
            (Pmsa::V64, number) if number.is_multiple_of(16) => MpuReg::Prbar,
            (Pmsa::V64, number) => MpuReg::PrbarN(number & 0xf),
            (Pmsa::V32, number @ 0..32) => MpuReg::PrbarN(number),
            (Pmsa::V32, _) => MpuReg::Prbar,
        }
    }

    const fn prlar(&self, slot: Slot) -> MpuReg {
        match self.prbar(slot) {
            MpuReg::PrbarN(n) => MpuReg::PrlarN(n),
            _ => MpuReg::Prlar,
        }
    }

    fn set_prbar<R: Registers>(&mut self, registers: &mut R, slot: Slot, value: u64) -> Result<(), R::Fault> {
        self.select(registers, slot)?;
        registers.write(self.prbar(slot), self.pmsa.narrow_prbar(value))
    }

    fn set_prlar<R: Registers>(&mut self, registers: &mut R, slot: Slot, value: u64) -> Result<(), R::Fault> {
        self.select(registers, slot)?;
        registers.write(self.prlar(slot), self.pmsa.narrow_prlar(value))?;
        if value & crate::regs::PRLAR_EN == 0 {
            self.enabled.remove(slot);
        } else {
            self.enabled.insert(slot);
        }
        Ok(())
    }

    /// Writes a region into a slot that is disabled: base first, the limit with the enable bit last. In force after the
    /// caller's barriers.
    pub fn write<R: Registers>(&mut self, registers: &mut R, slot: Slot, words: RegionWords) -> Result<(), R::Fault> {
        self.set_prbar(registers, slot, words.prbar)?;
        self.set_prlar(registers, slot, words.prlar)
    }

    /// Turns `slots` off: one PRENR write for slots 0 to 31, which keep their limits, and one PRLAR write for each above.
    /// Slots that are off already cost nothing. In force after the caller's barriers.
    pub fn disable<R: Registers>(&mut self, registers: &mut R, slots: &SlotSet) -> Result<(), R::Fault> {
        self.set_enabled(registers, &self.enabled.minus(slots), |_| RegionWords::default())
    }

    /// Makes `on` the slots that are enabled, and no others: one PRENR write for slots 0 to 31, which keep what they hold, and
    /// one PRLAR write for each slot above that changes. `words` says what a slot above 31 holds that is turned on. Nothing
    /// is written where nothing changes. In force after the caller's barriers.
    pub fn set_enabled<R: Registers>(
        &mut self,
        registers: &mut R,
        on: &SlotSet,
        words: impl Fn(Slot) -> RegionWords,
    ) -> Result<(), R::Fault> {
        let before = self.enabled;
        self.enabled.set_prenr(u32::MAX, on.prenr());
        if on.prenr() != before.prenr() {
            registers.write(MpuReg::Prenr, on.prenr().into())?;
        }
        for slot in BEYOND_PRENR.and_above(self.regions).filter(|slot| before.contains(*slot) != on.contains(*slot)) {
            let limit = if on.contains(slot) { words(slot).prlar } else { 0 };
            self.set_prlar(registers, slot, limit)?;
        }
        Ok(())
    }

    /// Writes a region into a slot that is disabled, and leaves it so: [`Slots::set_enabled`] turns it on.
    pub fn stage<R: Registers>(&mut self, registers: &mut R, slot: Slot, words: RegionWords) -> Result<(), R::Fault> {
        self.write(registers, slot, words.disabled())
    }

    /// Moves the end of a region that is on and whose base stays: one PRLAR write. The caller sees to it that neither the old
    /// nor the new range overlaps another region, and that neither uncovers what runs.
    pub fn move_limit<R: Registers>(
        &mut self,
        registers: &mut R,
        slot: Slot,
        words: RegionWords,
    ) -> Result<(), R::Fault> {
        self.set_prlar(registers, slot, words.prlar)
    }

    /// Carries out what a [`crate::planner::Mappings`] decided, barriers included.
    pub fn apply<R: Registers>(&mut self, registers: &mut R, update: Update) -> Result<(), R::Fault> {
        let (slot, words) = match update {
            Update::Nothing { .. } => return Ok(()),
            Update::Base { slot, words } => {
                self.set_prbar(registers, slot, words.prbar)?;
                return sync(registers);
            }
            Update::Limit { slot, words } => {
                self.set_prlar(registers, slot, words.prlar)?;
                return sync(registers);
            }
            Update::TakeOver { from, to, words } => return self.take_over(registers, from, to, words),
            Update::Disable { slot } => (slot, None),
            Update::Write { slot, words } | Update::Replace { slot, words } => (slot, Some(words)),
        };
        let mut off = SlotSet::default();
        off.insert(slot);
        if self.enabled.contains(slot) {
            self.disable(registers, &off)?;
            sync(registers)?;
        }
        if let Some(words) = words {
            self.write(registers, slot, words)?;
            sync(registers)?;
        }
        Ok(())
    }

    /// Lets slot `to`, which is off, take over what slot `from` maps. Below 32 both enable bits change in one write of PRENR:
    /// the range is mapped once at every moment, so even what runs can move. A slot above has its enable bit in a PRLAR of
    /// its own; then there is a moment in which neither maps the range.
    fn take_over<R: Registers>(
        &mut self,
        registers: &mut R,
        from: Slot,
        to: Slot,
        words: RegionWords,
    ) -> Result<(), R::Fault> {
        if from.max(to) >= BEYOND_PRENR {
            let mut off = SlotSet::default();
            off.insert(from);
            self.disable(registers, &off)?;
            sync(registers)?;
            self.write(registers, to, words)?;
            return sync(registers);
        }
        self.write(registers, to, words.disabled())?;
        // The words must be in force before the bit that enables them.
        sync(registers)?;
        self.enabled.remove(from);
        self.enabled.insert(to);
        registers.write(MpuReg::Prenr, self.enabled.prenr().into())?;
        sync(registers)
    }

    /// Goes from the regions in slots `first` and on to those of another view with the fewest writes (see
    /// [`switch::place`]), barriers included. `held` is what those slots hold and becomes what they hold then.
    ///
    /// No step overlaps two regions: those that leave or move are off, and that is synchronised, before another comes.
    ///
    /// # Errors
    ///
    /// The outer error is a fault at a register. The inner one is more regions than slots; nothing was written then.
    pub fn switch<R: Registers>(
        &mut self,
        registers: &mut R,
        first: Slot,
        held: &mut [RegionWords],
        wanted: &[RegionWords],
    ) -> Result<Result<Cost, NoRoom>, R::Fault> {
        let mut before = [RegionWords::default(); switch::MAX_SLOTS];
        before.iter_mut().zip(&*held).for_each(|(before, held)| *before = *held);
        let cost = match switch::place(held, wanted) {
            Ok(cost) => cost,
            Err(error) => return Ok(Err(error)),
        };
        let changed =
            || first.and_above(self.regions).zip(before.iter().zip(&*held)).filter(|(_, (old, new))| old != new);
        let mut off = SlotSet::default();
        off.extend(changed().filter(|(_, (old, new))| !switch::in_place(**old, **new)).map(|(slot, _)| slot));
        let comes = changed().filter(|(_, (_, new))| new.enabled());
        let mut todo = [None; switch::MAX_SLOTS];
        for (todo, (slot, (old, new))) in todo.iter_mut().zip(comes) {
            *todo = Some((slot, switch::writes(*old, *new), *new));
        }
        let enabled = self.enabled;
        self.disable(registers, &off)?;
        if self.enabled != enabled {
            sync(registers)?;
        }
        for (slot, (base, limit), words) in todo.into_iter().flatten() {
            if base {
                self.set_prbar(registers, slot, words.prbar)?;
            }
            if limit {
                self.set_prlar(registers, slot, words.prlar)?;
            }
        }
        if todo.iter().any(Option::is_some) {
            sync(registers)?;
        }
        Ok(Ok(cost))
    }

    /// Reads all slots into `into`, as many as fit: the save half of a vCPU switch.
    pub fn save<R: Registers>(&mut self, registers: &mut R, into: &mut [RegionWords]) -> Result<(), R::Fault> {
        for (slot, words) in Slot::all(self.regions).zip(into) {
            self.select(registers, slot)?;
            words.prbar = self.pmsa.widen_prbar(registers.read(self.prbar(slot)));
            words.prlar = self.pmsa.widen_prlar(registers.read(self.prlar(slot)));
        }
        Ok(())
    }

    /// Writes all slots from `from`: the restore half. The MPU must be off or the caller must not depend on it: base and
    /// limit of a live slot change one after the other.
    pub fn restore<R: Registers>(&mut self, registers: &mut R, from: &[RegionWords]) -> Result<(), R::Fault> {
        for (slot, words) in Slot::all(self.regions).zip(from) {
            self.write(registers, slot, *words)?;
        }
        Ok(())
    }
}

/// A DSB and an ISB: what was written is in force behind them, under either synchronisation rule.
fn sync<R: Registers>(registers: &mut R) -> Result<(), R::Fault> {
    registers.dsb()?;
    registers.isb()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use core::convert::Infallible;
    use std::vec::Vec;

    use super::*;
    use crate::level::Level;
    use crate::rules::Rules;

    const WORDS: RegionWords = RegionWords { prbar: 0x1000, prlar: 0x1fc1 };

    #[derive(Debug, PartialEq, Eq)]
    enum Access {
        Write(MpuReg, u64),
        Isb,
        Dsb,
    }

    /// Takes down what the driver does.
    #[derive(Default)]
    struct Steps(Vec<Access>);

    impl Registers for Steps {
        type Fault = Infallible;

        fn read(&mut self, _: MpuReg) -> u64 {
            0
        }

        fn write(&mut self, reg: MpuReg, value: u64) -> Result<(), Infallible> {
            self.0.push(Access::Write(reg, value));
            Ok(())
        }

        fn isb(&mut self) -> Result<(), Infallible> {
            self.0.push(Access::Isb);
            Ok(())
        }

        fn dsb(&mut self) -> Result<(), Infallible> {
            self.0.push(Access::Dsb);
            Ok(())
        }
    }

    fn set(slots: &[Slot]) -> SlotSet {
        let mut set = SlotSet::default();
        set.extend(slots.iter().copied());
        set
    }

    #[test]
    fn pmsav8_32_selects_only_what_has_no_name() {
        let mut slots = Slots::new_32(64);
        let mut did = |number| {
            let mut steps = Steps::default();
            slots.write(&mut steps, Slot::new(number), WORDS).unwrap();
            steps.0
        };
        let word = |reg, value| Access::Write(reg, value);
        let named = |n| [word(MpuReg::PrbarN(n), 0x1000), word(MpuReg::PrlarN(n), 0x1fc1)];
        let selected = || [word(MpuReg::Prbar, 0x1000), word(MpuReg::Prlar, 0x1fc1)];
        let select = |slot| [word(MpuReg::Prselr, slot), Access::Isb];
        assert!(did(16).into_iter().eq(named(16)));
        assert!(did(31).into_iter().eq(named(31)));
        assert!(did(32).into_iter().eq(select(32).into_iter().chain(selected())));
        assert!(did(5).into_iter().eq(named(5)), "whatever is selected");
        assert!(did(32).into_iter().eq(selected()), "still selected");
        assert!(did(33).into_iter().eq(select(33).into_iter().chain(selected())));
    }

    #[test]
    fn a_staged_region_is_off_until_it_is_turned_on() {
        for slot in [3, 40].map(Slot::new) {
            let mut mpu = Mpu::new(Level::El2, 64, Rules::default());
            let mut slots = Slots::new(64);
            slots.stage(&mut mpu, slot, WORDS).unwrap();
            assert_eq!((mpu.words(slot), slots.enabled()), (WORDS.disabled(), SlotSet::default()));
            slots.set_enabled(&mut mpu, &set(&[slot]), |_| WORDS).unwrap();
            assert_eq!((mpu.words(slot), slots.enabled()), (WORDS, set(&[slot])));
            let longer = RegionWords { prlar: 0x2fc1, ..WORDS };
            slots.move_limit(&mut mpu, slot, longer).unwrap();
            assert_eq!((mpu.words(slot), slots.enabled()), (longer, set(&[slot])));
        }
    }

    #[test]
    fn what_was_saved_is_restored() {
        let words: Vec<_> =
            (0..20).map(|slot| RegionWords { prbar: slot << 16, prlar: (slot << 16) | (slot % 2) }).collect();
        let mut mpu = Mpu::new(Level::El2, 20, Rules::default());
        let mut slots = Slots::new(20);
        slots.restore(&mut mpu, &words).unwrap();
        assert!(Slot::all(20).map(|slot| mpu.words(slot)).eq(words.iter().copied()));
        assert_eq!((slots.regions(), slots.enabled().len()), (20, 10));
        let mut saved = std::vec![RegionWords::default(); 20];
        slots.save(&mut mpu, &mut saved).unwrap();
        assert_eq!(saved, words);
    }

    #[test]
    fn barriers_reach_the_model() {
        let mut mpu = Mpu::new(Level::El2, 4, Rules::default());
        Registers::write(&mut mpu, MpuReg::Prlar, 0x1fc1).unwrap();
        Registers::dsb(&mut mpu).unwrap();
        assert_eq!(mpu.pending().count(), 1);
        Registers::isb(&mut mpu).unwrap();
        assert_eq!(mpu.pending().count(), 0);
    }
}
