//! What the MPUs say to an access, and what a run makes of hazards (DDI 0600 section C1.7.1).

use super::Pe;
use crate::hazards::{HazardMode, HazardRecord};
use mpu_model::{
    Access, Ap, Denial, El, GuestDenial, GuestHit, Hazard, Hit, HitBy, Level, Missing, Mpu, MpuReg, Regime, Stage,
    check_guest,
};

/// What allowed an access.
#[derive(Clone, Copy, Debug)]
pub(super) enum Allowed {
    El2(Hit),
    Guest(GuestHit),
}

impl Allowed {
    /// Whether PSTATE.PAN withholds from EL1 what was allowed: data that EL0 may access.
    pub(super) fn is_for_el0(&self) -> bool {
        let Self::Guest(GuestHit { stage1: Hit { by: HitBy::Slot(_), attrs: Some(attrs) }, .. }) = self else {
            return false;
        };
        matches!(attrs.ap, Ap::RwAll | Ap::RoAll)
    }
}

/// What denied one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Denied {
    El2(Denial),
    Guest(GuestDenial),
}

/// The answer to an access, and the hazard in it with the level whose MPU it is.
pub(super) struct Answer {
    pub(super) result: Result<Allowed, Denied>,
    pub(super) hazard: Option<(Level, Hazard)>,
}

impl Pe {
    /// Asks the MPUs of `el`, with these in the place of its own where there are some.
    fn ask_of(&self, access: Access, el1: &Mpu, el2: &Mpu) -> Answer {
        if access.el == El::El2 {
            let verdict = el2.check(Regime::El2, access);
            let result = verdict.result.map(Allowed::El2).map_err(Denied::El2);
            return Answer { result, hazard: verdict.hazard.map(|hazard| (Level::El2, hazard)) };
        }
        let verdict = check_guest(Some(el1), el2, self.hcr_of_mpu(), access);
        let stage1 = matches!(&verdict.result, Err(denial) if denial.stage == Stage::One);
        let level = if stage1 { Level::El1 } else { Level::El2 };
        let result = verdict.result.map(Allowed::Guest).map_err(Denied::Guest);
        Answer { result, hazard: verdict.hazard.map(|hazard| (level, hazard)) }
    }

    pub(super) fn ask(&self, access: Access) -> Answer {
        self.ask_of(access, &self.el1, &self.el2)
    }

    /// Asks once more with all pending writes decided; how, `mode` says.
    pub(super) fn ask_decided(&self, access: Access, mode: HazardMode) -> Result<Allowed, Denied> {
        let decided = |mpu: &Mpu| match mode {
            HazardMode::InForce => mpu.without_pending(),
            HazardMode::Newest | HazardMode::Stop => mpu.with_all_in_force(),
        };
        self.ask_of(access, &decided(&self.el1), &decided(&self.el2)).result
    }

    /// The record of a hazard of an access.
    pub(super) fn hazard_record(&self, pc: u64, access: Access, (level, hazard): &(Level, Hazard)) -> HazardRecord {
        let [el1, el2] = &self.writes;
        let writes = if *level == Level::El1 { el1 } else { el2 };
        HazardRecord {
            pe: self.id,
            level: *level,
            pc,
            access: Some(access),
            write_pc: writes.pc(&hazard.write),
            write: hazard.write.reg,
            missing: hazard.write.missing,
            times: 1,
        }
    }

    /// Writes a register of an MPU; the hazard of doing so.
    pub(crate) fn write_mpu(&mut self, level: Level, reg: MpuReg, value: u64, pc: u64) -> Option<HazardRecord> {
        let [writes1, writes2] = &mut self.writes;
        let (mpu, writes) = match level {
            Level::El1 => (&mut self.el1, writes1),
            Level::El2 => (&mut self.el2, writes2),
        };
        let before = mpu.changes();
        let hazard = mpu.write(reg, value).is_err().then(|| HazardRecord {
            pe: self.id,
            level,
            pc,
            access: None,
            write_pc: writes.selection(),
            write: MpuReg::Prselr,
            missing: Missing::ContextSync,
            times: 1,
        });
        if mpu.changes() != before {
            // As the log of the MPU has it.
            let value = if reg == MpuReg::Prselr { value & 0xff } else { value };
            writes.push(reg, value, pc);
        }
        if mpu.changes() != before || reg == MpuReg::Mair {
            self.state_changed();
        }
        hazard
    }

    /// A DSB.
    pub(super) fn dsb(&mut self) {
        self.el1.dsb();
        self.el2.dsb();
    }

    /// A context synchronisation event.
    pub(super) fn context_sync(&mut self) {
        let mut changed = false;
        let [writes1, writes2] = &mut self.writes;
        for (mpu, writes) in [(&mut self.el1, writes1), (&mut self.el2, writes2)] {
            let pending = mpu.pending().next().is_some();
            mpu.context_sync();
            if pending {
                writes.keep_pending(mpu);
                changed = true;
            }
        }
        if changed {
            self.state_changed();
        }
    }
}
