//! Advanced SIMD three same, and its extra instructions.

use crate::a64::bits::{bit, bits, number};
use crate::a64::decode::simd::shape::{built, lanes};
use crate::a64::insn::Op;
use crate::a64::simd::{Bitwise, Lanes, Pairwise, Same, SimdOp};

pub(super) fn decode(word: u32, scalar: bool) -> Op {
    let opcode = bits(word, 11, 5);
    if opcode >= 24 {
        return float(word, scalar);
    }
    let size = bits(word, 22, 2) as u8;
    let all = if scalar { Some(Lanes { size, count: 1 }) } else { lanes(bit(word, 30), size) };
    built(integer(word, scalar, opcode, all))
}

/// Floating-point words of single and double precision.
fn float(word: u32, scalar: bool) -> Op {
    let (unsigned, high, opcode) = (bit(word, 29), bit(word, 23), bits(word, 11, 5) & 7);
    let doubles = bit(word, 22) && (scalar || bit(word, 30));
    let allocated = if scalar {
        matches!(
            (unsigned, high, opcode),
            (false, false, 3 | 4 | 7) | (false, true, 7) | (true, false, 4 | 5) | (true, true, 2 | 4 | 5)
        )
    } else {
        matches!(
            (unsigned, high, opcode),
            (false, _, 0..=2 | 6 | 7) | (false, false, 3 | 4) | (true, false, 0 | 2..=7) | (true, true, 0 | 2 | 4..=6)
        )
    };
    if allocated && (doubles || !bit(word, 22)) {
        Op::NotBuilt(&"Advanced SIMD three same, floating-point")
    } else {
        Op::Unallocated
    }
}

fn integer(word: u32, scalar: bool, opcode: u32, all: Option<Lanes>) -> Option<SimdOp> {
    let (d, n, m) = (number(word, 0), number(word, 5), number(word, 16));
    let unsigned = bit(word, 29);
    let size = bits(word, 22, 2) as u8;
    let quad = bit(word, 30);
    if opcode == 3 && !scalar {
        let bitwise = match (unsigned, size) {
            (false, 0) => Bitwise::And,
            (false, 1) => Bitwise::Bic,
            (false, 2) => Bitwise::Orr,
            (false, _) => Bitwise::Orn,
            (true, 0) => Bitwise::Eor,
            (true, 1) => Bitwise::Select,
            (true, 2) => Bitwise::InsertIf,
            (true, _) => Bitwise::InsertUnless,
        };
        return Some(SimdOp::Bitwise { bitwise, quad, d, n, m });
    }
    let lanes = all?;
    // Which sizes of lanes there are.
    let sized = match opcode {
        0 | 2 | 4 | 12..=15 | 18 | 20 | 21 => !scalar && size != 3,
        19 => !scalar && if unsigned { size == 0 } else { size != 3 },
        22 => size == 1 || size == 2,
        1 | 5 | 9 | 11 => true,
        23 => !scalar && !unsigned,
        6..=8 | 10 | 16 | 17 => !scalar || size == 3,
        _ => false,
    };
    if !sized {
        return None;
    }
    let pairwise = match opcode {
        20 => Some(Pairwise::Maximum),
        21 => Some(Pairwise::Minimum),
        23 => Some(Pairwise::Add),
        _ => None,
    };
    if let Some(pairwise) = pairwise {
        return Some(SimdOp::Pairwise { pairwise, unsigned, lanes, d, n, m });
    }
    let same = match opcode {
        0 => Same::HalvingAdd,
        1 => Same::SaturatingAdd,
        2 => Same::RoundingHalvingAdd,
        4 => Same::HalvingSub,
        5 => Same::SaturatingSub,
        6 => Same::Greater,
        7 => Same::GreaterOrEqual,
        8..=11 => Same::Shift { saturating: opcode & 1 == 1, rounding: opcode & 2 != 0 },
        12 => Same::Maximum,
        13 => Same::Minimum,
        14 => Same::Difference,
        15 => Same::DifferenceAdd,
        16 if unsigned => Same::Sub,
        16 => Same::Add,
        17 if unsigned => Same::Equal,
        17 => Same::Test,
        18 if unsigned => Same::MultiplySub,
        18 => Same::MultiplyAdd,
        19 if unsigned => Same::PolynomialMultiply,
        19 => Same::Multiply,
        _ => Same::DoublingHigh { rounding: unsigned },
    };
    Some(SimdOp::Same { same, unsigned, lanes, d, n, m })
}

/// SQRDMLAH, SQRDMLSH, SDOT, UDOT; complex numbers are floating-point.
pub(super) fn extra(word: u32, scalar: bool) -> Op {
    let (d, n, m) = (number(word, 0), number(word, 5), number(word, 16));
    let unsigned = bit(word, 29);
    let size = bits(word, 22, 2) as u8;
    let quad = bit(word, 30);
    match bits(word, 11, 4) {
        opcode @ (0 | 1) if unsigned && (size == 1 || size == 2) => {
            let same = Same::DoublingHighAdd { sub: opcode == 1 };
            let all = if scalar { Some(Lanes { size, count: 1 }) } else { lanes(quad, size) };
            built(all.map(|lanes| SimdOp::Same { same, unsigned: false, lanes, d, n, m }))
        }
        2 if !scalar && size == 2 => {
            built(lanes(quad, 2).map(|lanes| SimdOp::DotProduct { unsigned, at: 255, lanes, d, n, m }))
        }
        8..=12 | 14 if !scalar && unsigned && (size == 2 || (size == 3 && quad)) => Op::NotBuilt(&"FCMLA, FCADD"),
        _ => Op::Unallocated,
    }
}
