//! The system that a transcript implies.

use super::record::Record;
use evtchn::{DomId, abi};
use mpu_model::{DefaultMap, Pmsa, Region, Rules};
use serde_json::Value;
use sim_core::hyp::plan::{GUEST_RAM, Needs};
use sim_core::layout::{
    Board, DomainLayout, Gic, HypDevices, Image, ImageSizes, Layout, LayoutParts, Memory, PAGE_SIZE, PeId, Placement,
    Sections, Span, Timers, Uart, VcpuLayout,
};
use std::path::Path;

/// Where the first domain's RAM is, and how far the next one's is from it.
const RAM: u64 = 0x4000_0000;
const RAM_STEP: u64 = 1 << 24;
/// Bytes of RAM a domain has.
const RAM_SIZE: u64 = 1 << 20;
/// The highest port of domains other than domain 0 on the recorded machine.
const DOMU_MAX_PORT: u32 = 1023;
/// The domain that is hardware and control domain, where there is one.
pub(super) const HARDWARE: u16 = 0;

/// A version of Xen.
pub(super) type Version = (u32, u32);

/// One end of a channel.
pub(super) type End = (u16, u32);

/// A channel that was there before any guest ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BootChannel {
    /// The side that allocated.
    pub(super) listener: End,
    /// The side that bound and finds its port pending.
    pub(super) binder: End,
}

/// What the records and the file's name say.
#[derive(Debug)]
pub(super) struct System {
    /// Ids, lowest first, with their numbers of vCPUs.
    pub(super) domains: Vec<(u16, u32)>,
    /// Domains may not connect to each other.
    pub(super) silo: bool,
    /// 0.0 where no record says.
    pub(super) version: Version,
    /// What boot code bound.
    pub(super) channels: Vec<BootChannel>,
}

impl System {
    /// Told from all there is.
    pub(super) fn of(path: &Path, records: &[Record]) -> Self {
        let mut ids: Vec<u16> = records.iter().map(|record| record.domain).collect();
        ids.sort_unstable();
        ids.dedup();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let version = records.iter().find(|record| record.op == "xen_version").map_or((0, 0), |record| {
            let version = u32::try_from(record.rc).unwrap_or_default();
            (version >> 16, version & 0xffff)
        });
        Self {
            domains: ids.iter().map(|id| (*id, vcpus(*id, records))).collect(),
            silo: !name.contains("dummy"),
            version,
            channels: boot_channels(records),
        }
    }

    /// The name of the policy.
    pub(super) fn policy(&self) -> &'static str {
        if self.silo { "silo" } else { "dummy" }
    }

    /// The hardware domain.
    pub(super) fn hardware_domain(&self) -> Option<DomId> {
        self.domains.iter().any(|(id, _)| *id == HARDWARE).then_some(DomId(HARDWARE))
    }

    /// Machine, hypervisor and domains in memory. Everything that is not a domain's lies above them.
    pub(super) fn layout(&self, needs: Needs) -> Result<Layout, String> {
        let count = self.domains.len();
        let image_base = RAM + RAM_STEP * count as u64;
        let image = Image::at(image_base, 1).ok_or("the image has no place")?;
        let place = |base: u64, pages: u64| Span::with_size(base, pages * PAGE_SIZE).ok_or("memory ends");
        let heap = place(image_base + (1 << 21), count as u64 + 1)?;
        let uart = place(heap.limit() + 1, 1)?;
        let gic = place(uart.limit() + 1, 1)?;
        let regions = if needs.pins { usize::MAX } else { needs.windows.saturating_add(count).saturating_add(16) };
        let board = Board {
            name: "transcript".into(),
            pes: 1,
            el2_regions: u8::try_from(regions).unwrap_or(u8::MAX),
            el1_regions: 2,
            memory: vec![Memory::ram(Span::new(RAM, gic.limit()).ok_or("memory ends")?)],
            pa_bits: 52,
            vmid_bits: 8,
            image_base,
            image: ImageSizes::ORDINARY,
            console: Uart::new("uart", uart),
            other_uarts: Vec::new(),
            gic: Gic { span: gic, redistributors: None },
            timers: Timers::of(Pmsa::V64),
            pmsa: Pmsa::V64,
            // Known, so that `background` can be asked too.
            rules: Rules { default_map: DefaultMap::RwNoExec, ..Rules::default() },
        };
        let domains = (0..).zip(&self.domains).map(|(position, domain)| place_domain(position, *domain));
        let parts = LayoutParts {
            board,
            image,
            heap,
            pool: None,
            placement: Placement::GuestRam,
            hyp_devices: HypDevices::Fixed,
            sections: Sections::default(),
            domains: domains.collect::<Option<Vec<_>>>().ok_or("a domain has no place")?,
            shared: Vec::new(),
            emulated: Vec::new(),
            passthrough: Vec::new(),
        };
        Layout::new(parts).map_err(|error| error.to_string())
    }
}

