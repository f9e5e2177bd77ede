//! Who uses which slots: the plan as reports list it.

use sim_core::hyp::plan::{Plan, PlannedRegion, View};
use sim_core::layout::Owner;
use sim_core::outcome::ViewId;

/// What a slot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds<'a> {
    /// A region of the plan.
    Region(&'a PlannedRegion),
    /// Temporary mappings.
    Window,
    /// A region that is programmed and not enabled in this view.
    Off(&'a PlannedRegion),
}

impl<'a> Holds<'a> {
    /// Whose memory it covers; empty for a window.
    #[must_use]
    pub fn owners(self) -> &'a [Owner] {
        match self {
            Self::Region(planned) | Self::Off(planned) => &planned.owners,
            Self::Window => &[],
        }
    }
}

/// A slot of a view. In a plan that does not fit, its number may be one the board does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewSlot<'a> {
    /// Its number.
    pub number: usize,
    /// What it is for.
    pub holds: Holds<'a>,
}

/// The slots of a view, in order: the fixed regions, the windows, what is kept in every view, the view's own.
pub fn slots<'a>(plan: &'a Plan, view: &'a View) -> impl Iterator<Item = ViewSlot<'a>> {
    let windows = std::iter::repeat_n(Holds::Window, plan.windows());
    let kept = plan.kept_in(view.id).map(|(planned, on)| if on { Holds::Region(planned) } else { Holds::Off(planned) });
    let own = view.regions.iter().map(Holds::Region);
    let all = plan.fixed().iter().map(Holds::Region).chain(windows).chain(kept).chain(own);
    all.enumerate().map(|(number, holds)| ViewSlot { number, holds })
}

/// The slots that a view takes.
#[must_use]
pub fn used(plan: &Plan, view: &View) -> usize {
    slots(plan, view).count()
}

/// The slots that a view leaves free, of those the strategy can use; 0 if it does not fit.
#[must_use]
pub fn free(plan: &Plan, view: &View) -> usize {
    usize::from(plan.available()).saturating_sub(used(plan, view))
}

/// What one owner, or several that share a merged region, use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use<'a> {
    /// Whose; empty for the windows.
    pub owners: &'a [Owner],
    /// Slots in the view where it has most.
    pub most: usize,
    /// The views where it has any.
    pub views: Vec<ViewId>,
}

/// Slots by owner over `views`, in the order in which slots name them.
#[must_use]
pub fn by_owner<'a>(plan: &'a Plan, views: &[&'a View]) -> Vec<Use<'a>> {
    let mut uses: Vec<Use<'a>> = Vec::new();
    for view in views {
        let counts = count(plan, view);
        for (owners, slots) in counts {
            match uses.iter_mut().find(|found| found.owners == owners) {
                Some(found) => {
                    found.most = found.most.max(slots);
                    found.views.push(view.id);
                }
                None => uses.push(Use { owners, most: slots, views: vec![view.id] }),
            }
        }
    }
    uses
}

/// Slots by owner in one view.
#[must_use]
pub fn count<'a>(plan: &'a Plan, view: &'a View) -> Vec<(&'a [Owner], usize)> {
    let mut counts: Vec<(&[Owner], usize)> = Vec::new();
    for slot in slots(plan, view) {
        let owners = slot.holds.owners();
        match counts.iter_mut().find(|(found, _)| *found == owners) {
            Some((_, slots)) => *slots += 1,
            None => counts.push((owners, 1)),
        }
    }
    counts
}
