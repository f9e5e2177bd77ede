//! Races between PEs: what they once found stays fixed, and every order of every small one is well.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use campaign::interleave::{
    Allowed, Exhaustive, FEW, Footprint, InTurn, Pct, Pick, Played, RaceCase, RaceEvent, Replay, Token, Under, cases,
    pair_name, pairs, play,
};
use evtchn::{Errno, Object};
use sim_core::hyp::strategy::{Builtin, Settings};
use sim_core::layout::Position;
use std::collections::BTreeSet;

fn builtin(strategy: &str) -> Builtin {
    Builtin::from_name(strategy, Settings::default()).unwrap()
}

fn played(case: &str, strategy: &str, pick: &mut dyn Pick) -> Played {
    play(&RaceCase::named(case).unwrap(), &builtin(strategy), pick).unwrap()
}

/// Plays the schedule of a token, which has to be whole and well.
fn replayed(token: &str) -> Played {
    let token: Token = token.parse().unwrap();
    let mut replay = Replay::new(&token.picks);
    let played = played(&token.case, &token.strategy, &mut replay);
    replay.finish().unwrap();
    assert_eq!(played.wrong, None, "{token}: {:#?}", played.happened);
    played
}

/// Plays every schedule, each of which has to be well; gives how many are like `this`.
fn every(case: &str, strategy: &str, mut this: impl FnMut(&Played) -> bool) -> u64 {
    let (mut search, mut found) = (Exhaustive::default(), 0);
    loop {
        let played = played(case, strategy, &mut search);
        assert_eq!(played.wrong, None, "{case}/{strategy}/{:?}: {:#?}", played.picks, played.happened);
        found += u64::from(!played.seen && this(&played));
        if !search.advance() {
            return found;
        }
    }
}

/// Whether these come in this order, with others between.
fn in_order(played: &Played, wanted: &[fn(&RaceEvent) -> bool]) -> bool {
    let mut left = wanted.iter().peekable();
    for happening in &played.happened {
        left.next_if(|wanted| wanted(happening));
    }
    left.next().is_none()
}

#[test]
fn a_pin_made_between_route_and_raise_is_loaded_before_the_raise() {
    for token in ["register-raise/pin/02", "shared-info-raise/pin/02", "new-pages/pin/001132"] {
        let played = replayed(token);
        let between: [fn(&RaceEvent) -> bool; 3] = [
            |happening| matches!(happening, RaceEvent::LetGo(_)),
            |happening| matches!(happening, RaceEvent::Called(1 | 2, _)),
            |happening| matches!(happening, RaceEvent::WentOn(_)),
        ];
        assert!(in_order(&played, &between), "{token}: {:#?}", played.happened);
    }
}

#[test]
fn an_event_under_way_to_a_port_that_closed_and_opened_again_is_dropped() {
    let played = replayed("reopen-raise/map-page/022");
    let last = played.happened.iter().position(|happening| *happening == RaceEvent::WentOn(0)).unwrap();
    let worked = played.happened.iter().skip(last).filter(|happening| matches!(happening, RaceEvent::Worked(..)));
    let memory = worked.filter(|happening| format!("{happening:?}").contains("Memory"));
    assert_eq!(memory.count(), 0, "{:#?}", played.happened);
}

#[test]
fn a_domain_ends_only_once_its_hypercalls_are_over() {
    // The sender is between route and raise; a toolstack asks for its end, and has to ask again.
    let again: [fn(&RaceEvent) -> bool; 4] = [
        |happening| matches!(happening, RaceEvent::LetGo(0)),
        |happening| matches!(happening, RaceEvent::Returned(3, -85)),
        |happening| matches!(happening, RaceEvent::Returned(0, 0)),
        |happening| matches!(happening, RaceEvent::Returned(3, 0)),
    ];
    for strategy in ["switch-view", "enable-mask"] {
        assert!(every("kill-sender-raise", strategy, |played| in_order(played, &again)) > 0, "{strategy}");
    }
}

#[test]
fn a_raise_goes_by_the_plan_that_is_there_by_then() {
    // Another domain ends between.
    let killed: [fn(&RaceEvent) -> bool; 3] = [
        |happening| matches!(happening, RaceEvent::LetGo(2)),
        |happening| matches!(happening, RaceEvent::Returned(3, 0)),
        |happening| matches!(happening, RaceEvent::WentOn(2)),
    ];
    for strategy in ["ku-window", "pin", "map-page", "switch-view", "enable-mask", "xen-pool", "hybrid", "background"] {
        assert!(every("kill-other-raise", strategy, |played| in_order(played, &killed)) > 0, "{strategy}");
    }
}

