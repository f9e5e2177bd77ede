//! A platform with something between it and the hypervisor.

use sim_core::platform::{Event, Platform, Rmw, SysReg, Width};

/// What is done otherwise on the way to the platform; all the rest goes straight through.
pub trait Detour<P: Platform> {
    fn write(&mut self, p: &mut P, reg: SysReg, value: u64) -> Result<(), P::Fault> {
        p.write(reg, value)
    }

    fn isb(&mut self, p: &mut P) -> Result<(), P::Fault> {
        p.isb()
    }

    fn dsb(&mut self, p: &mut P) -> Result<(), P::Fault> {
        p.dsb()
    }
}

pub struct Via<'a, P, D> {
    pub p: &'a mut P,
    pub detour: D,
}

impl<P: Platform, D: Detour<P>> Platform for Via<'_, P, D> {
    type Fault = P::Fault;

    fn pe(&self) -> usize {
        self.p.pe()
    }

    fn read(&mut self, reg: SysReg) -> u64 {
        self.p.read(reg)
    }

    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), P::Fault> {
        self.detour.write(self.p, reg, value)
    }

    fn isb(&mut self) -> Result<(), P::Fault> {
        self.detour.isb(self.p)
    }

    fn dsb(&mut self) -> Result<(), P::Fault> {
        self.detour.dsb(self.p)
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, P::Fault> {
        self.p.load(address, width)
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), P::Fault> {
        self.p.store(address, width, value)
    }

    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, P::Fault> {
        self.p.rmw(address, op)
    }

    fn kick(&mut self, pe: usize) {
        self.p.kick(pe);
    }

    fn now(&self) -> u64 {
        self.p.now()
    }

    fn preemption_due(&mut self) -> bool {
        self.p.preemption_due()
    }

    fn event(&mut self, event: Event) {
        self.p.event(event);
    }
}
