//! Asking what a port is.

use core::fmt::Debug;

use crate::port::{Channel, State};
use crate::{Binding, Caller, DomId, DomIdx, Errno, EventChannels, Port, PortStatus};

impl<A: Copy + Debug> EventChannels<A> {
    /// `EVTCHNOP_status`. An invalid port is told before a lack of rights.
    pub fn status(&self, caller: Caller, dom: DomId, port: Port) -> Result<PortStatus, Errno> {
        let dom = self.resolve(caller.dom, dom)?;
        let channel = self.domain(dom)?.valid(port)?;
        self.may_target(caller.dom, dom)?;
        Ok(self.describe(channel))
    }

    /// What a port is, for dumps; none if its bucket does not exist.
    #[must_use]
    pub fn port_status(&self, dom: DomIdx, port: Port) -> Option<PortStatus> {
        self.get(dom)?.ports.get(port).map(|channel| self.describe(channel))
    }

    pub(crate) fn describe(&self, channel: &Channel) -> PortStatus {
        let binding = match channel.state {
            State::Free | State::Reserved => Binding::Closed,
            State::Unbound { remote } => Binding::Unbound { dom: remote },
            // The peer lives at least as long as the connection.
            State::Interdomain { dom, port } => match self.id_of(dom) {
                Some(dom) => Binding::Interdomain { dom, port },
                None => Binding::Closed,
            },
            State::Virq(virq) => Binding::Virq(virq.into()),
            State::Ipi => Binding::Ipi,
        };
        PortStatus { binding, vcpu: channel.vcpu }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vcpu;
    use crate::abi::virq;
    use crate::testing::*;

    #[test]
    fn status_checks_in_order() {
        let rig = Rig::new();
        let ask = |by, dom, port| rig.ec.status(caller(by), DomId(dom), Port(port));
        assert_eq!(ask(rig.d1, 9, 9999), Err(Errno::ESRCH));
        assert_eq!(ask(rig.d1, 2, 64), Err(Errno::EINVAL), "before rights");
        assert_eq!(ask(rig.d1, 2, 1), Err(Errno::EPERM));
        let closed = PortStatus { binding: Binding::Closed, vcpu: Vcpu(0) };
        assert_eq!(ask(rig.d0, 2, 1), Ok(closed));
        assert_eq!(ask(rig.d1, 1, 0), Ok(closed));
        assert_eq!(ask(rig.d1, DomId::SELF.0, 63), Ok(closed));
    }

    #[test]
    fn each_state_has_its_status() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let unbound = rig.unbound(d1, 2).unwrap();
        let ipi = rig.ipi(d1, 1).unwrap();
        let virq = rig.virq(d1, virq::XENPMU, 1).unwrap();
        let (here, there) = rig.channel(d1, d2);
        let ask = |port| rig.ec.status(caller(d1), DomId::SELF, port).map(|s| (s.binding.code(), s.binding, s.vcpu.0));
        assert_eq!(ask(unbound), Ok((1, Binding::Unbound { dom: DomId(2) }, 0)));
        assert_eq!(ask(here), Ok((2, Binding::Interdomain { dom: DomId(2), port: there }, 0)));
        assert_eq!(ask(virq), Ok((4, Binding::Virq(13), 1)));
        assert_eq!(ask(ipi), Ok((5, Binding::Ipi, 1)));
    }
}
