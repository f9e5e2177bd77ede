//! The hypervisor as a whole: set up, booted, asked what lives where.

use super::boot::{Clash, NotBooted};
use super::domain::{self, Domains};
use super::emulate::Devices;
use super::guest_mem::Cx;
use super::plan::Plan;
use super::sched::arinc653::{self, Cycle, ScheduleError};
use super::sched::{RunQueue, Scheduler, Timer, VirqTimer};
use super::state::{Core, PeState};
use super::strategy::Strategy;
use super::view::PeView;
use crate::layout::{DomainLayout, Layout, PAGE_SIZE, Placement, Span};
use crate::outcome::{Area, BootPhase, Refused, ViewId};
use crate::platform::{Platform, SysReg, hcr};
use alloc::vec::Vec;
use boards::{PeId, PerPe};
use evtchn::{DomId, DomIdx, DomainConfig, Errno, EventChannels, Object, Policy, Port, Stop, Vcpu, abi};
use mpu_model::Vtcr;

/// `HCR_EL2` while guests run: stage 2 on, physical interrupts and `WFI` taken to EL2.
pub const HCR: u64 = hcr::VM | hcr::IMO | hcr::TWI;

/// The hypervisor.
#[derive(Debug)]
pub struct Hypervisor<S> {
    /// All but the event channels.
    pub(super) core: Core<S>,
    /// The event channels of all domains.
    pub channels: EventChannels<Area>,
    /// The domain that owns the hardware, if there is one.
    pub(super) hardware_domain: Option<DomId>,
}

/// What the event-channel tables are told of a domain.
pub(super) fn domain_config(planned: &DomainLayout) -> DomainConfig {
    DomainConfig {
        id: planned.id,
        vcpus: u32::try_from(planned.vcpus.len()).unwrap_or(u32::MAX),
        privileged: planned.privileged,
        max_evtchn_port: planned.max_evtchn_port,
        target: planned.target,
    }
}

/// Why a hypervisor cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The views do not fit the board.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// `shared_info` and `vcpu_info` are not where the strategy needs them.
    #[error("strategy {strategy} stands on placement {}, and the layout has {}", .needed.name(), .found.name())]
    Placement {
        /// The strategy.
        strategy: &'static str,
        /// The placement it stands on.
        needed: Placement,
        /// The layout's.
        found: Placement,
    },
    /// A region that boot maps is in another's way.
    #[error("boot phase {phase}: {clash}")]
    Boot {
        /// The phase.
        phase: BootPhase,
        /// What is wrong.
        clash: Clash,
    },
    /// A PE would have more vCPUs than its scheduler takes.
    #[error("PE {pe} has {vcpus} vCPUs and scheduler \"null\" takes one; use \"rr\" or more PEs")]
    TooManyVcpus {
        /// The PE.
        pe: PeId,
        /// How many are on it.
        vcpus: usize,
    },
    /// The fixed frames do not go with the system.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The event-channel tables refused a domain.
    #[error("domain {domain} cannot be created: {errno}")]
    Domain {
        /// Its id.
        domain: u16,
        /// Why.
        errno: Errno,
    },
}

/// A channel that boot code binds before any guest runs (`xen,evtchn-v1` in a device tree).
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticChannel {
    /// The side that allocates: position of the domain, port.
    pub listener: (usize, Port),
    /// The side that binds, and finds its port pending from the start.
    pub binder: (usize, Port),
}

