//! Cases in which guests write to the memory they share with the hypervisor while it works on it: event words, control
//! blocks, links and heads change just before any access.
//!
//! No model says what comes of that. What must hold all the same: no fault of the hypervisor, no panic, no hazard; guests
//! kept apart; PEs told of events; words accessed in pages handed over and nowhere else; and no event takes longer for it.

use super::case::{Case, Kind, Num, Planned, op_of};
use super::play::{Wrong, fault, hazard, header};
use super::source::Source;
use conformance::Difference;
use conformance::format::{Actor, Op, Outcome, Step};
use conformance::pe::Deed;
use conformance::rig::{Rig, Trouble};
use evtchn::Errno;
use evtchn::op::{Op as EventOp, command};
use sim_core::hyp::domain::{RunState, VcpuState};
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::{PAGE_SIZE, Span};
use std::collections::BTreeSet;

/// The most words that one event loads or changes: two to unmask, three of its own, the tail's with five attempts to link and
/// the busy bit set and taken back, the queue's head and its ready bit, the upcall byte and the selector.
const MOST_ACCESSES: usize = 19;

struct Victim<'a> {
    case: &'a Case,
    rig: Rig,
    made: Vec<Option<u64>>,
    /// Frames that some domain handed over, and those of `shared_info`.
    handed: BTreeSet<u64>,
}

/// Plays a case with guests that interfere as `source` says, to its end or to the first thing that is wrong.
pub(super) fn play(case: &Case, source: &mut impl Source) -> Option<Wrong> {
    let mut rig = match Rig::new(&header(case, "tamper", 0), &[], &case.setting) {
        Ok(rig) => rig,
        Err(why) => return Some(Wrong::Stuck(why)),
    };
    let shared_info = |(_, dom)| rig.harness.hyp.channels.shared_info(dom).map(|area| area.address);
    let shared_infos: Vec<u64> = rig.harness.hyp.channels.domains().filter_map(shared_info).collect();
    let pages = shared_infos.iter().filter_map(|at| Span::with_size(*at, PAGE_SIZE));
    // Not the memory behind it, where argument blocks are: that stays the guest's own.
    rig.forced.tamper.shared =
        (0..case.domains.len()).flat_map(|at| rig.harness.hands_over(at).into_iter().take(1)).chain(pages).collect();
    let made = vec![None; case.steps.len()];
    let handed = shared_infos.iter().map(|at| at / PAGE_SIZE).collect();
    let mut victim = Victim { case, rig, made, handed };
    let steps = taking_up_fifo(case).into_iter().chain(case.steps.iter().cloned());
    steps.into_iter().find_map(|planned| {
        victim.rig.forced.tamper.deeds = (0..source.below(4)).map(|_| deed(source)).collect();
        victim.step(&planned)
    })
}

/// A control block for each vCPU and a page of event words for each domain: without them there is little to tamper with.
fn taking_up_fifo(case: &Case) -> Vec<Planned> {
    let mut steps = Vec::new();
    for domain in &case.domains {
        let mut step = |kind, args| {
            let by = Actor::Guest { domain: domain.id, vcpu: 0 };
            steps.push(Planned { id: u32::MAX, by, kind, args, bad: None });
        };
        for vcpu in 0..domain.vcpus {
            step(
                Kind::Event(command::INIT_CONTROL),
                [Num::Page(0), Num::Fixed(vcpu * 128), Num::Fixed(vcpu), Num::Fixed(0)],
            );
        }
        step(Kind::Event(command::EXPAND_ARRAY), [Num::Page(1), Num::Fixed(0), Num::Fixed(0), Num::Fixed(0)]);
    }
    steps
}

/// Flags as they come, with a link to a port that may exist, or any word; or a bit flipped.
fn deed(source: &mut impl Source) -> Deed {
    let after = source.below(12);
    let flags = source.below(16) << 28;
    match source.below(4) {
        0 => Deed { after, keep: 0, flip: flags | source.below(8) },
        1 => Deed { after, keep: 0, flip: flags | u32::from(source.bits()) },
        2 => Deed { after, keep: 0, flip: u32::from(source.bits()) << 16 | u32::from(source.bits()) },
        _ => Deed { after, keep: u32::MAX, flip: 1 << source.below(32) },
    }
}

