//! The checks behind [`super::Layout::new`].

use super::devices::EmulatedDevice;
use super::error::{Item, LayoutError};
use super::image::Image;
use super::parts::{LayoutParts, Owner};
use alloc::vec::Vec;
use boards::{Kind, PeId, Span};
use mpu_model::{GRANULE, Pmsa};

/// The stack of `pe`: they fill the end of the data part, PE 0's first.
pub(super) fn stack(parts: &LayoutParts, pe: PeId) -> Option<Span> {
    let (image, pes, size) = (&parts.image, parts.board.pes, parts.board.image.stack);
    let from_top = u64::try_from(pes.checked_sub(pe.get())?).ok()?.checked_mul(size)?;
    Span::with_size(image.data.limit().checked_add(1)?.checked_sub(from_top)?, size)
        .filter(|stack| parts.board.has_pe(pe) && image.data.covers(stack))
}

pub(super) fn domain_item(parts: &LayoutParts, domain: usize) -> Item {
    let name = parts.domains.get(domain).map(|d| d.name.clone()).unwrap_or_default();
    Item::Domain { domain, name }
}

/// That the parts of the image which boot maps as one are neighbours.
pub(super) fn image(image: &Image) -> Result<(), LayoutError> {
    let apart = |item, span, beside, beside_span| Err(LayoutError::Apart { item, span, beside, beside_span });
    if let Some(span) = image.boot.ro_after_init {
        // Constants are left before it, and the variables follow.
        if span.base() <= image.rodata.base() || span.limit() != image.rodata.limit() {
            return apart(Item::RoAfterInit, span, Item::Rodata, image.rodata);
        }
        if !span.touches(&image.data) {
            return apart(Item::RoAfterInit, span, Item::Data, image.data);
        }
    }
    match image.boot.bss {
        Some(bss) if !image.boot.init_data.touches(&bss) => apart(Item::Bss, bss, Item::InitData, image.boot.init_data),
        _ => Ok(()),
    }
}

/// That the board has physical addresses as high as `span`.
fn addressable(parts: &LayoutParts, item: &Item, span: Span) -> Result<(), LayoutError> {
    if span.limit() > parts.board.address_limit() {
        return Err(LayoutError::beyond(&parts.board, item.clone(), span));
    }
    Ok(())
}

/// Ids, VMIDs, vCPUs, PEs and regions of the domains.
pub(super) fn domains(parts: &LayoutParts) -> Result<(), LayoutError> {
    let board = &parts.board;
    let most = board.most_domains();
    // A domain's VMID follows from its position.
    if let Some((position, _)) = parts.domains.iter().enumerate().skip(most).find(|(_, domain)| !domain.vacant) {
        let longer = board.pmsa == Pmsa::V64 && board.vmid_bits < 16;
        let (item, board, vmid_bits) = (domain_item(parts, position), board.name.clone(), board.vmid_bits);
        return Err(LayoutError::TooManyDomains { item, most, board, vmid_bits, longer });
    }
    let mut ids: Vec<u16> = Vec::with_capacity(parts.domains.len());
    for (position, domain) in parts.domains.iter().enumerate().filter(|(_, domain)| !domain.vacant) {
        let item = || domain_item(parts, position);
        if domain.id.0 >= evtchn::DomId::SELF.0 {
            return Err(LayoutError::ReservedId { item: item(), id: domain.id.0 });
        }
        match ids.binary_search(&domain.id.0) {
            Ok(_) => {
                return Err(LayoutError::DuplicateId { item: item(), id: domain.id.0 });
            }
            Err(at) => ids.insert(at, domain.id.0),
        }
        if domain.ram.is_empty() {
            return Err(LayoutError::NoRam { item: item() });
        }
        if domain.vcpus.is_empty() || domain.vcpus.len() > 128 {
            return Err(LayoutError::VcpuCount { item: item(), count: domain.vcpus.len() });
        }
        for (vcpu, planned) in domain.vcpus.iter().enumerate() {
            let item = || Item::Vcpu { domain: position, name: domain.name.clone(), vcpu };
            if !parts.board.has_pe(planned.pe) {
                return Err(LayoutError::NoSuchPe { item: item(), pe: planned.pe, pes: parts.board.pes });
            }
            let (count, available) = (planned.el1_regions.len(), parts.board.el1_regions);
            if count > usize::from(available) {
                return Err(LayoutError::El1Regions { item: item(), count, available });
            }
            for (slot, region) in planned.el1_regions.iter().enumerate() {
                let item = Item::El1Region { domain: position, name: domain.name.clone(), vcpu, slot };
                if let Some(span) = Span::new(region.base(), region.limit()) {
                    addressable(parts, &item, span)?;
                }
            }
        }
    }
    Ok(())
}

