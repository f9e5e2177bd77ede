//! The JSON form of a comparison.

use super::Run;
use analysis::comparison;
use analysis::comparison::{Moved, Row, Unranked};
use analysis::sensitivity::{Change, Lever, Sensitivity, Side, Work, ranking, sensitivities};
use indexmap::IndexMap;
use scenario::Scenario;
use scenario::profile::{Figure, Fit, Profile, Provenance};
use serde::Serialize;

/// Several runs of one scenario.
#[derive(Debug, Serialize)]
pub struct Comparison {
    scenario: String,
    seed: u64,
    profile: ProfileForm,
    call: Option<String>,
    unranked: Option<&'static str>,
    ranking: Vec<Ranked>,
    sensitivity: Vec<SensitivityForm>,
    other_placements: Vec<MovedForm>,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct ProfileForm {
    name: String,
    about: String,
    figures: IndexMap<&'static str, FigureForm>,
    fit: Option<FitForm>,
}

#[derive(Debug, Serialize)]
struct FigureForm {
    cycles: u64,
    provenance: Provenance,
    source: String,
    range: Option<(u64, u64)>,
}

#[derive(Debug, Serialize)]
struct FitForm {
    what: String,
    source: String,
    cycles: u64,
    range: (u64, u64),
    mpu_writes: u64,
    barriers: u64,
    barrier_share: u64,
}

#[derive(Debug, Serialize)]
struct Ranked {
    strategy: String,
    place: usize,
    work_cycles: u64,
    calls: u64,
}

#[derive(Debug, Serialize)]
struct SensitivityForm {
    figure: &'static str,
    unit: &'static str,
    now: u64,
    changes: Vec<ChangeForm>,
}

#[derive(Debug, Serialize)]
struct ChangeForm {
    side: &'static str,
    limit: u64,
    overtakes: Vec<OvertakingForm>,
    cheapest: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct OvertakingForm {
    winner: String,
    loser: String,
    tied: bool,
}

#[derive(Debug, Serialize)]
struct MovedForm {
    strategy: String,
    placement: &'static str,
    calls: Option<IndexMap<String, CallsForm>>,
}

#[derive(Debug, Serialize)]
struct CallsForm {
    here: u64,
    fewest: u64,
    most: u64,
}

/// The JSON form of a comparison.
#[must_use]
pub fn comparison(scenario: &Scenario, seed: u64, rows: &[Row]) -> Comparison {
    let call = comparison::measured(rows);
    let works = comparison::works(rows, call);
    let found = sensitivities(&works, &scenario.profile);
    Comparison {
        scenario: scenario.name.clone(),
        seed,
        profile: (&*scenario.profile).into(),
        call: call.map(words::trap),
        unranked: comparison::unranked(rows).map(|why| match why {
            Unranked::NothingSent => "nothing-sent",
            Unranked::TooFew => "too-few",
        }),
        ranking: ranked(&works, &scenario.profile),
        sensitivity: found.into_iter().map(|found| sensitivity(found, &works)).collect(),
        other_placements: comparison::moved(rows, scenario.layout.parts().placement)
            .into_iter()
            .map(MovedForm::from)
            .collect(),
        runs: rows
            .iter()
            .map(|row| match &row.came {
                Ok(report) => super::run(&row.scenario, &row.name, seed, report),
                Err(why) => super::not_set_up(&row.scenario, &row.name, seed, why),
            })
            .collect(),
    }
}

fn ranked(works: &[Work], profile: &Profile) -> Vec<Ranked> {
    let costs = profile.costs();
    let places = (1..).zip(ranking(works, &costs));
    let all = places.flat_map(|(place, group)| group.into_iter().map(move |at| (place, at)));
    let one = |(place, at)| {
        let work: &Work = works.get(at)?;
        let work_cycles = costs.of(&work.counts);
        Some(Ranked { strategy: work.name.clone(), place, work_cycles, calls: work.calls })
    };
    all.filter_map(one).collect()
}

fn sensitivity(found: Sensitivity, works: &[Work]) -> SensitivityForm {
    let (figure, unit) = match found.lever {
        Lever::Figure(key) => (key.name(), "cycles"),
        Lever::BarrierShare => ("barrier_share", "percent"),
    };
    let changes = found.changes.into_iter().map(|found| change(found, works)).collect();
    SensitivityForm { figure, unit, now: found.now, changes }
}

fn change(found: Change, works: &[Work]) -> ChangeForm {
    let name = |at: usize| works.get(at).map_or_else(String::new, |work| work.name.clone());
    let overtakes = found.overtakings.into_iter().map(|pair| OvertakingForm {
        winner: name(pair.winner),
        loser: name(pair.loser),
        tied: pair.tied,
    });
    ChangeForm {
        side: match found.side {
            Side::Above => "above",
            Side::Below => "below",
        },
        limit: found.limit,
        overtakes: overtakes.collect(),
        cheapest: found.cheapest.map(|cheapest| cheapest.into_iter().map(name).collect()),
    }
}

impl From<&Profile> for ProfileForm {
    fn from(profile: &Profile) -> Self {
        Self {
            name: profile.name().into(),
            about: profile.about().into(),
            figures: profile.figures().iter().map(|figure| (figure.key.name(), figure.into())).collect(),
            fit: profile.fit().map(FitForm::from),
        }
    }
}

impl From<&Figure> for FigureForm {
    fn from(figure: &Figure) -> Self {
        let Figure { cycles, provenance, source, range, .. } = figure;
        Self { cycles: *cycles, provenance: *provenance, source: source.clone(), range: *range }
    }
}

impl From<&Fit> for FitForm {
    fn from(fit: &Fit) -> Self {
        let Fit { what, source, cycles, range, mpu_writes, barriers, barrier_share } = fit.clone();
        Self { what, source, cycles, range, mpu_writes, barriers, barrier_share }
    }
}

impl From<Moved<'_>> for MovedForm {
    fn from(moved: Moved<'_>) -> Self {
        let calls = moved.calls.map(|calls| {
            let form = calls.into_iter().map(|calls| {
                let (fewest, most) = calls.own;
                (words::trap(calls.trap), CallsForm { here: calls.here, fewest, most })
            });
            form.collect()
        });
        Self { strategy: moved.name.into(), placement: words::placement(moved.placement), calls }
    }
}
