//! How many regions each way out needs.

use crate::ask::{self, Sweep};
use crate::document::{Document, grouped, list, number};
use crate::{Fallible, STRATEGIES};

/// Boards by their EL2 regions.
const REGIONS: [&str; 4] = ["16", "20", "24", "32"];
/// Domains shown.
const DOMAINS: [&str; 8] = ["2", "4", "8", "12", "16", "32", "48", "64"];

/// The regions of the largest view, against the number of domains.
pub(crate) fn needed(page: &mut Document) -> Fallible<()> {
    page.section("How many EL2 regions does each way need?");
    page.say(
        "A ring of domains with one bank of RAM each and a gap between banks, so that no two domains share a region. What is needed is the \
         larger of what boot and the views take: a board with one region less is refused. Where the views take less, their number is beside it.",
    );
    let names = STRATEGIES.join(",");
    let sweep =
        Sweep::run(&format!("--vary ring.domains={} --strategies {names} --set ring.rounds=1", DOMAINS.join(",")))?;
    let views = |domains: &str, strategy: &str| {
        sweep.row(&[("ring.domains", domains), ("strategy", strategy)])?.number("regions_views")
    };
    let cell = |domains: &str, strategy: &str| {
        let needed = sweep.row(&[("ring.domains", domains), ("strategy", strategy)])?.number("regions_required")?;
        let views = views(domains, strategy)?;
        let beside = if views < needed { format!(" (views {})", number(views)) } else { String::new() };
        Some(format!("{}{beside}", number(needed)))
    };
    let row = |domains: &&str| {
        let cells = STRATEGIES.iter().map(|name| cell(domains, name).unwrap_or_else(|| "-".into()));
        std::iter::once((*domains).to_owned()).chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = DOMAINS.iter().map(row).collect();
    let head: Vec<String> = std::iter::once("domains").chain(STRATEGIES).map(str::to_owned).collect();
    page.table(&sweep.command, &head, &rows);
    let naive = |domains: &str| views(domains, "naive").unwrap_or(0.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small whole numbers")]
    let extra = |domains: &str| {
        let more = |name: &&str| {
            let regions = views(domains, name)? - naive(domains);
            Some(((*name).to_owned(), regions.max(0.0) as u64))
        };
        grouped(STRATEGIES.iter().filter(|name| **name != "naive").filter_map(more))
    };
    page.say(&format!(
        "Regions that views take beyond those of `naive`, which has none to spare and faults: with 2 domains {}.",
        extra("2")
    ));
    page.say(&format!("With 16 domains {}.", extra("16")));
    page.point(&format!(
        "EL2 regions that views take beyond those of the port that faults, with 2 domains: {}. With 16: {}.",
        extra("2"),
        extra("16")
    ));
    let growing = STRATEGIES.iter().filter(|name| views("64", name) > views("2", name)).map(|name| format!("`{name}`"));
    page.say(&format!(
        "What views take grows with the number of domains under {}; under the others it does not.",
        list(&growing.collect::<Vec<_>>())
    ));
    Ok(())
}

/// How many domains fit, and how naive and pin fail.
pub(crate) fn most(page: &mut Document) -> Fallible<()> {
    page.section("How many domains fit, and how does it fail?");
    page.say("The same ring with 2 to 64 domains. The most domains that ran to the end, by the EL2 regions of the board; boot counts too.");
    let names = STRATEGIES.join(",");
    let sweep = Sweep::run(&format!(
        "--vary el2_regions={} --vary ring.domains=2..64 --strategies {names} --set ring.rounds=1",
        REGIONS.join(",")
    ))?;
    let run = |regions: &str, strategy: &str| {
        let wanted = [("el2_regions", regions), ("strategy", strategy), ("outcome", "completed")];
        sweep
            .rows(&wanted)
            .into_iter()
            .filter_map(|line| line.number("ring.domains"))
            .fold(None, |most: Option<f64>, domains| Some(most.map_or(domains, |most| most.max(domains))))
    };
    let row = |name: &&str| {
        let cells = REGIONS.iter().map(|regions| run(regions, name).map_or_else(|| "none".into(), number));
        std::iter::once(format!("`{name}`")).chain(cells).collect()
    };
    let head: Vec<String> = std::iter::once("strategy".to_owned())
        .chain(REGIONS.iter().map(|regions| format!("{regions} regions")))
        .collect();
    page.table(&sweep.command, &head, &STRATEGIES.iter().map(row).collect::<Vec<_>>());
    for name in ["naive", "pin"] {
        let mut said = Vec::new();
        for regions in REGIONS {
            let wanted = [("el2_regions", regions), ("strategy", name)];
            let failed = sweep.rows(&wanted).into_iter().find(|line| !line.completed());
            if let Some(line) = failed {
                said.push((
                    regions,
                    line.get("ring.domains").text(),
                    line.get("outcome").text(),
                    line.get("message").text(),
                ));
            }
        }
        let points: Vec<String> = said
            .iter()
            .map(|(regions, domains, outcome, _)| format!("{domains} domains on {regions} regions ({outcome})"))
            .collect();
        page.say(&format!("`{name}` fails first with {}.", list(&points)));
        if let Some((_, _, _, message)) = said.last() {
            page.say(&format!("What it says there: \"{message}\"."));
        }
    }
    let fits = |name: &&str| format!("`{name}` {}", run("16", name).map_or_else(|| "none".into(), number));
    page.point(&format!(
        "The most domains (of up to 64) that run on 16 regions: {}.",
        list(&STRATEGIES.iter().map(fits).collect::<Vec<_>>())
    ));
    let reached = |name: &&&str| run("16", name) == Some(64.0);
    let all: Vec<String> = STRATEGIES.iter().filter(reached).map(|name| format!("`{name}`")).collect();
    page.say(&format!("With 16 regions, 64 domains run under {}.", list(&all)));
    Ok(())
}

/// What placements cost in regions, overlap being forbidden.
pub(crate) fn placements(page: &mut Document) -> Fallible<()> {
    page.section("What do pages in the heap or a pool cost in regions?");
    page.say(
        "Two enabled regions may not overlap, so pages that the guest is to reach at EL1 are cut out of the range around them. Regions \
         needed, and of those what the largest view takes; bytes of other domains that EL2 can reach at most while it works for a domain, for thread-2022.",
    );
    let mut rows = Vec::new();
    let mut views = Vec::new();
    let mut commands = Vec::new();
    for (name, placement) in [
        ("naive", "guest-ram"),
        ("naive", "pool"),
        ("naive", "heap"),
        ("map-page", "guest-ram"),
        ("map-page", "pool"),
        ("map-page", "heap"),
        ("xen-pool", "pool"),
        ("ku-window", "heap"),
    ] {
        let call = format!("run examples/scenarios/thread-2022.toml --strategy {name} --set placement={placement}");
        let (command, run) = ask::json(&call)?;
        let totals = run["regions"]["views"].as_array().into_iter().flatten();
        let largest = totals.filter_map(|view| view["total"].as_u64()).max().unwrap_or(0);
        let outcome = run["outcome"].as_str().unwrap_or_default().to_owned();
        let [needed, exposed] =
            ["required", "exposed"].map(|key| run["regions"][key].as_u64().unwrap_or(0).to_string());
        rows.push(vec![format!("`{name}`"), placement.into(), outcome, needed, largest.to_string(), exposed]);
        views.push((name, placement, largest));
        commands.push(command);
    }
    let head = ["strategy", "placement", "outcome", "needed", "views", "bytes exposed"].map(str::to_owned);
    page.table(
        "mpusim run examples/scenarios/thread-2022.toml --strategy STRATEGY --set placement=PLACEMENT",
        &head,
        &rows,
    );
    let base = views.first().map_or(0, |(_, _, regions)| *regions);
    let said: Vec<String> = views
        .iter()
        .filter(|(name, placement, _)| {
            matches!((*name, *placement), ("xen-pool" | "ku-window", _) | ("naive", "pool" | "heap"))
        })
        .map(|(name, placement, regions)| format!("`{name}` in the {placement} {}", regions.saturating_sub(base)))
        .collect();
    page.point(&format!(
        "Pages in the heap or a pool, overlap being forbidden, cost regions of views: {}.",
        list(&said)
    ));
    page.say(&format!("Regions that views take beyond those of `naive` with pages in guests' RAM: {}.", list(&said)));
    Ok(())
}

/// Static memory mapped once, against a page at a time.
pub(crate) fn permanent(page: &mut Document) -> Fallible<()> {
    page.section("Static memory: mapped once, or on demand?");
    page.say(
        "`static-map` has the memory of all domains in every view, the running guest's own cut out; `map-page` maps a page when it is \
         needed. A ring of domains on 255 EL2 regions, with 1 MiB between banks and with none. Regions needed, and those of the largest view; EL2 register \
         writes and cycles of the whole run, boot left out, profile `counts`; bytes of other domains within EL2's reach at once.",
    );
    let mut rows = Vec::new();
    let mut said = Vec::new();
    let call = "run examples/scenarios/ring.toml --set el2_regions=255 --set quantum=1000000";
    for gap in ["0x100000", "0"] {
        for domains in ["2", "8", "32"] {
            let mut pair = Vec::new();
            for name in ["map-page", "static-map"] {
                let arguments = format!("{call} --set ring.domains={domains} --set ring.gap={gap} --strategy {name}");
                let (_, run) = ask::json(&arguments)?;
                let views = run["regions"]["views"].as_array().into_iter().flatten();
                let regions = views.filter_map(|view| view["total"].as_u64()).max().unwrap_or(0);
                let el2 = run["counts"]["el2"].as_object().into_iter().flatten();
                let writes: u64 =
                    el2.filter(|(name, _)| *name != "reads").filter_map(|(_, count)| count.as_u64()).sum();
                let cycles = run["cycles"]["total"].as_u64().unwrap_or(0);
                let exposed = run["regions"]["exposed"].as_u64().unwrap_or(0);
                let send = run["cycles"]["send"]["p50"].as_u64().unwrap_or(0);
                let needed = run["regions"]["required"].as_u64().unwrap_or(0);
                let cells = [needed, regions, send, writes, cycles, exposed].map(|value| value.to_string());
                rows.push([gap.to_owned(), domains.into(), format!("`{name}`")].into_iter().chain(cells).collect());
                pair.push((regions, writes));
            }
            if let [(demand, demand_writes), (once, once_writes)] = pair.as_slice() {
                said.push(format!(
                    "with {domains} domains and gap {gap} {once} regions against {demand}, and {once_writes} register writes against {demand_writes}"
                ));
            }
        }
    }
    let head = ["gap", "domains", "strategy", "needed", "views", "send p50", "MPU writes", "cycles", "bytes exposed"]
        .map(str::to_owned);
    page.table(&format!("mpusim {call} --set ring.domains=N --set ring.gap=GAP --strategy STRATEGY"), &head, &rows);
    if let Some(last) = said.last() {
        page.point(&format!("Static memory mapped once, against on demand, {last}; a send then writes nothing."));
    }
    page.say(&format!("Mapped once against on demand: {}.", said.join("; ")));
    Ok(())
}
