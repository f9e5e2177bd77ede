//! One view: its regions on the axis, its windows below, and the slots it leaves.

use super::axis::Axis;
use super::measures::{LINE, WINDOW, WINDOWS_SHOWN, parts};
use super::{colours, text};
use analysis::budget;
use analysis::budget::Holds;
use mpu_model::Level;
use scenario::Scenario;
use sim_core::hyp::plan::{Plan, PlannedRegion, View};
use sim_core::outcome::ViewId;

/// Between the axis and what has no place on it.
pub(super) const TAIL_GAP: u32 = 12;
/// Room at each side of text in a box.
const PAD: u32 = 6;
/// Width of the band at the left edge.
const BAND: u32 = 6;
/// A column that is taller has its name at both ends.
const TALL: u32 = 700;

/// What all columns have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) axis: &'a Axis,
    /// Where the axis starts.
    pub(super) top: u32,
    /// Width of a column.
    pub(super) width: u32,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) x: u32,
    pub(super) width: u32,
    pub(super) top: u32,
    pub(super) height: u32,
    pub(super) full_name: String,
    /// Lines above the column, with their base lines.
    pub(super) head: Vec<(u32, String)>,
    pub(super) regions: Vec<RegionBox>,
    pub(super) windows: Vec<WindowBox>,
    pub(super) rest: Rest,
    /// The view's name once more, where its first is far off.
    pub(super) foot: Option<(u32, String)>,
}

/// A region.
#[derive(Debug)]
pub(super) struct RegionBox {
    pub(super) y: u32,
    pub(super) height: u32,
    /// All there is to say, for whoever points at it.
    pub(super) tip: String,
    pub(super) parts: Vec<Part>,
}

/// The part of a region that has one owner.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) y: u32,
    pub(super) height: u32,
    pub(super) colour: colours::Colour,
    /// Text from the left: x, base line, text.
    pub(super) text: Vec<(u32, u32, String)>,
    /// Text up to the right edge.
    pub(super) right: Option<(u32, u32, String)>,
}

/// One window, or all of them where they are many.
#[derive(Debug)]
pub(super) struct WindowBox {
    pub(super) y: u32,
    pub(super) height: u32,
    pub(super) text: String,
}

/// The slots that are left, or lack.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) y: u32,
    pub(super) text: String,
    pub(super) lacks: bool,
}

/// Height of the windows' boxes.
pub(super) fn windows_height(plan: &Plan) -> u32 {
    if plan.windows() > WINDOWS_SHOWN { WINDOW } else { plan.windows() as u32 * WINDOW }
}

/// Height of all below the axis.
pub(super) fn tail_height(frame: &Frame<'_>, plan: &Plan) -> u32 {
    TAIL_GAP + windows_height(plan) + WINDOW + if frame.tall() { LINE } else { 0 }
}

impl Frame<'_> {
    fn tall(&self) -> bool {
        self.axis.height() > TALL
    }
}

pub(super) fn column(frame: &Frame<'_>, scenario: &Scenario, plan: &Plan, view: &View, x: u32) -> Column {
    let slots: Vec<_> = budget::slots(plan, view).collect();
    let tail = frame.top + frame.axis.height() + TAIL_GAP;
    let regions = slots.iter().filter_map(|slot| match slot.holds {
        Holds::Region(planned) => region(frame, scenario, plan, slot.number, planned, x),
        Holds::Window | Holds::Off(_) => None,
    });
    let below = tail + windows_height(plan);
    let (_, name) = name(scenario, view);
    let windows: Vec<usize> = slots.iter().filter(|slot| slot.holds == Holds::Window).map(|slot| slot.number).collect();
    Column {
        x,
        width: frame.width,
        top: frame.top,
        height: frame.axis.height(),
        full_name: text::clean(&words::view(&scenario.layout, view.id)),
        head: head(frame, scenario, plan, view, slots.len()),
        regions: regions.collect(),
        windows: window_boxes(&windows, tail),
        rest: rest(plan, view, slots.len(), below),
        foot: frame.tall().then(|| (below + 14 + LINE, text::fit(name, frame.width))),
    }
}

