//! One hypercall recounted by hand, for each strategy; and each case of `reach`.
//!
//! The system: 6 fixed regions (text, rodata, data, heap, UART, GIC) in slots 0 to 5, then windows, then the view's own.
//! All slots lie in bank 0, so PRSELR is never written. A two-level send makes five accesses at EL2: the argument (in
//! the caller's own RAM), the pending word and the mask word (receiver's `shared_info`), the selector and the upcall
//! byte's word (receiver's `vcpu_info`).

use crate::common::{builtin, channel, domain, ping_pong, repeat, setup, span, step, thread_2022, world};
use evtchn::Port;
use sim_core::guest::steps::{Op, PortRef};
use sim_core::hyp::StaticChannel;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Builtin, Settings, Strategy as _, When};
use sim_core::layout::{LayoutParts, PeId, Placement};
use sim_core::machine::clock::Costs;
use sim_core::outcome::{Counts, Outcome, Report};
use sim_core::world::Config;

/// Writes and barriers of one send: PRBAR, PRLAR, PRENR, ISB, DSB.
type Row = (u64, u64, u64, u64, u64);

/// What each send did; all sends must have done the same.
fn per_send(report: &Report) -> Row {
    assert_eq!(report.outcome, Outcome::Completed);
    let cost = report.traps.iter().find(|(trap, _)| trap.is_send()).unwrap().1;
    let Counts { el2, isb, dsb, exceptions, erets, el2_accesses, .. } = cost.counts;
    let each = |total: u64| {
        assert_eq!(total % cost.calls, 0, "the same for every call");
        total / cost.calls
    };
    assert_eq!((el2.prselr, el2.sctlr, el2.reads), (0, 0, 0));
    assert_eq!((each(exceptions), each(erets), each(el2_accesses)), (1, 1, 5));
    (each(el2.prbar), each(el2.prlar), each(el2.prenr), each(isb), each(dsb))
}

fn send(strategy: Builtin) -> Row {
    per_send(&ping_pong(thread_2022(), strategy, 20, Config::default()))
}

#[test]
fn naive_writes_nothing() {
    let mut parts = thread_2022();
    parts.placement = Placement::Pool;
    assert_eq!(per_send(&ping_pong(parts, builtin("naive"), 20, Config::default())), (0, 0, 0, 0, 0));
}

#[test]
fn map_page_with_one_window_maps_remaps_and_closes() {
    // Map shared_info: PRBAR, PRLAR, DSB, ISB. Remap to vcpu_info: PRENR, DSB, ISB, PRBAR, PRLAR, DSB, ISB. Close: PRENR,
    // DSB, and the ERET synchronises.
    assert_eq!(send(builtin("map-page")), (2, 2, 2, 3, 4));
}

#[test]
fn map_page_with_two_windows_maps_twice_and_closes_both_at_once() {
    let strategy = Builtin::from_name("map-page", Settings { windows: 2, ..Settings::default() }).unwrap();
    assert_eq!(send(strategy), (2, 2, 1, 2, 3));
}

#[test]
fn map_page_with_both_structures_in_one_page_maps_once() {
    let mut parts = thread_2022();
    for (domain, base) in parts.domains.iter_mut().zip([0x3001_0000, 0x2001_0000]) {
        domain.vcpu_info = vec![base + 0x800];
    }
    assert_eq!(per_send(&ping_pong(parts, builtin("map-page"), 20, Config::default())), (1, 1, 1, 1, 2));
}

#[test]
fn switch_view_goes_there_and_back() {
    // In: PRENR, DSB, ISB; one region, since the two domains' RAM touches: PRBAR, PRLAR, DSB, ISB. Out: PRENR, DSB, ISB,
    // PRBAR, PRLAR, DSB, ERET.
    assert_eq!(send(builtin("switch-view")), (2, 2, 2, 3, 4));
    let lazy = Builtin::from_name("switch-view", Settings { when: When::Lazy, ..Settings::default() }).unwrap();
    assert_eq!(send(lazy), (2, 2, 2, 3, 4));
}

