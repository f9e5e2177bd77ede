//! A file's system while it is replayed: the machine, the hypervisor, and what each guest remembers of itself.

use super::format::{self, Actor, Header, MAX_DOMAINS, Op, Step};
use super::guest_state::GuestDomain;
use super::pe::{ForcedPe, Tamper};
use super::setting::Setting;
use super::system::Ground;
use super::watch::Watch;
use evtchn::{Caller, DomIdx, Errno, EventChannels, Policy, Stop, Vcpu};
use mpu_model::{Pmsa, Rules};
use sim_core::convention::{Arch, Cause, ESR_IL, Frame, TAG, ec};
use sim_core::guest::Action;
use sim_core::hyp::Hypervisor;
use sim_core::hyp::domain::{ENTRY_POINT, VcpuId};
use sim_core::hyp::entry::Next;
use sim_core::hyp::guest_mem::Cx;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::{PeId, Span};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Cpu, Faulted, Machine, Refusal};
use sim_core::outcome::{Area, ViewId};
use sim_core::platform::{Event, Platform, SysReg};
use std::collections::BTreeMap;

/// Where the guests' one HVC instruction stands.
const PC: u64 = ENTRY_POINT;
/// What a hypercall gives that is to be executed again.
const PREEMPTED: i64 = Errno::ERESTART.rc();

/// Why a step could not be carried out.
#[derive(Debug)]
pub enum Trouble {
    /// The hypervisor took an exception from itself.
    Hypervisor,
    /// A guest's own access was refused.
    Guest(Refusal),
    /// The step makes no sense at this point: what was expected, and what is there.
    Step(String),
}

impl From<Faulted> for Trouble {
    fn from(_: Faulted) -> Self {
        Self::Hypervisor
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Guest(refusal)
    }
}

/// What the hypervisor's side of things is reached through.
pub(super) type Host<'a, 'm> = Cx<'a, ForcedPe<'m>, Builtin>;

/// The system.
#[derive(Debug)]
pub struct Rig {
    /// The machine.
    pub machine: Machine,
    /// The hypervisor.
    pub hyp: Hypervisor<Builtin>,
    pub(super) ground: Ground,
    /// Live domains by id.
    pub(super) guests: BTreeMap<u16, GuestDomain>,
    /// Ids by position, of domains that are gone too: events tell positions.
    pub(super) ids: Vec<u16>,
    pub(super) checks: u64,
    /// What guests do meanwhile.
    pub tamper: Tamper,
    /// Who acts now: what the hypervisor does on its own it does there.
    pub(super) acts: PeId,
    frames: Vec<Frame>,
    no_frame: Frame,
    pub(super) events: Vec<Event>,
    pub(super) watch: Watch,
}

impl Rig {
    /// The system of a file, booted. An error says why there cannot be one.
    pub fn new(header: &Header, steps: &[Step], setting: &Setting) -> Result<Self, String> {
        Self::again(None, header, steps, setting)
    }

    /// The same, on what is left of a machine that is needed no more, if there is one.
    pub fn again(spare: Option<Machine>, header: &Header, steps: &[Step], setting: &Setting) -> Result<Self, String> {
        let most = most_alive(header, steps);
        if most > MAX_DOMAINS {
            return Err(format!("{most} domains at once, more than {MAX_DOMAINS}"));
        }
        // One that cannot be is told when its step comes.
        let created = steps.iter().filter_map(|step| step.op.created());
        let created: Vec<_> = created.filter(|domain| format::check_domain(domain).is_ok()).collect();
        let ground = Ground::above(header.domains.iter().chain(&created), most, setting)
            .ok_or("the domains leave no room in memory")?;
        let layout = ground.layout(&header.domains)?;
        let rules = Rules { sync: setting.sync, ..Rules::default() };
        let machine = match spare {
            Some(spare) => spare.again(&layout, rules, Costs::COUNTS),
            None => Machine::new(&layout, rules, Costs::COUNTS),
        };
        let scheduler = Scheduler::RoundRobin { quantum: u64::MAX };
        let hardware_domain = header.hardware_domain.map(evtchn::DomId);
        let policy = Policy { hardware_domain, silo: false };
        let hyp =
            Hypervisor::new(layout, setting.strategy.clone(), scheduler, policy).map_err(|error| error.to_string())?;
        let mut rig = Self {
            machine,
            hyp,
            ground,
            ids: vec![0; most],
            guests: BTreeMap::new(),
            checks: 0,
            tamper: Tamper::default(),
            acts: PeId::PRIMARY,
            frames: vec![Frame::default(); setting.pes],
            no_frame: Frame::default(),
            events: Vec::new(),
            watch: Watch::default(),
        };
        rig.boot().map_err(|_| "the hypervisor does not boot")?;
        rig.hyp.unpause_guests().map_err(|error| error.to_string())?;
        for (position, domain) in header.domains.iter().enumerate() {
            rig.settle(position, domain);
        }
        Ok(rig)
    }

