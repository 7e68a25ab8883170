//! The page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AsInputs, Claim};
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
    /// More `train` stages to show, beside those that the included stages read. Default: none.
    #[serde(default)]
    pub runs: M,
    /// Claims to decide, each by its name or as `{name: {settings}}`.
    #[serde(default)]
    pub claims: Vec<Spanned<Claim>>,
}
