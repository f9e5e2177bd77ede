//! What the groups share.

use crate::a64::insn::Op;
use crate::a64::simd::{Lanes, SimdOp};

/// An instruction, or none where the word is unallocated.
pub(super) fn built(operation: Option<SimdOp>) -> Op {
    operation.map_or(Op::Unallocated, Op::Simd)
}

/// All lanes of a register, by Q and the size of a lane. None: one lane of 64 bits, which vectors do not have.
pub(super) fn lanes(quad: bool, size: u8) -> Option<Lanes> {
    (quad || size != 3).then_some(Lanes { size, count: (if quad { 16 } else { 8 }) >> size })
}
