//! Strategies: the rule by which the hypervisor reaches memory outside the view in force.
//!
//! One file each. A strategy says at plan time what it needs ([`Strategy::needs`]); at run time it is asked at every
//! entry to EL2, before every access to memory that a view might not cover, and at every exit. It works through
//! [`Reach`], whose moves keep two enabled regions from ever sharing a granule.

mod background;
mod enable_mask;
mod hybrid;
mod ku_window;
mod map_page;
mod naive;
mod pin;
mod static_map;
mod switch_view;
mod xen_pool;

pub use background::Background;
pub use enable_mask::EnableMask;
pub use hybrid::Hybrid;
pub use ku_window::KuWindow;
pub use map_page::MapPage;
pub use naive::Naive;
pub use pin::Pin;
pub use static_map::StaticMap;
pub use switch_view::{SwitchView, When};
pub use xen_pool::XenPool;

use super::plan::{Needs, Plan};
use super::view::{PeView, Wanted};
use crate::layout::{Placement, Position};
use crate::outcome::ViewId;
use crate::platform::Platform;
use mpu_model::SlotSet;

/// No slot is left for what was to be mapped for good. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no EL2 region is left for the page; a board with more regions or fewer pages would do")]
pub struct NoSlot;

/// What a strategy works with: the plan, this PE's view, and the platform.
#[derive(Debug)]
pub struct Reach<'a, P> {
    /// The plan.
    pub plan: &'a Plan,
    /// This PE's view.
    pub view: &'a mut PeView,
    /// The platform.
    pub p: &'a mut P,
}

impl<P: Platform> Reach<'_, P> {
    /// If the first byte wanted is in an enabled region: the last byte wanted that the same region covers.
    pub fn covered(&mut self, wanted: &Wanted) -> Option<u64> {
        self.view.covered(self.plan, self.p, wanted)
    }

    /// Maps the pages wanted through a window.
    pub fn open_window(&mut self, wanted: &Wanted) -> Result<u64, P::Fault> {
        self.view.open_window(self.plan, self.p, wanted)
    }

    /// Loads a view for use at EL2.
    pub fn load(&mut self, view: ViewId) -> Result<(), P::Fault> {
        self.view.load(self.plan, self.p, view, false)
    }

    /// Loads the view that is to be in force when EL2 is left: an ERET follows, unless the PE goes idle.
    pub fn leave(&mut self, next: ViewId) -> Result<(), P::Fault> {
        self.view.leaves_for(next);
        self.view.load(self.plan, self.p, next, next != ViewId::Idle)
    }

    /// Leaves EL2 for `next`, whose regions stand programmed in the slots `on`: one write of PRENR. An ERET follows, unless
    /// the PE goes idle.
    pub fn leave_by_mask(&mut self, on: &SlotSet, next: ViewId) -> Result<(), P::Fault> {
        self.view.leaves_for(next);
        self.view.mask(self.plan, self.p, on, next)?;
        self.p.dsb()?;
        if next == ViewId::Idle { self.p.isb() } else { Ok(()) }
    }
}

/// A way to reach memory outside the view in force.
pub trait Strategy {
    /// What `--strategy` takes.
    fn name(&self) -> &'static str;

    /// What it needs beside the guests' views.
    fn needs(&self) -> Needs;

    /// Where `shared_info` and `vcpu_info` have to live for it; `None`: wherever the layout has them.
    fn placement(&self) -> Option<Placement> {
        None
    }

    /// A plan was made, at first or after a domain came or went.
    fn planned(&mut self, plan: &Plan) {
        let _ = plan;
    }

    /// Called once on each PE, when its MPU is on with the idle view.
    fn on_boot<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let _ = reach;
        Ok(())
    }

    /// Called at every entry to EL2, whatever the cause.
    fn on_entry<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let _ = reach;
        Ok(())
    }

    /// Called when an entry goes on that had let go of the hypervisor lock: other PEs may have entered and left meanwhile.
    fn on_relock<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        let _ = reach;
        Ok(())
    }

    /// Whether, under `plan`, what was accepted still has its slots, and one more range could be accepted: what it takes to
    /// clear a new domain's memory.
    fn room(&self, plan: &Plan) -> Result<(), NoSlot> {
        let _ = plan;
        Ok(())
    }

    /// A domain hands over a page for good (`vcpu_info`, `shared_info`, a control block, event words): `wanted` is the structure.
    /// From here on reaching it cannot fail.
    fn accept<P: Platform>(
        &mut self,
        reach: &mut Reach<'_, P>,
        wanted: &Wanted,
        domain: Position,
    ) -> Result<Result<(), NoSlot>, P::Fault> {
        let _ = (reach, wanted, domain);
        Ok(Ok(()))
    }

    /// What was accepted is not used any more. Registers follow before EL2 is left.
    fn release(&mut self, wanted: &Wanted) {
        let _ = wanted;
    }

    /// Called before the hypervisor touches `wanted`: makes its first byte reachable, and says which is the last byte of
    /// it that can be touched before asking again.
    fn reach<P: Platform>(&mut self, reach: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault>;

    /// Called before EL2 is left; `next` is the view of the vCPU that runs next, or the idle view.
    fn on_exit<P: Platform>(&mut self, reach: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        reach.leave(next)
    }
}

