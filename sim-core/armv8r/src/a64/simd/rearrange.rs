//! What moves and combines lanes without saturation (Arm ARM, C7.2).

use crate::a64::Regs;
use crate::a64::arithmetic::holds;
use crate::a64::bits::{ones, sign_extend};
use crate::a64::simd::integer::value;
use crate::a64::simd::lane::{Lanes, broadcast, lane, lanes_mask, with_lane};
use crate::a64::simd::op::{Across, Bitwise, Immediate, Pairwise, Permute, SimdOp};

pub(super) fn execute(operation: SimdOp, regs: &mut Regs) {
    let (d, result) = match operation {
        SimdOp::Pairwise { pairwise, unsigned, lanes, d, n, m } => {
            let (one, two) = (regs.vector(n), regs.vector(m));
            let of = |at| value(paired(one, two, lanes, at), lanes.bits(), unsigned);
            let result = lanes.filled(|at| match pairwise {
                Pairwise::Maximum => of(2 * at).max(of(2 * at + 1)),
                Pairwise::Minimum => of(2 * at).min(of(2 * at + 1)),
                Pairwise::Add => of(2 * at) + of(2 * at + 1),
            });
            (d, result)
        }
        SimdOp::PairwiseScalar { d, n } => {
            let one = regs.vector(n);
            (d, u128::from(lane(one, 3, 0).wrapping_add(lane(one, 3, 1))))
        }
        SimdOp::Bitwise { bitwise, quad, d, n, m } => {
            let (there, one, two) = (regs.vector(d), regs.vector(n), regs.vector(m));
            (d, combined(bitwise, there, one, two) & whole(quad))
        }
        SimdOp::HighNarrow { sub, rounding, upper, size, d, n, m } => {
            let (one, two) = (regs.vector(n), regs.vector(m));
            let lanes = Lanes { size, count: 8 >> size };
            let count = lanes.bits();
            let result = lanes.filled(|at| {
                let (one, two) = (lane(one, size + 1, at), lane(two, size + 1, at));
                let sum = if sub { one.wrapping_sub(two) } else { one.wrapping_add(two) };
                let sum = if rounding { sum.wrapping_add(1 << (count - 1)) } else { sum };
                i128::from((sum >> count) & ones(count))
            });
            (d, if upper { (regs.vector(d) & lanes_mask(64)) | (result << 64) } else { result })
        }
        SimdOp::Reverse { container, lanes, d, n } => {
            let one = regs.vector(n);
            let last = (1 << (container - lanes.size)) - 1;
            (d, lanes.filled(|at| i128::from(lane(one, lanes.size, at ^ last))))
        }
        SimdOp::AddLongPairs { unsigned, add, lanes, d, n } => {
            let (there, one) = (regs.vector(d), regs.vector(n));
            let of = |at| value(lane(one, lanes.size, at), lanes.bits(), unsigned);
            let wide = Lanes { size: lanes.size + 1, count: lanes.count / 2 };
            let result = wide.filled(|at| {
                of(2 * at) + of(2 * at + 1) + if add { i128::from(lane(there, wide.size, at)) } else { 0 }
            });
            (d, result)
        }
        SimdOp::ShiftLong { unsigned, upper, shift, lanes, d, n } => {
            let one = regs.vector(n) >> if upper { 64 } else { 0 };
            let wide = lanes.widened();
            (d, wide.filled(|at| value(lane(one, lanes.size, at), lanes.bits(), unsigned) << (shift & 63)))
        }
        SimdOp::Across { across, unsigned, lanes, d, n } => {
            let one = regs.vector(n);
            let values = (0..lanes.count).map(|at| value(lane(one, lanes.size, at), lanes.bits(), unsigned));
            let (size, all) = match across {
                Across::AddLong => (lanes.size + 1, values.sum()),
                Across::Add => (lanes.size, values.sum()),
                Across::Maximum => (lanes.size, values.max().unwrap_or(0)),
                Across::Minimum => (lanes.size, values.min().unwrap_or(0)),
            };
            (d, with_lane(0, size, 0, all.cast_unsigned() as u64))
        }
        SimdOp::Permute { permute, odd, lanes, d, n, m } => {
            (d, permuted(permute, odd, lanes, regs.vector(n), regs.vector(m)))
        }
        SimdOp::Extract { at, quad, d, n, m } => {
            let (low, high) = (regs.vector(n) & whole(quad), regs.vector(m) & whole(quad));
            let shift = u32::from(at) * 8;
            let width = if quad { 128 } else { 64 };
            (d, (low.unbounded_shr(shift) | high.unbounded_shl(width - shift)) & whole(quad))
        }
        SimdOp::Table { registers, keep, quad, d, n, m } => {
            let (there, indices) = (regs.vector(d), regs.vector(m));
            let lanes = Lanes { size: 0, count: if quad { 16 } else { 8 } };
            let result = lanes.filled(|at| {
                let index = lane(indices, 0, at) as u8;
                i128::from(if index >> 4 < registers {
                    lane(regs.vector((n + (index >> 4)) & 31), 0, index & 15)
                } else if keep {
                    lane(there, 0, at)
                } else {
                    0
                })
            });
            (d, result)
        }
        SimdOp::DotProduct { unsigned, at, lanes, d, n, m } => {
            let (there, one, two) = (regs.vector(d), regs.vector(n), regs.vector(m));
            let result = lanes.filled(|to| {
                let other = if at == 255 { to } else { at };
                (0..4).fold(i128::from(lane(there, 2, to)), |sum, part| {
                    let product = value(lane(one, 0, 4 * to + part), 8, unsigned)
                        * value(lane(two, 0, 4 * other + part), 8, unsigned);
                    sum + product
                })
            });
            (d, result)
        }
        _ => return moves(operation, regs),
    };
    regs.put_vector(d, result);
}

