//! One schedule of a case, from the first step to the last, and what is looked at on the way.

use super::cases::Case;
use super::crew::{Actor, Crew, Gate, Happening, Next, Tool};
use super::order::{self, Differs};
use super::quiet::{self, Lost};
use super::schedule::{Candidate, Entry, Footprint, Pick, Who};
use super::system::{self, NoSystem, PES, System, id_of};
use crate::convention::Cause;
use crate::guest::Action;
use crate::hyp::entry::Next as Goes;
use crate::hyp::strategy::{Builtin, Strategy};
use crate::machine::{Cpu, Faulted, Refusal};
use crate::outcome::{Breach, El2Fault, HazardKind};
use alloc::vec::Vec;
use evtchn::{DomId, Errno, Stop};

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
    strategy_maps_by_default: bool,
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
    };
    for work in works {
        crew.actors.push(Actor { work, next: Next::Nothing });
    }
    for who in 0..PES {
        crew.feed(&mut system.machine, who, 0)?;
    }
    let strategy_maps_by_default = strategy.needs().default_map;
    let mut run = Run { system, crew, last: 0, strategy_maps_by_default };
    let raced = run.race();
    let Run { system, crew, .. } = run;
    let Crew { happened, picks, seen, .. } = crew;
    let wrong = match raced {
        Ok(wrong) => wrong,
        Err(Faulted { .. }) => Some(Wrong::Fault(system.machine.faults().0)),
    };
    let wrong = if seen {
        None
    } else {
        wrong
            .or_else(|| quiet::look(&system).map(Wrong::Lost))
            .or_else(|| order::check(&system, model, &happened, !case.large).map(Wrong::Order))
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
            if let Some(wrong) = self.hazard().or_else(|| self.breach(who)) {
                return Ok(Some(wrong));
            }
        }
    }

    /// The step that a PE could take next.
    fn candidate(&self, who: Who) -> Option<Candidate> {
        let next = self.crew.actors.get(who)?.next;
        let footprint = match next {
            Next::Raise(_) => Footprint::Lock(Entry::Raise),
            _ if self.system.kicked(who) => Footprint::Lock(Entry::Interrupt),
            Next::Act(action) => Footprint::of(action).unwrap_or(Footprint::Lock(Entry::Call)),
            Next::Tool(_, None) => Footprint::Lock(Entry::Call),
            Next::Tool(_, Some(since)) if self.crew.happened.len() > since => Footprint::Lock(Entry::Call),
            Next::Tool(..) | Next::Nothing => return None,
        };
        Some(Candidate { who, footprint })
    }

    fn step(&mut self, who: Who) -> Result<(), Faulted> {
        let Some(next) = self.crew.actors.get(who).map(|actor| actor.next) else { return Ok(()) };
        match next {
            Next::Raise(route) => {
                self.crew.happened.push(Happening::WentOn(who));
                let (mut gate, hyp, _) = gate(&mut self.system, &mut self.crew, who);
                hyp.go_on(&mut gate, route)?;
                self.leave(who, true)
            }
            _ if self.system.kicked(who) => {
                self.crew.happened.push(Happening::Kicked(who));
                self.system.interrupted(who)?;
                let (mut gate, hyp, frame) = gate(&mut self.system, &mut self.crew, who);
                hyp.begin(&mut gate, Cause::Irq, frame)?;
                self.leave(who, false)
            }
            Next::Act(action @ Action::Hvc { .. }) | Next::Tool(Tool::Call(action), _) => self.call(who, action),
            Next::Act(_) => self.crew.access(&mut self.system.machine, who),
            Next::Tool(tool, _) => self.toolstack(who, tool),
            Next::Nothing => Ok(()),
        }
    }

    fn call(&mut self, who: Who, action: Action) -> Result<(), Faulted> {
        let prepared = self.system.prepared.iter().find(|(pe, of, _)| (*pe, *of) == (who, action));
        if let Some((_, _, call)) = prepared {
            self.crew.happened.push(Happening::Called(who, *call));
        }
        self.system.trap(who, action)?;
        let (mut gate, hyp, frame) = gate(&mut self.system, &mut self.crew, who);
        match hyp.begin(&mut gate, Cause::Sync, frame)? {
            Some(route) => {
                self.crew.happened.push(Happening::LetGo(who));
                if let Some(actor) = self.crew.actors.get_mut(who) {
                    actor.next = Next::Raise(route);
                }
                Ok(())
            }
            None => self.leave(who, true),
        }
    }

    /// EL2 is left; where a hypercall is over, its guest goes on if its vCPU is still there.
    fn leave(&mut self, who: Who, over: bool) -> Result<(), Faulted> {
        let before = self.system.hyp.core.pes.get(who).and_then(|pe| pe.queue.current);
        let (mut gate, hyp, frame) = gate(&mut self.system, &mut self.crew, who);
        let goes = hyp.leave(&mut gate, frame)?;
        let rc = frame.x[0];
        self.system.machine.resume(who, goes == Goes::Guest);
        if over {
            self.crew.happened.push(Happening::Returned(who, rc.cast_signed()));
        }
        if goes == Goes::Idle || before.is_none() {
            self.crew.end(who);
            return Ok(());
        }
        if over { self.crew.feed(&mut self.system.machine, who, rc) } else { Ok(()) }
    }

    fn toolstack(&mut self, who: Who, tool: Tool) -> Result<(), Faulted> {
        self.crew.happened.push(Happening::Asked(who, tool));
        let (mut gate, hyp, _) = gate(&mut self.system, &mut self.crew, who);
        let done = match tool {
            Tool::Kill(position) => match hyp.channels.lookup(DomId(id_of(position))) {
                Some(dom) => hyp.kill(&mut gate, dom),
                None => Err(Errno::ESRCH.into()),
            },
            Tool::Create(position) => match system::domain(position) {
                Some(planned) => match hyp.create_domain(&mut gate, planned)? {
                    Ok(_) => Ok(()),
                    Err(error) => Err(error.errno().into()),
                },
                None => Err(Errno::EINVAL.into()),
            },
            Tool::Call(_) => Ok(()),
        };
        self.system.machine.resume(who, true);
        let rc = match done {
            Ok(()) => 0,
            Err(Stop::Errno(errno)) => errno.rc(),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        self.crew.happened.push(Happening::Returned(who, rc));
        if rc == Errno::ERESTART.rc() {
            let since = self.crew.happened.len();
            if let Some(actor) = self.crew.actors.get_mut(who) {
                actor.next = Next::Tool(tool, Some(since));
            }
            return Ok(());
        }
        self.crew.feed(&mut self.system.machine, who, 0)
    }

    /// The first hazard that is not the strategy's own: by the default map memory has other attributes than by regions.
    fn hazard(&self) -> Option<Wrong> {
        let own = |kind: &HazardKind| self.strategy_maps_by_default && matches!(kind, HazardKind::Attributes { .. });
        let kinds = self.system.machine.hazards.iter().map(|hazard| hazard.kind);
        kinds.clone().find(|kind| !own(kind)).map(Wrong::Hazard)
    }

    /// Asks the isolation oracle about a PE, unless that is still at EL2.
    fn breach(&mut self, who: Who) -> Option<Wrong> {
        let at_el2 = self.crew.actors.get(who).is_some_and(|actor| matches!(actor.next, Next::Raise(_)));
        if at_el2 { None } else { self.system.breach(who).map(Wrong::Isolation) }
    }

    /// All is over: the isolation oracle looks at every PE.
    fn last_look(&mut self) -> Option<Wrong> {
        (0..PES).find_map(|pe| self.system.breach(pe)).map(Wrong::Isolation)
    }
}

/// A PE at EL2, the hypervisor and the PE's registers.
fn gate<'a, 'p>(
    system: &'a mut System,
    crew: &'a mut Crew<'p>,
    who: Who,
) -> (Gate<'a, 'p>, &'a mut crate::hyp::Hypervisor<Builtin>, &'a mut crate::convention::Frame) {
    let cpu = Cpu { machine: &mut system.machine, pe: who };
    (Gate { cpu, crew }, &mut system.hyp, system.frames.get_mut(who).unwrap_or(&mut system.no_frame))
}
