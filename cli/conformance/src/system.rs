//! The machine a file is replayed on: every domain's RAM where the recording had it, and all that is the simulator's own
//! above, where no recording looks.

use super::format::DomainHeader;
use super::setting::Setting;
use evtchn::DomId;
use mpu_model::{Attrs, DefaultMap, Pmsa, Region, RegionError, Rules};
use sim_core::hyp::plan::{GUEST_DATA, GUEST_RAM, GUEST_RODATA};
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::{
    Board, DomainLayout, Gic, HypDevices, Image, ImageSizes, Layout, LayoutParts, Memory, PAGE_SIZE, PeId, Placement,
    Sections, Span, Timers, Uart, VcpuLayout,
};

/// Bytes of argument blocks per vCPU: a block of at most 64 bytes, then the list of ports of a poll.
const ARGUMENTS: u64 = 1024;
/// Where the list of ports is in them.
pub(super) const PORT_LIST: u64 = 64;

/// Bytes of a domain's part of a pool: at most 2 pages of `vcpu_info`, 4 of control blocks, `shared_info`, event words.
const POOL: u64 = 8 * PAGE_SIZE;

/// Where things are in the simulator's own part of memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    memory: Span,
    image: u64,
    heap: Span,
    devices: [Span; 2],
    grants: u64,
    /// Bytes of the frame granted to each domain: a page of `shared_info`, then argument blocks. As many follow that the domain can
    /// only read: the same blocks once more.
    grant: u64,
    el2_regions: u8,
    placement: Placement,
    pes: usize,
    pmsa: Pmsa,
}

