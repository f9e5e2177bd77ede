//! Who may do what to whom: Xen's default policy, and SILO on top of it.

use core::fmt::Debug;

use crate::domain::Domain;
use crate::{DomId, DomIdx, Errno, EventChannels};

impl<A: Copy + Debug> EventChannels<A> {
    /// The target rule: oneself, the domain one is the device model of, or anyone for a control domain.
    pub fn may_target(&self, caller: DomIdx, target: DomIdx) -> Result<(), Errno> {
        let (from, to) = (self.domain(caller)?, self.domain(target)?);
        if caller == target || from.privileged || from.target == Some(to.id) { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// May `caller` open a port in `dom` for `remote` to bind to? The remote need not exist, except under SILO.
    pub(crate) fn may_open(&self, caller: DomIdx, dom: DomIdx, remote: DomId) -> Result<(), Errno> {
        if self.policy.silo {
            let remote = self.resolve(caller, remote)?;
            self.silo(caller, dom, remote)?;
        }
        self.may_target(caller, dom)
    }

    /// May `caller` bind a port of its own to one of `remote`?
    pub(crate) fn may_bind(&self, caller: DomIdx, remote: DomIdx) -> Result<(), Errno> {
        if self.policy.silo { self.silo(caller, caller, remote) } else { Ok(()) }
    }

    fn silo(&self, caller: DomIdx, local: DomIdx, remote: DomIdx) -> Result<(), Errno> {
        let trusted =
            [caller, local, remote].into_iter().any(|idx| self.get(idx).is_some_and(|domain| self.is_trusted(domain)));
        if local == remote || trusted { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn is_trusted(&self, domain: &Domain<A>) -> bool {
        domain.privileged || self.policy.hardware_domain == Some(domain.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Port;
    use crate::testing::*;

    fn alloc(rig: &mut Rig, by: DomIdx, dom: u16, remote: u16) -> Result<Port, Errno> {
        rc(rig.ec.alloc_unbound(&mut rig.mem, caller(by), DomId(dom), DomId(remote)))
    }

    #[test]
    fn oneself_ones_target_or_anyone() {
        // Domain 1 is the device model of domain 2.
        let rig = Rig::with(false, |cfg| {
            cfg.target = (cfg.id.0 == 1).then_some(DomId(2));
        });
        let all = [rig.d0, rig.d1, rig.d2];
        let allowed = all.map(|from| all.map(|to| rig.ec.may_target(from, to).is_ok()));
        assert_eq!(allowed, [[true, true, true], [false, true, true], [false, false, true]]);
    }

    #[test]
    fn a_device_model_has_no_say_over_the_next_domain_of_that_number() {
        let mut rig = Rig::with(false, |cfg| {
            cfg.target = (cfg.id.0 == 1).then_some(DomId(2));
        });
        let (d1, d2) = (rig.d1, rig.d2);
        rc(rig.ec.kill(&mut rig.mem, d2)).unwrap();
        assert_eq!(rig.ec.may_target(d1, d2), Ok(()), "while it is there");
        rc(rig.ec.destroy(&mut rig.mem, d2)).unwrap();
        let again = rig.ec.create_domain(&config(2), shared_info(d2)).unwrap();
        assert_eq!(rig.ec.may_target(d1, again), Err(Errno::EPERM));
    }

    #[test]
    fn silo_keeps_ordinary_domains_apart() {
        let mut rig = Rig::with(true, |_| {});
        let (d0, d1, d2) = (rig.d0, rig.d1, rig.d2);
        assert_eq!(alloc(&mut rig, d1, 1, 2), Err(Errno::EPERM));
        assert_eq!(alloc(&mut rig, d1, 1, 9), Err(Errno::ESRCH), "the remote must exist");
        assert_eq!(alloc(&mut rig, d1, 1, 0x7FF2), Err(Errno::ESRCH));
        assert_eq!(alloc(&mut rig, d1, 2, 1), Err(Errno::EPERM));
        assert_eq!(alloc(&mut rig, d1, 1, DomId::SELF.0), Ok(Port(1)));
        assert_eq!(alloc(&mut rig, d1, 1, 0), Ok(Port(2)));
        assert_eq!(rig.interdomain(d0, 1, Port(2)), Ok(Port(1)));
        assert_eq!(rig.interdomain(d1, 1, Port(1)), Ok(Port(3)));
        // Whoever is trusted may open a port for two that are not, but they cannot use it.
        let opened = alloc(&mut rig, d0, 1, 2).unwrap();
        assert_eq!(rig.interdomain(d2, 1, opened), Err(Errno::EPERM));
        assert_eq!(rig.counts(d2), [64, 0, 0]);
    }

    #[test]
    fn control_domains_and_the_hardware_domain_are_trusted_each_on_its_own() {
        let mut rig = Rig::with(true, |cfg| cfg.privileged = cfg.id.0 == 1);
        let (d0, d2) = (rig.d0, rig.d2);
        assert_eq!(alloc(&mut rig, d2, 2, 0), Ok(Port(1)));
        assert_eq!(alloc(&mut rig, d2, 2, 1), Ok(Port(2)));
        assert_eq!(rig.interdomain(d0, 2, Port(1)), Ok(Port(1)));
    }

    #[test]
    fn silo_does_not_judge_channels_that_boot_code_made() {
        let mut rig = Rig::with(true, |_| {});
        let (d1, d2) = (rig.d1, rig.d2);
        let far = rc(rig.ec.static_alloc_unbound(&mut rig.mem, d2, DomId(1), None)).unwrap();
        let near = rc(rig.ec.static_bind_interdomain(&mut rig.mem, d1, d2, far, None)).unwrap();
        assert_eq!(rig.send(d1, near), Ok(()));
        assert!(rig.is_pending(d2, far));
    }
}
