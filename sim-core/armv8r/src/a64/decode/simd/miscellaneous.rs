//! Advanced SIMD two-register miscellaneous, across lanes, and scalar pairwise.

use crate::a64::bits::{bit, bits, number};
use crate::a64::decode::simd::shape::{built, lanes};
use crate::a64::insn::Op;
use crate::a64::simd::{Across, Lanes, Narrow, SimdOp, Unary};

pub(super) fn decode(word: u32, scalar: bool) -> Op {
    if float(word, scalar) {
        return Op::NotBuilt(&"Advanced SIMD two-register miscellaneous, floating-point");
    }
    built(if scalar { integer_scalar(word) } else { integer(word) })
}

/// Whether the word is of floating-point, of single or double precision, or of the reciprocal estimates.
fn float(word: u32, scalar: bool) -> bool {
    let (unsigned, high, opcode) = (bit(word, 29), bit(word, 23), bits(word, 12, 5));
    let sized = scalar || !bit(word, 22) || bit(word, 30);
    let doubles = bit(word, 22);
    match (opcode, unsigned, high) {
        // Comparison with zero; FCVTNS to FCVTAU, SCVTF, UCVTF; FRECPE, FRSQRTE.
        (12 | 13, _, true) | (14, false, true) | (26 | 27 | 29, ..) | (28, _, false) => sized,
        // FRECPX.
        (31, false, true) => sized && scalar,
        // FCVTN, FCVTL.
        (22 | 23, false, false) => !scalar,
        // FCVTXN.
        (22, true, false) => doubles,
        // FRINT but for the code that is free; FABS, FNEG, FSQRT.
        (24, true, true) => false,
        (24 | 25, ..) | (15, _, true) | (31, true, true) => sized && !scalar,
        // URECPE, URSQRTE.
        (28, _, true) => !scalar && !doubles,
        _ => false,
    }
}

/// What vectors and scalars share.
fn shared(opcode: u32, unsigned: bool) -> Option<Unary> {
    Some(match (opcode, unsigned) {
        (3, _) => Unary::SaturatingAddOther,
        (7, false) => Unary::SaturatingAbsolute,
        (7, true) => Unary::SaturatingNegate,
        (8, false) => Unary::GreaterThanZero,
        (8, true) => Unary::GreaterOrEqualZero,
        (9, false) => Unary::EqualZero,
        (9, true) => Unary::LessOrEqualZero,
        (10, false) => Unary::LessThanZero,
        (11, false) => Unary::Absolute,
        (11, true) => Unary::Negate,
        _ => return None,
    })
}

/// XTN, SQXTN, UQXTN, SQXTUN.
fn narrow(opcode: u32, unsigned: bool) -> Option<Narrow> {
    match (opcode, unsigned) {
        (18, false) => Some(Narrow::Truncate),
        (18, true) => Some(Narrow::SignedToUnsigned),
        (20, false) => Some(Narrow::Signed),
        (20, true) => Some(Narrow::Unsigned),
        _ => None,
    }
}

fn integer_scalar(word: u32) -> Option<SimdOp> {
    let (unsigned, size, opcode) = (bit(word, 29), bits(word, 22, 2) as u8, bits(word, 12, 5));
    let (d, n) = (number(word, 0), number(word, 5));
    let lanes = Lanes { size, count: 1 };
    if let Some(narrow) = narrow(opcode, unsigned).filter(|narrow| size != 3 && *narrow != Narrow::Truncate) {
        return Some(SimdOp::Narrow { narrow, upper: false, shift: 0, rounding: false, lanes, d, n });
    }
    let unary = shared(opcode, unsigned).filter(|_| size == 3 || opcode == 3 || opcode == 7)?;
    Some(SimdOp::Unary { unary, unsigned, lanes, d, n })
}

fn integer(word: u32) -> Option<SimdOp> {
    let (unsigned, size, opcode) = (bit(word, 29), bits(word, 22, 2) as u8, bits(word, 12, 5));
    let quad = bit(word, 30);
    let (d, n) = (number(word, 0), number(word, 5));
    let halves = Lanes { size, count: 8 >> size };
    if let Some(narrow) = narrow(opcode, unsigned).filter(|_| size != 3) {
        return Some(SimdOp::Narrow { narrow, upper: quad, shift: 0, rounding: false, lanes: halves, d, n });
    }
    if opcode == 19 && unsigned && size != 3 {
        let shift = 8 << size;
        return Some(SimdOp::ShiftLong { unsigned, upper: quad, shift, lanes: halves, d, n });
    }
    let lanes = lanes(quad, size)?;
    let bytes = Lanes { size: 0, count: if quad { 16 } else { 8 } };
    let unary = |unary: Unary, lanes: Lanes| Some(SimdOp::Unary { unary, unsigned, lanes, d, n });
    match (opcode, unsigned) {
        (0, false) if size < 3 => Some(SimdOp::Reverse { container: 3, lanes, d, n }),
        (0, true) if size < 2 => Some(SimdOp::Reverse { container: 2, lanes, d, n }),
        (1, false) if size == 0 => Some(SimdOp::Reverse { container: 1, lanes, d, n }),
        (2 | 6, _) if size < 3 => Some(SimdOp::AddLongPairs { unsigned, add: opcode == 6, lanes, d, n }),
        (4, false) if size < 3 => unary(Unary::LeadingSigns, lanes),
        (4, true) if size < 3 => unary(Unary::LeadingZeros, lanes),
        (5, false) if size == 0 => unary(Unary::CountBits, lanes),
        (5, true) if size == 0 => unary(Unary::Not, lanes),
        (5, true) if size == 1 => unary(Unary::ReverseBits, bytes),
        _ => unary(shared(opcode, unsigned)?, lanes),
    }
}

/// SADDLV, SMAXV, SMINV, ADDV and their unsigned kin.
pub(super) fn across(word: u32) -> Op {
    let (unsigned, size, opcode) = (bit(word, 29), bits(word, 22, 2) as u8, bits(word, 12, 5));
    let quad = bit(word, 30);
    let across = match (opcode, unsigned) {
        (3, _) => Across::AddLong,
        (10, _) => Across::Maximum,
        (26, _) => Across::Minimum,
        (27, false) => Across::Add,
        // FMAXNMV, FMAXV and their kin, of single precision.
        (12 | 15, true) if quad && size & 1 == 0 => {
            return Op::NotBuilt(&"Advanced SIMD across lanes, floating-point");
        }
        _ => return Op::Unallocated,
    };
    // Vectors of two words have a pairwise instruction instead.
    let lanes = lanes(quad, size).filter(|_| size < 2 || (size == 2 && quad));
    built(lanes.map(|lanes| SimdOp::Across { across, unsigned, lanes, d: number(word, 0), n: number(word, 5) }))
}

/// ADDP of a scalar.
pub(super) fn pairwise(word: u32) -> Op {
    let (unsigned, size, opcode) = (bit(word, 29), bits(word, 22, 2), bits(word, 12, 5));
    match (opcode, unsigned) {
        (27, false) if size == 3 => Op::Simd(SimdOp::PairwiseScalar { d: number(word, 0), n: number(word, 5) }),
        (12 | 15, true) => Op::NotBuilt(&"Advanced SIMD scalar pairwise, floating-point"),
        (13, true) if size < 2 => Op::NotBuilt(&"Advanced SIMD scalar pairwise, floating-point"),
        _ => Op::Unallocated,
    }
}
