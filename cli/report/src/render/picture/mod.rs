//! The address space as a picture: one column per view, an axis with breaks, owners in colour, windows hatched.
//!
//! `axis` places addresses, `colours` gives owners their colours, `text` cuts words to their boxes, `measures` has the sizes, `columns` and
//! `legend` put the shapes together, and `templates/view.svg` writes them. Numbers are whole pixels, so the bytes of a
//! picture depend on the plan alone.

mod axis;
mod colours;
mod columns;
mod legend;
mod measures;
mod text;

use analysis::budget;
use askama::Template;
pub use axis::{Axis, Scale, Stretch};
use columns::{Column, Frame};
use legend::Entry;
use measures::{AXIS, COLUMN, GUTTER, LEAST_WIDTH, LINE, MARGIN, MOST_COLUMNS, SHARE, parts};
use scenario::Scenario;
use sim_core::hyp::plan::{Plan, View};
use sim_core::layout::Span;
use sim_core::outcome::ViewId;
use thiserror::Error;

const SCALE: Scale = Scale { least: 20, per_doubling: 1, gap: 16 };

/// The picture, as the template writes it.
#[derive(Debug, Template)]
#[template(path = "view.svg")]
struct Picture {
    /// Stands in front of every id, so that several pictures can share a page.
    ids: String,
    width: u32,
    height: u32,
    title: String,
    lines: Vec<String>,
    fits: bool,
    rulers: Vec<Ruler>,
    columns: Vec<Column>,
    legend: Vec<Entry>,
    notes: Vec<(u32, String)>,
    /// Right end of the rules under the axis.
    margin: u32,
}

