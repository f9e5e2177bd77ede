//! The table of all domains: who is who, and which policy holds between them.

use alloc::vec::Vec;
use core::fmt::Debug;

use crate::abi::{self, shared_info, virq};
use crate::domain::{Domain, Life, Polling, VcpuState};
use crate::ports::PortTable;
use crate::{DomId, DomIdx, Errno, Port, Vcpu, VcpuInfoPlace};

/// What holds between domains.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Gets the global VIRQs nobody else was made handler of.
    pub hardware_domain: Option<DomId>,
    /// SILO: domains may only connect to themselves and to the hardware or a control domain.
    pub silo: bool,
}

/// A domain to create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainConfig {
    /// Its number.
    pub id: DomId,
    /// Its vcpus, all present from the start.
    pub vcpus: u32,
    /// Is it a control domain?
    pub privileged: bool,
    /// Highest port it may use, inclusive; `u32::MAX` for no limit.
    pub max_evtchn_port: u32,
    /// The domain it serves as device model, if any.
    pub target: Option<DomId>,
}

/// Who makes a hypercall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Its domain.
    pub dom: DomIdx,
    /// Its vcpu.
    pub vcpu: Vcpu,
}

/// Event channels of all domains. One lock of the hypervisor goes around it.
#[derive(Debug)]
pub struct EventChannels<A> {
    slots: Vec<Option<Domain<A>>>,
    /// By rising number.
    by_id: Vec<(DomId, DomIdx)>,
    next_generation: u32,
    pub(crate) policy: Policy,
    /// Where vcpus without a `vcpu_info` of their own have their events lost, for all domains.
    pub(crate) dummy: A,
    /// Handlers of global VIRQs that were set by the control domain.
    pub(crate) handlers: [Option<DomIdx>; virq::COUNT as usize],
}

impl<A: Copy + Debug> EventChannels<A> {
    /// An empty table. `dummy_vcpu_info` is private memory of the hypervisor, 48 zero bytes.
    #[must_use]
    pub fn new(policy: Policy, dummy_vcpu_info: A) -> Self {
        Self {
            slots: Vec::new(),
            by_id: Vec::new(),
            next_generation: 0,
            policy,
            dummy: dummy_vcpu_info,
            handlers: [None; virq::COUNT as usize],
        }
    }

    /// Adds a domain. `shared_info` is its page, all zero. EEXIST: the number is taken; EINVAL: no number for a
    /// domain, or no possible count of vcpus.
    pub fn create_domain(&mut self, cfg: &DomainConfig, shared_info: A) -> Result<DomIdx, Errno> {
        if !cfg.id.is_ordinary() || cfg.vcpus == 0 || cfg.vcpus > abi::MAX_VCPUS {
            return Err(Errno::EINVAL);
        }
        let Err(place) = self.place(cfg.id) else {
            return Err(Errno::EEXIST);
        };
        let idx = self.free_slot()?;
        let mut vcpus = Vec::new();
        vcpus.try_reserve_exact(cfg.vcpus as usize).map_err(|_| Errno::ENOMEM)?;
        vcpus.extend((0..cfg.vcpus).map(|vcpu| VcpuState {
            info: unregistered(Vcpu(vcpu), shared_info, self.dummy),
            virqs: [Port(0); virq::COUNT as usize],
            polling: Polling::No,
        }));
        let domain = Domain {
            idx,
            id: cfg.id,
            generation: self.next_generation,
            life: Life::Alive,
            privileged: cfg.privileged,
            target: cfg.target,
            ports: PortTable::new(cfg.max_evtchn_port)?,
            shared_info,
            vcpus,
            fifo: None,
            pollers: 0,
            next_reset: 0,
            pause_count: 0,
        };
        self.by_id.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.next_generation = self.next_generation.wrapping_add(1);
        match self.slots.get_mut(idx.get()) {
            Some(slot) => *slot = Some(domain),
            None => self.slots.push(Some(domain)),
        }
        self.by_id.insert(place, (cfg.id, idx));
        Ok(idx)
    }

    /// Where a number is in `by_id`, or would be.
    fn place(&self, id: DomId) -> Result<usize, usize> {
        self.by_id.binary_search_by_key(&id, |(id, _)| *id)
    }

