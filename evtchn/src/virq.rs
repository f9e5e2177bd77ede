//! Virtual interrupts: their kinds, who handles the global ones, and raising them.

use core::fmt::Debug;

use crate::abi::virq;
use crate::domain::Life;
use crate::{DomIdx, Errno, EventChannels, Host, Port, Route, Vcpu};

/// Whom a VIRQ concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VirqKind {
    /// One vcpu: bound per vcpu, and stays there.
    Vcpu,
    /// One domain: bound on vcpu 0, may be moved.
    Domain,
    /// The whole machine: as a domain's, and only its handler may bind it.
    Global,
}

impl VirqKind {
    /// The kind of a VIRQ; none from 24 up. Numbers without a meaning count as global.
    #[must_use]
    pub const fn of(virq: u32) -> Option<Self> {
        match virq {
            virq::TIMER | virq::DEBUG | virq::XENOPROF | virq::XENPMU => Some(Self::Vcpu),
            virq::ARGO => Some(Self::Domain),
            0..virq::COUNT => Some(Self::Global),
            _ => None,
        }
    }

    /// The vcpu whose table has the slot of a VIRQ of this kind.
    pub(crate) const fn slot(self, vcpu: Vcpu) -> Vcpu {
        match self {
            Self::Vcpu => vcpu,
            Self::Domain | Self::Global => Vcpu(0),
        }
    }
}

impl<A: Copy + Debug> EventChannels<A> {
    /// Who gets a global VIRQ: the handler that was set, else the hardware domain.
    #[must_use]
    pub fn virq_handler(&self, virq: u32) -> Option<DomIdx> {
        let set = self.handlers.get(virq as usize).copied()?;
        set.or_else(|| self.lookup(self.policy.hardware_domain?))
    }

    /// Makes a domain the handler of a global VIRQ, as the control domain asks for.
    pub fn set_virq_handler(&mut self, dom: DomIdx, virq: u32) -> Result<(), Errno> {
        if VirqKind::of(virq) != Some(VirqKind::Global) {
            return Err(Errno::EINVAL);
        }
        let set = self.handlers.get(virq as usize).copied().flatten();
        if set == Some(dom) {
            return Ok(());
        }
        if self.domain(dom)?.life != Life::Alive {
            return Err(Errno::EINVAL);
        }
        let present = self.virq_handler(virq);
        if present == Some(dom) {
            return Ok(());
        }
        // So long as the old handler has it bound, events would go two ways.
        if present.is_some_and(|old| self.virq_bound(old, Vcpu(0), virq).is_some()) {
            return Err(Errno::EBUSY);
        }
        *self.handlers.get_mut(virq as usize).ok_or(Errno::EINVAL)? = Some(dom);
        Ok(())
    }

    /// A dying handler loses its VIRQs to the hardware domain.
    pub(crate) fn clear_virq_handlers(&mut self, dom: DomIdx) {
        for slot in &mut self.handlers {
            *slot = slot.filter(|handler| *handler != dom);
        }
    }

    /// Port a VIRQ is bound to, seen from a vcpu: one that is not per vcpu is seen from each.
    #[must_use]
    pub fn virq_bound(&self, dom: DomIdx, vcpu: Vcpu, virq: u32) -> Option<Port> {
        let domain = self.get(dom)?;
        domain.vcpu(vcpu)?;
        domain.virq_port(VirqKind::of(virq)?.slot(vcpu), virq)
    }

    /// Way of a per-vcpu VIRQ; nowhere if it is not bound there.
    pub fn route_virq_vcpu(&self, dom: DomIdx, vcpu: Vcpu, virq: u32) -> Route {
        self.route_virq(VirqKind::Vcpu, dom, vcpu, virq)
    }

    /// Way of a domain's VIRQ: to wherever its channel was moved.
    pub fn route_virq_domain(&self, dom: DomIdx, virq: u32) -> Route {
        self.route_virq(VirqKind::Domain, dom, Vcpu(0), virq)
    }

