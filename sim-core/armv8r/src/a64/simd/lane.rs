//! Lanes of SIMD&FP registers.

use crate::a64::bits::ones;

/// The lanes that an instruction works on. What is above them in the register that is written becomes zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) struct Lanes {
    /// Log2 of the bytes of a lane.
    pub(in crate::a64) size: u8,
    /// How many there are: 1 for a scalar.
    pub(in crate::a64) count: u8,
}

impl Lanes {
    /// Bits of a lane.
    pub(in crate::a64) const fn bits(self) -> u32 {
        8 << (self.size & 3)
    }

    /// The same number of lanes, of twice the width.
    pub(in crate::a64) const fn widened(self) -> Self {
        Self { size: self.size + 1, count: self.count }
    }

    /// The bits of all lanes.
    pub(in crate::a64) const fn mask(self) -> u128 {
        lanes_mask(self.bits() * self.count as u32)
    }

    /// A vector of lanes by their number.
    pub(in crate::a64) fn filled(self, mut each: impl FnMut(u8) -> i128) -> u128 {
        (0..self.count).fold(0, |done, at| with_lane(done, self.size, at, each(at).cast_unsigned() as u64))
    }
}

/// The low `count` bits set; `count` is at most 128.
pub(in crate::a64) const fn lanes_mask(count: u32) -> u128 {
    if count >= 128 { u128::MAX } else { (1 << count) - 1 }
}

/// A lane of `1 << size` bytes.
pub(in crate::a64) const fn lane(vector: u128, size: u8, at: u8) -> u64 {
    let bits = 8 << (size & 3);
    (vector >> ((at as u32 * bits) & 127)) as u64 & ones(bits)
}

/// A vector with a lane of `1 << size` bytes replaced.
pub(in crate::a64) const fn with_lane(vector: u128, size: u8, at: u8, value: u64) -> u128 {
    let bits = 8 << (size & 3);
    let place = (at as u32 * bits) & 127;
    (vector & !((ones(bits) as u128) << place)) | (((value & ones(bits)) as u128) << place)
}

/// A vector all of whose lanes of `1 << size` bytes are equal.
pub(in crate::a64) const fn broadcast(value: u64, size: u8) -> u128 {
    let bits = 8 << (size & 3);
    let mut all = (value & ones(bits)) as u128;
    let mut done = bits;
    while done < 128 {
        all |= all << done;
        done *= 2;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{broadcast, lane, with_lane};

    #[test]
    fn lanes_are_numbered_from_the_low_end() {
        let vector = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
        assert_eq!(lane(vector, 0, 5), 5);
        assert_eq!(lane(vector, 1, 7), 0x0f0e);
        assert_eq!(lane(vector, 3, 1), 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(with_lane(0, 2, 3, u64::MAX), 0xffff_ffff << 96);
        assert_eq!(broadcast(0x1ab, 0), 0xabab_abab_abab_abab_abab_abab_abab_abab);
        assert_eq!(broadcast(u64::MAX, 3), u128::MAX);
    }
}
