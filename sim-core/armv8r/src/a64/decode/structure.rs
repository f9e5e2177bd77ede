//! Loads and stores of Advanced SIMD structures (Arm ARM, C4.1.88 in issue I.a).

use crate::a64::bits::{bit, bits, number, or_sp};
use crate::a64::insn::{Op, Structure};
use crate::a64::slot::{SINK, Slot, ZERO};

/// LD1 to LD4, ST1 to ST4, LD1R to LD4R.
pub(super) fn decode(word: u32) -> Op {
    if bit(word, 31) {
        Op::Unallocated
    } else if bit(word, 24) {
        single(word)
    } else {
        multiple(word)
    }
}

/// What the base is incremented by. None: unallocated.
fn increment(word: u32) -> Option<Slot> {
    let m = number(word, 16);
    match (bit(word, 23), m) {
        (false, 0) => Some(SINK),
        (false, _) => None,
        (true, 31) => Some(ZERO),
        (true, m) => Some(m),
    }
}

fn multiple(word: u32) -> Op {
    let quad = bit(word, 30);
    let size = bits(word, 10, 2) as u8;
    let (repeat, elements) = match bits(word, 12, 4) {
        0 => (1, 4),
        2 => (4, 1),
        4 => (1, 3),
        6 => (3, 1),
        7 => (1, 1),
        8 => (1, 2),
        10 => (2, 1),
        _ => return Op::Unallocated,
    };
    let Some(m) = increment(word).filter(|_| !bit(word, 21) && (size != 3 || quad || elements == 1)) else {
        return Op::Unallocated;
    };
    let structure = Structure { load: bit(word, 22), quad, size, elements, t: number(word, 0), n: or_sp(word, 5), m };
    Op::Structures { structure, repeat }
}

fn single(word: u32) -> Op {
    // The form without writeback has zeroes in bits 20:16 and any value in bit 21.
    let Some(m) = increment(word) else { return Op::Unallocated };
    let load = bit(word, 22);
    let quad = bit(word, 30);
    let elements = (((bits(word, 13, 1) << 1) | bits(word, 21, 1)) + 1) as u8;
    let scale = bits(word, 14, 2);
    let field = bits(word, 10, 2);
    let index = (bits(word, 30, 1) << 3) | bits(word, 10, 3);
    let (size, lane) = match scale {
        3 if load && !bit(word, 12) => (field, 255),
        0 => (0, index),
        1 if field & 1 == 0 => (1, index >> 1),
        2 if field == 0 => (2, index >> 2),
        2 if field == 1 && !bit(word, 12) => (3, index >> 3),
        _ => return Op::Unallocated,
    };
    let structure = Structure { load, quad, size: size as u8, elements, t: number(word, 0), n: or_sp(word, 5), m };
    Op::Structure { structure, lane: lane as u8 }
}