    /// Way of a global VIRQ: to its handler, if there is one.
    pub fn route_virq_global(&self, virq: u32) -> Route {
        match self.virq_handler(virq) {
            Some(dom) => self.route_virq(VirqKind::Global, dom, Vcpu(0), virq),
            None => Route::NOTHING,
        }
    }

    fn route_virq(&self, kind: VirqKind, dom: DomIdx, vcpu: Vcpu, virq: u32) -> Route {
        let Some(domain) = self.get(dom).filter(|_| VirqKind::of(virq) == Some(kind)) else {
            return Route::NOTHING;
        };
        domain.virq_port(vcpu, virq).map_or(Route::NOTHING, |port| Route::event(domain, port))
    }

    /// Raises a per-vcpu VIRQ.
    pub fn raise_virq_vcpu<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        dom: DomIdx,
        vcpu: Vcpu,
        virq: u32,
    ) -> Result<(), H::Fault> {
        let route = self.route_virq_vcpu(dom, vcpu, virq);
        self.raise(h, route)
    }

    /// Raises a domain's VIRQ.
    pub fn raise_virq_domain<H: Host<Area = A>>(&mut self, h: &mut H, dom: DomIdx, virq: u32) -> Result<(), H::Fault> {
        let route = self.route_virq_domain(dom, virq);
        self.raise(h, route)
    }

    /// Raises a global VIRQ.
    pub fn raise_virq_global<H: Host<Area = A>>(&mut self, h: &mut H, virq: u32) -> Result<(), H::Fault> {
        let route = self.route_virq_global(virq);
        self.raise(h, route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DomId;
    use crate::testing::*;

    #[test]
    fn kinds_as_on_arm() {
        let letters: alloc::string::String = (0..25)
            .map(|virq| match VirqKind::of(virq) {
                Some(VirqKind::Vcpu) => 'v',
                Some(VirqKind::Domain) => 'd',
                Some(VirqKind::Global) => 'g',
                None => '-',
            })
            .collect();
        assert_eq!(letters, "vvgggggvgggdgvgggggggggg-");
    }

    #[test]
    fn a_per_vcpu_virq_is_pending_for_that_vcpu() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        rig.register(d1, 1, 3, 0).unwrap();
        rig.acknowledge(d1, 1);
        let port = rig.virq(d1, virq::TIMER, 1).unwrap();
        rig.mem.clear_signs();
        rig.ec.raise_virq_vcpu(&mut rig.mem, d1, Vcpu(0), virq::TIMER).unwrap();
        assert!(rig.mem.log.is_empty(), "not bound on vcpu 0");
        rig.ec.raise_virq_vcpu(&mut rig.mem, d1, Vcpu(1), virq::TIMER).unwrap();
        assert!(rig.is_pending(d1, port));
        assert_eq!(rig.mem.injected, [(d1, 1)]);
    }

    #[test]
    fn a_domains_virq_goes_where_its_port_was_moved() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        rig.register(d1, 1, 3, 0).unwrap();
        rig.acknowledge(d1, 1);
        let port = rig.virq(d1, virq::ARGO, 0).unwrap();
        rig.ec.bind_vcpu(caller(d1), port, Vcpu(1)).unwrap();
        rig.mem.clear_signs();
        rig.ec.raise_virq_domain(&mut rig.mem, d1, virq::ARGO).unwrap();
        assert_eq!(rig.mem.injected, [(d1, 1)]);
    }

    #[test]
    fn raising_as_another_kind_does_nothing() {
        let mut rig = Rig::new();
        let d0 = rig.d0;
        rig.virq(d0, virq::CONSOLE, 0).unwrap();
        rig.virq(d0, virq::TIMER, 0).unwrap();
        rig.virq(d0, virq::ARGO, 0).unwrap();
        rig.mem.clear_signs();
        rig.ec.raise_virq_vcpu(&mut rig.mem, d0, Vcpu(0), virq::CONSOLE).unwrap();
        rig.ec.raise_virq_domain(&mut rig.mem, d0, virq::TIMER).unwrap();
        rig.ec.raise_virq_global(&mut rig.mem, virq::ARGO).unwrap();
        rig.ec.raise_virq_global(&mut rig.mem, 24).unwrap();
        rig.ec.raise_virq_vcpu(&mut rig.mem, d0, Vcpu(0), u32::MAX).unwrap();
        assert!(rig.mem.log.is_empty());
    }

    #[test]
    fn a_global_virq_goes_to_its_handler() {
        let mut rig = Rig::new();
        let (d0, d1) = (rig.d0, rig.d1);
        assert_eq!(rig.ec.virq_handler(virq::CONSOLE), Some(d0));
        assert_eq!(rig.ec.set_virq_handler(d1, virq::CONSOLE), Ok(()));
        assert_eq!(rig.virq(d0, virq::CONSOLE, 0), Err(Errno::EBUSY));
        let port = rig.virq(d1, virq::CONSOLE, 0).unwrap();
        rig.ec.raise_virq_global(&mut rig.mem, virq::CONSOLE).unwrap();
        assert!(rig.is_pending(d1, port));
        rc(rig.ec.kill(&mut rig.mem, d1)).unwrap();
        assert_eq!(rig.ec.virq_handler(virq::CONSOLE), Some(d0), "a dead handler loses it");
    }

    #[test]
    fn set_virq_handler_checks_in_order() {
        let mut rig = Rig::new();
        let (d0, d1, d2) = (rig.d0, rig.d1, rig.d2);
        assert_eq!(rig.ec.set_virq_handler(d1, 24), Err(Errno::EINVAL));
        assert_eq!(rig.ec.set_virq_handler(d1, virq::TIMER), Err(Errno::EINVAL));
        assert_eq!(rig.ec.set_virq_handler(d1, virq::ARGO), Err(Errno::EINVAL));
        rig.virq(d0, virq::CONSOLE, 0).unwrap();
        assert_eq!(rig.ec.set_virq_handler(d1, virq::CONSOLE), Err(Errno::EBUSY));
        assert_eq!(rig.ec.set_virq_handler(d0, virq::CONSOLE), Ok(()), "it is so already");
        assert_eq!(rig.ec.set_virq_handler(d1, virq::TBUF), Ok(()));
        rig.ec.begin_kill(d1).unwrap();
        rig.ec.begin_kill(d2).unwrap();
        assert_eq!(rig.ec.set_virq_handler(d1, virq::TBUF), Ok(()), "already, though dying");
        assert_eq!(rig.ec.set_virq_handler(d2, virq::TBUF), Err(Errno::EINVAL));
        assert_eq!(rig.ec.virq_bound(d0, Vcpu(1), virq::CONSOLE), Some(Port(1)));
        assert_eq!(rig.ec.virq_bound(d0, Vcpu(2), virq::CONSOLE), None, "no such vcpu");
    }

    #[test]
    fn without_a_hardware_domain_global_virqs_are_dropped() {
        let policy = crate::Policy { hardware_domain: Some(DomId(5)), silo: false };
        let mut ec = EventChannels::new(policy, DUMMY);
        let d1 = ec.create_domain(&config(1), 0xE000_0000).unwrap();
        assert_eq!(ec.virq_handler(virq::CONSOLE), None);
        let mut mem = Flat::default();
        ec.raise_virq_global(&mut mem, virq::CONSOLE).unwrap();
        assert_eq!(rc(ec.bind_virq(&mut mem, caller(d1), virq::CONSOLE, Vcpu(0))), Err(Errno::EBUSY));
        assert_eq!(ec.set_virq_handler(d1, virq::CONSOLE), Ok(()));
        assert_eq!(ec.virq_handler(virq::CONSOLE), Some(d1));
    }
}
