//! Fields of instruction words.

use crate::a64::slot::{SINK, Slot, ZERO};

/// `count` bits of a word from bit `low` on.
pub(in crate::a64) const fn bits(word: u32, low: u32, count: u32) -> u32 {
    (word >> low) & ((1 << count) - 1)
}

/// A bit of a word.
pub(in crate::a64) const fn bit(word: u32, at: u32) -> bool {
    (word >> at) & 1 == 1
}

/// `count` bits of a word from bit `low` on, as a signed number.
pub(in crate::a64) const fn signed(word: u32, low: u32, count: u32) -> i32 {
    (word << (32 - low - count)).cast_signed() >> (32 - count)
}

/// A register field from bit `low` on, as its number.
pub(in crate::a64) const fn number(word: u32, low: u32) -> u8 {
    bits(word, low, 5) as u8
}

/// A register field where 31 is SP.
pub(in crate::a64) const fn or_sp(word: u32, low: u32) -> Slot {
    number(word, low)
}

/// A register that is read, where 31 is XZR.
pub(in crate::a64) const fn source(word: u32, low: u32) -> Slot {
    let number = number(word, low);
    if number == 31 { ZERO } else { number }
}

/// A register that is written, where 31 is XZR.
pub(in crate::a64) const fn target(word: u32, low: u32) -> Slot {
    let number = number(word, low);
    if number == 31 { SINK } else { number }
}

/// The low `count` bits set; `count` is at most 64.
pub(in crate::a64) const fn ones(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// The value of the low bits of a number, its sign extended.
pub(in crate::a64) const fn sign_extend(value: u64, count: u32) -> u64 {
    let rest = 64 - count;
    ((value << rest).cast_signed() >> rest).cast_unsigned()
}

/// `DecodeBitMasks` for a logical immediate of the fields N, imms and immr (Arm ARM, shared pseudocode): the mask, or none where the encoding is reserved.
pub(in crate::a64) const fn logical_immediate(n: bool, last: u32, rotate: u32) -> Option<u64> {
    let levels = ((n as u32) << 6) | (!last & 0x3f);
    if levels < 2 {
        return None;
    }
    let length = levels.ilog2();
    let size = 1 << length;
    let last = last & (size - 1);
    if last == size - 1 {
        return None;
    }
    let rotate = rotate & (size - 1);
    let element = ones(last + 1);
    let rotated = ((element >> rotate) | element.unbounded_shl(size - rotate)) & ones(size);
    let mut mask = rotated;
    let mut width = size;
    while width < 64 {
        mask |= mask << width;
        width *= 2;
    }
    Some(mask)
}

#[cfg(test)]
mod tests {
    use super::{logical_immediate, sign_extend, signed};

    #[test]
    fn a_signed_field_keeps_its_sign() {
        assert_eq!(signed(0x03ff_ffff, 0, 26), -1);
        assert_eq!(signed(0x001f_f000, 12, 9), -1);
        assert_eq!(signed(0x000f_f000, 12, 9), 255);
        assert_eq!(sign_extend(0x80, 8), 0xffff_ffff_ffff_ff80);
    }

    #[test]
    fn masks_are_those_of_the_manual() {
        assert_eq!(logical_immediate(true, 0, 0), Some(1));
        assert_eq!(logical_immediate(false, 0x3c, 0), Some(0x5555_5555_5555_5555));
        assert_eq!(logical_immediate(false, 0x3c, 1), Some(0xaaaa_aaaa_aaaa_aaaa));
        assert_eq!(logical_immediate(true, 0x3e, 63), Some(0xffff_ffff_ffff_fffe));
        assert_eq!(logical_immediate(false, 0x07, 4), Some(0xf000_000f_f000_000f));
        assert_eq!(logical_immediate(true, 0x3f, 0), None);
        assert_eq!(logical_immediate(false, 0x3f, 0), None);
        assert_eq!(logical_immediate(false, 0x3d, 0), None);
    }
}
