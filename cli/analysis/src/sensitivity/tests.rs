#![allow(clippy::unwrap_used, reason = "a test may stop")]

use super::*;
use proptest::prelude::*;
use sim_core::outcome::MpuCounts;

fn work(name: &str, writes: u64, isb: u64, dsb: u64, scans: u64, calls: u64) -> Work {
    let el2 = MpuCounts { prbar: writes, ..MpuCounts::default() };
    let counts = Counts { el2, isb, dsb, table_scans: scans, exceptions: calls, ..Counts::default() };
    Work { name: name.into(), counts, calls }
}

fn of_figure(works: &[Work], profile: &Profile, key: Key) -> Sensitivity {
    let all = sensitivities(works, profile);
    all.into_iter().find(|found| found.lever == Lever::Figure(key)).unwrap()
}

#[test]
fn a_crossing_is_found_by_hand() {
    // 10 scans against one DSB: equal at 10 cycles a DSB.
    let works = [work("barrier", 0, 0, 1, 0, 1), work("scans", 0, 0, 0, 10, 1)];
    let found = of_figure(&works, &Profile::default(), Key::Dsb);
    let overtaking = Overtaking { winner: 1, loser: 0, tied: false };
    let change = Change { side: Side::Above, limit: 10, overtakings: vec![overtaking], cheapest: Some(vec![1]) };
    assert_eq!(found.changes, [change]);
    assert_eq!(of_figure(&works, &Profile::default(), Key::Exception).changes, [], "both pay it alike");
}

#[test]
fn equal_strategies_part_at_once_on_either_side() {
    let works = [work("writes", 2, 0, 0, 0, 1), work("barriers", 0, 0, 2, 0, 1)];
    let found = of_figure(&works, &Profile::default(), Key::Dsb);
    let at = |side, winner, loser| Change {
        side,
        limit: 1,
        overtakings: vec![Overtaking { winner, loser, tied: true }],
        cheapest: None,
    };
    assert_eq!(found.changes, [at(Side::Above, 0, 1), at(Side::Below, 1, 0)]);
}

#[test]
fn a_later_change_of_the_cheapest_is_told_too() {
    // DSB 1: a 1, b 6, c 7; c passes b at 3, c passes a at 7.
    let works = [work("a", 0, 0, 2, 0, 1), work("b", 0, 0, 1, 8, 1), work("c", 0, 0, 0, 12, 1)];
    let found = of_figure(&works, &Profile::default(), Key::Dsb);
    let told: Vec<_> = found.changes.iter().map(|change| (change.limit, change.cheapest.clone())).collect();
    assert_eq!(told, [(4, None), (6, Some(vec![2]))]);
}

fn any_work() -> impl Strategy<Value = Work> {
    (0..20u64, 0..20u64, 0..20u64, 0..50u64, 1..5u64)
        .prop_map(|(writes, isb, dsb, scans, calls)| work("", writes, isb, dsb, scans, calls))
}

proptest! {
    /// Against trying every value in turn.
    #[test]
    fn no_change_comes_earlier_and_none_is_missed(
        works in proptest::collection::vec(any_work(), 2..6),
        now in 0..30u64,
        key in prop_oneof![Just(Key::Dsb), Just(Key::Isb), Just(Key::MpuWrite), Just(Key::TableScan)],
    ) {
        let profile = Profile::default().with_figure(key, now);
        let found = of_figure(&works, &profile, key);
        let changed = |value: &u64| !overtakings(&works, &profile.costs(), &profile.costs_with(key, *value)).is_empty();
        let limit = |side| found.changes.iter().find(|change| change.side == side).map(|change| change.limit);
        prop_assert_eq!(limit(Side::Above), (now + 1..=MOST).find(changed).map(|value| value - 1));
        prop_assert_eq!(limit(Side::Below), (0..now).rev().find(changed).map(|value| value + 1));
    }
}
