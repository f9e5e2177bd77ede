//! Closing all ports of a domain: a guest's reset, and a domain's death.

use core::fmt::Debug;

use crate::abi::{PORTS_PER_BUCKET, virq};
use crate::domain::Life;
use crate::ops::close::Rights;
use crate::{Caller, DomId, DomIdx, Errno, EventChannels, Host, Port, Stop};

/// Where a reset begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetFrom {
    /// At the first port; -EBUSY if another reset is not over.
    Start,
    /// Where one was preempted; -EBUSY if none was.
    Preempted,
}

impl<A: Copy + Debug> EventChannels<A> {
    /// `EVTCHNOP_reset` and `EVTCHNOP_reset_cont`: closes all ports of a domain that are not Xen's and takes it back
    /// to two-level. -ERESTART: preempted, go on with [`ResetFrom::Preempted`].
    pub fn reset<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        dom: DomId,
        from: ResetFrom,
    ) -> Result<(), Stop<H::Fault>> {
        let dom = self.resolve(caller.dom, dom)?;
        self.may_target(caller.dom, dom)?;
        let domain = self.domain_mut(dom)?;
        if dom != caller.dom && domain.pause_count == 0 {
            return Err(Errno::EINVAL.into());
        }
        if (from == ResetFrom::Start) != (domain.next_reset == 0) {
            return Err(Errno::EBUSY.into());
        }
        if from == ResetFrom::Start {
            domain.next_reset = 1;
        }
        self.close_guest_ports(h, dom)?;
        let domain = self.domain_mut(dom)?;
        domain.next_reset = 0;
        if domain.ports.active() > domain.ports.xen() {
            return Err(Errno::EAGAIN.into());
        }
        domain.leave_fifo(h);
        Ok(())
    }

    /// From the place a reset has come to, upwards.
    fn close_guest_ports<H: Host<Area = A>>(&mut self, h: &mut H, dom: DomIdx) -> Result<(), Stop<H::Fault>> {
        let mut port = self.domain(dom)?.next_reset;
        loop {
            let ports = &self.domain(dom)?.ports;
            if port >= ports.valid() || ports.active() <= ports.xen() {
                return Ok(());
            }
            self.close_if_open(h, dom, Port(port), Rights::Guest)?;
            if port.is_multiple_of(PORTS_PER_BUCKET) && h.preemption_due() {
                self.domain_mut(dom)?.next_reset = port;
                return Err(Errno::ERESTART.into());
            }
            port += 1;
        }
    }

    fn close_if_open<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        dom: DomIdx,
        port: Port,
        rights: Rights,
    ) -> Result<(), Stop<H::Fault>> {
        match self.close_port(h, dom, port, rights) {
            Err(Stop::Errno(_)) => Ok(()),
            other => other,
        }
    }

    /// A domain's end begins: from now on it gets no new ports. What it has still works.
    pub fn begin_kill(&mut self, dom: DomIdx) -> Result<(), Errno> {
        let domain = self.domain_mut(dom)?;
        domain.life = domain.life.max(Life::Dying);
        Ok(())
    }

    /// Closes everything a domain has, from the highest port down, and tells the handler of VIRQ 3. -ERESTART:
    /// preempted, call again. The domain is still found by its number until [`EventChannels::destroy`].
    pub fn kill<H: Host<Area = A>>(&mut self, h: &mut H, dom: DomIdx) -> Result<(), Stop<H::Fault>> {
        self.begin_kill(dom)?;
        if self.domain(dom)?.life == Life::Dead {
            return Ok(());
        }
        for port in (1..self.domain(dom)?.ports.valid()).rev() {
            self.close_if_open(h, dom, Port(port), Rights::Xen)?;
            if port.is_multiple_of(PORTS_PER_BUCKET) && h.preemption_due() {
                // The upper ports are invalid from here on.
                self.domain_mut(dom)?.ports.truncate(Port(port));
                return Err(Errno::ERESTART.into());
            }
        }
        self.clear_virq_handlers(dom);
        let dummy = self.dummy;
        let domain = self.domain_mut(dom)?;
        domain.leave_fifo(h);
        domain.unregister_all(h, dummy);
        domain.life = Life::Dead;
        self.raise_virq_global(h, virq::DOM_EXC).map_err(Stop::Fault)
    }

    /// Forgets a killed domain: its number is unknown, its index may be used again. VIRQ 3 is raised once more.
    /// -EBUSY: it has not been killed.
    pub fn destroy<H: Host<Area = A>>(&mut self, h: &mut H, dom: DomIdx) -> Result<(), Stop<H::Fault>> {
        if self.domain(dom)?.life != Life::Dead {
            return Err(Errno::EBUSY.into());
        }
        self.remove(dom);
        self.raise_virq_global(h, virq::DOM_EXC).map_err(Stop::Fault)
    }

    /// The control domain pauses a domain.
    pub fn pause(&mut self, dom: DomIdx) -> Result<(), Errno> {
        let domain = self.domain_mut(dom)?;
        domain.pause_count = domain.pause_count.saturating_add(1);
        Ok(())
    }

    /// The control domain takes one pause back. -EINVAL: there was none.
    pub fn unpause(&mut self, dom: DomIdx) -> Result<(), Errno> {
        let domain = self.domain_mut(dom)?;
        domain.pause_count = domain.pause_count.checked_sub(1).ok_or(Errno::EINVAL)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::{AbiKind, Binding, Vcpu, XenHandler, XenPort};

    fn reset(rig: &mut Rig, by: DomIdx, dom: u16, from: ResetFrom) -> Result<(), Errno> {
        rc(rig.ec.reset(&mut rig.mem, caller(by), DomId(dom), from))
    }

    fn fill(rig: &mut Rig, dom: DomIdx, ports: u32) {
        for port in 1..=ports {
            assert_eq!(rig.ipi(dom, 0), Ok(Port(port)));
        }
    }

    #[test]
    fn reset_checks_in_order() {
        let mut rig = Rig::new();
        let (d0, d1, d2) = (rig.d0, rig.d1, rig.d2);
        assert_eq!(reset(&mut rig, d1, 9, ResetFrom::Preempted), Err(Errno::ESRCH));
        assert_eq!(reset(&mut rig, d1, 2, ResetFrom::Preempted), Err(Errno::EPERM));
        assert_eq!(reset(&mut rig, d0, 2, ResetFrom::Preempted), Err(Errno::EINVAL), "not paused");
        rig.ec.pause(d2).unwrap();
        assert_eq!(reset(&mut rig, d0, 2, ResetFrom::Preempted), Err(Errno::EBUSY));
        assert_eq!(reset(&mut rig, d0, 2, ResetFrom::Start), Ok(()));
        rig.ec.unpause(d2).unwrap();
        assert_eq!(rig.ec.unpause(d2), Err(Errno::EINVAL));
        assert_eq!(reset(&mut rig, d0, 2, ResetFrom::Start), Err(Errno::EINVAL));
        assert_eq!(reset(&mut rig, d2, DomId::SELF.0, ResetFrom::Start), Ok(()), "oneself need not be paused");
    }

    #[test]
    fn reset_closes_all_but_xens_and_keeps_what_is_the_guests() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (_, there) = rig.channel(d2, d1);
        rig.set_mask(d1, there, true);
        let wanted = XenPort { dom: d1, vcpu: Vcpu(0), remote_dom: DomId(2), handler: XenHandler::DEFAULT };
        let xen = rc(rig.ec.xen_alloc_unbound(&mut rig.mem, None, wanted)).unwrap();
        rig.register(d1, 1, 3, 0).unwrap();
        rig.ipi(d1, 1).unwrap();
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Start), Ok(()));
        let left: alloc::vec::Vec<_> = rig.ec.channels(d1).map(|used| used.port).collect();
        assert_eq!(left, [xen]);
        assert_eq!(rig.ec.port_status(d2, Port(1)).unwrap().binding, Binding::Unbound { dom: DomId(1) });
        assert!(rig.mem.bit(shared_info(d1) + 560, there.0), "the mask stays");
        assert!(rig.ec.vcpu_info(d1, Vcpu(1)).unwrap().is_registered());
    }

    #[test]
    fn a_preempted_reset_goes_on_where_it_stopped() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        fill(&mut rig, d1, 130);
        rig.mem.preempt = [true, false].into();
        // The last answer is given first: on at 64, stop at 128.
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Start), Err(Errno::ERESTART));
        assert_eq!(rig.counts(d1), [192, 2, 0]);
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Start), Err(Errno::EBUSY));
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Preempted), Ok(()));
        assert_eq!(rig.counts(d1), [192, 0, 0]);
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Preempted), Err(Errno::EBUSY));
    }

    #[test]
    fn a_port_bound_behind_a_resets_back_is_told() {
        let mut rig = Rig::fifo();
        let d1 = rig.d1;
        fill(&mut rig, d1, 70);
        rig.mem.preempt = [true].into();
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Start), Err(Errno::ERESTART));
        assert_eq!(rig.ipi(d1, 0), Ok(Port(1)));
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Preempted), Err(Errno::EAGAIN));
        assert_eq!(rig.ec.abi_kind(d1), Some(AbiKind::Fifo), "no way back while ports are in use");
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Start), Ok(()), "but another reset may begin");
    }

    #[test]
    fn reset_stops_when_nothing_is_left_to_close() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        fill(&mut rig, d1, 130);
        for port in 3..=130 {
            rig.close(d1, Port(port)).unwrap();
        }
        rig.mem.preempt = [true].into();
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Start), Ok(()));
        assert_eq!(rig.mem.preempt, [true], "port 64 was never reached");
    }

    #[test]
    fn a_fifo_domain_comes_back_to_two_level() {
        let mut rig = Rig::fifo();
        let d1 = rig.d1;
        let areas: alloc::vec::Vec<_> =
            rig.mem.mapped.iter().filter(|area| area.0 < ram(rig.d2)).map(|area| area.0).collect();
        assert_eq!(reset(&mut rig, d1, 1, ResetFrom::Start), Ok(()));
        assert_eq!(rig.ec.abi_kind(d1), Some(AbiKind::TwoLevel));
        assert_eq!(rig.mem.unmapped, areas, "blocks and pages are given back");
        assert_eq!(rig.init_control(d1, 1), Ok(17), "and it may start again");
    }

    #[test]
    fn killing_closes_everything_xens_too() {
        let mut rig = Rig::fifo();
        let (d0, d1, d2) = (rig.d0, rig.d1, rig.d2);
        let (_, there) = rig.channel(d1, d2);
        let wanted = XenPort { dom: d1, vcpu: Vcpu(0), remote_dom: DomId(2), handler: XenHandler::DEFAULT };
        rc(rig.ec.xen_alloc_unbound(&mut rig.mem, None, wanted)).unwrap();
        rig.register(d1, 0, 4, 0).unwrap();
        let exception = rig.virq(d0, virq::DOM_EXC, 0).unwrap();
        rig.mem.unmapped.clear();
        rig.ec.begin_kill(d1).unwrap();
        assert_eq!(rig.ipi(d1, 0), Err(Errno::EINVAL));
        assert_eq!(rig.send(d2, there), Ok(()), "what there is still works");
        assert_eq!(rc(rig.ec.destroy(&mut rig.mem, d1)), Err(Errno::EBUSY));
        rc(rig.ec.kill(&mut rig.mem, d1)).unwrap();
        assert_eq!(rig.counts(d1), [64, 0, 0]);
        assert_eq!(rig.ec.port_status(d2, there).unwrap().binding, Binding::Unbound { dom: DomId(1) });
        assert_eq!(rig.mem.unmapped.len(), 4, "two blocks, a page, a vcpu_info");
        assert_eq!(rig.info(d1, 0), shared_info(d1));
        assert!(rig.is_pending(d0, exception));
        rig.consume(d0, exception);
        rc(rig.ec.kill(&mut rig.mem, d1)).unwrap();
        assert!(!rig.is_pending(d0, exception), "once dead, nothing more happens");
        assert_eq!(rig.ec.lookup(DomId(1)), Some(d1));
        rc(rig.ec.destroy(&mut rig.mem, d1)).unwrap();
        assert!(rig.is_pending(d0, exception));
        assert_eq!(rig.ec.lookup(DomId(1)), None);
        assert_eq!(rig.send(d2, there), Ok(()), "dropped");
    }

    #[test]
    fn a_new_domain_of_the_same_number_inherits_waiting_ports() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (_, there) = rig.channel(d1, d2);
        rc(rig.ec.kill(&mut rig.mem, d1)).unwrap();
        rc(rig.ec.destroy(&mut rig.mem, d1)).unwrap();
        let again = rig.ec.create_domain(&config(1), shared_info(d1)).unwrap();
        assert_eq!(rig.interdomain(again, 2, there), Ok(Port(1)));
    }

    #[test]
    fn an_event_under_way_to_a_domain_that_is_gone_is_dropped() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        let route = rig.ec.route_send(caller(d1), here).unwrap();
        rc(rig.ec.kill(&mut rig.mem, d2)).unwrap();
        rc(rig.ec.destroy(&mut rig.mem, d2)).unwrap();
        rig.mem.clear_signs();
        rig.ec.raise(&mut rig.mem, route).unwrap();
        // Nor is it for the next domain at that place, nor for its port of that number.
        assert_eq!(rig.ec.create_domain(&config(7), shared_info(d2)), Ok(d2));
        assert_eq!(rig.ipi(d2, 0), Ok(there));
        rig.ec.raise(&mut rig.mem, route).unwrap();
        assert!(rig.mem.log.is_empty());
    }

    #[test]
    fn a_preempted_kill_makes_the_upper_ports_invalid() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        fill(&mut rig, d1, 200);
        let routes = [127, 128].map(|port| rig.ec.route_unmask(caller(d1), Port(port)).unwrap());
        rig.mem.preempt = [true, false].into();
        assert_eq!(rc(rig.ec.kill(&mut rig.mem, d1)), Err(Errno::ERESTART));
        let raised = routes.map(|route| {
            rig.mem.log.clear();
            rig.ec.raise(&mut rig.mem, route).unwrap();
            !rig.mem.log.is_empty()
        });
        assert_eq!(raised, [true, false], "what is under way to them is dropped");
        // Checked at 192, stopped at 128.
        assert_eq!(rig.counts(d1), [128, 127, 0]);
        assert_eq!(rig.send(d1, Port(128)), Err(Errno::EINVAL));
        assert_eq!(rig.send(d1, Port(127)), Ok(()));
        assert_eq!(rc(rig.ec.kill(&mut rig.mem, d1)), Ok(()));
        assert_eq!(rig.counts(d1), [128, 0, 0]);
    }
}
