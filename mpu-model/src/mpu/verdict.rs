//! What an MPU answers to an access: by the stretch that answered last, by the compiled state, or by the rule book.

use super::Mpu;
use crate::access::{Access, Verdict};
use crate::check::judge;
use crate::fast::{Fast, Stretch};
use crate::level::Regime;

/// Accesses that a state answers by the rule book before it is compiled, which costs about as much: a hypervisor that
/// remaps at every hypercall makes fewer between two changes.
const WORTH_COMPILING: u8 = 100;

impl Mpu {
    /// Judges an access, every byte of it, by the state in force.
    ///
    /// With writes pending, hardware may see any prefix of them already, and a write that enables something before those that it was
    /// made behind ([`crate::WriteOrder`]). The access is judged by each; where the answers differ in being allowed or in the
    /// kind of denial, the first denial is returned, with a hazard that names the first write to change the answer.
    ///
    /// An access is denied at its lowest byte that is denied. `regime` must be one that this array serves.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: see the example check_speed")]
    pub fn check(&self, regime: Regime, access: Access) -> Verdict {
        let mut stretch = self.recent.get();
        if !stretch.holds(&access) {
            match self.fast.get() {
                Some(fast) if self.log.is_empty() => stretch = fast.stretch(access.addr),
                _ => return self.by_the_book(regime, access),
            }
            if !stretch.holds(&access) {
                return self.by_the_book(regime, access);
            }
            self.recent.set(stretch);
        }
        Verdict { result: stretch.judge(regime, access), hazard: None }
    }

