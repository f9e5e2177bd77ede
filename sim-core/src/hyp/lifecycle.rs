//! Domains that come, pause and go: what a control domain's toolstack asks for.
//!
//! A domain's position in the layout is its index in the event-channel tables. Both are given again once their domain is
//! gone, so a domain's end leaves nothing behind that names them: no vCPU in a run queue or on a PE, no timer.
//!
//! Creating and killing enter and leave EL2 as a trap does: an ERET follows, and the view that was in force is in force again.

use super::domain::{RunState, VcpuId};
use super::guest_mem::Cx;
use super::hypervisor::{domain_config, initial_shared_info};
use super::plan::Plan;
use super::sched::Scheduler;
use super::strategy::Strategy;
use super::view::Wanted;
use super::{Core, Hypervisor};
use crate::layout::{DomainLayout, Layout, LayoutError, LayoutParts, PAGE_SIZE, Span};
use crate::outcome::{Refused, ViewId};
use crate::platform::{Platform, Width};
use alloc::boxed::Box;
use alloc::vec::Vec;
use boards::PeId;
use evtchn::{DomIdx, Errno, Stop, abi};

/// Why a domain cannot be created. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// It does not go with what is there.
    #[error("{0}")]
    Layout(Box<LayoutError>),
    /// The views would not fit the board.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A PE would have more vCPUs than its scheduler takes.
    #[error("PE {pe} runs a vCPU already, and scheduler \"null\" takes one")]
    PeTaken {
        /// The PE.
        pe: PeId,
    },
    /// Its memory could not be cleared here.
    #[error("its memory {span} is the TCM of PE {tcm}, which no other PE can clear; create it on that PE")]
    FarTcm {
        /// The range.
        span: Span,
        /// The PE that has the TCM.
        tcm: PeId,
    },
    /// Frames are fixed, and none is for it.
    #[error("the schedule is fixed and has no frame for it; scheduler \"rr\" takes domains at any time")]
    NoFrame,
    /// The event-channel tables refuse it.
    #[error("the event-channel tables refuse it: {0}")]
    Tables(Errno),
}

impl CreateError {
    /// What a toolstack is told.
    #[must_use]
    pub const fn errno(&self) -> Errno {
        match self {
            Self::Layout(_) | Self::FarTcm { .. } | Self::NoFrame => Errno::EINVAL,
            Self::Refused(_) => Errno::ENOMEM,
            Self::PeTaken { .. } => Errno::EBUSY,
            Self::Tables(errno) => *errno,
        }
    }
}

impl<S: Strategy> Hypervisor<S> {
    /// Creates a domain at the first position that is free, and clears its memory, which somebody else may have had: each
    /// range through whatever the strategy reaches it by. Its vCPUs wait for their turn. Gives its position.
    ///
    /// # Errors
    ///
    /// The outer error is a fault at EL2, the inner one a refusal.
    pub fn create_domain<P: Platform>(
        &mut self,
        p: &mut P,
        planned: DomainLayout,
    ) -> Result<Result<usize, CreateError>, P::Fault> {
        if let Some(pe) = self.core.taken_pe(&planned) {
            return Ok(Err(CreateError::PeTaken { pe }));
        }
        if matches!(self.core.scheduler, Scheduler::Arinc653(_)) {
            return Ok(Err(CreateError::NoFrame));
        }
        let board = self.core.layout.board();
        let tcm = |span: &Span| Some((*span, board.tcm_of(span).filter(|tcm| *tcm != p.pe())?));
        if let Some((span, tcm)) = planned.ram.iter().find_map(tcm) {
            return Ok(Err(CreateError::FarTcm { span, tcm }));
        }
        let back = self.view(p);
        let mut parts = self.core.layout.parts().clone();
        let vacant = parts.domains.iter().position(|domain| domain.vacant);
        let position = vacant.unwrap_or(parts.domains.len());
        match parts.domains.get_mut(position) {
            Some(place) => *place = planned,
            None => parts.domains.push(planned),
        }
        let (layout, plan) = match self.plan(parts) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        let Some(config) = layout.domains().get(position).map(domain_config) else {
            return Ok(Err(CreateError::Tables(Errno::EINVAL)));
        };
        if self.core.strategy.room(&plan).is_err() {
            return Ok(Err(CreateError::Tables(Errno::ENOMEM)));
        }
        let (shared_info, mapped) = initial_shared_info(&layout, position);
        let index = match self.channels.create_domain(&config, shared_info) {
            Ok(index) => index,
            Err(errno) => return Ok(Err(CreateError::Tables(errno))),
        };
        self.replace(p, layout, plan)?;
        let core = &mut self.core;
        core.put_index(position, Some(index), mapped);
        let vcpus = core.layout.domains().get(position).map(|planned| planned.vcpus.as_slice()).unwrap_or_default();
        core.domains.create(position, vcpus, &core.layout);
        for (vcpu, planned) in (0..).zip(vcpus) {
            if let (true, Some(id)) = (core.guests_unpaused, core.domains.id(position, vcpu)) {
                core.pes[planned.pe].queue.push(id);
            }
        }
        self.scrub(p, position, Span::with_size(shared_info.address, PAGE_SIZE))?;
        self.core.leave_to(p, back)?;
        Ok(Ok(position))
    }

