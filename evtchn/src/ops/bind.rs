//! Operations that make a port, and the one that moves it to another vcpu.

use core::fmt::Debug;

use crate::domain::Domain;
use crate::port::State;
use crate::{Caller, DomId, DomIdx, Errno, EventChannels, Host, Port, Stop, Vcpu, VirqKind};

impl<A: Copy + Debug> EventChannels<A> {
    /// `EVTCHNOP_alloc_unbound`: opens a port in `dom` that waits for `remote_dom`. SELF as the remote is the caller,
    /// whatever `dom` is.
    pub fn alloc_unbound<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        dom: DomId,
        remote_dom: DomId,
    ) -> Result<Port, Stop<H::Fault>> {
        let caller_id = self.domain(caller.dom)?.id;
        let dom = self.resolve(caller.dom, dom)?;
        // The port is looked for first: a full table is -ENOSPC even for those who may not.
        let port = self.domain_mut(dom)?.free_port(h)?;
        self.may_open(caller.dom, dom, remote_dom)?;
        let remote = if remote_dom == DomId::SELF { caller_id } else { remote_dom };
        self.domain_mut(dom)?.open(port, State::Unbound { remote }, Vcpu(0));
        Ok(port)
    }

    /// `EVTCHNOP_bind_interdomain`: connects a new port to `remote_port`, which waits for the caller's domain. The
    /// new port is pending at once, since the remote may have sent before.
    pub fn bind_interdomain<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        remote_dom: DomId,
        remote_port: Port,
    ) -> Result<Port, Stop<H::Fault>> {
        let remote = self.resolve(caller.dom, remote_dom)?;
        let port = self.domain_mut(caller.dom)?.free_port(h)?;
        self.waiting_port(caller.dom, remote, remote_port)?;
        self.may_bind(caller.dom, remote)?;
        self.connect(h, caller.dom, port, remote, remote_port)?;
        Ok(port)
    }

    /// Does the remote port wait for this domain?
    pub(crate) fn waiting_port(&self, local: DomIdx, remote: DomIdx, port: Port) -> Result<(), Errno> {
        let id = self.domain(local)?.id;
        match self.domain(remote)?.valid(port)?.state {
            State::Unbound { remote } if remote == id => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Joins a free port to a waiting one, which keeps its vcpu, bits and priority.
    pub(crate) fn connect<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        local: DomIdx,
        port: Port,
        remote: DomIdx,
        remote_port: Port,
    ) -> Result<(), Stop<H::Fault>> {
        self.domain_mut(remote)?.valid_mut(remote_port)?.state = State::Interdomain { dom: local, port };
        let domain = self.domain_mut(local)?;
        domain.open(port, State::Interdomain { dom: remote, port: remote_port }, Vcpu(0));
        domain.set_pending(h, port, Vcpu(0)).map_err(Stop::Fault)
    }

    /// `EVTCHNOP_bind_virq`.
    pub fn bind_virq<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        virq: u32,
        vcpu: Vcpu,
    ) -> Result<Port, Stop<H::Fault>> {
        let kind = VirqKind::of(virq).ok_or(Errno::EINVAL)?;
        if kind != VirqKind::Vcpu && vcpu != Vcpu(0) {
            return Err(Errno::EINVAL.into());
        }
        self.domain(caller.dom)?.require_vcpu(vcpu)?;
        if kind == VirqKind::Global && self.virq_handler(virq) != Some(caller.dom) {
            return Err(Errno::EBUSY.into());
        }
        let domain = self.domain_mut(caller.dom)?;
        if domain.virq_port(vcpu, virq).is_some() {
            return Err(Errno::EEXIST.into());
        }
        let port = domain.free_port(h)?;
        domain.open(port, State::Virq(virq as u8), vcpu);
        domain.set_virq_port(vcpu, virq, port);
        Ok(port)
    }

    /// `EVTCHNOP_bind_ipi`.
    pub fn bind_ipi<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        vcpu: Vcpu,
    ) -> Result<Port, Stop<H::Fault>> {
        let domain = self.domain_mut(caller.dom)?;
        domain.require_vcpu(vcpu)?;
        let port = domain.free_port(h)?;
        domain.open(port, State::Ipi, vcpu);
        Ok(port)
    }

    /// `EVTCHNOP_bind_vcpu`. What is pending stays where it was raised.
    pub fn bind_vcpu(&mut self, caller: Caller, port: Port, vcpu: Vcpu) -> Result<(), Errno> {
        let domain = self.domain_mut(caller.dom)?;
        domain.require_vcpu(vcpu)?;
        domain.move_port(port, vcpu)
    }
}

