//! The rows of a sweep that go into one set of charts.

use super::ReportError;
use campaign::sweep::{Line, Table};
use indexmap::IndexMap;

/// More sets of charts than this are of no use to anybody.
const MOST: usize = 24;

/// What of a sweep is shown, and along what.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The key to draw along; `None`: the number of domains, else the first number that is varied.
    pub x: Option<String>,
    /// Keys, and the one value of each that is wanted.
    pub only: Vec<(String, String)>,
}

impl Selection {
    /// A selection as it was typed: `--x KEY`, and `--where KEY=VALUE` as often as wanted.
    pub fn parse(x: Option<&str>, only: &[String]) -> Result<Self, ReportError> {
        let pair = |argument: &String| -> Result<(String, String), ReportError> {
            let found = argument.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
            let wrong = || ReportError::Where { argument: argument.clone(), why: "expected KEY=VALUE".into() };
            let (key, value) = found.filter(|(key, value)| !key.is_empty() && !value.is_empty()).ok_or_else(wrong)?;
            Ok((key.to_owned(), value.to_owned()))
        };
        Ok(Self { x: x.map(str::to_owned), only: only.iter().map(pair).collect::<Result<_, _>>()? })
    }

    fn takes(&self, line: &Line<'_>) -> bool {
        self.only.iter().all(|(key, value)| line.get(key).text() == *value)
    }
}

/// The row at a value of x.
pub(super) fn at<'a, 'b>(lines: &'b [(f64, Line<'a>)], x: f64) -> Option<&'b Line<'a>> {
    lines.iter().find(|(other, _)| other.total_cmp(&x).is_eq()).map(|(_, line)| line)
}

/// Rows that differ in the axis and the strategy alone.
#[derive(Debug)]
pub(super) struct Panel<'a> {
    /// What they have in common of what is varied.
    pub(super) title: String,
    /// The key drawn along.
    pub(super) x: &'a str,
    /// By strategy, in the order of the file; by rising x.
    pub(super) strategies: IndexMap<String, Vec<(f64, Line<'a>)>>,
}

impl Panel<'_> {
    /// The values of x, rising.
    pub(super) fn xs(&self) -> Vec<f64> {
        let mut xs: Vec<f64> = self.strategies.values().flatten().map(|(x, _)| *x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        xs
    }
}

/// The panels of a sweep, in the order of the file.
pub(super) fn panels<'a>(table: &'a Table, selection: &Selection) -> Result<Vec<Panel<'a>>, ReportError> {
    let keys: Vec<&str> = table.keys().chain(["strategy", "seed"]).collect();
    for (key, value) in &selection.only {
        let wrong = |why: String| ReportError::Where { argument: format!("{key}={value}"), why };
        if !keys.contains(&key.as_str()) {
            return Err(wrong(format!("{} varies {}", table.path().display(), keys.join(", "))));
        }
        if !table.rows().any(|line| line.get(key).text() == *value) {
            let mut known: Vec<String> = table.rows().map(|line| line.get(key).text()).collect();
            known.dedup();
            known.sort();
            known.dedup();
            return Err(wrong(format!("no row of {} has it; there are {}", table.path().display(), known.join(", "))));
        }
    }
    let lines: Vec<Line<'_>> = table.rows().filter(|line| selection.takes(line)).collect();
    let failed = |why: String| ReportError::Axis { path: table.path().into(), why };
    if lines.is_empty() {
        return Err(failed("no row has all that --where asks for".into()));
    }
    let x = axis(table, &lines, selection.x.as_deref()).map_err(failed)?;
    let several =
        |key: &str| lines.iter().any(|line| lines.first().is_some_and(|first| line.get(key) != first.get(key)));
    let facets: Vec<&str> =
        keys.iter().copied().filter(|key| *key != x && *key != "strategy" && several(key)).collect();
    let mut panels: IndexMap<String, Panel<'_>> = IndexMap::new();
    for line in lines {
        let Some(at) = line.number(x) else { continue };
        let values = facets.iter().map(|key| format!("{key} = {}", line.get(key).text()));
        let title = values.collect::<Vec<_>>().join(", ");
        let panel = panels.entry(title.clone()).or_insert_with(|| Panel { title, x, strategies: IndexMap::new() });
        panel.strategies.entry(line.get("strategy").text()).or_default().push((at, line));
    }
    if panels.len() > MOST {
        let (path, keys) = (table.path().into(), facets.join(", "));
        return Err(ReportError::TooMany { path, panels: panels.len(), most: MOST, keys });
    }
    let mut panels: Vec<Panel<'_>> = panels.into_values().collect();
    for lines in panels.iter_mut().flat_map(|panel| panel.strategies.values_mut()) {
        lines.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    Ok(panels)
}

/// The key to draw along: a number with several values.
fn axis<'a>(table: &'a Table, lines: &[Line<'_>], wanted: Option<&str>) -> Result<&'a str, String> {
    let numeric = |key: &&str| {
        let mut numbers = lines.iter().map(|line| line.number(key));
        let first = numbers.next().flatten();
        first.is_some() && lines.iter().all(|line| line.number(key).is_some()) && numbers.any(|number| number != first)
    };
    let usable: Vec<&str> = table.keys().filter(numeric).collect();
    if let Some(wanted) = wanted {
        let found = usable.iter().find(|key| **key == wanted).copied();
        return found.ok_or_else(|| {
            let known =
                if usable.is_empty() { "none is".to_owned() } else { format!("there are {}", usable.join(", ")) };
            format!("--x {wanted}: expected a varied key whose values are numbers; {known}")
        });
    }
    let domains = usable.iter().find(|key| key.ends_with("domains"));
    domains.or_else(|| usable.first()).copied().ok_or_else(|| {
        "no number is varied, so there is nothing to draw along; sweep one, as in --vary ring.domains=2..16".into()
    })
}
