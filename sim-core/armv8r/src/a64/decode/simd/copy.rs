//! Advanced SIMD copy, extract, permute and table lookup.

use crate::a64::bits::{bit, bits, number, source, target};
use crate::a64::decode::simd::shape::lanes;
use crate::a64::simd::{Lanes, Permute, SimdOp};

/// The size and the index that imm5 tells. None: reserved.
fn element(word: u32) -> Option<(u8, u8)> {
    let field = number(word, 16);
    let size = field.trailing_zeros() as u8;
    (size < 4).then(|| (size, field >> (size + 1)))
}

/// DUP, INS, SMOV, UMOV.
pub(super) fn decode(word: u32) -> Option<SimdOp> {
    let (size, at) = element(word)?;
    let quad = bit(word, 30);
    let (d, n) = (number(word, 0), number(word, 5));
    let selector = bits(word, 11, 4);
    if bit(word, 29) {
        return quad.then_some(SimdOp::Insert { size, to: at, from: (selector as u8) >> size, d, n });
    }
    match selector {
        0 => lanes(quad, size).map(|lanes| SimdOp::Duplicate { at, lanes, d, n }),
        1 => lanes(quad, size).map(|lanes| SimdOp::DuplicateGeneral { lanes, d, n: source(word, 5) }),
        3 if quad => Some(SimdOp::InsertGeneral { size, to: at, d, n: source(word, 5) }),
        5 if size < 2 || (size == 2 && quad) => {
            Some(SimdOp::MoveToGeneral { size, at, signed: true, wide: quad, d: target(word, 0), n })
        }
        7 if (size == 3) == quad => {
            Some(SimdOp::MoveToGeneral { size, at, signed: false, wide: quad, d: target(word, 0), n })
        }
        _ => None,
    }
}

/// DUP of an element to a scalar.
pub(super) fn scalar(word: u32) -> Option<SimdOp> {
    let (size, at) = element(word)?;
    let lanes = Lanes { size, count: 1 };
    (!bit(word, 29) && bits(word, 11, 4) == 0).then_some(SimdOp::Duplicate {
        at,
        lanes,
        d: number(word, 0),
        n: number(word, 5),
    })
}

/// EXT.
pub(super) fn extract(word: u32) -> Option<SimdOp> {
    let quad = bit(word, 30);
    let at = bits(word, 11, 4) as u8;
    (quad || at < 8).then_some(SimdOp::Extract {
        at,
        quad,
        d: number(word, 0),
        n: number(word, 5),
        m: number(word, 16),
    })
}

/// UZP, TRN, ZIP.
pub(super) fn permute(word: u32, lanes: Option<Lanes>) -> Option<SimdOp> {
    let permute = match bits(word, 12, 2) {
        1 => Permute::Unzip,
        2 => Permute::Transpose,
        3 => Permute::Zip,
        _ => return None,
    };
    let (d, n, m) = (number(word, 0), number(word, 5), number(word, 16));
    lanes.map(|lanes| SimdOp::Permute { permute, odd: bit(word, 14), lanes, d, n, m })
}

/// TBL, TBX.
pub(super) fn table(word: u32) -> SimdOp {
    SimdOp::Table {
        registers: bits(word, 13, 2) as u8 + 1,
        keep: bit(word, 12),
        quad: bit(word, 30),
        d: number(word, 0),
        n: number(word, 5),
        m: number(word, 16),
    }
}
