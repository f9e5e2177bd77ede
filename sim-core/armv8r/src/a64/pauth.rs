//! Pointer authentication codes (Arm ARM, D5.1.5 `ComputePAC` and its kin; QARMA5 as `FEAT_PAuth` has it: R. Avanzi, "The QARMA Block
//! Cipher Family", IACR ePrint 2016/444, QARMA-64 with sigma 2 and five rounds).
//!
//! Addresses have 48 bits and no tag: the code takes bits 63:56 and 54:48; bit 55 tells the upper from the lower range. `FEAT_EPAC`,
//! `FEAT_PAuth2` and `FEAT_FPAC` are not there.

use crate::a64::PointerKey;
use crate::a64::bits::ones;

/// Rounds before and after the middle one.
const ROUNDS: usize = 5;
const ROUND_CONSTANTS: [u64; ROUNDS] =
    [0, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89, 0x452821E638D01377];
const ALPHA: u64 = 0xC0AC29B7C97C50DD;

/// Cells are numbered from the most significant nibble on.
type Cells = [u8; 16];

/// Which cell comes to each place, by the cipher's permutation tau.
const SHUFFLE: Cells = [0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2];
/// The same for the tweak.
const TWEAK_SHUFFLE: Cells = [6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11];
/// Cells of the tweak that are stepped.
const STEPPED: [bool; 16] =
    [true, true, false, true, true, false, false, false, true, false, false, true, false, true, false, false];
/// The substitution.
const SUBSTITUTE: Cells = [0xb, 6, 8, 0xf, 0xc, 0, 9, 0xe, 3, 7, 4, 5, 0xd, 2, 1, 0xa];

const SHUFFLE_BACK: Cells = inverse(SHUFFLE);
const TWEAK_SHUFFLE_BACK: Cells = inverse(TWEAK_SHUFFLE);
const SUBSTITUTE_BACK: Cells = inverse(SUBSTITUTE);

/// The inverse of a permutation. Evaluated by the compiler only.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn inverse(permutation: Cells) -> Cells {
    let mut back = [0; 16];
    let mut at = 0;
    while at < 16 {
        back[permutation[at] as usize] = at as u8;
        at += 1;
    }
    back
}

/// One cell of a block.
const fn cell(block: u64, at: u8) -> u8 {
    (block >> (60 - 4 * (at as u32 & 15))) as u8 & 0xf
}

fn shuffle(block: u64, places: Cells) -> u64 {
    places.iter().fold(0, |done, from| (done << 4) | u64::from(cell(block, *from)))
}

fn substitute(block: u64, table: Cells) -> u64 {
    (0..16).fold(0, |done, at| (done << 4) | u64::from(table.get(usize::from(cell(block, at))).copied().unwrap_or(0)))
}

const fn rotate(cell: u8, by: u32) -> u8 {
    ((cell << by) | (cell >> (4 - by))) & 0xf
}

/// Multiplication with the matrix circ(0, r, r^2, r), column by column, r a rotation to the left by one.
fn multiply(block: u64) -> u64 {
    (0..16).fold(0, |done, at| {
        let below = |rows: u8| cell(block, at + 4 * rows);
        (done << 4) | u64::from(rotate(below(1), 1) ^ rotate(below(2), 2) ^ rotate(below(3), 1))
    })
}

fn step_tweak(tweak: u64) -> u64 {
    let shuffled = shuffle(tweak, TWEAK_SHUFFLE);
    (0..16).zip(STEPPED).fold(0, |done, (at, stepped)| {
        let cell = cell(shuffled, at);
        let next = if stepped { (cell >> 1) | (((cell ^ (cell >> 1)) & 1) << 3) } else { cell };
        (done << 4) | u64::from(next)
    })
}

fn step_tweak_back(tweak: u64) -> u64 {
    let unstepped = (0..16).zip(STEPPED).fold(0, |done, (at, stepped)| {
        let cell = cell(tweak, at);
        let next = if stepped { ((cell << 1) & 0xf) | (((cell >> 3) ^ cell) & 1) } else { cell };
        (done << 4) | u64::from(next)
    });
    shuffle(unstepped, TWEAK_SHUFFLE_BACK)
}

/// `ComputePAC`: the code of 64 bits.
pub(in crate::a64) fn compute(data: u64, modifier: u64, key: u128) -> u64 {
    let (white, core) = ((key >> 64) as u64, key as u64);
    let white_out = white.rotate_right(1) ^ (white >> 63);
    let mut tweak = modifier;
    let mut block = data ^ white;
    for (round, constant) in ROUND_CONSTANTS.iter().enumerate() {
        block ^= core ^ tweak ^ constant;
        if round > 0 {
            block = multiply(shuffle(block, SHUFFLE));
        }
        block = substitute(block, SUBSTITUTE);
        tweak = step_tweak(tweak);
    }
    block = substitute(multiply(shuffle(block ^ white_out ^ tweak, SHUFFLE)), SUBSTITUTE);
    block = multiply(shuffle(block, SHUFFLE)) ^ core;
    block = substitute(shuffle(block, SHUFFLE_BACK), SUBSTITUTE_BACK);
    block = shuffle(multiply(block), SHUFFLE_BACK) ^ white ^ tweak;
    for (round, constant) in ROUND_CONSTANTS.iter().rev().enumerate() {
        block = substitute(block, SUBSTITUTE_BACK);
        if round < ROUNDS - 1 {
            block = shuffle(multiply(block), SHUFFLE_BACK);
        }
        tweak = step_tweak_back(tweak);
        block ^= core ^ tweak ^ constant ^ ALPHA;
    }
    block ^ white_out
}

