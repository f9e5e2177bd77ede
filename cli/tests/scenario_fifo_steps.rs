//! The steps about FIFO and polling: what they become, and what is said of bad ones.

use evtchn::op::Op as EventOp;
use scenario::{LoadError, Scenario};
use sim_core::guest::steps::{Op, PortRef};
use sim_core::outcome::Expected;
use std::path::Path;

/// A scenario whose program is these steps; they start in line 7.
fn load(steps: &str) -> Result<Scenario, LoadError> {
    let text = format!(
        "heap = {{ base = 0x50000000, size = 0x20000000 }}\n[[domain]]\nid = 1\n\
         ram = [{{ base = 0x30000000, size = 0x10000000 }}]\n[[domain.vcpu]]\nprogram = [\n{steps}\n]\n\
         [[channel]]\nname = \"own\"\nlistener = {{ domain = 1, port = 5 }}\nbinder = {{ domain = 1, port = 6 }}\n"
    );
    Scenario::from_text(Path::new("fifo.toml"), &text, &[])
}

fn only(step: &str) -> (Op, Option<Expected>) {
    let scenario = load(step).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let steps = &scenario.programs[0].steps;
    assert_eq!(steps.len(), 1);
    (steps[0].op.clone(), steps[0].expect)
}

#[test]
fn every_step_becomes_its_operation() {
    let ok = Some(Expected::Rc(0));
    let invalid = Some(Expected::Rc(-22));
    let two = [PortRef::Number(5), PortRef::Number(9)];
    let cases = [
        ("\"init_control\"", Op::InitControl { at: None }, ok),
        ("{ init_control = { at = 0x30020008 } }", Op::InitControl { at: Some(0x3002_0008) }, ok),
        ("{ init_control = { expect = \"-EINVAL\" } }", Op::InitControl { at: None }, invalid),
        ("{ expand_array = { at = 0x30021000 } }", Op::ExpandArray { at: Some(0x3002_1000) }, ok),
        ("\"expand_array\"", Op::ExpandArray { at: None }, ok),
        ("{ expand_array = {} }", Op::ExpandArray { at: None }, ok),
        (
            "{ set_priority = { port = \"own.binder\", priority = 16, expect = \"-EINVAL\" } }",
            Op::on(EventOp::SetPriority { port: 0, priority: 16 }, PortRef::Number(6)),
            invalid,
        ),
        ("{ poll = [\"own.listener\", 9] }", Op::Poll { ports: two.into(), timeout: 0 }, ok),
        ("{ poll = { ports = [5, 9], timeout = 70 } }", Op::Poll { ports: two.into(), timeout: 70 }, ok),
        ("{ poll = { ports = [], expect = \"-EINVAL\" } }", Op::Poll { ports: [].into(), timeout: 0 }, invalid),
    ];
    for (text, op, expect) in cases {
        assert_eq!(only(text), (op, expect), "{text}");
    }
}

#[test]
fn bad_ones_are_shown_at_their_place() {
    let cases: [(&str, usize, &[&str]); 7] = [
        ("{ expand_array = { at = 0x30021004 } }", 25, &["0x30021004 is not the address of a page", "0x1000"]),
        ("{ init_control = { to = 1 } }", 20, &["unknown key `to`"]),
        ("{ set_priority = { port = 5 } }", 18, &["missing key `priority`", "from 0 (most urgent) to 15"]),
        ("{ poll = 5 }", 10, &["wrong type: integer `5`", "a list of ports"]),
        ("{ poll = [5, \"owm\"] }", 14, &["unknown port `owm`", "did you mean `own`?"]),
        ("{ poll = { timeout = 1 } }", 10, &["missing key `ports`"]),
        ("{ poll = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] }", 42, &["poll names 11 ports", "at most 10"]),
    ];
    for (text, column, words) in cases {
        let Err(error) = load(text) else { panic!("{text} was taken for good") };
        let shown = error.render(false);
        assert!(shown.contains(&format!("fifo.toml:7:{column}")), "{text}: column {column}\n{shown}");
        for word in words {
            assert!(shown.contains(word), "{text}: {word}\n{shown}");
        }
    }
}

#[test]
fn a_picked_control_block_is_taken() {
    let scenario = load("\"setup\", \"init_control\"").unwrap();
    let strategy = sim_core::hyp::strategy::Builtin::from_name("map-page", scenario.settings).unwrap();
    let report = scenario.world(strategy, 0).unwrap().run();
    assert_eq!(report.outcome, sim_core::outcome::Outcome::Completed);
}