impl<S: Strategy> Hypervisor<S> {
    /// The hypervisor of `layout`, with all its domains created and nothing run. `policy` names the handler
    /// of global VIRQs and says whether domains are kept apart from each other.
    pub fn new(layout: Layout, mut strategy: S, scheduler: Scheduler, policy: Policy) -> Result<Self, SetupError> {
        let found = layout.parts().placement;
        if let Some(needed) = strategy.placement().filter(|needed| *needed != found) {
            return Err(SetupError::Placement { strategy: strategy.name(), needed, found });
        }
        let plan = Plan::new(&layout, strategy.needs())?;
        strategy.planned(&plan);
        plan.boot().check().map_err(|(phase, clash)| SetupError::Boot { phase, clash })?;
        let domains = Domains::new(&layout);
        let state = |_| PeState {
            view: PeView::new(&plan),
            el1_slots: domain::el1_slots(&layout),
            queue: RunQueue::default(),
            interrupts_open: false,
            gives_way: false,
            half_way: false,
            deadline: None,
            booted: 0,
        };
        let mut pes = PerPe::new(layout.board().pes, state);
        if let Scheduler::Arinc653(frames) = &scheduler {
            arinc653::check(&layout, frames)?;
            for (number, pe) in pes.iter_mut() {
                pe.queue.cycle = Some(Cycle::new(frames, &domains, number));
            }
        }
        for pe in pes.ids() {
            let vcpus = domains.iter().filter(|(_, vcpu)| vcpu.pe == pe).count();
            if scheduler == Scheduler::Null && vcpus > 1 {
                return Err(SetupError::TooManyVcpus { pe, vcpus });
            }
        }
        let mut channels = EventChannels::new(policy, heap_area(&layout, 0, None, Object::VcpuInfo(Vcpu(0))));
        let mut indices = Vec::with_capacity(layout.domains().len());
        let mut shared_info_mapped = Vec::with_capacity(layout.domains().len());
        for (position, planned) in layout.domains().iter().enumerate() {
            let (area, mapped) = initial_shared_info(&layout, position);
            let config = domain_config(planned);
            let refused = |errno| SetupError::Domain { domain: planned.id.0, errno };
            indices.push(Some(channels.create_domain(&config, area).map_err(refused)?));
            shared_info_mapped.push(mapped);
        }
        let core = Core {
            devices: Devices::new(&layout),
            layout,
            plan,
            plans: 0,
            strategy,
            scheduler,
            domains,
            pes,
            indices,
            shared_info_mapped,
            guests_unpaused: false,
            at_once: 0,
        };
        Ok(Self { core, channels, hardware_domain: policy.hardware_domain })
    }

    /// Sets up the PE that `p` is, from reset to the end: EL2 MPU on with the idle view, stage 2 and interrupt routing for
    /// guests.
    pub fn boot<P: Platform>(&mut self, p: &mut P) -> Result<(), P::Fault> {
        while self.boot_phase(p)?.is_some() {}
        Ok(())
    }

    /// Takes the PE that `p` is through its next phase of boot, and says which that was; `None`: boot is over.
    pub fn boot_phase<P: Platform>(&mut self, p: &mut P) -> Result<Option<BootPhase>, P::Fault> {
        let (number, plan) = (p.pe(), &self.core.plan);
        let pe = &mut self.core.pes[number];
        let phases = plan.boot().phases(number);
        let Some(phase) = phases.get(pe.booted) else {
            return Ok(None);
        };
        for step in &phase.steps {
            pe.view.boot(plan, p, step)?;
        }
        pe.booted += 1;
        let (phase, last) = (phase.used.phase, pe.booted == phases.len());
        if last {
            self.core.with_strategy(p, S::on_boot)?;
            if self.core.layout.board().vmid_bits > 8 {
                p.write(SysReg::VtcrEl2, Vtcr::ZERO.with_vs(true).raw_value())?;
            }
            p.write(SysReg::HcrEl2, HCR)?;
            p.isb()?;
        }
        Ok(Some(phase))
    }

    /// Lets guests run, who are paused until then. Once is enough.
    pub fn unpause_guests(&mut self) -> Result<(), NotBooted> {
        let core = &mut self.core;
        for (pe, state) in core.pes.iter() {
            if let Some(phase) = core.plan.boot().phases(pe).get(state.booted) {
                return Err(NotBooted { pe, next: phase.used.phase });
            }
        }
        if !core::mem::replace(&mut core.guests_unpaused, true) {
            for (id, vcpu) in core.domains.iter().filter(|(_, vcpu)| vcpu.can_run()) {
                core.pes[vcpu.pe].queue.push(id);
            }
        }
        Ok(())
    }

