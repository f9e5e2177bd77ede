//! What to say of vCPUs that wait for ever.

use super::{number, vcpu};
use sim_core::layout::Layout;
use sim_core::outcome::{PendingPort, Unseen, Waiter, WaitsFor};

/// What a vCPU waits for.
#[must_use]
pub fn waits_for(waits: WaitsFor) -> String {
    match waits {
        WaitsFor::Event(port) => format!("an event on its port {port}"),
        WaitsFor::Interrupt => "an interrupt".into(),
        WaitsFor::Turn => "its turn".into(),
    }
}

/// Who waits for what.
#[must_use]
pub fn waiter(layout: &Layout, waiter: &Waiter) -> String {
    format!("{} waits for {}", vcpu(layout, waiter.vcpu), waits_for(waiter.waits_for))
}

/// What became of the events that a vCPU could wait for, a sentence each.
#[must_use]
pub fn events(waiter: &Waiter) -> Vec<String> {
    let mut told: Vec<String> = waiter.pending.iter().map(pending).collect();
    if let WaitsFor::Event(port) = waiter.waits_for {
        if waiter.pending.iter().all(|pending| pending.port != port) {
            told.push(format!("port {port} is not pending"));
        }
        if waiter.coalesced > 0 {
            let (sends, were) = if waiter.coalesced == 1 { ("send", "was") } else { ("sends", "were") };
            told.push(format!(
                "{} {sends} to port {port} found it pending and {were} coalesced; `wait` counts events that the handler finds, \
                 and coalesced sends are one event",
                number(waiter.coalesced)
            ));
        }
    }
    told
}

fn pending(PendingPort { port, told, unseen }: &PendingPort) -> String {
    let vcpu = format!("vCPU {told}");
    match unseen {
        Unseen::Masked => format!("port {port} is pending and masked"),
        Unseen::Unselected => format!(
            "port {port} is pending, unmasked and not selected: bit {} of {vcpu}'s evtchn_pending_sel is clear, so no handler \
             looks at it; an unmask hypercall selects it again",
            port / 64
        ),
        Unseen::Unlinked => format!(
            "port {port} is pending, unmasked and not linked: it is on no queue, so no handler looks at it; an unmask \
             hypercall links it again"
        ),
        Unseen::NotReady => format!(
            "port {port} is pending, unmasked and linked, and {vcpu}'s control block has no queue ready: its handler found \
             the queue ready and did not go along it to this port"
        ),
        Unseen::NoEventWord => {
            format!("an event of port {port} waits for the page with its event word; expand_array hands it over")
        }
        Unseen::NoUpcall => format!(
            "port {port} is pending, unmasked and selected, and {vcpu}'s evtchn_upcall_pending is 0: nothing asks for its \
             handler"
        ),
        Unseen::NotTaken => format!(
            "port {port} is pending, unmasked and selected, and {vcpu} does not take the event interrupt: it is off, in its \
             handler, or has interrupts masked; the step \"enable_irqs\" unmasks them"
        ),
    }
}
