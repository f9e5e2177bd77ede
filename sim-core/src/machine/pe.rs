//! One PE: its MPUs, its registers, its clock.

use super::clock::Costs;
use crate::convention::{El1Syndrome, Frame};
use crate::layout::Board;
use crate::outcome::Counts;
use crate::platform::{Vmid, intid, list_register};
use alloc::boxed::Box;
use mpu_model::{Level, Mpu, Pmsa, Probe, Rules, Vtcr};

/// What a PE is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Nothing yet.
    Reset,
    /// A guest, by its place among the machine's guests.
    Guest(usize),
    /// It waits for an interrupt at EL2.
    Idle,
}

/// One PE.
#[derive(Debug)]
pub struct Pe {
    /// Its time, in cycles.
    pub clock: u64,
    /// When the exception that EL2 was last entered by was taken: from then to the ERET interrupts are masked.
    masked_since: u64,
    /// What it did.
    pub counts: Counts,
    /// The EL2 MPU.
    pub el2: Box<Mpu>,
    /// The EL1 MPU.
    pub el1: Box<Mpu>,
    /// What runs.
    pub running: Running,
    /// The guest's registers: live while it runs, the exception frame while EL2 does.
    pub frame: Frame,
    pub(super) hcr: u64,
    pub(super) vsctlr: u64,
    pub(super) vtcr: Vtcr,
    /// Bits of a VMID.
    vmid_bits: u8,
    pub(super) vmpidr: u64,
    pub(super) esr_el2: u64,
    pub(super) far_el2: u64,
    pub(super) esr_el1: u64,
    pub(super) far_el1: u64,
    pub(super) ifsr: u64,
    pub(super) elr_el1: u64,
    pub(super) spsr_el1: u64,
    pub(super) vbar_el1: u64,
    pub(super) list_register: u64,
    /// When the earliest pending kick was sent.
    pub(super) kicked: Option<u64>,
    pub(super) timer_at: u64,
    pub(super) timer_on: bool,
}

impl Pe {
    /// A PE out of reset.
    #[must_use]
    pub fn new(board: &Board, rules: Rules) -> Self {
        let mpu = |level, regions| {
            Box::new(match board.pmsa {
                Pmsa::V64 => Mpu::new(level, regions, rules),
                Pmsa::V32 => Mpu::new_32(level, regions, rules),
            })
        };
        Self::with(mpu(Level::El2, board.el2_regions), mpu(Level::El1, board.el1_regions), board.vmid_bits)
    }

    /// The same, with the MPUs of this one, which are large.
    pub(super) fn again(self, board: &Board, rules: Rules) -> Self {
        let Self { mut el2, mut el1, .. } = self;
        el2.reset(board.pmsa, board.el2_regions, rules);
        el1.reset(board.pmsa, board.el1_regions, rules);
        Self::with(el2, el1, board.vmid_bits)
    }

    fn with(el2: Box<Mpu>, el1: Box<Mpu>, vmid_bits: u8) -> Self {
        Self {
            clock: 0,
            masked_since: 0,
            counts: Counts::default(),
            el2,
            el1,
            running: Running::Reset,
            frame: Frame::default(),
            hcr: 0,
            vsctlr: 0,
            vtcr: Vtcr::ZERO,
            vmid_bits,
            vmpidr: 0,
            esr_el2: 0,
            far_el2: 0,
            esr_el1: 0,
            far_el1: 0,
            ifsr: 0,
            elr_el1: 0,
            spsr_el1: 0,
            vbar_el1: 0,
            list_register: 0,
            kicked: None,
            timer_at: 0,
            timer_on: false,
        }
    }

    /// Watches that EL2 keeps what it needs to run: fetch of its text, read of its rodata, atomic access to its stack.
    pub fn watch(&mut self, probes: [Probe; 3]) {
        for probe in probes {
            // A fresh MPU has room for these.
            self.el2.add_probe(probe);
        }
    }

