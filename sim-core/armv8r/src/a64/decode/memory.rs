//! Loads and stores of general registers (Arm ARM, C4.1.88 in issue I.a).

use crate::a64::PointerKey;
use crate::a64::bits::{bit, bits, number, or_sp, signed, source, target};
use crate::a64::insn::{Index, Modify, Op, Shape};

pub(super) fn decode(word: u32) -> Op {
    match (bits(word, 27, 3), bits(word, 24, 2)) {
        (0b001, 0b00) => exclusive(word),
        (0b011, 0b00) => literal(word),
        (0b011, 0b01) if !bit(word, 21) && bits(word, 10, 2) == 0 => ordered_unscaled(word),
        (0b101, _) => pair(word),
        (0b111, 0b00) if bit(word, 21) => match bits(word, 10, 2) {
            0 => atomic(word),
            2 => register_offset(word),
            _ => authenticated(word),
        },
        (0b111, 0b00) => unscaled(word),
        (0b111, 0b01) => unsigned_offset(word),
        _ => Op::Unallocated,
    }
}

/// What an access of one register is.
#[derive(Clone, Copy)]
enum Single {
    Load(Shape),
    Store(Shape),
    Prefetch,
}

/// Bits 31:30 and 23:22 of loads and stores of one register. None: unallocated.
fn single(word: u32) -> Option<Single> {
    let size = bits(word, 30, 2) as u8;
    let shape = Shape { size, signed: false, wide: size == 3, unprivileged: false };
    match (bits(word, 22, 2), size) {
        (0, _) => Some(Single::Store(shape)),
        (1, _) => Some(Single::Load(shape)),
        (2, 0..=2) => Some(Single::Load(Shape { signed: true, wide: true, ..shape })),
        (2, _) => Some(Single::Prefetch),
        (_, 0..=1) => Some(Single::Load(Shape { signed: true, wide: false, ..shape })),
        _ => None,
    }
}

/// LDR and STR of a register at a base with an offset, or PRFM.
fn at_offset(word: u32, single: Option<Single>, offset: i32) -> Op {
    match single {
        Some(Single::Load(shape)) => Op::Load { shape, t: target(word, 0), n: or_sp(word, 5), offset },
        Some(Single::Store(shape)) => Op::Store { shape, t: source(word, 0), n: or_sp(word, 5), offset },
        Some(Single::Prefetch) => Op::Nop,
        None => Op::Unallocated,
    }
}

fn unsigned_offset(word: u32) -> Op {
    let offset = bits(word, 10, 12) << bits(word, 30, 2);
    at_offset(word, single(word), offset.cast_signed())
}

/// LDUR, STUR, LDTR, STTR, and LDR and STR with writeback.
fn unscaled(word: u32) -> Op {
    let offset = signed(word, 12, 9);
    let mode = bits(word, 10, 2);
    let n = or_sp(word, 5);
    match (mode, single(word)) {
        (0, single) => at_offset(word, single, offset),
        (2, Some(Single::Load(shape))) => {
            at_offset(word, Some(Single::Load(Shape { unprivileged: true, ..shape })), offset)
        }
        (2, Some(Single::Store(shape))) => {
            at_offset(word, Some(Single::Store(Shape { unprivileged: true, ..shape })), offset)
        }
        (1 | 3, Some(Single::Load(shape))) => Op::LoadIndexed { shape, t: target(word, 0), n, offset, post: mode == 1 },
        (1 | 3, Some(Single::Store(shape))) => {
            Op::StoreIndexed { shape, t: source(word, 0), n, offset, post: mode == 1 }
        }
        _ => Op::Unallocated,
    }
}

fn register_offset(word: u32) -> Op {
    let extend = bits(word, 13, 3) as u8;
    if extend & 2 == 0 {
        return Op::Unallocated;
    }
    let amount = if bit(word, 12) { bits(word, 30, 2) as u8 } else { 0 };
    let (n, m) = (or_sp(word, 5), source(word, 16));
    match single(word) {
        Some(Single::Load(shape)) => Op::LoadRegister { shape, t: target(word, 0), n, m, extend, amount },
        Some(Single::Store(shape)) => Op::StoreRegister { shape, t: source(word, 0), n, m, extend, amount },
        Some(Single::Prefetch) => Op::Nop,
        None => Op::Unallocated,
    }
}

fn literal(word: u32) -> Op {
    let (size, wide, signed_load) = match bits(word, 30, 2) {
        0 => (2, false, false),
        1 => (3, true, false),
        2 => (2, true, true),
        _ => return Op::Nop,
    };
    let shape = Shape { size, signed: signed_load, wide, unprivileged: false };
    Op::LoadLiteral { shape, t: target(word, 0), offset: signed(word, 5, 19) << 2 }
}

