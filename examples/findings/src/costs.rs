//! What each way out costs.

use crate::ask::{self, Sweep};
use crate::document::{Document, list, number};
use crate::{Fallible, PROFILES};

use serde_json::Value;

/// Strategies that run, for tables against the number of domains.
const RUNNING: [&str; 8] =
    ["pin", "map-page", "switch-view", "switch-view:lazy", "hybrid", "enable-mask", "ku-window", "xen-pool"];
/// The approaches of the thread, without the fourth.
const OTHERS: [&str; 4] = ["map-page", "switch-view", "switch-view:lazy", "hybrid"];
const DOMAINS: [&str; 6] = ["2", "4", "8", "16", "32", "64"];

fn mean(counts: &Value, calls: u64, names: &[&str]) -> String {
    let sum =
        names.iter().filter_map(|name| counts["el2"][name].as_u64().or_else(|| counts[name].as_u64())).sum::<u64>();
    if calls == 0 { "-".into() } else { number(ratio(sum, calls)) }
}

#[allow(clippy::cast_precision_loss, reason = "counts of short runs")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

/// The thread's table, under each profile.
pub(crate) fn thread(page: &mut Document) -> Fallible<()> {
    page.section("The question of 2022");
    page.say(
        "Two domains on two PEs send events to each other. Per send: register writes and barriers (means), cycles from trap to return; worst \
         upcall: most cycles from a send's trap to the receiver's handler; exposed: most bytes of other domains within EL2's reach at once \
         while it worked for a domain.",
    );
    let mut said = Vec::new();
    for profile in PROFILES {
        let (command, found) = ask::json(&format!("compare examples/scenarios/thread-2022.toml --profile {profile}"))?;
        let mut rows = Vec::new();
        for run in found["runs"].as_array().into_iter().flatten() {
            let send = &run["hypercalls"]["event_channel_op.send"];
            let calls = send["calls"].as_u64().unwrap_or(0);
            let text = |value: &Value| value.as_u64().map_or_else(|| "-".into(), |value| value.to_string());
            let completed = run["outcome"] == "completed";
            let cell = |value: String| if completed { value } else { "-".to_owned() };
            rows.push(vec![
                format!("`{}`", run["strategy"].as_str().unwrap_or_default()),
                run["outcome"].as_str().unwrap_or_default().to_owned(),
                text(&run["regions"]["required"]),
                cell(mean(&send["counts"], calls, &["prbar"])),
                cell(mean(&send["counts"], calls, &["prlar"])),
                cell(mean(&send["counts"], calls, &["prenr"])),
                cell(mean(&send["counts"], calls, &["isb", "dsb"])),
                cell(text(&send["cycles"]["p50"])),
                cell(text(&send["cycles"]["max"])),
                cell(text(&run["cycles"]["send_to_upcall"]["max"])),
                cell(text(&run["regions"]["exposed"])),
            ]);
        }
        let head = [
            "strategy",
            "outcome",
            "regions needed",
            "PRBAR",
            "PRLAR",
            "PRENR",
            "barriers",
            "send p50",
            "send max",
            "worst upcall",
            "exposed",
        ];
        page.table(&command, &head.map(str::to_owned), &rows);
        page.say(&format!("Cheapest first, by mean work per send under `{profile}`: {}.", ranking(&found)));
        page.say(&changes(&found));
        let of = |name: &str| {
            let ranked = found["ranking"].as_array().into_iter().flatten().find(|ranked| ranked["strategy"] == name);
            let per_call = |ranked: &Value| Some(ratio(ranked["work_cycles"].as_u64()?, ranked["calls"].as_u64()?));
            ranked.and_then(per_call).map_or_else(|| "none".to_owned(), number)
        };
        said.push(format!("{} against {} (`{profile}`)", of("map-page"), of("switch-view")));
    }
    page.point(&format!(
        "Two domains, one send: adding and removing one region at a time (`map-page`) takes {} cycles of work against switching the view \
         (`switch-view`).",
        list(&said)
    ));
    Ok(())
}

