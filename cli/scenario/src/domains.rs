//! Domains, their vCPUs, and the memory they share.

use super::error::Problem;
use super::number::{self, Number, given, optional};
use super::range::{range, span};
use super::raw::{RawAccess, RawDomain, RawRegion, RawScenario, RawScheduler, RawVcpu};
use super::{name, place};
use evtchn::DomId;
use mpu_model::{Ap, Attrs, Region, RegionError, Shareability, Xn};
use sim_core::hyp::plan::ATTR_NORMAL;
use sim_core::layout::{DomainLayout, PeId, SharedMemory, VcpuLayout};
use std::collections::HashMap;
use std::ops::Range;
use toml::Spanned;

/// Domains of one scenario.
pub(super) const MAX_DOMAINS: usize = 4096;
/// Highest port number unless the file says otherwise: what Xen gives a domain.
const DEFAULT_MAX_PORT: u32 = 1023;

/// The domains by id.
pub(super) struct Ids {
    positions: HashMap<u64, usize>,
    known: Vec<u64>,
}

impl Ids {
    pub(super) fn new(raw: &RawScenario) -> Self {
        let known: Vec<u64> = raw.domain.iter().map(|domain| domain.get_ref().id.get_ref().0).collect();
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

/// Refuses the second use of a name.
pub(super) struct Names<'a> {
    what: &'static str,
    used: HashMap<&'a str, Range<usize>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, used: HashMap::new() }
    }

    pub(super) fn take(&mut self, name: &'a str, at: Range<usize>) -> Result<(), Problem> {
        match self.used.insert(name, at.clone()) {
            None => Ok(()),
            Some(first) => Err(Problem::new(format!("two {} have the name `{name}`", self.what))
                .at(at, "the second")
                .and(first, "the first")
                .help("names are how reports tell them apart")),
        }
    }
}

pub(super) fn domains(raw: &RawScenario) -> Result<Vec<DomainLayout>, Problem> {
    if let Some(first) = raw.domain.get(MAX_DOMAINS) {
        let problem = Problem::new(format!("{} domains are more than {MAX_DOMAINS}", raw.domain.len()));
        return Err(problem.at(first.span(), "the first one too many"));
    }
    let names: Vec<String> = raw.domain.iter().map(|domain| name_of(&domain.get_ref().0)).collect();
    let mut used = Names::new("domains");
    let mut ids: HashMap<u64, Range<usize>> = HashMap::new();
    let mut domains = Vec::with_capacity(names.len());
    for (found, name) in raw.domain.iter().zip(&names) {
        let id = &found.get_ref().id;
        if let Some(first) = ids.insert(id.get_ref().0, id.span()) {
            let problem = Problem::new(format!("two domains have id {}", id.get_ref().0));
            return Err(problem.at(id.span(), "the second").and(first, "the first").help("domain ids are unique"));
        }
        domains.push(domain(&found.get_ref().0, name)?);
        let at = found.get_ref().name.as_ref().map_or_else(|| id.span(), Spanned::span);
        found.get_ref().name.as_ref().map_or(Ok(()), name::check)?;
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
            raw.max_evtchn_port.as_ref(),
            "max_evtchn_port",
            0..=evtchn::abi::MAX_PORT_LIMIT.into(),
            DEFAULT_MAX_PORT.into(),
        )? as u32,
        target: None,
        shared_info: raw.shared_info.as_ref().map(|address| address.get_ref().0),
        vcpu_info: vcpu_infos(raw)?,
        shared_info_frame: None,
        read_only_frame: None,
        vacant: false,
    })
}

/// The layout picks addresses for the last vCPUs only, so those that are named must come first.
fn vcpu_infos(raw: &RawDomain) -> Result<Vec<u64>, Problem> {
    let mut addresses = Vec::new();
    for (index, found) in raw.vcpu.iter().enumerate() {
        let Some(address) = &found.get_ref().vcpu_info else {
            continue;
        };
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
    let regions =
        raw.el1_mpu.iter().enumerate().map(|(slot, found)| {
            el1_region(&found.get_ref().0, &format!("EL1 region {slot} of vCPU {index} of {domain}"))
        });
    Ok(VcpuLayout { pe: PeId::new(pe as u32), el1_regions: regions.collect::<Result<_, _>>()? })
}

fn el1_region(raw: &RawRegion, what: &str) -> Result<Region, Problem> {
    let attrs = Attrs {
        ap: match raw.access {
            RawAccess::Rw => Ap::RwAll,
            RawAccess::Ro => Ap::RoAll,
            RawAccess::RwEl1 => Ap::RwPrivileged,
            RawAccess::RoEl1 => Ap::RoPrivileged,
        },
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

pub(super) fn shared(raw: &RawScenario, ids: &Ids) -> Result<Vec<SharedMemory>, Problem> {
    let mut names = Names::new("shared memories");
    raw.shared
        .iter()
        .map(|found| {
            let raw = &found.get_ref().0;
            let name = raw.name.get_ref();
            name::check(&raw.name)?;
            names.take(name, raw.name.span())?;
            let span = span(&format!("shared memory `{name}`"), &raw.base, &raw.size)?;
            let domains = positions(&format!("shared memory `{name}`"), &raw.domains, ids)?;
            Ok(SharedMemory { name: name.clone(), span, domains })
        })
        .collect()
}

/// Positions of the domains that have something, each named once.
pub(super) fn positions(what: &str, found: &Spanned<Vec<Spanned<Number>>>, ids: &Ids) -> Result<Vec<usize>, Problem> {
    let mut domains: Vec<usize> = Vec::new();
    for id in found.get_ref() {
        let position = ids.position(id)?;
        if domains.contains(&position) {
            let title = format!("{what} names domain {} twice", id.get_ref().0);
            return Err(Problem::new(title).at(id.span(), "the second time"));
        }
        domains.push(position);
    }
    if domains.is_empty() {
        let problem = Problem::new(format!("{what} belongs to no domain"));
        return Err(problem.at(found.span(), "expected at least one domain's id"));
    }
    Ok(domains)
}

/// Scheduler `null` takes one vCPU per PE.
pub(super) fn one_vcpu_per_pe(raw: &RawScenario) -> Result<(), Problem> {
    if given(raw.scheduler.as_ref(), RawScheduler::Null) != RawScheduler::Null {
        return Ok(());
    }
    let mut taken: HashMap<u64, Range<usize>> = HashMap::new();
    for vcpu in raw.domain.iter().flat_map(|domain| &domain.get_ref().vcpu) {
        let pe = &vcpu.get_ref().pe;
        let at = pe.as_ref().map_or_else(|| place::header(vcpu), Spanned::span);
        let number = given(pe.as_ref(), Number(0)).0;
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
