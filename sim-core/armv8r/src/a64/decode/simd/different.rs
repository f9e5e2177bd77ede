//! Advanced SIMD three different.

use crate::a64::bits::{bit, bits, number};
use crate::a64::simd::{Lanes, Long, SimdOp};

pub(super) fn decode(word: u32, scalar: bool) -> Option<SimdOp> {
    let (d, n, m) = (number(word, 0), number(word, 5), number(word, 16));
    let unsigned = bit(word, 29);
    let size = bits(word, 22, 2) as u8;
    let opcode = bits(word, 12, 4);
    let upper = !scalar && bit(word, 30);
    if size == 3 || (scalar && !matches!(opcode, 9 | 11 | 13)) {
        return None;
    }
    let lanes = Lanes { size, count: if scalar { 1 } else { 8 >> size } };
    let long = match opcode {
        0 | 1 => Long::Add,
        2 | 3 => Long::Sub,
        4 | 6 => return Some(SimdOp::HighNarrow { sub: opcode == 6, rounding: unsigned, upper, size, d, n, m }),
        5 => Long::DifferenceAdd,
        7 => Long::Difference,
        14 if !unsigned && size == 0 => Long::PolynomialMultiply,
        8..=13 => long_multiply(opcode, unsigned, size)?,
        _ => return None,
    };
    // Lanes of polynomials have no sign.
    let unsigned = unsigned || long == Long::PolynomialMultiply;
    Some(SimdOp::Long { long, unsigned, wide: opcode == 1 || opcode == 3, upper, lanes, d, n, m })
}

/// SMLAL to SQDMULL, by the codes that the form with an element shares but for one bit.
fn long_multiply(opcode: u32, unsigned: bool, size: u8) -> Option<Long> {
    let doubling = opcode & 1 == 1;
    if doubling && (unsigned || size == 0) {
        return None;
    }
    Some(match opcode {
        8 => Long::MultiplyAdd,
        9 => Long::DoublingAdd,
        10 => Long::MultiplySub,
        11 => Long::DoublingSub,
        12 => Long::Multiply,
        _ => Long::Doubling,
    })
}
