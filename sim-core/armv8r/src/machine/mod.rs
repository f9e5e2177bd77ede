//! A machine: PEs that take turns, what they share, and time.
//!
//! * `run`: the turns of PEs, and the step of one. `stop`: why a run stops.
//! * `psci`: firmware.

mod psci;
mod run;
mod stop;
#[cfg(test)]
mod tests;

pub use psci::Conduit;
pub use stop::StopReason;

use crate::a64::{Regs, SysEncoding};
use crate::bus::{Bus, Input, Source, mpidr};
use crate::features::{Features, Identity, MIDR_OF_THE_MODEL};
use crate::hazards::{HazardMode, Hazards};
use crate::memory::{Memory, PAGE};
use crate::pe::{Pe, Power, SmcAtEl1};
use crate::semihosting::{Environment, Semihosting};
use crate::sysreg::CNTFRQ_EL0;
use alloc::vec::Vec;
use boards::Board;
use mpu_model::{El, Pmsa};

/// What a machine is made of beside its board.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Optional features of the PEs.
    pub features: Features,
    /// What `MIDR_EL1` reads.
    pub midr: u64,
    /// The level at which PEs start: EL2, or EL1.
    pub start: El,
    /// Where they start.
    pub entry: u64,
    /// Instructions of a PE's turn, at least 1.
    pub quantum: u64,
    /// What happens at a hazard.
    pub hazards: HazardMode,
    /// What SMC does at EL1 with `HCR_EL2.TSC` set.
    pub smc_at_el1: SmcAtEl1,
    /// Firmware, if there is some: then all PEs but the first are off until it turns them on.
    pub psci: Option<Conduit>,
    /// What semihosting tells the image; `None`: there is none, and HLT is UNDEFINED.
    pub semihosting: Option<Environment>,
    /// Bytes of memory that the image may write.
    pub memory_limit: u64,
    /// IMPLEMENTATION DEFINED registers that read as a value and are written in vain. Others stop the run.
    pub implementation_defined: Vec<(SysEncoding, u64)>,
}

impl Config {
    /// A machine without floating point that starts at the board's image at EL2, with semihosting and without firmware.
    #[must_use]
    pub fn new(board: &Board) -> Self {
        Self {
            features: Features { fp_simd: false },
            midr: MIDR_OF_THE_MODEL,
            start: El::El2,
            entry: board.image_base,
            quantum: 1000,
            hazards: HazardMode::default(),
            smc_at_el1: SmcAtEl1::default(),
            psci: None,
            semihosting: Some(Environment::default()),
            memory_limit: 1 << 30,
            implementation_defined: Vec::new(),
        }
    }
}

/// Why there is no machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// The board's PEs are not `AArch64`.
    #[error("the board has the MPUs of PMSAv8-32; expected PMSAv8-64")]
    Width,
    /// Its number of PEs is none that an interrupt controller has.
    #[error("the board has {0} PEs; expected 1 to 256")]
    Pes(usize),
}

/// A PE and the registers that instructions name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) regs: Regs,
    pub(crate) pe: Pe,
}

/// A machine. Its state is a value: a copy shares pages of memory until one of them is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    cpus: Vec<Cpu>,
    bus: Bus,
    /// Whose turn it is, and how many instructions are left of it.
    turn: usize,
    left: u64,
    quantum: u64,
    fp_simd: bool,
    psci: Option<Conduit>,
    semihosting: Option<Semihosting>,
}

impl Machine {
    /// A machine out of reset, its memory empty.
    ///
    /// # Errors
    ///
    /// [`MachineError`] for a board that it cannot be.
    pub fn new(board: &Board, config: Config) -> Result<Self, MachineError> {
        if board.pmsa != Pmsa::V64 {
            return Err(MachineError::Width);
        }
        if !(1..=256).contains(&board.pes) {
            return Err(MachineError::Pes(board.pes));
        }
        let cpu = |id| {
            let identity = Identity {
                features: config.features,
                pa_bits: board.pa_bits,
                vmid_bits: board.vmid_bits,
                midr: config.midr,
                mpidr: mpidr(id) | if board.pes == 1 { 1 << 30 } else { 0 },
            };
            let regions = (board.el1_regions, board.el2_regions);
            let mut pe = Pe::new(id, identity, config.start, regions, board.rules, config.smc_at_el1);
            pe.system.set(CNTFRQ_EL0, board.timers.frequency.unwrap_or_default());
            if id > 0 && config.psci.is_some() {
                pe.power = Power::Off;
            }
            let mut regs = Regs::new(config.features.fp_simd);
            regs.pc = config.entry;
            Cpu { regs, pe }
        };
        let pages = usize::try_from(config.memory_limit / PAGE).unwrap_or(usize::MAX);
        let quantum = config.quantum.max(1);
        Ok(Self {
            cpus: (0..board.pes).map(cpu).collect(),
            bus: Bus::new(board, pages, config.hazards, config.implementation_defined),
            turn: 0,
            left: quantum,
            quantum,
            fp_simd: config.features.fp_simd,
            psci: config.psci,
            semihosting: config.semihosting.map(Semihosting::new),
        })
    }

    /// Puts bytes into memory; `false`: there is none, or not all of it, or no more may be written.
    #[must_use]
    pub fn load(&mut self, address: u64, bytes: &[u8]) -> bool {
        self.bus.forget_every_instruction();
        self.bus.memory.write(address, bytes)
    }

    /// Memory.
    #[must_use]
    pub const fn memory(&self) -> &Memory {
        &self.bus.memory
    }

    /// How many PEs there are.
    #[must_use]
    pub const fn pes(&self) -> usize {
        self.cpus.len()
    }

    /// The registers of a PE that instructions name.
    #[must_use]
    pub fn regs(&self, pe: usize) -> Option<&Regs> {
        self.cpus.get(pe).map(|cpu| &cpu.regs)
    }

    /// The same, to be changed.
    pub fn regs_mut(&mut self, pe: usize) -> Option<&mut Regs> {
        self.cpus.get_mut(pe).map(|cpu| &mut cpu.regs)
    }

    /// The rest of a PE.
    #[must_use]
    pub fn pe(&self, pe: usize) -> Option<&Pe> {
        self.cpus.get(pe).map(|cpu| &cpu.pe)
    }

    /// Time: instructions that all PEs executed, and what passed while all were asleep.
    #[must_use]
    pub const fn time(&self) -> u64 {
        self.bus.now()
    }

    /// Hazards so far.
    #[must_use]
    pub const fn hazards(&self) -> &Hazards {
        &self.bus.hazards
    }

    /// Encodings of system registers and instructions that were UNDEFINED because no feature has them.
    #[must_use]
    pub fn unknown_registers(&self) -> &[SysEncoding] {
        self.bus.unknown_registers()
    }

    /// Has a byte arrive at a UART.
    pub fn add_input(&mut self, input: Input) {
        self.bus.add_input(input);
    }

    /// What the image said since it was last taken.
    pub fn take_output(&mut self) -> Vec<(Source, u8)> {
        self.bus.output.take()
    }
}
