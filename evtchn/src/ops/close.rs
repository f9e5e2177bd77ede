//! Giving a port back.

use core::fmt::Debug;

use crate::domain::Domain;
use crate::port::State;
use crate::{Caller, DomIdx, Errno, EventChannels, Host, Port, Stop, VirqKind};

/// With whose rights a port is closed: a guest's stop at ports Xen owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    Guest,
    Xen,
}

impl<A: Copy + Debug> EventChannels<A> {
    /// `EVTCHNOP_close`. The peer of a connected port waits again, for this domain; it gets no event.
    pub fn close<H: Host<Area = A>>(&mut self, h: &mut H, caller: Caller, port: Port) -> Result<(), Stop<H::Fault>> {
        self.close_port(h, caller.dom, port, Rights::Guest)
    }

    pub(crate) fn close_port<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        dom: DomIdx,
        port: Port,
        rights: Rights,
    ) -> Result<(), Stop<H::Fault>> {
        let domain = self.domain_mut(dom)?;
        let channel = domain.valid(port)?;
        if channel.xen.is_some() && rights == Rights::Guest {
            return Err(Errno::EINVAL.into());
        }
        match channel.state {
            State::Free | State::Reserved => return Err(Errno::EINVAL.into()),
            State::Unbound { .. } | State::Ipi => {}
            State::Virq(virq) => {
                let vcpu = channel.vcpu;
                let slot = VirqKind::of(virq.into()).map_or(vcpu, |kind| kind.slot(vcpu));
                domain.set_virq_port(slot, virq.into(), Port(0));
            }
            State::Interdomain { dom: peer, port: peer_port } => {
                let id = domain.id;
                self.domain_mut(peer)?.valid_mut(peer_port)?.state = State::Unbound { remote: id };
            }
        }
        self.domain_mut(dom)?.free(h, port).map_err(Stop::Fault)
    }
}

impl<A: Copy + Debug> Domain<A> {
    /// The pending bit goes, so that the next owner does not start with it; the mask bit is the guest's and stays.
    fn free<H: Host<Area = A>>(&mut self, h: &mut H, port: Port) -> Result<(), H::Fault> {
        if self.ports.get(port).is_some_and(|channel| channel.xen.is_none()) {
            self.clear_pending(h, port)?;
        }
        self.ports.release(port);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::virq;
    use crate::testing::*;
    use crate::{Binding, DomId, Vcpu, XenHandler, XenPort};

    #[test]
    fn close_checks_in_order() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        assert_eq!(rig.close(d1, Port(64)), Err(Errno::EINVAL));
        assert_eq!(rig.close(d1, Port(0)), Err(Errno::EINVAL));
        assert_eq!(rig.close(d1, Port(1)), Err(Errno::EINVAL));
        let wanted = XenPort { dom: d1, vcpu: Vcpu(0), remote_dom: DomId(2), handler: XenHandler::DEFAULT };
        let port = rc(rig.ec.xen_alloc_unbound(&mut rig.mem, None, wanted)).unwrap();
        assert_eq!(rig.close(d1, port), Err(Errno::EINVAL));
        let port = rig.unbound(d2, 1).unwrap();
        assert_eq!(rig.close(d2, port), Ok(()));
        assert_eq!(rig.close(d2, port), Err(Errno::EINVAL));
        assert_eq!((rig.counts(d1), rig.counts(d2)), ([64, 1, 1], [64, 0, 0]));
    }

    #[test]
    fn the_peer_waits_again_and_hears_nothing() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.ec.bind_vcpu(caller(d2), there, Vcpu(1)).unwrap();
        rig.close(d1, here).unwrap();
        let status = rig.ec.port_status(d2, there).unwrap();
        assert_eq!((status.binding, status.vcpu), (Binding::Unbound { dom: DomId(1) }, Vcpu(1)));
        assert!(!rig.is_pending(d2, there) && rig.mem.injected.is_empty());
        assert_eq!(rig.send(d2, there), Ok(()));
        assert!(!rig.is_pending(d1, here));
        assert_eq!(rig.interdomain(d1, 2, there), Ok(here));
    }

    #[test]
    fn pending_goes_and_vcpu_0_comes_back() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.ec.bind_vcpu(caller(d2), there, Vcpu(1)).unwrap();
        rig.send(d1, here).unwrap();
        rig.close(d2, there).unwrap();
        assert!(!rig.is_pending(d2, there));
        let status = rig.ec.port_status(d2, there).unwrap();
        assert_eq!((status.binding, status.vcpu), (Binding::Closed, Vcpu(0)));
    }

    #[test]
    fn a_virq_can_be_bound_again_even_after_it_was_moved() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        for (virq, vcpu) in [(virq::TIMER, 1), (virq::ARGO, 0)] {
            let port = rig.virq(d1, virq, vcpu).unwrap();
            if virq == virq::ARGO {
                rig.ec.bind_vcpu(caller(d1), port, Vcpu(1)).unwrap();
            }
            rig.close(d1, port).unwrap();
            assert_eq!(rig.ec.virq_bound(d1, Vcpu(vcpu), virq), None);
            assert_eq!(rig.virq(d1, virq, vcpu), Ok(port));
        }
    }
}
