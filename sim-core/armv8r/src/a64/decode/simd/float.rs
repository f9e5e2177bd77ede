//! Scalar floating-point: the moves. What computes is not built.

use crate::a64::bits::{bit, bits, number, source, target};
use crate::a64::decode::simd::immediate::{expand_double, expand_single};
use crate::a64::insn::Op;
use crate::a64::simd::{Immediate, SimdOp};

pub(super) fn decode(word: u32) -> Op {
    // S, and the precision: single, double; 3 is half.
    let precision = bits(word, 22, 2);
    if bit(word, 29) {
        return Op::Unallocated;
    }
    if bit(word, 24) {
        return if !bit(word, 31) && precision < 2 {
            Op::NotBuilt(&"FMADD, FMSUB, FNMADD, FNMSUB")
        } else {
            Op::Unallocated
        };
    }
    if !bit(word, 21) {
        // Between floating-point and fixed-point.
        let (rounding, opcode) = (bits(word, 19, 2), bits(word, 16, 3));
        let allocated = matches!((rounding, opcode), (0, 2 | 3) | (3, 0 | 1)) && (bit(word, 31) || bit(word, 15));
        return if precision < 2 && allocated {
            Op::NotBuilt(&"SCVTF, UCVTF, FCVTZS, FCVTZU, fixed-point")
        } else {
            Op::Unallocated
        };
    }
    if bits(word, 10, 6) == 0 {
        return general(word, precision);
    }
    if bit(word, 31) || precision > 1 && !(precision == 3 && bits(word, 10, 5) == 0b10000) {
        return Op::Unallocated;
    }
    let size = if precision == 0 { 2 } else { 3 };
    let (d, n) = (number(word, 0), number(word, 5));
    match bits(word, 10, 2) {
        0b11 => {
            let condition = bits(word, 12, 4) as u8;
            Op::Simd(SimdOp::Select { size, condition, d, n, m: number(word, 16) })
        }
        0b10 if bits(word, 12, 4) <= 8 => Op::NotBuilt(&"FMUL, FDIV, FADD, FSUB, FMAX, FMIN, FMAXNM, FMINNM, FNMUL"),
        0b01 => Op::NotBuilt(&"FCCMP, FCCMPE"),
        0b00 => immediate_or_one_source(word, precision, size),
        _ => Op::Unallocated,
    }
}

fn immediate_or_one_source(word: u32, precision: u32, size: u8) -> Op {
    let (d, n) = (number(word, 0), number(word, 5));
    if bit(word, 12) {
        let eight = u64::from(bits(word, 13, 8));
        let value = if size == 2 { expand_single(eight) } else { expand_double(eight) };
        return if n == 0 {
            Op::SimdImmediate { immediate: Immediate::Move, quad: false, d, value }
        } else {
            Op::Unallocated
        };
    }
    if bit(word, 13) {
        let compares = bits(word, 14, 2) == 0 && bits(word, 0, 3) == 0;
        return if compares { Op::NotBuilt(&"FCMP, FCMPE") } else { Op::Unallocated };
    }
    if !bit(word, 14) {
        return Op::Unallocated;
    }
    match (precision, bits(word, 15, 6)) {
        (0 | 1, 0) => Op::Simd(SimdOp::MoveScalar { size, d, n }),
        (0 | 1, 1..=3) => Op::NotBuilt(&"FABS, FNEG, FSQRT"),
        (0, 5 | 7) | (1, 4 | 7) | (3, 4 | 5) => Op::NotBuilt(&"FCVT"),
        (0 | 1, 8..=12 | 14 | 15) => Op::NotBuilt(&"FRINT"),
        _ => Op::Unallocated,
    }
}

/// Between general and SIMD&FP registers.
fn general(word: u32, precision: u32) -> Op {
    let wide = bit(word, 31);
    let (rounding, opcode) = (bits(word, 19, 2), bits(word, 16, 3));
    match (opcode, wide, precision, rounding) {
        (6, false, 0, 0) | (6, true, 1, 0) | (6, true, 2, 1) => Op::Simd(SimdOp::MoveToGeneral {
            size: if wide { 3 } else { 2 },
            at: u8::from(precision == 2),
            signed: false,
            wide,
            d: target(word, 0),
            n: number(word, 5),
        }),
        (7, false, 0, 0) | (7, true, 1, 0) => {
            Op::Simd(SimdOp::MoveFromGeneral { size: if wide { 3 } else { 2 }, d: number(word, 0), n: source(word, 5) })
        }
        (7, true, 2, 1) => Op::Simd(SimdOp::InsertGeneral { size: 3, to: 1, d: number(word, 0), n: source(word, 5) }),
        (6, false, 1, 3) => Op::NotBuilt(&"FJCVTZS"),
        (0 | 1, _, 0 | 1, _) | (2..=5, _, 0 | 1, 0) => Op::NotBuilt(&"conversion of floating-point and integer"),
        _ => Op::Unallocated,
    }
}
