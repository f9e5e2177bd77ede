//! Domains that steps create and end.

use evtchn::Errno;
use sim_core::hyp::lifecycle::CreateError;

use super::format::{self, DomainHeader, MAX_DOMAINS, Op};
use super::rig::{PE, Rig, Trouble};

/// The domain that a step creates.
pub(super) fn created(op: &Op) -> Option<DomainHeader> {
    match *op {
        Op::DomainCreate { dom, vcpus, privileged, max_evtchn_port, gfn_base, nr_pages, target } => {
            let privileged = privileged != 0;
            Some(DomainHeader { id: dom, vcpus, privileged, max_evtchn_port, gfn_base, nr_pages, target })
        }
        _ => None,
    }
}

impl Rig {
    /// Ends a domain.
    pub(super) fn kill(&mut self, dom: u64) -> Result<Result<(), Errno>, Trouble> {
        let dom = match self.lookup(dom) {
            Ok(dom) => dom,
            Err(errno) => return Ok(Err(errno)),
        };
        let (mut pe, hyp, _) = self.pe();
        let done = hyp.kill(&mut pe, dom);
        self.machine.resume(PE, true);
        match done {
            Ok(()) => {}
            Err(evtchn::Stop::Errno(errno)) => return Ok(Err(errno)),
            Err(evtchn::Stop::Fault(fault)) => return Err(fault.into()),
        }
        self.guests.retain(|_, guest| guest.position != dom.get());
        Ok(Ok(()))
    }

    /// Creates a domain.
    pub(super) fn create(&mut self, op: &Op) -> Result<Result<(), Errno>, Trouble> {
        let Some(domain) = created(op) else {
            return Ok(Err(Errno::EINVAL));
        };
        format::check_domain(&domain).map_err(|(expected, got)| Trouble::Step(format!("{got}, not {expected}")))?;
        // The hypervisor gives the first position that is free.
        let taken = |position: &usize| self.guests.values().any(|guest| guest.position == *position);
        let planned = (0..MAX_DOMAINS)
            .find(|position| !taken(position))
            .and_then(|position| self.ground.domain(position, &domain));
        let planned = planned.ok_or_else(|| Trouble::Step("there is no place for another domain".into()))?;
        let (mut pe, hyp, _) = self.pe();
        let made = hyp.create_domain(&mut pe, planned)?;
        self.machine.resume(PE, true);
        match made {
            Ok(position) => {
                self.settle(position, &domain);
                Ok(Ok(()))
            }
            Err(CreateError::Tables(errno)) => Ok(Err(errno)),
            Err(error) => Err(Trouble::Step(error.to_string())),
        }
    }
}
