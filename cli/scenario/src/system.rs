//! From the file's tables to a checked layout and the settings of a run.

use super::domains::{self, Ids};
use super::error::Problem;
use super::number::{given, optional};
use super::range::{maybe_range, range};
use super::raw::{RawDevices, RawPlacement, RawScenario, RawScheduler, RawWhen};
use super::{board, devices, frames, place};
use evtchn::{DomId, Policy};
use mpu_model::{GRANULE, Rules};
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Settings, When};
use sim_core::layout::{Board, BootSizes, HypDevices, Image, Layout, LayoutParts, Placement, Sections};
use sim_core::world::Config;

/// Cycles of a turn under `rr` unless the file says otherwise.
const DEFAULT_QUANTUM: u64 = 1000;
/// Bytes that no part of what boot has reaches.
const MAX_PART: u64 = 0x3_ffc0;

/// Everything but programs, channels and timers.
pub(super) fn layout(raw: &RawScenario, ids: &Ids) -> Result<Layout, Problem> {
    let board = board::board(raw)?;
    let image = image(raw, &board)?;
    // First, as all that follows goes by domain ids.
    let domains = domains::domains(raw)?;
    let parts = LayoutParts {
        image,
        heap: range("the heap", &raw.heap)?,
        pool: maybe_range("the pool", raw.pool.as_ref())?,
        placement: match given(raw.placement.as_ref(), RawPlacement::GuestRam) {
            RawPlacement::GuestRam => Placement::GuestRam,
            RawPlacement::Pool => Placement::Pool,
            RawPlacement::Heap => Placement::Heap,
        },
        hyp_devices: match given(raw.hyp_devices.as_ref(), RawDevices::Fixed) {
            RawDevices::Fixed => HypDevices::Fixed,
            RawDevices::Switched => HypDevices::Switched,
        },
        sections: sections(raw)?,
        domains,
        shared: domains::shared(raw, ids)?,
        emulated: devices::emulated(raw, ids)?,
        passthrough: devices::passthrough(raw, ids)?,
        board,
    };
    let layout = Layout::new(parts).map_err(|error| place::problem(raw, &error))?;
    domains::one_vcpu_per_pe(raw)?;
    place::pages(raw, &layout)?;
    Ok(layout)
}

fn image(raw: &RawScenario, board: &Board) -> Result<Image, Problem> {
    let mut sizes = BootSizes::on(board);
    if let Some(given) = &raw.image {
        let image = &given.get_ref().0;
        let size = |key, what, least, preset| optional(key, what, least..=MAX_PART, preset);
        // Rodata gives it up, and keeps something.
        let most = MAX_PART.min(board.image.rodata.saturating_sub(GRANULE));
        sizes.ro_after_init = optional(image.ro_after_init.as_ref(), "ro_after_init", 0..=most, sizes.ro_after_init)?;
        sizes.init_text = size(image.init_text.as_ref(), "init_text", GRANULE, sizes.init_text)?;
        sizes.init_data = size(image.init_data.as_ref(), "init_data", GRANULE, sizes.init_data)?;
        sizes.bss = size(image.bss.as_ref(), "bss", 0, sizes.bss)?;
    }
    let mut image = Image::on(board, sizes).ok_or_else(|| {
        let problem = Problem::new("the hypervisor's image runs past the end of the address space");
        match &raw.image_base {
            Some(base) => problem.at(base.span(), "from here"),
            None => problem,
        }
    })?;
    if let Some(device_tree) = maybe_range("the device tree", raw.device_tree.as_ref())? {
        image.boot.device_tree = device_tree;
    }
    image.boot.early_uart = raw.early_uart;
    Ok(image)
}

fn sections(raw: &RawScenario) -> Result<Sections, Problem> {
    let Some(sections) = &raw.sections else {
        return Ok(Sections::default());
    };
    let sections = &sections.get_ref().0;
    Ok(Sections {
        boot_modules: maybe_range("section boot_modules", sections.boot_modules.as_ref())?,
        guest_memory: maybe_range("section guest_memory", sections.guest_memory.as_ref())?,
        device_memory: maybe_range("section device_memory", sections.device_memory.as_ref())?,
        shared_memory: maybe_range("section shared_memory", sections.shared_memory.as_ref())?,
    })
}

/// Settings of a run that are not about addresses; channels and timers come later.
pub(super) fn config(raw: &RawScenario, ids: &Ids, layout: &Layout) -> Result<Config, Problem> {
    let quantum = optional(raw.quantum.as_ref(), "quantum", 1..=u64::MAX, DEFAULT_QUANTUM)?;
    let defaults = Config::default();
    let rules = layout.board().rules;
    let hardware_domain = raw.hardware_domain.as_ref().map(|id| ids.position(id).map(|_| id.get_ref().0));
    Ok(Config {
        scheduler: match given(raw.scheduler.as_ref(), RawScheduler::Null) {
            RawScheduler::Null => Scheduler::Null,
            RawScheduler::RoundRobin => Scheduler::RoundRobin { quantum },
            RawScheduler::Arinc653 => Scheduler::Arinc653(frames::schedule(raw, ids, layout)?),
        },
        rules: Rules {
            sync: board::sync(raw.sync.as_ref(), rules.sync),
            order: board::write_order(raw.write_order.as_ref(), rules.order),
            ..rules
        },
        step_limit: optional(raw.step_limit.as_ref(), "step_limit", 1..=u64::MAX, defaults.step_limit)?,
        policy: Policy { hardware_domain: hardware_domain.transpose()?.map(|id| DomId(id as u16)), silo: raw.silo },
        ..defaults
    })
}

/// Settings of strategies.
pub(super) fn settings(raw: &RawScenario) -> Result<Settings, Problem> {
    Ok(Settings {
        windows: usize::try_from(optional(raw.windows.as_ref(), "windows", 1..=255, 1)?).unwrap_or(1),
        when: match given(raw.when.as_ref(), RawWhen::Entry) {
            RawWhen::Entry => When::Entry,
            RawWhen::Lazy => When::Lazy,
        },
        entry_isb: given(raw.entry_isb.as_ref(), true),
    })
}
