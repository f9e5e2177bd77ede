//! One schedule of a case, from the first step to the last, and what is looked at on the way.

use super::case::Case;
use super::crew::{Actor, Crew, Happening, Next, PREEMPTIONS, Tool, Work};
use super::order::{self, Differs};
use super::place::{PES, domain_of, id_of, pe_of};
use super::quiet::{self, Lost};
use super::schedule::{Candidate, Entry, Footprint, Pick, Who};
use super::system::{self, NoSystem, System};
use evtchn::{DomId, Errno, Port, Route, Stop, Vcpu, VirqKind};
use sim_core::convention::Cause;
use sim_core::guest::Action;
use sim_core::hyp::entry::Next as Goes;
use sim_core::hyp::strategy::Builtin;
use sim_core::machine::{Faulted, Refusal};
use sim_core::outcome::{Breach, El2Fault, HazardKind};

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrong {
    /// The hypervisor took an exception from itself.
    Fault(Option<El2Fault>),
    /// Hardware might have done otherwise.
    Hazard(HazardKind),
    /// A guest on this PE could not touch what is its own.
    Refused(Who, Refusal),
    /// A guest can touch what is not its own, or not what is.
    Isolation(Breach),
    /// A guest on this PE ended its event interrupt, and EL2 had made it inactive before.
    NotActive(Who),
    /// A domain ended while this PE was in the middle of a hypercall of it.
    Ended(Who),
    /// An event will never be seen.
    Lost(Lost),
    /// No order of the hypercalls, one after the other, gives what came of it.
    Order(Differs),
    /// A toolstack's wish is never done.
    Stuck,
}

impl Wrong {
    /// In a word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fault(_) => "hypervisor-fault",
            Self::Hazard(_) => "hazard",
            Self::Refused(..) => "refused",
            Self::Isolation(_) => "isolation",
            Self::NotActive(_) => "interrupt-not-active",
            Self::Ended(_) => "ended-meanwhile",
            Self::Lost(_) => "lost-event",
            Self::Order(_) => "no-order",
            Self::Stuck => "stuck",
        }
    }
}

/// A schedule that was played.
#[derive(Debug)]
pub struct Played {
    /// What is wrong with it.
    pub wrong: Option<Wrong>,
    /// What happened, from where everything was set up.
    pub happened: Vec<Happening>,
    /// Decisions among several, up to the last in which somebody was let in.
    pub picks: Vec<Who>,
    /// Decisions among several.
    pub decisions: u64,
    /// Who decides said that where it leads was seen already: nothing was looked at.
    pub seen: bool,
    /// The system as it stands, for whoever tells of it.
    pub system: System,
}

struct Run<'p> {
    system: System,
    crew: Crew<'p>,
    /// Who went last.
    last: Who,
}

/// Plays a case under a strategy as `pick` decides.
pub fn play(case: &Case, strategy: &Builtin, pick: &mut dyn Pick) -> Result<Played, NoSystem> {
    let mut system = System::new(strategy)?;
    let works = case.set_up(&mut system)?;
    let model = system.model_so_far();
    let mut crew = Crew {
        actors: Vec::with_capacity(PES),
        pick,
        happened: Vec::new(),
        picks: Vec::new(),
        seen: false,
        refused: None,
        not_active: None,
        preemptions: PREEMPTIONS,
        preempted: false,
    };
    for (work, open) in works {
        crew.actors.push(Actor::new(work, open));
    }
    for who in 0..PES {
        crew.feed(&mut system.harness.machine, who, 0);
        if let Some(actor) = crew.actors.get_mut(who) {
            actor.idle = !system.runs(who);
        }
    }
    let mut run = Run { system, crew, last: 0 };
    let raced = run.race();
    let Run { system, crew, .. } = run;
    let Crew { happened, picks, seen, .. } = crew;
    let wrong = match raced {
        Ok(wrong) => wrong,
        Err(Faulted { .. }) => Some(Wrong::Fault(system.harness.machine.faults().0)),
    };
    let wrong = if seen {
        None
    } else {
        wrong
            .or_else(|| quiet::look(&system).map(Wrong::Lost))
            .or_else(|| order::check(&system, model, &happened, case.queues).map(Wrong::Order))
    };
    let decisions = picks.len() as u64;
    let last = picks.iter().rposition(|(went, first)| went != first).map_or(0, |last| last.saturating_add(1));
    let picks = picks.into_iter().take(last).map(|(went, _)| went).collect();
    Ok(Played { wrong, happened, picks, decisions, seen, system })
}

