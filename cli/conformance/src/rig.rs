//! A file's system while it is replayed: the machine, the hypervisor, and what each guest remembers of itself.

use super::format::{self, Actor, Header, MAX_DOMAINS, Op, Step};
use super::guest_state::GuestDomain;
use super::pe::Forced;
use super::setting::Setting;
use super::system::Ground;
use super::watch::Watch;
use evtchn::{Caller, DomIdx, Errno, EventChannels, Policy, Stop, Vcpu};
use mpu_model::Rules;
use sim_core::convention::Cause;
use sim_core::guest::Action;
use sim_core::harness::{Harness, Interfered};
use sim_core::hyp::Hypervisor;
use sim_core::hyp::guest_mem::Cx;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::PeId;
use sim_core::machine::clock::Costs;
use sim_core::machine::{Faulted, Machine, Refusal};
use sim_core::outcome::{Area, ViewId};
use sim_core::platform::Event;
use std::collections::BTreeMap;

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
pub(super) type Host<'a, 'm> = Cx<'a, Interfered<'m, Forced>, Builtin>;

/// The system.
#[derive(Debug)]
pub struct Rig {
    /// The machine and the hypervisor.
    pub harness: Harness<Builtin>,
    pub(super) ground: Ground,
    /// Live domains by id.
    pub(super) guests: BTreeMap<u16, GuestDomain>,
    /// Ids by position, of domains that are gone too: events tell positions.
    pub(super) ids: Vec<u16>,
    /// What happens while the hypervisor works.
    pub forced: Forced,
    /// Who acts now: what the hypervisor does on its own it does there.
    pub(super) acts: PeId,
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
            harness: Harness::new(machine, hyp),
            ground,
            ids: vec![0; most],
            guests: BTreeMap::new(),
            forced: Forced::default(),
            acts: PeId::PRIMARY,
            events: Vec::new(),
            watch: Watch::default(),
        };
        rig.harness.boot().map_err(|_| "the hypervisor does not boot")?;
        rig.harness.hyp.unpause_guests().map_err(|error| error.to_string())?;
        for (position, domain) in header.domains.iter().enumerate() {
            rig.settle(position, domain);
        }
        Ok(rig)
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

    /// Notes a domain that lives at `position` from now on.
    pub(super) fn settle(&mut self, position: usize, domain: &format::DomainHeader) {
        if let Some(id) = self.ids.get_mut(position) {
            *id = domain.id;
        }
        let hyp = &self.harness.hyp;
        let placed = hyp.layout().pages(position).is_some_and(|pages| pages.shared_info_placed);
        let shared_info = hyp.shared_info(position).filter(|_| placed).map(|area| area.address);
        self.guests.insert(domain.id, GuestDomain::new(position, domain, &self.ground, shared_info));
    }

    /// The PE that acts, at EL2, and the hypervisor.
    pub(super) const fn el2(&mut self) -> (Interfered<'_, Forced>, &mut Hypervisor<Builtin>) {
        self.harness.el2(&mut self.forced, self.acts)
    }

    /// Whose step it is: puts the vCPU on the PE, with its view.
    pub(super) fn run(&mut self, actor: Actor) -> Result<Option<(u16, u32)>, Trouble> {
        let Actor::Guest { domain, vcpu } = actor else {
            return Ok(None);
        };
        let nobody = || Trouble::Step(format!("domain {domain} has no vcpu {vcpu} now"));
        let position = self.guests.get(&domain).ok_or_else(nobody)?.position;
        let id = self.harness.hyp.vcpu_id(position, vcpu).ok_or_else(nobody)?;
        self.act_on(self.ground.pe(position, vcpu as usize))?;
        // A vCPU that is on its PE already goes on.
        let hyp = &self.harness.hyp;
        let stands = hyp.view_on(self.acts).current() == ViewId::Guest(position);
        if hyp.current(self.acts) != Some(id) || !stands {
            self.harness.place(&mut self.forced, self.acts, id)?;
        }
        Ok(Some((domain, vcpu)))
    }

    /// Moves on to a PE. The one left behind goes back to its vCPU, as from an interrupt, if events came for that meanwhile.
    fn act_on(&mut self, pe: PeId) -> Result<(), Faulted> {
        let vcpu = self.harness.on_pe(self.acts);
        if pe != self.acts && vcpu.is_some_and(|vcpu| vcpu.event_pending) {
            self.harness.enter(&mut self.forced, self.acts, Cause::Irq)?;
        }
        self.harness.deliver(&mut self.forced, pe)?;
        self.acts = pe;
        Ok(())
    }

    /// The caller that the current vCPU is.
    pub(super) fn caller(&self) -> Result<Caller, Trouble> {
        self.harness.hyp.caller(self.acts).ok_or_else(|| Trouble::Step("no vcpu is on the PE".into()))
    }

    /// A hypercall of the vCPU on the PE, as its HVC makes it.
    pub(super) fn hypercall(&mut self, nr: impl Into<u64>, args: [u64; 5]) -> Result<i64, Faulted> {
        let rc = self.harness.hypercall(&mut self.forced, self.acts, nr.into(), args)?;
        Ok(rc.unwrap_or(PREEMPTED))
    }

    /// What the hypervisor does on its own, with the view that the last vCPU left.
    pub(super) fn on_its_own<T>(
        &mut self,
        work: impl FnOnce(&mut EventChannels<Area>, Host<'_, '_>) -> Result<T, Stop<Faulted>>,
    ) -> Result<Result<T, Errno>, Faulted> {
        self.harness.on_its_own(&mut self.forced, self.acts, work)
    }

    /// A memory access of the vCPU on the PE.
    pub(super) fn access(&mut self, action: Action) -> Result<u64, Trouble> {
        Ok(self.harness.access(self.acts, action)?)
    }

    /// A domain's index in the event-channel tables, dying ones included.
    pub(super) fn lookup(&self, dom: u64) -> Result<DomIdx, Errno> {
        self.harness.hyp.channels.lookup(evtchn::DomId(dom as u16)).ok_or(Errno::ESRCH)
    }

    /// Can what is in a vCPU's `vcpu_info` be told from what others left in the shared dummy?
    pub(super) fn visible(&self, dom: DomIdx, vcpu: u32) -> bool {
        let info = self.harness.hyp.channels.vcpu_info(dom, Vcpu(vcpu));
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
