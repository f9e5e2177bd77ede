//! `memory_op`: placing `shared_info` (Xen's `public/memory.h`).

use super::Hypervisor;
use super::domain::position_of;
use super::guest_mem::GuestMemory;
use super::hypercall::Call;
use super::hypervisor::initial_shared_info;
use super::strategy::Strategy;
use crate::convention::{XENMEM_ADD_TO_PHYSMAP, XENMEM_REMOVE_FROM_PHYSMAP};
use crate::layout::PAGE_SIZE;
use crate::platform::Platform;
use evtchn::{Caller, Errno, Host, Object, Stop};

/// Spaces of `add_to_physmap`.
mod space {
    pub(super) const SHARED_INFO: u32 = 0;
    pub(super) const GMFN_FOREIGN: u32 = 4;
}

/// `struct xen_add_to_physmap`: domid u16 at 0, size u16 at 2, space u32 at 4, idx u64 at 8, gpfn u64 at 16.
struct AddToPhysmap {
    domid: u16,
    space: u32,
    idx: u64,
    gpfn: u64,
}

impl AddToPhysmap {
    const SIZE: usize = 24;

    fn parse(raw: [u8; Self::SIZE]) -> Self {
        let [d0, d1, _, _, s0, s1, s2, s3, rest @ ..] = raw;
        let (mut idx, mut gpfn) = ([0; 8], [0; 8]);
        for (to, from) in idx.iter_mut().chain(&mut gpfn).zip(rest) {
            *to = from;
        }
        Self {
            domid: u16::from_le_bytes([d0, d1]),
            space: u32::from_le_bytes([s0, s1, s2, s3]),
            idx: u64::from_le_bytes(idx),
            gpfn: u64::from_le_bytes(gpfn),
        }
    }
}

impl<S: Strategy> Hypervisor<S> {
    pub(super) fn memory_op<P: Platform>(
        &mut self,
        p: &mut P,
        caller: Caller,
        call: Call,
    ) -> Result<i64, Stop<P::Fault>> {
        let [cmd, arg, ..] = call.args;
        match cmd as u32 {
            XENMEM_ADD_TO_PHYSMAP => self.add_to_physmap(p, caller, arg),
            XENMEM_REMOVE_FROM_PHYSMAP => self.remove_from_physmap(p, caller, arg),
            _ => Err(Errno::ENOSYS.into()),
        }
    }

    /// `XENMAPSPACE_shared_info`: the domain names the page its `shared_info` is to live in; the content so far is copied
    /// there (the proposal of 2022: direct-mapped domains cannot be given a page of the hypervisor's).
    fn add_to_physmap<P: Platform>(&mut self, p: &mut P, caller: Caller, arg: u64) -> Result<i64, Stop<P::Fault>> {
        let mut raw = [0; AddToPhysmap::SIZE];
        GuestMemory { core: &mut self.core, p: &mut *p }.read_guest(caller.dom, arg, &mut raw)?;
        let request = AddToPhysmap::parse(raw);
        if request.space == space::GMFN_FOREIGN {
            return Err(Errno::ENOSYS.into());
        }
        let dom = self.target(caller, request.domid)?;
        let mut host = GuestMemory { core: &mut self.core, p };
        if request.gpfn == u64::MAX || request.space != space::SHARED_INFO || request.idx != 0 {
            return Err(Errno::EINVAL.into());
        }
        let mapped = host.core.shared_info_mapped.get(position_of(dom).get()).copied().unwrap_or(true);
        if mapped {
            return Err(Errno::EBUSY.into());
        }
        let gaddr = request.gpfn.checked_mul(PAGE_SIZE).ok_or(Errno::EINVAL)?;
        let area = host.map_area(dom, gaddr, PAGE_SIZE as u32, Object::SharedInfo)?;
        self.channels.set_shared_info(&mut host, dom, area)?;
        if let Some(mapped) = self.core.shared_info_mapped.get_mut(position_of(dom).get()) {
            *mapped = true;
        }
        Ok(0)
    }

    /// Takes `shared_info` back from the page the domain put it in; it may be placed anew then. Other frames are the
    /// domain's RAM, which an MPU maps as a whole: they stay (-EOPNOTSUPP). `struct xen_remove_from_physmap`: domid u16 at
    /// 0, gpfn u64 at 8.
    fn remove_from_physmap<P: Platform>(&mut self, p: &mut P, caller: Caller, arg: u64) -> Result<i64, Stop<P::Fault>> {
        let mut raw = [0; 16];
        GuestMemory { core: &mut self.core, p: &mut *p }.read_guest(caller.dom, arg, &mut raw)?;
        let [d0, d1, _, _, _, _, _, _, gpfn @ ..] = raw;
        let dom = self.target(caller, u16::from_le_bytes([d0, d1]))?;
        let gaddr = u64::from_le_bytes(gpfn).checked_mul(PAGE_SIZE).ok_or(Errno::EINVAL)?;
        let mapped = self.core.shared_info_mapped.get(position_of(dom).get()) == Some(&true);
        let placed = self.channels.shared_info(dom).filter(|area| mapped && area.address == gaddr);
        let mut host = GuestMemory { core: &mut self.core, p };
        let movable = host.core.layout.pages(position_of(dom)).is_some_and(|pages| !pages.shared_info_placed);
        let Some(placed) = placed.filter(|_| movable) else {
            let known = host.core.layout.ram_bank(position_of(dom), gaddr).is_some();
            return Err(if known || placed.is_some() { Errno::EOPNOTSUPP } else { Errno::EINVAL }.into());
        };
        let home = initial_shared_info(&host.core.layout, position_of(dom)).0;
        self.channels.set_shared_info(&mut host, dom, home)?;
        host.unmap_area(placed);
        if let Some(mapped) = self.core.shared_info_mapped.get_mut(position_of(dom).get()) {
            *mapped = false;
        }
        Ok(0)
    }
}