    /// The lowest index not in use; there is room for it.
    fn free_slot(&mut self) -> Result<DomIdx, Errno> {
        let index = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let idx = DomIdx(u16::try_from(index).map_err(|_| Errno::ENOMEM)?);
        if index == self.slots.len() {
            self.slots.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        }
        Ok(idx)
    }

    /// Takes a domain out of the table for good. Its device model is nobody's then, whoever gets the number next.
    pub(crate) fn remove(&mut self, idx: DomIdx) {
        if let Some(domain) = self.slots.get_mut(idx.get()).and_then(Option::take) {
            self.by_id.retain(|(id, _)| *id != domain.id);
            for other in self.slots.iter_mut().flatten() {
                other.target = other.target.filter(|target| *target != domain.id);
            }
        }
    }

    /// The domain of that number, dying ones included.
    #[must_use]
    pub fn lookup(&self, id: DomId) -> Option<DomIdx> {
        let place = self.place(id).ok()?;
        self.by_id.get(place).map(|(_, idx)| *idx)
    }

    /// As an operation names a domain: itself, or a number; -ESRCH if there is none.
    pub(crate) fn resolve(&self, caller: DomIdx, id: DomId) -> Result<DomIdx, Errno> {
        if id == DomId::SELF { Ok(caller) } else { self.lookup(id).ok_or(Errno::ESRCH) }
    }

    /// The number of a live domain.
    #[must_use]
    pub fn id_of(&self, idx: DomIdx) -> Option<DomId> {
        self.get(idx).map(|domain| domain.id)
    }

    /// All live domains, by rising number.
    pub fn domains(&self) -> impl Iterator<Item = (DomId, DomIdx)> {
        self.by_id.iter().copied()
    }

    #[inline]
    pub(crate) fn get(&self, idx: DomIdx) -> Option<&Domain<A>> {
        self.slots.get(idx.get())?.as_ref()
    }

    /// A domain that a hypercall needs: -ESRCH if the index is stale.
    #[inline]
    pub(crate) fn domain(&self, idx: DomIdx) -> Result<&Domain<A>, Errno> {
        self.get(idx).ok_or(Errno::ESRCH)
    }

    #[inline]
    pub(crate) fn domain_mut(&mut self, idx: DomIdx) -> Result<&mut Domain<A>, Errno> {
        self.slots.get_mut(idx.get()).and_then(Option::as_mut).ok_or(Errno::ESRCH)
    }
}

/// Where a vcpu's information is before it registers a place for it.
pub(crate) fn unregistered<A>(vcpu: Vcpu, shared_info: A, dummy: A) -> VcpuInfoPlace<A> {
    if vcpu.0 < shared_info::LEGACY_VCPUS { VcpuInfoPlace::Legacy(shared_info) } else { VcpuInfoPlace::Dummy(dummy) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn creation_refuses_what_cannot_be_a_domain() {
        let mut rig = Rig::new();
        let mut create = |cfg| rig.ec.create_domain(&cfg, 0);
        assert_eq!(create(config(1)), Err(Errno::EEXIST));
        assert_eq!(create(config(0x7FF0)), Err(Errno::EINVAL));
        assert_eq!(create(DomainConfig { vcpus: 0, ..config(3) }), Err(Errno::EINVAL));
        assert_eq!(create(DomainConfig { vcpus: 129, ..config(3) }), Err(Errno::EINVAL));
        assert!(create(DomainConfig { vcpus: 128, ..config(0x7FEF) }).is_ok());
    }

    #[test]
    fn domains_are_listed_by_number_and_found_both_ways() {
        let mut rig = Rig::new();
        rc(rig.ec.kill(&mut rig.mem, rig.d1)).unwrap();
        rc(rig.ec.destroy(&mut rig.mem, rig.d1)).unwrap();
        let seven = rig.ec.create_domain(&config(7), 0).unwrap();
        assert_eq!(seven, rig.d1, "indexes are used again");
        let listed: Vec<_> = rig.ec.domains().collect();
        assert_eq!(listed, [(DomId(0), rig.d0), (DomId(2), rig.d2), (DomId(7), seven)]);
        assert_eq!((rig.ec.lookup(DomId(7)), rig.ec.id_of(seven)), (Some(seven), Some(DomId(7))));
        assert_eq!(rig.ec.lookup(DomId::SELF), None);
    }
}
