//! Data processing, register (Arm ARM, C4.1.89 in issue I.a).

use crate::a64::PointerKey;
use crate::a64::bits::{bit, bits, number, or_sp, source, target};
use crate::a64::decode::immediate::logic;
use crate::a64::insn::{One, Op, Shift, Two};
use crate::a64::slot::ZERO;

pub(super) fn decode(word: u32) -> Op {
    if !bit(word, 28) {
        return match (bit(word, 24), bit(word, 21)) {
            (false, _) => logical(word),
            (true, false) => add_shifted(word),
            (true, true) => add_extended(word),
        };
    }
    match bits(word, 21, 4) {
        0b0000 => carry_and_flags(word),
        0b0010 => compare(word),
        0b0100 => select(word),
        0b0110 if bit(word, 30) => one_source(word),
        0b0110 => two_source(word),
        0b1000..=0b1111 => three_source(word),
        _ => Op::Unallocated,
    }
}

const fn shift(field: u32) -> Shift {
    match field {
        0 => Shift::Lsl,
        1 => Shift::Lsr,
        2 => Shift::Asr,
        _ => Shift::Ror,
    }
}

fn logical(word: u32) -> Op {
    let wide = bit(word, 31);
    let amount = bits(word, 10, 6);
    if !wide && amount > 31 {
        return Op::Unallocated;
    }
    Op::Logical {
        wide,
        logic: logic(word),
        invert: bit(word, 21),
        d: target(word, 0),
        n: source(word, 5),
        m: source(word, 16),
        shift: shift(bits(word, 22, 2)),
        amount: amount as u8,
    }
}

fn add_shifted(word: u32) -> Op {
    let wide = bit(word, 31);
    let amount = bits(word, 10, 6);
    if (!wide && amount > 31) || bits(word, 22, 2) == 3 {
        return Op::Unallocated;
    }
    Op::AddShifted {
        wide,
        sub: bit(word, 30),
        flags: bit(word, 29),
        d: target(word, 0),
        n: source(word, 5),
        m: source(word, 16),
        shift: shift(bits(word, 22, 2)),
        amount: amount as u8,
    }
}

fn add_extended(word: u32) -> Op {
    let amount = bits(word, 10, 3);
    if amount > 4 || bits(word, 22, 2) != 0 {
        return Op::Unallocated;
    }
    let flags = bit(word, 29);
    Op::AddExtended {
        wide: bit(word, 31),
        sub: bit(word, 30),
        flags,
        d: if flags { target(word, 0) } else { or_sp(word, 0) },
        n: or_sp(word, 5),
        m: source(word, 16),
        extend: bits(word, 13, 3) as u8,
        amount: amount as u8,
    }
}

/// ADC, SBC, and what `FEAT_FlagM` has beside them.
fn carry_and_flags(word: u32) -> Op {
    let n = source(word, 5);
    if bits(word, 10, 6) == 0 {
        return Op::AddCarry {
            wide: bit(word, 31),
            sub: bit(word, 30),
            flags: bit(word, 29),
            d: target(word, 0),
            n,
            m: source(word, 16),
        };
    }
    match (bits(word, 29, 3), bits(word, 10, 5), bit(word, 4)) {
        (0b101, 0b00001, false) => Op::RotateFlags { n, amount: bits(word, 15, 6) as u8, mask: bits(word, 0, 4) as u8 },
        (0b001, 0b00010 | 0b10010, false) if bits(word, 15, 6) == 0 && bits(word, 0, 4) == 0b1101 => {
            Op::SetFlags { n, bits: if bit(word, 14) { 16 } else { 8 } }
        }
        _ => Op::Unallocated,
    }
}