    fn boot(&mut self) -> Result<(), Faulted> {
        self.machine.pes.ids().try_for_each(|pe| self.hyp.boot(&mut Cpu { machine: &mut self.machine, pe }))
    }

    /// Each domain with how often the handler of Xen's own ports ran in it.
    pub fn handler_runs(&self) -> impl Iterator<Item = (u16, u64)> {
        self.guests.iter().map(|(id, guest)| (*id, guest.xen_hits))
    }

    /// Where a domain is in the layout.
    #[must_use]
    pub fn position(&self, domain: u16) -> Option<usize> {
        self.guests.get(&domain).map(|guest| guest.position)
    }

    /// The memory of which the domain at `position` may hand pages over.
    #[must_use]
    pub fn accepts(&self, position: usize) -> Vec<Span> {
        let layout = &self.hyp.core.layout;
        match layout.pages(position).and_then(|pages| pages.own_pool) {
            Some(pool) => vec![pool],
            None => layout.domains().get(position).map(|planned| planned.ram.clone()).unwrap_or_default(),
        }
    }

    /// Notes a domain that lives at `position` from now on.
    pub(super) fn settle(&mut self, position: usize, domain: &format::DomainHeader) {
        if let Some(id) = self.ids.get_mut(position) {
            *id = domain.id;
        }
        let index = self.hyp.core.index(position);
        let placed = self.hyp.core.layout.pages(position).is_some_and(|pages| pages.shared_info_placed);
        let area = index.and_then(|dom| self.hyp.channels.shared_info(dom)).filter(|_| placed);
        let shared_info = area.map(|area| area.address);
        self.guests.insert(domain.id, GuestDomain::new(position, domain, &self.ground, shared_info));
    }

    pub(super) fn pe(&mut self) -> (ForcedPe<'_>, &mut Hypervisor<Builtin>, &mut Frame) {
        let (pe, frames) = (self.acts, &mut self.frames);
        let cpu = Cpu { machine: &mut self.machine, pe };
        // There is a frame for each PE, and all that act are PEs.
        let frame = frames.get_mut(pe.get()).unwrap_or(&mut self.no_frame);
        (ForcedPe { cpu, checks: &mut self.checks, tamper: Some(&mut self.tamper) }, &mut self.hyp, frame)
    }

    /// Whose step it is: puts the vCPU on the PE, with its view.
    pub(super) fn run(&mut self, actor: Actor) -> Result<Option<(u16, u32)>, Trouble> {
        let Actor::Guest { domain, vcpu } = actor else {
            return Ok(None);
        };
        let nobody = || Trouble::Step(format!("domain {domain} has no vcpu {vcpu} now"));
        let position = self.guests.get(&domain).ok_or_else(nobody)?.position;
        let id = self.hyp.core.domains.id(position, vcpu).ok_or_else(nobody)?;
        self.act_on(self.ground.pe(position, vcpu as usize))?;
        // A vCPU that is on its PE already goes on.
        let stands = self.hyp.core.pes[self.acts].view.current() == ViewId::Guest(position);
        if self.current() != Some(id) || !stands {
            self.run_vcpu(id)?;
        }
        Ok(Some((domain, vcpu)))
    }

    /// Moves on to a PE. The one left behind goes back to its vCPU, as from an interrupt, if events came for that meanwhile.
    fn act_on(&mut self, pe: PeId) -> Result<(), Faulted> {
        let vcpu = self.current().map(|id| self.hyp.core.domains.vcpu(id));
        if pe != self.acts && vcpu.is_some_and(|vcpu| vcpu.event_pending) {
            self.enter(Cause::Irq)?;
        }
        self.take_kick(pe)?;
        self.acts = pe;
        Ok(())
    }

    fn enter(&mut self, cause: Cause) -> Result<(), Faulted> {
        let (mut pe, hyp, frame) = self.pe();
        let next = hyp.enter(&mut pe, cause, frame)?;
        self.machine.resume(self.acts, next == Next::Guest);
        Ok(())
    }

