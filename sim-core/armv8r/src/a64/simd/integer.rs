//! What is done to the values of lanes (Arm ARM, C7.2; `SatQ` and its kin of the shared pseudocode).
//!
//! A lane's value is an `i128`, so that no sum, difference, product of lanes or shift of one overflows.

use crate::a64::bits::{ones, sign_extend};
use crate::a64::simd::op::{Long, Same, ShiftBy, Unary};

/// The value of a lane of `bits` bits.
pub(super) const fn value(lane: u64, bits: u32, unsigned: bool) -> i128 {
    if unsigned { lane as i128 } else { sign_extend(lane, bits).cast_signed() as i128 }
}

/// A value as it fits into a lane, `saturated` set where it had to be changed.
pub(super) const fn saturate(value: i128, bits: u32, unsigned: bool, saturated: &mut bool) -> i128 {
    let (least, most) =
        if unsigned { (0, ones(bits) as i128) } else { (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1) };
    if value < least {
        *saturated = true;
        least
    } else if value > most {
        *saturated = true;
        most
    } else {
        value
    }
}

/// A truth value, in all bits of a lane.
const fn all(truth: bool) -> i128 {
    if truth { -1 } else { 0 }
}

/// Shifted to the right, rounded to the nearest where asked for.
pub(super) const fn right(value: i128, by: u32, rounding: bool) -> i128 {
    // Lanes have 64 bits at most; anything beyond gives what 100 does.
    let by = if by > 100 { 100 } else { by };
    if rounding && by > 0 { (value + (1 << (by - 1))) >> by } else { value >> by }
}

/// Shifted by the signed count in the low byte of a register's lane.
fn shift(one: i128, by: i128, (saturating, rounding): (bool, bool), bits: u32, unsigned: bool, q: &mut bool) -> i128 {
    let count = i32::from((by.cast_unsigned() as u8).cast_signed());
    if count < 0 {
        return right(one, count.unsigned_abs(), rounding);
    }
    let count = count.unsigned_abs();
    if saturating {
        let far = if count >= bits { one.signum() << 100 } else { one << count };
        saturate(far, bits, unsigned, q)
    } else if count >= bits {
        0
    } else {
        one << count
    }
}

/// A product of polynomials over {0, 1}.
const fn polynomial(one: i128, two: i128) -> i128 {
    let mut product = 0;
    let mut bit = 0;
    while bit < 64 {
        if (two >> bit) & 1 == 1 {
            product ^= one << bit;
        }
        bit += 1;
    }
    product
}

/// One lane of two, `there` being what the lane that is written holds.
pub(super) fn same(same: Same, unsigned: bool, bits: u32, lanes: (u64, u64), there: u64, q: &mut bool) -> i128 {
    // Products with saturation are of signed lanes.
    let unsigned = unsigned && !matches!(same, Same::DoublingHigh { .. } | Same::DoublingHighAdd { .. });
    let (one, two) = (value(lanes.0, bits, unsigned), value(lanes.1, bits, unsigned));
    let there = value(there, bits, unsigned);
    match same {
        Same::HalvingAdd => (one + two) >> 1,
        Same::RoundingHalvingAdd => (one + two + 1) >> 1,
        Same::HalvingSub => (one - two) >> 1,
        Same::SaturatingAdd => saturate(one + two, bits, unsigned, q),
        Same::SaturatingSub => saturate(one - two, bits, unsigned, q),
        Same::Greater => all(one > two),
        Same::GreaterOrEqual => all(one >= two),
        Same::Shift { saturating, rounding } => shift(one, two, (saturating, rounding), bits, unsigned, q),
        Same::Maximum => one.max(two),
        Same::Minimum => one.min(two),
        Same::Difference => (one - two).abs(),
        Same::DifferenceAdd => there + (one - two).abs(),
        Same::Add => one + two,
        Same::Sub => one - two,
        Same::Test => all(one & two != 0),
        Same::Equal => all(one == two),
        Same::MultiplyAdd => there + one * two,
        Same::MultiplySub => there - one * two,
        Same::Multiply => one * two,
        Same::PolynomialMultiply => polynomial(one, two),
        Same::DoublingHigh { rounding } => saturate(right(2 * one * two, bits, rounding), bits, false, q),
        Same::DoublingHighAdd { sub } => {
            let product = if sub { -2 * one * two } else { 2 * one * two };
            saturate(right((there << bits) + product, bits, true), bits, false, q)
        }
    }
}

