//! From the file's tables to a checked layout and the settings of a run.

use super::error::Problem;
use super::number::{self, Number};
use super::place;
use super::raw::{
    Maybe, RawAccess, RawDevices, RawDomain, RawPlacement, RawRange, RawRegion, RawScenario, RawScheduler, RawSync,
    RawVcpu, RawWhen, Table,
};
use evtchn::DomId;
use mpu_model::{Ap, Attrs, Region, RegionError, Rules, Shareability, SyncRule, Xn};
use sim_core::hyp::plan::ATTR_NORMAL;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Settings, When};
use sim_core::layout::{
    Board, Device, DomainLayout, HypDevices, Image, Layout, LayoutParts, Placement, Sections, SharedMemory, Span,
    VcpuLayout,
};
use sim_core::world::Config;
use std::collections::HashMap;
use std::ops::Range;
use toml::Spanned;

/// More PEs than any part of this class has.
const MAX_PES: u64 = 64;
/// Domains of one scenario.
const MAX_DOMAINS: usize = 4096;
/// Cycles of a turn under `rr` unless the file says otherwise.
const DEFAULT_QUANTUM: u64 = 1000;
/// Highest port number unless the file says otherwise: what Xen gives a domain.
const DEFAULT_MAX_PORT: u32 = 1023;

/// The domains by id.
pub(super) struct Ids {
    positions: HashMap<u64, usize>,
    known: Vec<u64>,
}

impl Ids {
    pub(super) fn new(raw: &RawScenario) -> Self {
        let known: Vec<u64> = raw.domain.iter().map(|domain| domain.get_ref().0.id.get_ref().0).collect();
        let mut positions = HashMap::with_capacity(known.len());
        for (position, id) in known.iter().enumerate() {
            // That there are two of one id is found before anybody asks.
            positions.entry(*id).or_insert(position);
        }
        Self { positions, known }
    }

    /// Position of the domain with that id.
    pub(super) fn position(&self, id: &Spanned<Number>) -> Result<usize, Problem> {
        let number = id.get_ref().0;
        self.positions.get(&number).copied().ok_or_else(|| {
            let known: Vec<String> = self.known.iter().take(32).map(u64::to_string).collect();
            let help = match known.len() {
                0 => "the file has no [[domain]]".to_owned(),
                _ => format!("known ids: {}", known.join(", ")),
            };
            Problem::new(format!("no domain has id {number}")).at(id.span(), "expected a domain's id").help(help)
        })
    }
}

/// The value of a key, or what it is without one.
pub(super) fn given<T: Copy>(key: &Maybe<T>, default: T) -> T {
    key.as_ref().map_or(default, |value| *value.get_ref())
}

fn optional(key: &Maybe<Number>, what: &str, range: std::ops::RangeInclusive<u64>, default: u64) -> Result<u64, Problem> {
    key.as_ref().map_or(Ok(default), |number| number::within(number, what, range))
}

/// The addresses of a range; not empty, and inside 64 bits.
pub(super) fn span(what: &str, base: &Spanned<Number>, size: &Spanned<Number>) -> Result<Span, Problem> {
    let (from, bytes) = (base.get_ref().0, size.get_ref().0);
    Span::with_size(from, bytes).ok_or_else(|| match bytes {
        0 => Problem::new(format!("{what} has size 0")).at(size.span(), "expected at least 64 bytes"),
        _ => Problem::new(format!("{what} runs past the end of the address space"))
            .at(size.span(), format!("{from:#x} + {bytes:#x} does not fit in 64 bits"))
            .and(base.span(), "from here"),
    })
}

fn range(what: &str, range: &Spanned<Table<RawRange>>) -> Result<Span, Problem> {
    let range = &range.get_ref().0;
    span(what, &range.base, &range.size)
}

fn maybe_range(what: &str, key: &Maybe<Table<RawRange>>) -> Result<Option<Span>, Problem> {
    key.as_ref().map(|found| range(what, found)).transpose()
}

