//! What a report's cycles are worth.

use super::wrapped;
use scenario::profile::{Figure, Profile, Provenance};

/// The profile, and the figures that a report leans on though nobody measured them.
#[must_use]
pub fn lines(profile: &Profile) -> String {
    let mut out = wrapped(&format!("Profile {}: {}.", profile.name(), profile.about()), "  ");
    if !profile.leans() {
        return out;
    }
    if let Some(fit) = profile.fit() {
        let (low, high) = fit.range;
        let text = format!(
            "  Fitted to {} cycles ({low} to {high}) for {}, of which barriers take {} % (0 to 100 fits as well): {}.",
            words::number(fit.cycles),
            fit.what,
            fit.barrier_share,
            figures(profile.of(Provenance::Fitted)),
        );
        out.push_str(&wrapped(&text, "    "));
    } else if profile.of(Provenance::Fitted).next().is_some() {
        let text = format!("  Fitted, not measured one by one: {}.", figures(profile.of(Provenance::Fitted)));
        out.push_str(&wrapped(&text, "    "));
    }
    if profile.of(Provenance::Assumed).next().is_some() {
        let text = format!("  Assumed, not measured: {}.", figures(profile.of(Provenance::Assumed)));
        out.push_str(&wrapped(&text, "    "));
    }
    out
}

/// `dsb 219 (0 to 302), isb 219 (0 to 302)`.
fn figures<'a>(figures: impl Iterator<Item = &'a Figure>) -> String {
    let one = |figure: &Figure| {
        let range = figure.range.map(|(low, high)| format!(" ({low} to {high})")).unwrap_or_default();
        format!("{} {}{range}", figure.key.name(), figure.cycles)
    };
    figures.map(one).collect::<Vec<_>>().join(", ")
}