/// The addressing of a pair, bits 24:23: none for the non-temporal form.
pub(super) fn pair_index(word: u32) -> Index {
    match bits(word, 23, 2) {
        1 => Index::Post,
        3 => Index::Pre,
        _ => Index::Offset,
    }
}

fn pair(word: u32) -> Op {
    let opcode = bits(word, 30, 2);
    let load = bit(word, 22);
    let temporal = bits(word, 23, 2) != 0;
    let size = match opcode {
        0 => 2,
        // LDPSW; the store of this code is FEAT_MTE's.
        1 if load && temporal => 2,
        2 => 3,
        _ => return Op::Unallocated,
    };
    let (index, n, offset) = (pair_index(word), or_sp(word, 5), signed(word, 15, 7) << size);
    if load {
        Op::LoadPair { size, signed: opcode == 1, index, t: target(word, 0), t2: target(word, 10), n, offset }
    } else {
        Op::StorePair { size, index, t: source(word, 0), t2: source(word, 10), n, offset }
    }
}

/// Exclusives, LDAR and STLR, LDLAR and STLLR, CAS, CASP.
fn exclusive(word: u32) -> Op {
    let size = bits(word, 30, 2) as u8;
    let load = bit(word, 22);
    let n = or_sp(word, 5);
    let shape = Shape { size, signed: false, wide: size == 3, unprivileged: false };
    match (bit(word, 23), bit(word, 21)) {
        (false, false) if load => Op::LoadExclusive { size, t: target(word, 0), n },
        (false, false) => Op::StoreExclusive { size, s: target(word, 16), t: source(word, 0), n },
        (false, true) if size < 2 => compare_swap_pair(word),
        (false, true) if load => Op::LoadExclusivePair { size, t: target(word, 0), t2: target(word, 10), n },
        (false, true) => {
            Op::StoreExclusivePair { size, s: target(word, 16), t: source(word, 0), t2: source(word, 10), n }
        }
        (true, false) if load => Op::LoadOrdered { shape, t: target(word, 0), n, offset: 0 },
        (true, false) => Op::StoreOrdered { shape, t: source(word, 0), n, offset: 0 },
        (true, true) if number(word, 10) == 31 => Op::CompareSwap { size, s: number(word, 16), t: source(word, 0), n },
        (true, true) => Op::Unallocated,
    }
}

fn compare_swap_pair(word: u32) -> Op {
    let (s, t) = (number(word, 16), number(word, 0));
    if number(word, 10) != 31 || s & 1 == 1 || t & 1 == 1 {
        return Op::Unallocated;
    }
    Op::CompareSwapPair { size: if bit(word, 30) { 3 } else { 2 }, s, t, n: or_sp(word, 5) }
}

/// LDAPUR, STLUR.
fn ordered_unscaled(word: u32) -> Op {
    let (n, offset) = (or_sp(word, 5), signed(word, 12, 9));
    match single(word) {
        Some(Single::Load(shape)) => Op::LoadOrdered { shape, t: target(word, 0), n, offset },
        Some(Single::Store(shape)) => Op::StoreOrdered { shape, t: source(word, 0), n, offset },
        _ => Op::Unallocated,
    }
}

/// `FEAT_LSE`'s, and LDAPR.
fn atomic(word: u32) -> Op {
    let size = bits(word, 30, 2) as u8;
    let (s, t, n) = (source(word, 16), target(word, 0), or_sp(word, 5));
    let modify = match bits(word, 12, 4) {
        0 => Modify::Add,
        1 => Modify::Clear,
        2 => Modify::Eor,
        3 => Modify::Set,
        4 => Modify::SignedMax,
        5 => Modify::SignedMin,
        6 => Modify::UnsignedMax,
        7 => Modify::UnsignedMin,
        8 => Modify::Swap,
        12 if bits(word, 22, 2) == 2 && number(word, 16) == 31 => {
            let shape = Shape { size, signed: false, wide: size == 3, unprivileged: false };
            return Op::LoadOrdered { shape, t, n, offset: 0 };
        }
        _ => return Op::Unallocated,
    };
    Op::Atomic { modify, size, s, t, n }
}

/// LDRAA, LDRAB.
fn authenticated(word: u32) -> Op {
    if bits(word, 30, 2) != 3 {
        return Op::Unallocated;
    }
    let offset = bits(word, 12, 9).cast_signed() - (bits(word, 22, 1).cast_signed() << 9);
    let key = if bit(word, 23) { PointerKey::DataB } else { PointerKey::DataA };
    let writeback = bit(word, 11);
    let t = target(word, 0);
    Op::LoadAuthenticated { key, writeback, t, n: or_sp(word, 5), offset: offset << 3 }
}
