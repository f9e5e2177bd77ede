//! Under which strategies recordings can be replayed: all there are, in all their forms, but for those that are listed here with the
//! reason.

use super::{Options, ReplayError, Setting, Summary, replay};
use scenario::strategy;
use sim_core::hyp::strategy::{Builtin, Settings};
use std::fmt::Write;
use words::Palette;

/// What stands behind a strategy's name in its other forms.
const OPTIONS: [(&str, &[&str]); 5] = [
    ("map-page", &["2"]),
    ("switch-view", &["lazy"]),
    ("hybrid", &["2"]),
    ("enable-mask", &["no-isb"]),
    ("ku-window", &["no-isb"]),
];

const HEAP: &str = "it stands on placement heap, where domains hand over pages of the heap, and recordings name frames of guests' own \
    memory";
const POOL: &str = "it stands on placement pool, where domains hand over pages of the pool, and recordings name frames of guests' own \
    memory";

/// What cannot replay recordings, and why.
const CANNOT: [(&str, &str); 5] = [
    ("naive", "it reaches no memory outside the guest's view, so it faults by design"),
    (
        "enable-mask:no-isb",
        "it leaves out the barrier at entry to EL2 and leans on writes that are not in force: the hazard that it shows",
    ),
    ("ku-window", HEAP),
    ("ku-window:no-isb", HEAP),
    ("xen-pool", POOL),
];

/// A strategy as `--strategy` takes it, and why recordings cannot be replayed under it, if they cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The name, with what stands behind the colon.
    pub name: String,
    /// Why not.
    pub cannot: Option<&'static str>,
}

/// Every strategy in every form, in the order in which reports list them.
#[must_use]
pub fn forms() -> Vec<Form> {
    let form = |name: String| Form { cannot: CANNOT.iter().find(|(at, _)| *at == name).map(|(_, why)| *why), name };
    let of = |name: &'static str| {
        let options = OPTIONS.iter().find(|(at, _)| *at == name).map_or(&[][..], |(_, options)| options);
        std::iter::once(name.to_owned()).chain(options.iter().map(move |option| format!("{name}:{option}")))
    };
    Builtin::NAMES.into_iter().flat_map(of).map(form).collect()
}

/// A replay under each strategy that can, with the strategy's form; `options` say the rest.
pub fn replay_under_all(
    files: &[std::path::PathBuf],
    options: &Options,
) -> Result<Vec<(Form, Option<Summary>)>, ReplayError> {
    let run = |form: Form| {
        if form.cannot.is_some() {
            return Ok((form, None));
        }
        // Each form is one that the parser takes, as the tests say.
        let Ok(strategy) = strategy::parse(&form.name, Settings::default()) else { return Ok((form, None)) };
        let setting = Setting { strategy, ..options.setting.clone() };
        let options = Options { setting, skip_unsupported: options.skip_unsupported };
        replay(files, &options).map(|summary| (form, Some(summary)))
    };
    forms().into_iter().map(run).collect()
}

/// What people read: what went wrong and the totals under each strategy, then which ones cannot and why.
#[must_use]
pub fn render_all(runs: &[(Form, Option<Summary>)], palette: Palette) -> String {
    let mut text = String::new();
    for (form, summary) in runs {
        if let Some(summary) = summary {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}\n{}", palette.bold(&form.name), super::render(summary, palette));
        }
    }
    text.push_str("not replayed:\n");
    for Form { name, cannot } in runs.iter().map(|(form, _)| form) {
        if let Some(why) = cannot {
            let _ = writeln!(text, "  {name:<20}{why}");
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_and_every_form_is_taken() {
        let forms = forms();
        for name in Builtin::NAMES {
            assert!(forms.iter().any(|form| form.name == name), "{name}");
        }
        for Form { name, .. } in &forms {
            strategy::parse(name, Settings::default()).unwrap();
        }
        // A reason without a strategy would be one that nobody reads.
        assert!(CANNOT.iter().all(|(name, _)| forms.iter().any(|form| form.name == *name)));
        assert!(OPTIONS.iter().all(|(name, _)| Builtin::NAMES.contains(name)));
    }
}
