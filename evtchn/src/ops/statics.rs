//! Channels the device tree asks for, made by boot code with port numbers of its choice. Later they are like others.

use core::fmt::Debug;

use crate::domain::Domain;
use crate::port::State;
use crate::{DomId, DomIdx, EventChannels, Host, Port, Stop, Vcpu};

impl<A: Copy + Debug> EventChannels<A> {
    /// As [`EventChannels::alloc_unbound`] with the hypervisor's rights, at a given port; none for the lowest free.
    pub fn static_alloc_unbound<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        dom: DomIdx,
        remote_dom: DomId,
        port: Option<Port>,
    ) -> Result<Port, Stop<H::Fault>> {
        let domain = self.domain_mut(dom)?;
        let port = domain.chosen_or_free(h, port)?;
        domain.open(port, State::Unbound { remote: remote_dom }, Vcpu(0));
        Ok(port)
    }

    /// As [`EventChannels::bind_interdomain`] with the hypervisor's rights, at a given local port; none for the
    /// lowest free.
    pub fn static_bind_interdomain<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        dom: DomIdx,
        remote_dom: DomIdx,
        remote_port: Port,
        port: Option<Port>,
    ) -> Result<Port, Stop<H::Fault>> {
        let port = self.domain_mut(dom)?.chosen_or_free(h, port)?;
        self.waiting_port(dom, remote_dom, remote_port)?;
        self.connect(h, dom, port, remote_dom, remote_port)?;
        Ok(port)
    }
}

impl<A: Copy + Debug> Domain<A> {
    fn chosen_or_free<H: Host<Area = A>>(&mut self, h: &mut H, port: Option<Port>) -> Result<Port, Stop<H::Fault>> {
        match port {
            Some(port) => self.chosen_port(h, port),
            None => self.free_port(h),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;
    use crate::testing::*;

    fn alloc(rig: &mut Rig, dom: DomIdx, port: u32) -> Result<Port, Errno> {
        rc(rig.ec.static_alloc_unbound(&mut rig.mem, dom, DomId(1), (port != 0).then_some(Port(port))))
    }

    #[test]
    fn chosen_ports_have_their_own_refusals() {
        let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = if cfg.id.0 == 0 { u32::MAX } else { 1023 });
        let (d0, d2) = (rig.d0, rig.d2);
        assert_eq!(alloc(&mut rig, d2, 1024), Err(Errno::ENOSPC));
        assert_eq!(alloc(&mut rig, d0, 4096), Err(Errno::ENOSPC));
        assert_eq!(alloc(&mut rig, d0, 4095), Ok(Port(4095)));
        assert_eq!(alloc(&mut rig, d0, 4095), Err(Errno::EBUSY));
        assert_eq!(rig.counts(d0), [4096, 1, 0], "the buckets below were made");
        assert_eq!(alloc(&mut rig, d0, 0), Ok(Port(1)), "none chosen");
    }

    #[test]
    fn a_static_channel_works_like_any_other() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        assert_eq!(alloc(&mut rig, d2, 100), Ok(Port(100)));
        let bind = |rig: &mut Rig, remote, port| {
            rc(rig.ec.static_bind_interdomain(&mut rig.mem, d1, d2, Port(remote), Some(Port(port))))
        };
        assert_eq!(bind(&mut rig, 99, 50), Err(Errno::EINVAL));
        assert_eq!(bind(&mut rig, 100, 5000), Err(Errno::ENOSPC));
        assert_eq!(rig.counts(d1), [64, 0, 0]);
        assert_eq!(bind(&mut rig, 100, 50), Ok(Port(50)));
        assert_eq!(rig.mem.injected, [(d1, 0)], "pending at once");
        rig.send(d1, Port(50)).unwrap();
        assert!(rig.is_pending(d2, Port(100)));
        assert_eq!(rig.close(d2, Port(100)), Ok(()));
        assert_eq!(rig.send(d1, Port(50)), Ok(()));
    }

    #[test]
    fn a_dying_domain_still_gets_chosen_ports_but_no_free_ones() {
        let mut rig = Rig::new();
        let d2 = rig.d2;
        rig.ec.begin_kill(d2).unwrap();
        assert_eq!(alloc(&mut rig, d2, 0), Err(Errno::EINVAL));
        assert_eq!(alloc(&mut rig, d2, 7), Ok(Port(7)));
    }

    #[test]
    fn a_linked_port_cannot_be_chosen() {
        let mut rig = Rig::fifo();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        rig.send(d1, here).unwrap();
        rig.close(d2, there).unwrap();
        assert_eq!(alloc(&mut rig, d2, there.0), Err(Errno::EBUSY));
        rig.consume(d2, there);
        assert_eq!(alloc(&mut rig, d2, there.0), Ok(there));
    }
}
