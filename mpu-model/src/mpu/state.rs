//! The registers of an MPU as a value: compared, and with the pending writes decided one way or the other.

use super::Mpu;
use crate::check::State;

impl PartialEq for Mpu {
    /// Whether both hold the same registers, in force and newest, and the same pending writes. What a check remembers, probes
    /// and the count of changes do not matter.
    fn eq(&self, other: &Self) -> bool {
        self.level == other.level
            && self.rules == other.rules
            && self.newest == other.newest
            && self.in_force == other.in_force
            && (self.prselr_in_force, self.prselr, self.mair) == (other.prselr_in_force, other.prselr, other.mair)
            && self.log.same(&other.log)
    }
}

impl Mpu {
    /// This MPU as if every pending write were in force.
    #[must_use]
    pub fn with_all_in_force(&self) -> Self {
        self.decided(&self.newest, self.prselr)
    }

    /// This MPU as if no pending write had been made.
    #[must_use]
    pub fn without_pending(&self) -> Self {
        self.decided(&self.in_force, self.prselr_in_force)
    }

    fn decided(&self, state: &State, prselr: u8) -> Self {
        let mut mpu = Self::with(self.pmsa(), self.level, self.regions(), self.rules);
        mpu.in_force.clone_from(state);
        mpu.newest.clone_from(state);
        (mpu.prselr_in_force, mpu.prselr, mpu.mair) = (prselr, prselr, self.mair);
        mpu
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use crate::{Access, AccessKind, El, Level, Mpu, MpuReg, Regime, Rules};

    fn reads(mpu: &Mpu) -> bool {
        mpu.check(Regime::El2, Access { addr: 0x1000, size: 4, kind: AccessKind::Read, el: El::El2 }).result.is_ok()
    }

    #[test]
    fn pending_writes_are_decided_either_way() {
        let mut mpu = Mpu::new(Level::El2, 4, Rules::default());
        let out_of_reset = mpu.clone();
        mpu.write(MpuReg::Sctlr, 1).unwrap();
        assert!(reads(&mpu.without_pending()) && !reads(&mpu.with_all_in_force()) && !reads(&mpu));
        assert!(mpu.without_pending() == out_of_reset && mpu != out_of_reset);
        let before = mpu.clone();
        mpu.context_sync();
        assert!(mpu != before && mpu == before.with_all_in_force());
        // What was asked of it is no part of it.
        let asked = mpu.clone();
        assert!(!reads(&asked) && asked == mpu);
    }
}
