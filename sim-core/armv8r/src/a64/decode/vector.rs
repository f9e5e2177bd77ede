//! Loads and stores of SIMD&FP registers (Arm ARM, C4.1.88 in issue I.a).

use crate::a64::bits::{bit, bits, number, or_sp, signed, source};
use crate::a64::decode::{memory::pair_index, structure};
use crate::a64::insn::{Address, Index, Op};

pub(super) fn decode(word: u32) -> Op {
    match (bits(word, 27, 3), bits(word, 24, 2)) {
        (0b001, 0b00 | 0b01) => structure::decode(word),
        (0b011, 0b00) => literal(word),
        (0b101, _) => pair(word),
        (0b111, 0b00 | 0b01) => single(word),
        _ => Op::Unallocated,
    }
}

fn literal(word: u32) -> Op {
    let opcode = bits(word, 30, 2) as u8;
    if opcode == 3 {
        return Op::Unallocated;
    }
    Op::LoadVector {
        size: opcode + 2,
        t: number(word, 0),
        address: Address::Literal { offset: signed(word, 5, 19) << 2 },
    }
}

fn pair(word: u32) -> Op {
    let opcode = bits(word, 30, 2) as u8;
    if opcode == 3 {
        return Op::Unallocated;
    }
    let size = opcode + 2;
    let (index, n, offset) = (pair_index(word), or_sp(word, 5), signed(word, 15, 7) << size);
    let (t, t2) = (number(word, 0), number(word, 10));
    if bit(word, 22) {
        Op::LoadVectorPair { size, index, t, t2, n, offset }
    } else {
        Op::StoreVectorPair { size, index, t, t2, n, offset }
    }
}

fn single(word: u32) -> Op {
    let size = match (bits(word, 30, 2) as u8, bit(word, 23)) {
        (size, false) => size,
        (0, true) => 4,
        _ => return Op::Unallocated,
    };
    let n = or_sp(word, 5);
    let unscaled = signed(word, 12, 9);
    let address = match (bit(word, 24), bit(word, 21), bits(word, 10, 2)) {
        (true, ..) => {
            let offset = (bits(word, 10, 12) << size).cast_signed();
            Address::Immediate { n, offset, index: Index::Offset }
        }
        (false, false, 0) => Address::Immediate { n, offset: unscaled, index: Index::Offset },
        (false, false, 1) => Address::Immediate { n, offset: unscaled, index: Index::Post },
        (false, false, 3) => Address::Immediate { n, offset: unscaled, index: Index::Pre },
        (false, true, 2) if bit(word, 14) => Address::Register {
            n,
            m: source(word, 16),
            extend: bits(word, 13, 3) as u8,
            amount: if bit(word, 12) { size } else { 0 },
        },
        _ => return Op::Unallocated,
    };
    let t = number(word, 0);
    if bit(word, 22) { Op::LoadVector { size, t, address } } else { Op::StoreVector { size, t, address } }
}
