//! What happened in a schedule, and what is wrong with it, for people.

use crate::interleave::{Call, Differs, Footprint, Lost, Played, RaceEvent, System, Tool, Wrong};
use conformance::refusal_words;
use evtchn::VirqKind;
use evtchn::op::Op;
use sim_core::guest::{Action, AtomicOp};
use sim_core::layout::PAGE_SIZE;
use sim_core::platform::Width;

/// An address and what lives there.
fn place(system: &System, address: u64) -> String {
    let object = system.object_at(address).map(|(domain, object, offset)| match domain {
        Some(domain) => format!(" ({object} of d{domain} + {offset:#x})"),
        None => format!(" ({object} + {offset:#x})"),
    });
    format!("{address:#x}{}", object.unwrap_or_default())
}

fn width(width: Width) -> &'static str {
    match width {
        Width::Byte => "a byte",
        Width::Word => "a word",
        Width::Double => "a double word",
    }
}

fn access(system: &System, action: Action, value: u64) -> String {
    match action {
        Action::Load { address, width: size } => {
            format!("loads {} at {}: {value:#x}", width(size), place(system, address))
        }
        Action::Store { address, width: size, value } => {
            format!("stores {value:#x} in {} at {}", width(size), place(system, address))
        }
        Action::Atomic { address, op, .. } => {
            let what = match op {
                AtomicOp::Swap(to) => format!("swaps in {to:#x}"),
                AtomicOp::And(bits) => format!("clears {:#x}", !bits & (u64::MAX >> 32)),
                AtomicOp::Or(bits) => format!("sets {bits:#x}"),
                AtomicOp::CompareExchange { current, new } => format!("compares with {current:#x}, puts {new:#x}"),
            };
            format!("{what} at {}: was {value:#x}", place(system, address))
        }
        other => format!("{other:?}"),
    }
}

fn call(call: Call) -> String {
    match call {
        Call::Event(op) => operation(op),
        Call::Poll(port) => format!("poll for port {port}"),
        Call::Register { vcpu, address } => format!("register_vcpu_info for vCPU {vcpu} at {address:#x}"),
        Call::PlaceSharedInfo(address) => format!("add_to_physmap of shared_info at {address:#x}"),
    }
}

fn operation(op: Op) -> String {
    let name = op.name();
    let place = |gfn: u64, offset: u32| gfn.wrapping_mul(PAGE_SIZE).wrapping_add(offset.into());
    match op {
        Op::AllocUnbound { dom, remote_dom } => format!("{name} in d{dom} for d{remote_dom}"),
        Op::BindInterdomain { remote_dom, remote_port } => format!("{name} to port {remote_port} of d{remote_dom}"),
        Op::BindIpi { vcpu } => format!("{name} for vCPU {vcpu}"),
        Op::BindVirq { virq, vcpu } => format!("{name} of VIRQ {virq} for vCPU {vcpu}"),
        Op::Reset { dom } => format!("{name} of d{dom}"),
        Op::BindVcpu { port, vcpu } => format!("{name} of port {port} to vCPU {vcpu}"),
        Op::Send { port } => format!("{name} on port {port}"),
        Op::Unmask { port } | Op::Close { port } => format!("{name} of port {port}"),
        Op::SetPriority { port, priority } => format!("{name} of port {port} to {priority}"),
        Op::InitControl { control_gfn, offset, vcpu } => {
            format!("{name} for vCPU {vcpu} at {:#x}", place(control_gfn, offset))
        }
        Op::ExpandArray { array_gfn } => format!("{name} with {:#x}", place(array_gfn, 0)),
        _ => {
            let names = op.shape().arguments.iter().map(|argument| argument.name);
            let told: Vec<String> =
                names.zip(op.arguments()).map(|(name, number)| format!("{name} {number}")).collect();
            format!("{name} of {}", told.join(", "))
        }
    }
}

fn tool(tool: Tool) -> String {
    match tool {
        Tool::Kill(domain) => format!("the end of d{domain}"),
        Tool::Create(domain) => format!("a new d{domain}"),
        Tool::Pause(domain) => format!("a pause of d{domain}"),
        Tool::Unpause(domain) => format!("the end of a pause of d{domain}"),
        Tool::Call(_) => "a hypercall".into(),
        Tool::Virq { domain, vcpu, virq } => match VirqKind::of(virq) {
            Some(VirqKind::Global) => format!("VIRQ {virq} for its handler"),
            _ => format!("VIRQ {virq} for vCPU {vcpu} of d{domain}"),
        },
        Tool::Notify { domain, port } => format!("an event from Xen's port {port} in d{domain}"),
    }
}