fn compare(word: u32) -> Op {
    if !bit(word, 29) || bit(word, 10) || bit(word, 4) {
        return Op::Unallocated;
    }
    let (wide, sub, n) = (bit(word, 31), bit(word, 30), source(word, 5));
    let (condition, flags) = (bits(word, 12, 4) as u8, bits(word, 0, 4) as u8);
    if bit(word, 11) {
        Op::CompareImmediate { wide, sub, condition, flags, n, value: number(word, 16) }
    } else {
        Op::Compare { wide, sub, condition, flags, n, m: source(word, 16) }
    }
}

fn select(word: u32) -> Op {
    if bit(word, 29) || bit(word, 11) {
        return Op::Unallocated;
    }
    Op::Select {
        wide: bit(word, 31),
        invert: bit(word, 30),
        increment: bit(word, 10),
        condition: bits(word, 12, 4) as u8,
        d: target(word, 0),
        n: source(word, 5),
        m: source(word, 16),
    }
}

fn two_source(word: u32) -> Op {
    let wide = bit(word, 31);
    let (d, n, m) = (target(word, 0), source(word, 5), source(word, 16));
    if bit(word, 29) {
        return Op::Unallocated;
    }
    let opcode = bits(word, 10, 6);
    let two = match opcode {
        2 => Two::UnsignedDivide,
        3 => Two::SignedDivide,
        8..=11 => Two::Shift(shift(opcode & 3)),
        12 if wide => return Op::SignGeneric { d, n, m: or_sp(word, 16) },
        16..=23 if (opcode & 3 == 3) == wide => {
            return Op::Crc32 { castagnoli: opcode & 4 != 0, size: (opcode & 3) as u8, d, n, m };
        }
        _ => return Op::Unallocated,
    };
    Op::Two { wide, two, d, n, m }
}

fn one_source(word: u32) -> Op {
    let wide = bit(word, 31);
    let (d, n) = (target(word, 0), source(word, 5));
    if bit(word, 29) {
        return Op::Unallocated;
    }
    let opcode = bits(word, 10, 6);
    match bits(word, 16, 5) {
        0 => {}
        1 if wide => return pointer(word, opcode),
        _ => return Op::Unallocated,
    }
    let one = match opcode {
        0 => One::ReverseBits,
        1 => One::Reverse16,
        2 => One::Reverse32,
        3 if wide => One::Reverse64,
        4 => One::LeadingZeros,
        5 => One::LeadingSigns,
        _ => return Op::Unallocated,
    };
    Op::One { wide, one, d, n }
}

/// PACIA to AUTDZB, XPACI, XPACD.
fn pointer(word: u32, opcode: u32) -> Op {
    // The register is read and written; where it is XZR nothing remains of the result.
    let d = target(word, 0);
    let zero = opcode & 8 != 0;
    if (zero || opcode >= 16) && number(word, 5) != 31 {
        return Op::Unallocated;
    }
    let modifier = if zero { ZERO } else { or_sp(word, 5) };
    let key = match opcode & 3 {
        0 => PointerKey::InstructionA,
        1 => PointerKey::InstructionB,
        2 => PointerKey::DataA,
        _ => PointerKey::DataB,
    };
    match opcode {
        16 | 17 => Op::Strip { d },
        0..16 if opcode & 4 == 0 => Op::Sign { key, d, modifier },
        0..16 => Op::Authenticate { key, d, modifier },
        _ => Op::Unallocated,
    }
}

fn three_source(word: u32) -> Op {
    let wide = bit(word, 31);
    let (d, n, m, a) = (target(word, 0), source(word, 5), source(word, 16), source(word, 10));
    let sub = bit(word, 15);
    if bits(word, 29, 2) != 0 {
        return Op::Unallocated;
    }
    match bits(word, 21, 3) {
        0 => Op::MultiplyAdd { wide, sub, d, n, m, a },
        1 | 5 if wide => Op::MultiplyAddLong { signed: !bit(word, 23), sub, d, n, m, a },
        2 | 6 if wide && !sub => Op::MultiplyHigh { signed: !bit(word, 23), d, n, m },
        _ => Op::Unallocated,
    }
}
