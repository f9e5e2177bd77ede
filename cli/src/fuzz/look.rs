//! What is looked at after a step beside its result: memory, who sleeps, hazards.

use sim_core::hyp::domain::RunState;
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::PAGE_SIZE;
use sim_core::outcome::{HazardKind, HazardReport};

use super::case::Case;
use super::play::{Player, Wrong};
use crate::replay::Difference;
use crate::replay::rig::Rig;

/// The first hazard that is not the strategy's own: memory reached by the default map has other attributes than by regions.
pub(super) fn hazard(rig: &Rig, case: &Case) -> Option<Wrong> {
    let default_map = case.setting.strategy.needs().default_map;
    let own = |hazard: &HazardReport| default_map && matches!(hazard.kind, HazardKind::Attributes { .. });
    let hazard = rig.machine.hazards.iter().find(|hazard| !own(hazard))?;
    Some(Wrong::Hazard(format!("{:?}", hazard.kind)))
}

impl Player<'_> {
    /// The first bytes that hypervisor and guests share and the model has otherwise. Only pages written since the last look
    /// can have any.
    pub(super) fn memory(&mut self) -> Option<Difference> {
        static ZEROS: [u8; PAGE_SIZE as usize] = [0; PAGE_SIZE as usize];
        for (address, page) in self.written() {
            let real = self.rig.machine.ram.page(address).unwrap_or(&ZEROS);
            if real != page {
                let at = real.iter().zip(page).position(|(real, page)| real != page).unwrap_or(0);
                let (word, at) = (at / 4 * 4, address + at as u64 / 4 * 4);
                let hex = |bytes: &[u8]| format!("{:02x?}", bytes.get(word..word + 4).unwrap_or_default());
                let object =
                    self.rig.hyp.object_at(at).map(|(area, offset)| format!(", {} + {offset:#x}", area.object));
                let field = format!("bytes at {at:#x}{}", object.unwrap_or_default());
                return Some(Difference { field, expected: hex(page), got: hex(real) });
            }
        }
        self.looked = (self.model.memory.writes(), self.rig.machine.ram.writes());
        None
    }

    /// The model's pages that it or the system wrote to since both were found the same.
    pub(super) fn written(&self) -> impl Iterator<Item = (u64, &[u8; PAGE_SIZE as usize])> {
        let (model, real) = self.looked;
        let ram = &self.rig.machine.ram;
        let pages = self.model.memory.written();
        let pages = pages.filter(move |(address, _, written)| *written > model || ram.written(*address) > real);
        pages.map(|(address, page, _)| (address, page))
    }

    /// A domain in which the handler of Xen's own ports ran too often or not often enough.
    pub(super) fn handler(&self) -> Option<Difference> {
        self.rig.handler_runs().find_map(|(id, runs)| {
            let expected = self.handled.get(&id).copied().unwrap_or(0);
            let times = |count: u64| format!("it ran {count} times so far");
            let field = format!("the handler of Xen's own ports in domain {id}");
            (runs != expected).then(|| Difference { field, expected: times(expected), got: times(runs) })
        })
    }

    /// A vCPU that sleeps and should not, or the reverse.
    pub(super) fn sleep(&self) -> Option<Difference> {
        let vcpus = self.rig.hyp.core.domains.iter().filter(|(_, vcpu)| vcpu.run != RunState::Offline);
        for (_, vcpu) in vcpus {
            let dom = self.rig.hyp.core.index(vcpu.domain).and_then(|dom| self.rig.hyp.channels.id_of(dom));
            let Some(id) = dom.map(|id| id.0) else { continue };
            let polls = self.model.doms.get(&id).is_some_and(|dom| dom.polls.contains_key(&vcpu.index));
            if polls != (vcpu.run == RunState::Blocked) {
                let say = |polls| if polls { "it sleeps" } else { "it is awake" }.to_owned();
                let field = format!("vCPU {} of domain {id}", vcpu.index);
                return Some(Difference { field, expected: say(polls), got: say(!polls) });
            }
        }
        None
    }
}