/// One copy of the axis.
#[derive(Debug)]
struct Ruler {
    x: u32,
    right: u32,
    /// To where its lines run.
    end: u32,
    marks: Vec<Mark>,
    gaps: Vec<Gap>,
    below: Vec<(u32, &'static str)>,
}

/// An address at the axis.
#[derive(Debug)]
struct Mark {
    /// Where the line is.
    y: u32,
    /// The base line of the address.
    text_y: u32,
    address: String,
    /// The size of the stretch that starts here, and its base line.
    size: Option<(u32, String)>,
}

/// A break of the axis.
#[derive(Debug)]
struct Gap {
    y: u32,
    height: u32,
    text_y: u32,
    size: String,
}

/// Why there is no picture.
#[derive(Debug, Error)]
pub enum DrawError {
    /// Nobody can read it.
    #[error("it would have {columns} columns, more than {MOST_COLUMNS}; pick one view with --domain")]
    TooWide {
        /// One for each view.
        columns: usize,
    },
    /// The template cannot be filled.
    #[error(transparent)]
    Template(#[from] askama::Error),
}

/// The picture of every view, or of `only` one, as SVG. `ids` stands in front of every id in it: pictures on one page need
/// different ones.
pub fn svg(
    scenario: &Scenario,
    strategy: &str,
    plan: &Plan,
    only: Option<ViewId>,
    ids: &str,
) -> Result<String, DrawError> {
    let views: Vec<&View> = plan.views().filter(|view| only.is_none_or(|only| only == view.id)).collect();
    if views.len() > MOST_COLUMNS {
        return Err(DrawError::TooWide { columns: views.len() });
    }
    Ok(Picture { ids: ids.into(), ..picture(scenario, strategy, plan, &views, only) }.render()?)
}

fn picture(scenario: &Scenario, strategy: &str, plan: &Plan, views: &[&View], only: Option<ViewId>) -> Picture {
    let shared = views.len().min(SHARE) as u32;
    let room = LEAST_WIDTH - 2 * MARGIN - AXIS;
    let column = (room / shared.max(1)).saturating_sub(GUTTER).clamp(COLUMN.0, COLUMN.1);
    let groups = views.len().div_ceil(SHARE) as u32;
    let all = views.len() as u32 * (column + GUTTER) + groups * AXIS;
    let width = LEAST_WIDTH.max(all.saturating_add(2 * MARGIN));
    let lines = head(scenario, strategy, plan, only);
    let top = MARGIN + 30 + lines.len() as u32 * LINE + 3 * LINE + 12;
    let axis = Axis::new(&shown(&scenario.layout, plan, views), SCALE);
    let frame = Frame { axis: &axis, top, width: column };

    let mut rulers = Vec::new();
    let mut columns = Vec::new();
    let mut x = MARGIN;
    for group in views.chunks(SHARE) {
        let end = x + AXIS + group.len() as u32 * (column + GUTTER) - GUTTER;
        rulers.push(ruler(&frame, plan, x, end));
        x += AXIS;
        for view in group {
            columns.push(columns::column(&frame, scenario, plan, view, x));
            x += column + GUTTER;
        }
    }
    let below = top + axis.height() + columns::tail_height(&frame, plan) + 24;
    let (legend, below) = legend::entries(&scenario.layout, plan, views, below);
    let (notes, below) = legend::notes(plan, below);
    Picture {
        ids: String::new(),
        width,
        height: below + MARGIN,
        title: text::fit(&scenario.name, (LEAST_WIDTH - 2 * MARGIN) * 11 / 18),
        lines,
        fits: plan.fits(),
        rulers,
        columns,
        legend,
        notes,
        margin: MARGIN,
    }
}

/// What stands under the title.
fn head(scenario: &Scenario, strategy: &str, plan: &Plan, only: Option<ViewId>) -> Vec<String> {
    let board = scenario.layout.board();
    let (count, verdict) = (words::regions_of(&plan.region_needs()), words::fits(plan.shortage()));
    let needs = format!("strategy {strategy} needs {count} of {}: {verdict}", board.name);
    let selected = only.map(|only| format!("the {} alone", words::view(&scenario.layout, only)));
    let description = scenario.description.clone();
    [description, Some(needs), selected]
        .into_iter()
        .flatten()
        .map(|line| text::fit(&line, LEAST_WIDTH - 2 * MARGIN))
        .collect()
}

/// Every range that the picture must show: the regions, and the parts of those that have several owners.
fn shown(layout: &sim_core::layout::Layout, plan: &Plan, views: &[&View]) -> Vec<Span> {
    let mut spans: Vec<Span> = views
        .iter()
        .flat_map(|view| budget::slots(plan, view))
        .filter_map(|slot| match slot.holds {
            budget::Holds::Region(planned) => Some(planned),
            budget::Holds::Window | budget::Holds::Off(_) => None,
        })
        .flat_map(|planned| parts(layout, planned).into_iter().map(|(span, _)| span))
        .collect();
    spans.sort_unstable();
    spans.dedup();
    spans
}

fn ruler(frame: &Frame<'_>, plan: &Plan, x: u32, end: u32) -> Ruler {
    let mut marks = Vec::new();
    let mut gaps = Vec::new();
    let stretches = frame.axis.stretches();
    for (at, stretch) in stretches.iter().enumerate() {
        let y = frame.top + stretch.top;
        let size = words::bytes(stretch.span.size());
        if !stretch.used {
            gaps.push(Gap { y, height: stretch.height, text_y: y + stretch.height / 2 + 4, size });
            continue;
        }
        let address = |address: u64| format!("{address:#010x}");
        let size = Some((y + stretch.height / 2 + 4, size));
        marks.push(Mark { y, text_y: y + 9, address: address(stretch.span.base()), size });
        if stretches.get(at + 1).is_none_or(|next| !next.used) {
            let y = y + stretch.height;
            marks.push(Mark { y, text_y: y - 1, address: address(stretch.span.limit()), size: None });
        }
    }
    let tail = frame.top + frame.axis.height() + columns::TAIL_GAP;
    let windows = columns::windows_height(plan);
    let mut below = Vec::new();
    if windows > 0 {
        below.push((tail + 14, "windows, no fixed place"));
    }
    below.push((tail + windows + 14, "slots left"));
    Ruler { x, right: x + AXIS - 6, end, marks, gaps, below }
}

#[cfg(test)]
mod tests;
