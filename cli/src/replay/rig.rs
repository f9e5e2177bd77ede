//! A file's system while it is replayed: the machine, the hypervisor, and what each guest remembers of itself.

use std::collections::BTreeMap;

use evtchn::{Caller, DomIdx, Errno, EventChannels, Policy, Stop, Vcpu};
use sim_core::convention::{Cause, ESR_IL, Frame, TAG, ec};
use sim_core::guest::Action;
use sim_core::hyp::Hypervisor;
use sim_core::hyp::domain::{ENTRY_POINT, VcpuId};
use sim_core::hyp::entry::Next;
use sim_core::hyp::guest_mem::Cx;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Builtin, Reach, Strategy};
use sim_core::machine::clock::Profile;
use sim_core::machine::{Cpu, Faulted, Machine, Refusal};
use sim_core::outcome::Area;
use sim_core::platform::{Event, Platform, SysReg};

use super::format::{self, Actor, Header, MAX_DOMAINS, Op, Step};
use super::guest::GuestDomain;
use super::lifecycle;
use super::pe::ForcedPe;
use super::system::Ground;

/// Where the guests' one HVC instruction stands.
const PC: u64 = ENTRY_POINT;
/// Everything runs on this PE.
pub(super) const PE: usize = 0;
/// What a hypercall gives that is to be executed again.
const PREEMPTED: i64 = Errno::ERESTART.rc();

/// Why a step could not be carried out.
#[derive(Debug)]
pub(super) enum Trouble {
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
pub(super) struct Rig {
    pub(super) machine: Machine,
    pub(super) hyp: Hypervisor<Builtin>,
    pub(super) ground: Ground,
    /// Live domains by id.
    pub(super) guests: BTreeMap<u16, GuestDomain>,
    /// Ids by position, of domains that are gone too: events tell positions.
    pub(super) ids: Vec<u16>,
    pub(super) checks: u64,
    frame: Frame,
    pub(super) events: Vec<Event>,
}

impl Rig {
    /// The system of a file, booted. An error says why there cannot be one.
    pub(super) fn new(header: &Header, steps: &[Step], strategy: Builtin) -> Result<Self, String> {
        let most = most_alive(header, steps);
        if most > MAX_DOMAINS {
            return Err(format!("{most} domains at once, more than {MAX_DOMAINS}"));
        }
        // One that cannot be is told when its step comes.
        let created = steps.iter().filter_map(|step| lifecycle::created(&step.op));
        let created: Vec<_> = created.filter(|domain| format::check_domain(domain).is_ok()).collect();
        let ground = Ground::above(header.domains.iter().chain(&created), most, strategy.needs())
            .ok_or("the domains leave no room in memory")?;
        let layout = ground.layout(&header.domains)?;
        let machine = Machine::new(&layout, mpu_model::Rules::default(), Profile::COUNTS);
        let scheduler = Scheduler::RoundRobin { quantum: u64::MAX };
        let hardware_domain = header.hardware_domain.map(evtchn::DomId);
        let policy = Policy { hardware_domain, silo: false };
        let hyp = Hypervisor::new(layout, strategy, scheduler, policy).map_err(|error| error.to_string())?;
        let mut rig = Self {
            machine,
            hyp,
            ground,
            ids: vec![0; most],
            guests: BTreeMap::new(),
            checks: 0,
            frame: Frame::default(),
            events: Vec::new(),
        };
        rig.boot().map_err(|_| "the hypervisor does not boot")?;
        rig.hyp.unpause_guests().map_err(|error| error.to_string())?;
        for (position, domain) in header.domains.iter().enumerate() {
            rig.settle(position, domain);
        }
        Ok(rig)
    }

    fn boot(&mut self) -> Result<(), Faulted> {
        let mut cpu = Cpu { machine: &mut self.machine, pe: PE };
        self.hyp.boot(&mut cpu)
    }

    /// Notes a domain that lives at `position` from now on.
    pub(super) fn settle(&mut self, position: usize, domain: &format::DomainHeader) {
        if let Some(id) = self.ids.get_mut(position) {
            *id = domain.id;
        }
        self.guests.insert(domain.id, GuestDomain::new(position, domain, &self.ground));
    }