    /// Binds a channel as boot code does, before guests run.
    pub fn bind_static<P: Platform>(&mut self, p: &mut P, channel: StaticChannel) -> Result<(), Stop<P::Fault>> {
        let (listener_port, binder_port) = (channel.listener.1, channel.binder.1);
        let index = |position: usize| self.core.index(position).ok_or(Errno::ESRCH);
        let (listener, binder) = (index(channel.listener.0)?, index(channel.binder.0)?);
        let binder_id = self.channels.id_of(binder).ok_or(Errno::ESRCH)?;
        self.core.enter_unasked(p).map_err(Stop::Fault)?;
        let mut host = Cx { core: &mut self.core, p };
        self.channels.static_alloc_unbound(&mut host, listener, binder_id, Some(listener_port))?;
        self.channels.static_bind_interdomain(&mut host, binder, listener, listener_port, Some(binder_port))?;
        self.core.leave_to(p, ViewId::Idle).map_err(Stop::Fault)
    }

    /// Arms a timer of a PE that raises a VIRQ.
    pub fn arm(&mut self, pe: PeId, at: u64, timer: VirqTimer) {
        self.core.pes[pe].queue.arm(at, Timer::Virq(timer));
    }

    /// What lives at `address` for the hypervisor: whose area, which, and the offset in it.
    #[must_use]
    pub fn object_at(&self, address: u64) -> Option<(Area, u64)> {
        let inside = |area: Area, len: u64| {
            let span = Span::with_size(area.address, len)?;
            span.contains(address).then(|| (area, address - area.address))
        };
        let dummy = heap_area(&self.core.layout, 0, None, Object::VcpuInfo(Vcpu(0)));
        let of_domain = |(_, dom): (DomId, DomIdx)| {
            let vcpus = self.core.layout.domains().get(dom.get()).map_or(0, |planned| planned.vcpus.len());
            let of_vcpu = (0..u32::try_from(vcpus).unwrap_or(0)).filter_map(move |vcpu| {
                let registered = match self.channels.vcpu_info(dom, Vcpu(vcpu))? {
                    evtchn::VcpuInfoPlace::Registered(area) => inside(area, u64::from(abi::vcpu_info::SIZE)),
                    _ => None,
                };
                let control = || self.channels.control_block(dom, Vcpu(vcpu));
                registered.or_else(|| inside(control()?, u64::from(abi::control_block::SIZE)))
            });
            let pages = self.channels.event_pages(dom).iter().filter_map(move |area| inside(*area, PAGE_SIZE));
            of_vcpu.chain(pages).chain(self.channels.shared_info(dom).and_then(|area| inside(area, PAGE_SIZE))).next()
        };
        let found = self.channels.domains().find_map(of_domain);
        found.or_else(|| inside(dummy, 48))
    }
}

/// A page of the hypervisor's heap as an area. A layout has room for the pages it is asked for.
fn heap_area(layout: &Layout, index: usize, domain: Option<usize>, object: Object) -> Area {
    let within = domain::heap_page(layout, index).unwrap_or(layout.heap());
    Area { address: within.base(), within, domain, object }
}

/// Where a domain's `shared_info` is at first, and whether that is where it stays.
pub(super) fn initial_shared_info(layout: &Layout, position: usize) -> (Area, bool) {
    let placed = layout.pages(position).filter(|pages| pages.shared_info_placed);
    let within = placed.and_then(|pages| layout.owner(pages.shared_info).1);
    match (placed, within) {
        (Some(pages), Some(within)) => {
            (Area { address: pages.shared_info, within, domain: Some(position), object: Object::SharedInfo }, true)
        }
        _ => (heap_area(layout, position.saturating_add(1), Some(position), Object::SharedInfo), false),
    }
}
