//! One case, step by step, with everything looked at after each.

use super::case::{Case, Kind, Num, Planned, op_of};
use super::judge;
use super::pairs::Reached;
use crate::hash::Fnv;
use conformance::format::{Actor, DomainHeader, FEATURES, Header, Op, Outcome, Step};
use conformance::rig::{Rig, Trouble};
use conformance::{Difference, compare, refusal_words};
use evtchn::Vcpu;
use evtchn::abi::DOMID_SELF;
use evtchn::model::Model;
use serde_json::Value;
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::PAGE_SIZE;
use sim_core::machine::Machine;
use sim_core::outcome::FaultKind;
use std::collections::BTreeMap;

/// Where nothing is: the `vcpu_info` of all that have none, if every vCPU has one.
const NO_DUMMY: u64 = 0xffff_ffff_f000;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A result, an output, an interrupt, a wake-up, isolation, regions or events are not as they should be.
    Differs(Vec<Difference>),
    /// Memory is not as the model has it.
    Memory(String),
    /// A vCPU sleeps or is awake and the model has it otherwise.
    Sleep(String),
    /// The handler of Xen's own ports ran more often or less often than the model has it.
    Handler(String),
    /// The hypervisor took an exception from itself.
    Fault(String),
    /// Hardware might have done otherwise.
    Hazard(String),
    /// A guest could not touch what is its own.
    Refused(String),
    /// The system could not be set up, or a step not be carried out.
    Stuck(String),
    /// The simulator panicked.
    Panic(String),
    /// A second run went another way.
    Unstable,
}

impl Wrong {
    /// In a word; what a smaller case has to fail with too.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Differs(_) => "difference",
            Self::Memory(_) => "memory",
            Self::Sleep(_) => "sleep",
            Self::Handler(_) => "handler",
            Self::Fault(_) => "hypervisor-fault",
            Self::Hazard(_) => "hazard",
            Self::Refused(_) => "refused",
            Self::Stuck(_) => "stuck",
            Self::Panic(_) => "panic",
            Self::Unstable => "unstable",
        }
    }
}

/// A step that was carried out, with what the model expects of it.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) id: u32,
    pub(crate) step: Step,
}

/// What came of a case.
#[derive(Debug, Default)]
pub(crate) struct Course {
    pub(crate) steps: Vec<Played>,
    pub(crate) wrong: Option<Wrong>,
    /// The dump as it should have been at the end, where something went wrong that no result shows.
    pub(crate) dump: Option<Value>,
    pub(crate) reached: Reached,
    /// Of everything that came back.
    pub(crate) digest: Fnv,
}

pub(super) struct Player<'a> {
    pub(super) case: &'a Case,
    pub(super) rig: Rig,
    pub(super) model: Model,
    /// Ports by the id of the step that made them.
    made: Vec<Option<u64>>,
    /// Writes to the model's memory and to the system's when these were last found the same.
    pub(super) looked: (u64, u64),
    /// How often the handler of Xen's own ports ran, by domain.
    pub(super) handled: BTreeMap<u16, u64>,
    course: &'a mut Course,
}

/// The header that a vector file of the case has.
pub(crate) fn header(case: &Case, name: &str, seed: u64) -> Header {
    let features = FEATURES.map(String::from).into();
    let domains = case.domains.clone();
    Header { v: 1, name: name.into(), seed, features, hardware_domain: Some(0), domains }
}

/// The exception that the hypervisor took from itself.
pub(super) fn fault(rig: &Rig) -> Wrong {
    let layout = rig.harness.hyp.layout();
    Wrong::Fault(rig.harness.machine.faults().0.map_or_else(String::new, |fault| {
        let far = fault.syndrome.far;
        let whose = match rig.harness.hyp.object_at(far) {
            Some((area, offset)) => words::object(layout, &area, offset),
            None => format!("memory of {}", words::owner(layout, layout.owner(far).0)),
        };
        let why = match fault.kind {
            FaultKind::Access(denial) | FaultKind::OwnImage(denial) => denial.kind.to_string(),
            FaultKind::External { .. } => "nothing answers there".into(),
        };
        format!(
            "the hypervisor takes an exception from itself on PE {}: {} of {far:#x}, {whose}; {why}",
            fault.pe,
            fault.access()
        )
    }))
}

/// Plays a case to its end or to the first thing that is wrong. `course`, new, is complete up to whatever happens. `spare` is the
/// machine of a case before, and this one's in the end.
pub(crate) fn play(case: &Case, course: &mut Course, spare: &mut Option<Machine>) {
    let header = header(case, "fuzz", 0);
    let rig = match Rig::again(spare.take(), &header, &[], &case.setting) {
        Ok(rig) => rig,
        Err(why) => {
            course.wrong = Some(Wrong::Stuck(why));
            return;
        }
    };
    let mut player = Player::new(case, rig, course);
    for planned in &case.steps {
        player.step(planned);
        if player.course.wrong.is_some() {
            break;
        }
    }
    *spare = Some(player.rig.harness.machine);
}