    /// Counts one operation and lets its time pass.
    pub(super) fn charge(&mut self, counter: impl FnOnce(&mut Counts) -> &mut u64, cycles: u64) {
        *counter(&mut self.counts) += 1;
        self.clock = self.clock.saturating_add(cycles);
    }

    /// Which registers it has.
    #[must_use]
    pub const fn pmsa(&self) -> Pmsa {
        self.el2.pmsa()
    }

    /// A write to `VTCR_EL2`: VS is RES0 in a PE with VMIDs of 8 bits, and so is all that MSA and NSA would say.
    pub(super) fn write_vtcr(&mut self, value: u64) {
        let vs = self.pmsa() == Pmsa::V64 && self.vmid_bits > 8 && Vtcr::new_with_raw_value(value).vs();
        self.vtcr = Vtcr::ZERO.with_vs(vs);
    }

    /// The virtual machine that runs or is to run: what `VSCTLR_EL2` holds of the VMID written.
    #[must_use]
    pub fn vmid(&self) -> Vmid {
        Vmid::from_register(self.pmsa(), self.vsctlr, self.vtcr)
    }

    /// `HCR_EL2`.
    #[must_use]
    pub const fn hcr(&self) -> u64 {
        self.hcr
    }

    /// What EL1's syndrome registers hold.
    pub(super) const fn el1_syndrome(&self) -> El1Syndrome {
        El1Syndrome { esr: self.esr_el1, ifsr: self.ifsr, far: self.far_el1 }
    }

    /// Cycles since EL2 was last entered: the exception itself is the first thing that an interrupt would wait for.
    #[must_use]
    pub const fn masked(&self) -> u64 {
        self.clock.saturating_sub(self.masked_since)
    }

    /// `ESR_EL2`.
    #[must_use]
    pub const fn esr(&self) -> u64 {
        self.esr_el2
    }

    /// `FAR_EL2`.
    #[must_use]
    pub const fn far(&self) -> u64 {
        self.far_el2
    }

    /// When the earliest kick was sent that the PE has not acknowledged.
    #[must_use]
    pub const fn kicked(&self) -> Option<u64> {
        self.kicked
    }

    /// The physical interrupt that the PE would acknowledge now.
    #[must_use]
    pub fn physical_interrupt(&self) -> Option<u64> {
        if self.kicked.is_some_and(|at| at <= self.clock) {
            Some(intid::KICK)
        } else if self.timer_on && self.timer_at <= self.clock {
            Some(intid::HYP_TIMER)
        } else {
            None
        }
    }

    /// Whether another PE's request to look at its vCPUs is on its way.
    #[must_use]
    pub const fn is_kicked(&self) -> bool {
        self.kicked.is_some()
    }

    /// When the next physical interrupt comes that is on its way by now.
    #[must_use]
    pub fn next_interrupt(&self) -> Option<u64> {
        self.kicked.into_iter().chain(self.timer_on.then_some(self.timer_at)).min()
    }

    /// When the PE does something next: a guest that runs at once, a PE that sleeps with the interrupt that ends it.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        match self.running {
            Running::Guest(_) => Some(self.clock),
            Running::Idle => self.next_interrupt().map(|at| at.max(self.clock)),
            Running::Reset => None,
        }
    }

    /// Whether the guest has a virtual interrupt to take.
    #[must_use]
    pub fn virtual_interrupt(&self) -> bool {
        self.list_register & list_register::PENDING != 0 && self.list_register & list_register::ACTIVE == 0
    }

    /// A context synchronisation event of both MPUs.
    pub(crate) fn context_sync(&mut self) {
        self.el2.context_sync();
        self.el1.context_sync();
    }

    /// Exception entry to EL2.
    pub(super) fn take_exception(&mut self, costs: &Costs) {
        self.masked_since = self.clock;
        self.charge(|counts| &mut counts.exceptions, costs.exception);
        self.context_sync();
    }
}
