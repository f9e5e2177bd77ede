//! Data processing of SIMD&FP registers (Arm ARM, C4.1.90 in issue I.a).

use crate::a64::insn::Op;

pub(super) fn decode(_word: u32) -> Op {
    Op::NotBuilt(&"SIMD and FP data processing")
}
