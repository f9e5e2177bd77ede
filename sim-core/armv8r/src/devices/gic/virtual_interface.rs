//! The virtual CPU interface of a PE: list registers, `ICV_*` as EL1 sees it, `ICH_*` as EL2 does, and the maintenance
//! interrupt (IHI 0069, chapter 6, and the registers of chapter 12).

use super::interface::{Candidate, Interface};
use super::priority::{Format, IDLE};

/// List registers at most.
const MOST: usize = 16;
/// INTIDs from here on are LPIs, whose end needs no DIR.
const LPI: u32 = 8192;
/// No interrupt is pending.
pub(crate) const SPURIOUS: u32 = 1023;

/// A list register: `ICH_LR<n>_EL2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ListRegister(u64);

impl ListRegister {
    const PENDING: u64 = 1 << 62;
    const ACTIVE: u64 = 1 << 63;
    const STATE: u64 = Self::PENDING | Self::ACTIVE;
    const HW: u64 = 1 << 61;
    const GROUP: u64 = 1 << 60;
    /// With `HW` = 0: the guest's EOI asks for a maintenance interrupt.
    const EOI: u64 = 1 << 41;
    /// Bits 44:32: the physical INTID, of which bit 41 is [`ListRegister::EOI`] with `HW` = 0.
    const PHYSICAL: u64 = 0x1fff << 32;
    /// 16 bits of virtual INTID, as `ICH_VTR_EL2.IDbits` says.
    const VIRTUAL: u64 = 0xffff;

    /// A value as it is kept: reserved bits and priority bits that are not implemented are RES0.
    const fn new(value: u64, format: Format) -> Self {
        let priority = (format.mask() as u64) << 48;
        Self(value & (Self::STATE | Self::HW | Self::GROUP | priority | Self::PHYSICAL | Self::VIRTUAL))
    }

    const fn intid(self) -> u32 {
        (self.0 & Self::VIRTUAL) as u32
    }

    const fn priority(self) -> u8 {
        (self.0 >> 48) as u8
    }

    const fn group1(self) -> bool {
        self.0 & Self::GROUP != 0
    }

    const fn invalid(self) -> bool {
        self.0 & Self::STATE == 0
    }

    /// Pending and not active.
    const fn pending(self) -> bool {
        self.0 & Self::STATE == Self::PENDING
    }

    const fn active(self) -> bool {
        self.0 & Self::ACTIVE != 0
    }

    /// The guest ended the interrupt, and EL2 wants to know.
    const fn ended(self) -> bool {
        self.invalid() && self.0 & (Self::HW | Self::EOI) == Self::EOI
    }

    /// Free for another interrupt (`ICH_ELRSR_EL2`).
    const fn free(self) -> bool {
        self.invalid() && self.0 & (Self::HW | Self::EOI) != Self::EOI
    }

    /// The physical interrupt that goes with it.
    const fn physical(self) -> Option<u32> {
        if self.0 & Self::HW == 0 { None } else { Some(((self.0 & Self::PHYSICAL) >> 32) as u32) }
    }
}

/// `ICH_HCR_EL2`.
mod hcr {
    pub(super) const EN: u32 = 1 << 0;
    pub(super) const UIE: u32 = 1 << 1;
    pub(super) const LRENPIE: u32 = 1 << 2;
    pub(super) const NPIE: u32 = 1 << 3;
    pub(super) const VGRP0EIE: u32 = 1 << 4;
    pub(super) const VGRP0DIE: u32 = 1 << 5;
    pub(super) const VGRP1EIE: u32 = 1 << 6;
    pub(super) const VGRP1DIE: u32 = 1 << 7;
    pub(super) const TC: u32 = 1 << 10;
    pub(super) const TALL0: u32 = 1 << 11;
    pub(super) const TALL1: u32 = 1 << 12;
    pub(super) const TDIR: u32 = 1 << 14;
    pub(super) const EOI_COUNT: u32 = 0x1f << 27;
    pub(super) const EOI_COUNT_ONE: u32 = 1 << 27;
    /// What is kept. TSEI is RES0: no SEIs are generated.
    pub(super) const BITS: u32 = 0xff | TC | TALL0 | TALL1 | TDIR | EOI_COUNT;
}

/// Which of the accesses that EL1 makes trap to EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of a register")]
pub(crate) struct Traps {
    /// To the registers that both groups share.
    pub(crate) common: bool,
    /// To those of Group 0.
    pub(crate) group0: bool,
    /// To those of Group 1.
    pub(crate) group1: bool,
    /// Writes to DIR.
    pub(crate) deactivate: bool,
}

/// The virtual CPU interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VirtualInterface {
    pub(crate) interface: Interface,
    hcr: u32,
    registers: [ListRegister; MOST],
    /// List registers that exist, 1 to 16.
    count: usize,
    /// A3V of `ICH_VTR_EL2`.
    affinity3: bool,
}