impl<A: Copy + Debug> Domain<A> {
    fn move_port(&mut self, port: Port, vcpu: Vcpu) -> Result<(), Errno> {
        let channel = self.valid_mut(port)?;
        if channel.xen.is_some() {
            return Err(Errno::EINVAL);
        }
        match channel.state {
            State::Unbound { .. } | State::Interdomain { .. } => {}
            State::Virq(virq) if VirqKind::of(virq.into()) != Some(VirqKind::Vcpu) => {}
            State::Virq(_) | State::Ipi | State::Free | State::Reserved => {
                return Err(Errno::EINVAL);
            }
        }
        channel.vcpu = vcpu;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Binding;
    use crate::abi::virq;
    use crate::testing::*;

    fn alloc(rig: &mut Rig, by: DomIdx, dom: DomId, remote: DomId) -> Result<Port, Errno> {
        rc(rig.ec.alloc_unbound(&mut rig.mem, caller(by), dom, remote))
    }

    fn binding(rig: &Rig, dom: DomIdx, port: Port) -> Option<Binding> {
        rig.ec.port_status(dom, port).map(|status| status.binding)
    }

    #[test]
    fn alloc_unbound_checks_in_order() {
        let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = 3);
        let (d1, d2) = (rig.d1, rig.d2);
        for id in [9, 0x7FF1, 0x7FF4, 0x7FFF] {
            assert_eq!(alloc(&mut rig, d1, DomId(id), DomId(1)), Err(Errno::ESRCH));
        }
        // Not allowed, but there is a port: it is given back.
        assert_eq!(alloc(&mut rig, d1, DomId(2), DomId(1)), Err(Errno::EPERM));
        assert_eq!(rig.counts(d2), [64, 0, 0]);
        for _ in 1..=3 {
            rig.ipi(d2, 0).unwrap();
        }
        assert_eq!(alloc(&mut rig, d1, DomId(2), DomId(1)), Err(Errno::ENOSPC));
        rig.ec.begin_kill(d2).unwrap();
        assert_eq!(alloc(&mut rig, d1, DomId(2), DomId(1)), Err(Errno::EINVAL));
    }

