//! Hazards: accesses whose verdict hangs on writes of an MPU that are pending (DDI 0600 section C1.7.1), and which instructions made
//! those writes.

use alloc::vec::Vec;
use mpu_model::{Access, Level, Missing, Mpu, MpuReg, PendingWrite};

/// How a run goes on after an access whose verdict hangs on pending writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HazardMode {
    /// As if all of them were in force: as a core would most of the time.
    #[default]
    Newest,
    /// As if none of them had been made.
    InForce,
    /// Not at all.
    Stop,
}

/// A use of an MPU that hardware may answer either way, and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HazardRecord {
    /// The PE.
    pub pe: usize,
    /// Whose MPU it is.
    pub level: Level,
    /// The instruction that accesses memory, or writes a region through a selection that is not synchronised.
    pub pc: u64,
    /// The access; `None`: a write of a region.
    pub access: Option<Access>,
    /// The instruction that made the write on which it hangs.
    pub write_pc: u64,
    /// That write.
    pub write: MpuReg,
    /// The barrier that the write lacks.
    pub missing: Missing,
    /// How often this instruction met this write.
    pub times: u64,
}

/// Pending writes whose instructions are remembered. As many as an MPU can tell apart.
const MOST_WRITES: usize = 1024;
/// Different hazards that are told apart.
const MOST_HAZARDS: usize = 256;

/// Hazards of a run, by the order of their first time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hazards {
    seen: Vec<HazardRecord>,
    beyond: u64,
}

impl Hazards {
    /// Those that were told apart.
    #[must_use]
    pub fn seen(&self) -> &[HazardRecord] {
        &self.seen
    }

    /// How often more were met than could be told apart.
    #[must_use]
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    pub(crate) fn record(&mut self, record: HazardRecord) {
        let same = |one: &&mut HazardRecord| {
            (one.pe, one.level, one.pc, one.write_pc, one.write)
                == (record.pe, record.level, record.pc, record.write_pc, record.write)
        };
        if let Some(found) = self.seen.iter_mut().find(same) {
            found.times += 1;
        } else if self.seen.len() < MOST_HAZARDS {
            self.seen.push(record);
        } else {
            self.beyond += 1;
        }
    }
}

/// Which instructions made the pending writes of one MPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writes(Vec<(MpuReg, u64, u64)>);

impl Writes {
    pub(crate) fn push(&mut self, reg: MpuReg, value: u64, pc: u64) {
        if self.0.len() < MOST_WRITES {
            self.0.push((reg, value, pc));
        }
    }

    /// Forgets those that are in force.
    pub(crate) fn keep_pending(&mut self, mpu: &Mpu) {
        self.0.retain(|(reg, value, _)| mpu.pending().any(|write| (write.reg, write.value) == (*reg, *value)));
    }

    /// The instruction that made a write; 0 where it is not known.
    pub(crate) fn pc(&self, write: &PendingWrite) -> u64 {
        let made = self.0.iter().rev().find(|(reg, value, _)| (*reg, *value) == (write.reg, write.value));
        made.map_or(0, |(_, _, pc)| *pc)
    }

    /// The last selection.
    pub(crate) fn selection(&self) -> u64 {
        self.0.iter().rev().find(|(reg, ..)| *reg == MpuReg::Prselr).map_or(0, |(_, _, pc)| *pc)
    }
}
