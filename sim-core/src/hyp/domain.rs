//! Domains and vCPUs: what the hypervisor remembers of its guests.

use super::registers::El1;
use crate::convention::{Arch, Frame};
use crate::layout::{Layout, PAGE_SIZE, Position, Span, VcpuLayout};
use crate::outcome::VcpuRef;
use crate::platform::{Platform, SysReg, Vmid, list_register};
use alloc::vec::Vec;
use boards::PeId;
use evtchn::DomIdx;
use mpu_model::{MpuReg, Pmsa, RegionWords, Slots};

/// A vCPU, by its place in [`Domains`], which alone gives them. A vCPU keeps its place for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VcpuId(usize);

#[cfg(test)]
impl VcpuId {
    /// The id of a place, for tests that have no domains.
    pub(super) const fn at(place: usize) -> Self {
        Self(place)
    }
}

/// EL1 registers of a vCPU that does not run.
#[derive(Clone, Debug)]
struct El1Context {
    sctlr: u64,
    mair: u64,
    esr: u64,
    far: u64,
    /// PMSAv8-32 only: prefetch aborts have a status register of their own.
    ifsr: u64,
    elr: u64,
    spsr: u64,
    vbar: u64,
    list_register: u64,
    regions: Vec<RegionWords>,
}

/// Whether a vCPU can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// It runs or waits for its turn.
    Runnable,
    /// It waits for an interrupt.
    Blocked,
    /// It turned itself off.
    Offline,
}

/// One vCPU.
#[derive(Clone, Debug)]
pub struct VcpuState {
    /// Position of its domain.
    pub domain: Position,
    /// Its number in the domain.
    pub index: u32,
    /// The PE it runs on.
    pub pe: PeId,
    /// Whether it can run.
    pub run: RunState,
    /// Its domain is paused.
    paused: bool,
    /// The event interrupt was raised and has not reached a list register yet.
    pub event_pending: bool,
    /// When the poll it is blocked in is over at the latest.
    pub(super) poll_until: Option<u64>,
    frame: Frame,
    pmsa: Pmsa,
    el1: El1Context,
}

impl VcpuState {
    /// A vCPU that has not run yet.
    fn new(domain: Position, index: u32, planned: &VcpuLayout, pmsa: Pmsa, el1_regions: u8) -> Self {
        let mut regions = alloc::vec![RegionWords::default(); usize::from(el1_regions)];
        for (slot, region) in regions.iter_mut().zip(&planned.el1_regions) {
            *slot = region.words();
        }
        let el1 = El1Context {
            sctlr: planned.sctlr_el1(),
            // As its start-up code would have set it: index 0 is Normal write-back.
            mair: 0xff,
            esr: 0,
            far: 0,
            ifsr: 0,
            elr: 0,
            spsr: 0,
            vbar: 0,
            list_register: 0,
            regions,
        };
        let frame = Frame { elr: ENTRY_POINT, spsr: pmsa.start(), ..Frame::default() };
        Self {
            domain,
            index,
            pe: planned.pe,
            run: RunState::Runnable,
            paused: false,
            event_pending: false,
            poll_until: None,
            frame,
            pmsa,
            el1,
        }
    }

    /// Makes a vCPU that has not run yet start at `entry`, for guests that are images.
    pub fn start_at(&mut self, entry: u64) {
        self.frame.elr = entry;
    }

    /// Whether it is runnable and its domain not paused.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.run == RunState::Runnable && !self.paused
    }

    /// Whether its domain is paused.
    #[must_use]
    pub const fn paused(&self) -> bool {
        self.paused
    }

    /// The registers it left its PE with.
    #[must_use]
    pub const fn saved(&self) -> &Frame {
        &self.frame
    }

    /// Whether an interrupt is on its way to the vCPU, noted here or in the list register it left with.
    #[must_use]
    pub fn has_interrupt(&self) -> bool {
        self.event_pending || self.el1.list_register & list_register::PENDING != 0
    }

    /// Takes the vCPU off its PE.
    pub fn save<P: Platform>(&mut self, p: &mut P, el1_slots: &mut Slots, frame: &Frame) -> Result<(), P::Fault> {
        self.frame = *frame;
        self.el1.sctlr = p.read(SysReg::El1(MpuReg::Sctlr));
        self.el1.mair = p.read(SysReg::El1(MpuReg::Mair));
        self.el1.esr = p.read(SysReg::EsrEl1);
        self.el1.far = p.read(SysReg::FarEl1);
        if self.pmsa == Pmsa::V32 {
            self.el1.ifsr = p.read(SysReg::Ifsr);
        }
        self.el1.elr = p.read(SysReg::ElrEl1);
        self.el1.spsr = p.read(SysReg::SpsrEl1);
        self.el1.vbar = p.read(SysReg::VbarEl1);
        self.el1.list_register = p.read(SysReg::IchLr0);
        el1_slots.save(&mut El1(p), &mut self.el1.regions)
    }

    /// Puts the vCPU on its PE. The EL1 MPU is off while its slots change.
    pub fn restore<P: Platform>(
        &mut self,
        p: &mut P,
        el1_slots: &mut Slots,
        frame: &mut Frame,
    ) -> Result<(), P::Fault> {
        *frame = self.frame;
        p.write(SysReg::El1(MpuReg::Sctlr), 0)?;
        p.dsb()?;
        p.isb()?;
        p.write(SysReg::El1(MpuReg::Mair), self.el1.mair)?;
        el1_slots.restore(&mut El1(p), &self.el1.regions)?;
        p.write(SysReg::El1(MpuReg::Sctlr), self.el1.sctlr)?;
        p.dsb()?;
        p.write(SysReg::EsrEl1, self.el1.esr)?;
        p.write(SysReg::FarEl1, self.el1.far)?;
        if self.pmsa == Pmsa::V32 {
            p.write(SysReg::Ifsr, self.el1.ifsr)?;
        }
        p.write(SysReg::ElrEl1, self.el1.elr)?;
        p.write(SysReg::SpsrEl1, self.el1.spsr)?;
        p.write(SysReg::VbarEl1, self.el1.vbar)?;
        p.write(SysReg::IchLr0, self.el1.list_register)?;
        p.write(SysReg::VmpidrEl2, u64::from(self.index))?;
        // A layout has no more domains than there are VMIDs.
        let vmid = Vmid::of_domain(self.domain).unwrap_or(Vmid::NOBODY);
        p.write(SysReg::VsctlrEl2, vmid.to_register(self.pmsa))
    }
}