/// Every owned range, checked against the board and against each other, sorted.
pub(super) fn owners(parts: &LayoutParts, heap: Span, pool: Option<Span>) -> Result<Vec<(Span, Owner)>, LayoutError> {
    let mut all = claims(parts, heap, pool);
    let boot = &parts.image.boot;
    let inside = boot.ro_after_init.map(|span| (span, Item::RoAfterInit, None));
    for (span, item, _) in all.iter().chain(&inside).chain([&(boot.device_tree, Item::DeviceTree, None)]) {
        if span.base() % GRANULE != 0 || span.limit() % GRANULE != GRANULE - 1 {
            return Err(LayoutError::Unaligned { item: item.clone(), span: *span });
        }
        addressable(parts, item, *span)?;
        in_memory(parts, item, *span)?;
    }
    all.sort_by_key(|(span, ..)| *span);
    for pair in all.windows(2) {
        let [(a_span, a, _), (b_span, b, _)] = pair else {
            continue;
        };
        if a_span.overlaps(b_span) {
            let (a, b) = (a.clone(), b.clone());
            return Err(LayoutError::Overlap { a, a_span: *a_span, b, b_span: *b_span });
        }
    }
    let mut owners = Vec::with_capacity(all.len().saturating_add(parts.board.pes));
    for (span, _, owner) in all {
        match owner {
            Some(Owner::Data) if span == parts.image.data => split_data(parts, span, &mut owners),
            Some(owner) => owners.push((span, owner)),
            None => {}
        }
    }
    Ok(owners)
}

/// That an item lies in memory of a kind that it can be in, which all PEs that use it reach.
fn in_memory(parts: &LayoutParts, item: &Item, span: Span) -> Result<(), LayoutError> {
    let board = &parts.board;
    let one_pe = board.pes == 1;
    // A domain's RAM, and memory that domains share, may be the TCM of the PE that runs them.
    let domains = match item {
        Item::Uart | Item::Gic | Item::Emulated { .. } | Item::Passthrough { .. } => return Ok(()),
        Item::Ram { domain, .. } => core::slice::from_ref(domain),
        Item::Shared { index, .. } => parts.shared.get(*index).map_or(&[][..], |shared| &shared.domains),
        _ => &[],
    };
    // What is only read can be in flash.
    let read_only = match item {
        Item::Text | Item::InitText | Item::DeviceTree => true,
        Item::Rodata => parts.image.boot.ro_after_init.is_none(),
        _ => false,
    };
    let takes = |kind: Kind| match kind {
        Kind::Ram => true,
        Kind::Tcm { .. } => one_pe || !domains.is_empty(),
        Kind::Flash => read_only,
        Kind::Device => false,
    };
    if !board.memory_of(&span).is_some_and(|memory| takes(memory.kind)) {
        let memory = board.ranges(takes).collect();
        return Err(LayoutError::BeyondBoard { item: item.clone(), span, memory });
    }
    let Some(tcm) = board.tcm_of(&span) else { return Ok(()) };
    let planned = domains.iter().filter_map(|domain| Some((*domain, parts.domains.get(*domain)?)));
    let mut vcpus =
        planned.flat_map(|(at, domain)| domain.vcpus.iter().enumerate().map(move |vcpu| (at, domain, vcpu)));
    vcpus.find(|(.., (_, vcpu))| vcpu.pe != tcm).map_or(Ok(()), |(domain, planned, (vcpu, found))| {
        let who = Item::Vcpu { domain, name: planned.name.clone(), vcpu };
        Err(LayoutError::FarTcm { item: item.clone(), span, tcm, vcpu: who, pe: found.pe })
    })
}

