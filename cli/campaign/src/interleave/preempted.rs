//! Races of preemption: each operation that may come where a reset or a domain's end stopped at a check point.

use super::call::Call;
use super::case::{RaceCase, Under, of, quiet, ready};
use super::place::{CONTROL, RECEIVER, SECOND, SENDER, domain_of, id_of};
use super::schedule::Who;
use super::script::{Act, Own, Prep, Script};
use super::table::open;
use evtchn::op::Op;

/// What comes where a reset or a domain's end was preempted.
pub(super) fn cases() -> impl Iterator<Item = RaceCase> {
    let by_others: [(&str, &str, Who, Vec<Act>); 12] = [
        ("send", "a send to a port that is closed by then", SENDER, [Act::on(Op::Send { port: 0 }, of("low"))].into()),
        (
            "send-high",
            "a send to a port that is still open",
            SENDER,
            [Act::on(Op::Send { port: 0 }, of("high"))].into(),
        ),
        ("bind", "a bind to a port of the domain", CONTROL, [bind(64)].into()),
        ("close-far", "the far end of a port that closes", SENDER, [Act::on(Op::Close { port: 0 }, of("high"))].into()),
        ("open", "a port that opens", SECOND, [open()].into()),
        ("close", "a port that closes", SECOND, [Act::on(Op::Close { port: 0 }, of("high"))].into()),
        ("bind-vcpu", "bind_vcpu", SECOND, [Act::on(Op::BindVcpu { port: 0, vcpu: 1 }, of("high"))].into()),
        ("init-control", "init_control", SECOND, [Act::Place(Own::ControlBlock, RECEIVER)].into()),
        ("register", "register_vcpu_info", SECOND, [Act::Place(Own::VcpuInfo, SECOND)].into()),
        ("reset", "another reset", SECOND, [Act::plain(Op::Reset { dom: id_of(domain_of(RECEIVER)) })].into()),
        ("poll", "a poll", SECOND, [Act::on(Call::Poll(0), of("high"))].into()),
        ("kill", "the domain's end", CONTROL, [Act::Kill(domain_of(RECEIVER))].into()),
    ];
    let on_fifo: [(&str, &str, Who, Vec<Act>); 2] = [
        ("set-priority", "set_priority", SECOND, [priority("high")].into()),
        ("expand-array", "expand_array", SECOND, [Act::Place(Own::EventWords, RECEIVER)].into()),
    ];
    let (mut resets, mut kills) = (Vec::new(), Vec::new());
    for words in [false, true] {
        for (name, about, pe, acts) in by_others.iter().chain(if words { &on_fifo[..] } else { &[] }) {
            if words && *name == "init-control" {
                continue;
            }
            let script = || Script { setup: buckets(words, name), ..Script::default() }.with(*pe, acts.clone());
            let reset = [Act::plain(Op::Reset { dom: id_of(domain_of(RECEIVER)) })];
            // A send's interrupt comes to the vCPU whose reset was preempted.
            resets.push(long("reset", name, about, words, script().with(RECEIVER, reset).handling(RECEIVER)));
            // The vCPUs of a domain that ends are off, and a toolstack asks for one end after the other.
            if *pe == SENDER {
                kills.push(long("kill", name, about, words, script().with(CONTROL, [Act::Kill(domain_of(RECEIVER))])));
            }
        }
    }
    resets.into_iter().chain(kills)
}

fn bind(port: u32) -> Act {
    Act::plain(Op::BindInterdomain { remote_dom: id_of(domain_of(RECEIVER)), remote_port: port })
}

fn priority(name: &str) -> Act {
    Act::on(Op::SetPriority { port: 0, priority: 0 }, of(name))
}

/// Ports in three buckets: two of the sender's in the first, one in each of the others.
fn buckets(words: bool, gap: &str) -> Vec<(Who, Prep)> {
    let mut setup = ready(words);
    setup.retain(|(pe, prep)| match gap {
        "register" => (*pe, prep) != (SECOND, &Prep::Place(Own::VcpuInfo)),
        "expand-array" => *prep != Prep::Place(Own::EventWords),
        _ => true,
    });
    setup.push((SENDER, Prep::Channel { name: "low".to_owned(), to: RECEIVER }));
    setup.push((RECEIVER, Prep::Port { name: "middle".to_owned(), number: 64, peer: None }));
    setup.push((RECEIVER, Prep::Port { name: "high".to_owned(), number: 129, peer: Some(SENDER) }));
    setup.extend(quiet());
    setup
}

fn long(what: &str, gap: &str, about: &str, words: bool, script: Script) -> RaceCase {
    let fifo = if words { "fifo-" } else { "" };
    let whole = if what == "reset" { "a reset" } else { "a domain's end" };
    let abi = if words { "FIFO" } else { "two-level" };
    let about = format!("{about} where {whole} was preempted, {abi}");
    let mut case = RaceCase::new(format!("{fifo}preempted-{what}-{gap}"), about, script);
    case.family =
        (format!("preempted-{what}"), format!("another operation where {whole} was preempted, by operation and ABI"));
    if what == "kill" && gap.starts_with("send") {
        case.under = Under::Few("a send reaches nothing that the other races of this end do not");
    }
    case
}