/// The vCPU that a machine knows by its VMID and its number. `None`: no domain has such.
#[must_use]
pub fn vcpu_of((vmid, vcpu): (Vmid, u64)) -> Option<VcpuRef> {
    Some(VcpuRef { domain: vmid.domain()?, vcpu: u32::try_from(vcpu).ok()? })
}

/// The position in the layout of the domain that has an index in the event-channel tables: the two are the same number.
#[must_use]
pub const fn position_of(dom: DomIdx) -> Position {
    Position::new(dom.get())
}

/// All domains and their vCPUs.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    vcpus: Vec<VcpuState>,
    /// Of each domain: its first vCPU.
    first: Vec<usize>,
    /// Of each domain: how many it has.
    counts: Vec<usize>,
    /// vCPUs that are not off.
    online: usize,
}

impl Domains {
    /// The domains of `layout`, nothing run yet.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let mut domains = Self::default();
        for (domain, planned) in Position::all().zip(layout.domains()) {
            domains.create(domain, &planned.vcpus, layout);
        }
        domains
    }

    /// Puts the vCPUs of a new domain at `position`; those of one that was there before are off.
    pub(super) fn create(&mut self, position: Position, planned: &[VcpuLayout], layout: &Layout) {
        let at = position.get();
        let before = self.first.get(at).copied().filter(|first| {
            // The places of a domain that is gone are taken again if they are enough.
            let of_domain = self.vcpus.iter().skip(*first).take_while(|vcpu| vcpu.domain == position);
            of_domain.count() >= planned.len()
        });
        let first = before.unwrap_or(self.vcpus.len());
        self.first.resize(self.first.len().max(at + 1), first);
        if let Some(place) = self.first.get_mut(at) {
            *place = first;
        }
        if let Some(count) = self.counts.get_mut(at) {
            *count = planned.len();
        } else {
            self.counts.resize(at, 0);
            self.counts.push(planned.len());
        }
        for (id, (index, vcpu)) in (first..).zip((0u32..).zip(planned)) {
            let state = VcpuState::new(position, index, vcpu, layout.board().pmsa, layout.board().el1_regions);
            match self.vcpus.get_mut(id) {
                Some(place) => *place = state,
                None => self.vcpus.push(state),
            }
        }
        self.online += planned.len();
    }

    /// The vCPU with that number in the domain at that position.
    #[must_use]
    pub fn id(&self, domain: Position, vcpu: u32) -> Option<VcpuId> {
        let vcpu = usize::try_from(vcpu)
            .ok()
            .filter(|vcpu| self.counts.get(domain.get()).is_some_and(|count| vcpu < count))?;
        self.first.get(domain.get())?.checked_add(vcpu).map(VcpuId)
    }

    /// A vCPU.
    ///
    /// # Panics
    ///
    /// If the id is of the domains of another system.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "vCPUs keep their places, and none goes")]
    pub fn vcpu(&self, id: VcpuId) -> &VcpuState {
        &self.vcpus[id.0]
    }

    /// A vCPU.
    ///
    /// # Panics
    ///
    /// As [`Domains::vcpu`].
    #[expect(clippy::indexing_slicing, reason = "vCPUs keep their places, and none goes")]
    pub fn vcpu_mut(&mut self, id: VcpuId) -> &mut VcpuState {
        &mut self.vcpus[id.0]
    }

    pub(super) fn set_paused(&mut self, id: VcpuId, paused: bool) {
        self.vcpu_mut(id).paused = paused;
    }

    pub(super) fn offline(&mut self, id: VcpuId) {
        let vcpu = self.vcpu_mut(id);
        if vcpu.run != RunState::Offline {
            vcpu.run = RunState::Offline;
            self.online -= 1;
        }
    }

    /// How many vCPUs are not off.
    #[must_use]
    pub fn online(&self) -> usize {
        self.online
    }

    /// Every vCPU.
    pub fn iter(&self) -> impl Iterator<Item = (VcpuId, &VcpuState)> {
        self.vcpus.iter().enumerate().map(|(id, state)| (VcpuId(id), state))
    }
}

/// Where guests start. Guests here are programs, not images, so the value only has to differ from any vector.
pub const ENTRY_POINT: u64 = 0x8_0000;

/// The EL1 slot driver of each PE.
#[must_use]
pub fn el1_slots(layout: &Layout) -> Slots {
    Slots::of(layout.board().pmsa, layout.board().el1_regions)
}

/// Addresses of the pages the hypervisor keeps in its heap: the dummy `vcpu_info`, then each domain's initial
/// `shared_info`.
#[must_use]
pub fn heap_page(layout: &Layout, index: usize) -> Option<Span> {
    let offset = u64::try_from(index).ok()?.checked_mul(PAGE_SIZE)?;
    Span::with_size(layout.heap().base().checked_add(offset)?, PAGE_SIZE).filter(|page| layout.heap().covers(page))
}
