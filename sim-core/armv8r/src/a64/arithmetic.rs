//! Integer operations (Arm ARM, shared pseudocode: `AddWithCarry`, `ShiftReg`, `ExtendReg`, `ConditionHolds` and their kin).

use crate::a64::bits::{ones, sign_extend};
use crate::a64::insn::{Bitfield, One, Shift};

/// N of NZCV as [`crate::a64::Regs::nzcv`] holds it.
pub(in crate::a64) const N: u32 = 1 << 31;
/// Z.
pub(in crate::a64) const Z: u32 = 1 << 30;
/// C.
pub(in crate::a64) const C: u32 = 1 << 29;
/// V.
pub(in crate::a64) const V: u32 = 1 << 28;

/// Bits of a register.
pub(in crate::a64) const fn width(wide: bool) -> u32 {
    if wide { 64 } else { 32 }
}

/// The part of a value that is operated on.
pub(in crate::a64) const fn narrow(wide: bool, value: u64) -> u64 {
    if wide { value } else { value & ones(32) }
}

const fn flag(set: bool, flag: u32) -> u32 {
    if set { flag } else { 0 }
}

/// N and Z of a result; C and V clear.
pub(in crate::a64) const fn sign_and_zero(wide: bool, value: u64) -> u32 {
    let value = narrow(wide, value);
    flag(value >> (width(wide) - 1) == 1, N) | flag(value == 0, Z)
}

/// The sum and its flags.
pub(in crate::a64) const fn add_with_carry(wide: bool, one: u64, two: u64, carry: bool) -> (u64, u32) {
    let (sum, carried, overflow) = if wide {
        let (sum, first) = one.overflowing_add(two);
        let (sum, second) = sum.overflowing_add(carry as u64);
        (sum, first | second, ((one ^ sum) & (two ^ sum)) >> 63 == 1)
    } else {
        let total = (one & ones(32)) + (two & ones(32)) + carry as u64;
        (total & ones(32), total >> 32 == 1, (((one ^ total) & (two ^ total)) >> 31) & 1 == 1)
    };
    (sum, sign_and_zero(wide, sum) | flag(carried, C) | flag(overflow, V))
}

/// A register shifted, or rotated, by less than its width.
pub(in crate::a64) const fn shifted(wide: bool, value: u64, shift: Shift, amount: u32) -> u64 {
    if wide {
        match shift {
            Shift::Lsl => value << amount,
            Shift::Lsr => value >> amount,
            Shift::Asr => (value.cast_signed() >> amount).cast_unsigned(),
            Shift::Ror => value.rotate_right(amount),
        }
    } else {
        let value = value as u32;
        (match shift {
            Shift::Lsl => value << amount,
            Shift::Lsr => value >> amount,
            Shift::Asr => (value.cast_signed() >> amount).cast_unsigned(),
            Shift::Ror => value.rotate_right(amount),
        }) as u64
    }
}

/// A register extended by UXTB to SXTX, then shifted to the left by at most 4.
pub(in crate::a64) const fn extended(value: u64, extend: u8, amount: u8) -> u64 {
    let count = 8 << (extend & 3);
    let value = if extend & 4 == 0 { value & ones(count) } else { sign_extend(value, count) };
    value << (amount & 7)
}

/// Whether a condition holds.
pub(in crate::a64) const fn holds(condition: u8, nzcv: u32) -> bool {
    let n = nzcv & N != 0;
    let z = nzcv & Z != 0;
    let c = nzcv & C != 0;
    let v = nzcv & V != 0;
    let base = match condition >> 1 {
        0 => z,
        1 => c,
        2 => n,
        3 => v,
        4 => c && !z,
        5 => n == v,
        6 => n == v && !z,
        _ => return true,
    };
    base != (condition & 1 == 1)
}