    #[test]
    fn alloc_unbound_gives_the_lowest_free_port_and_vcpu_0() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        for port in 1..=64 {
            assert_eq!(rig.unbound(d1, 2), Ok(Port(port)));
        }
        assert_eq!(rig.counts(d1), [128, 64, 0]);
        rig.close(d1, Port(17)).unwrap();
        // The remote need not exist.
        assert_eq!(rig.unbound(d1, 777), Ok(Port(17)));
        let status = rig.ec.port_status(d1, Port(17)).unwrap();
        assert_eq!((status.binding, status.vcpu), (Binding::Unbound { dom: DomId(777) }, Vcpu(0)));
    }

    #[test]
    fn the_callers_own_number_does_as_well_as_self() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        assert_eq!(alloc(&mut rig, d1, DomId(1), DomId::SELF), Ok(Port(1)));
        assert_eq!(binding(&rig, d1, Port(1)), Some(Binding::Unbound { dom: DomId(1) }));
    }

    #[test]
    fn bind_interdomain_checks_in_order() {
        let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = if cfg.id.0 == 1 { 2 } else { 1023 });
        let (d0, d1, d2) = (rig.d0, rig.d1, rig.d2);
        assert_eq!(rig.interdomain(d1, 9, Port(5000)), Err(Errno::ESRCH));
        assert_eq!(rig.interdomain(d1, 2, Port(64)), Err(Errno::EINVAL), "no such bucket");
        assert_eq!(rig.interdomain(d1, 2, Port(1)), Err(Errno::EINVAL), "free");
        let for_0 = rig.unbound(d2, 0).unwrap();
        assert_eq!(rig.interdomain(d1, 2, for_0), Err(Errno::EINVAL), "waits for another");
        assert_eq!(rig.counts(d1), [64, 0, 0], "the local port was given back each time");
        rig.ipi(d1, 0).unwrap();
        rig.ipi(d1, 0).unwrap();
        assert_eq!(rig.interdomain(d1, 2, Port(64)), Err(Errno::ENOSPC), "before the remote port is looked at");
        rig.ec.begin_kill(d1).unwrap();
        assert_eq!(rig.interdomain(d1, 2, Port(64)), Err(Errno::EINVAL));
        assert_eq!(rig.interdomain(d0, 2, for_0), Ok(Port(1)));
        assert_eq!(rig.interdomain(d0, 2, for_0), Err(Errno::EINVAL), "no longer waiting");
    }

    #[test]
    fn bind_interdomain_connects_both_ends_and_raises_locally() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        rig.ipi(d1, 0).unwrap();
        let there = rig.unbound(d2, 1).unwrap();
        rig.ec.bind_vcpu(caller(d2), there, Vcpu(1)).unwrap();
        let here = rig.interdomain(d1, 2, there).unwrap();
        assert_eq!((here, there), (Port(2), Port(1)));
        assert_eq!(binding(&rig, d1, here), Some(Binding::Interdomain { dom: DomId(2), port: there }));
        assert_eq!(binding(&rig, d2, there), Some(Binding::Interdomain { dom: DomId(1), port: here }));
        assert_eq!(rig.ec.port_status(d2, there).unwrap().vcpu, Vcpu(1), "the remote keeps its vcpu");
        assert!(rig.is_pending(d1, here) && !rig.is_pending(d2, there));
        assert_eq!(rig.mem.injected, [(d1, 0)]);
    }

    #[test]
    fn a_domain_may_connect_to_itself() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let far = rig.unbound(d1, 1).unwrap();
        let near = rig.interdomain(d1, DomId::SELF.0, far).unwrap();
        assert_ne!(far, near);
        rig.consume(d1, near);
        rig.send(d1, far).unwrap();
        assert!(rig.is_pending(d1, near) && !rig.is_pending(d1, far));
    }

    #[test]
    fn bind_virq_checks_in_order() {
        let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = 2);
        let (d0, d1) = (rig.d0, rig.d1);
        assert_eq!(rig.virq(d1, 24, 9), Err(Errno::EINVAL));
        assert_eq!(rig.virq(d1, u32::MAX, 0), Err(Errno::EINVAL));
        assert_eq!(rig.virq(d1, virq::CONSOLE, 9), Err(Errno::EINVAL), "global, and not on vcpu 0");
        assert_eq!(rig.virq(d1, virq::ARGO, 1), Err(Errno::EINVAL));
        assert_eq!(rig.virq(d1, virq::TIMER, 2), Err(Errno::ENOENT));
        assert_eq!(rig.virq(d1, virq::CONSOLE, 0), Err(Errno::EBUSY), "not its handler");
        assert_eq!(rig.virq(d1, virq::TIMER, 1), Ok(Port(1)));
        assert_eq!(rig.virq(d1, virq::TIMER, 0), Ok(Port(2)), "each vcpu has its own");
        assert_eq!(rig.virq(d1, virq::TIMER, 1), Err(Errno::EEXIST), "before the table is found full");
        assert_eq!(rig.virq(d1, virq::DEBUG, 1), Err(Errno::ENOSPC));
        assert_eq!(rig.virq(d0, virq::CONSOLE, 0), Ok(Port(1)));
        assert_eq!(rig.virq(d0, virq::CONSOLE, 0), Err(Errno::EEXIST));
    }

    #[test]
    fn bind_ipi_needs_a_vcpu_first() {
        let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = 0);
        let d1 = rig.d1;
        assert_eq!(rig.ipi(d1, 2), Err(Errno::ENOENT));
        assert_eq!(rig.ipi(d1, 1), Err(Errno::ENOSPC));
    }

    #[test]
    fn bind_vcpu_checks_in_order() {
        let mut rig = Rig::new();
        let (d0, d1) = (rig.d0, rig.d1);
        let bind = |rig: &mut Rig, dom, port, vcpu| rig.ec.bind_vcpu(caller(dom), port, Vcpu(vcpu));
        assert_eq!(bind(&mut rig, d1, Port(9999), 2), Err(Errno::ENOENT));
        assert_eq!(bind(&mut rig, d1, Port(64), 1), Err(Errno::EINVAL));
        assert_eq!(bind(&mut rig, d1, Port(0), 1), Err(Errno::EINVAL));
        assert_eq!(bind(&mut rig, d1, Port(5), 1), Err(Errno::EINVAL));
        let fixed = [rig.ipi(d1, 0).unwrap(), rig.virq(d1, virq::TIMER, 0).unwrap()];
        for port in fixed {
            assert_eq!(bind(&mut rig, d1, port, 1), Err(Errno::EINVAL));
        }
        let movable = [rig.unbound(d1, 1).unwrap(), rig.virq(d1, virq::ARGO, 0).unwrap()];
        for port in movable {
            assert_eq!(bind(&mut rig, d1, port, 1), Ok(()));
            assert_eq!(rig.ec.port_status(d1, port).unwrap().vcpu, Vcpu(1));
        }
        let console = rig.virq(d0, virq::CONSOLE, 0).unwrap();
        assert_eq!(bind(&mut rig, d0, console, 1), Ok(()));
    }

    #[test]
    fn moving_a_port_repeats_nothing() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.send(d1, here).unwrap();
        assert_eq!(rig.mem.injected, [(d2, 0)]);
        rig.register(d2, 1, 3, 0).unwrap();
        rig.acknowledge(d2, 1);
        rig.mem.clear_signs();
        rig.ec.bind_vcpu(caller(d2), there, Vcpu(1)).unwrap();
        assert!(rig.mem.log.is_empty() && rig.mem.injected.is_empty());
        // The next event is merged into the one that waits on vcpu 0.
        rig.send(d1, here).unwrap();
        assert_eq!((rig.selector(d2, 0), rig.selector(d2, 1)), (1, 0));
        rig.consume(d2, there);
        rig.send(d1, here).unwrap();
        assert_eq!((rig.selector(d2, 0), rig.selector(d2, 1)), (0, 1));
    }
}
