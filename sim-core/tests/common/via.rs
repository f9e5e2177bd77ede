//! A platform with something between it and the hypervisor.

use sim_core::platform::layer::Layer;
use sim_core::platform::{Platform, SysReg};

/// What is done otherwise on the way to the platform.
pub(crate) trait Detour<P: Platform> {
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

pub(crate) struct Via<'a, P, D> {
    pub(crate) p: &'a mut P,
    pub(crate) detour: D,
}

impl<P: Platform, D: Detour<P>> Layer for Via<'_, P, D> {
    type Below = P;

    fn below(&self) -> &P {
        self.p
    }

    fn below_mut(&mut self) -> &mut P {
        self.p
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
}