    /// Judges without the compiled state, and compiles it once that is worth it.
    #[cold]
    #[inline(never)]
    fn by_the_book(&self, regime: Regime, access: Access) -> Verdict {
        if !self.log.is_empty() {
            return self.log.judge(&self.in_force, &self.newest, self.rules, regime, access);
        }
        let asked = self.asked.get();
        if asked < WORTH_COMPILING {
            self.asked.set(asked + 1);
        } else if self.fast.get().is_none()
            && let Some(fast) = Fast::compile(&self.in_force, self.rules)
        {
            // Cannot fail: it is empty.
            let _ = self.fast.set(fast);
        }
        if let Some(stretch) = Stretch::around(&access, &self.in_force, self.rules) {
            self.recent.set(stretch);
            return Verdict { result: stretch.judge(regime, access), hazard: None };
        }
        Verdict { result: judge(&self.in_force, self.rules, regime, access), hazard: None }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use super::*;
    use crate::access::AccessKind;
    use crate::level::{El, Level};
    use crate::pmsa::Pmsa;
    use crate::probe::Probe;
    use crate::regs::{MpuReg, RegionWords};
    use crate::rules::Rules;
    use crate::slot::Slot;

    fn read(mpu: &Mpu) -> bool {
        mpu.check(Regime::El2, Access { addr: 0x1000, size: 4, kind: AccessKind::Read, el: El::El2 }).result.is_ok()
    }

    #[test]
    fn the_page_of_an_access_answers_for_the_next_until_something_changes() {
        let mut mpu = Mpu::new(Level::El2, 16, Rules::default());
        for (reg, value) in [(MpuReg::Prbar, 0x1000), (MpuReg::Prlar, 0x1fc1), (MpuReg::Sctlr, 1)] {
            mpu.write(reg, value).unwrap();
        }
        mpu.dsb();
        mpu.context_sync();
        let page = |mpu: &Mpu| {
            mpu.recent.get().holds(&Access { addr: 0x1000, size: 0x1000, kind: AccessKind::Read, el: El::El2 })
        };
        assert!(read(&mpu) && page(&mpu) && mpu.asked.get() == 1);
        assert!(read(&mpu) && mpu.asked.get() == 1, "the rule book was not asked again");
        mpu.write(MpuReg::Prlar, 0x1bc1).unwrap();
        assert!(!page(&mpu));
        mpu.dsb();
        mpu.context_sync();
        assert!(read(&mpu) && !page(&mpu) && mpu.asked.get() == 1, "a region that ends within the page");
    }

    #[test]
    fn a_state_is_compiled_once_it_is_worth_it_and_a_change_puts_an_end_to_that() {
        let mut mpu = Mpu::new(Level::El2, 16, Rules::default());
        for (reg, value) in [(MpuReg::Prbar, 0x1000), (MpuReg::Prlar, 0x1fc1), (MpuReg::Sctlr, 1)] {
            mpu.write(reg, value).unwrap();
        }
        mpu.dsb();
        mpu.context_sync();
        let nowhere = Access { addr: 0x3000, size: 4, kind: AccessKind::Read, el: El::El2 };
        for _ in 0..WORTH_COMPILING {
            assert!(mpu.check(Regime::El2, nowhere).result.is_err() && mpu.fast.get().is_none());
        }
        assert!(mpu.check(Regime::El2, nowhere).result.is_err() && mpu.fast.get().is_some());
        assert!(!mpu.recent.get().holds(&Access { addr: 0x1000, size: 1, kind: AccessKind::Read, el: El::El2 }));
        assert!(read(&mpu));
        assert!(mpu.recent.get().holds(&Access { addr: 0x1000, size: 0x1000, kind: AccessKind::Read, el: El::El2 }));

        // Not in force yet, and a hazard at once.
        mpu.write(MpuReg::Prlar, 0x1fc0).unwrap();
        assert!(!read(&mpu) && mpu.pending().count() == 1);
        mpu.dsb();
        mpu.context_sync();
        assert!(!read(&mpu) && mpu.fast.get().is_none());
    }

    /// Each field of it, as far as anybody can ask.
    #[test]
    fn an_mpu_that_was_reset_is_as_a_new_one() {
        let rules = Rules { default_map: crate::rules::DefaultMap::RwNoExec, ..Rules::default() };
        let mut mpu = Mpu::new(Level::El2, 64, Rules::default());
        mpu.add_probe(Probe { addr: 0x9000, kind: AccessKind::Read });
        for slot in 0..64 {
            mpu.write(MpuReg::Prselr, slot).unwrap();
            mpu.dsb();
            mpu.context_sync();
            for (reg, value) in [(MpuReg::Prbar, 0x1000 * slot), (MpuReg::Prlar, (0x1000 * slot) | 0xfc1)] {
                mpu.write(reg, value).unwrap();
            }
        }
        mpu.write(MpuReg::Sctlr, 1).unwrap();
        mpu.dsb();
        mpu.context_sync();
        let nowhere = Access { addr: 1 << 40, size: 4, kind: AccessKind::Read, el: El::El2 };
        for _ in 0..=WORTH_COMPILING {
            assert!(mpu.check(Regime::El2, nowhere).result.is_err());
        }
        assert!(read(&mpu) && mpu.fast.get().is_some());
        mpu.write(MpuReg::Mair, 0xff).unwrap();
        mpu.write(MpuReg::Prselr, 7).unwrap();
        mpu.write(MpuReg::Prlar, 0).unwrap_err();
        mpu.reset(Pmsa::V64, 255, rules);
        let new = Mpu::new(Level::El2, 255, rules);
        assert_eq!(std::format!("{mpu:?}"), std::format!("{new:?}"));
        assert_eq!((mpu.read(MpuReg::Mair), mpu.changes(), mpu.regions()), (0, 0, 255));
        assert_eq!((mpu.prselr_in_force, mpu.asked.get(), mpu.log.selects()), (0, 0, false));
        assert!((0..=255).map(Slot::new).all(|slot| mpu.words(slot) == RegionWords::default()));
        assert!((0..=255).map(Slot::new).all(|slot| mpu.in_force.table.words(slot) == RegionWords::default()));
        // Off, with no probe; then on, with nothing mapped.
        assert!(read(&mpu) && mpu.fast.get().is_none() && mpu.failing_probe().is_none());
        mpu.write(MpuReg::Sctlr, 1).unwrap();
        mpu.context_sync();
        assert!(!read(&mpu) && mpu.failing_probe().is_none());
    }
}