    /// Stops a domain's vCPUs until [`Hypervisor::unpause`]; pauses add up. One that runs on another PE stops there at
    /// its next entry to EL2, for which it is kicked.
    pub fn pause<P: Platform>(&mut self, p: &mut P, dom: DomIdx) -> Result<(), Errno> {
        self.channels.pause(dom)?;
        self.core.set_paused(p, dom.get(), true);
        Ok(())
    }

    /// Takes one pause back. -EINVAL: there was none.
    pub fn unpause<P: Platform>(&mut self, p: &mut P, dom: DomIdx) -> Result<(), Errno> {
        self.channels.unpause(dom)?;
        if self.channels.pause_count(dom) == 0 {
            self.core.set_paused(p, dom.get(), false);
        }
        Ok(())
    }

    /// A domain shuts itself down: its vCPUs are off, those that run on other PEs stop at their next entry to EL2, for which
    /// they are kicked, and the handler of VIRQ 3 is told, once. Its memory and channels stay until it is killed.
    pub(super) fn shutdown<P: Platform>(&mut self, p: &mut P, position: usize) -> Result<(), P::Fault> {
        let mut index = 0;
        let mut ended = false;
        while let Some(id) = self.core.domains.id(position, index) {
            index += 1;
            let state = self.core.domains.vcpu(id);
            if state.run == RunState::Offline {
                continue;
            }
            let pe = state.pe;
            if pe != p.pe() && self.core.pes[pe].queue.current == Some(id) {
                p.kick(pe);
            }
            self.core.offline(id);
            ended = true;
        }
        if ended {
            self.channels.raise_virq_global(&mut Cx { core: &mut self.core, p }, abi::virq::DOM_EXC)?;
        }
        Ok(())
    }

    /// Ends a domain: its vCPUs stop for good, its channels close (peers see what `EVTCHNOP_close` on the far side
    /// shows), the handler of VIRQ 3 is told, and its memory belongs to nobody and is in no view.
    ///
    /// # Errors
    ///
    /// -ERESTART: not done yet, because something more urgent came up or a vCPU of it still runs on another PE, which
    /// was kicked. Call again.
    pub fn kill<P: Platform>(&mut self, p: &mut P, dom: DomIdx) -> Result<(), Stop<P::Fault>> {
        let position = dom.get();
        self.channels.begin_kill(dom)?;
        let mut vcpu = 0;
        while let Some(id) = self.core.domains.id(position, vcpu) {
            self.core.offline(id);
            vcpu += 1;
        }
        if self.core.runs_elsewhere(p, position) {
            return Err(Errno::ERESTART.into());
        }
        let back = match self.view(p) {
            ViewId::Guest(of) if of == position => ViewId::Idle,
            view => view,
        };
        self.core.enter_unasked(p).map_err(Stop::Fault)?;
        let mut host = Cx { core: &mut self.core, p: &mut *p };
        let done = self.channels.kill(&mut host, dom);
        let done = done.and_then(|()| self.channels.destroy(&mut host, dom));
        if let Err(stop) = done {
            self.core.leave_to(p, back).map_err(Stop::Fault)?;
            return Err(stop);
        }
        self.core.forget(position);
        let mut parts = self.core.layout.parts().clone();
        if let Some(place) = parts.domains.get_mut(position) {
            *place = DomainLayout::vacancy();
        }
        // Whoever takes the position next is somebody else.
        parts.shared.iter_mut().for_each(|shared| shared.domains.retain(|of| *of != position));
        parts.emulated.iter_mut().for_each(|device| device.domains.retain(|of| *of != position));
        parts.passthrough.iter_mut().for_each(|device| device.domains.retain(|of| *of != position));
        // Less of what fits fits as well.
        let (layout, plan) = self.plan(parts).map_err(|error| error.errno())?;
        self.replace(p, layout, plan).map_err(Stop::Fault)?;
        self.core.leave_to(p, back).map_err(Stop::Fault)
    }

    /// The view that is to be in force again on the PE that `p` is.
    fn view<P: Platform>(&self, p: &P) -> ViewId {
        self.core.pes[p.pe()].view.current()
    }

    fn plan(&self, parts: LayoutParts) -> Result<(Layout, Plan), CreateError> {
        let layout = self.core.layout.follow(parts).map_err(|error| CreateError::Layout(Box::new(error)))?;
        let plan = Plan::new(&layout, self.core.strategy.needs())?;
        Ok((layout, plan))
    }

