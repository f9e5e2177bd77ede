//! The one PE that runs, as the hypervisor sees it: an image's registers, and what no image has differently.

use super::{Board, physical};
use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;
use sim_core::layout::PeId;
use sim_core::platform::{Event, Platform, Rmw, SysReg, Width};

/// It holds nothing: the registers are the state. There is no other PE to kick, and no time.
pub(super) struct Pe<B>(PhantomData<B>);

impl<B> Pe<B> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<B> fmt::Debug for Pe<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pe")
    }
}

/// An ISB.
pub fn isb() {
    // SAFETY: a barrier changes nothing; not `nomem`, so that no access moves across it.
    unsafe { core::arch::asm!("isb", options(nostack)) };
}

impl<B: Board> Platform for Pe<B> {
    type Fault = Infallible;

    fn pe(&self) -> PeId {
        PeId::PRIMARY
    }

    fn read(&mut self, reg: SysReg) -> u64 {
        B::read(reg)
    }

    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), Infallible> {
        B::write(reg, value);
        Ok(())
    }

    fn isb(&mut self) -> Result<(), Infallible> {
        isb();
        Ok(())
    }

    fn dsb(&mut self) -> Result<(), Infallible> {
        // SAFETY: as for the ISB.
        unsafe { core::arch::asm!("dsb sy", options(nostack)) };
        Ok(())
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Infallible> {
        Ok(physical::load(address, width))
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Infallible> {
        physical::store(address, width, value);
        Ok(())
    }

    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, Infallible> {
        Ok(physical::rmw(address, op))
    }

    fn kick(&mut self, _: PeId) {}

    fn now(&self) -> u64 {
        0
    }

    fn preemption_due(&mut self) -> bool {
        false
    }

    fn event(&mut self, _: Event) {}
}