    /// Lets a PE take the kick that waits for it, if one does.
    pub(super) fn take_kick(&mut self, pe: PeId) -> Result<(), Faulted> {
        let state = &mut self.machine.pes[pe];
        let Some(at) = state.kicked() else { return Ok(()) };
        state.clock = state.clock.max(at);
        self.machine.step(pe)?;
        let acted = core::mem::replace(&mut self.acts, pe);
        self.enter(Cause::Irq)?;
        self.acts = acted;
        Ok(())
    }

    fn run_vcpu(&mut self, id: VcpuId) -> Result<(), Faulted> {
        let (mut pe, hyp, frame) = self.pe();
        hyp.run_on(&mut pe, id, frame)?;
        self.machine.resume(self.acts, true);
        Ok(())
    }

    fn current(&self) -> Option<VcpuId> {
        self.hyp.core.pes[self.acts].queue.current
    }

    /// The caller that the current vCPU is.
    pub(super) fn caller(&self) -> Result<Caller, Trouble> {
        self.hyp.core.caller(self.acts).ok_or_else(|| Trouble::Step("no vcpu is on the PE".into()))
    }

    /// A hypercall of the vCPU on the PE, as its HVC makes it.
    pub(super) fn hypercall(&mut self, nr: impl Into<u64>, args: [u64; 5]) -> Result<i64, Faulted> {
        let id = self.current();
        let (mut pe, hyp, frame) = self.pe();
        let pmsa = hyp.core.layout.board().pmsa;
        let class = if pmsa == Pmsa::V32 { ec::HVC32 } else { ec::HVC64 };
        pmsa.set_number(frame, nr.into());
        for (register, value) in frame.x.iter_mut().zip(args) {
            *register = value;
        }
        frame.elr = PC.wrapping_add(4);
        pe.write(SysReg::EsrEl2, (class << 26) | ESR_IL | u64::from(TAG))?;
        self.enter(Cause::Sync)?;
        if self.current() != id
            && let Some(id) = id
        {
            // Somebody else was given the PE; the result is in the registers of who called.
            self.run_vcpu(id)?;
        }
        let frame = self.frames.get(self.acts.get()).copied().unwrap_or_default();
        let [x0, ..] = frame.x;
        Ok(if frame.elr == PC { PREEMPTED } else { x0.cast_signed() })
    }

    /// What the hypervisor does on its own, with the view that the last vCPU left: entered as by an interrupt.
    pub(super) fn at_el2<T>(
        &mut self,
        work: impl FnOnce(&mut EventChannels<Area>, Host<'_, '_>) -> Result<T, Stop<Faulted>>,
    ) -> Result<Result<T, Errno>, Faulted> {
        let acts = self.acts;
        let (mut pe, hyp, _) = self.pe();
        let back = hyp.core.pes[acts].view.current();
        hyp.core.enter_unasked(&mut pe)?;
        let done = match work(&mut hyp.channels, Cx { core: &mut hyp.core, p: &mut pe }) {
            Ok(value) => Ok(value),
            Err(Stop::Errno(errno)) => Err(errno),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        hyp.core.leave_to(&mut pe, back)?;
        self.machine.resume(acts, true);
        Ok(done)
    }

    /// A memory access of the vCPU on the PE.
    pub(super) fn access(&mut self, action: Action) -> Result<u64, Trouble> {
        Ok(self.machine.guest_access(self.acts, action)?)
    }

    /// A domain's index in the event-channel tables, dying ones included.
    pub(super) fn lookup(&self, dom: u64) -> Result<DomIdx, Errno> {
        self.hyp.channels.lookup(evtchn::DomId(dom as u16)).ok_or(Errno::ESRCH)
    }

    /// Can what is in a vCPU's `vcpu_info` be told from what others left in the shared dummy?
    pub(super) fn visible(&self, dom: DomIdx, vcpu: u32) -> bool {
        let info = self.hyp.channels.vcpu_info(dom, Vcpu(vcpu));
        vcpu == 0 || info.is_some_and(evtchn::VcpuInfoPlace::is_registered)
    }
}

/// The most domains that are alive at once.
fn most_alive(header: &Header, steps: &[Step]) -> usize {
    let mut alive = header.domains.len();
    let mut most = alive;
    for step in steps {
        match step.op {
            Op::DomainCreate { .. } => alive += 1,
            Op::DomainKill { stage: None, .. } if step.expected.rc == 0 => alive = alive.saturating_sub(1),
            _ => {}
        }
        most = most.max(alive);
    }
    most
}
