//! A profile file's text, checked.

use super::key::RawFigures;
use super::raw::{RawFit, RawProfile};
use super::raw_figure::RawFigure;
use super::{Figure, Fit, Key, MAX_CYCLES, Profile, Provenance};
use crate::{LoadError, Number, Problem, Sources, Table, check_name, parsed, within};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use words::shown;

/// The most operations one fitted sum may be made of.
const MAX_OPERATIONS: u64 = 1000;

/// The profile that this text is; `path` names it in messages, and gives it a name if the text has none.
pub(super) fn from_text(path: &Path, text: &str) -> Result<Profile, LoadError> {
    let sources = Sources::new(path, text, &[]);
    let stem = path.file_stem().map(|stem| shown::line(&stem.to_string_lossy()).into_owned()).unwrap_or_default();
    checked(text, stem).map_err(|problem| problem.found_in(&sources))
}

fn checked(text: &str, stem: String) -> Result<Profile, Problem> {
    let raw: RawProfile = parsed(text)?;
    let fit = raw.fit.as_ref().map(|fit| self::fit(fit.get_ref())).transpose()?;
    let figures = figures(&raw.figures, fit.as_ref())?;
    if let Some(unused) = raw.fit.filter(|_| !figures.iter().any(|figure| figure.provenance == Provenance::Fitted)) {
        let unused = Problem::new("no figure is fitted to `[fit]`").at(header(text, unused.span()), "this sum");
        return Err(
            unused.help("give mpu_write, isb or dsb `provenance = \"fitted\"` and no cycles, or drop the table")
        );
    }
    raw.name.as_ref().map_or(Ok(()), check_name)?;
    let name = raw.name.map_or(stem, Spanned::into_inner);
    Ok(Profile { name, about: shown::text(&raw.about).into_owned(), figures, fit })
}

/// The first line of a table.
fn header(text: &str, span: Range<usize>) -> Range<usize> {
    let table = text.get(span.clone()).unwrap_or_default();
    span.start..span.start + table.find('\n').unwrap_or(table.len())
}

fn figures(raw: &Spanned<Table<RawFigures>>, fit: Option<&Fit>) -> Result<Vec<Figure>, Problem> {
    let table = raw.get_ref();
    let mut figures = Vec::new();
    let mut missing = Vec::new();
    let all_writes = table.get(Key::MpuWrite).is_some();
    let each_write = Key::MPU_REGISTERS.iter().all(|key| table.get(*key).is_some());
    for key in Key::ALL {
        match table.get(*key) {
            Some(found) => figures.push(figure(*key, found, fit)?),
            None if *key == Key::MpuWrite && each_write => {}
            None if Key::MPU_REGISTERS.contains(key) => {}
            None => missing.push(key.name()),
        }
    }
    if missing.is_empty() {
        return Ok(figures);
    }
    let plural = if missing.len() == 1 { "figure" } else { "figures" };
    let title = format!("missing {plural}: {}", missing.join(", "));
    let mut problem = Problem::new(title).at(raw.span().start..raw.span().start + 1, "expected in this table");
    let mut help = "each is `NAME = { cycles = N, provenance = \"..\", source = \"..\" }`".to_owned();
    if !all_writes && !each_write {
        help.push_str("; prselr, prbar, prlar, prenr and sctlr together do for mpu_write");
    }
    problem = problem.help(help);
    Err(problem)
}

fn figure(key: Key, raw: &Spanned<Table<RawFigure>>, fit: Option<&Fit>) -> Result<Figure, Problem> {
    let RawFigure { cycles, provenance, source, range } = &**raw.get_ref();
    let kind = *provenance.get_ref();
    let shared = fit.filter(|_| kind == Provenance::Fitted && cycles.is_none());
    if let Some((fit, cost)) = shared.and_then(|fit| Some((fit, fit.cost(key)?))) {
        return Ok(Figure {
            key,
            cycles: cost,
            provenance: kind,
            source: source.clone().unwrap_or_else(|| fit.source.clone()),
            range: Some(fit.range(key)),
        });
    }
    let lacks = |what: &str, help: &str| {
        let problem = Problem::new(format!("figure `{}` has no `{what}`", key.name()));
        Err(problem.at(raw.span(), format!("expected `{what}`")).help(help))
    };
    let Some(cycles) = cycles else {
        return lacks("cycles", "only fitted MPU writes, ISB and DSB go without, where there is a table `[fit]`");
    };
    let cycles_span = cycles.span();
    let cycles = within(cycles, &format!("`{}`", key.name()), 0..=MAX_CYCLES)?;
    let Some(source) = source.clone().filter(|source| !source.trim().is_empty()) else {
        return lacks("source", "say where the figure comes from, or why it was assumed");
    };
    let range = range.as_ref().map(|range| bounds(range.get_ref(), key.name())).transpose()?;
    match range {
        None if kind == Provenance::Fitted => {
            return lacks("range", "range = [LEAST, MOST], the cycles that fit as well");
        }
        Some((low, high)) if !(low..=high).contains(&cycles) => {
            let problem = Problem::new(format!("`{}` is {cycles}, outside its range", key.name()));
            return Err(problem.at(cycles_span, format!("expected {low} to {high}")));
        }
        _ => {}
    }
    Ok(Figure { key, cycles, provenance: kind, source, range })
}

fn bounds(range: &[Spanned<Number>; 2], what: &str) -> Result<(u64, u64), Problem> {
    let [low, high] = range;
    let least = within(low, &format!("the least of `{what}`"), 0..=MAX_CYCLES)?;
    Ok((least, within(high, &format!("the most of `{what}`"), least..=MAX_CYCLES)?))
}

fn fit(raw: &RawFit) -> Result<Fit, Problem> {
    let range = bounds(raw.range.get_ref(), "range")?;
    Ok(Fit {
        what: raw.what.clone(),
        source: raw.source.clone(),
        cycles: within(&raw.cycles, "`cycles`", range.0..=range.1)?,
        range,
        mpu_writes: within(&raw.mpu_writes, "`mpu_writes`", 1..=MAX_OPERATIONS)?,
        barriers: within(&raw.barriers, "`barriers`", 1..=MAX_OPERATIONS)?,
        barrier_share: within(&raw.barrier_share, "`barrier_share` (percent)", 0..=100)?,
    })
}
