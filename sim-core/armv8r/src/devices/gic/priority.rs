//! Priorities: how a binary point splits them, and which of them are active (IHI 0069, 4.8).

/// A priority below all others: nothing is active.
pub(crate) const IDLE: u8 = 0xff;

/// How priorities are implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// Bits of a priority that are implemented, 5 to 8: the upper ones.
    bits: u8,
}

impl Format {
    /// Of 5 to 8 bits; other numbers count as the nearest of them.
    pub(crate) const fn new(bits: u8) -> Self {
        Self {
            bits: match bits {
                0..=5 => 5,
                6 | 7 => bits,
                8.. => 8,
            },
        }
    }

    /// Bits of a priority.
    pub(crate) const fn bits(self) -> u8 {
        self.bits
    }

    /// The implemented bits.
    pub(crate) const fn mask(self) -> u8 {
        u8::MAX << (8 - self.bits)
    }

    /// Bits that decide whether one interrupt preempts another, at most 7.
    pub(crate) const fn preemption_bits(self) -> u8 {
        if self.bits < 7 { self.bits } else { 7 }
    }

    /// The least binary point of Group 0: it leaves all preemption bits to the group priority.
    pub(crate) const fn least_binary_point(self) -> u8 {
        7 - self.preemption_bits()
    }

    /// Words of 32 bits that the active priorities of one group take.
    pub(crate) const fn active_words(self) -> u8 {
        1 << (self.preemption_bits() - 5)
    }

    /// The bit that stands for a group priority among the active ones.
    const fn level(self, priority: u8) -> u32 {
        (priority >> (8 - self.preemption_bits())) as u32
    }

    const fn priority(self, level: u32) -> u8 {
        (level as u8) << (8 - self.preemption_bits())
    }
}

/// The group priority under a binary point: bits 7 down to `point` + 1.
pub(crate) const fn group_priority(priority: u8, point: u8) -> u8 {
    if point >= 7 { 0 } else { priority & u8::MAX << (point + 1) }
}

/// Which group priorities are active: `AP0R<n>` and `AP1R<n>` of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Active {
    groups: [u128; 2],
}

impl Active {
    /// None is active.
    pub(crate) const NONE: Self = Self { groups: [0; 2] };

    /// Reads word `n` of a group.
    pub(crate) const fn read(&self, group1: bool, n: u8) -> u32 {
        (self.group(group1) >> (32 * (n as u32 & 3))) as u32
    }

    /// Writes it.
    pub(crate) const fn write(&mut self, group1: bool, n: u8, value: u32) {
        let shift = 32 * (n as u32 & 3);
        let bits = self.group_mut(group1);
        *bits = *bits & !((u32::MAX as u128) << shift) | (value as u128) << shift;
    }

    const fn group(&self, group1: bool) -> u128 {
        let [zero, one] = self.groups;
        if group1 { one } else { zero }
    }

    const fn group_mut(&mut self, group1: bool) -> &mut u128 {
        let [zero, one] = &mut self.groups;
        if group1 { one } else { zero }
    }

    /// The running priority: the highest that is active, or [`IDLE`].
    pub(crate) const fn running(&self, format: Format) -> u8 {
        let [zero, one] = self.groups;
        let all = zero | one;
        if all == 0 { IDLE } else { format.priority(all.trailing_zeros()) }
    }

    /// The group of the running priority: Group 0 where both have it.
    pub(crate) const fn running_group1(&self) -> Option<bool> {
        let [zero, one] = self.groups;
        if zero | one == 0 { None } else { Some(one.trailing_zeros() < zero.trailing_zeros()) }
    }

    /// A group priority becomes active.
    pub(crate) const fn raise(&mut self, group1: bool, priority: u8, format: Format) {
        *self.group_mut(group1) |= 1 << format.level(priority);
    }

    /// Priority drop: the running priority is active no more. What it was, if any was.
    pub(crate) fn drop_running(&mut self, format: Format) -> Option<u8> {
        let group1 = self.running_group1()?;
        let priority = self.running(format);
        let bits = self.group_mut(group1);
        *bits &= bits.wrapping_sub(1);
        Some(priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_point_splits_a_priority() {
        assert_eq!(group_priority(0xff, 0), 0xfe);
        assert_eq!(group_priority(0xff, 2), 0xf8);
        assert_eq!(group_priority(0xff, 6), 0x80);
        assert_eq!(group_priority(0xff, 7), 0);
    }

    #[test]
    fn five_bits_take_one_word_and_seven_take_four() {
        let format = Format::new(5);
        assert_eq!((format.mask(), format.least_binary_point(), format.active_words()), (0xf8, 2, 1));
        let format = Format::new(8);
        assert_eq!((format.mask(), format.least_binary_point(), format.active_words()), (0xff, 0, 4));
    }

    #[test]
    fn priorities_drop_from_the_highest() {
        let format = Format::new(5);
        let mut active = Active::NONE;
        assert_eq!((active.running(format), active.running_group1()), (IDLE, None));
        active.raise(true, 0x80, format);
        active.raise(false, 0x40, format);
        assert_eq!((active.read(true, 0), active.read(false, 0)), (1 << 16, 1 << 8));
        assert_eq!((active.running(format), active.running_group1()), (0x40, Some(false)));
        assert_eq!(active.drop_running(format), Some(0x40));
        assert_eq!((active.running(format), active.running_group1()), (0x80, Some(true)));
        assert_eq!(active.drop_running(format), Some(0x80));
        assert_eq!(active.drop_running(format), None);
    }

    #[test]
    fn of_both_groups_at_one_priority_group_0_drops_first() {
        let format = Format::new(8);
        let mut active = Active::NONE;
        active.write(false, 3, 1 << 2);
        active.write(true, 3, 1 << 2);
        for group1 in [false, true] {
            assert_eq!((active.running(format), active.running_group1()), (0xc4, Some(group1)));
            active.drop_running(format);
        }
        assert_eq!(active, Active::NONE);
    }
}