/// Every range somebody claims; without an owner it is only kept free of others.
fn claims(parts: &LayoutParts, heap: Span, pool: Option<Span>) -> Vec<(Span, Item, Option<Owner>)> {
    let mut all = alloc::vec![
        (parts.image.text, Item::Text, Some(Owner::Text)),
        (parts.image.rodata, Item::Rodata, Some(Owner::Rodata)),
        (parts.image.data, Item::Data, Some(Owner::Data)),
        (heap, Item::Heap, Some(Owner::Heap)),
        (parts.board.console.span, Item::Uart, Some(Owner::Uart)),
        (parts.board.gic.span, Item::Gic, Some(Owner::Gic)),
    ];
    all.extend(pool.map(|pool| (pool, Item::Pool, Some(Owner::Pool(None)))));
    let boot = &parts.image.boot;
    all.push((boot.init_text, Item::InitText, None));
    all.push((boot.init_data, Item::InitData, None));
    all.extend(boot.bss.map(|bss| (bss, Item::Bss, Some(Owner::Data))));
    // A device tree among the boot modules is one of them.
    let modules = parts.sections.boot_modules;
    if modules.is_none_or(|modules| !modules.covers(&boot.device_tree)) {
        all.push((boot.device_tree, Item::DeviceTree, None));
    }
    all.extend(modules.map(|span| (span, Item::BootModules, None)));
    for (domain, planned) in parts.domains.iter().enumerate() {
        let name = &planned.name;
        for (bank, span) in planned.ram.iter().enumerate() {
            all.push((*span, Item::Ram { domain, name: name.clone(), bank }, Some(Owner::Ram(domain))));
        }
        if let Some(span) = planned.shared_info_frame {
            all.push((span, Item::Granted { domain, name: name.clone() }, Some(Owner::Granted(domain))));
        }
        if let Some(span) = planned.read_only_frame {
            all.push((span, Item::ReadOnly { domain, name: name.clone() }, Some(Owner::ReadOnly(domain))));
        }
    }
    for (index, shared) in parts.shared.iter().enumerate() {
        let item = Item::Shared { index, name: shared.name.clone() };
        all.push((shared.span, item, Some(Owner::Shared(index))));
    }
    for (index, device) in parts.emulated.iter().enumerate() {
        let item = Item::Emulated { index, name: device.name.clone() };
        all.push((device.span, item, Some(Owner::Emulated(index))));
    }
    for (index, device) in parts.passthrough.iter().enumerate() {
        let item = Item::Passthrough { index, name: device.name.clone() };
        all.push((device.span, item, Some(Owner::Passthrough(index))));
    }
    all
}

fn split_data(parts: &LayoutParts, data: Span, owners: &mut Vec<(Span, Owner)>) {
    let Some(first) = stack(parts, PeId::PRIMARY) else {
        owners.push((data, Owner::Data));
        return;
    };
    if let Some(variables) = data.without(&first).0 {
        owners.push((variables, Owner::Data));
    }
    for pe in parts.board.pe_ids() {
        owners.extend(stack(parts, pe).map(|stack| (stack, Owner::Stack(pe))));
    }
}

/// Each kind of memory inside the section set aside for it.
pub(super) fn sections(parts: &LayoutParts) -> Result<(), LayoutError> {
    let sections = &parts.sections;
    let named = [
        ("guest-memory", sections.guest_memory),
        ("device-memory", sections.device_memory),
        ("shared-memory", sections.shared_memory),
    ];
    for (name, span) in named {
        span.map_or(Ok(()), |span| addressable(parts, &Item::Section(name), span))?;
    }
    for (span, item, owner) in claims(parts, parts.heap, None) {
        let (section, section_span) = match owner {
            Some(Owner::Ram(_)) => ("guest-memory", sections.guest_memory),
            Some(Owner::Uart | Owner::Gic | Owner::Passthrough(_)) => ("device-memory", sections.device_memory),
            Some(Owner::Shared(_)) => ("shared-memory", sections.shared_memory),
            _ => continue,
        };
        match section_span {
            Some(section_span) if !section_span.covers(&span) => {
                return Err(LayoutError::OutsideSection { item, span, section, section_span });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Sizes and registers of emulated devices.
pub(super) fn emulated(parts: &LayoutParts) -> Result<(), LayoutError> {
    for (index, device) in parts.emulated.iter().enumerate() {
        let item = || Item::Emulated { index, name: device.name.clone() };
        let size = device.span.size();
        if size > EmulatedDevice::MOST {
            return Err(LayoutError::DeviceTooLarge { item: item(), size, most: EmulatedDevice::MOST });
        }
        if let Some(offset) = device.console.filter(|offset| *offset >= size) {
            return Err(LayoutError::NoSuchRegister { item: item(), offset, size });
        }
    }
    Ok(())
}

/// That each device that is passed through is one of the board's, and one domain's unless it is said that several share it. Addresses of their own
/// were checked with those of all owners.
pub(super) fn passthrough(parts: &LayoutParts) -> Result<(), LayoutError> {
    for (index, device) in parts.passthrough.iter().enumerate() {
        let item = || Item::Passthrough { index, name: device.name.clone() };
        if !parts.board.has_device(&device.span) {
            return Err(LayoutError::NoDevice { item: item(), span: device.span, board: parts.board.name.clone() });
        }
        if device.domains.len() > 1 && !device.shared {
            return Err(LayoutError::DeviceOfSeveral { item: item(), count: device.domains.len() });
        }
    }
    Ok(())
}