#[test]
fn switch_view_pays_for_each_region_of_the_view() {
    let mut parts = thread_2022();
    // A gap between the domains, and a third: three regions in the hypervisor view.
    *parts.domains.get_mut(1).unwrap() = domain(2, &[span(0x2000_0000, 0x0f00_0000)], &[1]);
    parts.domains.push(domain(3, &[span(0x1000_0000, 0x0100_0000)], &[1]));
    parts.board.pes = 3;
    parts.image = sim_core::layout::Image::at(parts.board.image_base, 3).unwrap();
    parts.domains.get_mut(2).unwrap().vcpus.get_mut(0).unwrap().pe = PeId::new(2);
    let report = ping_pong(parts, builtin("switch-view"), 20, Config::default());
    assert_eq!(per_send(&report), (3 + 1, 3 + 1, 2, 3, 4));
}

#[test]
fn hybrid_maps_the_first_page_and_switches_for_the_second() {
    // Map: PRBAR, PRLAR, DSB, ISB. Switch with the window still open: PRENR for both, DSB, ISB, PRBAR, PRLAR, DSB, ISB.
    // Out: PRENR, DSB, ISB, PRBAR, PRLAR, DSB.
    assert_eq!(send(builtin("hybrid")), (3, 3, 2, 4, 5));
}

#[test]
fn hybrid_with_room_for_both_pages_does_what_map_page_does() {
    let strategy = Builtin::from_name("hybrid", Settings { windows: 2, ..Settings::default() }).unwrap();
    assert_eq!(send(strategy), (2, 2, 1, 2, 3));
}

#[test]
fn slots_above_31_cost_a_bank_change_each_way() {
    // Six fixed regions and 26 windows fill slots 0 to 31; the guest's own region is in slot 32, in bank 2.
    let mut parts = thread_2022();
    parts.board.el2_regions = 33;
    let strategy = Builtin::from_name("map-page", Settings { windows: 26, ..Settings::default() }).unwrap();
    let report = ping_pong(parts, strategy, 20, Config::default());
    assert_eq!(report.outcome, Outcome::Completed);
    let cost = report.traps.iter().find(|(trap, _)| trap.is_send()).unwrap().1;
    // Each PE sleeps between two sends, and the idle view turned slot 32 off through bank 2; the windows are in bank 0.
    assert_eq!(cost.counts.el2.prselr, cost.calls);
    assert_eq!(cost.counts.el2.prenr, cost.calls);
}

/// A vCPU that sends on a loopback channel: both ends in one domain.
fn loopback(parts: LayoutParts, strategy: Builtin) -> Report {
    let config = Config {
        channels: vec![StaticChannel { listener: (0, Port(10)), binder: (0, Port(11)) }],
        ..Config::default()
    };
    let mut steps = setup();
    steps.push(step(crate::common::send(PortRef::Number(11))));
    steps.push(step(Op::Wait(PortRef::Number(10))));
    world(parts, strategy, config, vec![(0, 0, steps)]).run()
}

#[test]
fn reach_own_page_and_loopback_write_nothing() {
    for name in ["map-page", "hybrid"] {
        assert_eq!(per_send(&loopback(thread_2022(), builtin(name))), (0, 0, 0, 0, 0), "{name}");
    }
    let lazy = Builtin::from_name("switch-view", Settings { when: When::Lazy, ..Settings::default() }).unwrap();
    assert_eq!(per_send(&loopback(thread_2022(), lazy)), (0, 0, 0, 0, 0));
}

#[test]
fn reach_a_neighbour_in_the_same_page_maps_only_its_own_part() {
    // domU2 ends and domU1 begins in the middle of a page; domU1's structures lie in its half of that page.
    let mut parts = thread_2022();
    let mut domain1 = domain(1, &[span(0x2fff_f800, 0x1000_0000)], &[0]);
    // Structures in the part of the page that is domU1's.
    domain1.vcpu_info = vec![0x2fff_fe00];
    domain1.shared_info = Some(0x3000_0000);
    let mut domain2 = domain(2, &[span(0x2000_0000, 0x0fff_f800)], &[1]);
    domain2.vcpu_info = vec![0x2fff_f000];
    domain2.shared_info = Some(0x2001_0000);
    parts.domains = vec![domain1, domain2];
    let report = ping_pong(parts, builtin("map-page"), 20, Config::default());
    // Nothing overlapped, although the pages of the two vcpu_info are the same.
    assert_eq!(per_send(&report), (2, 2, 2, 3, 4));
}

