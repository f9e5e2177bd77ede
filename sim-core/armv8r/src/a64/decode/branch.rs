//! Branches, exception generation and system instructions (Arm ARM, C4.1.87 in issue I.a).

use crate::a64::bits::{bit, bits, number, or_sp, signed, source, target};
use crate::a64::insn::{Call, Op};
use crate::a64::slot::{LINK, SP, Slot, ZERO};
use crate::a64::{Barrier, Hint, PointerKey, SysEncoding};

pub(super) fn decode(word: u32) -> Op {
    match bits(word, 29, 3) {
        0b000 => Op::Branch { offset: signed(word, 0, 26) << 2 },
        0b100 => Op::BranchLink { offset: signed(word, 0, 26) << 2 },
        0b001 | 0b101 => compare_or_test(word),
        0b010 if !bit(word, 24) && !bit(word, 25) && !bit(word, 4) => {
            Op::BranchIf { condition: bits(word, 0, 4) as u8, offset: signed(word, 5, 19) << 2 }
        }
        0b110 if bit(word, 25) => branch_register(word),
        0b110 if !bit(word, 24) => exception(word),
        0b110 if bits(word, 22, 2) == 0 => system(word),
        _ => Op::Unallocated,
    }
}

fn compare_or_test(word: u32) -> Op {
    let nonzero = bit(word, 24);
    let t = source(word, 0);
    if bit(word, 25) {
        let position = (bits(word, 31, 1) << 5) | bits(word, 19, 5);
        Op::TestBranch { bit: position as u8, nonzero, t, offset: signed(word, 5, 14) << 2 }
    } else {
        Op::CompareBranch { wide: bit(word, 31), nonzero, t, offset: signed(word, 5, 19) << 2 }
    }
}

const fn instruction_key(b: bool) -> PointerKey {
    if b { PointerKey::InstructionB } else { PointerKey::InstructionA }
}

fn branch_register(word: u32) -> Op {
    if bits(word, 16, 5) != 0b11111 {
        return Op::Unallocated;
    }
    let (opcode, form, operand) = (bits(word, 21, 4), bits(word, 10, 6), number(word, 0));
    let n = source(word, 5);
    let key = instruction_key(bit(word, 10));
    match (opcode, form) {
        (0..=2, 0) if operand == 0 => Op::BranchRegister { link: opcode == 1, n },
        (0 | 1, 2 | 3) if operand == 31 => Op::BranchAuthenticated { link: opcode == 1, key, n, modifier: ZERO },
        (2, 2 | 3) if operand == 31 && n == ZERO => Op::BranchAuthenticated { link: false, key, n: LINK, modifier: SP },
        (4, 0) if operand == 0 && n == ZERO => Op::ExceptionReturn,
        (4, 2 | 3) if operand == 31 && n == ZERO => Op::ExceptionReturnAuthenticated { key },
        (8 | 9, 2 | 3) => Op::BranchAuthenticated { link: opcode == 9, key, n, modifier: or_sp(word, 0) },
        // DRPS is UNDEFINED outside of Debug state, which this PE does not have.
        _ => Op::Unallocated,
    }
}

fn exception(word: u32) -> Op {
    let value = bits(word, 5, 16) as u16;
    let call = match (bits(word, 21, 3), bits(word, 0, 5)) {
        (0, 1) => Call::Svc,
        (0, 2) => Call::Hvc,
        (0, 3) => Call::Smc,
        (1, 0) => Call::Brk,
        (2, 0) => Call::Hlt,
        // DCPS1 to DCPS3 are UNDEFINED outside of Debug state, which this PE does not have.
        _ => return Op::Unallocated,
    };
    Op::Raise { call, value }
}

fn system(word: u32) -> Op {
    let encoding = SysEncoding(bits(word, 5, 16) as u16);
    match (bit(word, 21), bits(word, 19, 2)) {
        (false, 0) => barrier_or_hint(word),
        (true, 0) => Op::Unallocated,
        (false, 1) => Op::System { operation: encoding, t: source(word, 0) },
        (false, _) => Op::WriteSystem { register: encoding, t: source(word, 0) },
        (true, _) => Op::ReadSystem { register: encoding, t: target(word, 0) },
    }
}

fn barrier_or_hint(word: u32) -> Op {
    let (op1, crn, crm, op2) = (bits(word, 16, 3), bits(word, 12, 4), bits(word, 8, 4), bits(word, 5, 3));
    if number(word, 0) != 31 {
        return Op::Unallocated;
    }
    match (crn, op1, op2) {
        (2, 3, _) => hint(bits(word, 5, 7)),
        (3, 3, 2) => Op::ClearExclusive,
        (3, 3, 4) => Op::Barrier(Barrier::Dsb),
        (3, 3, 5) => Op::Barrier(Barrier::Dmb),
        (3, 3, 6) => Op::Barrier(Barrier::Isb),
        (3, 3, 7) if crm == 0 => Op::Barrier(Barrier::Sb),
        (4, 0, 0) if crm == 0 => Op::InvertCarry,
        // UAO, PAN, SPSel; SSBS, DIT, DAIFSet, DAIFClr.
        (4, 0, 3..=5) | (4, 3, 1 | 2 | 6 | 7) => Op::WritePstate { op1: op1 as u8, op2: op2 as u8, value: crm as u8 },
        _ => Op::Unallocated,
    }
}

/// The hint space: what is not allocated there is a NOP.
fn hint(number: u32) -> Op {
    let key = instruction_key(number & 2 != 0);
    let sign = |d: Slot, modifier: Slot| {
        if number & 4 == 0 { Op::Sign { key, d, modifier } } else { Op::Authenticate { key, d, modifier } }
    };
    match number {
        1 => Op::Hint(Hint::Yield),
        2 => Op::Hint(Hint::Wfe),
        3 => Op::Hint(Hint::Wfi),
        4 => Op::Hint(Hint::Sev),
        5 => Op::Hint(Hint::Sevl),
        7 => Op::Strip { d: LINK },
        // PACIA1716 and its kin.
        8 | 10 | 12 | 14 => sign(17, 16),
        16 => Op::Hint(Hint::Esb),
        // PACIAZ and its kin.
        24 | 26 | 28 | 30 => sign(LINK, ZERO),
        // PACIASP and its kin.
        25 | 27 | 29 | 31 => sign(LINK, SP),
        _ => Op::Nop,
    }
}
