//! Where in the file the parts of a layout stand, for errors that are found once all of it is known.

use super::error::Problem;
use super::number::Number;
use super::raw::{Maybe, RawDomain, RawRange, RawScenario, Table};
use mpu_model::GRANULE;
use sim_core::layout::{Item, Layout, LayoutError, PAGE_SIZE, Placement};
use std::ops::Range;
use toml::Spanned;

type At = Option<Range<usize>>;

fn key<T>(key: &Maybe<T>) -> At {
    key.as_ref().map(Spanned::span)
}

/// The first line of a table: its header, or the table itself where it is written inline.
pub(super) fn header<T>(table: &Spanned<T>) -> Range<usize> {
    table.span()
}

fn domain(raw: &RawScenario, position: usize) -> Option<&Spanned<Table<RawDomain>>> {
    raw.domain.get(position)
}

/// Base and size of an item, where the file has them.
fn numbers<'a>(raw: &'a RawScenario, item: &Item) -> Option<(&'a Spanned<Number>, &'a Spanned<Number>)> {
    let of = |range: &'a Spanned<Table<RawRange>>| {
        let range = &range.get_ref().0;
        (&range.base, &range.size)
    };
    match item {
        Item::Heap => Some(of(&raw.heap)),
        Item::Pool => raw.pool.as_ref().map(of),
        Item::Uart => raw.uart.as_ref().map(of),
        Item::Gic => raw.gic.as_ref().map(of),
        Item::Ram { domain: position, bank, .. } => Some(of(domain(raw, *position)?.get_ref().0.ram.get(*bank)?)),
        Item::Shared { index, .. } => {
            let shared = &raw.shared.get(*index)?.get_ref().0;
            Some((&shared.base, &shared.size))
        }
        Item::BootModules => raw.sections.as_ref()?.get_ref().0.boot_modules.as_ref().map(of),
        _ => None,
    }
}

/// Where an item stands, or what it follows from.
fn span(raw: &RawScenario, item: &Item) -> At {
    let board = || key(&raw.board);
    match item {
        Item::Text | Item::Rodata | Item::Data => key(&raw.image_base).or_else(board),
        Item::Heap => Some(raw.heap.span()),
        // A pool that is not declared is cut from the heap.
        Item::Pool => key(&raw.pool).or_else(|| Some(raw.heap.span())),
        Item::Uart => key(&raw.uart).or_else(board),
        Item::Gic => key(&raw.gic).or_else(board),
        Item::Ram { domain: position, bank, .. } => {
            domain(raw, *position)?.get_ref().0.ram.get(*bank).map(Spanned::span)
        }
        Item::Shared { .. } => numbers(raw, item).map(|(base, _)| base.span()),
        Item::BootModules => raw.sections.as_ref().and_then(|sections| key(&sections.get_ref().0.boot_modules)),
        Item::Granted { domain: position, .. } | Item::Domain { domain: position, .. } => {
            domain(raw, *position).map(|domain| domain.get_ref().0.id.span())
        }
        Item::Vcpu { domain: position, vcpu, .. } => domain(raw, *position)?.get_ref().0.vcpu.get(*vcpu).map(header),
        _ => None,
    }
}

/// Where a section stands, by the name the layout gives it.
fn section(raw: &RawScenario, name: &str) -> At {
    let sections = &raw.sections.as_ref()?.get_ref().0;
    match name {
        "guest-memory" => key(&sections.guest_memory),
        "device-memory" => key(&sections.device_memory),
        "shared-memory" => key(&sections.shared_memory),
        _ => None,
    }
}

