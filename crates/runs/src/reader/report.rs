//! The page.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AsInputs, Claim, Looks};
use crate::Spanned;

/// The page: tables, the curves behind them, and what they say about claims.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Report")]
pub struct Report<R = AsInputs, M: Default = R> {
    /// The page's title. Default: the study's name.
    pub title: Option<String>,
    /// The `select`, `steps_to_target` and `heatmap` stages to show.
    pub include: R,
    /// More stages whose runs are shown (`train`, and `command` with `curves`), beside those that the included stages
    /// read. Default: none.
    #[serde(default)]
    pub runs: M,
    /// Claims to decide, each by its name or as `{name: {settings}}`.
    #[serde(default)]
    pub claims: Vec<Spanned<Claim>>,
    /// The numbers of seeds at which verdicts are given, declared beforehand: `[5, 20]` tests the first five seeds at
    /// 1 %, and all twenty at 4 % once they are there. It applies to the fresh seeds of confirmed runs; claims on grids
    /// have one look. Default: one look at all seeds, at 5 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
    /// Seeds that an earlier report of the study used. They have been seen: where there are other seeds, only those
    /// decide. Default: what the cache knows of the study's last report.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub seen_seeds: BTreeSet<u64>,
}
