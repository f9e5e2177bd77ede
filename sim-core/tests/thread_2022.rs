//! The discussion of April 2022, run.

use crate::common::{PORTS, at, builtin, ping_pong, thread_2022};
use mpu_model::AccessKind;
use sim_core::layout::{Owner, Placement};
use sim_core::outcome::Outcome;
use sim_core::world::Config;

#[test]
fn naive_ends_in_a_data_abort_on_the_remote_pending_word() {
    let report = ping_pong(thread_2022(), builtin("naive"), 10, Config::default());
    let Outcome::HypervisorFault(fault) = &report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(fault.fault.syndrome.ec, 0x25);
    assert_eq!(fault.fault.syndrome.fsc(), 0x04);
    assert!(!fault.fault.syndrome.wnr());
    assert_eq!(fault.fault.access(), AccessKind::Rmw);
    assert_eq!(fault.fault.syndrome.far, 0x2001_0000 + 48 + 4 * u64::from(PORTS.1 / 32));
    assert_eq!(fault.owner, Owner::Ram(at(1)));
    assert_eq!(fault.object.unwrap().1, 48);
    assert_eq!(fault.recursive, None);
    assert!(report.console.contains("unexpected exception at EL2"));
}

#[test]
fn the_others_deliver_everything() {
    for name in ["map-page", "switch-view", "hybrid"] {
        let report = ping_pong(thread_2022(), builtin(name), 1000, Config::default());
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
        let events = report.events;
        assert_eq!((events.sent, events.delivered, events.coalesced, events.lost), (2000, 2000, 0, 0), "{name}");
        assert_eq!((events.raised, events.raised_delivered), (1, 1), "{name}: the bind's own event");
        assert_eq!(report.hazards, [], "{name}");
    }
}

#[test]
fn placement_pool_completes_under_naive() {
    let mut parts = thread_2022();
    parts.placement = Placement::Pool;
    let report = ping_pong(parts, builtin("naive"), 1000, Config::default());
    assert_eq!(report.outcome, Outcome::Completed);
    assert_eq!(report.events.delivered, 2000);
    let sends = report.traps.iter().find(|(trap, _)| trap.is_send()).unwrap().1;
    assert_eq!(sends.counts.el2_writes(), 0, "the view already holds the page");
}
