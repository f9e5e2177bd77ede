//! The MPU once more, as plain and slow as can be: registers as raw words, judged one byte at a time, and every write that
//! is not in force kept in a list. For tests and for fuzzing, which hold [`Mpu`] against it; behind the feature `naive`.
//!
//! It shares nothing with the real one but the types of its answers. It does not know how many pending writes the real one
//! can tell apart: whoever drives it keeps them below [`MOST_PENDING`].
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "it stops at a mistake, of its own or of the real one: that is what it is for"
)]

mod regs;
mod writes;

use crate::{Access, AccessKind, El, Level, Mpu, MpuReg, Regime, Rules, Slot};

pub use regs::{Outcome, Regs};
pub use writes::{Op, Replay};

/// The most writes that may be pending while both are asked.
pub const MOST_PENDING: usize = crate::pending::CAPACITY;

/// An MPU and its plain twin, which is told the same.
#[derive(Debug)]
pub struct Twins {
    /// The real one.
    pub mpu: Mpu,
    /// The plain one.
    pub replay: Replay,
    rules: Rules,
}

impl Twins {
    /// Both as after reset.
    #[must_use]
    pub fn new(regions: u8, rules: Rules) -> Self {
        let (mpu, replay) = (Mpu::new(Level::El2, regions, rules), Replay::new(regions, rules.sync));
        Self { mpu, replay, rules }
    }

    /// Does the same to both; a write through a stale selector is noticed by both.
    pub fn apply(&mut self, op: Op) {
        let slots = self.replay.apply(op);
        match op {
            Op::Write(reg, value) => {
                let stale = slots.iter().find(|slot| Some(*slot) != slots.last());
                let hazard = self.mpu.write(reg, value).err();
                assert_eq!(hazard.map(|hazard| hazard.stale_slot), stale.copied(), "after {op:?}");
                if let Some(hazard) = hazard {
                    assert_eq!((hazard.reg, Some(&hazard.new_slot)), (reg, slots.last()), "after {op:?}");
                }
            }
            Op::Dsb => self.mpu.dsb(),
            Op::ContextSync => self.mpu.context_sync(),
        }
    }

    /// Asks both whether an access is let through, and on what it leans.
    pub fn ask(&self, regime: Regime, access: Access) {
        if self.mpu.pending().count() == 0 {
            ask_often(&self.mpu);
        }
        let (expected, hazard) = self.replay.expected(self.rules, regime, access);
        assert_eq!(outcome(&self.mpu, regime, access), expected, "{regime:?} {access:?}");
        assert_eq!(self.mpu.check(regime, access).hazard, hazard, "{regime:?} {access:?}");
    }

    /// Reads every register of both.
    pub fn read(&self) {
        let newest = &self.replay.newest;
        for (slot, words) in Slot::all(newest.regions).zip(&newest.slots) {
            let real = self.mpu.words(slot);
            assert_eq!((real.prbar, real.prlar), *words, "region {slot}");
        }
        assert_eq!(self.mpu.read(MpuReg::Sctlr), newest.sctlr);
        assert_eq!(self.mpu.read(MpuReg::Mpuir), u64::from(newest.regions));
    }
}

/// Asks until the state in force is worth compiling.
pub fn ask_often(mpu: &Mpu) {
    for _ in 0..=100 {
        let _ = mpu.check(Regime::El2, Access { addr: 0, size: 1, kind: AccessKind::Read, el: El::El2 });
    }
}

/// The real one's answer in the plain one's form.
pub fn outcome(mpu: &Mpu, regime: Regime, access: Access) -> Outcome {
    let verdict = mpu.check(regime, access);
    if let Err(denial) = verdict.result {
        assert_eq!((denial.access, denial.regime), (access, regime));
    }
    verdict.result.map(|hit| hit.by).map_err(|denial| (denial.kind, denial.addr))
}
