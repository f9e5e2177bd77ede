//! A PE: what it holds beside the registers that instructions name.
//!
//! * `pstate`: PSTATE.
//! * `core`: a PE at work: together with the bus and an observer it is what instructions run against.
//! * `exceptions`: entry and return. `routing`: which level takes what, and interrupts.
//! * `memory`: accesses through the MPUs. `abort`: what becomes of those that are denied. `judge`: what the MPUs say, hazards.
//! * `registers`, `traps`: system registers, and what traps them. `maintenance`: system instructions.
//! * `env`: all of it as instructions see it.

mod abort;
mod core;
mod env;
mod exceptions;
mod judge;
mod lookaside;
mod maintenance;
mod memory;
mod pstate;
mod registers;
mod routing;
mod traps;

pub(crate) use self::core::{Core, Stop};
pub(crate) use memory::Here;
pub use pstate::Pstate;
pub(crate) use pstate::number;

use crate::a64::Regs;
use crate::cached::Cached;
use crate::features::Identity;
use crate::hazards::Writes;
use crate::sysreg::{HCR_EL2, Place, Store, VSCTLR_EL2, VTCR_EL2};
use alloc::boxed::Box;
use lookaside::Lookaside;
use mpu_model::{El, Hcr, Level, Mpu, Pmsa, Rules, Vtcr};

/// `SCTLR_ELx` bits.
pub(crate) mod sctlr {
    pub(crate) const A: u64 = 1 << 1;
    pub(crate) const SA: u64 = 1 << 3;
    pub(crate) const SA0: u64 = 1 << 4;
    pub(crate) const N_AA: u64 = 1 << 6;
    pub(crate) const UMA: u64 = 1 << 9;
    pub(crate) const EN_DB: u64 = 1 << 13;
    pub(crate) const DZE: u64 = 1 << 14;
    pub(crate) const UCT: u64 = 1 << 15;
    pub(crate) const N_TWI: u64 = 1 << 16;
    pub(crate) const N_TWE: u64 = 1 << 18;
    pub(crate) const SPAN: u64 = 1 << 23;
    pub(crate) const UCI: u64 = 1 << 26;
    pub(crate) const EN_DA: u64 = 1 << 27;
    pub(crate) const EN_IB: u64 = 1 << 30;
    pub(crate) const EN_IA: u64 = 1 << 31;
    pub(crate) const DSSBS: u64 = 1 << 44;
    /// What reads as one at EL1, as Linux has it, and at EL2.
    pub(crate) const RES1: [u64; 2] = [0x3050_0800, 0x30c5_0830];
    /// What can be written: M, A, C, SA, SA0, nAA, ITD, SED, UMA, I, `EnDB`, DZE, UCT, nTWI, BR, nTWE, WXN, SPAN, UCI, `EnDA`,
    /// `EnIB`, `EnIA`, DSSBS; at EL2 those without the controls of EL0.
    pub(crate) const BITS: [u64; 2] = [
        0x1000_cc8f_f3df,
        A | 1 | 1 << 2 | SA | N_AA | 1 << 12 | EN_DB | 1 << 17 | 1 << 19 | EN_DA | EN_IB | EN_IA | DSSBS,
    ];
}

/// `HCR_EL2` bits.
pub(crate) mod hcr {
    pub(crate) const FMO: u64 = 1 << 3;
    pub(crate) const IMO: u64 = 1 << 4;
    pub(crate) const AMO: u64 = 1 << 5;
    pub(crate) const VF: u64 = 1 << 6;
    pub(crate) const VI: u64 = 1 << 7;
    pub(crate) const VSE: u64 = 1 << 8;
    pub(crate) const DC: u64 = 1 << 12;
    pub(crate) const TWI: u64 = 1 << 13;
    pub(crate) const TWE: u64 = 1 << 14;
    pub(crate) const TID1: u64 = 1 << 16;
    pub(crate) const TID2: u64 = 1 << 17;
    pub(crate) const TID3: u64 = 1 << 18;
    pub(crate) const TSC: u64 = 1 << 19;
    pub(crate) const TIDCP: u64 = 1 << 20;
    pub(crate) const TACR: u64 = 1 << 21;
    pub(crate) const TSW: u64 = 1 << 22;
    pub(crate) const TPCP: u64 = 1 << 23;
    pub(crate) const TPU: u64 = 1 << 24;
    pub(crate) const TTLB: u64 = 1 << 25;
    pub(crate) const TVM: u64 = 1 << 26;
    pub(crate) const TGE: u64 = 1 << 27;
    pub(crate) const TDZ: u64 = 1 << 28;
    pub(crate) const HCD: u64 = 1 << 29;
    pub(crate) const TRVM: u64 = 1 << 30;
    pub(crate) const TERR: u64 = 1 << 36;
    pub(crate) const TEA: u64 = 1 << 37;
    pub(crate) const APK: u64 = 1 << 40;
    pub(crate) const API: u64 = 1 << 41;
}

