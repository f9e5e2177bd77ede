//! Data processing of SIMD&FP registers (Arm ARM, C7.2).

mod integer;
pub(in crate::a64) mod lane;
mod op;
mod rearrange;

pub(in crate::a64) use op::{
    Across, Bitwise, Immediate, Long, Narrow, Pairwise, Permute, Same, ShiftBy, SimdOp, Unary,
};

use crate::a64::Regs;
use integer::{long, right, same, saturate, shift_by, unary, value};
pub(in crate::a64) use lane::Lanes;
use lane::{lane, lanes_mask};
pub(in crate::a64) use rearrange::immediate;

/// FPSR.QC.
const QC: u32 = 1 << 27;

/// Executes an instruction; none of these can fail.
pub(in crate::a64) fn execute(operation: SimdOp, regs: &mut Regs) {
    let mut q = false;
    match operation {
        SimdOp::Same { same: what, unsigned, lanes, d, n, m } => {
            let (one, two) = (regs.vector(n), regs.vector(m));
            put(regs, lanes, d, |at, there| {
                same(
                    what,
                    unsigned,
                    lanes.bits(),
                    (lane(one, lanes.size, at), lane(two, lanes.size, at)),
                    there,
                    &mut q,
                )
            });
        }
        SimdOp::ByElement { same: what, lanes, at: element, d, n, m } => {
            let (one, two) = (regs.vector(n), lane(regs.vector(m), lanes.size, element));
            put(regs, lanes, d, |at, there| {
                same(what, false, lanes.bits(), (lane(one, lanes.size, at), two), there, &mut q)
            });
        }
        SimdOp::Unary { unary: what, unsigned, lanes, d, n } => {
            let one = regs.vector(n);
            put(regs, lanes, d, |at, there| {
                unary(what, unsigned, lanes.bits(), lane(one, lanes.size, at), there, &mut q)
            });
        }
        SimdOp::ShiftBy { shift_by: what, unsigned, amount, lanes, d, n } => {
            let one = regs.vector(n);
            let shape = (lanes.bits(), u32::from(amount));
            put(regs, lanes, d, |at, there| shift_by(what, unsigned, shape, lane(one, lanes.size, at), there, &mut q));
        }
        SimdOp::Long { long: what, unsigned, wide, upper, lanes, d, n, m } => {
            let (one, two) = (regs.vector(n), half(regs.vector(m), upper));
            let one = if wide { one } else { half(one, upper) };
            put(regs, lanes.widened(), d, |at, there| {
                let first = if wide {
                    value(lane(one, lanes.size + 1, at), lanes.bits() * 2, unsigned)
                } else {
                    value(lane(one, lanes.size, at), lanes.bits(), unsigned)
                };
                let second = value(lane(two, lanes.size, at), lanes.bits(), unsigned);
                long(what, unsigned, lanes.bits(), (first, second), there, &mut q)
            });
        }
        SimdOp::LongByElement { long: what, unsigned, upper, lanes, at: element, d, n, m } => {
            let one = half(regs.vector(n), upper);
            let second = value(lane(regs.vector(m), lanes.size, element), lanes.bits(), unsigned);
            put(regs, lanes.widened(), d, |at, there| {
                let first = value(lane(one, lanes.size, at), lanes.bits(), unsigned);
                long(what, unsigned, lanes.bits(), (first, second), there, &mut q)
            });
        }
        SimdOp::Narrow { narrow, upper, shift, rounding, lanes, d, n } => {
            let one = regs.vector(n);
            let result = lanes.filled(|at| {
                let wide = lane(one, lanes.size + 1, at);
                narrowed(narrow, wide, lanes.bits(), (shift, rounding), &mut q)
            });
            put_half(regs, d, upper, result);
        }
        _ => rearrange::execute(operation, regs),
    }
    if q {
        regs.fpsr |= QC;
    }
}

/// A half of a register.
const fn half(vector: u128, upper: bool) -> u128 {
    if upper { vector >> 64 } else { vector }
}

/// Lanes by their number, and by what is in the register that is written.
fn put(regs: &mut Regs, lanes: Lanes, d: u8, mut each: impl FnMut(u8, u64) -> i128) {
    let there = regs.vector(d);
    let result = lanes.filled(|at| each(at, lane(there, lanes.size, at)));
    regs.put_vector(d, result);
}

/// Writes the low half and clears the upper one, or writes the upper half.
fn put_half(regs: &mut Regs, d: u8, upper: bool, half: u128) {
    let low = half & lanes_mask(64);
    regs.put_vector(d, if upper { (regs.vector(d) & lanes_mask(64)) | (low << 64) } else { low });
}

/// A wide lane shifted to the right and narrowed to `bits`.
fn narrowed(narrow: Narrow, wide: u64, bits: u32, (shift, rounding): (u8, bool), q: &mut bool) -> i128 {
    let shifted = right(value(wide, bits * 2, narrow == Narrow::Unsigned), u32::from(shift), rounding);
    match narrow {
        Narrow::Truncate => shifted,
        Narrow::Signed => saturate(shifted, bits, false, q),
        Narrow::Unsigned | Narrow::SignedToUnsigned => saturate(shifted, bits, true, q),
    }
}
