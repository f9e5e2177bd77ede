//! Advanced SIMD shift by immediate, and modified immediate.

use crate::a64::bits::{bit, bits, number};
use crate::a64::decode::simd::shape::{built, lanes};
use crate::a64::insn::Op;
use crate::a64::simd::{Immediate, Lanes, Narrow, ShiftBy, SimdOp};

/// SSHR to UQSHL, SHRN to USHLL.
pub(super) fn shift(word: u32, scalar: bool) -> Op {
    let opcode = bits(word, 11, 5);
    let field = bits(word, 16, 7);
    let size = bits(word, 19, 4).ilog2() as u8;
    if opcode == 28 || opcode == 31 {
        let sized = size >= 2 && (size == 2 || scalar || bit(word, 30));
        return if sized { Op::NotBuilt(&"SCVTF, UCVTF, FCVTZS, FCVTZU, fixed-point") } else { Op::Unallocated };
    }
    let width = 8_u32 << size;
    built(if opcode < 16 {
        simple(word, scalar, opcode, (size, (2 * width - field) as u8, (field - width) as u8))
    } else {
        resized(word, scalar, opcode, (size, (2 * width - field) as u8, (field - width) as u8))
    })
}

fn simple(word: u32, scalar: bool, opcode: u32, (size, right, left): (u8, u8, u8)) -> Option<SimdOp> {
    let unsigned = bit(word, 29);
    let (shift_by, amount) = match (opcode, unsigned) {
        (0 | 2 | 4 | 6, _) => (ShiftBy::Right { rounding: opcode & 4 != 0, add: opcode & 2 != 0 }, right),
        (8, true) => (ShiftBy::RightInsert, right),
        (10, false) => (ShiftBy::Left, left),
        (10, true) => (ShiftBy::LeftInsert, left),
        (12, true) => (ShiftBy::LeftSignedToUnsigned, left),
        (14, _) => (ShiftBy::LeftSaturating, left),
        _ => return None,
    };
    let saturating = opcode >= 12;
    let lanes = if scalar {
        (size == 3 || saturating).then_some(Lanes { size, count: 1 })
    } else {
        lanes(bit(word, 30), size)
    }?;
    Some(SimdOp::ShiftBy { shift_by, unsigned, amount, lanes, d: number(word, 0), n: number(word, 5) })
}

/// What narrows or widens. `size` is that of the narrow lanes.
fn resized(word: u32, scalar: bool, opcode: u32, (size, right, left): (u8, u8, u8)) -> Option<SimdOp> {
    let unsigned = bit(word, 29);
    let (d, n) = (number(word, 0), number(word, 5));
    let upper = !scalar && bit(word, 30);
    if size == 3 {
        return None;
    }
    let lanes = Lanes { size, count: if scalar { 1 } else { 8 >> size } };
    let narrow = match (opcode, unsigned) {
        (16 | 17, false) if !scalar => Narrow::Truncate,
        (16 | 17, true) => Narrow::SignedToUnsigned,
        (18 | 19, false) => Narrow::Signed,
        (18 | 19, true) => Narrow::Unsigned,
        (20, _) if !scalar => return Some(SimdOp::ShiftLong { unsigned, upper, shift: left, lanes, d, n }),
        _ => return None,
    };
    Some(SimdOp::Narrow { narrow, upper, shift: right, rounding: opcode & 1 == 1, lanes, d, n })
}

/// MOVI, MVNI, ORR, BIC, FMOV (`AdvSIMDExpandImm`).
pub(super) fn modified(word: u32) -> Op {
    let quad = bit(word, 30);
    let invert = bit(word, 29);
    let mode = bits(word, 12, 4);
    let eight = u64::from((bits(word, 16, 3) << 5) | bits(word, 5, 5));
    let d = number(word, 0);
    // FMOV of half precision.
    if bit(word, 11) {
        return Op::Unallocated;
    }
    let words = |value: u64| value | (value << 32);
    let halves = |value: u64| words(value | (value << 16));
    let value = match mode {
        0..=7 => words(eight << (8 * (mode >> 1))),
        8..=11 => halves(eight << (8 * ((mode >> 1) & 1))),
        12 => words((eight << 8) | 0xff),
        13 => words((eight << 16) | 0xffff),
        14 if invert => (0..8).fold(0, |mask, at| mask | if (eight >> at) & 1 == 1 { 0xff << (8 * at) } else { 0 }),
        14 => halves(eight | (eight << 8)),
        _ if invert && !quad => return Op::Unallocated,
        _ if invert => expand_double(eight),
        _ => words(expand_single(eight)),
    };
    let immediate = match (mode, invert) {
        (0..12, false) if mode & 1 == 1 => Immediate::Orr,
        (0..12, true) if mode & 1 == 1 => Immediate::Bic,
        _ => Immediate::Move,
    };
    let value = if immediate == Immediate::Move && invert && mode < 14 { !value } else { value };
    Op::SimdImmediate { immediate, quad, d, value }
}

/// `VFPExpandImm` to single precision.
pub(super) const fn expand_single(eight: u64) -> u64 {
    let exponent = if eight & 0x40 != 0 { 0x1f << 25 } else { 1 << 30 };
    ((eight & 0x80) << 24) | exponent | ((eight & 0x3f) << 19)
}

/// `VFPExpandImm` to double precision.
pub(super) const fn expand_double(eight: u64) -> u64 {
    let exponent = if eight & 0x40 != 0 { 0xff << 54 } else { 1 << 62 };
    ((eight & 0x80) << 56) | exponent | ((eight & 0x3f) << 48)
}