/// Everything but programs, channels and timers.
pub(super) fn layout(raw: &RawScenario, ids: &Ids) -> Result<Layout, Problem> {
    let board = board(raw)?;
    let image = Image::at(board.image_base, board.pes).ok_or_else(|| {
        let problem = Problem::new("the hypervisor's image runs past the end of the address space");
        match &raw.image_base {
            Some(base) => problem.at(base.span(), "from here"),
            None => problem,
        }
    })?;
    // First, as all that follows goes by domain ids.
    let domains = domains(raw)?;
    let parts = LayoutParts {
        image,
        heap: range("the heap", &raw.heap)?,
        pool: maybe_range("the pool", &raw.pool)?,
        placement: match given(&raw.placement, RawPlacement::GuestRam) {
            RawPlacement::GuestRam => Placement::GuestRam,
            RawPlacement::Pool => Placement::Pool,
        },
        hyp_devices: match given(&raw.hyp_devices, RawDevices::Fixed) {
            RawDevices::Fixed => HypDevices::Fixed,
            RawDevices::Switched => HypDevices::Switched,
        },
        sections: sections(raw)?,
        domains,
        shared: shared(raw, ids)?,
        board,
    };
    let layout = Layout::new(parts).map_err(|error| place::problem(raw, &error))?;
    one_vcpu_per_pe(raw)?;
    place::pages(raw, &layout)?;
    Ok(layout)
}

fn board(raw: &RawScenario) -> Result<Board, Problem> {
    let name = raw.board.as_ref().map_or("fvp-baser", |name| name.get_ref());
    let unknown = || {
        let names: Vec<String> = Board::preset_names().into_iter().map(str::to_owned).collect();
        let at = raw.board.as_ref().map_or(0..0, Spanned::span);
        let problem = Problem::new(format!("unknown board `{name}`")).at(at, "no preset has this name");
        problem.help(super::diagnose::known_names("boards", name, &names))
    };
    let mut board = Board::preset(name).ok_or_else(unknown)?;
    let regions = |key, what, preset: u8| optional(key, what, 1..=255, preset.into()).map(|count| count as u8);
    board.pes = usize::try_from(optional(&raw.pes, "pes", 1..=MAX_PES, 1)?).unwrap_or(1);
    board.el2_regions = regions(&raw.el2_regions, "el2_regions", board.el2_regions)?;
    board.el1_regions = regions(&raw.el1_regions, "el1_regions", board.el1_regions)?;
    board.image_base = given(&raw.image_base, Number(board.image_base)).0;
    if let Some(memory) = maybe_range("the board's memory", &raw.memory)? {
        board.memory = memory;
    }
    let replace = |device: &mut Device, what, key| -> Result<(), Problem> {
        if let Some(span) = maybe_range(what, key)? {
            device.span = span;
        }
        Ok(())
    };
    replace(&mut board.uart, "the UART", &raw.uart)?;
    replace(&mut board.gic, "the GIC", &raw.gic)?;
    Ok(board)
}

fn sections(raw: &RawScenario) -> Result<Sections, Problem> {
    let Some(sections) = &raw.sections else { return Ok(Sections::default()) };
    let sections = &sections.get_ref().0;
    Ok(Sections {
        boot_modules: maybe_range("section boot_modules", &sections.boot_modules)?,
        guest_memory: maybe_range("section guest_memory", &sections.guest_memory)?,
        device_memory: maybe_range("section device_memory", &sections.device_memory)?,
        shared_memory: maybe_range("section shared_memory", &sections.shared_memory)?,
    })
}

/// Refuses the second use of a name.
struct Names<'a> {
    what: &'static str,
    used: HashMap<&'a str, Range<usize>>,
}

impl<'a> Names<'a> {
    fn new(what: &'static str) -> Self {
        Self { what, used: HashMap::new() }
    }

    fn take(&mut self, name: &'a str, at: Range<usize>) -> Result<(), Problem> {
        match self.used.insert(name, at.clone()) {
            None => Ok(()),
            Some(first) => Err(Problem::new(format!("two {} have the name `{name}`", self.what))
                .at(at, "the second")
                .and(first, "the first")
                .help("names are how reports tell them apart")),
        }
    }
}