/// The strategies that come with the project, chosen by name at run time and dispatched by one match.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Builtin {
    /// See [`Naive`].
    Naive(Naive),
    /// See [`MapPage`].
    MapPage(MapPage),
    /// See [`SwitchView`].
    SwitchView(SwitchView),
    /// See [`Hybrid`].
    Hybrid(Hybrid),
    /// See [`Pin`].
    Pin(Pin),
    /// See [`EnableMask`].
    EnableMask(EnableMask),
    /// See [`KuWindow`].
    KuWindow(KuWindow),
    /// See [`Background`].
    Background(Background),
    /// See [`XenPool`].
    XenPool(XenPool),
    /// See [`StaticMap`].
    StaticMap(StaticMap),
}

/// Settings that some strategies take.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Windows of `map-page` and `hybrid`, at least 1.
    pub windows: usize,
    /// When `switch-view` switches.
    pub when: When,
    /// Whether `enable-mask` and `ku-window` synchronise at entry.
    pub entry_isb: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { windows: 1, when: When::Entry, entry_isb: true }
    }
}

impl Builtin {
    /// Every name [`Builtin::from_name`] takes, in the order in which reports list them.
    pub const NAMES: [&'static str; 10] = [
        "naive",
        "pin",
        "map-page",
        "switch-view",
        "hybrid",
        "enable-mask",
        "ku-window",
        "background",
        "xen-pool",
        "static-map",
    ];

    /// The strategy of that name.
    #[must_use]
    pub fn from_name(name: &str, settings: Settings) -> Option<Self> {
        let windows = settings.windows.max(1);
        Some(match name {
            "naive" => Self::Naive(Naive),
            "map-page" => Self::MapPage(MapPage { windows }),
            "switch-view" => Self::SwitchView(SwitchView { when: settings.when }),
            "hybrid" => Self::Hybrid(Hybrid { windows }),
            "pin" => Self::Pin(Pin::default()),
            "enable-mask" => Self::EnableMask(EnableMask::new(settings.entry_isb)),
            "ku-window" => Self::KuWindow(KuWindow { entry_isb: settings.entry_isb }),
            "background" => Self::Background(Background),
            "xen-pool" => Self::XenPool(XenPool),
            "static-map" => Self::StaticMap(StaticMap),
            _ => return None,
        })
    }
}

macro_rules! each {
    ($self:ident, $strategy:ident => $call:expr) => {
        match $self {
            Self::Naive($strategy) => $call,
            Self::MapPage($strategy) => $call,
            Self::SwitchView($strategy) => $call,
            Self::Hybrid($strategy) => $call,
            Self::Pin($strategy) => $call,
            Self::EnableMask($strategy) => $call,
            Self::KuWindow($strategy) => $call,
            Self::Background($strategy) => $call,
            Self::XenPool($strategy) => $call,
            Self::StaticMap($strategy) => $call,
        }
    };
}

impl Strategy for Builtin {
    fn name(&self) -> &'static str {
        each!(self, strategy => strategy.name())
    }

    fn needs(&self) -> Needs {
        each!(self, strategy => strategy.needs())
    }

    fn placement(&self) -> Option<Placement> {
        each!(self, strategy => strategy.placement())
    }

    fn planned(&mut self, plan: &Plan) {
        each!(self, strategy => strategy.planned(plan));
    }

    fn on_boot<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        each!(self, strategy => strategy.on_boot(reach))
    }

    fn room(&self, plan: &Plan) -> Result<(), NoSlot> {
        each!(self, strategy => strategy.room(plan))
    }

    fn accept<P: Platform>(
        &mut self,
        reach: &mut Reach<'_, P>,
        wanted: &Wanted,
        domain: Position,
    ) -> Result<Result<(), NoSlot>, P::Fault> {
        each!(self, strategy => strategy.accept(reach, wanted, domain))
    }

    fn release(&mut self, wanted: &Wanted) {
        each!(self, strategy => strategy.release(wanted));
    }

    fn on_entry<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        each!(self, strategy => strategy.on_entry(reach))
    }

    fn on_relock<P: Platform>(&mut self, reach: &mut Reach<'_, P>) -> Result<(), P::Fault> {
        each!(self, strategy => strategy.on_relock(reach))
    }

    fn reach<P: Platform>(&mut self, reach: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        each!(self, strategy => strategy.reach(reach, wanted))
    }

    fn on_exit<P: Platform>(&mut self, reach: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        each!(self, strategy => strategy.on_exit(reach, next))
    }
}