impl<'a> Player<'a> {
    fn new(case: &'a Case, rig: Rig, course: &'a mut Course) -> Self {
        let ids = case.domains.iter().filter_map(|domain| rig.harness.hyp.channels.lookup(evtchn::DomId(domain.id)));
        let mut second = ids.filter_map(|dom| rig.harness.hyp.channels.vcpu_info(dom, Vcpu(1)));
        let dummy = second.next().map_or(NO_DUMMY, |info| info.area().address);
        let made = vec![None; case.steps.iter().map(|step| step.id as usize + 1).max().unwrap_or(0)];
        let (model, handled) = (Model::new(dummy, Some(0)), BTreeMap::new());
        let mut player = Self { case, rig, model, made, looked: (0, 0), handled, course };
        player.model.memory.page(dummy);
        case.domains.iter().for_each(|domain| player.created(domain));
        player
    }

    /// The model gets a domain that the hypervisor has.
    fn created(&mut self, domain: &DomainHeader) {
        let Some(dom) = self.rig.harness.hyp.channels.lookup(evtchn::DomId(domain.id)) else { return };
        let shared_info = self.rig.harness.hyp.channels.shared_info(dom).map_or(0, |area| area.address);
        let accepts = self.rig.harness.hands_over(dom.get()).iter().map(|span| (span.base(), span.limit())).collect();
        self.model.create(domain.id, judge::config(domain, shared_info, accepts));
        let layout = self.rig.harness.hyp.layout();
        if layout.pages(dom.get()).is_some_and(|pages| !pages.shared_info_placed) {
            self.model.unplaced(domain.id);
        }
        let ram = layout.domains().get(dom.get()).map(|planned| planned.ram.as_slice()).unwrap_or_default();
        if let Some(made) = self.model.doms.get_mut(&domain.id) {
            made.ram = ram.iter().map(|span| (span.base(), span.limit())).collect();
        }
        self.handled.remove(&domain.id);
    }

    /// The operation and who does it, as things stand; `None`: it makes no sense now.
    fn resolve(&self, planned: &Planned) -> Option<(Actor, Op)> {
        if let Actor::Guest { domain, vcpu } = planned.by {
            let dom = self.model.doms.get(&domain).filter(|dom| vcpu < dom.config.vcpus)?;
            // Who sleeps or is stopped does nothing; the time is used to let it go on, or to end.
            if dom.ending {
                return Some((Actor::Hypervisor, Op::DomainKill { dom: domain.into(), stage: None }));
            }
            if dom.pauses > 0 {
                return Some((Actor::Hypervisor, Op::Unpause { dom: domain.into() }));
            }
            let consumes = matches!(planned.kind, Kind::Consume | Kind::Acknowledge | Kind::FifoConsume);
            if consumes && vcpu > 0 && !dom.infos.contains_key(&vcpu) {
                return None;
            }
            if dom.polls.contains_key(&vcpu) {
                return Some((Actor::Hypervisor, Op::PollTimeout { dom: domain.into(), vcpu: vcpu.into() }));
            }
            let touches = consumes && vcpu == 0 && !dom.infos.contains_key(&0)
                || matches!(planned.kind, Kind::Mask | Kind::PlainUnmask | Kind::Consume);
            if touches && !dom.placed {
                let gpfn = self.frame(planned.by, 0)?;
                return Some((
                    planned.by,
                    Op::AddToPhysmap { dom: DOMID_SELF.into(), space: 0, idx: 0, gpfn, bad_arg: None },
                ));
            }
        }
        let mut numbers = [0; 4];
        for (number, arg) in numbers.iter_mut().zip(planned.args) {
            *number = match arg {
                Num::Fixed(value) => value,
                Num::Made(step) => self.made.get(step as usize).copied().flatten()?,
                Num::Page(page) => self.frame(planned.by, page)?,
                Num::Shared => match planned.by {
                    Actor::Guest { domain, .. } => self.model.doms.get(&domain)?.config.shared_info / PAGE_SIZE,
                    Actor::Hypervisor => return None,
                },
            };
        }
        if let (Kind::FlipWord, [nth, ..], Actor::Guest { domain, .. }) = (planned.kind, numbers, planned.by) {
            let tails: Vec<u32> = self.model.doms.get(&domain)?.fifo.as_ref()?.values().copied().collect();
            let nth = usize::try_from(nth).unwrap_or(0).checked_rem(tails.len())?;
            numbers[0] = tails.get(nth).copied()?.into();
        }
        let op = op_of(self.case, planned.kind, numbers, planned.bad)?;
        let there = |dom: u64| self.model.doms.contains_key(&(dom as u16));
        match (planned.kind, numbers) {
            (Kind::Create, [dom, ..]) if there(dom) => None,
            // Strategies that stand on a placement reach no RAM, so they cannot clear that of a new domain.
            (Kind::Create, _) if self.case.setting.strategy.placement().is_some() => None,
            // A number that belongs to a domain in no state to be killed twice.
            (Kind::Kill | Kind::BeginKill, [dom, ..]) if !there(dom) => None,
            _ => Some((planned.by, op)),
        }
    }