#[test]
fn reach_closes_windows_before_their_owner_s_view_comes() {
    // On one PE the send's own exit switches to the receiver whose page the window holds.
    let mut parts = thread_2022();
    parts.board.pes = 1;
    parts.domains.iter_mut().for_each(|domain| domain.vcpus.iter_mut().for_each(|vcpu| vcpu.pe = PeId::PRIMARY));
    let config = Config { scheduler: Scheduler::RoundRobin { quantum: 300 }, ..Config::default() };
    for name in ["map-page", "switch-view", "hybrid"] {
        let report = ping_pong(parts.clone(), builtin(name), 50, config.clone());
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
        assert_eq!((report.events.delivered, report.events.lost), (100, 0), "{name}");
        assert_eq!(report.hazards, [], "{name}");
    }
}

#[test]
fn no_strategy_touches_the_mpu_for_a_console_line_with_fixed_devices() {
    let mut steps = setup();
    steps.push(step(Op::Console("hello\n".into())));
    let config = Config { channels: vec![channel()], ..Config::default() };
    let report = world(thread_2022(), builtin("map-page"), config, vec![(0, 0, steps)]);
    let report = report.run();
    let console = report.traps.iter().find(|(trap, _)| format!("{trap:?}").contains("nr: 18")).unwrap().1;
    assert_eq!(console.counts.el2_writes(), 0);
    assert_eq!(report.console, "hello\n");
}

#[test]
fn cycles_are_counts_times_costs_and_waiting_for_the_lock() {
    // Primes, so that no two kinds of operation can stand in for each other.
    let costs = Costs {
        prselr: 101,
        prbar: 103,
        prlar: 107,
        prenr: 109,
        sctlr: 113,
        mpu_read: 127,
        isb: 131,
        dsb: 137,
        exception: 139,
        eret: 149,
        el2_access: 151,
        table_scan: 157,
        sysreg_write: 163,
        sysreg_read: 167,
        kick: 173,
        guest_action: 179,
    };
    for name in ["pin", "map-page", "switch-view", "hybrid", "enable-mask", "ku-window", "xen-pool"] {
        let strategy = builtin(name);
        let mut parts = thread_2022();
        parts.placement = strategy.placement().unwrap_or(parts.placement);
        let report = ping_pong(parts, strategy, 20, Config { costs, ..Config::default() });
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
        let counts = report.traps.values().fold(Counts::default(), |all, cost| all.plus(cost.counts));
        let cycles: u64 = report.traps.values().map(|cost| cost.cycles.sum()).sum();
        assert_eq!(cycles, costs.of(&counts) + report.lock_wait, "{name}");
        // With interrupts masked: all that, without the instruction that trapped.
        let at_el2 = Counts { guest_actions: 0, ..counts };
        assert_eq!(report.masked().sum(), costs.of(&at_el2) + report.lock_wait, "{name}");
        assert_eq!(report.masked().count(), counts.exceptions, "{name}");
    }
}

#[test]
fn waiting_for_the_lock_is_time_with_interrupts_masked() {
    // The PEs trap at other distances, so that some of their traps come while the other is at EL2.
    let steps = |cycles| vec![repeat(50, [Op::Yield, Op::Compute(cycles)])];
    let programs = vec![(0, 0, steps(37)), (1, 0, steps(41))];
    let report = world(thread_2022(), builtin("pin"), Config::default(), programs).run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert!(report.lock_wait > 0);
    let yields = report.traps.values().find(|cost| cost.calls == 100).unwrap();
    let alone = yields.masked.min().unwrap();
    assert_eq!(yields.cycles.min(), Some(alone + 1), "the HVC itself is the guest's");
    assert!(yields.masked.max().unwrap() > alone);
    assert_eq!(report.longest_masked().map(|(_, cycles)| cycles), report.masked().max());
}
