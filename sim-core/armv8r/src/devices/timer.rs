//! The generic timers of a PE, and the counter that all PEs share (Arm ARM DDI 0487, chapters D11 and I2).
//!
//! Nothing here knows the time: every method that needs the count of the physical counter has it as an argument. Traps by
//! `CNTHCTL_EL2` and `CNTKCTL_EL1` are the PE's.

/// `CNT*_CTL`: the timer is enabled.
const ENABLE: u64 = 1 << 0;
/// Its output is masked.
const IMASK: u64 = 1 << 1;
/// Its condition is met; read only.
const ISTATUS: u64 = 1 << 2;

/// A timer of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// CNTP: EL1's physical timer.
    Physical,
    /// CNTV: EL1's virtual timer.
    Virtual,
    /// CNTHPS: EL2's physical timer in Secure state.
    SecureHyp,
    /// CNTHP: EL2's physical timer in Non-secure state, which older models had in its place.
    Hyp,
}

impl Timer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Physical, Self::Virtual, Self::SecureHyp, Self::Hyp];

    /// The PPI of its output, as Arm's Base System Architecture numbers them.
    #[must_use]
    pub const fn intid(self) -> u32 {
        match self {
            Self::Physical => 30,
            Self::Virtual => 27,
            Self::SecureHyp => 20,
            Self::Hyp => 26,
        }
    }
}

/// The registers of one timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Registers {
    /// ENABLE and IMASK.
    control: u64,
    compare: u64,
}

impl Registers {
    /// Whether the condition is met: the view of the counter has reached the compare value, both unsigned (D11.2.4).
    const fn met(self, view: u64) -> bool {
        view >= self.compare
    }

    const fn output(self, view: u64) -> bool {
        self.control & (ENABLE | IMASK) == ENABLE && self.met(view)
    }

    /// After how many counts the output changes next: when the counter reaches the compare value, or begins anew.
    const fn changes_after(self, view: u64) -> Option<u64> {
        if self.control & (ENABLE | IMASK) != ENABLE {
            None
        } else if !self.met(view) {
            Some(self.compare - view)
        } else if self.compare == 0 {
            None
        } else {
            (u64::MAX - view).checked_add(1)
        }
    }
}

/// The timers of one PE, each there whether or not the PE has its registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    physical: Registers,
    virtual_: Registers,
    secure_hyp: Registers,
    hyp: Registers,
    /// `CNTVOFF_EL2`: the virtual count is the physical one less this.
    pub virtual_offset: u64,
}

impl Timers {
    /// All disabled, no offset.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    const fn registers(&self, timer: Timer) -> Registers {
        match timer {
            Timer::Physical => self.physical,
            Timer::Virtual => self.virtual_,
            Timer::SecureHyp => self.secure_hyp,
            Timer::Hyp => self.hyp,
        }
    }

    const fn registers_mut(&mut self, timer: Timer) -> &mut Registers {
        match timer {
            Timer::Physical => &mut self.physical,
            Timer::Virtual => &mut self.virtual_,
            Timer::SecureHyp => &mut self.secure_hyp,
            Timer::Hyp => &mut self.hyp,
        }
    }

    /// The count that a timer compares with.
    const fn view(&self, timer: Timer, count: u64) -> u64 {
        match timer {
            Timer::Virtual => self.virtual_count(count),
            Timer::Physical | Timer::SecureHyp | Timer::Hyp => count,
        }
    }

    /// `CNTVCT_EL0`.
    #[must_use]
    pub const fn virtual_count(&self, count: u64) -> u64 {
        count.wrapping_sub(self.virtual_offset)
    }

    /// CTL. ISTATUS is UNKNOWN while the timer is disabled: 0.
    #[must_use]
    pub const fn control(&self, timer: Timer, count: u64) -> u64 {
        let registers = self.registers(timer);
        let met = registers.control & ENABLE != 0 && registers.met(self.view(timer, count));
        registers.control | if met { ISTATUS } else { 0 }
    }

    /// Writes CTL.
    pub const fn set_control(&mut self, timer: Timer, value: u64) {
        self.registers_mut(timer).control = value & (ENABLE | IMASK);
    }

    /// CVAL.
    #[must_use]
    pub const fn compare(&self, timer: Timer) -> u64 {
        self.registers(timer).compare
    }

    /// Writes CVAL.
    pub const fn set_compare(&mut self, timer: Timer, value: u64) {
        self.registers_mut(timer).compare = value;
    }

    /// TVAL: the low 32 bits of what is left, as if the timer were enabled; a signed number for software. The upper bits are
    /// RES0.
    #[must_use]
    pub const fn value(&self, timer: Timer, count: u64) -> u64 {
        self.registers(timer).compare.wrapping_sub(self.view(timer, count)) & 0xffff_ffff
    }

    /// Writes TVAL: the compare value is the count and these 32 bits, sign-extended.
    pub const fn set_value(&mut self, timer: Timer, count: u64, value: u64) {
        let view = self.view(timer, count);
        self.registers_mut(timer).compare = view.wrapping_add_signed((value as u32).cast_signed() as i64);
    }

    /// The level of a timer's output: enabled, not masked, and its condition met.
    #[must_use]
    pub const fn output(&self, timer: Timer, count: u64) -> bool {
        self.registers(timer).output(self.view(timer, count))
    }

    /// The first count after `count` at which an output of `timers` changes if no register is written till then. None: none
    /// will before the counter begins anew.
    #[must_use]
    pub fn next_deadline(&self, timers: &[Timer], count: u64) -> Option<u64> {
        let changes = timers.iter().filter_map(|&timer| {
            let after = self.registers(timer).changes_after(self.view(timer, count))?;
            count.checked_add(after)
        });
        changes.min()
    }
}

