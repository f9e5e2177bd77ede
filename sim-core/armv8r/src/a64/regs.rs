//! The registers that instructions name.

use crate::a64::slot::{SP, Slot};
use alloc::boxed::Box;

/// General registers, SP, PC, flags, and the SIMD registers. What else a PE has is in its system registers.
#[derive(Clone, Debug)]
pub struct Regs {
    /// X0 to X30, then the SP in use; the last two stand for XZR, read as zero from one and written away into the other.
    x: [u64; 34],
    /// The address of the instruction.
    pub pc: u64,
    /// PSTATE.{N,Z,C,V}, in bits 31:28 as in NZCV and SPSR.
    pub nzcv: u32,
    /// V0 to V31, where the PE has them.
    pub v: Option<Box<[u128; 32]>>,
    /// FPCR.
    pub fpcr: u32,
    /// FPSR.
    pub fpsr: u32,
}

impl Regs {
    /// All zero, as no image may rely on.
    #[must_use]
    pub fn new(fp_simd: bool) -> Self {
        Self { x: [0; 34], pc: 0, nzcv: 0, v: fp_simd.then(|| Box::new([0; 32])), fpcr: 0, fpsr: 0 }
    }

    /// X0 to X30; 0 for a number from 31 on.
    #[must_use]
    pub fn x(&self, number: u8) -> u64 {
        self.x.get(usize::from(number)).copied().filter(|_| number < 31).unwrap_or(0)
    }

    /// Writes X0 to X30; nothing for a number from 31 on.
    pub fn set_x(&mut self, number: u8, value: u64) {
        if let Some(register) = self.x.get_mut(usize::from(number)).filter(|_| number < 31) {
            *register = value;
        }
    }

    /// The SP in use.
    #[must_use]
    pub fn sp(&self) -> u64 {
        self.get(SP)
    }

    /// Writes the SP in use.
    pub fn set_sp(&mut self, value: u64) {
        self.put(SP, value);
    }

    /// A register as an instruction names it.
    #[inline]
    pub(in crate::a64) fn get(&self, slot: Slot) -> u64 {
        self.x.get(usize::from(slot)).copied().unwrap_or(0)
    }

    /// Writes a register as an instruction names it.
    #[inline]
    pub(in crate::a64) fn put(&mut self, slot: Slot, value: u64) {
        if let Some(register) = self.x.get_mut(usize::from(slot)) {
            *register = value;
        }
    }

    /// Writes an X register, or a W register with zeroes above it.
    #[inline]
    pub(in crate::a64) fn put_wide(&mut self, wide: bool, slot: Slot, value: u64) {
        self.put(slot, if wide { value } else { value & u64::from(u32::MAX) });
    }

    /// A SIMD&FP register; 0 where the PE has none.
    #[inline]
    pub(in crate::a64) fn vector(&self, number: u8) -> u128 {
        self.v.as_ref().and_then(|v| v.get(usize::from(number))).copied().unwrap_or(0)
    }

    /// Writes a SIMD&FP register, all 128 bits.
    #[inline]
    pub(in crate::a64) fn put_vector(&mut self, number: u8, value: u128) {
        if let Some(register) = self.v.as_mut().and_then(|v| v.get_mut(usize::from(number))) {
            *register = value;
        }
    }
}

/// What was written to XZR makes no difference.
impl PartialEq for Regs {
    fn eq(&self, other: &Self) -> bool {
        self.x.iter().zip(&other.x).take(usize::from(SP) + 1).all(|(one, two)| one == two)
            && (self.pc, self.nzcv, self.fpcr, self.fpsr) == (other.pc, other.nzcv, other.fpcr, other.fpsr)
            && self.v == other.v
    }
}

impl Eq for Regs {}

#[cfg(test)]
mod tests {
    use super::Regs;
    use crate::a64::slot::{SINK, ZERO};

    #[test]
    fn xzr_reads_zero_and_forgets() {
        let mut regs = Regs::new(false);
        regs.put(SINK, 7);
        assert_eq!((regs.get(ZERO), regs.x(31)), (0, 0));
        assert_eq!(regs, Regs::new(false));
        regs.put_wide(false, 30, u64::MAX);
        assert_eq!(regs.x(30), 0xffff_ffff);
    }
}
