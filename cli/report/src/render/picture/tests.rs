#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use super::*;
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::Position;
use std::fmt::Write;
use std::path::Path;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn load(name: &str) -> Scenario {
    Scenario::load(&root().join("examples/scenarios").join(name), &[]).unwrap()
}

fn plan(scenario: &Scenario, strategy: &str) -> Plan {
    let strategy = scenario::strategy::parse(strategy, scenario.settings).unwrap();
    Plan::sketch(&scenario.layout, strategy.needs())
}

/// `count` domains with names of every length, neighbours among them.
fn many(count: u64) -> Scenario {
    let mut text =
        String::from("scheduler = \"rr\"\nvmid_bits = 16\nheap = { base = 0x08000000, size = 0x01000000 }\n");
    for domain in 1..=count {
        let base = 0x1000_0000 + domain * 0x20_0000;
        let size = if domain % 3 == 0 { 0x20_0000 } else { 0x3000 + 0x1000 * domain };
        let name = "n".repeat(domain as usize % 40);
        write!(text, "[[domain]]\nid = {domain}\nname = \"{name}{domain}\"\nram = [{{ base = {base}, size = {size} }}]\n[[domain.vcpu]]\n").unwrap();
    }
    Scenario::from_text(Path::new("many.toml"), &text, &[]).unwrap()
}

#[test]
fn the_picture_in_the_documents_is_what_is_drawn() {
    let scenario = load("thread-2022.toml");
    let drawn = svg(&scenario, "map-page", &plan(&scenario, "map-page"), None, "").unwrap();
    let golden = std::fs::read_to_string(root().join("docs/view.svg")).unwrap();
    assert!(drawn == golden, "draw it anew: mpusim view examples/scenarios/thread-2022.toml --svg docs/view.svg");
}

/// Boxes of one column, top and bottom, from the top down.
fn boxes(column: &Column) -> Vec<(u32, u32)> {
    let regions = column.regions.iter().map(|region| (region.y, region.y + region.height));
    let windows = column.windows.iter().map(|window| (window.y, window.y + window.height));
    let mut all: Vec<_> = regions.chain(windows).collect();
    all.sort_unstable();
    all
}

#[test]
fn nothing_overlaps_and_text_stays_in_its_box() {
    let scenarios = [load("thread-2022.toml"), load("four-ring.toml"), load("fvp-2023.toml"), many(24), many(64)];
    for scenario in &scenarios {
        for strategy in ["naive", "map-page", "map-page:200", "switch-view", "hybrid:4"] {
            let plan = plan(scenario, strategy);
            let views: Vec<&View> = plan.views().collect();
            let picture = picture(scenario, strategy, &plan, &views, None);
            let what = format!("{} {strategy}", scenario.name);
            assert_eq!(picture.columns.len(), views.len(), "{what}");
            for (column, view) in picture.columns.iter().zip(&views) {
                assert_eq!(column.regions.len(), plan.slots(view).count(), "{what}: every region is drawn");
                assert!(boxes(column).windows(2).all(|pair| pair[0].1 <= pair[1].0), "{what}: {:?}", boxes(column));
                assert!(column.regions.iter().all(|region| region.height >= SCALE.least), "{what}");
                assert!(column.rest.y < picture.legend[0].y, "{what}: the legend is below");
                for part in column.regions.iter().flat_map(|region| &region.parts) {
                    for (x, y, text) in &part.text {
                        // An ellipsis is one character wide in a monospaced font, and counted as two.
                        let right = x + text::width(&text.replace('\u{2026}', "."));
                        assert!(*x >= column.x && right <= column.x + column.width, "{what}: {text}");
                        assert!(*y > part.y + 8 && *y < part.y + part.height, "{what}: {text} at {y} in {part:?}");
                    }
                }
            }
            let columns = picture.columns.windows(2);
            assert!(columns.into_iter().all(|pair| pair[0].x + pair[0].width < pair[1].x), "{what}");
            let last = picture.columns.last().unwrap();
            assert!(last.x + last.width <= picture.width - MARGIN && picture.width >= LEAST_WIDTH, "{what}");
            assert!(picture.notes.iter().all(|(y, _)| *y < picture.height), "{what}");
        }
    }
}

#[test]
fn up_to_six_views_fit_a_thousand_pixels() {
    for (name, strategy) in [("thread-2022.toml", "naive"), ("four-ring.toml", "hybrid")] {
        let scenario = load(name);
        let plan = plan(&scenario, strategy);
        let views: Vec<&View> = plan.views().collect();
        assert_eq!(picture(&scenario, strategy, &plan, &views, None).width, 1000, "{name}");
    }
}

#[test]
fn a_domain_alone_has_one_column() {
    let scenario = many(64);
    let plan = plan(&scenario, "hybrid");
    let drawn = svg(&scenario, "hybrid", &plan, Some(ViewId::Guest(Position::new(9))), "").unwrap();
    assert!(drawn.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\""));
    assert!(drawn.contains("the guest view of nnnnnnnnnn10 alone"));
    assert_eq!(drawn.matches(" of 32 slots</text>").count(), 1);
}

#[test]
fn what_nobody_can_read_is_not_drawn() {
    let scenario = many(256);
    let plan = plan(&scenario, "naive");
    let refused = svg(&scenario, "naive", &plan, None, "").unwrap_err();
    assert!(matches!(refused, DrawError::TooWide { columns: 257 }), "{refused}");
    assert!(svg(&scenario, "naive", &plan, Some(ViewId::Guest(Position::new(255))), "").is_ok());
}

#[test]
fn names_cannot_break_out() {
    let text = "name = \"a<b>&\\\"c\"\nheap = { base = 0x08000000, size = 0x01000000 }\n[[domain]]\nid = 1\nname = \"</text><script>\"\nram = [{ base = 0x10000000, size = 0x1000000 }]\n[[domain.vcpu]]\n";
    let scenario = Scenario::from_text(Path::new("evil.toml"), text, &[]).unwrap();
    let drawn = svg(&scenario, "naive", &plan(&scenario, "naive"), None, "").unwrap();
    assert!(!drawn.contains("<script") && !drawn.contains("a<b"), "{drawn}");
    assert!(drawn.contains("&#60;/text&#62;&#60;script&#62;"));
}

#[test]
fn what_does_not_fit_is_drawn_and_said() {
    let scenario = many(64);
    let plan = plan(&scenario, "switch-view");
    assert!(!plan.fits());
    let drawn = svg(&scenario, "switch-view", &plan, None, "").unwrap();
    assert!(drawn.contains(" too many</text>") && drawn.contains("This system is refused"));
    assert_eq!(drawn, svg(&scenario, "switch-view", &plan, None, "").unwrap());
}