/// What kind of view it is, and whose.
fn name<'a>(scenario: &'a Scenario, view: &View) -> (&'static str, &'a str) {
    match view.id {
        ViewId::Guest(position) => ("guest view of", words::domain(&scenario.layout, position)),
        ViewId::Idle => ("", "idle view"),
        ViewId::Hypervisor => ("", "hypervisor view"),
    }
}

fn head(frame: &Frame<'_>, scenario: &Scenario, plan: &Plan, view: &View, used: usize) -> Vec<(u32, String)> {
    let (kind, name) = name(scenario, view);
    let budget = format!("{used} of {} slots", plan.el2_regions());
    [budget.as_str(), name, kind]
        .into_iter()
        .zip(0u32..)
        .map(|(line, up)| (frame.top - 10 - up * LINE, text::fit(line, frame.width)))
        .collect()
}

fn region(
    frame: &Frame<'_>,
    scenario: &Scenario,
    plan: &Plan,
    slot: usize,
    planned: &PlannedRegion,
    x: u32,
) -> Option<RegionBox> {
    let layout = &scenario.layout;
    let parts = parts(layout, planned);
    let (first, last) = (parts.first()?.0, parts.last()?.0);
    let ((top, _), (last_top, last_height)) = (frame.axis.band(first)?, frame.axis.band(last)?);
    let rights = words::short_rights(planned.region.attrs());
    let missing = if slot < usize::from(plan.el2_regions()) { "" } else { " (not on this board)" };
    let tip = format!(
        "slot {slot}{missing}: {}\n{:#x}-{:#x}, {}\n{}",
        words::owners(layout, &planned.owners),
        planned.region.base(),
        planned.region.limit(),
        words::bytes(planned.region.size()),
        planned.region.attrs().at(Level::El2)
    );
    let boxes = parts.iter().enumerate().filter_map(|(at, (span, owner))| {
        let (y, height) = frame.axis.band(*span)?;
        let name = words::short_owner(layout, *owner);
        let label = if at == 0 { format!("{slot} {name}") } else { name };
        let rights = (at == 0).then_some(rights.as_str());
        Some(part(frame, (frame.top + y, height), x, colours::of(*owner), &label, rights))
    });
    Some(RegionBox {
        y: frame.top + top,
        height: last_top + last_height - top,
        tip: text::clean_lines(&tip),
        parts: boxes.collect(),
    })
}

fn part(
    frame: &Frame<'_>,
    (y, height): (u32, u32),
    x: u32,
    colour: colours::Colour,
    label: &str,
    rights: Option<&str>,
) -> Part {
    let left = x + PAD + if colour.band.is_some() { BAND } else { 0 };
    let right = x + frame.width - PAD;
    let room = right.saturating_sub(left);
    let two = height >= 2 * LINE;
    let base = if two && rights.is_some() { y + 13 } else { y + height / 2 + 4 };
    let mut text = vec![(left, base, text::fit(label, room))];
    let mut beside = None;
    if let Some(rights) = rights {
        if two {
            text.push((left, base + LINE - 2, rights.to_owned()));
        } else if text::width(label) + text::width(rights) + 2 * PAD <= room {
            beside = Some((right, base, rights.to_owned()));
        }
    }
    Part { y, height, colour, text, right: beside }
}

fn window_boxes(slots: &[usize], top: u32) -> Vec<WindowBox> {
    if slots.len() > WINDOWS_SHOWN {
        let (first, last) = (slots.first().copied().unwrap_or(0), slots.last().copied().unwrap_or(0));
        let text = format!("{first}-{last} windows");
        return vec![WindowBox { y: top, height: WINDOW - 3, text }];
    }
    let boxes = slots.iter().zip(0u32..);
    boxes
        .map(|(slot, at)| WindowBox { y: top + at * WINDOW, height: WINDOW - 3, text: format!("{slot} window") })
        .collect()
}

fn rest(plan: &Plan, view: &View, used: usize, y: u32) -> Rest {
    let free = budget::free(plan, view);
    let available = usize::from(plan.el2_regions());
    let lacks = used > available;
    let text = match free {
        _ if lacks => format!("{} too many", used - available),
        0 => "none free".into(),
        1 => format!("1 free: {used}"),
        _ => format!("{free} free: {used}-{}", available - 1),
    };
    Rest { y: y + 14, text, lacks }
}
