//! Strategies as they are named on the command line: `map-page`, `map-page:2`, `switch-view:lazy`.

use sim_core::hyp::strategy::{Builtin, Settings, When};
use thiserror::Error;
use words::near;

/// Why a strategy's name was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StrategyError {
    /// No such strategy.
    #[error("there is no strategy {name:?}; {}", near::there_are(name, &Builtin::NAMES))]
    Unknown {
        /// What was typed.
        name: String,
    },
    /// The part behind the colon means nothing.
    #[error("{name} does not take {option:?}; it takes {takes}")]
    Option {
        /// The strategy.
        name: String,
        /// What was behind the colon.
        option: String,
        /// What could be.
        takes: &'static str,
    },
}

/// Windows a strategy may be given: more than any MPU has regions make no sense.
const MAX_WINDOWS: usize = 255;

/// What a sweep runs unless it is told otherwise: every strategy.
pub const SWEPT: &str = "naive,pin,map-page,switch-view,hybrid,enable-mask,ku-window,background,xen-pool,static-map";

/// What a comparison runs unless it is told otherwise: every strategy, and `switch-view` in both its forms.
pub const COMPARED: &str =
    "naive,pin,map-page,switch-view,switch-view:lazy,hybrid,enable-mask,ku-window,background,xen-pool,static-map";

/// The strategy that `text` names, with the scenario's settings where the name has none of its own.
pub fn parse(text: &str, settings: Settings) -> Result<Builtin, StrategyError> {
    let (name, settings) = settle(text, settings)?;
    Builtin::from_name(name, settings).ok_or_else(|| StrategyError::Unknown { name: name.into() })
}

/// The bare name in `text`, and the settings with what stands behind its colon.
pub fn settle(text: &str, mut settings: Settings) -> Result<(&str, Settings), StrategyError> {
    let (name, option) = text.split_once(':').map_or((text, None), |(name, option)| (name, Some(option)));
    let refuse = |takes| StrategyError::Option { name: name.into(), option: option.unwrap_or_default().into(), takes };
    match (name, option) {
        ("map-page" | "hybrid", Some(windows)) => {
            let windows = windows.parse().ok().filter(|windows| (1..=MAX_WINDOWS).contains(windows));
            settings.windows = windows.ok_or_else(|| refuse("a number of windows from 1 to 255"))?;
        }
        ("switch-view", Some("entry")) => settings.when = When::Entry,
        ("switch-view", Some("lazy")) => settings.when = When::Lazy,
        ("switch-view", Some(_)) => return Err(refuse("entry or lazy")),
        ("enable-mask" | "ku-window", Some("no-isb")) => settings.entry_isb = false,
        ("enable-mask" | "ku-window", Some(_)) => return Err(refuse("no-isb")),
        (_, Some(_)) if Builtin::from_name(name, settings).is_some() => {
            return Err(refuse("no option"));
        }
        // No option, or a name nobody knows, which is said below.
        _ => {}
    }
    Ok((name, settings))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use sim_core::hyp::strategy::Strategy;

    #[test]
    fn comparisons_and_sweeps_run_every_strategy() {
        assert_eq!(SWEPT.split(',').collect::<Vec<_>>(), Builtin::NAMES);
        let mut bare: Vec<_> =
            COMPARED.split(',').map(|name| settle(name, Settings::default()).unwrap().0.to_owned()).collect();
        bare.dedup();
        assert_eq!(bare, Builtin::NAMES);
    }

    #[test]
    fn names_with_and_without_options() {
        let windows = |text| parse(text, Settings::default()).map(|strategy| strategy.needs().windows);
        assert_eq!(windows("map-page"), Ok(1));
        assert_eq!(windows("map-page:3"), Ok(3));
        assert_eq!(windows("switch-view:lazy"), Ok(0));
        for bad in ["map-page:0", "map-page:x", "map-page:256", "switch-view:never", "naive:1", "pin-all", ""] {
            assert!(windows(bad).is_err(), "{bad}");
        }
    }
}
