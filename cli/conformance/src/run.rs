//! One file from its first step to its last, or to the first difference.

use super::diff::{self, Difference};
use super::error::{Place, ReplayError};
use super::format::{self, Actor, Outcome as StepOutcome, RecordedStep};
use super::live::{LiveSystem, StepError};
use super::outcome::{FileResult, HypervisorFault, Mismatch, Options, Outcome};
use serde_json::Value;
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::Owner;
use sim_core::machine::Refusal;
use sim_core::platform::Event;
use std::collections::VecDeque;
use std::path::Path;

/// Steps shown before a difference, itself included.
const CONTEXT: usize = 10;

/// Replays the text of one vector file; `path` is what errors call it.
pub fn file(path: &Path, text: &str, options: &Options) -> Result<FileResult, ReplayError> {
    let place = Place { path };
    let vector = match format::parse(&place, text) {
        Err(ReplayError::Unsupported { what, .. }) if options.skip_unsupported => {
            let outcome = Outcome::Skipped { reason: format!("{what} is not supported") };
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(FileResult { path: path.to_owned(), name, steps: 0, outcome, own_hazard: None });
        }
        parsed => parsed?,
    };
    tracing::debug!(file = %path.display(), strategy = options.setting.strategy.name(), steps = vector.steps.len(), "replaying");
    let mut system =
        LiveSystem::new(&vector.header, &vector.steps, &options.setting).map_err(|why| place.setup(why))?;
    let mut steps = 0;
    let mut outcome = Outcome::Ok;
    for step in &vector.steps {
        let line = steps + 2;
        let found = match system.step(step) {
            Ok(got) => {
                let mut found = diff::compare(&step.expected, &got);
                found.extend(system.check());
                found
            }
            Err(StepError::Hypervisor) => {
                outcome = Outcome::HypervisorFault(Box::new(system.fault(line, step)));
                break;
            }
            Err(StepError::Guest(refusal)) => vec![refused(&refusal)],
            Err(StepError::Step(found)) => {
                return Err(place.bad(line, "a step that can be done here", found));
            }
        };
        if !found.is_empty() {
            let op = step.name.clone();
            let last = last_lines(text, line);
            let mismatch = Mismatch { line, step: steps + 1, op, differences: found, last_steps: last };
            outcome = Outcome::Mismatch(Box::new(mismatch));
            break;
        }
        steps += 1;
    }
    let own_hazard = system.harness.own_hazards().next();
    let own_hazard = own_hazard.map(|hazard| words::hazard(&hazard.kind));
    let mut hazards = system.harness.hazards();
    if let (Outcome::Ok, Some(hazard)) = (&outcome, hazards.next()) {
        outcome = Outcome::Hazard { first: words::hazard(&hazard.kind), count: hazards.count() + 1 };
    }
    Ok(FileResult { path: path.to_owned(), name: vector.header.name, steps, outcome, own_hazard })
}

fn refused(refusal: &Refusal) -> Difference {
    Difference { field: "guest access".into(), expected: "done".into(), got: refusal_words(refusal) }
}

/// Why a guest's own access was not made.
#[must_use]
pub fn refusal_words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Denied(denied) => denied.denial.to_string(),
        Refusal::External(syndrome) => format!("nothing answers: {syndrome}"),
    }
}

/// The steps up to `line`, as they stand in the file.
fn last_lines(text: &str, line: usize) -> Vec<String> {
    let mut last = VecDeque::with_capacity(CONTEXT);
    for step in text.lines().take(line).skip(1) {
        if last.len() == CONTEXT {
            last.pop_front();
        }
        last.push_back(step.to_owned());
    }
    last.into()
}

impl LiveSystem {
    /// Takes a step: its result, its output and what came of it.
    pub fn step(&mut self, step: &RecordedStep) -> Result<StepOutcome, StepError> {
        let (rc, out) = if matches!(step.op, format::Op::Dump {}) { (0, self.dump()) } else { self.act(step)? };
        let mut got = StepOutcome { rc, out, ..StepOutcome::default() };
        self.collect(&mut got);
        Ok(got)
    }

    fn act(&mut self, step: &RecordedStep) -> Result<(i64, Value), StepError> {
        let caller = self.run(step.actor)?;
        if let Some(told) = self.control_step(step.actor, &step.op)? {
            return Ok(told);
        }
        let Some(caller) = caller else {
            return Err(StepError::Step(format!("{:?} without a guest that does it", step.name)));
        };
        if let Some(done) = self.call_step(caller, &step.op) {
            return done;
        }
        match self.guest_step(caller, &step.op) {
            Some(out) => Ok((0, out?)),
            None => Err(StepError::Step(format!("{:?} is nothing a guest does", step.name))),
        }
    }

    /// What the hypervisor told meanwhile: event interrupts where they can be seen, and polls that ended.
    fn collect(&mut self, got: &mut StepOutcome) {
        let mut events = core::mem::take(&mut self.events);
        self.harness.machine.take_events(&mut events);
        for event in events.drain(..) {
            match event {
                Event::Injected { domain, vcpu } => {
                    let Some(id) = self.ids.get(domain.get()).copied() else {
                        continue;
                    };
                    let dom = self.harness.hyp.index(domain);
                    if !dom.is_some_and(|dom| self.visible(dom, vcpu)) {
                        continue;
                    }
                    got.injected.push((id, vcpu));
                    if let Ok(vcpu) = self.guest_vcpu((id, vcpu)) {
                        vcpu.kicks += 1;
                    }
                }
                // Recordings count what handler 1 saw.
                Event::XenHandler { domain, handler, .. } if handler.get() == 1 => {
                    if let Some(guest) = self.ids.get(domain.get()).and_then(|id| self.guests.get_mut(id)) {
                        guest.xen_hits += 1;
                    }
                }
                Event::Unblocked { domain, vcpu } => {
                    got.woken.extend(self.ids.get(domain.get()).map(|id| (*id, vcpu)));
                }
                _ => {}
            }
        }
        self.events = events;
    }

    fn fault(&self, line: usize, step: &RecordedStep) -> HypervisorFault {
        let fault = self.harness.machine.faults().0;
        let (esr, far) = fault.map_or((0, 0), |fault| (fault.syndrome.esr(), fault.syndrome.far));
        let owner = match self.harness.hyp.layout().owner(far).0 {
            Owner::Ram(position) | Owner::Granted(position) => {
                format!("domain {}", self.ids.get(position.get()).copied().unwrap_or_default())
            }
            Owner::Nobody => "nobody".into(),
            _ => "the hypervisor".into(),
        };
        let object = self.harness.hyp.object_at(far).map(|(area, offset)| format!("{} + {offset:#x}", area.object));
        HypervisorFault {
            line,
            step: line - 1,
            op: step.name.clone(),
            caller: match step.actor {
                Actor::Hypervisor => None,
                Actor::Guest { domain, vcpu } => Some((domain, vcpu)),
            },
            access: fault.map_or_else(String::new, |fault| fault.access().to_string()),
            esr: format!("{esr:#x}"),
            far: format!("{far:#x}"),
            owner,
            object,
        }
    }
}