/// What a layout's check found, at its place.
pub(super) fn problem(raw: &RawScenario, error: &LayoutError) -> Problem {
    let text = error.to_string();
    // Some of the texts end in what to do.
    let (title, advice) = match text.split_once("; ") {
        Some((title, advice)) => (title.to_owned(), Some(advice.to_owned())),
        None => (text, None),
    };
    let problem = located(raw, error, Problem::new(title));
    match help(error).or(advice) {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn located(raw: &RawScenario, error: &LayoutError, problem: Problem) -> Problem {
    let item = error.item();
    let here = span(raw, &item);
    match error {
        LayoutError::Overlap { a, a_span, b, b_span } => {
            let sides = [(here, b, b_span), (span(raw, a), a, a_span)];
            let mut places = sides.into_iter().filter_map(|(at, item, span)| Some((at?, format!("{item} is {span}"))));
            let Some((at, label)) = places.next() else { return problem };
            places.fold(problem.at(at, label), |problem, (at, label)| problem.and(at, label))
        }
        LayoutError::Unaligned { span, .. } => match numbers(raw, &item) {
            Some((base, _)) if span.base() % GRANULE != 0 => problem.at(base.span(), "not a multiple of 64 (0x40)"),
            Some((_, size)) => problem.at(size.span(), "not a multiple of 64 (0x40)"),
            None => at(problem, here, "not a multiple of 64 (0x40)"),
        },
        LayoutError::BeyondBoard { memory, .. } => {
            let problem = at(problem, here, "outside");
            match key(&raw.memory).or_else(|| key(&raw.board)) {
                Some(board) => problem.and(board, format!("the board's memory is {memory}")),
                None => problem,
            }
        }
        LayoutError::OutsideSection { section: name, section_span, .. } => {
            let problem = at(problem, here, "outside");
            match section(raw, name) {
                Some(section) => problem.and(section, format!("the section is {section_span}")),
                None => problem,
            }
        }
        LayoutError::NoSuchPe { item: Item::Vcpu { domain: position, vcpu, .. }, .. } => {
            let vcpu = domain(raw, *position).and_then(|domain| domain.get_ref().0.vcpu.get(*vcpu));
            at(problem, vcpu.and_then(|vcpu| key(&vcpu.get_ref().0.pe)).or(here), "no such PE")
        }
        LayoutError::NoRam { item: Item::Domain { domain: position, .. } } => {
            at(problem, domain(raw, *position).map(header), "this domain")
        }
        LayoutError::VcpuCount { item: Item::Domain { domain: position, .. }, .. } => {
            at(problem, domain(raw, *position).map(header), "this domain")
        }
        _ => at(problem, here, ""),
    }
}

fn at(problem: Problem, at: At, label: &str) -> Problem {
    match at {
        Some(at) => problem.at(at, label),
        None => problem,
    }
}

/// What to do, where the text does not say.
fn help(error: &LayoutError) -> Option<String> {
    Some(match error {
        LayoutError::BeyondBoard { .. } => {
            "move it, or say where the board's memory is: memory = { base = .., size = .. }".to_owned()
        }
        LayoutError::OutsideSection { section, .. } => {
            format!("move it, or widen {} in [sections]", section.replace('-', "_"))
        }
        LayoutError::HeapTooSmall { needed, .. } => format!("give it at least {needed:#x} bytes"),
        LayoutError::PoolTooSmall { needed, .. } => format!("give it at least {needed:#x} bytes, or leave the key out"),
        LayoutError::NoRam { .. } => "add ram = [{ base = .., size = .. }]".to_owned(),
        LayoutError::VcpuCount { count: 0, .. } => "add a [[domain.vcpu]]".to_owned(),
        LayoutError::NoSuchPe { pe, .. } => format!("say pes = {}, or move the vCPU", pe.saturating_add(1)),
        LayoutError::El1Regions { count, .. } => format!("use fewer, or say el1_regions = {count}"),
        _ => return None,
    })
}

/// One thing a guest keeps in its RAM.
struct Kept {
    start: u64,
    len: u64,
    what: String,
    at: Range<usize>,
}

/// Guests keep `shared_info`, each `vcpu_info` and their scratch memory in their own RAM: nothing in anything else.
pub(super) fn pages(raw: &RawScenario, layout: &Layout) -> Result<(), Problem> {
    /// Bytes of scratch memory per vCPU.
    const SCRATCH: u64 = 64;
    if layout.parts().placement != Placement::GuestRam {
        return Ok(());
    }
    for (position, found) in raw.domain.iter().enumerate() {
        let domain = &found.get_ref().0;
        let Some(pages) = layout.pages(position) else { continue };
        let here = || header(found);
        let mut kept = Vec::with_capacity(domain.vcpu.len() + 2);
        let shared_info = key(&domain.shared_info).unwrap_or_else(here);
        kept.push(Kept { start: pages.shared_info, len: PAGE_SIZE, what: "shared_info".into(), at: shared_info });
        for (index, (address, vcpu)) in pages.vcpu_info.iter().zip(&domain.vcpu).enumerate() {
            let at = key(&vcpu.get_ref().0.vcpu_info).unwrap_or_else(here);
            let len = u64::from(evtchn::abi::vcpu_info::SIZE);
            kept.push(Kept { start: *address, len, what: format!("vcpu_info of vCPU {index}"), at });
        }
        for kept in &kept {
            inside_ram(layout, position, kept)?;
        }
        let scratch = layout.domains().get(position).and_then(|planned| planned.ram.first());
        if let Some(start) = scratch.and_then(|bank| bank.base().checked_next_multiple_of(PAGE_SIZE)) {
            let len = SCRATCH.saturating_mul(domain.vcpu.len().try_into().unwrap_or(u64::MAX));
            kept.push(Kept { start, len, what: "the scratch memory of its program".into(), at: here() });
        }
        kept.sort_by_key(|kept| kept.start);
        for pair in kept.windows(2) {
            let [a, b] = pair else { continue };
            if b.start - a.start < a.len {
                return Err(clash(layout, position, a, b));
            }
        }
    }
    Ok(())
}

fn name(layout: &Layout, position: usize) -> &str {
    layout.domains().get(position).map_or("", |domain| domain.name.as_str())
}

fn inside_ram(layout: &Layout, position: usize, kept: &Kept) -> Result<(), Problem> {
    let Kept { start, len, what, at } = kept;
    let of = name(layout, position);
    let problem = |text: &str, label: &str| Err(Problem::new(format!("{what} of {of} {text}")).at(at.clone(), label));
    let last = start.saturating_add(len - 1);
    let bank = layout.ram_bank(position, *start);
    if !bank.is_some_and(|bank| bank.contains(last)) {
        return problem("is not in its RAM", "expected an address in the domain's own RAM");
    }
    if *len == PAGE_SIZE && start % PAGE_SIZE != 0 {
        return problem("does not start a page", "expected a multiple of 4096 (0x1000)");
    }
    if start % 8 != 0 {
        return problem("is not aligned", "expected a multiple of 8");
    }
    if start / PAGE_SIZE != last / PAGE_SIZE {
        return problem("crosses a page's end", "expected 48 bytes inside one page");
    }
    Ok(())
}

fn clash(layout: &Layout, position: usize, a: &Kept, b: &Kept) -> Problem {
    let of = name(layout, position);
    let problem = Problem::new(format!("{} ({:#x}) is inside {} ({:#x}) of {of}", b.what, b.start, a.what, a.start));
    let problem = problem.at(b.at.clone(), "inside");
    let problem = if a.at == b.at { problem } else { problem.and(a.at.clone(), a.what.as_str()) };
    problem.help("the first bytes of the first RAM bank are the program's scratch memory; keep pages apart from it and from each other")
}
