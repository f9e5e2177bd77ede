//! The strategy. The crate's text says what it does and costs.

use mpu_model::{Region, RegionWords};
use sim_core::hyp::plan::{DEVICE, Needs, PRIVATE, Plan};
use sim_core::hyp::strategy::{Reach, Strategy};
use sim_core::hyp::view::{Pin, Wanted};
use sim_core::layout::{PerPe, Span};
use sim_core::outcome::ViewId;
use sim_core::platform::Platform;

/// In whose view a page is mapped anyway, so that its slot must be off there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The domain at that position.
    Domain(usize),
    /// No domain: a device of the hypervisor.
    Nobody,
    /// Several domains share it, so it does not stay.
    Several,
}

/// A page that is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    span: Span,
    words: RegionWords,
    owner: Owner,
    last_use: u64,
}

/// What one PE has mapped, by slot.
#[derive(Clone, Debug, Default)]
struct Cache {
    pages: Vec<Option<Page>>,
    uses: u64,
    /// The plan under which they were mapped.
    generation: u64,
}

/// `map-page` whose windows outlive the hypercall.
#[derive(Clone, Debug)]
pub struct PageCache {
    slots: usize,
    /// What each PE has mapped; `None`: nothing yet.
    pes: Option<PerPe<Cache>>,
    /// Goes up with every plan.
    generation: u64,
}

impl PageCache {
    /// With that many slots, at least one.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), pes: None, generation: 0 }
    }

    /// What the PE has mapped.
    fn cache<P: Platform>(&mut self, cx: &Reach<'_, P>) -> &mut Cache {
        let empty = |_| Cache { pages: vec![None; self.slots], uses: 0, generation: self.generation };
        &mut self.pes.get_or_insert_with(|| PerPe::new(cx.plan.pes(), empty))[cx.p.pe()]
    }
}

impl Cache {
    /// The page that holds the address; the use is noted.
    fn find(&mut self, address: u64) -> Option<Span> {
        let page = self.pages.iter_mut().flatten().find(|page| page.span.contains(address))?;
        self.uses += 1;
        page.last_use = self.uses;
        Some(page.span)
    }

    /// A free slot, or that of the page which was used least recently.
    fn pick(&self) -> usize {
        let last_use = |page: &Option<Page>| page.map_or(0, |page| page.last_use);
        self.pages.iter().enumerate().min_by_key(|(_, page)| last_use(page)).map_or(0, |(slot, _)| slot)
    }

    fn put(&mut self, slot: usize, page: Option<Page>) {
        if let Some(place) = self.pages.get_mut(slot) {
            *place = page;
        }
    }

    /// Brings the PE's registers up to date. Nothing is written where nothing changed.
    fn write<P: Platform>(&self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let pins = self.pages.iter().enumerate().filter_map(|(slot, page)| {
            let Page { words, owner, .. } = (*page)?;
            // A pin is on in every view but its domain's own; no view is that of a domain that is not there.
            let domain = if let Owner::Domain(domain) = owner { domain } else { usize::MAX };
            Some(Pin { domain, slot: cx.plan.window_slot(slot), words })
        });
        let pins: Vec<Pin> = pins.collect();
        cx.view.set_pins(cx.plan, cx.p, &pins)
    }

    /// What may be mapped for `wanted`, whose first byte nothing covers: its whole pages, cut to their owner's range and to
    /// the gap between what is enabled.
    fn mappable<P: Platform>(&self, cx: &Reach<'_, P>, wanted: &Wanted) -> Span {
        let first = wanted.span.base();
        let standing = cx.plan.fixed().iter().chain(&cx.plan.view(cx.view.current()).regions);
        let standing = standing.filter_map(|planned| Span::new(planned.region.base(), planned.region.limit()));
        let mapped = self.pages.iter().flatten().map(|page| page.span);
        let whole = wanted.span.page_rounded().intersection(&wanted.within).unwrap_or(wanted.span);
        standing.chain(mapped).fold(whole, |rest, taken| {
            let (below, above) = rest.without(&taken);
            [below, above].into_iter().flatten().find(|part| part.contains(first)).unwrap_or(rest)
        })
    }
}

fn owner(plan: &Plan, address: u64) -> Owner {
    let maps = |view: &&sim_core::hyp::plan::View| view.regions.iter().any(|planned| planned.region.contains(address));
    let mut owners = plan.views().filter(maps).filter_map(|view| match view.id {
        ViewId::Guest(domain) => Some(domain),
        ViewId::Idle | ViewId::Hypervisor => None,
    });
    match (owners.next(), owners.next()) {
        (None, _) => Owner::Nobody,
        (Some(domain), None) => Owner::Domain(domain),
        (Some(_), Some(_)) => Owner::Several,
    }
}

impl Strategy for PageCache {
    fn name(&self) -> &'static str {
        "page-cache"
    }

    fn needs(&self) -> Needs {
        Needs { windows: self.slots, ..Needs::default() }
    }

    /// Whose memory is whose may have changed: every PE forgets what it has mapped, at its next entry.
    fn planned(&mut self, _: &Plan) {
        self.generation += 1;
    }

    fn on_entry<P: Platform>(&mut self, cx: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let generation = self.generation;
        let cache = self.cache(cx);
        if cache.generation == generation {
            return Ok(());
        }
        cache.generation = generation;
        cache.pages.fill(None);
        cache.write(cx)
    }

    fn reach<P: Platform>(&mut self, cx: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        let end = wanted.span.limit();
        if let Some(limit) = cx.covered(wanted) {
            return Ok(limit);
        }
        let cache = self.cache(cx);
        if let Some(span) = cache.find(wanted.span.base()) {
            return Ok(span.limit().min(end));
        }
        // The slot is given up before the gap is looked for: its old page may be next to the new one.
        let slot = cache.pick();
        cache.put(slot, None);
        let span = cache.mappable(cx, wanted);
        let attributes = if wanted.device { DEVICE } else { PRIVATE };
        // What is page-rounded and cut to ranges of a layout is a region.
        let Ok(region) = Region::new(span.base(), span.limit(), attributes) else { return Ok(end) };
        cache.uses += 1;
        let owner = owner(cx.plan, span.base());
        cache.put(slot, Some(Page { span, words: region.words(), owner, last_use: cache.uses }));
        cache.write(cx)?;
        Ok(span.limit().min(end))
    }

    fn on_exit<P: Platform>(&mut self, cx: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        let cache = self.cache(cx);
        let goes = |page: &Option<Page>| page.is_some_and(|page| page.owner == Owner::Several);
        if cache.pages.iter().any(goes) {
            cache.pages.iter_mut().filter(|page| goes(page)).for_each(|page| *page = None);
            cache.write(cx)?;
        }
        cx.leave(next)
    }
}