impl Victim<'_> {
    fn step(&mut self, planned: &Planned) -> Option<Wrong> {
        let (actor, op) = self.resolve(planned)?;
        self.rig.forced.tamper.accessed.clear();
        let step = Step { number: None, actor, name: String::new(), op, expected: Outcome::default() };
        let got = match self.rig.step(&step) {
            Ok(got) => got,
            // A step that makes no sense is left out; a guest that leads itself astray is its own affair.
            Err(Trouble::Step(_) | Trouble::Guest(_)) => return None,
            Err(Trouble::Hypervisor) => return Some(fault(&self.rig)),
        };
        if let Some(gfn) = step.op.frame()
            // Where only the output could not be written, it was handed over all the same.
            && [0, Errno::EFAULT.rc()].contains(&got.rc)
        {
            self.handed.insert(gfn);
        }
        if let Some(made) = self.made.get_mut(planned.id as usize)
            && planned.by == actor
        {
            *made = step.op.made(&got.out);
        }
        let difference = self.rig.check().or_else(|| self.stray()).or_else(|| self.long(&step.op));
        difference.map(|found| Wrong::Differs(vec![found])).or_else(|| hazard(&self.rig))
    }

    fn resolve(&self, planned: &Planned) -> Option<(Actor, Op)> {
        if let Actor::Guest { domain, vcpu } = planned.by {
            let vcpu_state = self.vcpu(domain, vcpu)?;
            if vcpu_state.paused() {
                return Some((Actor::Hypervisor, Op::Unpause { dom: domain.into() }));
            }
            if vcpu_state.run == RunState::Offline {
                return None;
            }
            if vcpu_state.run == RunState::Blocked {
                return Some((Actor::Hypervisor, Op::PollTimeout { dom: domain.into(), vcpu: vcpu.into() }));
            }
        }
        let mut numbers = [0; 4];
        for (number, arg) in numbers.iter_mut().zip(planned.args) {
            *number = match (arg, planned.by) {
                (Num::Fixed(value), _) => value,
                (Num::Made(step), _) => self.made.get(step as usize).copied().flatten()?,
                (Num::Page(page), Actor::Guest { domain, .. }) => {
                    let accepts = self.rig.harness.hands_over(self.rig.position(domain)?);
                    let (first, pages) = accepts.first().map(|span| (span.base(), span.size() / PAGE_SIZE))?;
                    first / PAGE_SIZE + u64::from(page).checked_rem(pages)?
                }
                (Num::Shared, Actor::Guest { domain, .. }) => {
                    let dom = self.rig.harness.hyp.channels.lookup(evtchn::DomId(domain))?;
                    self.rig.harness.hyp.channels.shared_info(dom)?.address / PAGE_SIZE
                }
                (Num::Page(_) | Num::Shared, Actor::Hypervisor) => return None,
            };
        }
        let op = op_of(self.case, planned.kind, numbers, planned.bad)?;
        let alive = |dom: u64| u16::try_from(dom).is_ok_and(|dom| self.vcpu(dom, 0).is_some());
        match (planned.kind, numbers) {
            (Kind::Create, [dom, ..]) if alive(dom) => None,
            (Kind::Create, _) if self.case.setting.strategy.placement().is_some() => None,
            (Kind::Kill | Kind::BeginKill, [dom, ..]) if !alive(dom) => None,
            _ => Some((planned.by, op)),
        }
    }

    fn vcpu(&self, domain: u16, vcpu: u32) -> Option<&VcpuState> {
        let position = self.rig.position(domain)?;
        let hyp = &self.rig.harness.hyp;
        Some(hyp.vcpu(hyp.vcpu_id(position, vcpu)?))
    }

    /// A word in a domain's RAM that the hypervisor accessed and that is in no page handed over.
    fn stray(&self) -> Option<Difference> {
        let stray = self.rig.forced.tamper.accessed.iter().find(|at| !self.handed.contains(&(*at / PAGE_SIZE)))?;
        let expected = "words in pages handed over".into();
        Some(Difference { field: "accesses of the hypervisor".into(), expected, got: format!("{stray:#x}") })
    }

    /// An event that took too many accesses.
    fn long(&self, op: &Op) -> Option<Difference> {
        let one = match op {
            Op::Event { op, .. } => matches!(op, EventOp::Send { .. } | EventOp::Unmask { .. }),
            op => matches!(op, Op::XenNotify { .. }),
        };
        let count = self.rig.forced.tamper.accessed.len();
        (one && count > MOST_ACCESSES).then(|| Difference {
            field: "accesses for one event".into(),
            expected: format!("at most {MOST_ACCESSES}"),
            got: count.to_string(),
        })
    }
}
