//! Where in the file the parts of a layout stand, for errors that are found once all of it is known.

use super::board_place;
use super::error::Problem;
use super::number::Number;
use super::range::RawRange;
use super::raw::{RawDomain, RawScenario};
use super::raw_board::{RawBoard, RawBoardTable};
use super::table::{Key, Table};
use mpu_model::GRANULE;
use sim_core::layout::{BoardError, Item, Layout, LayoutError, PAGE_SIZE, Placement};
use std::ops::Range;
use toml::Spanned;

type At = Option<Range<usize>>;

fn key<T>(key: Key<'_, T>) -> At {
    key.map(Spanned::span)
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
        Item::Uart => raw.uart.as_ref().map(of).or_else(|| {
            let uart = &table(raw)?.uarts.get_ref().first()?.get_ref().0;
            Some((&uart.base, &uart.size))
        }),
        Item::DeviceTree => raw.device_tree.as_ref().map(of),
        Item::Gic => raw.gic.as_ref().map(of).or_else(|| {
            let gic = &table(raw)?.gic.get_ref().0;
            Some((&gic.base, &gic.size))
        }),
        Item::Ram { domain: position, bank, .. } => Some(of(domain(raw, *position)?.get_ref().ram.get(*bank)?)),
        Item::Shared { index, .. } => {
            let shared = &raw.shared.get(*index)?.get_ref().0;
            Some((&shared.base, &shared.size))
        }
        Item::Emulated { index, .. } => {
            let device = raw.devices(false).nth(*index)?;
            Some((&device.base, &device.size))
        }
        Item::Passthrough { index, .. } => {
            let device = raw.devices(true).nth(*index)?;
            Some((&device.base, &device.size))
        }
        Item::BootModules => raw.sections.as_ref()?.get_ref().boot_modules.as_ref().map(of),
        Item::El1Region { domain: position, vcpu, slot, .. } => {
            let vcpu = domain(raw, *position)?.get_ref().vcpu.get(*vcpu)?;
            let region = &vcpu.get_ref().el1_mpu.get(*slot)?.get_ref().0;
            Some((&region.base, &region.size))
        }
        _ => None,
    }
}

/// The size of a part of the image that boot has, where the file has it.
fn image_part(raw: &RawScenario, item: &Item) -> At {
    let image = &raw.image.as_ref()?.get_ref().0;
    key(match item {
        Item::RoAfterInit => image.ro_after_init.as_ref(),
        Item::InitText => image.init_text.as_ref(),
        Item::InitData => image.init_data.as_ref(),
        _ => image.bss.as_ref(),
    })
}

/// The board's table, if it is one of the file's own.
fn table(raw: &RawScenario) -> Option<&RawBoardTable> {
    match raw.board.as_ref()?.get_ref() {
        RawBoard::Table(table) => Some(table),
        RawBoard::Name(_) => None,
    }
}

/// A place in the board's table, or where the board is named.
fn of_board_or_its_name(raw: &RawScenario, place: impl Fn(&RawBoardTable) -> At) -> At {
    table(raw).and_then(place).or_else(|| key(raw.board.as_ref()))
}

/// Where the board's memory is said.
fn memory(raw: &RawScenario) -> At {
    key(raw.memory.as_ref()).or_else(|| of_board_or_its_name(raw, |table| Some(table.memory.span())))
}

