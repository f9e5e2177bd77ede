//! Firmware, as an option: PSCI 1.1 (Arm DEN 0022) and the version call of SMCCC (DEN 0028), of which images ask. An Armv8-R system has
//! no EL3 to hold it; a conduit that the architecture does not have is a convenience of the machine.

use super::Machine;
use super::stop::StopReason;
use crate::a64::Regs;
use crate::pe::{Power, Pstate};
use mpu_model::El;

/// How an image calls firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// SMC, at EL1 and EL2. Without EL3 the architecture has it UNDEFINED.
    Smc,
    /// HVC, at EL1: for images that start there.
    Hvc,
}

/// What a call gives back.
const SUCCESS: u64 = 0;
const NOT_SUPPORTED: u64 = u64::MAX;
const INVALID_PARAMETERS: u64 = (-2_i64).cast_unsigned();
const ALREADY_ON: u64 = (-4_i64).cast_unsigned();
/// No trusted system that has to be migrated.
const NO_MIGRATION: u64 = 2;

/// What became of a call.
pub(super) enum Called {
    Returns(u64),
    Ends(StopReason),
}

impl Machine {
    /// Carries out a call of PE `caller`.
    pub(super) fn firmware(&mut self, caller: usize) -> Called {
        let Some(cpu) = self.cpus.get(caller) else { return Called::Returns(NOT_SUPPORTED) };
        let [function, first, second, third] = [0, 1, 2, 3].map(|number| cpu.regs.x(number));
        let level = cpu.pe.pstate.el;
        // Calls with 64-bit arguments have bit 30 set.
        Called::Returns(match function as u32 {
            0x8400_0000 | 0x8000_0000 => 0x1_0001,
            0x8400_0002 => {
                if let Some(cpu) = self.cpus.get_mut(caller) {
                    cpu.pe.power = Power::Off;
                }
                SUCCESS
            }
            0x8400_0003 | 0xc400_0003 => self.turn_on(first, second, third, level),
            0x8400_0004 | 0xc400_0004 => match self.by_affinity(first) {
                Some(pe) => u64::from(self.cpus.get(pe).is_some_and(|cpu| cpu.pe.power == Power::Off)),
                None => INVALID_PARAMETERS,
            },
            0x8400_0006 => NO_MIGRATION,
            0x8400_0008 => return Called::Ends(StopReason::PowerOff),
            0x8400_0009 => return Called::Ends(StopReason::Reset),
            0x8400_000a => {
                let known = matches!(
                    first as u32,
                    0x8400_0000 | 0x8000_0000 | 0x8400_0002..=0x8400_0004 | 0xc400_0003 | 0xc400_0004 | 0x8400_0006 | 0x8400_0008..=0x8400_000a
                );
                if known { SUCCESS } else { NOT_SUPPORTED }
            }
            _ => NOT_SUPPORTED,
        })
    }

    fn by_affinity(&self, affinity: u64) -> Option<usize> {
        const AFFINITY: u64 = 0xff_00ff_ffff;
        self.cpus.iter().position(|cpu| cpu.pe.identity.mpidr & AFFINITY == affinity & AFFINITY)
    }

    /// `CPU_ON`: a PE starts at the caller's level.
    fn turn_on(&mut self, affinity: u64, entry: u64, context: u64, level: El) -> u64 {
        let fp_simd = self.fp_simd;
        let Some(cpu) = self.by_affinity(affinity).and_then(|pe| self.cpus.get_mut(pe)) else {
            return INVALID_PARAMETERS;
        };
        if cpu.pe.power != Power::Off {
            return ALREADY_ON;
        }
        cpu.regs = Regs::new(fp_simd);
        cpu.pe.set_pstate(&mut cpu.regs, Pstate::reset(level));
        cpu.regs.pc = entry;
        cpu.regs.set_x(0, context);
        cpu.pe.power = Power::Running;
        SUCCESS
    }
}