fn ranking(found: &Value) -> String {
    let mut said = String::new();
    let mut last = None;
    for ranked in found["ranking"].as_array().into_iter().flatten() {
        let place = ranked["place"].as_u64();
        let (cycles, calls) =
            (ranked["work_cycles"].as_u64().unwrap_or(0), ranked["calls"].as_u64().unwrap_or(1).max(1));
        said += match last {
            None => "",
            Some(last) if last == place => " = ",
            Some(_) => " < ",
        };
        last = Some(place);
        said += &format!("`{}` {}", ranked["strategy"].as_str().unwrap_or_default(), number(ratio(cycles, calls)));
    }
    said
}

/// At which value of which figure the cheapest changes.
fn changes(found: &Value) -> String {
    let mut said = Vec::new();
    for figure in found["sensitivity"].as_array().into_iter().flatten() {
        for change in figure["changes"].as_array().into_iter().flatten() {
            let (side, limit) = (change["side"].as_str().unwrap_or_default(), change["limit"].as_u64().unwrap_or(0));
            let first = &change["overtakes"][0];
            let pair = (first["winner"].as_str().unwrap_or_default(), first["loser"].as_str().unwrap_or_default());
            let more = change["overtakes"].as_array().map_or(0, Vec::len).saturating_sub(1);
            let more = if more == 0 { String::new() } else { format!(", and {more} more") };
            said.push(format!(
                "with {} {side} {limit} (now {}) `{}` gets before `{}`{more}",
                figure["figure"].as_str().unwrap_or_default(),
                figure["now"],
                pair.0,
                pair.1
            ));
        }
    }
    if said.is_empty() {
        "No single figure between 0 and 10,000 cycles changes that order.".into()
    } else {
        format!("What changes that order first, one figure at a time: {}.", said.join("; "))
    }
}

/// Work per send as domains grow.
pub(crate) fn growth(page: &mut Document) -> Fallible<()> {
    page.section("What does a send cost as domains grow?");
    page.say("The ring on 255 EL2 regions, so that every strategy fits: mean cycles of work per send, waiting for the hypervisor lock left out.");
    for profile in PROFILES {
        let sweep = growing(profile)?;
        let work = |domains: &str, strategy: &str| {
            sweep
                .row(&[("ring.domains", domains), ("strategy", strategy), ("outcome", "completed")])?
                .number("send_work")
        };
        let row = |domains: &&str| {
            let cells = RUNNING.iter().map(|name| work(domains, name).map_or_else(|| "-".into(), number));
            std::iter::once((*domains).to_owned()).chain(cells).collect()
        };
        let head: Vec<String> = std::iter::once("domains").chain(RUNNING).map(str::to_owned).collect();
        page.table(&sweep.command, &head, &DOMAINS.iter().map(row).collect::<Vec<_>>());
        let growing = RUNNING.iter().filter_map(|name| {
            let (few, many) = (work("2", name)?, work("64", name)?);
            (many > few * 1.05).then(|| format!("`{name}` by {} times", number(many / few)))
        });
        page.say(&format!("From 2 to 64 domains the cost grows under {}.", list(&growing.collect::<Vec<_>>())));
    }
    Ok(())
}

fn growing(profile: &str) -> Fallible<Sweep> {
    Sweep::run(&format!(
        "--set el2_regions=255 --set quantum=1000000 --set ring.rounds=4 --vary ring.domains={} --strategies {} --profile {profile}",
        DOMAINS.join(","),
        RUNNING.join(",")
    ))
}

