//! What must hold once nobody acts any more: no event is lost, and the queues of the FIFO ABI are whole.
//!
//! An event that is pending and not masked is found by its vCPU's handler: its selector bit is set or its word is on a queue
//! that is ready, the upcall byte is set, and the event interrupt is on its way.

use super::system::System;
use evtchn::abi::fifo::{BUSY, LINK_MASK, LINKED, MASKED, PENDING, QUEUES, WORDS_PER_PAGE};
use evtchn::abi::{BitAt, control_block, shared_info, vcpu_info};
use evtchn::{AbiKind, DomIdx, Polling, Port, Vcpu, VcpuInfoPlace};
use sim_core::hyp::domain::RunState;
use sim_core::outcome::Area;

/// An event that will never be seen, or may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It is pending and not masked, and no vCPU's selector names its word.
    NotSelected {
        /// The domain's position.
        domain: usize,
        /// The port.
        port: u32,
    },
    /// It is pending and not masked, and its word is on no queue.
    NotLinked {
        /// The domain's position.
        domain: usize,
        /// The port.
        port: u32,
    },
    /// Its word is linked, and no queue that is ready leads to it.
    NotReached {
        /// The domain's position.
        domain: usize,
        /// The port.
        port: u32,
    },
    /// Its word comes up twice, on two queues or in a circle.
    Twice {
        /// The domain's position.
        domain: usize,
        /// The port.
        port: u32,
    },
    /// Its word was left busy, which keeps the guest from unmasking it.
    Busy {
        /// The domain's position.
        domain: usize,
        /// The port.
        port: u32,
    },
    /// A vCPU's selector or ready bits say that there is something, and its upcall byte does not.
    NoUpcall {
        /// The domain's position.
        domain: usize,
        /// The vCPU.
        vcpu: u32,
    },
    /// A vCPU sleeps, and what it sleeps for is there: an interrupt, or an event for the port that it polls.
    Asleep {
        /// The domain's position.
        domain: usize,
        /// The vCPU.
        vcpu: u32,
    },
    /// A vCPU's upcall byte is set, and no event interrupt is on its way.
    NotTold {
        /// The domain's position.
        domain: usize,
        /// The vCPU.
        vcpu: u32,
    },
}

/// A vCPU's shared words.
struct Words {
    vcpu: u32,
    upcall: bool,
    selector: u64,
    block: Option<u64>,
}

/// The first that is lost.
pub(super) fn look(system: &System) -> Option<Lost> {
    let domains: Vec<DomIdx> = system.harness.hyp.channels.domains().map(|(_, dom)| dom).collect();
    domains.into_iter().find_map(|dom| {
        let words = words(system, dom);
        let events = match system.harness.hyp.channels.abi_kind(dom)? {
            AbiKind::TwoLevel => two_level(system, dom, &words),
            AbiKind::Fifo => fifo(system, dom, &words),
        };
        let vcpus = 0..system.harness.hyp.channels.vcpus(dom).unwrap_or(0);
        let told = || words.iter().find_map(|words| upcall(system, dom, words));
        events.or_else(told).or_else(|| vcpus.into_iter().find_map(|vcpu| asleep(system, dom, vcpu)))
    })
}

fn read(system: &System, area: Area, offset: u32) -> u32 {
    system.harness.machine.look_at(area.address + u64::from(offset), 4) as u32
}

/// Of the vCPUs that have a `vcpu_info`: events for others are lost by the ABI.
fn words(system: &System, dom: DomIdx) -> Vec<Words> {
    let channels = &system.harness.hyp.channels;
    let vcpus = (0..channels.vcpus(dom).unwrap_or(0)).map(|vcpu| (vcpu, channels.vcpu_info(dom, Vcpu(vcpu))));
    let seen = vcpus.filter_map(|(vcpu, place)| {
        let info = place.filter(|place| !matches!(place, VcpuInfoPlace::Dummy(_)))?.area();
        let upcall = read(system, info, vcpu_info::UPCALL_PENDING) & 1 != 0;
        let selector = [4, 0].map(|word| u64::from(read(system, info, vcpu_info::PENDING_SEL + word)));
        let selector = selector.iter().fold(0, |all, word| all << 32 | word);
        let block = channels.control_block(dom, Vcpu(vcpu)).map(|area| area.address);
        Some(Words { vcpu, upcall, selector, block })
    });
    seen.collect()
}

fn ports(system: &System, dom: DomIdx) -> impl Iterator<Item = Port> {
    system.harness.hyp.channels.channels(dom).filter(|used| !used.xen_owned).map(|used| used.port)
}