/// What SMC does at EL1 while `HCR_EL2.TSC` is set. The PE has no EL3, so that SMC is UNDEFINED else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmcAtEl1 {
    /// It traps to EL2. Bao depends on that; for the R profile it is unproven.
    #[default]
    Trap,
    /// It is UNDEFINED, as in the A profile without EL3 and nested virtualisation.
    Undefined,
}

/// Whether a PE executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It executes.
    Running,
    /// In WFI until an interrupt is pending.
    WaitsForInterrupt,
    /// In WFE until an event or an interrupt.
    WaitsForEvent,
    /// Off until firmware turns it on.
    Off,
}

/// A PE's state, without the registers that instructions name.
#[derive(Clone, Debug, PartialEq)]
pub struct Pe {
    /// Its number.
    pub(crate) id: usize,
    pub(crate) identity: Identity,
    pub(crate) smc_at_el1: SmcAtEl1,
    /// PSTATE, but for NZCV.
    pub(crate) pstate: Pstate,
    /// `SP_EL0` to `SP_EL2`; that in use is in [`Regs`].
    sp: [u64; 3],
    pub(crate) system: Store,
    /// `SCTLR_EL1` and `SCTLR_EL2`.
    sctlr: [u64; 2],
    pub(crate) el1: Box<Mpu>,
    pub(crate) el2: Box<Mpu>,
    /// Which instructions made the writes that are pending.
    writes: [Writes; 2],
    pub(crate) power: Power,
    /// Instructions it executed.
    pub(crate) executed: u64,
    lookaside: Cached<Lookaside>,
}

impl Pe {
    /// A PE out of reset at `el`.
    pub(crate) fn new(
        id: usize,
        identity: Identity,
        el: El,
        regions: (u8, u8),
        rules: Rules,
        smc_at_el1: SmcAtEl1,
    ) -> Self {
        let mut pe = Self {
            id,
            identity,
            smc_at_el1,
            pstate: Pstate::reset(el),
            sp: [0; 3],
            system: Store::new(),
            sctlr: sctlr::RES1,
            el1: Box::new(Mpu::new(Level::El1, regions.0, rules)),
            el2: Box::new(Mpu::new(Level::El2, regions.1, rules)),
            writes: [Writes::default(), Writes::default()],
            power: Power::Running,
            executed: 0,
            lookaside: Cached(Lookaside::new()),
        };
        pe.state_changed();
        pe
    }

    /// PSTATE, but for NZCV.
    #[must_use]
    pub const fn pstate(&self) -> Pstate {
        self.pstate
    }

    /// Whether it executes.
    #[must_use]
    pub const fn power(&self) -> Power {
        self.power
    }

    /// Instructions that it executed.
    #[must_use]
    pub const fn executed(&self) -> u64 {
        self.executed
    }

    /// One of its MPUs.
    #[must_use]
    pub fn mpu(&self, level: Level) -> &Mpu {
        match level {
            Level::El1 => &self.el1,
            Level::El2 => &self.el2,
        }
    }

    /// The virtual machine that `VSCTLR_EL2` names.
    #[must_use]
    pub fn vmid(&self) -> u16 {
        Pmsa::V64.vmid(self.system.get(VSCTLR_EL2), Vtcr::new_with_raw_value(self.system.get(VTCR_EL2)))
    }

    /// `HCR_EL2`.
    #[inline]
    pub(crate) fn hcr(&self) -> u64 {
        self.system.get(HCR_EL2)
    }

    /// Whether these bits of `HCR_EL2` are set, all of them.
    #[inline]
    pub(crate) fn hcr_has(&self, bits: u64) -> bool {
        self.hcr() & bits == bits
    }

    fn hcr_of_mpu(&self) -> Hcr {
        Hcr::new_with_raw_value(self.hcr())
    }

    /// `SCTLR` of the level that controls `el`: EL1's for EL0.
    #[inline]
    pub(crate) const fn sctlr(&self, el: El) -> u64 {
        let [el1, el2] = self.sctlr;
        if matches!(el, El::El2) { el2 } else { el1 }
    }

    /// Reads a register that is storage, by place.
    #[inline]
    pub(crate) fn get(&self, place: Place) -> u64 {
        self.system.get(place)
    }

    /// Changes PSTATE, and with it the stack pointer in use.
    pub(crate) fn set_pstate(&mut self, regs: &mut Regs, pstate: Pstate) {
        let (from, to) = (self.pstate.bank(), pstate.bank());
        if from != to {
            self.set_bank(from, regs.sp());
            regs.set_sp(self.bank(to));
        }
        self.pstate = pstate;
        self.lookaside.0.asker(pstate.el, pstate.pan);
    }

    fn bank(&self, number: usize) -> u64 {
        self.sp.get(number).copied().unwrap_or_default()
    }

    fn set_bank(&mut self, number: usize, value: u64) {
        if let Some(sp) = self.sp.get_mut(number) {
            *sp = value;
        }
    }

    /// Something that accesses are judged by has changed: what was remembered of them holds no longer.
    pub(crate) fn state_changed(&mut self) {
        self.lookaside.0.forget();
        self.lookaside.0.asker(self.pstate.el, self.pstate.pan);
    }
}