/// Where an item stands, or what it follows from.
fn span(raw: &RawScenario, item: &Item) -> At {
    let image_base = || {
        let of_board = |table: &RawBoardTable| Some(table.image.get_ref().base.span());
        key(raw.image_base.as_ref()).or_else(|| of_board_or_its_name(raw, of_board))
    };
    match item {
        Item::Text | Item::Rodata | Item::Data => image_base(),
        Item::RoAfterInit | Item::InitText | Item::InitData | Item::Bss => image_part(raw, item).or_else(image_base),
        // One that is not declared lies behind the image.
        Item::DeviceTree => key(raw.device_tree.as_ref()).or_else(image_base),
        Item::Heap => Some(raw.heap.span()),
        // A pool that is not declared is cut from the heap.
        Item::Pool => key(raw.pool.as_ref()).or_else(|| Some(raw.heap.span())),
        Item::Uart => key(raw.uart.as_ref())
            .or_else(|| of_board_or_its_name(raw, |table| Some(table.uarts.get_ref().first()?.get_ref().base.span()))),
        Item::Gic => {
            key(raw.gic.as_ref()).or_else(|| of_board_or_its_name(raw, |table| Some(table.gic.get_ref().base.span())))
        }
        Item::Ram { domain: position, bank, .. } => domain(raw, *position)?.get_ref().ram.get(*bank).map(Spanned::span),
        Item::Shared { .. } | Item::Emulated { .. } | Item::Passthrough { .. } | Item::El1Region { .. } => {
            numbers(raw, item).map(|(base, _)| base.span())
        }
        Item::Section(name) => section(raw, name),
        Item::BootModules => key(raw.sections.as_ref()?.get_ref().boot_modules.as_ref()),
        Item::Granted { domain: position, .. } | Item::Domain { domain: position, .. } => {
            domain(raw, *position).map(|domain| domain.get_ref().id.span())
        }
        Item::Vcpu { domain: position, vcpu, .. } => domain(raw, *position)?.get_ref().vcpu.get(*vcpu).map(header),
        _ => None,
    }
}

/// Where a section stands, by the name the layout gives it.
fn section(raw: &RawScenario, name: &str) -> At {
    let sections = &raw.sections.as_ref()?.get_ref().0;
    match name {
        "guest-memory" => key(sections.guest_memory.as_ref()),
        "device-memory" => key(sections.device_memory.as_ref()),
        "shared-memory" => key(sections.shared_memory.as_ref()),
        _ => None,
    }
}

/// What a layout's check found, at its place.
pub(super) fn problem(raw: &RawScenario, error: &LayoutError) -> Problem {
    // Some of the texts end in what to do.
    let (title, advice) = board_place::split(error);
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
        LayoutError::Board(error) => of_board(raw, error, problem),
        LayoutError::Overlap { .. } => overlap(raw, error, problem),
        LayoutError::Unaligned { span, .. } => match numbers(raw, &item) {
            Some((base, _)) if span.base() % GRANULE != 0 => problem.at(base.span(), "not a multiple of 64 (0x40)"),
            Some((_, size)) => problem.at(size.span(), "not a multiple of 64 (0x40)"),
            None => at(problem, here, "not a multiple of 64 (0x40)"),
        },
        LayoutError::DeviceTooLarge { .. } => match numbers(raw, &item) {
            Some((_, size)) => problem.at(size.span(), "expected fewer bytes"),
            None => problem,
        },
        LayoutError::NoSuchRegister { item: Item::Emulated { index, .. }, .. } => {
            let console = raw.devices(false).nth(*index).and_then(|device| key(device.console.as_ref()));
            at(problem, console.or(here), "outside of the device")
        }
        LayoutError::BeyondBoard { memory, .. } => {
            let problem = at(problem, here, "outside");
            let memory: Vec<String> = memory.iter().map(ToString::to_string).collect();
            match self::memory(raw) {
                Some(board) => problem.and(board, format!("the board's memory is {}", memory.join(", "))),
                None => problem,
            }
        }
        LayoutError::BeyondAddressSpace { limit, pa_bits, .. } => {
            let problem = at(problem, here.clone(), &format!("expected no address above {limit:#x}"));
            match pa_bits_of(raw) {
                Some(board) if here != Some(board.clone()) => {
                    problem.and(board, format!("physical addresses have {pa_bits} bits here"))
                }
                _ => problem,
            }
        }
        LayoutError::FarTcm { tcm, vcpu: Item::Vcpu { domain: position, vcpu, .. }, .. } => {
            let problem = at(problem, here, &format!("the TCM of PE {tcm}"));
            let vcpu = domain(raw, *position).and_then(|domain| domain.get_ref().vcpu.get(*vcpu));
            match vcpu.map(|vcpu| key(vcpu.get_ref().pe.as_ref()).unwrap_or_else(|| header(vcpu))) {
                Some(pe) => problem.and(pe, "this vCPU is elsewhere"),
                None => problem,
            }
        }
        LayoutError::NoDevice { .. } => at(problem, here, "no device of the board's"),
        LayoutError::DeviceOfSeveral { item: Item::Passthrough { index, .. }, .. } => {
            let domains = raw.devices(true).nth(*index).map(|device| device.domains.span());
            at(problem, domains, "expected one domain's id")
        }
        LayoutError::TooManyDomains { item: Item::Domain { domain: position, .. }, .. } => {
            at(problem, domain(raw, *position).map(header), "the first one too many")
        }
        LayoutError::OutsideSection { section: name, section_span, .. } => {
            let problem = at(problem, here, "outside");
            match section(raw, name) {
                Some(section) => problem.and(section, format!("the section is {section_span}")),
                None => problem,
            }
        }
        LayoutError::NoSuchPe { item: Item::Vcpu { domain: position, vcpu, .. }, .. } => {
            let vcpu = domain(raw, *position).and_then(|domain| domain.get_ref().vcpu.get(*vcpu));
            at(problem, vcpu.and_then(|vcpu| key(vcpu.get_ref().pe.as_ref())).or(here), "no such PE")
        }
        LayoutError::NoRam { item: Item::Domain { domain: position, .. } }
        | LayoutError::VcpuCount { item: Item::Domain { domain: position, .. }, .. } => {
            at(problem, domain(raw, *position).map(header), "this domain")
        }
        _ => at(problem, here, ""),
    }
}

