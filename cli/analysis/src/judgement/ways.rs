//! One access of the hypervisor's under every strategy and placement.

use super::structures::{moved, structures};
use super::{NotSetUp, System};
use mpu_model::{Access, El, MAX_REGIONS};
use scenario::Scenario;
use sim_core::hyp::strategy::{Builtin, Strategy};
use sim_core::layout::{HypDevices, LayoutParts, Placement};
use sim_core::machine::Machine;
use sim_core::outcome::{El2Fault, Refused, RegionNeeds, Shortage, ViewId};
use sim_core::world::BuildError;
use sim_core::world::attempt::{Through, attempt as attempted};

/// Which other way it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// The strategy of that name.
    Strategy(&'static str),
    /// The same strategy under another placement.
    Placement(Placement),
    /// The same strategy with UART and GIC in every view.
    FixedDevices,
}

/// Another way to run a scenario, under which an access gets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Which.
    pub other: Other,
    /// The placement it runs under, if that is not the placement of what was asked about.
    pub placement: Option<Placement>,
    /// Where the bytes lie there, if elsewhere.
    pub address: Option<u64>,
    /// By what the access gets through.
    pub by: Through,
    /// The EL2 regions it needs, and those there are.
    pub needs: RegionNeeds,
    /// Why the board refuses it; the access then gets through on a board with as many regions as are needed.
    pub refused: Option<Refused>,
}

/// What becomes of an access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It gets through.
    Allowed(Through),
    /// It ends in a hypervisor fault.
    Denied(Box<El2Fault>),
    /// No board of this kind runs the system, so the access is never made.
    Refused(Box<Refused>),
    /// The strategy cannot be set up.
    NotSetUp(NotSetUp),
}

/// What becomes of an access of the hypervisor's at EL2 after an entry from `view`. A system that lacks only regions is asked with
/// as many as it needs.
#[must_use]
pub fn attempt(system: &System, strategy: &Builtin, view: ViewId, access: Access) -> Ruling {
    let enlarged;
    let layout = match system.refusal() {
        None => &system.scenario.layout,
        Some(refused) if refused.shortage == Shortage::Regions && attainable(system) => {
            let mut parts: LayoutParts = system.scenario.layout.parts().clone();
            parts.board.el2_regions = u8::try_from(refused.needs.needed()).unwrap_or(u8::MAX);
            match sim_core::layout::Layout::new(parts) {
                Ok(layout) => {
                    enlarged = layout;
                    &enlarged
                }
                Err(_) => return Ruling::Refused(Box::new(refused)),
            }
        }
        Some(refused) => return Ruling::Refused(Box::new(refused)),
    };
    let handed_over: Vec<_> = structures(&system.scenario).iter().map(|found| (found.domain, found.span)).collect();
    // EL2 is entered from a guest or from idle.
    let from = if view == ViewId::Hypervisor { ViewId::Idle } else { view };
    match attempted(layout, strategy.clone(), &system.scenario.config, &handed_over, from, access) {
        Ok(Ok(through)) => Ruling::Allowed(through),
        Ok(Err(fault)) => Ruling::Denied(Box::new(fault)),
        Err(error) => Ruling::NotSetUp(NotSetUp::Build(BuildError::Setup(error))),
    }
}

/// Whether some board has as many regions as the system needs.
fn attainable(system: &System) -> bool {
    let needs = system.needs();
    // Where fewer can be used than there are, it is not the board that limits them.
    needs.needed() <= MAX_REGIONS && (needs.available == needs.total || needs.needed() <= usize::from(needs.available))
}

/// Whether memory or a device is at all of an access's bytes. Nothing else answers, whatever an MPU lets through.
#[must_use]
pub fn answers(scenario: &Scenario, access: Access) -> bool {
    let machine = Machine::new(&scenario.layout, scenario.config.rules, scenario.config.costs);
    machine.answers(access.addr, access.size)
}

/// Every other way under which an access gets through that the hypervisor makes at EL2 in `view`, in the order in which reports
/// list strategies, then placements. `scenario` is as `strategy` runs it, which is not listed itself. None where nothing answers.
#[must_use]
pub fn ways(scenario: &Scenario, strategy: &Builtin, view: ViewId, access: Access) -> Vec<Way> {
    if access.el != El::El2 || !answers(scenario, access) {
        return Vec::new();
    }
    let asked = Asked { scenario, view, access };
    let others = Builtin::NAMES.into_iter().filter(|name| *name != strategy.name());
    let others = others.filter_map(|name| Some((name, Builtin::from_name(name, scenario.settings)?)));
    let mut found: Vec<Way> = others
        .filter_map(|(name, other)| {
            let system = System::new(scenario, name, &other).ok()?;
            asked.way(Other::Strategy(name), &system, &other)
        })
        .collect();
    let parts = scenario.layout.parts();
    if strategy.placement().is_none() {
        let placements = [Placement::GuestRam, Placement::Pool, Placement::Heap];
        for placement in placements.into_iter().filter(|placement| *placement != parts.placement) {
            let placed = scenario.placed(placement).ok();
            found.extend(placed.and_then(|placed| {
                asked.way(Other::Placement(placement), &System::placed(placed, strategy), strategy)
            }));
        }
    }
    if parts.hyp_devices == HypDevices::Switched {
        let fixed = scenario.with(LayoutParts { hyp_devices: HypDevices::Fixed, ..parts.clone() }).ok();
        found
            .extend(fixed.and_then(|fixed| asked.way(Other::FixedDevices, &System::placed(fixed, strategy), strategy)));
    }
    found
}

/// The access that is asked about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    scenario: &'a Scenario,
    view: ViewId,
    access: Access,
}

impl Asked<'_> {
    fn way(self, other: Other, system: &System, strategy: &Builtin) -> Option<Way> {
        let addr = moved(self.scenario, &system.scenario, self.access.addr)?;
        match attempt(system, strategy, self.view, Access { addr, ..self.access }) {
            Ruling::Allowed(by) => {
                let (here, there) = (self.scenario.layout.parts().placement, system.scenario.layout.parts().placement);
                Some(Way {
                    other,
                    placement: (here != there).then_some(there),
                    address: (addr != self.access.addr).then_some(addr),
                    by,
                    needs: system.needs(),
                    refused: system.refusal(),
                })
            }
            Ruling::Denied(_) | Ruling::Refused(_) | Ruling::NotSetUp(_) => None,
        }
    }
}
