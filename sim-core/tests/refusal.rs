//! R, the number of regions a system needs: refused at R - 1, runs at R.

use crate::common::{at, builtin, channel, ping_pong, span, thread_2022};
use sim_core::hyp::SetupError;
use sim_core::hyp::plan::Plan;
use sim_core::hyp::strategy::{Builtin, Settings, Strategy, When};
use sim_core::layout::{EmulatedDevice, HypDevices, Layout, LayoutParts, Placement};
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
        Err(BuildError::Setup(SetupError::Refused(refused))) => Some(refused.needs.needed()),
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
    let views = |name| Plan::sketch(&layout, builtin(name).needs()).region_needs().views;
    // Text, rodata, data, heap, UART, GIC, and the guest's RAM; a window; the hypervisor view has one merged region; two
    // pages of each domain are pinned; views that stay programmed stand beside each other.
    let names = ["naive", "map-page", "switch-view", "hybrid", "pin", "enable-mask", "background"];
    assert_eq!(names.map(views), [7, 8, 7, 8, 11, 8, 7]);
    // Boot has init text, init data and the device tree on top of the first six.
    let required = names.map(|name| refused(&thread_2022(), &builtin(name), 1).unwrap());
    assert_eq!(required, [9, 9, 9, 9, 11, 9, 9]);
}

fn why(parts: &LayoutParts, strategy: &Builtin, regions: u8) -> sim_core::outcome::Refused {
    let layout = Layout::new(with_regions(parts.clone(), regions)).unwrap();
    Plan::new(&layout, strategy.needs()).unwrap_err()
}

#[test]
fn fewer_windows_are_named_where_they_are_enough_and_then_they_are() {
    let windows = |windows| Builtin::from_name("map-page", Settings { windows, ..Settings::default() }).unwrap();
    // Six fixed, one of the guest's own: 6 windows need 13.
    let refused = why(&thread_2022(), &windows(6), 11);
    assert_eq!(refused.change.fewer_windows, Some(2));
    assert_eq!(refused.to_string(), "needs 13 EL2 regions, and there are 11 to use; 2 windows fewer would do");
    assert_eq!(self::refused(&thread_2022(), &windows(4), 11), None);
    assert_eq!(self::refused(&thread_2022(), &windows(5), 11), Some(12));
}

#[test]
fn gaps_that_nobody_claims_are_named_where_closing_them_is_enough_and_then_it_is() {
    let mut parts = thread_2022();
    // Four banks with gaps of 1, 2 and 4 MiB between them.
    let banks =
        [(0x3000_0000, 0x10_0000), (0x3020_0000, 0x10_0000), (0x3050_0000, 0x10_0000), (0x30a0_0000, 0x10_0000)];
    parts.domains.first_mut().unwrap().ram = banks.map(|(base, size)| span(base, size)).into();
    let refused = why(&parts, &builtin("naive"), 9);
    assert_eq!(
        refused.to_string(),
        "needs 10 EL2 regions, and there are 9 to use; mapping 1 gap along would do, 0x100000 bytes that the layout gives to nobody"
    );
    let ram = &mut parts.domains.first_mut().unwrap().ram;
    ram.splice(..2, [span(0x3000_0000, 0x30_0000)]);
    assert_eq!(self::refused(&parts, &builtin("naive"), 9), None);
}

#[test]
fn a_gap_in_which_a_device_is_is_not_named() {
    let mut parts = thread_2022();
    parts.hyp_devices = HypDevices::Switched;
    // Six banks with 1 MiB between them, but for the first gap, which is the smallest and has the UART.
    let banks = (0..6).map(|bank| span(0x3000_0000 + bank * 0x20_0000, 0x10_0000));
    let mut banks: Vec<_> = banks.collect();
    banks[1] = span(0x3018_0000, 0x18_0000);
    parts.domains[0].ram = banks;
    let small = why(&parts, &builtin("naive"), 9).change.close_gaps;
    assert_eq!(small, Some((1, 0x8_0000)));
    parts.board.console.span = span(0x3010_0000, 0x1000);
    let refused = why(&parts, &builtin("naive"), 9);
    assert_eq!(refused.change.close_gaps, Some((1, 0x10_0000)), "{refused}");
    // An emulated device keeps its own gap and no other.
    parts.emulated = vec![EmulatedDevice {
        name: "dev".into(),
        span: span(0x3038_0000, 0x1000),
        domains: vec![at(0)],
        console: None,
    }];
    let refused = why(&parts, &builtin("naive"), 9);
    assert_eq!(refused.change.close_gaps, Some((1, 0x10_0000)), "{refused}");
}
