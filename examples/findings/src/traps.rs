//! What strategies cost on traps that touch no other domain's memory.

use crate::document::{Document, list, number};
use crate::{Fallible, STRATEGIES, ask};
use serde_json::Value;
use std::collections::BTreeMap;

/// Work of one kind of trap, per call.
struct Cost {
    mpu_writes: f64,
    barriers: f64,
    cycles: f64,
}

#[allow(clippy::cast_precision_loss, reason = "counts of short runs")]
fn cost(trap: &Value) -> Option<Cost> {
    let calls = trap["calls"].as_u64().filter(|calls| *calls > 0)? as f64;
    let counts = &trap["counts"];
    let sum = |names: &[&str], of: &Value| names.iter().filter_map(|name| of[name].as_u64()).sum::<u64>() as f64;
    Some(Cost {
        mpu_writes: sum(&["prselr", "prbar", "prlar", "prenr", "sctlr"], &counts["el2"]) / calls,
        barriers: sum(&["isb", "dsb"], counts) / calls,
        cycles: trap["cycles"]["p50"].as_f64()?,
    })
}

/// Traps that reach for nobody's memory but the caller's.
pub(crate) fn elsewhere(page: &mut Document) -> Fallible<()> {
    page.section("What is paid on traps that touch no remote memory?");
    page.say(
        "Not every trap sends. Writes to the EL2 MPU and barriers per trap, and its cycles (p50), profile `counts`, in the scenario trap-mix.",
    );
    let (command, found) =
        ask::json(&format!("compare examples/scenarios/trap-mix.toml --strategies {}", STRATEGIES.join(",")))?;
    let mut traps: BTreeMap<String, BTreeMap<String, Cost>> = BTreeMap::new();
    let runs: Vec<&Value> =
        found["runs"].as_array().into_iter().flatten().filter(|run| run["outcome"] == "completed").collect();
    let names: Vec<&str> = runs.iter().filter_map(|run| run["strategy"].as_str()).collect();
    for run in &runs {
        for (name, trap) in ["hypercalls", "traps"].iter().filter_map(|kind| run[kind].as_object()).flatten() {
            if let (Some(strategy), Some(cost)) = (run["strategy"].as_str(), cost(trap)) {
                traps.entry(name.clone()).or_default().insert(strategy.to_owned(), cost);
            }
        }
    }
    // Set-up happens once; what is asked about is what comes again and again.
    let often = |name: &str| {
        runs.iter().any(|run| {
            let calls = |kind: &str| run[kind][name]["calls"].as_u64().unwrap_or(0);
            calls("hypercalls") + calls("traps") > 20
        })
    };
    traps.retain(|name, _| often(name));
    let rows = traps.iter().map(|(trap, costs)| {
        let cells = names.iter().map(|name| {
            costs.get(*name).map_or_else(
                || "-".to_owned(),
                |cost| format!("{} / {} / {}", number(cost.mpu_writes), number(cost.barriers), number(cost.cycles)),
            )
        });
        std::iter::once(trap.clone()).chain(cells).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let head: Vec<String> = std::iter::once("trap").chain(names.iter().copied()).map(str::to_owned).collect();
    page.table(&command, &head, &rows);
    page.say("In each cell: MPU register writes / barriers / cycles.");
    let mut said = Vec::new();
    for (trap, costs) in &traps {
        let more =
            costs.get("switch-view").zip(costs.get("map-page")).map(|(view, page)| view.mpu_writes - page.mpu_writes);
        if let Some(more) = more.filter(|more| trap != "event_channel_op.send" && *more > 0.0) {
            said.push(format!("{} on {trap}", number(more)));
        }
    }
    if said.is_empty() {
        page.point("On traps that touch no remote memory `switch-view` writes no more MPU registers than `map-page`.");
    } else {
        page.point(&format!(
            "Traps that touch no remote memory pay for `switch-view` in MPU registers: {}.",
            list(&said)
        ));
        page.say(&format!(
            "`switch-view`, which loads the hypervisor view at every entry, writes more MPU registers than `map-page` on traps that need nothing of it: {}.",
            list(&said)
        ));
    }
    Ok(())
}