/// `CNTCR.EN`.
const COUNTER_ENABLE: u32 = 1 << 0;
/// `CNTCR.FCREQ`, of which only entry 0 of the table of frequencies can be chosen.
const FREQUENCY_REQUEST: u32 = 0x3ff << 8;
/// `CNTSR.FCACK`: entry 0.
const FREQUENCY_0: u32 = 1 << 8;

/// The system counter, and its frame `CNTControlBase` (DDI 0487, I2.2 and I5.7). It counts what its owner counts, which is
/// `ticks`, from where software set it.
///
/// Words are read and written, and `CNTCV` as a doubleword too; what else there is is RAZ/WI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemCounter {
    /// Hertz.
    frequency: u32,
    control: u32,
    /// The count less the ticks while it counts, or the count while it does not.
    base: u64,
}

impl SystemCounter {
    /// A counter of `frequency` Hz that counts, or waits for software to say so.
    #[must_use]
    pub const fn new(frequency: u32, enabled: bool) -> Self {
        Self { frequency, control: if enabled { COUNTER_ENABLE } else { 0 }, base: 0 }
    }

    const fn counts(&self) -> bool {
        self.control & COUNTER_ENABLE != 0
    }

    /// Hertz.
    #[must_use]
    pub const fn frequency(&self) -> u32 {
        self.frequency
    }

    /// The count, which is `CNTPCT_EL0`.
    #[must_use]
    pub const fn count(&self, ticks: u64) -> u64 {
        if self.counts() { self.base.wrapping_add(ticks) } else { self.base }
    }

    /// After how many ticks the count is `count`; none while it does not count, or if that is past.
    #[must_use]
    pub fn ticks_until(&self, ticks: u64, count: u64) -> Option<u64> {
        count.checked_sub(self.count(ticks)).filter(|_| self.counts())
    }

    /// Reads `bytes` at an offset of the frame.
    #[must_use]
    pub const fn read(&self, offset: u64, bytes: u8, ticks: u64) -> u64 {
        let count = self.count(ticks);
        match (bytes, offset) {
            (4, 0x0) => self.control as u64,
            (4, 0x4) => FREQUENCY_0 as u64,
            (8, 0x8) => count,
            (4, 0x8) => count & 0xffff_ffff,
            (4, 0xc) => count >> 32,
            (4, 0x20) => self.frequency as u64,
            _ => 0,
        }
    }