/// Where the size of physical addresses is said.
fn pa_bits_of(raw: &RawScenario) -> At {
    let of_table = |table: &RawBoardTable| key(table.pa_bits.as_ref()).or_else(|| Some(table.pmsa.span()));
    key(raw.pa_bits.as_ref()).or_else(|| of_board_or_its_name(raw, of_table))
}

/// What is wrong with a board that the scenario's own keys have changed: at those keys, or where the board is named.
fn of_board(raw: &RawScenario, error: &BoardError, problem: Problem) -> Problem {
    match error {
        BoardError::PaBits { .. } => at(problem, pa_bits_of(raw), "no such size"),
        BoardError::VmidBits { .. } => {
            at(problem, key(raw.vmid_bits.as_ref()).or_else(|| key(raw.board.as_ref())), "no such size")
        }
        BoardError::BeyondAddressSpace { limit, pa_bits, .. } => {
            let here = memory(raw);
            let problem = at(problem, here.clone(), &format!("expected no address above {limit:#x}"));
            match pa_bits_of(raw) {
                Some(board) if here != Some(board.clone()) => {
                    problem.and(board, format!("physical addresses have {pa_bits} bits here"))
                }
                _ => problem,
            }
        }
        BoardError::NoSuchPe { .. } => {
            let problem = at(problem, memory(raw), "has a TCM of a PE that is not there");
            match key(raw.pes.as_ref()) {
                Some(pes) => problem.and(pes, "so many PEs"),
                None => problem,
            }
        }
        _ => at(problem, memory(raw), ""),
    }
}