/// From how many domains on one window beats the view switch.
pub(crate) fn break_even(page: &mut Document) -> Fallible<()> {
    page.section("Switching one region or the whole view?");
    page.say(
        "The number of domains from which on a send through one window (`map-page`) takes less work than one that loads all domains' RAM \
         (`switch-view`), up to 64 domains on 255 EL2 regions.",
    );
    let mut rows = Vec::new();
    let mut command = String::new();
    let mut said = Vec::new();
    let views = ["switch-view", "switch-view:lazy"];
    for profile in PROFILES {
        let call = "--set el2_regions=255 --set quantum=1000000 --set ring.rounds=4 --vary ring.domains=2..64 --strategies map-page,switch-view,switch-view:lazy";
        let sweep = Sweep::run(&format!("{call} --profile {profile}"))?;
        command = format!("mpusim sweep examples/scenarios/ring.toml {call} --profile PROFILE -o FILE");
        let work = |domains: f64, strategy: &str| {
            sweep.row(&[("ring.domains", &domains.to_string()), ("strategy", strategy)])?.number("send_work")
        };
        let from = |view: &str| {
            let mut least = None;
            for domains in (2..=64).rev().map(f64::from) {
                match (work(domains, "map-page"), work(domains, view)) {
                    (Some(one), Some(all)) if one < all => least = Some(domains),
                    _ => break,
                }
            }
            least.map_or_else(|| "never".to_owned(), number)
        };
        said.push(format!("{} (`{profile}`)", from(views[0])));
        rows.push(vec![format!("`{profile}`"), from(views[0]), from(views[1])]);
    }
    page.point(&format!("With banks apart, `map-page` is the cheaper one from so many domains on: {}.", list(&said)));
    let head = ["profile", "against switch-view", "against switch-view:lazy"].map(str::to_owned);
    page.table(&command, &head, &rows);
    page.say(
        "Banks that touch are one region: two domains side by side, as in thread-2022, make the view switch as cheap as it gets.",
    );
    Ok(())
}

/// FIFO against two-level.
pub(crate) fn fifo(page: &mut Document) -> Fallible<()> {
    page.section("What does FIFO cost over two-level?");
    page.say(
        "The ring with 8 domains on 255 EL2 regions under both ABIs: mean cycles of work per send, profile `counts`.",
    );
    let sweep = Sweep::run(&format!(
        "--set el2_regions=255 --set quantum=1000000 --set ring.domains=8 --vary ring.abi=2l,fifo --strategies {},map-page:4",
        RUNNING.join(",")
    ))?;
    let names: Vec<&str> = RUNNING.iter().copied().chain(["map-page:4"]).collect();
    let cell = |abi: &str, name: &str| sweep.row(&[("ring.abi", abi), ("strategy", name)]);
    let work = |abi: &str, name: &str| cell(abi, name).filter(campaign::sweep::Line::completed)?.number("send_work");
    let mut rows = Vec::new();
    let mut said = Vec::new();
    for name in &names {
        let shown = |abi: &str| {
            let failed = || cell(abi, name).map_or_else(String::new, |line| line.get("outcome").text());
            work(abi, name).map_or_else(failed, number)
        };
        let more = work("2l", name).zip(work("fifo", name)).map(|(two, fifo)| fifo - two);
        let writes = |abi: &str| {
            let line = cell(abi, name)?;
            Some(line.number("send_prbar")? + line.number("send_prlar")? + line.number("send_prenr")?)
        };
        let text = |value: Option<f64>| value.map_or_else(|| "-".into(), number);
        rows.push(vec![
            format!("`{name}`"),
            shown("2l"),
            shown("fifo"),
            text(more),
            text(writes("2l")),
            text(writes("fifo")),
        ]);
        if let Some(more) = more {
            said.push((*name, more));
        }
    }
    let head =
        ["strategy", "two-level", "FIFO", "more", "MPU writes, two-level", "MPU writes, FIFO"].map(str::to_owned);
    page.table(&sweep.command, &head, &rows);
    let dearest = said.iter().max_by(|one, other| one.1.total_cmp(&other.1));
    let least = said.iter().min_by(|one, other| one.1.total_cmp(&other.1));
    if let (Some((most, more)), Some((least, less))) = (dearest, least) {
        page.point(&format!(
            "A FIFO send costs {} to {} operations more than a two-level one.",
            number(*less),
            number(*more)
        ));
        page.say(&format!(
            "A FIFO send costs {} to {} operations more: most under `{most}`, least under `{least}`. It touches the event word, the tail's \
             word, the control block and `vcpu_info`, so what needs a mapping per page pays per page.",
            number(*less),
            number(*more)
        ));
    }
    Ok(())
}