#[test]
fn every_order_of_every_small_race_is_well() {
    for strategy in FEW {
        // Those that clear a domain's memory, and the largest, are played by the fuzzer.
        let slow = |case: &RaceCase| case.name.contains("replace") || case.name.contains("preempted-kill-send");
        let small = cases().into_iter().filter(|case| !case.large && case.suits(&builtin(strategy)) && !slow(case));
        // Others hand nothing over, which `pin` would notice.
        for case in small.filter(|case| strategy != "pin" || case.under == Under::All) {
            assert!(every(&case.name, strategy, |_| true) > 0, "{}", case.name);
        }
    }
}

#[test]
fn each_pair_is_a_race_or_has_a_reason_why_not() {
    let names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
    let unique: BTreeSet<&String> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    let (mut played, mut refused) = (0, 0);
    for (between, event, words, allowed) in pairs() {
        let name = pair_name(between, event, words);
        match allowed {
            Allowed::No(reason) => {
                assert!(!names.contains(&name) && reason.len() > 10, "{name}");
                refused += 1;
            }
            Allowed::Yes | Allowed::Waits(_) => {
                assert!(names.contains(&name), "{name}");
                played += 1;
            }
        }
    }
    // 21 operations, 8 events, two ABIs.
    assert_eq!((played + refused, played > 200), (21 * 8 * 2, true), "{played} and {refused}");
    // What races were called before the table.
    for name in
        ["close-raise", "fifo-mask-raise", "kill-raise", "kill-other-raise", "shared-info-raise", "replace-raise"]
    {
        assert!(RaceCase::named(name).is_some(), "{name}");
    }
}

#[test]
fn an_operation_comes_between_route_and_raise() {
    for (case, pe) in [("init-control-raise", 2), ("fifo-expand-array-ipi-raise", 1), ("reset-raise", 2)] {
        let found = every(case, "map-page", |played| {
            let position = |wanted: &dyn Fn(&RaceEvent) -> bool| played.happened.iter().position(wanted);
            let route = position(&|happening| matches!(happening, RaceEvent::LetGo(_)));
            let between = position(&|happening| matches!(happening, RaceEvent::Called(who, _) if *who == pe));
            let raise = position(&|happening| matches!(happening, RaceEvent::WentOn(_)));
            route < between && between < raise
        });
        assert!(found > 0, "{case}");
    }
    // The event was routed to a two-level domain, and a FIFO domain's handler would find it.
    let carried = every("go-fifo-raise", "pin", |played| {
        let last = played.happened.iter().rposition(|happening| matches!(happening, RaceEvent::WentOn(0)));
        let writes = played.happened.iter().skip(last.unwrap_or(0)).filter_map(|happening| match happening {
            RaceEvent::Worked(0, Footprint::Memory { address, writes: true, .. }) => played.system.object_at(*address),
            _ => None,
        });
        let objects: Vec<Object> = writes.map(|(_, object, _)| object).collect();
        objects.contains(&Object::EventArray(0)) && !objects.contains(&Object::SharedInfo)
    });
    assert!(carried > 0);
}

#[test]
fn an_event_for_a_vcpu_whose_interrupt_is_active_is_taken_once_that_has_ended() {
    // The guest has acknowledged its interrupt; another is made pending; it ends the first, and takes the second.
    let again: [fn(&RaceEvent) -> bool; 5] = [
        |happening| matches!(happening, RaceEvent::Acknowledged(1, 31)),
        |happening| matches!(happening, RaceEvent::Kicked(1)),
        |happening| matches!(happening, RaceEvent::Ended(1)),
        |happening| matches!(happening, RaceEvent::Acknowledged(1, 31)),
        |happening| matches!(happening, RaceEvent::Ended(1)),
    ];
    for case in ["end-send", "fifo-end-send"] {
        assert!(every(case, "pin", |played| in_order(played, &again)) > 0, "{case}");
    }
}

#[test]
fn a_vcpu_that_polls_is_woken_by_a_send_that_comes_later() {
    let woken: [fn(&RaceEvent) -> bool; 4] = [
        |happening| matches!(happening, RaceEvent::Slept(1)),
        |happening| matches!(happening, RaceEvent::LetGo(0)),
        |happening| matches!(happening, RaceEvent::Returned(0, 0)),
        |happening| matches!(happening, RaceEvent::Kicked(1)),
    ];
    for case in ["poll-send", "fifo-poll-send"] {
        assert!(every(case, "pin", |played| in_order(played, &woken)) > 0, "{case}");
    }
}

