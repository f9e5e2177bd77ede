//! Domains that come and go. The hypervisor knows only the domains of its layout, so a new one is given the place of one
//! that is gone, and the layout, plan and vCPUs are made anew around it.

use evtchn::{DomId, DomIdx, DomainConfig, Errno, Object};
use sim_core::hyp::domain::{Domains, RunState};
use sim_core::hyp::plan::Plan;
use sim_core::hyp::sched::RunQueue;
use sim_core::hyp::strategy::{Reach, Strategy};
use sim_core::layout::{PAGE_SIZE, Span};
use sim_core::machine::{Cpu, Faulted};
use sim_core::outcome::{Area, ViewId};

use super::format::{self, DomainHeader, Op};
use super::rig::{Rig, Trouble};
use super::system::Plot;

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
    /// Closes all a domain has and forgets it.
    pub(super) fn kill(&mut self, dom: u64) -> Result<Result<(), Errno>, Trouble> {
        let found = self.lookup(dom);
        let done = self.at_el2(|channels, mut host| {
            channels.kill(&mut host, found?)?;
            channels.destroy(&mut host, found?)
        })?;
        if let (Ok(()), Ok(dom)) = (done, found) {
            self.forget(dom);
        }
        Ok(done)
    }

    fn forget(&mut self, dom: DomIdx) {
        let position = dom.get();
        self.counting.retain(|(owner, _)| *owner != dom);
        self.guests.retain(|_, guest| guest.position != position);
        if let Some(plot) = self.plots.get_mut(position) {
            *plot = Plot::Free;
        }
        let mut vcpu = 0;
        while let Some(id) = self.hyp.core.domains.id(position, vcpu) {
            if let Some(state) = self.hyp.core.domains.vcpu_mut(id) {
                state.run = RunState::Offline;
            }
            vcpu += 1;
        }
    }

    /// Takes the domain away that a place was reserved with when the system was built.
    pub(super) fn clear_stand_in(&mut self, position: usize) -> Result<(), String> {
        let id = self.hyp.core.layout.domains().get(position).map(|planned| u64::from(planned.id.0));
        let id = id.ok_or("a place for a domain is missing")?;
        match self.kill(id) {
            Ok(Ok(())) => Ok(()),
            _ => Err("a place for a domain cannot be cleared".into()),
        }
    }

    /// Creates a domain in the place that the event channels will give it: the first that is free.
    pub(super) fn create(&mut self, op: &Op) -> Result<Result<(), Errno>, Trouble> {
        let Some(domain) = created(op) else {
            return Ok(Err(Errno::EINVAL));
        };
        format::check_domain(&domain).map_err(|(expected, got)| Trouble::Step(format!("{got}, not {expected}")))?;
        let no_place = || Trouble::Step("there is no place for another domain".into());
        let position = self.plots.iter().position(|plot| matches!(plot, Plot::Free)).ok_or_else(no_place)?;
        let grant = self.ground.grant(position).ok_or_else(no_place)?;
        let config = DomainConfig {
            id: DomId(domain.id),
            vcpus: u32::try_from(domain.vcpus).unwrap_or(u32::MAX),
            privileged: domain.privileged,
            max_evtchn_port: domain.max_evtchn_port,
            target: domain.target.map(DomId),
        };
        let area = Area { address: grant.base(), within: grant, domain: Some(position), object: Object::SharedInfo };
        // A domain's memory comes to it zeroed.
        self.scrub(grant);
        self.scrub_ram(&domain);
        let dom = match self.hyp.channels.create_domain(&config, area) {
            Ok(dom) => dom,
            Err(errno) => return Ok(Err(errno)),
        };
        if dom.get() != position {
            return Err(Trouble::Step(format!("the domain came to place {}, not {position}", dom.get())));
        }
        if let Some(plot) = self.plots.get_mut(position) {
            *plot = Plot::Taken(domain.clone());
        }
        self.rebuild().map_err(Trouble::Step)?;
        self.settle(position, &domain);
        Ok(Ok(()))
    }

    fn scrub_ram(&mut self, domain: &DomainHeader) {
        let ram = Span::with_size(domain.gfn_base * PAGE_SIZE, domain.nr_pages * PAGE_SIZE);
        if let Some(ram) = ram {
            self.scrub(ram);
        }
    }

    fn scrub(&mut self, span: Span) {
        for address in (span.base()..=span.limit()).step_by(8) {
            // Memory that reads as zero may never have been given; writing would give it.
            if self.machine.ram.read(address, 8) != 0 {
                self.machine.ram.write(address, 8, 0);
            }
        }
    }

    /// Makes layout, plan and vCPUs anew for the domains there are. Those who blocked go on blocking.
    fn rebuild(&mut self) -> Result<(), String> {
        self.leave_views().map_err(|_| "the idle view cannot be loaded")?;
        let layout = self.ground.layout(&self.plots)?;
        let core = &mut self.hyp.core;
        core.plan = Plan::new(&layout, core.strategy.needs()).map_err(|error| error.to_string())?;
        let before = core::mem::replace(&mut core.domains, Domains::new(&layout));
        core.layout = layout;
        let mut queue = RunQueue::default();
        for position in 0..self.plots.len() {
            let mut vcpu = 0;
            while let Some(id) = core.domains.id(position, vcpu) {
                let old = before.id(position, vcpu).and_then(|old| before.vcpu(old));
                if let (Some(old), Some(state)) = (old, core.domains.vcpu_mut(id))
                    && old.run == RunState::Blocked
                {
                    state.run = RunState::Blocked;
                } else {
                    queue.push(id);
                }
                vcpu += 1;
            }
        }
        if let Some(pe) = core.pes.first_mut() {
            pe.queue = queue;
        }
        Ok(())
    }

    fn leave_views(&mut self) -> Result<(), Faulted> {
        let core = &mut self.hyp.core;
        let Some(pe) = core.pes.first_mut() else {
            return Ok(());
        };
        let mut cpu = Cpu { machine: &mut self.machine, pe: 0 };
        let mut reach = Reach { plan: &core.plan, view: &mut pe.view, p: &mut cpu };
        core.strategy.on_exit(&mut reach, ViewId::Idle)
    }
}
