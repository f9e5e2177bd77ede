//! Ports the hypervisor itself owns: a guest's notification runs a handler and sets no bits.

use core::fmt::Debug;

use crate::ops::close::Rights;
use crate::port::State;
use crate::ports::Opened;
use crate::{DomId, DomIdx, EventChannels, Host, Port, Route, Stop, Vcpu, XenHandler};

/// A port the hypervisor wants for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XenPort {
    /// The domain it is in.
    pub dom: DomIdx,
    /// The vcpu its handler is told.
    pub vcpu: Vcpu,
    /// Who may bind to it.
    pub remote_dom: DomId,
    /// What a notification runs.
    pub handler: XenHandler,
}

impl<A: Copy + Debug> EventChannels<A> {
    /// Opens a Xen-owned port. `on_behalf` is the domain whose request led to it, and whose rights are checked.
    pub fn xen_alloc_unbound<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        on_behalf: Option<DomIdx>,
        wanted: XenPort,
    ) -> Result<Port, Stop<H::Fault>> {
        let port = self.domain_mut(wanted.dom)?.free_port(h)?;
        if let Some(caller) = on_behalf {
            self.may_open(caller, wanted.dom, wanted.remote_dom)?;
        }
        let domain = self.domain_mut(wanted.dom)?;
        domain.require_vcpu(wanted.vcpu)?;
        let state = State::Unbound { remote: wanted.remote_dom };
        domain.ports.open(port, Opened { state, vcpu: wanted.vcpu, xen: Some(wanted.handler) });
        Ok(port)
    }

    /// Closes any port with the hypervisor's rights. One that a preempted kill has made invalid, or that is closed
    /// already, is left alone.
    pub fn xen_free<H: Host<Area = A>>(&mut self, h: &mut H, dom: DomIdx, port: Port) -> Result<(), H::Fault> {
        match self.close_port(h, dom, port, Rights::Xen) {
            Ok(()) | Err(Stop::Errno(_)) => Ok(()),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    /// Way of the hypervisor's own notification: to the peer, if the port is connected.
    pub fn route_xen_notify(&self, dom: DomIdx, port: Port) -> Route {
        let state = self.get(dom).and_then(|domain| domain.ports.get(port)).map(|channel| channel.state);
        match state {
            Some(State::Interdomain { dom, port }) => {
                self.get(dom).map_or(Route::NOTHING, |peer| Route::event(peer, port))
            }
            _ => Route::NOTHING,
        }
    }

    /// The hypervisor notifies the peer of its own port.
    pub fn xen_notify<H: Host<Area = A>>(&mut self, h: &mut H, dom: DomIdx, port: Port) -> Result<(), H::Fault> {
        let route = self.route_xen_notify(dom, port);
        self.raise(h, route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::{Errno, Poll};

    fn open(rig: &mut Rig, by: Option<DomIdx>, dom: DomIdx) -> Result<Port, Errno> {
        let handler = XenHandler::new(3).unwrap();
        let wanted = XenPort { dom, vcpu: Vcpu(1), remote_dom: DomId(1), handler };
        rc(rig.ec.xen_alloc_unbound(&mut rig.mem, by, wanted))
    }

    #[test]
    fn rights_are_those_of_whoever_asked() {
        let mut rig = Rig::new();
        let (d0, d1, d2) = (rig.d0, rig.d1, rig.d2);
        assert_eq!(open(&mut rig, Some(d1), d2), Err(Errno::EPERM));
        assert_eq!(rig.counts(d2), [64, 0, 0]);
        assert_eq!(open(&mut rig, Some(d0), d2), Ok(Port(1)));
        assert_eq!(open(&mut rig, None, d2), Ok(Port(2)));
        assert_eq!(rig.counts(d2), [64, 2, 2]);
    }

    #[test]
    fn a_notification_runs_the_handler_and_sets_no_bit() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let xen = open(&mut rig, None, d2).unwrap();
        let port = rig.interdomain(d1, 2, xen).unwrap();
        rig.consume(d1, port);
        rig.mem.clear_signs();
        rig.send(d1, port).unwrap();
        assert_eq!(rig.mem.notified, [(d2, 1, xen.0, 3)]);
        assert!(rig.mem.log.is_empty());
        rig.ec.xen_notify(&mut rig.mem, d2, xen).unwrap();
        assert!(rig.is_pending(d1, port));
        assert_eq!(rig.mem.injected, [(d1, 0)]);
    }

    #[test]
    fn without_a_peer_xen_says_nothing() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let far = open(&mut rig, None, d2).unwrap();
        rig.ec.xen_notify(&mut rig.mem, d2, far).unwrap();
        let near = rig.interdomain(d1, 2, far).unwrap();
        rig.close(d1, near).unwrap();
        rig.mem.clear_signs();
        rig.ec.xen_notify(&mut rig.mem, d2, far).unwrap();
        rig.ec.xen_notify(&mut rig.mem, d2, Port(9999)).unwrap();
        assert!(rig.mem.log.is_empty());
    }

    #[test]
    fn guests_cannot_touch_it() {
        let mut rig = Rig::new();
        let d2 = rig.d2;
        let port = open(&mut rig, None, d2).unwrap();
        assert_eq!(rig.close(d2, port), Err(Errno::EINVAL));
        assert_eq!(rig.send(d2, port), Err(Errno::EINVAL));
        assert_eq!(rig.ec.bind_vcpu(caller(d2), port, Vcpu(0)), Err(Errno::EINVAL));
        assert_eq!(rig.poll(d2, 0, &[port.0], 0), Err(Errno::EINVAL));
        rig.set_mask(d2, port, true);
        assert_eq!(rig.unmask(d2, port), Ok(()));
        assert!(rig.mem.log.is_empty(), "the mask bit stays");
        assert_eq!(rig.poll(d2, 0, &[], 0), Ok(Poll::Block { timeout: 0 }));
    }

    #[test]
    fn xen_frees_it_without_touching_memory() {
        let mut rig = Rig::new();
        let d2 = rig.d2;
        let port = open(&mut rig, None, d2).unwrap();
        rig.ec.xen_free(&mut rig.mem, d2, port).unwrap();
        rig.ec.xen_free(&mut rig.mem, d2, port).unwrap();
        rig.ec.xen_free(&mut rig.mem, d2, Port(9999)).unwrap();
        assert_eq!(rig.counts(d2), [64, 0, 0]);
        assert!(rig.mem.log.is_empty());
        assert_eq!(rig.ipi(d2, 0), Ok(port));
    }
}
