//! Where a vcpu's information is, and moving it and `shared_info` to pages the guest chose.

use core::fmt::Debug;

use crate::abi::{PAGE_SIZE, shared_info, vcpu_info};
use crate::domain::Domain;
use crate::table::unregistered;
use crate::{Caller, DomIdx, Errno, EventChannels, Host, Object, Stop, Vcpu, VcpuInfoPlace};

impl<A: Copy + Debug> EventChannels<A> {
    /// `VCPUOP_register_vcpu_info`, for the life of the domain. The contents move along; then everything is
    /// selected and the upcall marked, since events may have gone to the old place meanwhile.
    pub fn register_vcpu_info<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        vcpu: Vcpu,
        mfn: u64,
        offset: u32,
    ) -> Result<(), Stop<H::Fault>> {
        let domain = self.domain_mut(caller.dom)?;
        let old = domain.vcpu(vcpu).ok_or(Errno::ENOENT)?.info;
        // The sum may wrap; then its frame is not the one given.
        let gaddr = mfn.wrapping_mul(PAGE_SIZE.into()).wrapping_add(offset.into());
        if gaddr == u64::MAX || gaddr / u64::from(PAGE_SIZE) != mfn {
            return Err(Errno::EINVAL.into());
        }
        if old.is_registered() {
            return Err(Errno::EBUSY.into());
        }
        if offset > PAGE_SIZE - vcpu_info::SIZE || !offset.is_multiple_of(8) {
            return Err(Errno::ENXIO.into());
        }
        let new = h.map_area(domain.idx, gaddr, vcpu_info::SIZE, Object::VcpuInfo(vcpu))?;
        domain.switch_vcpu_info(h, vcpu, old, new).map_err(Stop::Fault)
    }

    /// Puts `shared_info` where the guest wants it: the content so far is copied, then the area is switched, for
    /// vcpu 0's legacy place too. Gives the old area.
    pub fn set_shared_info<H: Host<Area = A>>(&mut self, h: &mut H, dom: DomIdx, area: A) -> Result<A, Stop<H::Fault>> {
        let dummy = self.dummy;
        let domain = self.domain_mut(dom)?;
        let old = domain.shared_info;
        copy(h, old, area, shared_info::SIZE).map_err(Stop::Fault)?;
        domain.shared_info = area;
        domain.replace_unregistered(dummy);
        Ok(old)
    }

    /// The domain's `shared_info`.
    #[must_use]
    pub fn shared_info(&self, dom: DomIdx) -> Option<A> {
        self.get(dom).map(|domain| domain.shared_info)
    }

    /// Where a vcpu's `vcpu_info` is.
    #[must_use]
    pub fn vcpu_info(&self, dom: DomIdx, vcpu: Vcpu) -> Option<VcpuInfoPlace<A>> {
        self.get(dom)?.vcpu(vcpu).map(|state| state.info)
    }
}

impl<A: Copy + Debug> Domain<A> {
    fn switch_vcpu_info<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        vcpu: Vcpu,
        old: VcpuInfoPlace<A>,
        new: A,
    ) -> Result<(), H::Fault> {
        match old {
            VcpuInfoPlace::Dummy(_) => fill(h, new, vcpu_info::SIZE)?,
            VcpuInfoPlace::Legacy(from) | VcpuInfoPlace::Registered(from) => {
                copy(h, from, new, vcpu_info::SIZE)?;
            }
        }
        if let Some(state) = self.vcpu_mut(vcpu) {
            state.info = VcpuInfoPlace::Registered(new);
        }
        h.store(new, vcpu_info::PENDING_SEL, u32::MAX)?;
        h.store(new, vcpu_info::PENDING_SEL + 4, u32::MAX)?;
        self.mark_upcall(h, vcpu)
    }

    /// Points vcpus without a registered place at where they belong.
    fn replace_unregistered(&mut self, dummy: A) {
        let shared_info = self.shared_info;
        for (vcpu, state) in (0..).map(Vcpu).zip(&mut self.vcpus) {
            if !state.info.is_registered() {
                state.info = unregistered(vcpu, shared_info, dummy);
            }
        }
    }

    /// At the end of a domain's life its registered places are given back.
    pub(crate) fn unregister_all<H: Host<Area = A>>(&mut self, h: &mut H, dummy: A) {
        let shared_info = self.shared_info;
        for (vcpu, state) in (0..).map(Vcpu).zip(&mut self.vcpus) {
            if let VcpuInfoPlace::Registered(area) = state.info {
                state.info = unregistered(vcpu, shared_info, dummy);
                h.unmap_area(area);
            }
        }
    }
}

fn copy<H: Host>(h: &mut H, from: H::Area, to: H::Area, len: u32) -> Result<(), H::Fault> {
    for offset in (0..len).step_by(4) {
        let word = h.load(from, offset)?;
        h.store(to, offset, word)?;
    }
    Ok(())
}

