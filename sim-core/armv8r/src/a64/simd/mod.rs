//! Data processing of SIMD&FP registers.

pub(in crate::a64) mod lane;

use crate::a64::Regs;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum SimdOp {
    Todo,
}

pub(in crate::a64) fn execute(op: SimdOp, _regs: &mut Regs) {
    match op {
        SimdOp::Todo => {}
    }
}
