//! Operations that put events on their way. Each is a route, found in the tables, and a raise, done in guest memory.

use core::fmt::Debug;

use crate::port::State;
use crate::{Caller, Errno, EventChannels, Host, Port, Route, Stop};

impl<A: Copy + Debug> EventChannels<A> {
    /// `EVTCHNOP_send`, up to where Xen has let go of its locks. A port that waits for its peer drops the event.
    #[inline]
    pub fn route_send(&self, caller: Caller, port: Port) -> Result<Route, Errno> {
        let domain = self.domain(caller.dom)?;
        let channel = domain.valid(port)?;
        if channel.xen.is_some() {
            return Err(Errno::EINVAL);
        }
        match channel.state {
            State::Interdomain { dom, port } => Ok(Route::notify(self.domain(dom)?, port)),
            State::Ipi => Ok(Route::event(domain, port)),
            State::Unbound { .. } => Ok(Route::NOTHING),
            State::Free | State::Reserved | State::Virq(_) => Err(Errno::EINVAL),
        }
    }

    /// `EVTCHNOP_send`.
    pub fn send<H: Host<Area = A>>(&mut self, h: &mut H, caller: Caller, port: Port) -> Result<(), Stop<H::Fault>> {
        let route = self.route_send(caller, port)?;
        self.raise(h, route).map_err(Stop::Fault)
    }

    /// `EVTCHNOP_unmask`, up to the first access. A closed port of an existing bucket is no error.
    #[inline]
    pub fn route_unmask(&self, caller: Caller, port: Port) -> Result<Route, Errno> {
        let domain = self.domain(caller.dom)?;
        domain.valid(port)?;
        Ok(Route::unmask(domain, port))
    }

    /// `EVTCHNOP_unmask`.
    pub fn unmask<H: Host<Area = A>>(&mut self, h: &mut H, caller: Caller, port: Port) -> Result<(), Stop<H::Fault>> {
        let route = self.route_unmask(caller, port)?;
        self.raise(h, route).map_err(Stop::Fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::virq;
    use crate::testing::*;
    use crate::{DomId, Vcpu, XenHandler, XenPort};

    #[test]
    fn send_checks_in_order() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        assert_eq!(rig.send(d1, Port(64)), Err(Errno::EINVAL));
        assert_eq!(rig.send(d1, Port(u32::MAX)), Err(Errno::EINVAL));
        assert_eq!(rig.send(d1, Port(0)), Err(Errno::EINVAL));
        assert_eq!(rig.send(d1, Port(1)), Err(Errno::EINVAL));
        let virq = rig.virq(d1, virq::TIMER, 0).unwrap();
        assert_eq!(rig.send(d1, virq), Err(Errno::EINVAL));
        let waiting = rig.unbound(d1, 2).unwrap();
        assert_eq!(rig.send(d1, waiting), Ok(()));
        let wanted = XenPort { dom: d2, vcpu: Vcpu(1), remote_dom: DomId(1), handler: XenHandler::DEFAULT };
        let xen = rc(rig.ec.xen_alloc_unbound(&mut rig.mem, None, wanted)).unwrap();
        assert_eq!(rig.send(d2, xen), Err(Errno::EINVAL));
        assert!(rig.mem.log.is_empty(), "none of these touches memory");
    }

    #[test]
    fn an_ipi_is_pending_on_itself_for_its_vcpu() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        rig.register(d1, 1, 3, 64).unwrap();
        rig.acknowledge(d1, 1);
        let port = rig.ipi(d1, 1).unwrap();
        rig.mem.clear_signs();
        rig.send(d1, port).unwrap();
        assert!(rig.is_pending(d1, port));
        assert_eq!(rig.mem.injected, [(d1, 1)]);
        assert_eq!((rig.selector(d1, 0), rig.selector(d1, 1)), (0, 1));
    }