/// Moves of lanes and registers.
fn moves(operation: SimdOp, regs: &mut Regs) {
    let (d, result) = match operation {
        SimdOp::Duplicate { at, lanes, d, n } => {
            (d, broadcast(lane(regs.vector(n), lanes.size, at), lanes.size) & lanes.mask())
        }
        SimdOp::DuplicateGeneral { lanes, d, n } => (d, broadcast(regs.get(n), lanes.size) & lanes.mask()),
        SimdOp::Insert { size, to, from, d, n } => {
            (d, with_lane(regs.vector(d), size, to, lane(regs.vector(n), size, from)))
        }
        SimdOp::InsertGeneral { size, to, d, n } => (d, with_lane(regs.vector(d), size, to, regs.get(n))),
        SimdOp::MoveToGeneral { size, at, signed, wide, d, n } => {
            let value = lane(regs.vector(n), size, at);
            regs.put_wide(wide, d, if signed { sign_extend(value, 8 << (size & 3)) } else { value });
            return;
        }
        SimdOp::MoveFromGeneral { size, d, n } => (d, with_lane(0, size, 0, regs.get(n))),
        SimdOp::MoveScalar { size, d, n } => (d, u128::from(lane(regs.vector(n), size, 0))),
        SimdOp::Select { size, condition, d, n, m } => {
            let from = if holds(condition, regs.nzcv) { n } else { m };
            (d, u128::from(lane(regs.vector(from), size, 0)))
        }
        _ => return,
    };
    regs.put_vector(d, result);
}

/// An immediate in each half of a register.
pub(in crate::a64) fn immediate(immediate: Immediate, value: u64, quad: bool, d: u8, regs: &mut Regs) {
    let (there, value) = (regs.vector(d), broadcast(value, 3));
    let result = match immediate {
        Immediate::Move => value,
        Immediate::Orr => there | value,
        Immediate::Bic => there & !value,
    };
    regs.put_vector(d, result & whole(quad));
}

const fn whole(quad: bool) -> u128 {
    lanes_mask(if quad { 128 } else { 64 })
}

/// A lane of two registers side by side.
const fn paired(one: u128, two: u128, lanes: Lanes, at: u8) -> u64 {
    if at < lanes.count { lane(one, lanes.size, at) } else { lane(two, lanes.size, at - lanes.count) }
}

const fn combined(bitwise: Bitwise, there: u128, one: u128, two: u128) -> u128 {
    match bitwise {
        Bitwise::And => one & two,
        Bitwise::Bic => one & !two,
        Bitwise::Orr => one | two,
        Bitwise::Orn => one | !two,
        Bitwise::Eor => one ^ two,
        Bitwise::Select => (one & there) | (two & !there),
        Bitwise::InsertIf => (one & two) | (there & !two),
        Bitwise::InsertUnless => (one & !two) | (there & two),
    }
}

fn permuted(permute: Permute, odd: bool, lanes: Lanes, one: u128, two: u128) -> u128 {
    let odd = u8::from(odd);
    lanes.filled(|at| {
        let from = match permute {
            Permute::Unzip => 2 * at + odd,
            Permute::Transpose => (at & !1) + odd + if at & 1 == 1 { lanes.count } else { 0 },
            Permute::Zip => at / 2 + odd * (lanes.count / 2) + if at & 1 == 1 { lanes.count } else { 0 },
        };
        i128::from(paired(one, two, lanes, from))
    })
}