/// What happened, line by line; barriers are left out.
pub(super) fn in_words(played: &Played) -> Vec<String> {
    let system = &played.system;
    let line = |happening: &RaceEvent| {
        Some(match *happening {
            RaceEvent::Accessed(pe, action, value) => format!("PE {pe}  guest {}", access(system, action, value)),
            RaceEvent::Handled(pe, port) => format!("PE {pe}  guest handles port {port}"),
            RaceEvent::Called(pe, what) => format!("PE {pe}  {} begins", call(what)),
            RaceEvent::Asked(pe, what @ (Tool::Virq { .. } | Tool::Notify { .. })) => {
                format!("PE {pe}  Xen sets out to raise {}", tool(what))
            }
            RaceEvent::Asked(pe, what) => format!("PE {pe}  toolstack asks for {}", tool(what)),
            RaceEvent::Worked(pe, Footprint::Memory { address, bytes, writes }) => {
                let verb = if writes { "writes" } else { "reads" };
                format!("PE {pe}    EL2 {verb} {bytes} bytes at {}", place(system, address))
            }
            RaceEvent::Worked(..) => return None,
            RaceEvent::LetGo(pe) => format!("PE {pe}    EL2 lets go of the lock"),
            RaceEvent::WentOn(pe) => format!("PE {pe}    EL2 goes on"),
            RaceEvent::Returned(pe, rc) => format!("PE {pe}  it gives {rc}"),
            RaceEvent::Preempted(pe, domain, port) => {
                format!("PE {pe}    EL2 stops at a check point: an interrupt; d{domain} is done up to port {port}")
            }
            RaceEvent::Again(pe) => format!("PE {pe}  makes its hypercall again"),
            RaceEvent::Kicked(pe) => format!("PE {pe}  takes a kick"),
            RaceEvent::Acknowledged(pe, intid) => {
                format!("PE {pe}  guest acknowledges interrupt {intid}, which is active")
            }
            RaceEvent::Ended(pe) => format!("PE {pe}  guest ends the interrupt"),
            RaceEvent::Notified(domain, port) => format!("        Xen's port {port} in d{domain} is told"),
            RaceEvent::Slept(pe) => format!("PE {pe}  has nobody to run"),
        })
    };
    played.happened.iter().filter_map(line).collect()
}

fn lost(lost: Lost) -> String {
    match lost {
        Lost::NotSelected { domain, port } => {
            format!("port {port} of d{domain} is pending and not masked, and no vCPU's selector names its word")
        }
        Lost::NotLinked { domain, port } => {
            format!("port {port} of d{domain} is pending and not masked, and its word is on no queue")
        }
        Lost::NotReached { domain, port } => {
            format!("the word of port {port} of d{domain} is linked, and no queue that is ready leads to it")
        }
        Lost::Twice { domain, port } => format!("the word of port {port} of d{domain} comes up twice on queues"),
        Lost::Busy { domain, port } => format!("the word of port {port} of d{domain} was left busy"),
        Lost::NoUpcall { domain, vcpu } => {
            format!("vCPU {vcpu} of d{domain} has something selected or ready, and its upcall byte is clear")
        }
        Lost::Asleep { domain, vcpu } => {
            format!("vCPU {vcpu} of d{domain} sleeps, and the interrupt or the event that it sleeps for is there")
        }
        Lost::NotTold { domain, vcpu } => {
            format!("the upcall byte of vCPU {vcpu} of d{domain} is set, and no event interrupt is on its way")
        }
    }
}

/// What is wrong.
pub(super) fn wrong(system: &System, wrong: &Wrong) -> Vec<String> {
    match wrong {
        Wrong::Fault(None) => vec!["the hypervisor faulted".into()],
        Wrong::Fault(Some(fault)) => {
            let far = place(system, fault.syndrome.far);
            vec![format!("PE {}: {} of {far} denied: {:?}", fault.pe, fault.access(), fault.kind)]
        }
        Wrong::Hazard(kind) => vec![words::hazard(kind)],
        Wrong::Refused(pe, refusal) => vec![format!("the guest on PE {pe}: {}", refusal_words(refusal))],
        Wrong::Isolation(breach) => vec![words::breach(system.layout(), breach)],
        Wrong::NotActive(pe) => vec![format!(
            "the guest on PE {pe} ends its event interrupt, and its list register has none that is active: EL2 took it away"
        )],
        Wrong::Ended(pe) => vec![format!("a domain ended while PE {pe} was in the middle of a hypercall of it")],
        Wrong::Lost(what) => vec![lost(*what)],
        Wrong::Order(differs) => {
            let first = "no order of the hypercalls, one after the other, gives this; in order of their ends:".into();
            let second = match differs {
                Differs::Result { who, rc, expected } => format!("a result on PE {who}: expected {expected}, got {rc}"),
                Differs::Memory { address, word, expected } => {
                    format!("the word at {}: expected {expected:#x}, got {word:#x}", place(system, *address))
                }
                Differs::Notified { times, expected } => {
                    format!("events for Xen's own ports: expected {expected}, got {times}")
                }
                Differs::Ports { ports, expected } => format!("ports: expected {expected:?}, got {ports:?}"),
            };
            vec![first, second]
        }
        Wrong::Stuck => vec!["a toolstack has to ask again and again, and nothing changes".into()],
    }
}