impl Ground {
    /// Room for `plots` domains at once above all RAM of the `domains` that ever live. `None` if memory has no such place.
    pub(super) fn above<'a>(
        domains: impl Iterator<Item = &'a DomainHeader> + Clone,
        plots: usize,
        setting: &Setting,
    ) -> Option<Self> {
        let needs = setting.strategy.needs();
        let vcpus = domains.clone().map(|domain| domain.vcpus).max()?;
        let grant = PAGE_SIZE + (vcpus * ARGUMENTS).checked_next_multiple_of(PAGE_SIZE)?;
        let end = domains.map(|domain| (domain.gfn_base + domain.nr_pages) * PAGE_SIZE).max()?;
        let count = u64::try_from(plots).ok()?;
        let image = end.checked_next_multiple_of(1 << 21)?;
        let pool = if setting.placement == Placement::GuestRam { 0 } else { count * POOL };
        let heap = Span::with_size(image.checked_add(1 << 21)?, (count + 1) * PAGE_SIZE + pool)?;
        let uart = Span::with_size(heap.limit() + 1, PAGE_SIZE)?;
        let gic = Span::with_size(uart.limit() + 1, PAGE_SIZE)?;
        let grants = gic.limit() + 1;
        let limit = grants + count * 2 * grant - 1;
        // Image, heap and devices take 6 slots; the hypervisor view one per bank and per run of grants; some to spare.
        // Pages that guests hand over are pinned in the rest, as many as there can be.
        let regions = needs.windows.saturating_add(plots.saturating_mul(2)).saturating_add(16);
        let regions = if needs.pins { usize::MAX } else { regions };
        Some(Self {
            memory: Span::new(0, limit)?,
            image,
            heap,
            devices: [uart, gic],
            grants,
            grant,
            el2_regions: u8::try_from(regions).unwrap_or(u8::MAX),
            placement: setting.placement,
            pes: setting.pes,
            pmsa: setting.pmsa,
        })
    }

    /// Where the frame granted to a domain begins: its `shared_info`, if guests' own memory is where that is.
    fn granted(&self, position: usize) -> u64 {
        self.grants + position as u64 * 2 * self.grant
    }

    /// The frame granted to a domain.
    pub(super) fn grant(&self, position: usize) -> Option<Span> {
        Span::with_size(self.granted(position), self.grant)
    }

    /// Distance from a vCPU's argument blocks to where it can read and not write the same.
    pub(super) const fn read_only_distance(&self) -> u64 {
        self.grant
    }

    /// The argument blocks of a vCPU.
    pub(super) fn arguments(&self, position: usize, vcpu: u32) -> u64 {
        self.granted(position) + PAGE_SIZE + u64::from(vcpu) * ARGUMENTS
    }

    /// The PE of a vCPU: neighbours in a domain and in the list of domains are on different ones, where there are several.
    pub(super) const fn pe(&self, position: usize, vcpu: usize) -> PeId {
        PeId::new((position.wrapping_add(vcpu) % self.pes) as u32)
    }

    /// The layout of the first domains.
    pub(super) fn layout(&self, domains: &[DomainHeader]) -> Result<Layout, String> {
        let image = Image::at(self.image, self.pes).ok_or("the image has no place")?;
        let [uart, gic] = self.devices;
        let board = Board {
            name: "replay".into(),
            pes: self.pes,
            el2_regions: self.el2_regions,
            el1_regions: 4,
            memory: vec![Memory::ram(self.memory)],
            pa_bits: if self.pmsa == Pmsa::V32 { 32 } else { 52 },
            vmid_bits: 8,
            image_base: self.image,
            image: ImageSizes::ORDINARY,
            console: Uart::new("uart", uart),
            other_uarts: Vec::new(),
            gic: Gic { span: gic, redistributors: None },
            timers: Timers::of(self.pmsa),
            pmsa: self.pmsa,
            // Known, so that `background` can be asked too.
            rules: Rules { default_map: DefaultMap::RwNoExec, ..Rules::default() },
        };
        let domains = domains.iter().enumerate().map(|(position, domain)| self.domain(position, domain));
        let domains = domains.collect::<Option<Vec<_>>>().ok_or("a domain has no place")?;
        let parts = LayoutParts {
            board,
            image,
            heap: self.heap,
            pool: None,
            placement: self.placement,
            hyp_devices: HypDevices::Fixed,
            sections: Sections::default(),
            domains,
            shared: Vec::new(),
            emulated: Vec::new(),
            passthrough: Vec::new(),
        };
        Layout::new(parts).map_err(|error| error.to_string())
    }

    /// A domain as it lives at `position`.
    pub(super) fn domain(&self, position: usize, domain: &DomainHeader) -> Option<DomainLayout> {
        let grant = self.grant(position)?;
        let ram = Span::with_size(domain.gfn_base * PAGE_SIZE, domain.nr_pages * PAGE_SIZE)?;
        let read_only = Span::with_size(grant.limit() + 1, self.grant)?;
        // Its argument blocks are in memory of its own then, and not in a frame that has room for `shared_info`.
        let unplaced = domain.shared_info_placed == Some(false) && self.placement == Placement::GuestRam;
        let mut el1_regions =
            vec![region(ram, GUEST_RAM).ok()?, region(grant, GUEST_DATA).ok()?, region(read_only, GUEST_RODATA).ok()?];
        if self.placement != Placement::GuestRam {
            // Stage 2 says which part of it is the domain's.
            el1_regions.push(region(self.heap, GUEST_DATA).ok()?);
        }
        let vcpus = usize::try_from(domain.vcpus).ok()?;
        let vcpu = |vcpu| VcpuLayout { pe: self.pe(position, vcpu), el1_regions: el1_regions.clone() };
        Some(DomainLayout {
            id: DomId(domain.id),
            name: format!("domain {}", domain.id),
            ram: if unplaced { vec![ram, grant] } else { vec![ram] },
            vcpus: (0..vcpus).map(vcpu).collect(),
            privileged: domain.privileged,
            max_evtchn_port: domain.max_evtchn_port,
            target: domain.target.map(DomId),
            shared_info: unplaced.then_some(ram.base()),
            // Nobody asks for these: recordings name their own.
            vcpu_info: vec![ram.base(); vcpus],
            shared_info_frame: (!unplaced).then_some(grant),
            read_only_frame: Some(read_only),
            vacant: false,
        })
    }
}

fn region(span: Span, attrs: Attrs) -> Result<Region, RegionError> {
    Region::new(span.base(), span.limit(), attrs)
}