/// SBFM, BFM, UBFM of `value` into `there`.
pub(in crate::a64) const fn bitfield(
    wide: bool,
    kind: Bitfield,
    there: u64,
    value: u64,
    rotate: u32,
    last: u32,
) -> u64 {
    let value = narrow(wide, value);
    // The field, how long it is, and where it comes to.
    let (field, length, at) =
        if last >= rotate { (value >> rotate, last - rotate + 1, 0) } else { (value, last + 1, width(wide) - rotate) };
    let field = field & ones(length);
    match kind {
        Bitfield::Unsigned => field << at,
        Bitfield::Signed => sign_extend(field, length) << at,
        Bitfield::Insert => (there & !(ones(length) << at)) | (field << at),
    }
}

/// Two registers side by side, from bit `lsb` of the second on.
pub(in crate::a64) const fn extract(wide: bool, high: u64, low: u64, lsb: u32) -> u64 {
    if wide { low >> lsb | high.unbounded_shl(64 - lsb) } else { (((high & ones(32)) << 32) | (low & ones(32))) >> lsb }
}

pub(in crate::a64) const fn one_source(wide: bool, one: One, value: u64) -> u64 {
    let value = narrow(wide, value);
    let unused = 64 - width(wide);
    match one {
        One::ReverseBits => value.reverse_bits() >> unused,
        One::Reverse16 => ((value & 0x00ff_00ff_00ff_00ff) << 8) | ((value >> 8) & 0x00ff_00ff_00ff_00ff),
        One::Reverse32 => value.swap_bytes().rotate_right(32),
        One::Reverse64 => value.swap_bytes(),
        One::LeadingZeros => (value.leading_zeros() - unused) as u64,
        One::LeadingSigns => {
            let signed = (value << unused).cast_signed();
            // The bits below the sign that equal it; the zeroes shifted in end them only where the sign is set.
            let equal = (signed ^ (signed >> 63)).leading_zeros();
            let equal = if equal > width(wide) { width(wide) } else { equal };
            (equal - 1) as u64
        }
    }
}

/// Division rounds to zero; by zero it gives zero.
pub(in crate::a64) const fn unsigned_divide(wide: bool, one: u64, two: u64) -> u64 {
    match narrow(wide, one).checked_div(narrow(wide, two)) {
        Some(quotient) => quotient,
        None => 0,
    }
}

/// Division rounds to zero; by zero it gives zero, and the least number by -1 gives itself.
pub(in crate::a64) const fn signed_divide(wide: bool, one: u64, two: u64) -> u64 {
    let (one, two) = (sign_extend(one, width(wide)).cast_signed(), sign_extend(two, width(wide)).cast_signed());
    if two == 0 { 0 } else { one.wrapping_div(two).cast_unsigned() }
}

/// CRC32B to CRC32X and CRC32CB to CRC32CX: `bytes` bytes of a value go into the accumulator.
pub(in crate::a64) const fn crc32(castagnoli: bool, accumulator: u32, value: u64, bytes: u32) -> u32 {
    let polynomial = if castagnoli { 0x82f6_3b78 } else { 0xedb8_8320 };
    let mut crc = accumulator as u64 ^ (value & ones(bytes * 8));
    let mut bit = 0;
    // The reflected form: one step for each bit. What is above the accumulator comes down meanwhile.
    while bit < bytes * 8 {
        crc = (crc >> 1) ^ if crc & 1 == 1 { polynomial } else { 0 };
        bit += 1;
    }
    crc as u32
}

/// RMIF: the flags of `mask` from the low bits of a value.
pub(in crate::a64) const fn rotated_flags(nzcv: u32, value: u64, amount: u32, mask: u8) -> u32 {
    let mask = (mask as u32) << 28;
    ((value.rotate_right(amount) as u32) << 28) & mask | nzcv & !mask
}

/// SETF8, SETF16: N, Z and V of a value of so many bits; C stays.
pub(in crate::a64) const fn set_flags(nzcv: u32, value: u64, bits: u32) -> u32 {
    let sign = (value >> (bits - 1)) & 1 == 1;
    let above = (value >> bits) & 1 == 1;
    flag(sign, N) | flag(value & ones(bits) == 0, Z) | (nzcv & C) | flag(sign != above, V)
}
