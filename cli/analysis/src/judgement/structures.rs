//! Where the event-channel structures of domains are: what an address holds, and where the same lies in another layout.

use evtchn::{Object, Vcpu, abi};
use scenario::Scenario;
use sim_core::guest::steps::{Op, Step};
use sim_core::layout::{PAGE_SIZE, Position, Span};
use sim_core::world;

/// A structure in memory that a domain hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Position of the domain.
    pub domain: Position,
    /// What it is.
    pub object: Object,
    /// Its bytes.
    pub span: Span,
}

/// Every structure that the layout has a place for and a program hands over: `shared_info` and each `vcpu_info`, and what
/// programs name in `init_control` and `expand_array`.
#[must_use]
pub fn structures(scenario: &Scenario) -> Vec<Structure> {
    let layout = &scenario.layout;
    let mut all = Vec::new();
    for domain in layout.positions() {
        let Some(pages) = layout.pages(domain) else { continue };
        let mut put = |object, address, size| {
            all.extend(Span::with_size(address, size).map(|span| Structure { domain, object, span }));
        };
        for (address, vcpu) in pages.vcpu_info.iter().zip(0u32..) {
            put(Object::VcpuInfo(Vcpu(vcpu)), *address, abi::vcpu_info::SIZE.into());
        }
        put(Object::SharedInfo, pages.shared_info, PAGE_SIZE);
        let mut array = 0u32;
        for program in scenario.programs.iter().filter(|program| program.domain == domain) {
            let Some(home) = world::home(layout, domain, program.vcpu) else { continue };
            each(&program.steps, &mut |op| match op {
                Op::InitControl { at } => {
                    let object = Object::ControlBlock(Vcpu(program.vcpu));
                    put(object, at.unwrap_or(home.control_block), abi::control_block::SIZE.into());
                }
                Op::ExpandArray { at } => {
                    put(Object::EventArray(array), at.unwrap_or(home.event_words), PAGE_SIZE);
                    array = array.saturating_add(1);
                }
                _ => {}
            });
        }
    }
    all
}

/// Calls `see` for every operation of a program, each once however often it is repeated.
fn each(steps: &[Step], see: &mut impl FnMut(&Op)) {
    for step in steps {
        see(&step.op);
        match &step.op {
            Op::Repeat { steps, .. } => each(steps, see),
            Op::Mix { parts, .. } => parts.iter().for_each(|part| each(&part.steps, see)),
            _ => {}
        }
    }
}

/// The structure that holds an address.
#[must_use]
pub fn holds(scenario: &Scenario, address: u64) -> Option<Structure> {
    structures(scenario).into_iter().find(|found| found.span.contains(address))
}

/// Where the byte at `address` of `here` lies in `there`, the same system under another placement; `None`: it is not there.
pub(super) fn moved(here: &Scenario, there: &Scenario, address: u64) -> Option<u64> {
    if let Some(found) = holds(here, address) {
        let same = |other: &Structure| (other.domain, other.object) == (found.domain, found.object);
        let other = structures(there).into_iter().find(same)?;
        return other.span.base().checked_add(address - found.span.base()).filter(|at| other.span.contains(*at));
    }
    (here.layout.owner(address).0 == there.layout.owner(address).0).then_some(address)
}