    /// Writes `bytes` at an offset of the frame. `CNTCV` is written while the counter does not count; otherwise the write is
    /// ignored.
    pub const fn write(&mut self, offset: u64, bytes: u8, value: u64, ticks: u64) {
        match (bytes, offset) {
            (4, 0x0) => {
                let count = self.count(ticks);
                self.control = value as u32 & (COUNTER_ENABLE | 1 << 1 | FREQUENCY_REQUEST);
                self.base = if self.counts() { count.wrapping_sub(ticks) } else { count };
            }
            (8, 0x8) if !self.counts() => self.base = value,
            (4, 0x8) if !self.counts() => self.base = self.base & !0xffff_ffff | value & 0xffff_ffff,
            (4, 0xc) if !self.counts() => self.base = self.base & 0xffff_ffff | value << 32,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_timer_fires_when_the_count_reaches_its_compare_value_and_stays() {
        let mut timers = Timers::new();
        timers.set_compare(Timer::Physical, 100);
        assert_eq!(timers.control(Timer::Physical, 100), 0);
        assert_eq!(timers.next_deadline(&Timer::ALL, 0), None);
        timers.set_control(Timer::Physical, ENABLE | ISTATUS | 0xf0);
        assert_eq!(timers.control(Timer::Physical, 99), ENABLE);
        assert_eq!((timers.output(Timer::Physical, 99), timers.next_deadline(&Timer::ALL, 99)), (false, Some(100)));
        assert_eq!(timers.next_deadline(&[Timer::Virtual], 99), None);
        assert_eq!(timers.control(Timer::Physical, 100), ENABLE | ISTATUS);
        assert!(timers.output(Timer::Physical, 100) && timers.output(Timer::Physical, u64::MAX));
        timers.set_control(Timer::Physical, ENABLE | IMASK);
        assert_eq!(timers.control(Timer::Physical, 100), ENABLE | IMASK | ISTATUS);
        assert!(!timers.output(Timer::Physical, 100));
        assert_eq!(timers.next_deadline(&Timer::ALL, 0), None);
    }

    #[test]
    fn a_timer_value_is_signed_and_relative() {
        let mut timers = Timers::new();
        for timer in Timer::ALL {
            timers.set_value(timer, 1000, 50);
            assert_eq!(
                (timers.compare(timer), timers.value(timer, 1000), timers.value(timer, 1060)),
                (1050, 50, 0xffff_fff6)
            );
            timers.set_value(timer, 1000, 0xdead_0000_ffff_ffff);
            assert_eq!(timers.compare(timer), 999);
        }
    }

    #[test]
    fn the_virtual_timer_runs_by_the_virtual_count() {
        let mut timers = Timers::new();
        timers.virtual_offset = 400;
        timers.set_value(Timer::Virtual, 1000, 10);
        assert_eq!((timers.virtual_count(1000), timers.compare(Timer::Virtual)), (600, 610));
        timers.set_control(Timer::Virtual, ENABLE);
        assert_eq!(timers.next_deadline(&Timer::ALL, 1000), Some(1010));
        assert!(timers.output(Timer::Virtual, 1010));
        // An offset beyond the count: the virtual count is near its end, and is past the compare value till it begins anew.
        timers.virtual_offset = 1020;
        assert_eq!(timers.next_deadline(&Timer::ALL, 1010), Some(1020));
        assert!(timers.output(Timer::Virtual, 1019) && !timers.output(Timer::Virtual, 1020));
    }

    #[test]
    fn the_counter_is_set_while_it_stands() {
        let mut counter = SystemCounter::new(100_000_000, false);
        assert_eq!((counter.read(0x20, 4, 7), counter.count(7), counter.ticks_until(7, 9)), (100_000_000, 0, None));
        counter.write(0xc, 4, 2, 7);
        counter.write(0x8, 4, 5, 7);
        counter.write(0x0, 4, 0x101, 10);
        assert_eq!(counter.read(0x8, 8, 13), 0x2_0000_0008);
        counter.write(0x8, 8, 0, 13);
        assert_eq!((counter.count(13), counter.ticks_until(13, 0x2_0000_000a)), (0x2_0000_0008, Some(2)));
        counter.write(0x0, 4, 0, 14);
        assert_eq!((counter.count(99), counter.read(0xc, 4, 99), counter.read(0x4, 4, 99)), (0x2_0000_0009, 2, 0x100));
        assert_eq!((counter.read(0x0, 8, 0), counter.read(0x3, 4, 0)), (0, 0));
    }

    proptest! {
        #[test]
        fn outputs_change_at_deadlines_and_at_no_other_count(
            registers in proptest::array::uniform4((0_u64..8, prop_oneof![any::<u64>(), 0_u64..50, u64::MAX - 50..])),
            virtual_offset in prop_oneof![any::<u64>(), 0_u64..50, u64::MAX - 50..],
            start in prop_oneof![any::<u64>(), 0_u64..50, u64::MAX - 200..],
        ) {
            let mut timers = Timers::new();
            timers.virtual_offset = virtual_offset;
            for (timer, (control, compare)) in Timer::ALL.into_iter().zip(registers) {
                timers.set_control(timer, control);
                timers.set_compare(timer, compare);
            }
            let outputs = |count| Timer::ALL.map(|timer| timers.output(timer, count));
            let deadline = timers.next_deadline(&Timer::ALL, start);
            for count in (start..=start.saturating_add(120)).skip(1) {
                let changed = outputs(count) != outputs(start);
                prop_assert_eq!(changed, deadline == Some(count));
                if changed {
                    break;
                }
            }
        }
    }
}