/// Whether all views programmed at once settle the question.
pub(crate) fn masks(page: &mut Document) -> Fallible<()> {
    page.section("Does `enable-mask` make the trade-off moot?");
    page.say(
        "`enable-mask` keeps the hypervisor view and the guest's programmed and changes between them with one PRENR write. Mean cycles of work \
         per send under it and under the cheapest of the thread's approaches (`map-page`, `switch-view`, `switch-view:lazy`, `hybrid`), on 32 EL2 regions.",
    );
    let mut rows = Vec::new();
    let (mut cheaper, mut shown) = (0, 0);
    let mut refused: Option<String> = None;
    let call = "--set el2_regions=32 --set quantum=1000000 --set ring.rounds=4 --vary ring.domains=2..64:2 \
                --strategies map-page,switch-view,switch-view:lazy,hybrid,enable-mask";
    for profile in PROFILES {
        let sweep = Sweep::run(&format!("{call} --profile {profile}"))?;
        for domains in ["2", "8", "16", "24", "32", "64"] {
            let work = |name: &str| {
                sweep
                    .row(&[("ring.domains", domains), ("strategy", name), ("outcome", "completed")])?
                    .number("send_work")
            };
            let best = OTHERS.iter().filter_map(|name| Some((*name, work(name)?)));
            let Some((other, cycles)) = best.min_by(|one, other| one.1.total_cmp(&other.1)) else { continue };
            let mask = work("enable-mask");
            if let Some(mask) = mask {
                shown += 1;
                cheaper += u32::from(mask < cycles);
            }
            let mask = mask.map_or_else(|| "refused".to_owned(), number);
            rows.push(vec![format!("`{profile}`"), domains.into(), mask, format!("{} (`{other}`)", number(cycles))]);
        }
        let failed = sweep.rows(&[("strategy", "enable-mask")]).into_iter().find(|line| !line.completed());
        refused =
            failed.map(|line| format!("{} domains ({})", line.get("ring.domains").text(), line.get("message").text()));
    }
    let head = ["profile", "domains", "enable-mask", "cheapest of the others"].map(str::to_owned);
    page.table(
        &format!(
            "mpusim sweep examples/scenarios/ring.toml {} --profile PROFILE -o FILE",
            call.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        &head,
        &rows,
    );
    let end = refused.as_deref().and_then(|refused| refused.split(" (").next()).unwrap_or("no number of domains shown");
    page.point(&format!(
        "`enable-mask` is cheaper than each of the thread's approaches in {cheaper} of {shown} rows where it fits; on 32 regions it does not fit \
         from {end} on."
    ));
    page.say(&format!(
        "Where it fits it is the cheaper one in {cheaper} of {shown} rows. It stops fitting on 32 regions at {}: there the trade-off is as it was.",
        refused.unwrap_or_else(|| "no number of domains shown".into())
    ));
    let exposed =
        ask::json("compare examples/scenarios/thread-2022.toml --strategies map-page,enable-mask,switch-view")?.1;
    let said = exposed["runs"].as_array().into_iter().flatten().map(|run| {
        let exposed = words::bytes(run["regions"]["exposed"].as_u64().unwrap_or_default());
        format!("`{}` {exposed}", run["strategy"].as_str().unwrap_or_default())
    });
    page.say(&format!(
        "What it does not change is what EL2 can reach: in thread-2022 {}.",
        list(&said.collect::<Vec<_>>())
    ));
    Ok(())
}