/// Both sides, the later one first.
fn overlap(raw: &RawScenario, error: &LayoutError, problem: Problem) -> Problem {
    let LayoutError::Overlap { a, a_span, b, b_span } = error else {
        return problem;
    };
    let place = |(item, range)| Some((span(raw, item)?, format!("{item} is {range}")));
    let mut places = [(b, b_span), (a, a_span)].into_iter().filter_map(place);
    let Some((at, label)) = places.next() else {
        return problem;
    };
    places.fold(problem.at(at, label), |problem, (at, label)| problem.and(at, label))
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
        LayoutError::Board(error) => return board_place::help(error),
        LayoutError::BeyondAddressSpace { longer, .. } => board_place::too_high(*longer),
        LayoutError::FarTcm { tcm, .. } => format!("use memory that every PE reaches, or put the vCPU on PE {tcm}"),
        LayoutError::NoDevice { .. } => {
            "pass through what lies in a range of the board's memory of kind \"device\", or a UART \
                                         but the console"
                .to_owned()
        }
        LayoutError::DeviceOfSeveral { .. } => "say shared = true if they are to share it".to_owned(),
        LayoutError::TooManyDomains { longer: true, .. } => {
            "use fewer domains, or say vmid_bits = 16 if the part has such VMIDs".to_owned()
        }
        LayoutError::TooManyDomains { longer: false, .. } => "use fewer domains".to_owned(),
        LayoutError::OutsideSection { section, .. } => {
            format!("move it, or widen {} in [sections]", section.replace('-', "_"))
        }
        LayoutError::HeapTooSmall { needed, .. } => format!("give it at least {needed:#x} bytes"),
        LayoutError::PoolTooSmall { needed, .. } => {
            format!("give it at least {needed:#x} bytes, or leave the key out")
        }
        LayoutError::NoRam { .. } => "add ram = [{ base = .., size = .. }]".to_owned(),
        LayoutError::VcpuCount { count: 0, .. } => "add a [[domain.vcpu]]".to_owned(),
        LayoutError::NoSuchPe { pe, .. } => {
            format!("say pes = {}, or move the vCPU", pe.get().saturating_add(1))
        }
        LayoutError::El1Regions { count, .. } => format!("use fewer, or say el1_regions = {count}"),
        _ => return None,
    })
}

/// One thing a guest keeps in its RAM.
struct Kept {
    start: u64,
    len: u64,
    what: String,
    /// Where the file names it.
    at: At,
    /// The domain's table.
    domain: Range<usize>,
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
        let Some(pages) = layout.pages(position) else {
            continue;
        };
        let keep = |start, len, what: String, at| Kept { start, len, what, at, domain: header(found) };
        let mut kept = Vec::with_capacity(domain.vcpu.len() + 2);
        kept.push(keep(pages.shared_info, PAGE_SIZE, "shared_info".to_owned(), key(domain.shared_info.as_ref())));
        for (index, (address, vcpu)) in pages.vcpu_info.iter().zip(&domain.vcpu).enumerate() {
            let at = key(vcpu.get_ref().vcpu_info.as_ref());
            kept.push(keep(*address, evtchn::abi::vcpu_info::SIZE.into(), format!("vcpu_info of vCPU {index}"), at));
        }
        for kept in &kept {
            inside_ram(layout, position, kept)?;
        }
        let scratch = layout.domains().get(position).and_then(|planned| planned.ram.first());
        if let Some(start) = scratch.and_then(|bank| bank.base().checked_next_multiple_of(PAGE_SIZE)) {
            let len = SCRATCH.saturating_mul(domain.vcpu.len().try_into().unwrap_or(u64::MAX));
            kept.push(keep(start, len, "the programs' scratch memory".to_owned(), None));
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
    let Kept { start, len, what, .. } = kept;
    let at = || kept.at.clone().unwrap_or_else(|| kept.domain.clone());
    let of = name(layout, position);
    let problem = |text: &str, label: &str| Err(Problem::new(format!("{what} of {of} {text}")).at(at(), label));
    let last = start.saturating_add(len - 1);
    let bank = layout.ram_bank(position, *start);
    if !bank.is_some_and(|bank| bank.contains(last)) {
        return problem("is not in its RAM", "expected an address in the domain's own RAM");
    }
    if layout.common_bank(position, *start).is_none() {
        return problem("is in the TCM of one PE", "expected memory that the hypervisor reaches on every PE");
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
    let title = format!("{} ({:#x}) and {} ({:#x}) of {of} overlap", a.what, a.start, b.what, b.start);
    let mut places = [b, a].into_iter().filter_map(|kept| Some((kept.at.clone()?, kept.what.as_str())));
    let (at, label) = places.next().unwrap_or_else(|| (b.domain.clone(), "this domain"));
    let problem = places.fold(Problem::new(title).at(at, label), |problem, (at, label)| problem.and(at, label));
    problem.help("scratch memory is at the start of the first RAM bank, 64 bytes per vCPU; give each its own addresses")
}
