//! A scenario as a system for Xen: what of it Xen can run, its device tree, and the images of its domains.

use crate::parity::ParityError;
use crate::parity::target::{GUEST_IMAGE, PROGRAMS};
use dtoolkit::ToPropertyValue;
use dtoolkit::model::{DeviceTreeNode, DeviceTreeProperty};
use scenario::Scenario;
use sim_core::export::{self, Program};
use sim_core::hyp::StaticChannel;
use sim_core::layout::{DomainLayout, Placement};

/// Where the first image is put for Xen, and how far it is to the next. Not at 128 MiB into RAM, where QEMU has its tree.
const MODULES: (u64, u64) = (0x4a00_0000, 0x20_0000);
/// Bytes of RAM of a domain.
const RAM: u64 = 0x100_0000;
/// Domains that there is room for.
const MAX_DOMAINS: usize = 8;
/// The kind of node that Xen takes an image from.
const KERNEL: [&str; 2] = ["multiboot,kernel", "multiboot,module"];

pub(super) fn unfit(why: impl Into<String>) -> ParityError {
    ParityError::Unfit { target: "xen", why: why.into() }
}

/// The positions of the domains, in the order of their ids.
fn order(domains: &[DomainLayout]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..domains.len()).collect();
    order.sort_by_key(|at| domains.get(*at).map(|domain| domain.id));
    order
}

/// Refuses what Xen on arm64, on a PE with page tables, cannot be given.
pub(super) fn check(scenario: &Scenario) -> Result<(), ParityError> {
    let (domains, parts) = (scenario.layout.domains(), scenario.layout.parts());
    if parts.placement != Placement::GuestRam {
        return Err(unfit("its pages are in the hypervisor's memory; expected placement = \"guest-ram\""));
    }
    if let Some(shared) = parts.shared.first() {
        return Err(unfit(format!("its guests run without shared memory; leave {} out", shared.name)));
    }
    if let Some(device) = parts.emulated.first() {
        return Err(unfit(format!("Xen plays no devices of a scenario's; leave {} out", device.name)));
    }
    if let Some(device) = parts.passthrough.first() {
        return Err(unfit(format!("its devices are its own; leave {} out", device.name)));
    }
    if !scenario.config.timers.is_empty() {
        return Err(unfit("Xen has no timers of a scenario's; leave them out"));
    }
    if let Some(step) = crate::parity::timed_poll(scenario) {
        return Err(unfit(format!(
            "time is another there when a poll runs out, and there is {step}; leave the timeout out"
        )));
    }
    if domains.len() > MAX_DOMAINS {
        return Err(unfit(format!("it has more than {MAX_DOMAINS} domains")));
    }
    let ids: Vec<u16> = order(domains).iter().filter_map(|at| domains.get(*at)).map(|domain| domain.id.0).collect();
    let first = u16::from(ids.first() != Some(&0));
    if !ids.iter().copied().eq((first..).take(ids.len())) {
        return Err(unfit("Xen numbers domains from 1 on without a gap, and dom0 is 0; expected ids of that kind"));
    }
    for (position, domain) in domains.iter().enumerate() {
        check_domain(scenario, position, domain)?;
    }
    let id = |position: usize| domains.get(position).map(|domain| domain.id);
    match scenario.config.channels.iter().find(|channel| id(channel.listener.0) >= id(channel.binder.0)) {
        None => Ok(()),
        Some(StaticChannel { listener, binder }) => Err(unfit(format!(
            "the channel of ports {} and {} is bound by the domain with the lower id; Xen binds it by the other one: \
             exchange the ids",
            listener.1.0, binder.1.0
        ))),
    }
}

/// The same of one domain.
fn check_domain(scenario: &Scenario, position: usize, domain: &DomainLayout) -> Result<(), ParityError> {
    let name = &domain.name;
    let [vcpu] = domain.vcpus.as_slice() else {
        return Err(unfit(format!("{name} has {} vCPUs; expected one", domain.vcpus.len())));
    };
    if !vcpu.el1_regions.is_empty() {
        return Err(unfit(format!("{name} has an EL1 MPU, and the PE has none; leave out el1_mpu")));
    }
    if domain.privileged && domain.id.0 != 0 {
        return Err(unfit(format!("{name} is privileged; on Xen that is dom0 alone")));
    }
    let [bank] = domain.ram.as_slice() else {
        return Err(unfit(format!("{name} has {} banks of RAM; expected one", domain.ram.len())));
    };
    let Some(home) = sim_core::world::home(&scenario.layout, position, 0) else { return Ok(()) };
    let pages = [home.shared_info, home.vcpu_info, home.scratch, home.control_block, home.event_words];
    let outside = |page: &u64| page.checked_sub(bank.base()).is_none_or(|offset| offset >= GUEST_IMAGE);
    match pages.into_iter().find(outside) {
        None => Ok(()),
        Some(page) => Err(unfit(format!(
            "{name} has a page at {page:#x}; expected one in {:#x}-{:#x}, below its image",
            bank.base(),
            bank.base().saturating_add(GUEST_IMAGE - 1)
        ))),
    }
}