    /// The n-th frame that a domain may hand over; the first holds what layouts put there.
    fn frame(&self, by: Actor, page: u16) -> Option<u64> {
        let Actor::Guest { domain, .. } = by else { return None };
        let (first, last) = *self.model.doms.get(&domain)?.config.accepts.first()?;
        let pages = (last - first) / PAGE_SIZE;
        Some(first / PAGE_SIZE + 1 + u64::from(page).checked_rem(pages)?)
    }

    fn step(&mut self, planned: &Planned) {
        let Some((actor, op)) = self.resolve(planned) else { return };
        self.hand_over(actor, &op);
        // Written down first: a panic in what follows is a result too.
        let step = Step { number: None, actor, name: String::new(), op, expected: Outcome::default() };
        self.course.steps.push(Played { id: planned.id, step });
        let Some(Played { step, .. }) = self.course.steps.last_mut() else { return };
        let judged = judge::judge(&mut self.model, actor, &step.op);
        for (domain, ..) in &self.model.signs.hits {
            *self.handled.entry(*domain).or_default() += 1;
        }
        let decided = judged.is_some();
        step.expected = judged.unwrap_or_default();
        let got = match self.rig.step(step) {
            Ok(got) => got,
            Err(trouble) => {
                self.course.wrong = Some(match trouble {
                    Trouble::Hypervisor => fault(&self.rig),
                    Trouble::Guest(refusal) => Wrong::Refused(refusal_words(&refusal)),
                    Trouble::Step(why) => Wrong::Stuck(why),
                });
                return;
            }
        };
        self.course.reached.note(&step.op, got.rc);
        let mut found = Vec::new();
        if decided {
            found = compare(&step.expected, &got);
        } else {
            step.expected = got.clone();
        }
        if let Some(made) = self.made.get_mut(planned.id as usize)
            && planned.by == actor
        {
            *made = step.op.made(&step.expected.out);
        }
        if !decided {
            let created = match step.op {
                Op::DomainCreate { dom, .. } if got.rc == 0 => Some(dom),
                _ => None,
            };
            self.outside(created);
        }
        found.extend(self.rig.check());
        self.digest(&got);
        self.course.wrong = if !found.is_empty() {
            Some(Wrong::Differs(found))
        } else if let Some(hazard) = hazard(&self.rig) {
            Some(hazard)
        } else {
            let memory = self.memory().map(Wrong::Memory);
            memory.or_else(|| self.sleep().map(Wrong::Sleep)).or_else(|| self.handler().map(Wrong::Handler))
        };
        if let Some(Wrong::Memory(_) | Wrong::Sleep(_) | Wrong::Handler(_)) = self.course.wrong {
            self.course.dump = Some(super::dump::expected(&self.model, &self.handled, self.rig.dump()));
        }
    }

    /// The model sees a page with what its domain wrote there before it handed it over.
    fn hand_over(&mut self, actor: Actor, op: &Op) {
        let Actor::Guest { mut domain, .. } = actor else { return };
        let Some(gfn) = op.frame() else { return };
        if let Op::AddToPhysmap { dom, .. } = *op
            && dom as u16 != DOMID_SELF
        {
            domain = dom as u16;
        }
        let accepts = self.model.doms.get(&domain).map(|dom| dom.config.accepts.as_slice()).unwrap_or_default();
        let address = gfn.checked_mul(PAGE_SIZE);
        let Some(address) = address.filter(|at| accepts.iter().any(|(first, last)| (first..=last).contains(&at)))
        else {
            return;
        };
        if !self.model.memory.pages().any(|(page, _)| page == address) {
            let page = self.model.memory.page(address);
            if let Some(real) = self.rig.harness.machine.memory().page(address) {
                page.copy_from_slice(real);
            }
        }
    }

    /// What the model does not decide: it takes the domain that was created, if one was, and the memory as it is now.
    fn outside(&mut self, created: Option<u16>) {
        if let Some(domain) = self.case.domains.iter().find(|domain| created == Some(domain.id)) {
            self.created(domain);
        }
        let stale: Vec<u64> = self.written().map(|(address, _)| address).collect();
        for address in stale {
            let page = self.model.memory.page(address);
            match self.rig.harness.machine.memory().page(address) {
                Some(real) => page.copy_from_slice(real),
                None => page.fill(0),
            }
        }
    }

    fn digest(&mut self, got: &Outcome) {
        let digest = &mut self.course.digest;
        digest.number(got.rc.cast_unsigned());
        for (domain, vcpu) in got.injected.iter().chain(&got.woken) {
            digest.number(u64::from(*domain) << 32 | u64::from(*vcpu));
        }
        self.rig.harness.machine.pes().values().for_each(|pe| digest.number(pe.clock));
    }
}

/// The first hazard that is not the strategy's own.
pub(super) fn hazard(rig: &Rig) -> Option<Wrong> {
    rig.harness.hazards().next().map(|hazard| Wrong::Hazard(words::hazard(&hazard.kind)))
}
