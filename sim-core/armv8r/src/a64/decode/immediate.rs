//! Data processing, immediate (Arm ARM, C4.1.86 in issue I.a).

use crate::a64::bits::{bit, bits, logical_immediate, or_sp, signed, source, target};
use crate::a64::insn::{Bitfield, Logic, Op};

pub(super) fn decode(word: u32) -> Op {
    match bits(word, 23, 3) {
        0b000 | 0b001 => address(word),
        0b010 => add(word),
        0b100 => logical(word),
        0b101 => wide_move(word),
        0b110 => bitfield(word),
        0b111 => extract(word),
        // Add and subtract with tags: FEAT_MTE.
        _ => Op::Unallocated,
    }
}

/// ADR, ADRP.
fn address(word: u32) -> Op {
    let offset = (i64::from(signed(word, 5, 19)) << 2) | i64::from(bits(word, 29, 2));
    let d = target(word, 0);
    if bit(word, 31) { Op::AdrPage { d, offset: offset << 12 } } else { Op::Adr { d, offset } }
}

fn add(word: u32) -> Op {
    let wide = bit(word, 31);
    let sub = bit(word, 30);
    let value = u64::from(bits(word, 10, 12)) << if bit(word, 22) { 12 } else { 0 };
    let n = or_sp(word, 5);
    if bit(word, 29) {
        Op::AddImmediateFlags { wide, carry: sub, d: target(word, 0), n, value: if sub { !value } else { value } }
    } else {
        Op::AddImmediate { wide, d: or_sp(word, 0), n, value: if sub { value.wrapping_neg() } else { value } }
    }
}

/// The bitwise operation of bits 30:29.
pub(super) fn logic(word: u32) -> Logic {
    match bits(word, 29, 2) {
        0 => Logic::And,
        1 => Logic::Orr,
        2 => Logic::Eor,
        _ => Logic::Ands,
    }
}

fn logical(word: u32) -> Op {
    let wide = bit(word, 31);
    let n = bit(word, 22);
    let Some(value) = logical_immediate(n, bits(word, 10, 6), bits(word, 16, 6)).filter(|_| wide || !n) else {
        return Op::Unallocated;
    };
    let logic = logic(word);
    let d = if logic == Logic::Ands { target(word, 0) } else { or_sp(word, 0) };
    Op::LogicalImmediate { wide, logic, d, n: source(word, 5), value }
}

fn wide_move(word: u32) -> Op {
    let wide = bit(word, 31);
    let shift = bits(word, 21, 2) * 16;
    let value = bits(word, 5, 16);
    let d = target(word, 0);
    if !wide && shift > 16 {
        return Op::Unallocated;
    }
    let mask = if wide { u64::MAX } else { u64::from(u32::MAX) };
    let shifted = u64::from(value) << shift;
    match bits(word, 29, 2) {
        0 => Op::Move { d, value: !shifted & mask },
        2 => Op::Move { d, value: shifted },
        3 => Op::MoveKeep { wide, d, shift: shift as u8, value: value as u16 },
        _ => Op::Unallocated,
    }
}

fn bitfield(word: u32) -> Op {
    let wide = bit(word, 31);
    let (rotate, last) = (bits(word, 16, 6), bits(word, 10, 6));
    if bit(word, 22) != wide || (!wide && (rotate > 31 || last > 31)) {
        return Op::Unallocated;
    }
    let kind = match bits(word, 29, 2) {
        0 => Bitfield::Signed,
        1 => Bitfield::Insert,
        2 => Bitfield::Unsigned,
        _ => return Op::Unallocated,
    };
    Op::Bitfield { wide, kind, d: target(word, 0), n: source(word, 5), rotate: rotate as u8, last: last as u8 }
}

fn extract(word: u32) -> Op {
    let wide = bit(word, 31);
    let lsb = bits(word, 10, 6);
    if bits(word, 29, 2) != 0 || bit(word, 21) || bit(word, 22) != wide || (!wide && lsb > 31) {
        return Op::Unallocated;
    }
    Op::Extract { wide, d: target(word, 0), n: source(word, 5), m: source(word, 16), lsb: lsb as u8 }
}
