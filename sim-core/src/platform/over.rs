//! A platform that stands over another: whoever watches the hypervisor, meddles with it, or lets others in between.

use super::{Event, Platform, Rmw, SysReg, Width};
use boards::PeId;

/// The fault of the platform below.
pub type FaultBelow<T> = <<T as Over>::Below as Platform>::Fault;

/// Stands over a platform and is one itself. What is not done otherwise goes straight through.
pub trait Over {
    /// The platform below.
    type Below: Platform;

    /// What stands below.
    fn below(&self) -> &Self::Below;

    /// What stands below.
    fn below_mut(&mut self) -> &mut Self::Below;

    /// See [`Platform::read`].
    fn read(&mut self, reg: SysReg) -> u64 {
        self.below_mut().read(reg)
    }

    /// See [`Platform::write`].
    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), FaultBelow<Self>> {
        self.below_mut().write(reg, value)
    }

    /// See [`Platform::isb`].
    fn isb(&mut self) -> Result<(), FaultBelow<Self>> {
        self.below_mut().isb()
    }

    /// See [`Platform::dsb`].
    fn dsb(&mut self) -> Result<(), FaultBelow<Self>> {
        self.below_mut().dsb()
    }

    /// See [`Platform::load`].
    fn load(&mut self, address: u64, width: Width) -> Result<u64, FaultBelow<Self>> {
        self.below_mut().load(address, width)
    }

    /// See [`Platform::store`].
    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), FaultBelow<Self>> {
        self.below_mut().store(address, width, value)
    }

    /// See [`Platform::rmw`].
    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, FaultBelow<Self>> {
        self.below_mut().rmw(address, op)
    }

    /// See [`Platform::kick`].
    fn kick(&mut self, pe: PeId) {
        self.below_mut().kick(pe);
    }

    /// See [`Platform::preemption_due`].
    fn preemption_due(&mut self) -> bool {
        self.below_mut().preemption_due()
    }

    /// See [`Platform::event`].
    fn event(&mut self, event: Event) {
        self.below_mut().event(event);
    }
}

impl<T: Over> Platform for T {
    type Fault = FaultBelow<T>;

    fn pe(&self) -> PeId {
        self.below().pe()
    }

    fn read(&mut self, reg: SysReg) -> u64 {
        Over::read(self, reg)
    }

    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), Self::Fault> {
        Over::write(self, reg, value)
    }

    fn isb(&mut self) -> Result<(), Self::Fault> {
        Over::isb(self)
    }

    fn dsb(&mut self) -> Result<(), Self::Fault> {
        Over::dsb(self)
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Self::Fault> {
        Over::load(self, address, width)
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Self::Fault> {
        Over::store(self, address, width, value)
    }

    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, Self::Fault> {
        Over::rmw(self, address, op)
    }

    fn kick(&mut self, pe: PeId) {
        Over::kick(self, pe);
    }

    fn now(&self) -> u64 {
        self.below().now()
    }

    fn preemption_due(&mut self) -> bool {
        Over::preemption_due(self)
    }

    fn event(&mut self, event: Event) {
        Over::event(self, event);
    }
}
