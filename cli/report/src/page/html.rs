//! The page.

use super::chart::{Chart, Data, NARROW, WIDE, class, mark};
use super::frame::Frame;
use super::panel::Selection;
use super::sweep::{self, Set};
use super::{Compared, Input, ReportError};
use askama::Template;
use campaign::sweep::Table;
use indexmap::IndexSet;
use scenario::profile::Profile;

/// A finished page.
#[derive(Debug)]
pub struct Page {
    /// The whole of it.
    pub html: String,
    /// Charts on it.
    pub charts: usize,
    /// Region maps on it.
    pub maps: usize,
}

#[derive(Debug, Template)]
#[template(path = "report.html")]
struct Report {
    version: &'static str,
    sections: Vec<Section>,
}

/// What is said of one input.
#[derive(Debug)]
struct Section {
    id: String,
    title: String,
    about: Vec<String>,
    command: String,
    table: Option<Data>,
    notes: Vec<String>,
    figures: Option<Data>,
    sets: Vec<DrawnSet>,
    maps: Vec<DrawnMap>,
}

#[derive(Debug)]
struct DrawnSet {
    title: String,
    charts: Vec<Drawn>,
}

#[derive(Debug)]
struct Drawn {
    title: String,
    notes: Vec<String>,
    wide: String,
    narrow: String,
    legend: Vec<Entry>,
    data: Data,
    command: String,
}

#[derive(Debug)]
struct Entry {
    class: String,
    mark: String,
    name: String,
}

#[derive(Debug)]
struct DrawnMap {
    strategy: String,
    verdict: &'static str,
    svg: String,
    command: String,
}

/// The page of all inputs, in their order.
pub fn page(inputs: &[Input], selection: &Selection) -> Result<Page, ReportError> {
    let looks = looks(inputs);
    let mut sections = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        let id = format!("input-{}", at + 1);
        sections.push(match input {
            Input::Sweep(table) => of_sweep(id, table, selection, &looks)?,
            Input::Scenario(compared) => of_scenario(id, compared, &looks)?,
        });
    }
    let charts = sections.iter().flat_map(|section| &section.sets).map(|set| set.charts.len()).sum();
    let maps = sections.iter().map(|section| section.maps.len()).sum();
    let report = Report { version: env!("CARGO_PKG_VERSION"), sections };
    Ok(Page { html: report.render()?, charts, maps })
}

/// Every strategy of the page: the same has the same look in all charts.
fn looks(inputs: &[Input]) -> IndexSet<String> {
    let mut looks = IndexSet::new();
    for input in inputs {
        match input {
            Input::Sweep(table) => looks.extend(table.rows().map(|line| line.get("strategy").text())),
            Input::Scenario(compared) => looks.extend(compared.rows.iter().map(|row| row.name.clone())),
        }
    }
    looks
}

fn of_sweep(
    id: String,
    table: &Table,
    selection: &Selection,
    looks: &IndexSet<String>,
) -> Result<Section, ReportError> {
    let about = table.about();
    let file = table.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut words = about.command();
    words.extend(["-o".to_owned(), file.clone()]);
    let command = shell(&words);
    let (rows, cells) = (table.len() as u64, about.cells());
    let part = if rows == cells {
        String::new()
    } else {
        format!(": {rows} of {cells} cells, the others are not in the file")
    };
    Ok(Section {
        id,
        title: file,
        about: vec![format!("A sweep of {cells} cells{part}. Cycles are those of profile {}.", about.profile())],
        table: None,
        notes: Vec::new(),
        figures: None,
        sets: drawn(sweep::sets(table, selection, looks, &command)?)?,
        maps: Vec::new(),
        command,
    })
}

fn of_scenario(id: String, compared: &Compared, looks: &IndexSet<String>) -> Result<Section, ReportError> {
    let scenario = &compared.scenario;
    let command = shell(&compared.command());
    let frame = Frame { looks, command: command.clone(), barriers: None };
    let (table, notes) = compared.table();
    let set = Set { title: String::new(), charts: compared.charts(&frame) };
    let maps = compared.maps(&id)?.into_iter().map(|map| DrawnMap {
        verdict: map.verdict,
        strategy: map.strategy,
        svg: map.svg,
        command: shell(&map.command),
    });
    Ok(Section {
        id,
        title: scenario.name.clone(),
        about: scenario.description.iter().cloned().chain([lean(&scenario.profile)]).collect(),
        command,
        table: Some(table),
        notes,
        figures: Some(figures(&scenario.profile)),
        sets: drawn(vec![set])?,
        maps: maps.collect(),
    })
}

/// What the cycles are worth.
fn lean(profile: &Profile) -> String {
    let leans = if profile.leans() { " It leans on figures that were fitted or assumed: see below." } else { "" };
    format!("Profile {}: {}.{leans}", profile.name(), profile.about())
}

fn figures(profile: &Profile) -> Data {
    let rows = profile.figures().iter().map(|figure| {
        vec![
            figure.key.name().to_owned(),
            figure.cycles.to_string(),
            figure.provenance.name().to_owned(),
            figure.range.map_or_else(String::new, |(low, high)| format!("{low} to {high}")),
            figure.source.clone(),
        ]
    });
    let head = ["figure", "cycles", "provenance", "fits as well", "source"].map(str::to_owned);
    Data { head: head.into(), rows: rows.collect() }
}

fn drawn(sets: Vec<Set>) -> Result<Vec<DrawnSet>, ReportError> {
    let mut all = Vec::new();
    for Set { title, charts } in sets {
        let charts = charts.into_iter().map(draw).collect::<Result<_, _>>()?;
        all.push(DrawnSet { title, charts });
    }
    Ok(all)
}

fn draw(chart: Chart) -> Result<Drawn, ReportError> {
    let entry = |series: &super::chart::Series| Entry {
        class: class(series.style),
        mark: mark(series.style, 14.0, 8.0),
        name: series.name.clone(),
    };
    Ok(Drawn {
        wide: chart.svg(WIDE)?,
        narrow: chart.svg(NARROW)?,
        legend: chart.series.iter().map(entry).collect(),
        title: chart.title,
        notes: chart.notes,
        data: chart.data,
        command: chart.command,
    })
}

/// A command as a shell takes it.
fn shell(words: &[String]) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./=,:+%@".contains(char);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_survive_a_shell() {
        let words = ["mpusim", "sweep", "my ring.toml", "--set", "name=\"it's\""].map(str::to_owned);
        assert_eq!(shell(&words), r#"mpusim sweep 'my ring.toml' --set 'name="it'\''s"'"#);
    }
}
