//! What a physical and a virtual CPU interface have in common: mask, binary points, enables and active priorities
//! (IHI 0069, 4.8; `ICC_*` and `ICV_*` of chapter 12).

use super::priority::{Active, Format, IDLE, group_priority};

/// `CTLR.CBPR`: the binary point of Group 0 is that of Group 1 too.
const CBPR: u64 = 1 << 0;
/// `CTLR.EOImode`: a write to EOIR drops the priority and leaves deactivation to DIR.
const EOI_MODE: u64 = 1 << 1;

/// An interrupt that may be signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) intid: u32,
    pub(crate) priority: u8,
    pub(crate) group1: bool,
}

/// The registers of a CPU interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of a register")]
pub(crate) struct Interface {
    pub(crate) format: Format,
    /// The binary point of Group 1 is one more than that of Group 0 for the same split: that of a virtual interface.
    shifted: bool,
    /// The bits of `CTLR` that say what is implemented.
    implemented: u64,
    pub(crate) mask: u8,
    point0: u8,
    point1: u8,
    pub(crate) enable0: bool,
    pub(crate) enable1: bool,
    pub(crate) eoi_mode: bool,
    pub(crate) common_point: bool,
    pub(crate) active: Active,
}

impl Interface {
    /// As at reset: all masked, binary points at their least values.
    pub(crate) const fn new(format: Format, shifted: bool, implemented: u64) -> Self {
        let least = format.least_binary_point();
        Self {
            format,
            shifted,
            implemented,
            mask: 0,
            point0: least,
            point1: if shifted { least + 1 } else { least },
            enable0: false,
            enable1: false,
            eoi_mode: false,
            common_point: false,
            active: Active::NONE,
        }
    }

    /// The priority that decides whether the interrupt preempts (IHI 0069, 4.8, priority grouping).
    pub(crate) const fn group_priority(&self, priority: u8, group1: bool) -> u8 {
        if !group1 || self.common_point {
            group_priority(priority, self.point0)
        } else if self.shifted {
            group_priority(priority, self.point1.saturating_sub(1))
        } else {
            group_priority(priority, self.point1)
        }
    }

    /// Whether the interrupt is signalled to the PE: above the mask, and its group priority above the running one, as the
    /// binary point of its own group splits both (IHI 0069, 4.8, preemption).
    pub(crate) fn signals(&self, candidate: Candidate) -> bool {
        let Candidate { priority, group1, .. } = candidate;
        let running = self.active.running(self.format);
        let preempts = self.group_priority(priority, group1) < self.group_priority(running, group1);
        priority < self.mask && (running == IDLE || preempts)
    }

    /// Its group priority becomes the running one.
    pub(crate) const fn raise(&mut self, candidate: Candidate) {
        let priority = self.group_priority(candidate.priority, candidate.group1);
        self.active.raise(candidate.group1, priority, self.format);
    }

    /// Writes PMR.
    pub(crate) const fn set_mask(&mut self, value: u64) {
        self.mask = value as u8 & self.format.mask();
    }

    /// Reads BPR0 or BPR1. With a common binary point, Secure reads of BPR1 give BPR0 (`ICC_BPR1_EL1`, `ICV_BPR1_EL1`).
    pub(crate) const fn point(&self, group1: bool) -> u8 {
        if group1 && !self.common_point { self.point1 } else { self.point0 }
    }

    /// Writes BPR0 or BPR1: a value below the least sets the least. With a common binary point, Secure writes of BPR1
    /// modify BPR0.
    pub(crate) fn set_point(&mut self, group1: bool, value: u64) {
        if group1 && !self.common_point {
            self.set_own_point1(value);
        } else {
            self.point0 = (value as u8 & 7).max(self.format.least_binary_point());
        }
    }

    /// The binary point of Group 0, for `ICH_VMCR_EL2.VBPR0`.
    pub(crate) const fn own_point0(&self) -> u8 {
        self.point0
    }

    /// The binary point of Group 1 itself, for `ICH_VMCR_EL2.VBPR1`.
    pub(crate) const fn own_point1(&self) -> u8 {
        self.point1
    }

    /// Writes it.
    pub(crate) fn set_own_point1(&mut self, value: u64) {
        self.point1 = (value as u8 & 7).max(self.format.least_binary_point() + u8::from(self.shifted));
    }

    /// Reads CTLR.
    pub(crate) const fn control(&self) -> u64 {
        self.implemented | if self.common_point { CBPR } else { 0 } | if self.eoi_mode { EOI_MODE } else { 0 }
    }

    /// Writes CTLR. PMHE is RAZ/WI: the mask is no part of how interrupts find their PE.
    pub(crate) const fn set_control(&mut self, value: u64) {
        self.common_point = value & CBPR != 0;
        self.eoi_mode = value & EOI_MODE != 0;
    }

    /// Reads RPR.
    pub(crate) fn running(&self) -> u64 {
        u64::from(self.active.running(self.format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(shifted: bool) -> Interface {
        let mut interface = Interface::new(Format::new(5), shifted, 0x400);
        interface.set_mask(0xff);
        interface
    }

    #[test]
    fn binary_points_have_least_values() {
        let mut physical = interface(false);
        let mut virtual_ = interface(true);
        for value in [0, 1, 2] {
            physical.set_point(true, value);
            virtual_.set_point(true, value);
            assert_eq!((physical.point(true), virtual_.point(true)), (2, 3));
        }
        assert_eq!(physical.group_priority(0x58, true), 0x58);
        assert_eq!(virtual_.group_priority(0x58, true), 0x58);
    }

    #[test]
    fn a_common_binary_point_is_that_of_group_0() {
        for shifted in [false, true] {
            let mut interface = interface(shifted);
            interface.set_point(false, 6);
            interface.set_control(CBPR | EOI_MODE | 0xffff_fffc);
            assert_eq!(interface.control(), 0x403);
            assert_eq!((interface.point(true), interface.group_priority(0x78, true)), (6, 0));
            interface.set_point(true, 5);
            assert_eq!(interface.point(false), 5);
            interface.set_control(0);
            assert_eq!(interface.control(), 0x400);
            assert_eq!((interface.point(false), interface.point(true)), (5, if shifted { 3 } else { 2 }));
        }
    }

    #[test]
    fn a_mask_hides_its_own_priority() {
        let mut interface = interface(false);
        interface.set_mask(0x87);
        assert_eq!(interface.mask, 0x80);
        let mut candidate = Candidate { intid: 32, priority: 0x80, group1: true };
        assert!(!interface.signals(candidate));
        candidate.priority = 0x78;
        assert!(interface.signals(candidate));
        interface.raise(candidate);
        assert!(!interface.signals(candidate));
        candidate.priority = 0x70;
        assert!(interface.signals(candidate));
        assert_eq!(interface.running(), 0x78);
    }

    #[test]
    fn the_binary_point_of_the_newcomer_splits_both_priorities() {
        let mut interface = interface(false);
        interface.raise(Candidate { intid: 32, priority: 0x98, group1: false });
        interface.set_point(true, 4);
        let newcomer = |priority| Candidate { intid: 33, priority, group1: true };
        assert_eq!(interface.running(), 0x98);
        assert!(!interface.signals(newcomer(0x90)) && interface.signals(newcomer(0x78)));
        // A group priority of no bits preempts nothing, but is signalled where nothing runs.
        interface.set_point(true, 7);
        assert!(!interface.signals(newcomer(0)));
        interface.active.drop_running(Format::new(5));
        assert!(interface.signals(newcomer(0x90)));
    }
}
