//! Races between PEs: what they once found stays fixed, and every order of every small one is well.

use sim_core::hyp::strategy::{Builtin, Settings};
use sim_core::interleave::{CASES, Case, Exhaustive, Happening, InTurn, Pct, Pick, Played, Replay, Token, play};

fn builtin(strategy: &str) -> Builtin {
    Builtin::from_name(strategy, Settings::default()).unwrap()
}

fn played(case: &str, strategy: &str, pick: &mut dyn Pick) -> Played {
    play(Case::named(case).unwrap(), &builtin(strategy), pick).unwrap()
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
fn in_order(played: &Played, wanted: &[fn(&Happening) -> bool]) -> bool {
    let mut left = wanted.iter().peekable();
    for happening in &played.happened {
        left.next_if(|wanted| wanted(happening));
    }
    left.next().is_none()
}

#[test]
fn a_pin_made_between_route_and_raise_is_loaded_before_the_raise() {
    for token in ["register-raise/pin/01", "shared-info-raise/pin/02", "new-pages/pin/001132"] {
        let played = replayed(token);
        let between: [fn(&Happening) -> bool; 3] = [
            |happening| matches!(happening, Happening::LetGo(_)),
            |happening| matches!(happening, Happening::Called(1 | 2, _)),
            |happening| matches!(happening, Happening::WentOn(_)),
        ];
        assert!(in_order(&played, &between), "{token}: {:#?}", played.happened);
    }
}

#[test]
fn an_event_under_way_to_a_port_that_closed_and_opened_again_is_dropped() {
    let played = replayed("reopen-raise/map-page/022");
    let last = played.happened.iter().position(|happening| *happening == Happening::WentOn(0)).unwrap();
    let worked = played.happened.iter().skip(last).filter(|happening| matches!(happening, Happening::Worked(..)));
    let memory = worked.filter(|happening| format!("{happening:?}").contains("Memory"));
    assert_eq!(memory.count(), 0, "{:#?}", played.happened);
}

#[test]
fn a_domain_ends_only_once_its_hypercalls_are_over() {
    // The sender is between route and raise; a toolstack asks for its end, and has to ask again.
    let again: [fn(&Happening) -> bool; 4] = [
        |happening| matches!(happening, Happening::LetGo(0)),
        |happening| matches!(happening, Happening::Returned(3, -85)),
        |happening| matches!(happening, Happening::Returned(0, 0)),
        |happening| matches!(happening, Happening::Returned(3, 0)),
    ];
    for strategy in ["switch-view", "enable-mask"] {
        assert!(every("kill-sender-raise", strategy, |played| in_order(played, &again)) > 0, "{strategy}");
    }
}

#[test]
fn a_raise_goes_by_the_plan_that_is_there_by_then() {
    // Another domain ends between.
    let killed: [fn(&Happening) -> bool; 3] = [
        |happening| matches!(happening, Happening::LetGo(0)),
        |happening| matches!(happening, Happening::Returned(3, 0)),
        |happening| matches!(happening, Happening::WentOn(0)),
    ];
    for strategy in ["ku-window", "pin", "map-page", "switch-view", "enable-mask", "xen-pool", "hybrid", "background"] {
        assert!(every("kill-other-raise", strategy, |played| in_order(played, &killed)) > 0, "{strategy}");
    }
}

#[test]
fn every_order_of_every_small_race_is_well() {
    for strategy in ["pin", "map-page"] {
        // The largest of them is played by the fuzzer.
        let small =
            CASES.iter().filter(|case| !case.large && case.suits(&builtin(strategy)) && case.name != "kill-raise");
        for case in small {
            assert!(every(case.name, strategy, |_| true) > 1, "{}: there is a race", case.name);
        }
    }
}

#[test]
fn a_guest_takes_the_tail_off_at_every_step_of_a_link() {
    // Two events are handled if the second was linked in time. An access of the guest's to the tail's word while the
    // hypervisor works on it makes it try again, with the word busy.
    let handled = |played: &Played| {
        played.happened.iter().filter(|happening| matches!(happening, Happening::Handled(..))).count()
    };
    let worked = |played: &Played| {
        played.happened.iter().filter(|happening| matches!(happening, Happening::Worked(0, _))).count()
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
        let case = Case::named(name).unwrap();
        for number in 0..20 {
            let first = play(case, &builtin("hybrid"), &mut Pct::new(1, number, 4, 4, 200)).unwrap();
            assert_eq!(first.wrong, None, "{name} {number}: {:?}", first.picks);
            let mut replay = Replay::new(&first.picks);
            let again = play(case, &builtin("hybrid"), &mut replay).unwrap();
            replay.finish().unwrap();
            assert_eq!((&again.happened, &again.picks), (&first.happened, &first.picks));
        }
    }
}

#[test]
fn nobody_is_let_in_before_he_has_to_be() {
    for case in CASES {
        let played = played(case.name, "map-page", &mut InTurn);
        assert_eq!((played.wrong, played.picks), (None, vec![]), "{}", case.name);
    }
}