/// The image of the domain at `position` with its program behind it, as `examples/board/common/src/places.rs` has them.
pub(super) fn payload(guest: &[u8], program: &Program) -> Result<Vec<u8>, ParityError> {
    let mut bytes = guest.to_vec();
    let (Ok(program_at), Ok(room)) = (usize::try_from(PROGRAMS.0 - GUEST_IMAGE), usize::try_from(PROGRAMS.1)) else {
        return Err(unfit("it is too large"));
    };
    bytes.resize(program_at, 0);
    let packed = export::pack(program)?;
    if packed.len() > room {
        return Err(unfit(format!(
            "a program takes {}, and there is room for {}",
            words::bytes(packed.len() as u64),
            words::bytes(room as u64)
        )));
    }
    bytes.extend(packed);
    Ok(bytes)
}

/// Where the image of the domain at `position` is put for Xen.
pub(super) const fn module(position: usize) -> u64 {
    MODULES.0 + position as u64 * MODULES.1
}

/// An address and a size, or another number of 64 bits.
fn double(value: u64) -> [u32; 2] {
    [(value >> 32) as u32, value as u32]
}

/// A property. Its name is one of this file's, which the specification allows.
fn property(name: &str, value: impl ToPropertyValue) -> DeviceTreeProperty {
    DeviceTreeProperty::new_unchecked(name, value)
}

/// A node with these properties. Its name is one of this file's, which the specification allows.
fn node(name: impl Into<String>, properties: impl IntoIterator<Item = DeviceTreeProperty>) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new_unchecked(name);
    properties.into_iter().for_each(|property| node.add_property(property));
    node
}

/// What `/chosen` has for Xen: its command line, and a node for each domain. `sizes`: bytes of the images.
pub(super) fn chosen(scenario: &Scenario, sizes: &[usize]) -> DeviceTreeNode {
    let domains = scenario.layout.domains();
    let order = order(domains);
    // A domain's lines on Xen's console are kept back without the log level. dom0 is not kept apart from others anyway.
    let xsm = if scenario.config.policy.silo { "silo" } else { "dummy" };
    let line = format!("console=dtuart dtuart=/pl011@9000000 dom0_mem=64M dom0_max_vcpus=1 guest_loglvl=all xsm={xsm}");
    let cells = || [property("#address-cells", 2_u32), property("#size-cells", 2_u32)];
    let mut chosen = node("chosen", cells());
    chosen.add_property(property("xen,xen-bootargs", line));
    for position in order {
        let Some(domain) = domains.get(position) else { continue };
        let (address, size) = (module(position), sizes.get(position).copied().unwrap_or(0) as u64);
        let reg = [double(address), double(size)].concat();
        let image =
            node(format!("module@{address:x}"), [property("compatible", KERNEL.as_slice()), property("reg", reg)]);
        let nodes = core::iter::once(image).chain(ends(scenario, position));
        if domain.id.0 == 0 {
            nodes.for_each(|node| chosen.add_child(node));
            continue;
        }
        let [address_cells, size_cells] = cells();
        let properties = [
            property("compatible", "xen,domain"),
            address_cells,
            size_cells,
            property("memory", double(RAM >> 10)),
            property("cpus", 1_u32),
        ];
        let mut domain = node(format!("domU{}", domain.id.0), properties);
        nodes.for_each(|node| domain.add_child(node));
        chosen.add_child(domain);
    }
    chosen
}

/// The ends of static channels that a domain has.
fn ends(scenario: &Scenario, position: usize) -> impl Iterator<Item = DeviceTreeNode> {
    /// Behind the phandles that QEMU gives.
    const FIRST: u32 = 0x10_0000;
    let handles = (FIRST..).step_by(2).zip(&scenario.config.channels);
    let ends = handles.flat_map(|(handle, channel)| {
        let (listener, binder) = (channel.listener, channel.binder);
        [(listener, handle, handle + 1), (binder, handle + 1, handle)]
    });
    ends.filter(move |((domain, _), ..)| *domain == position).map(|((_, port), own, peer)| {
        let properties =
            [property("compatible", "xen,evtchn-v1"), property("xen,evtchn", [port.0, peer]), property("phandle", own)];
        node(format!("evtchn@{:x}", port.0), properties)
    })
}