impl VirtualInterface {
    /// With 1 to 16 list registers; other numbers count as the nearest of them.
    pub(crate) fn new(interface: Interface, list_registers: usize, affinity3: bool) -> Self {
        Self {
            interface,
            hcr: 0,
            registers: [ListRegister::default(); MOST],
            count: list_registers.clamp(1, MOST),
            affinity3,
        }
    }

    fn list(&self) -> impl DoubleEndedIterator<Item = (usize, ListRegister)> + '_ {
        self.registers.iter().copied().take(self.count).enumerate()
    }

    /// A bit for each list register of which `holds` says so.
    fn bits(&self, holds: impl Fn(ListRegister) -> bool) -> u64 {
        self.list().filter(|&(_, register)| holds(register)).fold(0, |bits, (n, _)| bits | 1 << n)
    }

    /// Reads `ICH_HCR_EL2`.
    pub(crate) fn hcr(&self) -> u64 {
        u64::from(self.hcr)
    }

    /// Writes it.
    pub(crate) const fn set_hcr(&mut self, value: u64) {
        self.hcr = value as u32 & hcr::BITS;
    }

    /// What `ICH_HCR_EL2` traps.
    pub(crate) const fn traps(&self) -> Traps {
        Traps {
            common: self.hcr & hcr::TC != 0,
            group0: self.hcr & hcr::TALL0 != 0,
            group1: self.hcr & hcr::TALL1 != 0,
            deactivate: self.hcr & hcr::TDIR != 0,
        }
    }

    /// Reads `ICH_VTR_EL2`: `ListRegs`, TDS (writes to DIR trap on their own), nV4 (no interrupts injected without list
    /// registers), A3V, 16 bits of INTID, and the priority bits.
    pub(crate) fn vtr(&self) -> u64 {
        let format = self.interface.format;
        (self.count as u64 - 1)
            | 1 << 19
            | 1 << 20
            | u64::from(self.affinity3) << 21
            | u64::from(format.preemption_bits() - 1) << 26
            | u64::from(format.bits() - 1) << 29
    }

    /// Reads `ICH_VMCR_EL2`. `VAckCtl` is RES0 and `VFIQEn` RES1 where system registers are always in use.
    pub(crate) fn vmcr(&self) -> u64 {
        let interface = &self.interface;
        u64::from(interface.enable0)
            | u64::from(interface.enable1) << 1
            | 1 << 3
            | u64::from(interface.common_point) << 4
            | u64::from(interface.eoi_mode) << 9
            | u64::from(interface.own_point1()) << 18
            | u64::from(interface.own_point0()) << 21
            | u64::from(interface.mask) << 24
    }

    /// Writes it.
    pub(crate) fn set_vmcr(&mut self, value: u64) {
        let interface = &mut self.interface;
        interface.enable0 = value & 1 != 0;
        interface.enable1 = value & 2 != 0;
        interface.common_point = value & 1 << 4 != 0;
        interface.eoi_mode = value & 1 << 9 != 0;
        interface.set_own_point1(value >> 18);
        interface.set_point(false, value >> 21);
        interface.set_mask(value >> 24);
    }

    /// Reads `ICH_EISR_EL2`.
    pub(crate) fn eisr(&self) -> u64 {
        self.bits(ListRegister::ended)
    }

    /// Reads `ICH_ELRSR_EL2`.
    pub(crate) fn elrsr(&self) -> u64 {
        self.bits(ListRegister::free)
    }

    /// Reads `ICH_MISR_EL2`: why a maintenance interrupt is asserted (IHI 0069, chapter 6, maintenance interrupts).
    pub(crate) fn misr(&self) -> u64 {
        let valid = self.list().filter(|(_, register)| !register.invalid()).count();
        let pending = self.list().any(|(_, register)| register.pending());
        let Interface { enable0, enable1, .. } = self.interface;
        [
            self.eisr() != 0,
            self.hcr & hcr::UIE != 0 && valid <= 1,
            self.hcr & hcr::LRENPIE != 0 && self.hcr & hcr::EOI_COUNT != 0,
            self.hcr & hcr::NPIE != 0 && !pending,
            self.hcr & hcr::VGRP0EIE != 0 && enable0,
            self.hcr & hcr::VGRP0DIE != 0 && !enable0,
            self.hcr & hcr::VGRP1EIE != 0 && enable1,
            self.hcr & hcr::VGRP1DIE != 0 && !enable1,
        ]
        .into_iter()
        .enumerate()
        .fold(0, |bits, (n, asserted)| bits | u64::from(asserted) << n)
    }

    /// Whether the maintenance interrupt is asserted.
    pub(crate) fn maintenance(&self) -> bool {
        self.hcr & hcr::EN != 0 && self.misr() != 0
    }

    /// Reads `ICH_LR<n>_EL2`; none if it does not exist.
    pub(crate) fn list_register(&self, n: u8) -> Option<u64> {
        self.list().nth(usize::from(n)).map(|(_, register)| register.0)
    }

    /// Writes it; says whether it exists.
    pub(crate) fn set_list_register(&mut self, n: u8, value: u64) -> bool {
        let format = self.interface.format;
        let register = self.registers.get_mut(usize::from(n)).filter(|_| usize::from(n) < self.count);
        register.map(|register| *register = ListRegister::new(value, format)).is_some()
    }

    /// The pending virtual interrupt of the highest priority, of a group that is enabled: the first of equals. The lowest
    /// priority of all is none.
    fn highest(&self) -> Option<(usize, Candidate)> {
        self.list()
            .filter(|(_, register)| register.pending())
            .filter(|(_, register)| if register.group1() { self.interface.enable1 } else { self.interface.enable0 })
            .map(|(n, register)| {
                (n, Candidate { intid: register.intid(), priority: register.priority(), group1: register.group1() })
            })
            .filter(|(_, candidate)| candidate.priority != IDLE)
            .min_by_key(|(_, candidate)| candidate.priority)
    }

    /// What is signalled to EL1: the group of the virtual interrupt, if one is (IHI 0069, chapter 6).
    pub(crate) fn signalled(&self) -> Option<bool> {
        self.signalling().map(|(_, candidate)| candidate.group1)
    }

    fn signalling(&self) -> Option<(usize, Candidate)> {
        self.highest().filter(|_| self.hcr & hcr::EN != 0).filter(|&(_, candidate)| self.interface.signals(candidate))
    }

    /// Reads `ICV_HPPIR0_EL1` or `ICV_HPPIR1_EL1`.
    pub(crate) fn highest_pending(&self, group1: bool) -> u32 {
        self.highest().filter(|(_, highest)| highest.group1 == group1).map_or(SPURIOUS, |(_, highest)| highest.intid)
    }

    /// Reads `ICV_IAR0_EL1` or `ICV_IAR1_EL1`. A list register with a special INTID, which is UNPREDICTABLE, becomes invalid, and
    /// no priority active.
    pub(crate) fn acknowledge(&mut self, group1: bool) -> u32 {
        let Some((n, candidate)) = self.signalling().filter(|(_, candidate)| candidate.group1 == group1) else {
            return SPURIOUS;
        };
        let Some(register) = self.registers.get_mut(n) else { return SPURIOUS };
        register.0 &= !ListRegister::STATE;
        if (1020..1024).contains(&candidate.intid) {
            return candidate.intid;
        }
        register.0 |= ListRegister::ACTIVE;
        self.interface.raise(candidate);
        candidate.intid
    }

    /// Writes `ICV_EOIR0_EL1` or `ICV_EOIR1_EL1`. Gives the physical interrupt that is deactivated with it, if any.
    ///
    /// The priority drops by what is running, of whichever group. A list register is deactivated if it is active, its group
    /// is that of the register written, and its group priority is the one that was dropped.
    pub(crate) fn end(&mut self, intid: u64, group1: bool) -> Option<u32> {
        let intid = intid as u32 & 0xff_ffff;
        if (1020..1024).contains(&intid) {
            return None;
        }
        let found = self.find_active(intid);
        let dropped = self.interface.active.drop_running(self.interface.format);
        if self.interface.eoi_mode && intid < LPI {
            return None;
        }
        let Some(n) = found else {
            if dropped.is_some() {
                self.count_ended(intid);
            }
            return None;
        };
        let register = self.registers.get(n).copied()?;
        let priority = self.interface.group_priority(register.priority(), register.group1());
        if register.group1() == group1 && dropped == Some(priority) { self.deactivate_register(n) } else { None }
    }

    /// Writes `ICV_DIR_EL1`. Gives the physical interrupt that is deactivated with it, if any. With `EOImode` 0, and for an LPI,
    /// it is ignored.
    pub(crate) fn deactivate(&mut self, intid: u64) -> Option<u32> {
        let intid = intid as u32 & 0xff_ffff;
        if !self.interface.eoi_mode || intid >= 1020 {
            return None;
        }
        if let Some(n) = self.find_active(intid) {
            self.deactivate_register(n)
        } else {
            self.count_ended(intid);
            None
        }
    }

    fn find_active(&self, intid: u32) -> Option<usize> {
        self.list().find(|(_, register)| register.active() && register.intid() == intid).map(|(n, _)| n)
    }

    fn deactivate_register(&mut self, n: usize) -> Option<u32> {
        let register = self.registers.get_mut(n)?;
        register.0 &= !ListRegister::ACTIVE;
        register.physical()
    }

    /// No list register holds the interrupt that the guest ended: `EOIcount`, which wraps.
    const fn count_ended(&mut self, intid: u32) {
        if intid < LPI {
            let count = self.hcr.wrapping_add(hcr::EOI_COUNT_ONE) & hcr::EOI_COUNT;
            self.hcr = self.hcr & !hcr::EOI_COUNT | count;
        }
    }
}
