//! R, the number of regions a system needs: refused at R - 1, runs at R.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use common::{builtin, channel, ping_pong, thread_2022};
use sim_core::hyp::SetupError;
use sim_core::hyp::plan::Plan;
use sim_core::hyp::strategy::{Builtin, Settings, Strategy, When};
use sim_core::layout::{Layout, LayoutParts, Placement};
use sim_core::outcome::Outcome;
use sim_core::world::{BuildError, Config, World};

fn with_regions(mut parts: LayoutParts, regions: u8) -> LayoutParts {
    parts.board.el2_regions = regions;
    parts
}

/// Refused, with the number it names.
fn refused(parts: &LayoutParts, strategy: &Builtin, regions: u8) -> Option<usize> {
    let layout = Layout::new(with_regions(parts.clone(), regions)).unwrap();
    let config = Config { channels: vec![channel()], ..Config::default() };
    match World::new(layout, strategy.clone(), config) {
        Err(BuildError::Setup(SetupError::Refused(refused))) => Some(refused.required),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    }
}

#[test]
fn the_refusal_names_the_number_that_a_search_finds() {
    for placement in [Placement::GuestRam, Placement::Pool, Placement::Heap] {
        let mut parts = thread_2022();
        parts.placement = placement;
        for name in Builtin::NAMES {
            for (windows, when) in [(1, When::Entry), (3, When::Lazy)] {
                let strategy = Builtin::from_name(name, Settings { windows, when, ..Settings::default() }).unwrap();
                let placement = strategy.placement().unwrap_or(placement);
                parts.placement = placement;
                let found = (1..=32).find(|regions| refused(&parts, &strategy, *regions).is_none()).unwrap();
                for regions in 1..found {
                    assert_eq!(refused(&parts, &strategy, regions), Some(usize::from(found)), "{name} at {regions}");
                }
                // At R it not only starts, it runs to the end (or to the fault that is naive's nature).
                let report = ping_pong(with_regions(parts.clone(), found), strategy, 3, Config::default());
                let faults = name == "naive" && placement == Placement::GuestRam;
                let done = match report.outcome {
                    Outcome::Completed => true,
                    // Memory touched through the default map, and by its owner.
                    Outcome::Hazard(None) => name == "background",
                    Outcome::HypervisorFault(_) => false,
                    ref other => panic!("{name}: {other:?}"),
                };
                assert_eq!(done, !faults, "{name}");
                assert!(report.regions.peak <= usize::from(found), "{name}");
            }
        }
    }
}

#[test]
fn r_of_the_2022_system() {
    let layout = Layout::new(thread_2022()).unwrap();
    let views = |name| Plan::sketch(&layout, builtin(name).needs()).views_required();
    // Text, rodata, data, heap, UART, GIC, and the guest's RAM; a window; the hypervisor view has one merged region; two
    // pages of each domain are pinned; views that stay programmed stand beside each other.
    let names = ["naive", "map-page", "switch-view", "hybrid", "pin", "enable-mask", "background"];
    assert_eq!(names.map(views), [7, 8, 7, 8, 11, 8, 7]);
    // Boot has init text, init data and the device tree on top of the first six.
    let required = names.map(|name| refused(&thread_2022(), &builtin(name), 1).unwrap());
    assert_eq!(required, [9, 9, 9, 9, 11, 9, 9]);
}