    pub(super) fn pe(&mut self) -> (ForcedPe<'_>, &mut Hypervisor<Builtin>, &mut Frame) {
        let cpu = Cpu { machine: &mut self.machine, pe: PE };
        (ForcedPe { cpu, checks: &mut self.checks }, &mut self.hyp, &mut self.frame)
    }

    /// Whose step it is: puts the vCPU on the PE, with its view.
    pub(super) fn run(&mut self, actor: Actor) -> Result<Option<(u16, u32)>, Trouble> {
        let Actor::Guest { domain, vcpu } = actor else {
            return Ok(None);
        };
        let nobody = || Trouble::Step(format!("domain {domain} has no vcpu {vcpu} now"));
        let position = self.guests.get(&domain).ok_or_else(nobody)?.position;
        let id = self.hyp.core.domains.id(position, vcpu).ok_or_else(nobody)?;
        self.run_vcpu(id)?;
        Ok(Some((domain, vcpu)))
    }

    fn run_vcpu(&mut self, id: VcpuId) -> Result<(), Faulted> {
        let (mut pe, hyp, frame) = self.pe();
        hyp.run_on(&mut pe, id, frame)?;
        self.machine.resume(PE, true);
        Ok(())
    }

    fn current(&self) -> Option<VcpuId> {
        self.hyp.core.pes.get(PE)?.queue.current
    }

    /// The caller that the current vCPU is.
    pub(super) fn caller(&self) -> Result<Caller, Trouble> {
        self.hyp.core.caller(PE).ok_or_else(|| Trouble::Step("no vcpu is on the PE".into()))
    }

    /// A hypercall of the vCPU on the PE, as its HVC makes it.
    pub(super) fn hypercall(&mut self, nr: u32, args: [u64; 5]) -> Result<i64, Faulted> {
        let id = self.current();
        let (mut pe, hyp, frame) = self.pe();
        frame.x[16] = nr.into();
        for (register, value) in frame.x.iter_mut().zip(args) {
            *register = value;
        }
        frame.elr = PC.wrapping_add(4);
        pe.write(SysReg::EsrEl2, (ec::HVC64 << 26) | ESR_IL | u64::from(TAG))?;
        let next = hyp.enter(&mut pe, Cause::Sync, frame)?;
        self.machine.resume(PE, next == Next::Guest);
        if self.current() != id
            && let Some(id) = id
        {
            // Somebody else was given the PE; the result is in the registers of who called.
            self.run_vcpu(id)?;
        }
        let [x0, ..] = self.frame.x;
        Ok(if self.frame.elr == PC { PREEMPTED } else { x0.cast_signed() })
    }

    /// What the hypervisor does on its own, with the view that the last vCPU left: entered as by an interrupt.
    pub(super) fn at_el2<T>(
        &mut self,
        work: impl FnOnce(&mut EventChannels<Area>, Host<'_, '_>) -> Result<T, Stop<Faulted>>,
    ) -> Result<Result<T, Errno>, Faulted> {
        let (mut pe, hyp, _) = self.pe();
        let Some(state) = hyp.core.pes.get_mut(PE) else {
            return Ok(Err(Errno::EINVAL));
        };
        let back = state.view.current();
        let mut reach = Reach { plan: &hyp.core.plan, view: &mut state.view, p: &mut pe };
        hyp.core.strategy.on_entry(&mut reach)?;
        let done = match work(&mut hyp.channels, Cx { core: &mut hyp.core, p: &mut pe }) {
            Ok(value) => Ok(value),
            Err(Stop::Errno(errno)) => Err(errno),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        let Some(state) = hyp.core.pes.get_mut(PE) else {
            return Ok(done);
        };
        let mut reach = Reach { plan: &hyp.core.plan, view: &mut state.view, p: &mut pe };
        hyp.core.strategy.on_exit(&mut reach, back)?;
        self.machine.resume(PE, true);
        Ok(done)
    }

    /// A memory access of the vCPU on the PE.
    pub(super) fn access(&mut self, action: Action) -> Result<u64, Trouble> {
        Ok(self.machine.guest_access(PE, action)?)
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
