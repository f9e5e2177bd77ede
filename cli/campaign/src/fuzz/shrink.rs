//! A failing case made smaller until nothing more can be taken from it.

use super::case::{Case, Num};
use super::{Course, Wrong, caught, guarded};
use conformance::format::Actor;
use mpu_model::{Pmsa, SyncRule};
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::Placement;

/// Runs that a shrink may take; far more than any case needs.
const MOST: usize = 20_000;

/// What shrinking came to.
pub(crate) struct Shrunk {
    /// The smallest case that fails in the same way.
    pub(crate) case: Case,
    /// What came of it.
    pub(crate) course: Course,
    /// How many cases were tried.
    pub(crate) tried: usize,
    /// What the panic said that ended the shrinking early.
    pub(crate) panicked: Option<String>,
}

/// A smaller case that fails in the same way.
pub(crate) fn shrink(case: Case, course: Course) -> Shrunk {
    shrink_by(case, course, Shrinker::shrink)
}

/// The same in a given way. Where that panics, the smallest case so far is what it came to.
pub(crate) fn shrink_by(case: Case, course: Course, way: impl FnOnce(&mut Shrinker)) -> Shrunk {
    let Some(name) = course.wrong.as_ref().map(Wrong::name) else {
        return Shrunk { case, course, tried: 0, panicked: None };
    };
    let mut shrinker = Shrinker { case, course, name, tried: 0, taken: 0 };
    let panicked = caught(|| way(&mut shrinker)).err();
    let Shrinker { case, course, tried, .. } = shrinker;
    Shrunk { case, course, tried, panicked }
}

pub(crate) struct Shrinker {
    case: Case,
    course: Course,
    name: &'static str,
    tried: usize,
    /// How many of them were smaller and failed in the same way.
    taken: usize,
}

impl Shrinker {
    fn shrink(&mut self) {
        self.cut();
        loop {
            let before = self.taken;
            self.setting();
            self.drop_steps();
            self.operands();
            if self.taken == before {
                return;
            }
        }
    }

    /// Takes a case if it still fails in the same way.
    fn try_case(&mut self, case: Case) -> bool {
        self.tried += 1;
        if self.tried > MOST {
            return false;
        }
        let course = guarded(&case, &mut None);
        let same = course.wrong.as_ref().is_some_and(|wrong| wrong.name() == self.name);
        if same {
            self.taken += 1;
            (self.case, self.course) = (case, course);
            self.cut();
        }
        same
    }

    /// Steps that were not carried out go.
    fn cut(&mut self) {
        let course = &self.course;
        self.case.steps.retain(|step| course.steps.iter().any(|played| played.id == step.id));
    }

    fn setting(&mut self) {
        let edit = |case: &Case, change: &dyn Fn(&mut Case)| {
            let mut case = case.clone();
            change(&mut case);
            case
        };
        let (pes, placement) = (self.case.setting.pes, self.case.setting.placement);
        for fewer in 1..pes {
            if self.try_case(edit(&self.case, &|case| case.setting.pes = fewer)) {
                break;
            }
        }
        if placement != Placement::GuestRam && self.case.setting.strategy.placement().is_none() {
            self.try_case(edit(&self.case, &|case| case.setting.placement = Placement::GuestRam));
        }
        if self.case.setting.sync != SyncRule::default() {
            self.try_case(edit(&self.case, &|case| case.setting.sync = SyncRule::default()));
        }
        if self.case.setting.pmsa != Pmsa::V64 {
            self.try_case(edit(&self.case, &|case| case.setting.pmsa = Pmsa::V64));
        }
        for at in (1..self.case.domains.len()).rev() {
            self.try_case(edit(&self.case, &|case| {
                case.domains.remove(at);
            }));
        }
        for at in 0..self.case.domains.len() {
            let vcpus = self.case.domains.get(at).map_or(1, |domain| domain.vcpus);
            for fewer in 1..vcpus {
                if self.try_case(edit(&self.case, &|case| {
                    case.domains.iter_mut().skip(at).take(1).for_each(|domain| domain.vcpus = fewer);
                })) {
                    break;
                }
            }
        }
    }

    /// Runs of steps, long ones first.
    fn drop_steps(&mut self) {
        let mut run = self.case.steps.len().next_power_of_two() / 2;
        while run > 0 {
            let mut at = 0;
            while at < self.case.steps.len() {
                let mut case = self.case.clone();
                case.steps.drain(at..(at + run).min(case.steps.len()));
                if !self.try_case(case) {
                    at += run;
                }
            }
            run /= 2;
        }
    }

    /// Operands become small numbers, blocks good, callers vCPU 0.
    fn operands(&mut self) {
        for at in 0..self.case.steps.len() {
            for arg in 0..4 {
                for number in 0..2 {
                    self.edit(at, |step| {
                        let place = step.args.get_mut(arg)?;
                        let simpler = match *place {
                            Num::Fixed(value) => value > number,
                            _ => false,
                        };
                        simpler.then(|| *place = Num::Fixed(number))
                    });
                }
            }
            self.edit(at, |step| step.bad.take().map(|_| ()));
            self.edit(at, |step| match &mut step.by {
                Actor::Guest { vcpu, .. } if *vcpu > 0 => {
                    *vcpu = 0;
                    Some(())
                }
                _ => None,
            });
        }
    }

    /// Tries one change of one step, if there is anything to change.
    fn edit(&mut self, at: usize, change: impl FnOnce(&mut super::case::Planned) -> Option<()>) {
        let mut case = self.case.clone();
        if case.steps.get_mut(at).and_then(change).is_some() {
            self.try_case(case);
        }
    }
}
