//! The GIC as its owner sees it, held against the rules of IHI 0069.

mod delivery;
mod frames;
mod lists;
mod maintenance;
mod properties;
mod software;

use super::*;
use std::vec::Vec;

/// EL2, whatever `HCR_EL2` says.
const EL2: Requester = Requester { el: 2, imo: true, fmo: true };
/// EL1 of a guest, whose interrupts are virtual.
const GUEST: Requester = Requester { el: 1, imo: true, fmo: true };
/// EL1 that handles physical interrupts.
const EL1: Requester = Requester { el: 1, imo: false, fmo: false };

/// An SPI.
const SPI: u32 = 40;
/// A PPI: that of EL1's virtual timer.
const TIMER: u32 = 27;

/// A GIC with everything enabled.
struct System {
    gic: Gic,
}

impl System {
    /// PEs 0.0, 0.1, ... of cluster 0, awake, both groups enabled, nothing masked, all interrupts in Group 1.
    fn new(pes: u32) -> Self {
        Self::of(Config::new((0..pes).collect()))
    }

    /// As [`System::new`].
    fn of(config: Config) -> Self {
        let pes = config.affinities.len();
        let mut system = Self { gic: Gic::new(config) };
        system.gicd(0x0, 0b11);
        for word in 1..8 {
            system.gicd(0x80 + 4 * word, 0xffff_ffff);
        }
        for pe in 0..pes {
            system.gic.write(Frame::Redistributor(pe), 0x14, 4, 0);
            system.gicr(pe, 0x80, 0xffff_ffff);
            system.set(pe, Register::Pmr, 0xff);
            system.set(pe, Register::Igrpen0, 1);
            system.set(pe, Register::Igrpen1, 1);
        }
        system
    }

    fn gicd(&mut self, offset: u64, value: u64) {
        self.gic.write(Frame::Distributor, offset, 4, value);
    }

    fn gicr(&mut self, pe: usize, offset: u64, value: u64) {
        self.gic.write(Frame::Sgi(pe), offset, 4, value);
    }

    fn frame(intid: u32) -> Frame {
        if intid < 32 { Frame::Sgi(0) } else { Frame::Distributor }
    }

    /// Enables an interrupt, of PE 0 if it is private, with a priority and a group.
    fn enable(&mut self, intid: u32, priority: u8, group1: bool) {
        let (word, bit) = (4 * u64::from(intid / 32), 1 << (intid % 32));
        let frame = Self::frame(intid);
        self.gic.write(frame, 0x400 + u64::from(intid), 1, priority.into());
        let before = self.gic.read(frame, 0x80 + word, 4);
        self.gic.write(frame, 0x80 + word, 4, if group1 { before | bit } else { before & !bit });
        self.gic.write(frame, 0x100 + word, 4, bit);
    }

    fn pend(&mut self, intid: u32) {
        self.gic.write(Self::frame(intid), 0x200 + 4 * u64::from(intid / 32), 4, 1 << (intid % 32));
    }

    /// Whether an interrupt is pending, and whether it is active, at PE 0.
    fn state(&self, intid: u32) -> (bool, bool) {
        let holds = |register| {
            self.gic.read(Self::frame(intid), register + 4 * u64::from(intid / 32), 4) & 1 << (intid % 32) != 0
        };
        (holds(0x200), holds(0x300))
    }

    fn get(&mut self, pe: usize, register: Register) -> u64 {
        self.by(pe, EL2, register).unwrap()
    }

    fn set(&mut self, pe: usize, register: Register, value: u64) {
        self.gic.write_register(pe, register, EL2, value).unwrap();
    }

    fn by(&mut self, pe: usize, by: Requester, register: Register) -> Result<u64, Refused> {
        self.gic.read_register(pe, register, by)
    }

    /// As the guest on PE 0.
    fn guest(&mut self, register: Register) -> u64 {
        self.by(0, GUEST, register).unwrap()
    }

    /// As the guest on PE 0.
    fn guest_set(&mut self, register: Register, value: u64) {
        self.gic.write_register(0, register, GUEST, value).unwrap();
    }

    /// IRQ, FIQ, virtual IRQ and virtual FIQ of a PE, as letters.
    fn signals(&self, pe: usize) -> &'static str {
        let Outputs { irq, fiq, virq, vfiq, .. } = self.gic.outputs(pe);
        match (irq, fiq, virq, vfiq) {
            (false, false, false, false) => "",
            (true, false, false, false) => "irq",
            (false, true, false, false) => "fiq",
            (false, false, true, false) => "virq",
            (false, false, false, true) => "vfiq",
            (true, false, true, false) => "irq virq",
            other => panic!("{other:?}"),
        }
    }
}