/// The bits of an address.
const ADDRESS: u64 = ones(48);
/// Where the code is put.
const CODE: u64 = !ADDRESS & !RANGE;
/// What tells the upper range from the lower.
const RANGE: u64 = 1 << 55;

/// An address with all bits above it equal.
const fn extended(pointer: u64, upper: bool) -> u64 {
    if upper { pointer | !ADDRESS } else { pointer & ADDRESS }
}

/// `AddPAC`.
pub(in crate::a64) fn sign(pointer: u64, modifier: u64, key: u128) -> u64 {
    let upper = pointer >> 63 == 1;
    let mut code = compute(extended(pointer, upper), modifier, key);
    if pointer != extended(pointer, false) && pointer != extended(pointer, true) {
        code ^= 1 << 62;
    }
    (code & CODE) | (pointer & ADDRESS) | if upper { RANGE } else { 0 }
}

/// `Auth`, without `FEAT_FPAC`: a pointer whose code is wrong becomes one that faults.
pub(in crate::a64) fn authenticate(pointer: u64, modifier: u64, key: u128, which: PointerKey) -> u64 {
    let original = strip(pointer);
    if (compute(original, modifier, key) ^ pointer) & CODE == 0 {
        return original;
    }
    let error = if matches!(which, PointerKey::InstructionB | PointerKey::DataB) { 0b10 } else { 0b01 };
    (original & !(0b11 << 61)) | (error << 61)
}

/// `Strip`.
pub(in crate::a64) const fn strip(pointer: u64) -> u64 {
    extended(pointer, pointer & RANGE != 0)
}

/// PACGA.
pub(in crate::a64) fn generic(data: u64, modifier: u64, key: u128) -> u64 {
    compute(data, modifier, key) & !ones(32)
}

#[cfg(test)]
mod tests {
    use super::{authenticate, compute, generic, sign, step_tweak, step_tweak_back, strip};
    use crate::a64::PointerKey;

    /// The paper's key: w0, k0.
    const KEY: u128 = 0x84be85ce9804e94b_ec2802d4e0a488e9;
    const TWEAK: u64 = 0x477d469dec0b8762;

    /// The paper's vector for sigma 2 and r = 5.
    #[test]
    fn the_code_is_that_of_the_paper() {
        assert_eq!(compute(0xfb623599da6e8127, TWEAK, KEY), 0xc003b93999b33765);
        assert_eq!(generic(0xfb623599da6e8127, TWEAK, KEY), 0xc003b93900000000);
    }

    #[test]
    fn the_tweak_goes_back_as_it_came() {
        let mut tweak = TWEAK;
        for _ in 0..7 {
            tweak = step_tweak(tweak);
        }
        for _ in 0..7 {
            tweak = step_tweak_back(tweak);
        }
        assert_eq!(tweak, TWEAK);
    }

    #[test]
    fn what_was_signed_authenticates() {
        for pointer in [0, 0x1234_5678, 0xffff_0000_0000_1000, u64::MAX, 0x0000_ffff_ffff_ffff] {
            let signed = sign(pointer, TWEAK, KEY);
            assert_eq!(signed & 0x0080_ffff_ffff_ffff, pointer & 0x0080_ffff_ffff_ffff);
            assert_eq!(authenticate(signed, TWEAK, KEY, PointerKey::InstructionA), pointer);
            assert_eq!(strip(signed), pointer);
        }
    }

    #[test]
    fn what_was_not_signed_gets_the_error_of_its_key() {
        let signed = sign(0x1000, TWEAK, KEY);
        for (key, error) in [(PointerKey::InstructionA, 1), (PointerKey::DataB, 2)] {
            assert_eq!(authenticate(signed, TWEAK + 1, KEY, key), 0x1000 | (error << 61));
        }
        let upper = sign(0xffff_0000_0000_1000, TWEAK, KEY);
        assert_eq!(authenticate(upper ^ (1 << 60), TWEAK, KEY, PointerKey::DataA), 0xbfff_0000_0000_1000);
    }

    #[test]
    fn a_pointer_that_is_no_address_gets_a_wrong_code() {
        let signed = sign(0x0123_0000_0000_1000, TWEAK, KEY);
        assert_eq!(signed ^ sign(0x1000, TWEAK, KEY), 1 << 62);
        assert_eq!(authenticate(signed, TWEAK, KEY, PointerKey::DataA), 0x1000 | (1 << 61));
    }
}