fn domains(raw: &RawScenario) -> Result<Vec<DomainLayout>, Problem> {
    if let Some(first) = raw.domain.get(MAX_DOMAINS) {
        let problem = Problem::new(format!("{} domains are more than {MAX_DOMAINS}", raw.domain.len()));
        return Err(problem.at(first.span(), "the first one too many"));
    }
    let names: Vec<String> = raw.domain.iter().map(|domain| name_of(&domain.get_ref().0)).collect();
    let mut used = Names::new("domains");
    let mut ids: HashMap<u64, Range<usize>> = HashMap::new();
    let mut domains = Vec::with_capacity(names.len());
    for (found, name) in raw.domain.iter().zip(&names) {
        let id = &found.get_ref().0.id;
        if let Some(first) = ids.insert(id.get_ref().0, id.span()) {
            let problem = Problem::new(format!("two domains have id {}", id.get_ref().0));
            return Err(problem.at(id.span(), "the second").and(first, "the first").help("domain ids are unique"));
        }
        domains.push(domain(&found.get_ref().0, name)?);
        let at = found.get_ref().0.name.as_ref().map_or_else(|| id.span(), Spanned::span);
        used.take(name, at)?;
    }
    Ok(domains)
}

fn name_of(raw: &RawDomain) -> String {
    raw.name.as_ref().map_or_else(|| format!("dom{}", raw.id.get_ref().0), |name| name.get_ref().clone())
}

fn domain(raw: &RawDomain, name: &str) -> Result<DomainLayout, Problem> {
    let bank = |(index, bank)| range(&format!("RAM bank {index} of {name}"), bank);
    let vcpus: Result<Vec<_>, _> =
        raw.vcpu.iter().enumerate().map(|(index, found)| vcpu(&found.get_ref().0, index, name)).collect();
    Ok(DomainLayout {
        id: DomId(number::within(&raw.id, "id", 0..=u64::from(evtchn::abi::DOMID_FIRST_RESERVED) - 1)? as u16),
        name: name.to_owned(),
        ram: raw.ram.iter().enumerate().map(bank).collect::<Result<_, _>>()?,
        vcpus: vcpus?,
        privileged: raw.privileged,
        max_evtchn_port: optional(
            &raw.max_evtchn_port,
            "max_evtchn_port",
            0..=evtchn::abi::MAX_PORT_LIMIT.into(),
            DEFAULT_MAX_PORT.into(),
        )? as u32,
        target: None,
        shared_info: raw.shared_info.as_ref().map(|address| address.get_ref().0),
        vcpu_info: vcpu_infos(raw)?,
        shared_info_frame: None,
    })
}

/// The layout picks addresses for the last vCPUs only, so those that are named must come first.
fn vcpu_infos(raw: &RawDomain) -> Result<Vec<u64>, Problem> {
    let mut addresses = Vec::new();
    for (index, found) in raw.vcpu.iter().enumerate() {
        let Some(address) = &found.get_ref().0.vcpu_info else { continue };
        if addresses.len() < index {
            let without = addresses.len();
            let problem = Problem::new(format!("vCPU {index} names its vcpu_info, and vCPU {without} does not"));
            return Err(problem
                .at(address.span(), "named here")
                .help(format!("name vcpu_info for vCPU {without} too, or for none behind it")));
        }
        addresses.push(address.get_ref().0);
    }
    Ok(addresses)
}

fn vcpu(raw: &RawVcpu, index: usize, domain: &str) -> Result<VcpuLayout, Problem> {
    let pe = raw.pe.as_ref().map_or(Ok(0), |pe| number::within(pe, "pe", 0..=u64::from(u32::MAX)))?;
    let regions = raw.el1_mpu.iter().enumerate().map(|(slot, found)| {
        el1_region(&found.get_ref().0, &format!("EL1 region {slot} of vCPU {index} of {domain}"))
    });
    Ok(VcpuLayout {
        pe: usize::try_from(pe).unwrap_or(usize::MAX),
        el1_regions: regions.collect::<Result<_, _>>()?,
    })
}