    #[test]
    fn a_route_whose_target_closed_meanwhile_does_nothing() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        let route = rig.ec.route_send(caller(d1), here).unwrap();
        assert_eq!(route.target(), Some((d2, there)));
        rig.close(d2, there).unwrap();
        rig.mem.clear_signs();
        rig.ec.raise(&mut rig.mem, route).unwrap();
        assert!(rig.mem.log.is_empty());
    }

    #[test]
    fn a_route_to_a_port_that_closed_and_opened_again_does_nothing() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        let route = rig.ec.route_send(caller(d1), here).unwrap();
        rig.close(d2, there).unwrap();
        assert_eq!(rig.ipi(d2, 0), Ok(there), "the port is used again");
        rig.mem.clear_signs();
        rig.ec.raise(&mut rig.mem, route).unwrap();
        assert!(rig.mem.log.is_empty() && !rig.is_pending(d2, there));
    }

    #[test]
    fn an_unmask_goes_for_whatever_the_port_is_by_then() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let port = rig.ipi(d1, 0).unwrap();
        rig.set_mask(d1, port, true);
        let route = rig.ec.route_unmask(caller(d1), port).unwrap();
        rig.close(d1, port).unwrap();
        assert_eq!(rig.ipi(d1, 0), Ok(port));
        rig.send(d1, port).unwrap();
        rig.mem.clear_signs();
        rig.ec.raise(&mut rig.mem, route).unwrap();
        assert_eq!(rig.mem.injected, [(d1, 0)], "it was masked, and an event waits");
    }

    #[test]
    fn a_route_to_a_domain_that_was_replaced_does_nothing() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, _) = rig.channel(d1, d2);
        let route = rig.ec.route_send(caller(d1), here).unwrap();
        rc(rig.ec.kill(&mut rig.mem, d2)).unwrap();
        rc(rig.ec.destroy(&mut rig.mem, d2)).unwrap();
        assert_eq!(rig.ec.create_domain(&config(3), shared_info(d2)), Ok(d2), "the index is used again");
        assert_eq!(rig.ipi(d2, 0), Ok(Port(1)));
        rig.mem.clear_signs();
        rig.ec.raise(&mut rig.mem, route).unwrap();
        assert!(rig.mem.log.is_empty());
    }

    #[test]
    fn unmask_minds_only_the_bucket() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        assert_eq!(rig.unmask(d1, Port(64)), Err(Errno::EINVAL));
        assert_eq!(rig.unmask(d1, Port(63)), Ok(()));
        assert!(rig.mem.log.is_empty());
    }

    #[test]
    fn unmask_raises_what_waited_behind_the_mask() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.set_mask(d2, there, true);
        rig.send(d1, here).unwrap();
        assert!(rig.is_pending(d2, there) && rig.mem.injected.is_empty());
        rig.unmask(d2, there).unwrap();
        assert_eq!(rig.mem.injected, [(d2, 0)]);
        rig.acknowledge(d2, 0);
        rig.unmask(d2, there).unwrap();
        assert_eq!(rig.mem.injected.len(), 1, "nothing was masked any more");
    }

    #[test]
    fn a_selected_word_suppresses_the_upcall() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (first, _) = rig.channel(d1, d2);
        let (second, there) = rig.channel(d1, d2);
        rig.send(d1, first).unwrap();
        // The guest acknowledges the upcall but has not looked at the selector yet.
        let info = rig.info(d2, 0);
        rig.mem.poke(info, 0);
        rig.send(d1, second).unwrap();
        assert!(rig.is_pending(d2, there));
        assert_eq!((rig.mem.injected.len(), rig.mem.peek(info)), (1, 0));
    }

    #[test]
    fn a_stale_index_is_no_domain() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        rc(rig.ec.kill(&mut rig.mem, d2)).unwrap();
        rc(rig.ec.destroy(&mut rig.mem, d2)).unwrap();
        assert_eq!(rig.send(d2, Port(1)), Err(Errno::ESRCH));
        assert_eq!(rig.send(d1, Port(1)), Err(Errno::EINVAL));
    }
}
