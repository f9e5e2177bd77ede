//! The isolation oracle sees what a wrong strategy lets through, and nothing in what the built-in ones do.
#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod common;

use common::{builtin, channel, ping, ping_pong, pong, thread_2022, world};
use sim_core::hyp::plan::Needs;
use sim_core::hyp::strategy::{Builtin, Reach, Strategy};
use sim_core::hyp::view::Wanted;
use sim_core::layout::Owner;
use sim_core::outcome::{Breach, BreachKind, Outcome, ViewId};
use sim_core::platform::Platform;
use sim_core::world::Config;

#[test]
fn the_strategies_keep_domains_apart() {
    for name in Builtin::NAMES.iter().filter(|name| **name != "naive") {
        let report = ping_pong(thread_2022(), builtin(name), 20, Config::default());
        // The default map has attributes of its own, which is told as a hazard; it opens nothing to guests.
        let expected = if *name == "background" { Outcome::Hazard(None) } else { Outcome::Completed };
        assert_eq!(report.outcome, expected, "{name}");
    }
}

/// Goes through the hypervisor view and leaves by the wrong one.
#[derive(Clone, Debug)]
struct Wrong(ViewId);

impl Strategy for Wrong {
    fn name(&self) -> &'static str {
        "wrong"
    }

    fn needs(&self) -> Needs {
        Needs { hypervisor_view: true, ..Needs::default() }
    }

    fn reach<P: Platform>(&mut self, cx: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        if let Some(last) = cx.covered(wanted) {
            return Ok(last);
        }
        cx.load(ViewId::Hypervisor)?;
        Ok(wanted.span.limit())
    }

    fn on_exit<P: Platform>(&mut self, cx: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        cx.leave(if next == ViewId::Guest(0) { self.0 } else { next })
    }
}

fn breach(wrong: ViewId) -> Breach {
    let config = Config { channels: vec![channel()], ..Config::default() };
    let world = world(thread_2022(), Wrong(wrong), config, vec![(0, 0, ping(1)), (1, 0, pong(1))]);
    match world.run().outcome {
        Outcome::IsolationBroken(breach) => breach,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_neighbours_view_exposes_its_ram() {
    let found = breach(ViewId::Guest(1));
    assert_eq!((found.pe, found.runs, found.kind, found.owner), (0, Some(0), BreachKind::Exposed, Owner::Ram(1)));
    assert_eq!((found.span.base(), found.span.limit()), (0x2000_0000, 0x2fff_ffff));
}

#[test]
fn the_idle_view_withholds_the_domains_own() {
    let found = breach(ViewId::Idle);
    assert_eq!((found.runs, found.kind, found.owner), (Some(0), BreachKind::Withheld, Owner::Ram(0)));
}
