//! How far figures can be trusted.

use serde::{Deserialize, Serialize};

/// How far a figure can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// A unit of counting: no claim about any core.
    Counted,
    /// Measured by whoever wrote the profile.
    Measured,
    /// Taken from something published.
    Published,
    /// One of several figures that explain a published or measured sum as well.
    Fitted,
    /// A guess.
    Assumed,
}

impl Provenance {
    /// As a profile file has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Measured => "measured",
            Self::Published => "published",
            Self::Fitted => "fitted",
            Self::Assumed => "assumed",
        }
    }
}