impl Run<'_> {
    /// Steps until nobody has any left.
    fn race(&mut self) -> Result<Option<Wrong>, Faulted> {
        loop {
            let mut can: Vec<Candidate> = (0..PES).filter_map(|who| self.candidate(who)).collect();
            if can.is_empty() {
                let waits = self.crew.actors.iter().any(|actor| matches!(actor.next, Next::Tool(..)));
                return Ok(if waits { Some(Wrong::Stuck) } else { self.last_look() });
            }
            if let Some(place) = can.iter().position(|candidate| candidate.who == self.last)
                && let Some(before) = can.get_mut(..=place)
            {
                before.rotate_right(1);
            }
            let place = self.crew.choose(&can);
            let Some(Candidate { who, .. }) = can.get(place).copied().filter(|_| !self.crew.seen) else {
                return Ok(None);
            };
            self.last = who;
            self.step(who)?;
            if let Some((who, refusal)) = self.crew.refused {
                return Ok(Some(Wrong::Refused(who, refusal)));
            }
            if let Some(who) = self.crew.not_active {
                return Ok(Some(Wrong::NotActive(who)));
            }
            if let Some(wrong) = self.hazard().or_else(|| self.breach(who)).or_else(|| self.ended()) {
                return Ok(Some(wrong));
            }
        }
    }

    /// The step that a PE could take next.
    fn candidate(&self, who: Who) -> Option<Candidate> {
        let actor = self.crew.actors.get(who)?;
        let footprint = match actor.next {
            Next::Raise(_) => Footprint::Lock(Entry::Raise),
            _ if self.system.harness.is_kicked(pe_of(who)) => Footprint::Lock(Entry::Interrupt),
            _ if actor.idle => return None,
            Next::Act(action) => Footprint::of(action).unwrap_or(Footprint::Lock(Entry::Call)),
            Next::Again | Next::Tool(_, None) => Footprint::Lock(Entry::Call),
            Next::Tool(_, Some(since)) if self.crew.happened.len() > since => Footprint::Lock(Entry::Call),
            Next::Tool(..) | Next::Resume(_) | Next::Nothing => return None,
        };
        Some(Candidate { who, footprint })
    }

    fn step(&mut self, who: Who) -> Result<(), Faulted> {
        let Some(next) = self.crew.actors.get(who).map(|actor| actor.next) else { return Ok(()) };
        match next {
            Next::Raise(route) => {
                self.crew.happened.push(Happening::WentOn(who));
                let (mut gate, hyp) = self.system.harness.el2(&mut self.crew, pe_of(who));
                hyp.go_on(&mut gate, route)?;
                self.over(who)
            }
            _ if self.system.harness.is_kicked(pe_of(who)) => {
                self.crew.happened.push(Happening::Kicked(who));
                self.system.harness.interrupted(pe_of(who))?;
                self.system.harness.begin(&mut self.crew, pe_of(who), Cause::Irq)?;
                self.leave(who, None)
            }
            Next::Act(Action::WaitForInterrupt) => {
                self.system.harness.trap_wfi(pe_of(who))?;
                self.system.harness.begin(&mut self.crew, pe_of(who), Cause::Sync)?;
                self.then(who, Next::Resume(0));
                self.leave(who, None)
            }
            Next::Act(action @ Action::Hvc { .. }) | Next::Tool(Tool::Call(action), _) => {
                let prepared = self.system.prepared.iter().find(|(pe, of, _)| (*pe, *of) == (who, action));
                if let Some((_, _, call)) = prepared {
                    self.crew.happened.push(Happening::Called(who, *call));
                }
                self.system.trap(who, action)?;
                self.call(who)
            }
            Next::Again => {
                self.crew.happened.push(Happening::Again(who));
                self.system.harness.trap_again(pe_of(who))?;
                self.call(who)
            }
            Next::Act(_) => {
                self.crew.access(&mut self.system.harness.machine, who);
                Ok(())
            }
            Next::Tool(tool @ (Tool::Virq { .. } | Tool::Notify { .. }), _) => self.xen(who, tool),
            Next::Tool(tool, _) => self.toolstack(who, tool),
            Next::Resume(_) | Next::Nothing => Ok(()),
        }
    }

    /// What comes next of an actor.
    fn then(&mut self, who: Who, next: Next) {
        if let Some(actor) = self.crew.actors.get_mut(who) {
            actor.next = next;
        }
    }

    /// EL2 is entered for a hypercall.
    fn call(&mut self, who: Who) -> Result<(), Faulted> {
        self.crew.preempted = false;
        if let Some(route) = self.system.harness.begin(&mut self.crew, pe_of(who), Cause::Sync)? {
            self.let_go(who, route);
            return Ok(());
        }
        if self.system.harness.result(pe_of(who)).is_none() {
            // The only hypercall of races that has check points.
            let domain = domain_of(who);
            let dom = self.system.harness.hyp.index(domain);
            let at = dom.and_then(|dom| self.system.harness.hyp.channels.reset_from(dom)).unwrap_or(0);
            self.crew.happened.push(Happening::Preempted(who, domain, at));
            self.then(who, Next::Again);
            return self.leave(who, None);
        }
        self.over(who)
    }

    /// The hypervisor lock is free; the event remains to be raised.
    fn let_go(&mut self, who: Who, route: Route) {
        self.crew.happened.push(Happening::LetGo(who));
        self.then(who, Next::Raise(route));
    }

    /// EL2 is left, and what it was entered for is done.
    fn over(&mut self, who: Who) -> Result<(), Faulted> {
        // What Xen does on its own has no result: its PE's guest was only interrupted.
        let called = self.crew.happened.iter().rev().find_map(|happening| match happening {
            Happening::Called(of, _) if *of == who => Some(true),
            Happening::Asked(of, _) if *of == who => Some(false),
            _ => None,
        });
        let rc = if called == Some(true) { self.system.harness.result(pe_of(who)).unwrap_or(0) } else { 0 };
        self.then(who, Next::Resume(rc.cast_unsigned()));
        self.leave(who, Some(rc))?;
        if self.crew.actors.get(who).is_some_and(|actor| matches!(actor.work, Work::Toolstack(_))) {
            self.crew.feed(&mut self.system.harness.machine, who, rc.cast_unsigned());
        }
        Ok(())
    }

    /// EL2 is left, maybe with a result; the guest goes on if its vCPU can run.
    fn leave(&mut self, who: Who, rc: Option<i64>) -> Result<(), Faulted> {
        let goes = self.system.harness.leave(&mut self.crew, pe_of(who))?;
        self.crew.happened.extend(rc.map(|rc| Happening::Returned(who, rc)));
        if !self.system.has_vcpu(who) {
            self.crew.end(who);
        } else if let Some(actor) = self.crew.actors.get_mut(who) {
            if goes == Goes::Idle && !actor.idle {
                self.crew.happened.push(Happening::Slept(who));
            }
            actor.idle = goes == Goes::Idle;
            if goes == Goes::Guest {
                self.crew.go_on(&self.system.harness.machine, who);
            }
        }
        Ok(())
    }

    /// Xen sets out to raise an event from an interrupt of this PE.
    fn xen(&mut self, who: Who, tool: Tool) -> Result<(), Faulted> {
        self.crew.happened.push(Happening::Asked(who, tool));
        self.system.harness.begin(&mut self.crew, pe_of(who), Cause::Irq)?;
        let hyp = &self.system.harness.hyp;
        let dom = |position| hyp.index(position);
        let route = match tool {
            Tool::Virq { domain, vcpu, virq } => match (VirqKind::of(virq), dom(domain)) {
                (Some(VirqKind::Global), _) => hyp.channels.route_virq_global(virq),
                (Some(VirqKind::Domain), Some(dom)) => hyp.channels.route_virq_domain(dom, virq),
                (Some(VirqKind::Vcpu), Some(dom)) => hyp.channels.route_virq_vcpu(dom, Vcpu(vcpu), virq),
                _ => Route::NOTHING,
            },
            Tool::Notify { domain, port } => {
                dom(domain).map_or(Route::NOTHING, |dom| hyp.channels.route_xen_notify(dom, Port(port)))
            }
            _ => Route::NOTHING,
        };
        self.let_go(who, route);
        Ok(())
    }

    fn toolstack(&mut self, who: Who, tool: Tool) -> Result<(), Faulted> {
        self.crew.happened.push(Happening::Asked(who, tool));
        self.crew.preempted = false;
        let (mut gate, hyp) = self.system.harness.el2(&mut self.crew, pe_of(who));
        let dom = |hyp: &sim_core::hyp::Hypervisor<Builtin>, position| {
            hyp.channels.lookup(DomId(id_of(position))).ok_or(Errno::ESRCH)
        };
        let done = match tool {
            Tool::Kill(position) => match dom(hyp, position) {
                Ok(dom) => hyp.kill(&mut gate, dom),
                Err(errno) => Err(errno.into()),
            },
            Tool::Create(position) => match system::domain(position) {
                Some(planned) => match hyp.create_domain(&mut gate, planned)? {
                    Ok(_) => Ok(()),
                    Err(error) => Err(error.errno().into()),
                },
                None => Err(Errno::EINVAL.into()),
            },
            Tool::Pause(position) => dom(hyp, position).and_then(|dom| hyp.pause(&mut gate, dom)).map_err(Stop::Errno),
            Tool::Unpause(position) => {
                dom(hyp, position).and_then(|dom| hyp.unpause(&mut gate, dom)).map_err(Stop::Errno)
            }
            Tool::Call(_) | Tool::Virq { .. } | Tool::Notify { .. } => Ok(()),
        };
        self.system.harness.machine.resume(pe_of(who), true);
        let rc = match done {
            Ok(()) => 0,
            Err(Stop::Errno(errno)) => errno.rc(),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        if let (true, Tool::Kill(position)) = (self.crew.preempted, tool) {
            let dom = self.system.harness.hyp.index(position);
            let counts = dom.and_then(|dom| self.system.harness.hyp.channels.port_counts(dom));
            self.crew.happened.push(Happening::Preempted(who, position, counts.map_or(0, |counts| counts.valid)));
        }
        self.crew.happened.push(Happening::Returned(who, rc));
        if rc == Errno::ERESTART.rc() {
            // One that was preempted is asked for again at once; one that a vCPU is in the way of, once others did something.
            let since = (!self.crew.preempted).then_some(self.crew.happened.len());
            self.then(who, Next::Tool(tool, since));
            return Ok(());
        }
        self.crew.feed(&mut self.system.harness.machine, who, 0);
        Ok(())
    }

    /// The first hazard that is not the strategy's own.
    fn hazard(&self) -> Option<Wrong> {
        self.system.harness.hazards().next().map(|hazard| Wrong::Hazard(hazard.kind))
    }

    /// Asks the isolation oracle about a PE, unless that is still at EL2.
    fn breach(&mut self, who: Who) -> Option<Wrong> {
        let at_el2 = self.crew.actors.get(who).is_some_and(|actor| matches!(actor.next, Next::Raise(_)));
        if at_el2 { None } else { self.system.breach(who).map(Wrong::Isolation) }
    }

    /// A PE in the middle of a hypercall of a domain that is not there any more.
    fn ended(&self) -> Option<Wrong> {
        let half_way = |actor: &Actor| matches!((&actor.work, actor.next), (Work::Guest(_), Next::Raise(_)));
        let mut actors = self.crew.actors.iter().enumerate().filter(|(_, actor)| half_way(actor));
        actors.find(|(pe, _)| self.system.harness.hyp.index(domain_of(*pe)).is_none()).map(|(pe, _)| Wrong::Ended(pe))
    }

    /// All is over: the isolation oracle looks at every PE.
    fn last_look(&mut self) -> Option<Wrong> {
        (0..PES).find_map(|pe| self.system.breach(pe)).map(Wrong::Isolation)
    }
}
