//! Domains that steps create and end.

use super::format::{self, MAX_DOMAINS, Op};
use super::rig::{Rig, Trouble};
use evtchn::Errno;
use sim_core::hyp::lifecycle::CreateError;

impl Rig {
    /// Ends a domain.
    pub(super) fn kill(&mut self, dom: u64) -> Result<Result<(), Errno>, Trouble> {
        let dom = match self.lookup(dom) {
            Ok(dom) => dom,
            Err(errno) => return Ok(Err(errno)),
        };
        let checks = self.forced.checks;
        let (mut pe, hyp) = self.el2();
        let mut done = hyp.kill(&mut pe, dom);
        // A forced preemption is the step's result; a vCPU that still ran elsewhere is not.
        let preempted = checks != 0 && self.forced.checks == 0;
        let mut pes = self.harness.machine.pes().ids();
        if pes.clone().any(|pe| self.harness.is_kicked(pe)) {
            // PEs that still run it leave it when they take the kick.
            pes.try_for_each(|pe| self.harness.deliver(&mut self.forced, pe))?;
            let (mut pe, hyp) = self.el2();
            if !preempted {
                done = done.or_else(|_| hyp.kill(&mut pe, dom));
            }
        }
        self.watch.forget();
        self.harness.machine.resume(self.acts, true);
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
        let Some(domain) = op.created() else {
            return Ok(Err(Errno::EINVAL));
        };
        format::check_domain(&domain).map_err(|(expected, got)| Trouble::Step(format!("{got}, not {expected}")))?;
        // The hypervisor gives the first position that is free.
        let taken = |position: &usize| self.guests.values().any(|guest| guest.position == *position);
        let planned = (0..MAX_DOMAINS)
            .find(|position| !taken(position))
            .and_then(|position| self.ground.domain(position, &domain));
        let planned = planned.ok_or_else(|| Trouble::Step("there is no place for another domain".into()))?;
        let (mut pe, hyp) = self.el2();
        let made = hyp.create_domain(&mut pe, planned)?;
        self.watch.forget();
        self.harness.machine.resume(self.acts, true);
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