/// One wide lane of two values; `bits` are those of the sources.
pub(super) const fn long(
    long: Long,
    unsigned: bool,
    bits: u32,
    (one, two): (i128, i128),
    there: u64,
    q: &mut bool,
) -> i128 {
    let wide = bits * 2;
    let there = value(there, wide, unsigned);
    match long {
        Long::Add => one + two,
        Long::Sub => one - two,
        Long::Difference => (one - two).abs(),
        Long::DifferenceAdd => there + (one - two).abs(),
        Long::Multiply => one * two,
        Long::MultiplyAdd => there + one * two,
        Long::MultiplySub => there - one * two,
        Long::PolynomialMultiply => polynomial(one, two),
        Long::Doubling => saturate(2 * one * two, wide, false, q),
        Long::DoublingAdd => {
            let product = saturate(2 * one * two, wide, false, q);
            saturate(there + product, wide, false, q)
        }
        Long::DoublingSub => {
            let product = saturate(2 * one * two, wide, false, q);
            saturate(there - product, wide, false, q)
        }
    }
}

/// One lane of one.
pub(super) const fn unary(unary: Unary, unsigned: bool, bits: u32, lane: u64, there: u64, q: &mut bool) -> i128 {
    let signed = value(lane, bits, false);
    match unary {
        Unary::SaturatingAddOther => {
            saturate(value(there, bits, unsigned) + value(lane, bits, !unsigned), bits, unsigned, q)
        }
        Unary::LeadingSigns => {
            let flipped = (signed ^ (signed >> 127)).cast_unsigned() as u64 & ones(bits);
            (flipped.leading_zeros() - (64 - bits)) as i128 - 1
        }
        Unary::LeadingZeros => (lane.leading_zeros() - (64 - bits)) as i128,
        Unary::CountBits => lane.count_ones() as i128,
        Unary::SaturatingAbsolute => saturate(signed.abs(), bits, false, q),
        Unary::SaturatingNegate => saturate(-signed, bits, false, q),
        Unary::GreaterThanZero => all(signed > 0),
        Unary::GreaterOrEqualZero => all(signed >= 0),
        Unary::EqualZero => all(signed == 0),
        Unary::LessOrEqualZero => all(signed <= 0),
        Unary::LessThanZero => all(signed < 0),
        Unary::Absolute => signed.abs(),
        Unary::Negate => -signed,
        Unary::Not => !signed,
        Unary::ReverseBits => (lane.reverse_bits() >> (64 - bits)) as i128,
    }
}

/// One lane shifted by an immediate.
pub(super) const fn shift_by(
    shift_by: ShiftBy,
    unsigned: bool,
    (bits, amount): (u32, u32),
    lane: u64,
    there: u64,
    q: &mut bool,
) -> i128 {
    let one = value(lane, bits, unsigned);
    match shift_by {
        ShiftBy::Right { rounding, add } => {
            let shifted = right(one, amount, rounding);
            if add { shifted + value(there, bits, unsigned) } else { shifted }
        }
        ShiftBy::RightInsert => {
            let kept = there & !ones(bits - amount);
            (kept | lane.unbounded_shr(amount)) as i128
        }
        ShiftBy::Left => (lane as i128) << amount,
        ShiftBy::LeftInsert => (there & ones(amount)) as i128 | ((lane as i128) << amount),
        ShiftBy::LeftSaturating => saturate(one << amount, bits, unsigned, q),
        ShiftBy::LeftSignedToUnsigned => saturate(value(lane, bits, false) << amount, bits, true, q),
    }
}
