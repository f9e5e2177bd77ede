//! The registers that instructions name.

use alloc::boxed::Box;

/// General registers, SP, PC, flags, and the SIMD registers. What else a PE has is in its system registers.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Where the SP is in [`Regs`].
const SP: usize = 31;

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
    pub const fn sp(&self) -> u64 {
        self.x[SP]
    }

    /// Writes the SP in use.
    pub const fn set_sp(&mut self, value: u64) {
        self.x[SP] = value;
    }
}
