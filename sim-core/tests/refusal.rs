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
    for placement in [Placement::GuestRam, Placement::Pool] {
        let mut parts = thread_2022();
        parts.placement = placement;
        for name in Builtin::NAMES {
            for (windows, when) in [(1, When::Entry), (3, When::Lazy)] {
                let strategy = Builtin::from_name(name, Settings { windows, when }).unwrap();
                let found = (1..=32).find(|regions| refused(&parts, &strategy, *regions).is_none()).unwrap();
                for regions in 1..found {
                    assert_eq!(refused(&parts, &strategy, regions), Some(usize::from(found)), "{name} at {regions}");
                }
                // At R it not only starts, it runs to the end (or to the fault that is naive's nature).
                let report = ping_pong(with_regions(parts.clone(), found), strategy, 3, Config::default());
                let faults = name == "naive" && placement == Placement::GuestRam;
                assert_eq!(matches!(report.outcome, Outcome::HypervisorFault(_)), faults, "{name}");
                assert_eq!(report.outcome == Outcome::Completed, !faults, "{name}: {:?}", report.outcome);
                assert!(report.regions.peak <= usize::from(found), "{name}");
            }
        }
    }
}

#[test]
fn r_of_the_2022_system() {
    let layout = Layout::new(thread_2022()).unwrap();
    for (name, views) in [("naive", 7), ("map-page", 8), ("switch-view", 7), ("hybrid", 8)] {
        let plan = Plan::sketch(&layout, builtin(name).needs());
        // Text, rodata, data, heap, UART, GIC, and the guest's RAM; a window; the hypervisor view has one merged region.
        assert_eq!(plan.views_required(), views, "{name}");
        // Boot has init text, init data and the device tree on top of the first six.
        assert_eq!((plan.required(), refused(&thread_2022(), &builtin(name), 1)), (9, Some(9)), "{name}");
    }
}