fn el1_region(raw: &RawRegion, what: &str) -> Result<Region, Problem> {
    let attrs = Attrs {
        ap: if raw.access == RawAccess::Rw { Ap::RwAll } else { Ap::RoAll },
        xn: if raw.execute { Xn::Exec } else { Xn::Never },
        sh: Shareability::Inner,
        attr_index: ATTR_NORMAL,
        ns: false,
    };
    let span = span(what, &raw.base, &raw.size)?;
    Region::new(span.base(), span.limit(), attrs).map_err(|error| {
        let base_is_wrong = matches!(error, RegionError::UnalignedBase { .. });
        let at = if base_is_wrong { raw.base.span() } else { raw.size.span() };
        Problem::new(format!("{what}: {error}")).at(at, "")
    })
}

fn shared(raw: &RawScenario, ids: &Ids) -> Result<Vec<SharedMemory>, Problem> {
    let mut names = Names::new("shared memories");
    raw.shared
        .iter()
        .map(|found| {
            let raw = &found.get_ref().0;
            let name = raw.name.get_ref();
            names.take(name, raw.name.span())?;
            let span = span(&format!("shared memory `{name}`"), &raw.base, &raw.size)?;
            let mut domains: Vec<usize> = Vec::new();
            for id in raw.domains.get_ref() {
                let position = ids.position(id)?;
                if domains.contains(&position) {
                    let title = format!("shared memory `{name}` names domain {} twice", id.get_ref().0);
                    return Err(Problem::new(title).at(id.span(), "the second time"));
                }
                domains.push(position);
            }
            if domains.is_empty() {
                let problem = Problem::new(format!("shared memory `{name}` belongs to no domain"));
                return Err(problem.at(raw.domains.span(), "expected at least one domain's id"));
            }
            Ok(SharedMemory { name: name.clone(), span, domains })
        })
        .collect()
}

/// Scheduler `null` takes one vCPU per PE.
fn one_vcpu_per_pe(raw: &RawScenario) -> Result<(), Problem> {
    if given(&raw.scheduler, RawScheduler::Null) != RawScheduler::Null {
        return Ok(());
    }
    let mut taken: HashMap<u64, Range<usize>> = HashMap::new();
    for vcpu in raw.domain.iter().flat_map(|domain| &domain.get_ref().0.vcpu) {
        let pe = &vcpu.get_ref().0.pe;
        let at = pe.as_ref().map_or_else(|| place::header(vcpu), Spanned::span);
        let number = given(pe, Number(0)).0;
        if let Some(first) = taken.insert(number, at.clone()) {
            let problem = Problem::new(format!("PE {number} has two vCPUs, and scheduler `null` takes one"));
            return Err(problem
                .at(at, "the second")
                .and(first, "the first")
                .help("say scheduler = \"rr\", or give each vCPU a PE of its own with pe = .. and pes = .."));
        }
    }
    Ok(())
}

/// Settings of a run that are not about addresses; channels and timers come later.
pub(super) fn config(raw: &RawScenario, ids: &Ids) -> Result<Config, Problem> {
    let quantum = optional(&raw.quantum, "quantum", 1..=u64::MAX, DEFAULT_QUANTUM)?;
    let defaults = Config::default();
    let hardware_domain = raw.hardware_domain.as_ref().map(|id| ids.position(id).map(|_| id.get_ref().0));
    Ok(Config {
        scheduler: match given(&raw.scheduler, RawScheduler::Null) {
            RawScheduler::Null => Scheduler::Null,
            RawScheduler::RoundRobin => Scheduler::RoundRobin { quantum },
        },
        rules: Rules {
            sync: match given(&raw.sync, RawSync::DsbCse) {
                RawSync::DsbCse => SyncRule::DsbThenContextSync,
                RawSync::Cse => SyncRule::ContextSyncOnly,
            },
            ..Rules::default()
        },
        step_limit: optional(&raw.step_limit, "step_limit", 1..=u64::MAX, defaults.step_limit)?,
        hardware_domain: hardware_domain.transpose()?.map(|id| DomId(id as u16)),
        ..defaults
    })
}

/// Settings of strategies.
pub(super) fn settings(raw: &RawScenario) -> Result<Settings, Problem> {
    Ok(Settings {
        windows: usize::try_from(optional(&raw.windows, "windows", 1..=255, 1)?).unwrap_or(1),
        when: match given(&raw.when, RawWhen::Entry) {
            RawWhen::Entry => When::Entry,
            RawWhen::Lazy => When::Lazy,
        },
    })
}