#[test]
fn others_come_where_a_reset_or_a_domain_s_end_was_preempted() {
    let other: [fn(&RaceEvent) -> bool; 4] = [
        |happening| matches!(happening, RaceEvent::Preempted(..)),
        |happening| matches!(happening, RaceEvent::Called(0, _)),
        |happening| matches!(happening, RaceEvent::Returned(0, 0)),
        |happening| matches!(happening, RaceEvent::Again(1) | RaceEvent::Asked(3, _)),
    ];
    for case in ["preempted-reset-send-high", "fifo-preempted-kill-close-far"] {
        assert!(every(case, "map-page", |played| in_order(played, &other)) > 0, "{case}");
    }
    // The vCPU itself takes an interrupt there.
    let interrupt: [fn(&RaceEvent) -> bool; 3] = [
        |happening| *happening == RaceEvent::Preempted(1, Position::new(2), 64),
        |happening| matches!(happening, RaceEvent::Acknowledged(1, 31)),
        |happening| matches!(happening, RaceEvent::Again(1)),
    ];
    assert!(every("preempted-reset-send-high", "map-page", |played| in_order(played, &interrupt)) > 0);
    // Each check point, twice at most.
    for ports in [&[64][..], &[128], &[64, 128], &[64, 64]] {
        let stops = |played: &Played| {
            let at = played.happened.iter().filter_map(|happening| match happening {
                RaceEvent::Preempted(1, at, port) if *at == Position::new(2) => Some(*port),
                _ => None,
            });
            at.collect::<Vec<u32>>()
        };
        assert!(every("preempted-reset-open", "pin", |played| stops(played) == ports) > 0, "{ports:?}");
    }
}

#[test]
fn what_a_reset_s_gap_lets_in_has_the_errno_that_xen_gives() {
    let returned = |case: &str, who: usize, rc: i64| {
        every(case, "pin", |played| played.happened.contains(&RaceEvent::Returned(who, rc)))
    };
    assert!(returned("preempted-reset-reset", 2, Errno::EBUSY.rc()) > 0);
    assert!(returned("preempted-reset-open", 1, Errno::EAGAIN.rc()) > 0);
    assert!(returned("preempted-reset-bind", 3, Errno::EINVAL.rc()) > 0);
}

#[test]
fn a_guest_takes_the_tail_off_at_every_step_of_a_link() {
    // One interrupt is enough for both events if the second was linked in time. An access of the guest's to the tail's word
    // while the hypervisor works on it makes it try again, with the word busy.
    let handled = |played: &Played| {
        played.happened.iter().filter(|happening| matches!(happening, RaceEvent::Acknowledged(..))).count()
    };
    let worked = |played: &Played| {
        played.happened.iter().filter(|happening| matches!(happening, RaceEvent::Worked(0, _))).count()
    };
    assert!(every("fifo-link", "static-map", |played| handled(played) == 1) > 0);
    assert!(every("fifo-link", "static-map", |played| handled(played) == 2) > 0);
    let least = {
        let mut least = usize::MAX;
        every("fifo-link", "static-map", |played| {
            least = least.min(worked(played));
            false
        });
        least
    };
    assert!(every("fifo-link", "static-map", |played| worked(played) >= least + 4) > 0);
}

#[test]
fn a_schedule_plays_again_as_its_token_says() {
    for name in ["fifo-storm", "storm"] {
        let case = RaceCase::named(name).unwrap();
        for number in 0..20 {
            let first = play(&case, &builtin("hybrid"), &mut Pct::new(1, number, 4, 4, 200)).unwrap();
            assert_eq!(first.wrong, None, "{name} {number}: {:?}", first.picks);
            let mut replay = Replay::new(&first.picks);
            let again = play(&case, &builtin("hybrid"), &mut replay).unwrap();
            replay.finish().unwrap();
            assert_eq!((&again.happened, &again.picks), (&first.happened, &first.picks));
        }
    }
}

#[test]
fn nobody_is_let_in_before_he_has_to_be() {
    for case in cases() {
        let played = played(&case.name, "map-page", &mut InTurn);
        assert_eq!((played.wrong, played.picks), (None, vec![]), "{}", case.name);
    }
}