fn two_level(system: &System, dom: DomIdx, words: &[Words]) -> Option<Lost> {
    let area = system.harness.hyp.channels.shared_info(dom)?;
    ports(system, dom).map(|port| port.0).find_map(|port| {
        let bit = BitAt::of(port);
        let set = |array: u32| read(system, area, array + bit.word) & bit.mask != 0;
        let selected = words.iter().any(|words| words.selector >> (port / 64) & 1 != 0);
        let waits = set(shared_info::PENDING) && !set(shared_info::MASK);
        (waits && !selected).then_some(Lost::NotSelected { domain: dom.get(), port })
    })
}

fn fifo(system: &System, dom: DomIdx, words: &[Words]) -> Option<Lost> {
    let domain = dom.get();
    let pages = system.harness.hyp.channels.event_pages(dom);
    let word = |port: u32| {
        let page = pages.get((port / WORDS_PER_PAGE) as usize)?;
        Some(read(system, *page, port % WORDS_PER_PAGE * 4))
    };
    let mut reached: Vec<u32> = Vec::new();
    for block in words.iter().filter_map(|words| words.block) {
        let ready = system.harness.machine.look_at(block + u64::from(control_block::READY), 4);
        for queue in (0..QUEUES).filter(|queue| ready >> queue & 1 != 0) {
            let mut port = system.harness.machine.look_at(block + u64::from(control_block::HEAD + queue * 4), 4) as u32;
            while let Some(event) = word(port).filter(|event| port != 0 && event & LINKED != 0) {
                if reached.contains(&port) {
                    return Some(Lost::Twice { domain, port });
                }
                reached.push(port);
                port = event & LINK_MASK;
            }
        }
    }
    // Words of closed ports stay on their queues too.
    let valid = system.harness.hyp.channels.port_counts(dom).map_or(0, |counts| counts.valid);
    let linked = (1..valid).filter(|port| word(*port).is_some_and(|word| word & LINKED != 0));
    let stray = linked.filter(|port| !reached.contains(port)).map(|port| Lost::NotReached { domain, port }).next();
    let unlinked = ports(system, dom).map(|port| port.0).find_map(|port| match word(port)? {
        word if word & BUSY != 0 => Some(Lost::Busy { domain, port }),
        word if word & (PENDING | MASKED | LINKED) == PENDING => Some(Lost::NotLinked { domain, port }),
        _ => None,
    });
    stray.or(unlinked)
}

fn upcall(system: &System, dom: DomIdx, words: &Words) -> Option<Lost> {
    let (domain, vcpu) = (dom.get(), words.vcpu);
    let ready =
        words.block.map_or(0, |block| system.harness.machine.look_at(block + u64::from(control_block::READY), 4));
    if (words.selector != 0 || ready != 0) && !words.upcall {
        return Some(Lost::NoUpcall { domain, vcpu });
    }
    let hyp = &system.harness.hyp;
    let id = hyp.vcpu_id(domain, vcpu)?;
    let state = Some(hyp.vcpu(id)).filter(|state| state.run != RunState::Offline)?;
    let here = hyp.current(state.pe) == Some(id);
    let on_pe = || system.harness.machine.pe(state.pe).virtual_interrupt();
    // One that is paused on its PE is told once it runs again.
    let told = if here { on_pe() || state.paused() && state.event_pending } else { state.has_interrupt() };
    (words.upcall && !told).then_some(Lost::NotTold { domain, vcpu })
}

/// A vCPU that sleeps though it should not.
fn asleep(system: &System, dom: DomIdx, vcpu: u32) -> Option<Lost> {
    let (hyp, channels) = (&system.harness.hyp, &system.harness.hyp.channels);
    let state = Some(hyp.vcpu(hyp.vcpu_id(dom.get(), vcpu)?)).filter(|state| state.run == RunState::Blocked)?;
    let pending = |port: Port| match channels.abi_kind(dom)? {
        AbiKind::TwoLevel => {
            let bit = BitAt::of(port.0);
            Some(read(system, channels.shared_info(dom)?, shared_info::PENDING + bit.word) & bit.mask != 0)
        }
        AbiKind::Fifo => {
            let page = channels.event_pages(dom).get((port.0 / WORDS_PER_PAGE) as usize)?;
            Some(read(system, *page, port.0 % WORDS_PER_PAGE * 4) & PENDING != 0)
        }
    };
    let due = match channels.polling(dom, Vcpu(vcpu)) {
        Some(Polling::Port(port)) => pending(port).unwrap_or(false),
        _ => false,
    };
    (due || state.has_interrupt()).then_some(Lost::Asleep { domain: dom.get(), vcpu })
}