/// Where a domain's RAM starts.
pub(super) fn ram(position: usize) -> u64 {
    RAM + RAM_STEP * position as u64
}

fn place_domain(position: usize, (id, vcpus): (u16, u32)) -> Option<DomainLayout> {
    let ram = Span::with_size(ram(position), RAM_SIZE)?;
    let el1_regions = vec![Region::new(ram.base(), ram.limit(), GUEST_RAM).ok()?];
    Some(DomainLayout {
        id: DomId(id),
        name: format!("domain {id}"),
        ram: vec![ram],
        vcpus: vec![VcpuLayout { pe: PeId::PRIMARY, el1_regions }; vcpus as usize],
        privileged: id == HARDWARE,
        max_evtchn_port: if id == HARDWARE { u32::MAX } else { DOMU_MAX_PORT },
        target: None,
        shared_info: None,
        vcpu_info: Vec::new(),
        shared_info_frame: None,
        read_only_frame: None,
        vacant: false,
    })
}

/// A domain has a second vCPU if something worked that needs one.
fn vcpus(id: u16, records: &[Record]) -> u32 {
    let second = |record: &Record| {
        let named = |key: &str| record.input.get(key).and_then(Value::as_u64) == Some(1);
        record.domain == id && (record.vcpu == 1 || record.rc == 0 && (named("vcpu") || named("vcpuid")))
    };
    if records.iter().any(second) { 2 } else { 1 }
}

/// Channels that a status shows connected in a domain that has bound none yet. Which end bound is told by the first dump:
/// that one finds its port pending.
fn boot_channels(records: &[Record]) -> Vec<BootChannel> {
    let mut bound: Vec<u16> = Vec::new();
    let mut found: Vec<BootChannel> = Vec::new();
    for record in records.iter().filter(|record| record.rc == 0) {
        if record.op == "bind_interdomain" {
            bound.push(record.domain);
            bound.extend(record.number("remote_dom").ok().and_then(|dom| u16::try_from(dom).ok()));
        }
        let Some(ends) = connected(record) else {
            continue;
        };
        let known = found.iter().any(|channel| channel.listener == ends.0 || channel.binder == ends.0);
        if known || bound.contains(&ends.0.0) {
            continue;
        }
        let first_binds = first_dump_pending(records, ends.0);
        let (binder, listener) = if first_binds { ends } else { (ends.1, ends.0) };
        found.push(BootChannel { listener, binder });
    }
    found
}

fn connected(record: &Record) -> Option<(End, End)> {
    let peer = (u16::try_from(record.told("u.interdomain.dom")?).ok()?, record.told("u.interdomain.port")?);
    let dom = u16::try_from(record.number("dom").ok()?).ok()?;
    let dom = if dom == abi::DOMID_SELF { record.domain } else { dom };
    Some(((dom, record.word("port").ok()?), peer))
}

fn first_dump_pending(records: &[Record], (domain, port): End) -> bool {
    let dump = records.iter().find(|record| record.domain == domain && record.op == "shared_info");
    let word = dump.and_then(|dump| dump.out.get(&format!("evtchn_pending[{}]", port / 64)));
    let bits = word.and_then(Value::as_str).and_then(|text| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok());
    bits.is_some_and(|bits| bits >> (port % 64) & 1 == 1)
}
