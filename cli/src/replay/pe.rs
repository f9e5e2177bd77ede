//! The PE that steps run on: the machine's, with preemption forced as the recording says.

use sim_core::machine::{Cpu, Faulted};
use sim_core::platform::{Event, Platform, Rmw, SysReg, Width};

/// A PE whose n-th preemption check from now says "stop here".
#[derive(Debug)]
pub(super) struct ForcedPe<'a> {
    pub(super) cpu: Cpu<'a>,
    /// How many checks are left to the one that does; 0: none ever does.
    pub(super) checks: &'a mut u64,
}

impl Platform for ForcedPe<'_> {
    type Fault = Faulted;

    fn pe(&self) -> usize {
        self.cpu.pe()
    }

    fn read(&mut self, reg: SysReg) -> u64 {
        self.cpu.read(reg)
    }

    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), Faulted> {
        self.cpu.write(reg, value)
    }

    fn isb(&mut self) -> Result<(), Faulted> {
        self.cpu.isb()
    }

    fn dsb(&mut self) -> Result<(), Faulted> {
        self.cpu.dsb()
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Faulted> {
        self.cpu.load(address, width)
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Faulted> {
        self.cpu.store(address, width, value)
    }

    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, Faulted> {
        self.cpu.rmw(address, op)
    }

    fn kick(&mut self, pe: usize) {
        self.cpu.kick(pe);
    }

    fn now(&self) -> u64 {
        self.cpu.now()
    }

    fn preemption_due(&mut self) -> bool {
        *self.checks = match *self.checks {
            0 => return false,
            checks => checks - 1,
        };
        *self.checks == 0
    }

    fn event(&mut self, event: Event) {
        self.cpu.event(event);
    }
}
