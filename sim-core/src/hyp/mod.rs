//! The hypervisor: what runs at EL2, on the software machine and on hardware alike.
//!
//! A hypercall's way through it, one direction:
//!
//! 1. [`entry`]: exception in, registers in; [`strategy::Strategy::on_entry`].
//! 2. [`hypercall`]: one flat match over hypercall numbers.
//! 3. the `evtchn` crate: checks, tables, and the ABI's memory operations in ABI order.
//! 4. [`guest_mem`]: domain and offset to physical address, software bounds; [`strategy::Strategy::reach`].
//! 5. [`strategy`] through [`view`] and the slot driver of `mpu-model`: nothing, a window, another view.
//! 6. the platform: the access as hardware judges it. Denied: [`mod@panic`], and nothing after it.
//! 7. [`upcall`]: the event interrupt for a vCPU, a kick for its PE.
//! 8. [`entry`] again: who runs next ([`sched`]), its view ([`strategy::Strategy::on_exit`]), its registers.
//!
//! Before the first of them comes [`boot`]: from an MPU that is off to the final table, then guests are unpaused.
//!
//! # Who touches whose memory
//!
//! Each row has a test under `naive`, where the hypervisor faults if the memory is another domain's, and under `map-page`
//! (`tests/touches.rs`).
//!
//! | operation | memory it touches |
//! |---|---|
//! | send, two-level | the receiver's `shared_info`, then the `vcpu_info` of the vCPU told |
//! | send, FIFO | the receiver's event word, the word of the queue's tail or the control block, then the `vcpu_info` |
//! | waking a vCPU that polls | what the send touches, and nothing more |
//! | unmask, bind, close | the caller's own; nothing of the peer's |
//! | `VCPUOP_register_vcpu_info`, for another vCPU too | the caller's domain |
//! | reset of another domain, a domain's end | the `shared_info` or event words of the ports that close |
//! | domain creation | all of the new domain's memory: it is cleared |
//! | binding at boot | the binder's `shared_info` and `vcpu_info`, from the idle view |
//! | VIRQ of a timer | that domain's `shared_info` and `vcpu_info`, from whatever view is in force, the idle view included |
//! | `XENMEM_add_to_physmap` for another domain | that domain's page |
//! | `alloc_unbound` in another domain on FIFO | that domain's event words, to see whether a free port is still linked |
//! | console output, an emulated device's console register | the UART frame |
//!
//! There is one hypervisor lock, and it is the exclusive borrow of [`Hypervisor`]. Where Xen lets go of its own in the middle of a
//! hypercall, [`Hypervisor::begin`] ends and [`Hypervisor::go_on`] begins.

pub mod boot;
pub mod domain;
pub mod emulate;
pub mod entry;
pub mod guest_mem;
pub mod hypercall;
mod info_ops;
mod inject;
pub mod lifecycle;
mod memory_op;
mod multicall;
pub mod panic;
pub mod plan;
mod registers;
pub mod sched;
pub mod strategy;
pub mod upcall;
pub mod view;

use crate::layout::{DomainLayout, Layout, PAGE_SIZE, Placement, Span};
use crate::outcome::{Area, BootPhase, Refused, ViewId};
use crate::platform::{Platform, SysReg, hcr};
use alloc::vec::Vec;
use boot::{Clash, NotBooted};
use domain::Domains;
use emulate::Devices;
use evtchn::{DomId, DomIdx, DomainConfig, Errno, EventChannels, Object, Policy, Port, Stop, Vcpu, abi};
use guest_mem::Cx;
use mpu_model::{Slots, Vtcr};
use plan::Plan;
use sched::arinc653::{self, Cycle, ScheduleError};
use sched::{RunQueue, Scheduler, Timer, VirqTimer};
use strategy::Strategy;
use view::PeView;

/// `HCR_EL2` while guests run: stage 2 on, physical interrupts and `WFI` taken to EL2.
pub const HCR: u64 = hcr::VM | hcr::IMO | hcr::TWI;

/// What the hypervisor keeps for one PE.
#[derive(Clone, Debug)]
pub struct PeState {
    /// The EL2 MPU's view.
    pub view: PeView,
    /// The EL1 MPU's slots.
    el1_slots: Slots,
    /// Who runs and who waits.
    pub queue: RunQueue,
    /// The current vCPU had interrupts open when it trapped.
    interrupts_open: bool,
    /// The current vCPU asked to give way.
    gives_way: bool,
    /// The current vCPU is in a hypercall that let the hypervisor lock go.
    half_way: bool,
    /// The timer as programmed.
    deadline: Option<u64>,
    /// Phases of boot that are done.
    booted: usize,
}

