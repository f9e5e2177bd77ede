//! PSTATE, but for NZCV, and its form in `SPSR_ELx`: Arm ARM (DDI 0487) section D1.4 and `SPSR_EL2`.

use mpu_model::El;

/// Process state beside the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of PSTATE")]
pub struct Pstate {
    /// The exception level.
    pub el: El,
    /// `SPSel`: the stack pointer is that of the level, not `SP_EL0`.
    pub own_sp: bool,
    /// The masks D, A, I, F in bits 3 to 0.
    pub daif: u8,
    /// Illegal execution state.
    pub il: bool,
    /// Privileged access never.
    pub pan: bool,
    /// User access override.
    pub uao: bool,
    /// Data independent timing.
    pub dit: bool,
    /// Speculative store bypass safe.
    pub ssbs: bool,
}

/// PSTATE.I in [`Pstate::daif`].
pub(crate) const MASK_I: u8 = 0b0010;
/// PSTATE.F.
pub(crate) const MASK_F: u8 = 0b0001;
/// PSTATE.A.
pub(crate) const MASK_A: u8 = 0b0100;

/// Bits of an SPSR.
pub(crate) const SPSR_DIT: u64 = 1 << 24;
pub(crate) const SPSR_UAO: u64 = 1 << 23;
pub(crate) const SPSR_PAN: u64 = 1 << 22;
pub(crate) const SPSR_IL: u64 = 1 << 20;
pub(crate) const SPSR_SSBS: u64 = 1 << 12;

/// A level as a number.
#[must_use]
pub(crate) const fn number(el: El) -> u8 {
    match el {
        El::El0 => 0,
        El::El1 => 1,
        El::El2 => 2,
    }
}

impl Pstate {
    /// Out of reset at `el`: everything is masked.
    #[must_use]
    pub const fn reset(el: El) -> Self {
        Self { el, own_sp: true, daif: 0xf, il: false, pan: false, uao: false, dit: false, ssbs: false }
    }

    /// Which stack pointer is in use: 0 to 2, of `SP_EL0` to `SP_EL2`.
    pub(crate) const fn bank(self) -> usize {
        match self.el {
            El::El1 if self.own_sp => 1,
            El::El2 if self.own_sp => 2,
            _ => 0,
        }
    }

    /// As an SPSR has it, with the flags of `nzcv`.
    #[must_use]
    pub fn spsr(self, nzcv: u32) -> u64 {
        let bit = |on: bool, bit: u64| if on { bit } else { 0 };
        let mode = u64::from(number(self.el)) << 2 | u64::from(self.own_sp && self.el != El::El0);
        u64::from(nzcv & 0xf000_0000)
            | bit(self.dit, SPSR_DIT)
            | bit(self.uao, SPSR_UAO)
            | bit(self.pan, SPSR_PAN)
            | bit(self.il, SPSR_IL)
            | bit(self.ssbs, SPSR_SSBS)
            | u64::from(self.daif & 0xf) << 6
            | mode
    }

    /// The level and the stack pointer that an SPSR goes to; `None`: no state of `AArch64` without EL3.
    pub(crate) const fn target(spsr: u64) -> Option<(El, bool)> {
        match spsr & 0x1f {
            0b0_0000 => Some((El::El0, false)),
            0b0_0100 => Some((El::El1, false)),
            0b0_0101 => Some((El::El1, true)),
            0b0_1000 => Some((El::El2, false)),
            0b0_1001 => Some((El::El2, true)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_spsr_goes_back_to_where_it_came_from() {
        for el in [El::El0, El::El1, El::El2] {
            for own_sp in [false, true] {
                let state = Pstate { own_sp, daif: 0b1010, pan: true, ..Pstate::reset(el) };
                let spsr = state.spsr(0xa000_0000);
                assert_eq!(Pstate::target(spsr), Some((el, own_sp && el != El::El0)));
                assert_eq!(spsr & !0x1f, 0xa000_0000 | SPSR_PAN | 0b1010 << 6);
            }
        }
        assert_eq!([0x10, 0x0d, 0x01, 0x0c, 0x06].map(Pstate::target), [None; 5], "AArch32, EL3, reserved");
    }
}
