//! The checks behind [`super::Layout::new`].

use super::error::{Item, LayoutError};
use super::{Image, LayoutParts, Owner, STACK_SIZE, Span};
use alloc::vec::Vec;
use mpu_model::{GRANULE, Pmsa};

/// The stack of `pe`: they fill the end of the data part, PE 0's first.
pub(super) fn stack(image: &Image, pes: usize, pe: usize) -> Option<Span> {
    let from_top = u64::try_from(pes.checked_sub(pe)?).ok()?.checked_mul(STACK_SIZE)?;
    Span::with_size(image.data.limit().checked_add(1)?.checked_sub(from_top)?, STACK_SIZE)
        .filter(|stack| pe < pes && image.data.covers(stack))
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
            if planned.pe >= parts.board.pes {
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
    for (span, item, owner) in all.iter().chain(&inside).chain([&(boot.device_tree, Item::DeviceTree, None)]) {
        if span.base() % GRANULE != 0 || span.limit() % GRANULE != GRANULE - 1 {
            return Err(LayoutError::Unaligned { item: item.clone(), span: *span });
        }
        addressable(parts, item, *span)?;
        let device = matches!(owner, Some(Owner::Uart | Owner::Gic | Owner::Emulated(_)));
        if !device && parts.board.memory_of(span).is_none() {
            let memory = parts.board.memory.clone();
            return Err(LayoutError::BeyondBoard { item: item.clone(), span: *span, memory });
        }
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

/// Every range somebody claims; without an owner it is only kept free of others.
fn claims(parts: &LayoutParts, heap: Span, pool: Option<Span>) -> Vec<(Span, Item, Option<Owner>)> {
    let mut all = alloc::vec![
        (parts.image.text, Item::Text, Some(Owner::Text)),
        (parts.image.rodata, Item::Rodata, Some(Owner::Rodata)),
        (parts.image.data, Item::Data, Some(Owner::Data)),
        (heap, Item::Heap, Some(Owner::Heap)),
        (parts.board.uart.span, Item::Uart, Some(Owner::Uart)),
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
    all
}

fn split_data(parts: &LayoutParts, data: Span, owners: &mut Vec<(Span, Owner)>) {
    let Some(first) = stack(&parts.image, parts.board.pes, 0) else {
        owners.push((data, Owner::Data));
        return;
    };
    if let Some(variables) = data.without(&first).0 {
        owners.push((variables, Owner::Data));
    }
    for pe in 0..parts.board.pes {
        owners.extend(stack(&parts.image, parts.board.pes, pe).map(|stack| (stack, Owner::Stack(pe))));
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
            Some(Owner::Uart | Owner::Gic) => ("device-memory", sections.device_memory),
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
