//! The accounts of events balance: every send was delivered, coalesced, lost or held, whenever it came.

use crate::common::{PORTS, at, builtin, channel, repeat, send, setup, step, thread_2022, unwatched};
use evtchn::Port;
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::hyp::StaticChannel;
use sim_core::hyp::strategy::{Strategy, SwitchView, When};
use sim_core::outcome::{EventTotals, Outcome, Report};
use sim_core::world::Config;

fn balance(totals: EventTotals) -> (u64, u64) {
    (totals.sent, totals.delivered + totals.coalesced + totals.lost + totals.held)
}

/// Sends `gap` cycles apart, ten times, to a domain that handles them and stays until it was sent the last.
fn sends(strategy: impl Strategy, gap: u64, fifo: bool) -> Report {
    let (binder, listener) = (PortRef::Number(PORTS.0), PortRef::Number(PORTS.1));
    let begin = || {
        let mut steps = setup();
        if fifo {
            steps.extend([Op::InitControl { at: None }, Op::ExpandArray { at: None }].map(step));
        }
        steps
    };
    let mut first: Vec<Step> = begin();
    // The other is ready by then.
    first.push(step(Op::Compute(5000)));
    first.push(repeat(10, [send(binder), Op::Compute(gap), send(binder), Op::Compute(300)]));
    let mut second = begin();
    second.push(repeat(4000, [Op::Compute(3)]));
    second.push(step(Op::Wait(listener)));
    let config = Config { channels: vec![channel()], ..Config::default() };
    unwatched(thread_2022(), strategy, config, vec![(0, 0, first), (1, 0, second)]).run()
}

#[test]
fn a_send_between_the_handler_s_clear_and_the_next_thing_it_does_is_an_event_of_its_own() {
    let mut coalesced = 0;
    for fifo in [false, true] {
        for gap in 0..80 {
            for when in [When::Entry, When::Lazy] {
                let report = sends(SwitchView { when }, gap, fifo);
                let told = format!("{gap} cycles, {when:?}, fifo {fifo}: {:?}", report.events);
                assert_eq!(report.outcome, Outcome::Completed, "{told}");
                let (sent, accounted) = balance(report.events);
                assert_eq!((sent, accounted), (20, 20), "{told}");
                assert_eq!(report.events.lost, 0, "{told}");
                coalesced += report.events.coalesced;
            }
        }
    }
    assert!(coalesced > 0, "no send came before the handler's clear");
}

#[test]
fn an_event_raised_while_the_interrupt_before_it_is_active_is_delivered_too() {
    const CHANNELS: u32 = 32;
    const ROUNDS: u64 = 10;
    // A handler with many ports to take is long enough for a send that comes after it has cleared the upcall byte to kick its
    // PE before it ends the interrupt, under a strategy whose sends are short. It begins once what the guest computes is over: anywhere among the sends.
    for gap in 0..40 {
        let ports = 20..20 + CHANNELS;
        let sends = ports.clone().map(|port| send(PortRef::Number(port)));
        let last = [Op::Compute(gap), send(PortRef::Number(20)), Op::Compute(2500)];
        let mut first = setup();
        first.push(step(Op::Compute(5000)));
        first.push(repeat(ROUNDS, sends.chain(last)));
        let mut second = setup();
        second.push(repeat(60, [Op::Compute(997)]));
        let channels =
            ports.map(|port| StaticChannel { listener: (at(1), Port(port)), binder: (at(0), Port(port)) }).collect();
        let config = Config { channels, ..Config::default() };
        let programs = vec![(0, 0, first), (1, 0, second)];
        let report = unwatched(thread_2022(), builtin("pin"), config, programs).run();
        let told = format!("{gap} cycles: {:?}", report.events);
        assert_eq!((&report.outcome, report.events.lost), (&Outcome::Completed, 0), "{told}");
        // A lost interrupt would leave the upcall byte set, and nothing would be told from then on.
        assert!(report.events.delivered >= ROUNDS * u64::from(CHANNELS), "{told}");
    }
}
