//! Accesses that read and write as one (Arm ARM, C3.2.12 and C3.2.13, `FEAT_LSE`).

use crate::a64::bits::sign_extend;

/// An access that reads and writes as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomic {
    /// Add.
    Add,
    /// Clear the bits.
    Clear,
    /// Exclusive or.
    Eor,
    /// Set the bits.
    Set,
    /// The larger, signed.
    SignedMax,
    /// The smaller, signed.
    SignedMin,
    /// The larger, unsigned.
    UnsignedMax,
    /// The smaller, unsigned.
    UnsignedMin,
    /// Swap.
    Swap,
    /// Store if what is there equals this.
    CompareAndSwap(u128),
}

impl Atomic {
    /// What is stored, of what was `there` and the operand, both of `bytes` bytes. None: nothing is.
    #[must_use]
    pub const fn result(self, there: u128, operand: u128, bytes: u8) -> Option<u128> {
        let mask = if bytes >= 16 { u128::MAX } else { (1 << (bytes as u32 * 8)) - 1 };
        let (there, operand) = (there & mask, operand & mask);
        let sign = 64_u32.saturating_sub(bytes as u32 * 8);
        let less =
            sign_extend(there as u64, 64 - sign).cast_signed() < sign_extend(operand as u64, 64 - sign).cast_signed();
        let stored = match self {
            Self::Add => there.wrapping_add(operand) & mask,
            Self::Clear => there & !operand,
            Self::Eor => there ^ operand,
            Self::Set => there | operand,
            Self::SignedMax if less => operand,
            Self::SignedMin if !less => operand,
            Self::UnsignedMax if there < operand => operand,
            Self::UnsignedMin if there > operand => operand,
            Self::SignedMax | Self::SignedMin | Self::UnsignedMax | Self::UnsignedMin => there,
            Self::Swap => operand,
            Self::CompareAndSwap(expected) if there == expected & mask => operand,
            Self::CompareAndSwap(_) => return None,
        };
        Some(stored)
    }
}

#[cfg(test)]
mod tests {
    use super::Atomic;

    #[test]
    fn results_have_the_width_and_the_sign_of_the_access() {
        assert_eq!(Atomic::Add.result(0xff, 1, 1), Some(0));
        assert_eq!(Atomic::Add.result(0xffff_ffff_ffff_ffff, 1, 8), Some(0));
        assert_eq!(Atomic::Clear.result(0xff, 0x0f, 2), Some(0xf0));
        assert_eq!(Atomic::SignedMax.result(0x80, 0x7f, 1), Some(0x7f));
        assert_eq!(Atomic::SignedMin.result(0x80, 0x7f, 1), Some(0x80));
        assert_eq!(Atomic::SignedMin.result(0x80, 0x7f, 4), Some(0x7f));
        assert_eq!(Atomic::UnsignedMax.result(0x80, 0x7f, 1), Some(0x80));
        assert_eq!(Atomic::UnsignedMin.result(1 << 63, 7, 8), Some(7));
        assert_eq!(Atomic::SignedMax.result(1 << 63, 7, 8), Some(7));
    }

    #[test]
    fn a_compare_that_fails_stores_nothing() {
        assert_eq!(Atomic::CompareAndSwap(0x1_05).result(5, 9, 1), Some(9));
        assert_eq!(Atomic::CompareAndSwap(6).result(5, 9, 1), None);
        assert_eq!(Atomic::CompareAndSwap(u128::MAX).result(u128::MAX, 1, 16), Some(1));
    }
}