impl PeState {
    /// Whether the PE stands like that too, but for the time: the same vCPU runs, the same wait in the same order, the MPUs hold
    /// the same.
    #[must_use]
    pub fn stands_like(&self, other: &Self) -> bool {
        self.queue.same_turns(&other.queue) && self.view == other.view && self.el1_slots == other.el1_slots
    }
}

/// The hypervisor without the event-channel tables.
#[derive(Debug)]
pub struct Core<S> {
    /// The system.
    pub layout: Layout,
    /// Its regions.
    pub plan: Plan,
    /// How often the plan changed.
    plans: u64,
    /// The rule by which memory is reached.
    pub strategy: S,
    /// The rule by which vCPUs take turns.
    pub scheduler: Scheduler,
    /// Domains and vCPUs.
    pub domains: Domains,
    /// Per PE.
    pub pes: Vec<PeState>,
    /// Of each domain: its index in the event-channel tables.
    indices: Vec<Option<DomIdx>>,
    /// Of each domain: whether its `shared_info` has the page it stays in.
    shared_info_mapped: Vec<bool>,
    /// What emulated devices hold.
    devices: Devices,
    /// Guests may run.
    guests_unpaused: bool,
    /// How many entries of lists and chunks of text have been done since EL2 was entered.
    at_once: u32,
}

impl<S> Core<S> {
    /// The entries of lists and chunks of text that are done in one trap: PEs that wait for the hypervisor lock show in no
    /// interrupt here. Xen, which has no such lock, stops for interrupts and softirqs alone; so do reset and a domain's end
    /// here, which no guest can make longer than its ports are many.
    const AT_ONCE: u32 = 64;

    /// Position of the domain whose registers are on a PE.
    fn current_domain(&self, pe: usize) -> Option<usize> {
        let current = self.pes.get(pe)?.queue.current?;
        self.domains.vcpu(current).map(|vcpu| vcpu.domain)
    }

    /// Whether what a PE has loaded follows the plan: after a domain came or went, it does from its next entry on.
    #[must_use]
    pub fn follows_plan(&self, pe: usize) -> bool {
        self.pes.get(pe).is_some_and(|pe| pe.view.plan() == self.plans)
    }

    /// The index in the event-channel tables of the domain at that position.
    #[must_use]
    pub fn index(&self, position: usize) -> Option<DomIdx> {
        self.indices.get(position).copied().flatten()
    }
}

/// The hypervisor.
#[derive(Debug)]
pub struct Hypervisor<S> {
    /// All but the event channels.
    pub core: Core<S>,
    /// The event channels of all domains.
    pub channels: EventChannels<Area>,
    /// The domain that owns the hardware, if there is one.
    hardware_domain: Option<DomId>,
}

/// What the event-channel tables are told of a domain.
fn domain_config(planned: &DomainLayout) -> DomainConfig {
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
    #[error("strategy {strategy} stands on placement {needed:?}, and the layout has {found:?}")]
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
        pe: usize,
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
        let pe = PeState {
            view: PeView::new(&plan),
            el1_slots: domain::el1_slots(&layout),
            queue: RunQueue::default(),
            interrupts_open: false,
            gives_way: false,
            half_way: false,
            deadline: None,
            booted: 0,
        };
        let mut pes = alloc::vec![pe; layout.board().pes];
        if let Scheduler::Arinc653(frames) = &scheduler {
            arinc653::check(&layout, frames)?;
            for (number, pe) in pes.iter_mut().enumerate() {
                pe.queue.cycle = Some(Cycle::new(frames, &domains, number));
            }
        }
        for pe in 0..pes.len() {
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
        let Some(pe) = self.core.pes.get_mut(number) else {
            return Ok(None);
        };
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
        for (pe, state) in core.pes.iter().enumerate() {
            if let Some(phase) = core.plan.boot().phases(pe).get(state.booted) {
                return Err(NotBooted { pe, next: phase.used.phase });
            }
        }
        if !core::mem::replace(&mut core.guests_unpaused, true) {
            for (id, vcpu) in core.domains.iter().filter(|(_, vcpu)| vcpu.can_run()) {
                if let Some(pe) = core.pes.get_mut(vcpu.pe) {
                    pe.queue.push(id);
                }
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
    pub fn arm(&mut self, pe: usize, at: u64, timer: VirqTimer) {
        if let Some(pe) = self.core.pes.get_mut(pe) {
            pe.queue.arm(at, Timer::Virq(timer));
        }
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
fn initial_shared_info(layout: &Layout, position: usize) -> (Area, bool) {
    let placed = layout.pages(position).filter(|pages| pages.shared_info_placed);
    let within = placed.and_then(|pages| layout.owner(pages.shared_info).1);
    match (placed, within) {
        (Some(pages), Some(within)) => {
            (Area { address: pages.shared_info, within, domain: Some(position), object: Object::SharedInfo }, true)
        }
        _ => (heap_area(layout, position.saturating_add(1), Some(position), Object::SharedInfo), false),
    }
}