    /// Puts another layout and plan in force. This PE goes to the idle view first; other PEs follow at their next entry: until
    /// then what stands there is enough for their guests, whose own memory is the same in both plans.
    fn replace<P: Platform>(&mut self, p: &mut P, layout: Layout, plan: Plan) -> Result<(), P::Fault> {
        self.core.leave_to(p, ViewId::Idle)?;
        self.core.layout = layout;
        self.core.plan = plan;
        self.core.plans = self.core.plans.saturating_add(1);
        self.core.strategy.planned(&self.core.plan);
        // What the strategy keeps in registers follows the new plan from the next entry on.
        self.core.enter_unasked(p)
    }

    /// Clears all that belongs to the domain at `position`, and `page`.
    fn scrub<P: Platform>(&mut self, p: &mut P, position: usize, page: Option<Span>) -> Result<(), P::Fault> {
        let planned = self.core.layout.domains().get(position);
        let frames = planned.into_iter().flat_map(DomainLayout::own).chain(page);
        let frames: Vec<Span> = frames.collect();
        let mut host = Cx { core: &mut self.core, p };
        for span in frames {
            let wanted = Wanted { span, within: span, device: false };
            // There is room: that was asked before anything changed.
            let _ = host.accept(&wanted, position)?;
            host.clear(&wanted)?;
            host.core.strategy.release(&wanted);
        }
        Ok(())
    }
}

impl<S> Core<S> {
    /// Turns a vCPU off for good: it waits for no turn any more.
    pub(super) fn offline(&mut self, id: VcpuId) {
        self.domains.offline(id);
        for pe in self.pes.values_mut() {
            pe.queue.take(id);
        }
    }

    /// A PE that has no room for one of the vCPUs of `planned`.
    fn taken_pe(&self, planned: &DomainLayout) -> Option<PeId> {
        if self.scheduler != Scheduler::Null {
            return None;
        }
        let alive = self.domains.iter().filter(|(_, vcpu)| vcpu.run != RunState::Offline).map(|(_, vcpu)| vcpu.pe);
        let mut taken: Vec<PeId> = alive.collect();
        planned.vcpus.iter().map(|vcpu| vcpu.pe).find(|pe| {
            let again = taken.contains(pe);
            taken.push(*pe);
            again
        })
    }

    fn set_paused<P: Platform>(&mut self, p: &mut P, position: usize, paused: bool) {
        let mut vcpu = 0;
        while let Some(id) = self.domains.id(position, vcpu) {
            vcpu += 1;
            self.domains.set_paused(id, paused);
            let state = self.domains.vcpu(id);
            let pe = &mut self.pes[state.pe];
            let runs_there = pe.queue.current == Some(id);
            match (paused, state.can_run()) {
                (true, _) => pe.queue.take(id),
                (false, true) if !runs_there && self.guests_unpaused => pe.queue.push(id),
                (false, _) => {}
            }
            if state.pe != p.pe() {
                p.kick(state.pe);
            }
        }
    }

    /// Whether another PE has the domain's view in force or is in a hypercall of it; such PEs are kicked.
    fn runs_elsewhere<P: Platform>(&mut self, p: &mut P, position: usize) -> bool {
        let mut any = false;
        let here = p.pe();
        for (number, pe) in self.pes.iter() {
            let works_for = || pe.queue.current.map(|id| self.domains.vcpu(id).domain);
            let calls = pe.half_way && works_for() == Some(position);
            if number != here && (calls || pe.view.current() == ViewId::Guest(position)) {
                p.kick(number);
                any = true;
            }
        }
        any
    }

    /// Nothing names the domain any more.
    fn forget(&mut self, position: usize) {
        for pe in self.pes.values_mut() {
            let of_domain = |id: &VcpuId| self.domains.vcpu(*id).domain == position;
            pe.queue.current = pe.queue.current.filter(|id| !of_domain(id));
            pe.queue.drop_timers(position, |id| of_domain(&id));
        }
        self.put_index(position, None, false);
    }

    fn put_index(&mut self, position: usize, index: Option<DomIdx>, mapped: bool) {
        let len = self.indices.len().max(position.saturating_add(1));
        self.indices.resize(len, None);
        self.shared_info_mapped.resize(len, false);
        if let (Some(place), Some(shared_info)) =
            (self.indices.get_mut(position), self.shared_info_mapped.get_mut(position))
        {
            (*place, *shared_info) = (index, mapped);
        }
    }
}

impl<P: Platform, S: Strategy> Cx<'_, P, S> {
    /// Writes zeros over `wanted`.
    fn clear(&mut self, wanted: &Wanted) -> Result<(), P::Fault> {
        self.pieces(wanted.span, wanted.within, wanted.device, |p, at, width: Width, _| p.store(at, width, 0))
    }
}
