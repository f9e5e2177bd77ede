//! A figure as it is written.

use super::provenance::Provenance;
use crate::{Maybe, Number};
use serde::Deserialize;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFigure {
    pub(super) cycles: Maybe<Number>,
    pub(super) provenance: Spanned<Provenance>,
    pub(super) source: Option<String>,
    pub(super) range: Maybe<[Spanned<Number>; 2]>,
}
