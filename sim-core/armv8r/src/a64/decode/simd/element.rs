//! Advanced SIMD vector or scalar with an indexed element.

use crate::a64::bits::{bit, bits, number};
use crate::a64::decode::simd::shape::{built, lanes};
use crate::a64::insn::Op;
use crate::a64::simd::{Lanes, Long, Same, SimdOp};

pub(super) fn decode(word: u32, scalar: bool) -> Op {
    let (unsigned, opcode, size) = (bit(word, 29), bits(word, 12, 4), bits(word, 22, 2));
    let quad = bit(word, 30);
    let float = match (unsigned, opcode) {
        (false, 1 | 5 | 9) | (true, 9) => true,
        (true, 1 | 3 | 5 | 7) if !scalar => return complex(size, quad && !bit(word, 21)),
        _ => false,
    };
    if !float {
        return built(integer(word, scalar, opcode));
    }
    match size {
        2 => Op::NotBuilt(&"Advanced SIMD by element, floating-point"),
        3 if !bit(word, 21) && (scalar || quad) => Op::NotBuilt(&"Advanced SIMD by element, floating-point"),
        _ => Op::Unallocated,
    }
}

/// FCMLA by element, of single precision.
fn complex(size: u32, allocated: bool) -> Op {
    if size == 2 && allocated { Op::NotBuilt(&"FCMLA") } else { Op::Unallocated }
}

fn integer(word: u32, scalar: bool, opcode: u32) -> Option<SimdOp> {
    let unsigned = bit(word, 29);
    let size = bits(word, 22, 2) as u8;
    // The register's number has four bits where the index has three.
    let high = bits(word, 11, 1);
    let (at, m) = match size {
        1 => ((high << 2) | (bits(word, 21, 1) << 1) | bits(word, 20, 1), bits(word, 16, 4) as u8),
        2 => ((high << 1) | bits(word, 21, 1), number(word, 16)),
        _ => return None,
    };
    let at = at as u8;
    let (d, n) = (number(word, 0), number(word, 5));
    let all = if scalar { Some(Lanes { size, count: 1 }) } else { lanes(bit(word, 30), size) }?;
    let same = match (opcode, unsigned) {
        (0, true) => Some((Same::MultiplyAdd, false)),
        (4, true) => Some((Same::MultiplySub, false)),
        (8, false) => Some((Same::Multiply, false)),
        (12 | 13, false) => Some((Same::DoublingHigh { rounding: opcode == 13 }, true)),
        (13 | 15, true) => Some((Same::DoublingHighAdd { sub: opcode == 15 }, true)),
        _ => None,
    };
    if let Some((same, scalars)) = same {
        return (!scalar || scalars).then_some(SimdOp::ByElement { same, lanes: all, at, d, n, m });
    }
    if opcode == 14 {
        return (!scalar && size == 2).then_some(SimdOp::DotProduct { unsigned, at, lanes: all, d, n, m });
    }
    let long = match (opcode, unsigned) {
        (2, _) if !scalar => Long::MultiplyAdd,
        (3, false) => Long::DoublingAdd,
        (6, _) if !scalar => Long::MultiplySub,
        (7, false) => Long::DoublingSub,
        (10, _) if !scalar => Long::Multiply,
        (11, false) => Long::Doubling,
        _ => return None,
    };
    let lanes = Lanes { size, count: if scalar { 1 } else { 8 >> size } };
    Some(SimdOp::LongByElement { long, unsigned, upper: !scalar && bit(word, 30), lanes, at, d, n, m })
}
