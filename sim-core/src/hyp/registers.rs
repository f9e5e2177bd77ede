//! A PE's two MPUs as the slot driver of `mpu-model` sees them.

use crate::platform::{Platform, SysReg};
use mpu_model::{MpuReg, Registers};

/// The EL1 MPU's registers.
#[derive(Debug)]
pub(super) struct El1<'a, P>(pub(super) &'a mut P);

/// The EL2 MPU's registers.
#[derive(Debug)]
pub(super) struct El2<'a, P>(pub(super) &'a mut P);

macro_rules! registers {
    ($of:ident) => {
        impl<P: Platform> Registers for $of<'_, P> {
            type Fault = P::Fault;

            fn read(&mut self, reg: MpuReg) -> u64 {
                self.0.read(SysReg::$of(reg))
            }

            fn write(&mut self, reg: MpuReg, value: u64) -> Result<(), P::Fault> {
                self.0.write(SysReg::$of(reg), value)
            }

            fn isb(&mut self) -> Result<(), P::Fault> {
                self.0.isb()
            }

            fn dsb(&mut self) -> Result<(), P::Fault> {
                self.0.dsb()
            }
        }
    };
}

registers!(El1);
registers!(El2);
