//! What must hold after each step, whatever the recording says: each guest can touch what is its own and nothing else, no
//! region stays behind in a view, and a PE knows of every event for the vCPU it runs.

use super::diff::Difference;
use super::rig::Rig;
use super::watch::{Regions, View};
use mpu_model::RegionWords;
use sim_core::hyp::domain::RunState;
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::PeId;

impl Rig {
    /// The first thing that does not hold.
    pub fn check(&mut self) -> Option<Difference> {
        self.harness.machine.pes().ids().find_map(|pe| {
            let found = self.isolation(pe).or_else(|| self.regions(pe)).or_else(|| self.untold(pe));
            found.map(|(field, expected, got)| Difference { field: format!("{field} on PE {pe}"), expected, got })
        })
    }

    /// The domain whose view is in force on a PE.
    fn left_to(&self, pe: PeId) -> Option<usize> {
        self.harness.runs(pe).map(|(domain, _)| domain)
    }

    fn isolation(&mut self, pe: PeId) -> Option<(&'static str, String, String)> {
        let breach = self.harness.breach(&mut self.watch.oracle, pe)?;
        Some(("isolation", "kept".into(), words::breach(self.harness.hyp.layout(), &breach)))
    }

    /// Pins come and stay by design; all else is in a guest's view from the start.
    fn regions(&mut self, pe: PeId) -> Option<(&'static str, String, String)> {
        let settled = !self.harness.hyp.strategy().needs().pins && self.harness.hyp.follows_plan(pe);
        let domain = self.left_to(pe).filter(|_| settled)?;
        let state = self.harness.machine.pe(pe);
        let enabled = || state.el2.enabled().map(|(_, words)| words);
        let sorted = || {
            let mut regions: Regions = enabled().collect();
            regions.sort_unstable_by_key(|words| (words.prbar, words.prlar));
            regions
        };
        let new = || View { first: sorted(), last: enabled().collect() };
        let View { first, last } = self.watch.views.entry((pe, domain)).or_insert_with(new);
        if enabled().eq(last.iter().copied()) {
            return None;
        }
        let now = sorted();
        if now == *first {
            last.clear();
            last.extend(enabled());
            return None;
        }
        let count = |regions: usize| format!("{regions} regions as the view was left to first");
        let told = |words: RegionWords| format!("PRBAR {:#x} PRLAR {:#x}", words.prbar, words.prlar);
        let new: Vec<String> = now.into_iter().filter(|region| !first.contains(region)).map(told).collect();
        Some(("regions", count(first.len()), format!("{} others: {}", new.len(), new.join(", "))))
    }

    fn untold(&self, pe: PeId) -> Option<(&'static str, String, String)> {
        let vcpu = self.harness.on_pe(pe)?;
        let told = pe == self.acts || self.harness.is_kicked(pe);
        let waits = vcpu.event_pending && vcpu.run == RunState::Runnable && self.left_to(pe) == Some(vcpu.domain);
        let id = || self.ids.get(vcpu.domain).copied().unwrap_or_default();
        let got = || format!("none is for the event of domain {} vCPU {}", id(), vcpu.index);
        (waits && !told).then(|| ("events", "a PE is kicked for the vCPU it runs".into(), got()))
    }
}
