//! The two MPUs of the PE that is played: register files and rules of `mpu-model`, and tables that give the effect.
//!
//! A write is in force at once, as QEMU has it on a Cortex-R52 too: a barrier that is missing does not show here.

use crate::tables::{MEMORY, PAGE, Rights, Stage, Tables};
use crate::{die, sysreg};
use mpu_model::{
    Access, AccessKind, El, GuestDenial, Hcr, Level, Mpu, MpuReg, Regime, RegionWords, Rules, Sctlr, Slot, Syndrome,
    check_guest,
};

/// Regions of either MPU, as board `fvp-baser` has them.
const REGIONS: u8 = 32;
/// While guests run.
const HCR: Hcr = Hcr::ZERO.with_vm(true);
/// The end of the addresses that are played.
const END: u64 = 1 << 32;

/// The MPUs.
pub(crate) struct Mpus {
    el1: Mpu,
    el2: Mpu,
}

impl Mpus {
    /// Out of reset: off.
    pub(crate) fn new() -> Self {
        let mpu = |level| Mpu::new(level, REGIONS, Rules::default());
        Self { el1: mpu(Level::El1), el2: mpu(Level::El2) }
    }

    fn of(&mut self, level: Level) -> &mut Mpu {
        match level {
            Level::El1 => &mut self.el1,
            Level::El2 => &mut self.el2,
        }
    }

    /// Reads a register.
    pub(crate) fn read(&mut self, level: Level, reg: MpuReg) -> u64 {
        self.of(level).read(reg)
    }

    /// Writes a register and makes the tables follow.
    pub(crate) fn write(&mut self, level: Level, reg: MpuReg, value: u64, own: &mut Tables, guests: &mut Tables) {
        let mpu = self.of(level);
        let (words, sctlr) =
            (|mpu: &Mpu| core::array::from_fn(|slot| mpu.words(Slot::new(slot as u8))), mpu.read(MpuReg::Sctlr));
        let before: [RegionWords; REGIONS as usize] = words(mpu);
        if mpu.write(reg, value).is_err() {
            die("a region register behind a selection that no ISB followed");
        }
        mpu.dsb();
        mpu.context_sync();
        let after = words(mpu);
        if mpu.read(MpuReg::Sctlr) != sctlr {
            self.follow(0, END, own, guests);
        } else if Sctlr::new_with_raw_value(sctlr).m() {
            for words in before.iter().zip(&after).filter(|(before, after)| before != after).flat_map(<[_; 2]>::from) {
                if words.enabled() && words.base() <= words.limit() {
                    self.follow(words.base(), words.limit() + 1, own, guests);
                }
            }
        }
    }

    /// Makes the tables say what the MPUs say, from `first` up to `end`.
    pub(crate) fn follow(&self, first: u64, end: u64, own: &mut Tables, guests: &mut Tables) {
        let (mut at, mut of_own, mut of_guests) = (first, false, false);
        while at < end {
            let next = self.next_border(at).min(end);
            if !at.is_multiple_of(PAGE) || !next.is_multiple_of(PAGE) {
                die("a region whose ends are not those of pages, which an MMU cannot play");
            }
            of_own |= own.set(Stage::El2, at, next - 1, self.rights(|mpus, kind| mpus.own(at, kind).is_none()));
            of_guests |=
                guests.set(Stage::Guest, at, next - 1, self.rights(|mpus, kind| mpus.guest(at, kind).is_none()));
            at = next;
        }
        if of_own {
            sysreg::forget_own(first, end);
        }
        if of_guests {
            sysreg::forget_guests();
        }
    }

    fn rights(&self, may: impl Fn(&Self, AccessKind) -> bool) -> Rights {
        Rights {
            read: may(self, AccessKind::Read),
            write: may(self, AccessKind::Write),
            execute: may(self, AccessKind::Fetch),
        }
    }

    /// The next address where a region begins or has ended, or memory does.
    fn next_border(&self, at: u64) -> u64 {
        let regions = self.el1.enabled().chain(self.el2.enabled());
        let borders = regions.flat_map(|(_, words)| [words.base(), words.limit() + 1]);
        let memory = MEMORY.iter().flat_map(|(base, size, ..)| [*base, base + size]);
        borders.chain(memory).filter(|border| *border > at).min().unwrap_or(END)
    }

    /// The syndrome of an access of EL2's; `None`: it is allowed.
    pub(crate) fn own(&self, addr: u64, kind: AccessKind) -> Option<Syndrome> {
        let verdict = self.el2.check(Regime::El2, Access { addr, size: 1, kind, el: El::El2 });
        verdict.result.err().map(|denial| Syndrome::el2_own(&denial, Rules::default()))
    }

    /// The denial of an access of a guest's; `None`: it is allowed.
    pub(crate) fn guest(&self, addr: u64, kind: AccessKind) -> Option<GuestDenial> {
        check_guest(Some(&self.el1), &self.el2, HCR, Access { addr, size: 1, kind, el: El::El1 }).result.err()
    }
}
