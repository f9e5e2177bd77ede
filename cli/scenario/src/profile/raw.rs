//! A profile file as it is written.

use super::key::RawFigures;
use crate::{Maybe, Number, Table};
use serde::Deserialize;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    pub(super) name: Maybe<String>,
    pub(super) about: String,
    pub(super) figures: Spanned<Table<RawFigures>>,
    pub(super) fit: Maybe<Table<RawFit>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFit {
    pub(super) what: String,
    pub(super) source: String,
    pub(super) cycles: Spanned<Number>,
    pub(super) range: Spanned<[Spanned<Number>; 2]>,
    pub(super) mpu_writes: Spanned<Number>,
    pub(super) barriers: Spanned<Number>,
    pub(super) barrier_share: Spanned<Number>,
}
