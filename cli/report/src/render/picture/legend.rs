//! What the colours and signs mean.

use super::measures::{LEAST_WIDTH, LINE, MARGIN};
use super::{colours, text};
use analysis::budget;
use sim_core::hyp::plan::{Plan, View};
use sim_core::layout::{Layout, Owner};
use sim_core::outcome::Shortage;

/// Side of a swatch.
const SWATCH: u32 = 12;

/// A swatch and its meaning.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) text_x: u32,
    pub(super) text_y: u32,
    /// `None`: a window.
    pub(super) colour: Option<colours::Colour>,
    pub(super) text: String,
}

/// The owners in the picture, hypervisor first, then shared memory, then domains as the scenario has them, in rows from
/// `top` on; and where the next thing may start.
pub(super) fn entries(layout: &Layout, plan: &Plan, views: &[&View], top: u32) -> (Vec<Entry>, u32) {
    let mut owners: Vec<Owner> =
        views.iter().flat_map(|view| budget::slots(plan, view)).flat_map(|slot| slot.holds.owners()).copied().collect();
    owners.sort_by_key(|owner| rank(*owner));
    owners.dedup_by_key(|owner| rank(*owner));
    let mut named: Vec<(Option<colours::Colour>, String)> =
        owners.into_iter().map(|owner| (Some(colours::of(owner)), name(layout, owner))).collect();
    if plan.windows() > 0 {
        named.push((None, "window: a slot for temporary mappings".into()));
    }
    let right = LEAST_WIDTH - MARGIN;
    let (mut x, mut y) = (MARGIN, top);
    let mut entries = Vec::with_capacity(named.len());
    for (colour, name) in named {
        let text = text::fit(&name, right - MARGIN - SWATCH - 6);
        let width = SWATCH + 6 + text::width(&text) + 18;
        if x > MARGIN && x + width > right {
            x = MARGIN;
            y += LINE + 4;
        }
        entries.push(Entry { x, y, text_x: x + SWATCH + 6, text_y: y + 10, colour, text });
        x += width;
    }
    (entries, y + LINE + 10)
}

/// Owners that look alike have one rank.
fn rank(owner: Owner) -> (u8, usize) {
    match owner {
        Owner::Text => (0, 0),
        Owner::Rodata => (1, 0),
        Owner::Data | Owner::Stack(_) => (2, 0),
        Owner::Heap => (3, 0),
        Owner::Pool(None) => (4, 0),
        Owner::Uart => (5, 0),
        Owner::Gic => (6, 0),
        Owner::Shared(index) => (7, index),
        Owner::Ram(domain) | Owner::Granted(domain) | Owner::ReadOnly(domain) | Owner::Pool(Some(domain)) => {
            (8, domain.get())
        }
        Owner::Emulated(index) => (9, index),
        Owner::Passthrough(index) => (10, index),
        Owner::Nobody => (11, 0),
    }
}

/// A domain's colour stands for whatever is its own.
fn name(layout: &Layout, owner: Owner) -> String {
    match owner {
        Owner::Ram(domain) | Owner::Granted(domain) | Owner::ReadOnly(domain) | Owner::Pool(Some(domain)) => {
            words::domain(layout, domain).into()
        }
        owner => words::owner(layout, owner),
    }
}

/// How to read the picture, in lines from `top` on; and where the next thing may start.
pub(super) fn notes(plan: &Plan, top: u32) -> (Vec<(u32, String)>, u32) {
    let mut notes = vec![
        "Addresses grow downwards and limits are inclusive. Heights grow with the logarithm of the size; a zigzag is a break \
         of the axis: no view shown maps anything there.",
        "In a box: slot, owner, rights as PRBAR gives them (r read, w write, x execute; EL2: EL2 alone, all: EL2, EL1 and \
         EL0). SCTLR_EL2.WXN keeps EL2 from executing what it can write. Where a column is empty, the view maps nothing.",
    ];
    notes.extend(plan.shortage().map(|shortage| match shortage {
        Shortage::Regions => "This system is refused: a view or boot takes more slots than there are to use.",
        Shortage::DefaultMap => {
            "This system is refused: the strategy uses the default map of EL2, and the board declares none."
        }
    }));
    let lines = notes.into_iter().flat_map(|note| text::wrap(note, LEAST_WIDTH - 2 * MARGIN));
    let placed: Vec<(u32, String)> = lines.zip(0u32..).map(|(line, at)| (top + 10 + at * LINE, line)).collect();
    let below = top + placed.len() as u32 * LINE;
    (placed, below)
}