fn fill<H: Host>(h: &mut H, area: H::Area, len: u32) -> Result<(), H::Fault> {
    (0..len).step_by(4).try_for_each(|offset| h.store(area, offset, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::{Port, abi};

    fn raw(rig: &mut Rig, vcpu: u32, mfn: u64, offset: u32) -> Result<(), Errno> {
        let d1 = rig.d1;
        rc(rig.ec.register_vcpu_info(&mut rig.mem, caller(d1), Vcpu(vcpu), mfn, offset))
    }

    #[test]
    fn registering_checks_in_order() {
        let mut rig = Rig::new();
        let frame = gfn(rig.d1, 3);
        assert_eq!(raw(&mut rig, 2, u64::MAX, 4096), Err(Errno::ENOENT));
        assert_eq!(raw(&mut rig, 0, frame, 4096), Err(Errno::EINVAL), "next frame");
        assert_eq!(raw(&mut rig, 0, 1 << 52, 0), Err(Errno::EINVAL), "the address wraps");
        assert_eq!(raw(&mut rig, 0, u64::MAX, 4095), Err(Errno::EINVAL));
        assert_eq!(raw(&mut rig, 0, (1 << 52) - 1, 4095), Err(Errno::EINVAL), "the address is all ones");
        assert_eq!(raw(&mut rig, 0, 5, 4056), Err(Errno::ENXIO), "crosses the page, before the frame is looked at");
        assert_eq!(raw(&mut rig, 0, 5, 4), Err(Errno::ENXIO), "not aligned");
        assert_eq!(raw(&mut rig, 0, 5, 4048), Err(Errno::EINVAL), "not RAM");
        rig.mem.no_room = true;
        assert_eq!(raw(&mut rig, 0, frame, 4048), Err(Errno::ENOMEM));
        rig.mem.no_room = false;
        assert!(rig.mem.log.is_empty());
        assert_eq!(raw(&mut rig, 0, frame, 4048), Ok(()));
        assert_eq!(raw(&mut rig, 0, frame, 4096), Err(Errno::EINVAL));
        assert_eq!(raw(&mut rig, 0, 5, 4), Err(Errno::EBUSY), "before offset and frame");
    }

    #[test]
    fn vcpu_0_brings_its_contents_along() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let legacy = shared_info(d1);
        rig.mem.poke(legacy + 16, 0x1234_5678);
        rig.mem.poke(legacy + 44, 9);
        rig.register(d1, 0, 3, 128).unwrap();
        let info = rig.info(d1, 0);
        assert_eq!(info, ram(d1) + 3 * 4096 + 128);
        assert_eq!((rig.mem.peek(info + 16), rig.mem.peek(info + 44)), (0x1234_5678, 9));
        assert_eq!((rig.selector(d1, 0), rig.mem.peek(info)), (u64::MAX, 1));
        assert_eq!(rig.mem.peek(legacy + 16), 0x1234_5678, "nothing is removed from the old place");
        assert_eq!(rig.mem.peek(legacy), 0);
        assert_eq!(rig.mem.injected, [(d1, 0)]);
        assert_eq!(rig.ec.vcpu_info(d1, Vcpu(0)), Some(VcpuInfoPlace::Registered(info)));
    }

    #[test]
    fn others_start_from_zero_whatever_the_dummy_holds() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let info = ram(d1) + 3 * 4096;
        for offset in (0..48).step_by(4) {
            rig.mem.poke(DUMMY + offset, 0xFFFF_FFFF);
            rig.mem.poke(info + offset, 0xAAAA_AAAA);
        }
        assert_eq!(rig.ec.vcpu_info(d1, Vcpu(1)), Some(VcpuInfoPlace::Dummy(DUMMY)));
        rig.register(d1, 1, 3, 0).unwrap();
        assert_eq!((rig.mem.peek(info), rig.selector(d1, 1)), (1, u64::MAX));
        assert!((16..48).step_by(4).all(|offset| rig.mem.peek(info + offset) == 0));
        assert_eq!(rig.mem.injected, [(d1, 1)]);
    }

    #[test]
    fn shared_info_moves_with_all_its_bits() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.send(d1, here).unwrap();
        rig.set_mask(d2, Port(40), true);
        let new = ram(d2) + 5 * 4096;
        assert_eq!(rc(rig.ec.set_shared_info(&mut rig.mem, d2, new)), Ok(shared_info(d2)));
        let same = (0..u64::from(abi::shared_info::SIZE)).step_by(4);
        assert!(same.clone().all(|offset| rig.mem.peek(new + offset) == rig.mem.peek(shared_info(d2) + offset)));
        assert!(same.clone().any(|offset| rig.mem.peek(new + offset) != 0));
        assert_eq!(rig.ec.shared_info(d2), Some(new));
        assert_eq!(rig.ec.vcpu_info(d2, Vcpu(0)), Some(VcpuInfoPlace::Legacy(new)));
        assert_eq!(rig.ec.vcpu_info(d2, Vcpu(1)), Some(VcpuInfoPlace::Dummy(DUMMY)));
        // Events now go there, and to the legacy place in it.
        rig.mem.poke(new, 0);
        rig.mem.poke(new + 8, 0);
        rig.mem.set_bit(new + 48, there.0, false);
        rig.mem.clear_signs();
        rig.send(d1, here).unwrap();
        assert!(rig.mem.bit(new + 48, there.0));
        assert_eq!(rig.mem.injected, [(d2, 0)]);
    }

    #[test]
    fn a_registered_place_does_not_follow_shared_info() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        rig.register(d1, 0, 3, 0).unwrap();
        let info = rig.info(d1, 0);
        rc(rig.ec.set_shared_info(&mut rig.mem, d1, ram(d1))).unwrap();
        assert_eq!(rig.ec.vcpu_info(d1, Vcpu(0)), Some(VcpuInfoPlace::Registered(info)));
    }
}
