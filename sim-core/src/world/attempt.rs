//! One access of the hypervisor's, made as a strategy makes it: what a run would meet there, without its guests.
//!
//! The system is booted on its first PE, domains hand their structures over, and EL2 is left for a view. Then EL2 is entered as
//! by any trap, the strategy is asked to reach the bytes, and the machine judges the access. So the answer is that of the
//! strategy's own code, not of a description of it.

use super::Config;
use crate::hyp::strategy::Strategy;
use crate::hyp::view::Wanted;
use crate::hyp::{Hypervisor, SetupError};
use crate::layout::{Layout, Owner, Span};
use crate::machine::{Cpu, Faulted, Machine};
use crate::outcome::{El2Fault, ViewId};
use alloc::vec::Vec;
use boards::PeId;
use mpu_model::{Access, El, HitBy, Regime};

/// By what an access got through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// A temporary mapping in this slot, of this range.
    Window {
        /// The slot.
        slot: u8,
        /// First and last byte mapped.
        range: (u64, u64),
    },
    /// The hypervisor view, which is not the view that was left for.
    HypervisorView,
    /// A page that keeps a slot of its own.
    Pin {
        /// The slot.
        slot: u8,
    },
    /// The heap's region, widened at EL2.
    Heap {
        /// The slot.
        slot: u8,
    },
    /// The default map, lent by `SCTLR_EL2.BR` while EL2 runs.
    DefaultMap,
    /// A region of the view itself.
    Standing {
        /// The slot.
        slot: u8,
    },
}

/// What an access of the hypervisor's came to.
pub type Attempted = Result<Through, El2Fault>;

/// Makes `access` under `strategy` after an entry from `view`. `handed_over` are the structures that domains have handed over,
/// each with the position of its domain.
///
/// # Errors
///
/// As [`Hypervisor::new`]: nothing is in force in a system that cannot be set up.
pub fn attempt<S: Strategy>(
    layout: &Layout,
    strategy: S,
    config: &Config,
    handed_over: &[(usize, Span)],
    view: ViewId,
    access: Access,
) -> Result<Attempted, SetupError> {
    let mut machine = Machine::new(layout, config.rules, config.costs);
    let mut hyp = Hypervisor::new(layout.clone(), strategy, config.scheduler.clone(), config.policy)?;
    let access = Access { el: El::El2, ..access };
    let done = made(&mut machine, &mut hyp, handed_over, view, access);
    Ok(match (done, machine.faults().0) {
        (Ok(through), None) => Ok(through),
        // Whatever failed is in the machine.
        (_, Some(fault)) => Err(fault),
        (Err(_), None) => Ok(Through::Standing { slot: 0 }),
    })
}

fn made<S: Strategy>(
    machine: &mut Machine,
    hyp: &mut Hypervisor<S>,
    handed_over: &[(usize, Span)],
    view: ViewId,
    access: Access,
) -> Result<Through, Faulted> {
    let mut cpu = Cpu { machine, pe: PeId::PRIMARY };
    hyp.boot(&mut cpu)?;
    for (domain, span) in handed_over.iter().copied() {
        let pool = hyp.layout().pages(domain).and_then(|pages| pages.own_pool);
        let within = pool.or_else(|| hyp.layout().owner(span.base()).1).filter(|within| within.covers(&span));
        if let Some(within) = within {
            let wanted = Wanted { span, within, device: false };
            // Where no slot is left, its owner was told so, and the page is not reached.
            let _ = hyp.memory(&mut cpu).accept(&wanted, domain)?;
        }
    }
    hyp.leave_to(&mut cpu, view)?;
    // The ERET, and the exception that brings EL2 back.
    cpu.machine.pe_mut(PeId::PRIMARY).context_sync();
    hyp.enter_unasked(&mut cpu)?;
    let mut first = None;
    for (wanted, piece) in pieces(hyp.layout(), access) {
        let mut left = piece;
        loop {
            let limit = match wanted {
                Some(wanted) => {
                    let rest = Span::new(left.addr, wanted.span.limit()).unwrap_or(wanted.span);
                    hyp.memory(&mut cpu).reach(&Wanted { span: rest, ..wanted })?
                }
                None => u64::MAX,
            };
            let last = left.addr.saturating_add(left.size.saturating_sub(1));
            let size = limit.min(last).saturating_sub(left.addr).saturating_add(1).min(left.size.max(1));
            let part = Access { size, ..left };
            cpu.machine.el2_access(PeId::PRIMARY, part.addr, part.size, part.kind)?;
            first = first.or_else(|| through(cpu.machine, hyp, view, part));
            match left.size.checked_sub(size) {
                None | Some(0) => break,
                Some(rest) => left = Access { addr: left.addr.saturating_add(size), size: rest, ..left },
            }
        }
    }
    Ok(first.unwrap_or(Through::Standing { slot: 0 }))
}

/// An access by owner, as the hypervisor goes about it: each part with what the strategy is asked for; `None` for what the
/// hypervisor never asks for, being its own or nobody's, with all that follows.
fn pieces(layout: &Layout, access: Access) -> Vec<(Option<Wanted>, Access)> {
    let mut all = Vec::new();
    let mut left = access;
    loop {
        let (owner, within) = layout.owner(left.addr);
        let device = matches!(owner, Owner::Uart | Owner::Gic);
        let asked = device
            || matches!(
                owner,
                Owner::Ram(_)
                    | Owner::Granted(_)
                    | Owner::ReadOnly(_)
                    | Owner::Shared(_)
                    | Owner::Pool(_)
                    | Owner::Heap
            );
        let whole = Span::with_size(left.addr, left.size.max(1));
        let (Some(within), Some(whole)) = (within.filter(|_| asked), whole) else {
            all.push((None, left));
            return all;
        };
        let Some(span) = whole.intersection(&within) else {
            all.push((None, left));
            return all;
        };
        all.push((Some(Wanted { span, within, device }), Access { size: span.size(), ..left }));
        match left.size.checked_sub(span.size()) {
            None | Some(0) => return all,
            Some(rest) => left = Access { addr: left.addr.saturating_add(span.size()), size: rest, ..left },
        }
    }
}

fn through<S: Strategy>(machine: &Machine, hyp: &Hypervisor<S>, view: ViewId, access: Access) -> Option<Through> {
    let (plan, mpu) = (hyp.region_plan(), &machine.pe(PeId::PRIMARY).el2);
    let slot = match mpu.check(Regime::El2, access).result.ok()?.by {
        HitBy::Background => return Some(Through::DefaultMap),
        HitBy::MpuOff => return None,
        HitBy::Slot(slot) => slot,
    };
    let words = mpu.words(slot);
    let at = usize::from(slot);
    let windows = usize::from(plan.window_slot(0))..usize::from(plan.window_slot(plan.windows()));
    let fixed = plan.fixed().get(at);
    let planned = || plan.view(view).regions.iter().any(|planned| planned.words == words);
    let current = hyp.view_on(PeId::PRIMARY).current();
    Some(if windows.contains(&at) {
        Through::Window { slot, range: (words.base(), words.limit()) }
    } else if fixed.is_some() {
        let narrow = fixed.is_some_and(|planned| !planned.region.contains(access.addr));
        if narrow { Through::Heap { slot } } else { Through::Standing { slot } }
    } else if current == ViewId::Hypervisor && view != ViewId::Hypervisor {
        Through::HypervisorView
    } else if plan.needs().pins && !planned() {
        Through::Pin { slot }
    } else {
        Through::Standing { slot }
    })
}
