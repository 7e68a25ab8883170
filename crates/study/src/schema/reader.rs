//! The kinds that read runs: `select`, `steps_to_target`, `heatmap`, `report`. What they may be asked for is in
//! [`runs::reader`]; here is how a study names the runs.

use std::borrow::Cow;
use std::ops::Deref;

use runs::reader;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Name, not_empty};
use crate::spanned::Spanned;

pub(crate) use reader::{Axis, By, Claim, Looks};
pub(crate) use runs::Moment;

pub(crate) type Select = reader::Select<Stages>;
pub(crate) type StepsToTarget = reader::StepsToTarget<Stages>;
pub(crate) type Heatmap = reader::Heatmap<Stages>;

/// The stages whose runs are read, at least one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stages(Vec<Spanned<Name>>);

impl Deref for Stages {
    type Target = [Spanned<Name>];

    fn deref(&self) -> &[Spanned<Name>] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Stages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        not_empty(deserializer).map(Self)
    }
}

impl JsonSchema for Stages {
    fn schema_name() -> Cow<'static, str> {
        "Stages".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Vec::<Name>::json_schema(generator);
        schema.insert("minItems".to_owned(), 1.into());
        schema
    }
}

/// The page: tables, the curves behind them, and what they say about claims.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// The page's title. Default: the study's name.
    pub(crate) title: Option<String>,
    /// The `select`, `steps_to_target` and `heatmap` stages to show.
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "not_empty")]
    pub(crate) include: Vec<Spanned<Name>>,
    /// More `train` stages to show, beside those that the included stages read.
    #[serde(default)]
    pub(crate) runs: Vec<Spanned<Name>>,
    /// Claims to decide, each by its name or as `{name: {settings}}`.
    #[serde(default)]
    pub(crate) claims: Vec<Claim>,
    /// The numbers of seeds at which verdicts are given, declared beforehand: `[5, 20]` tests the first five seeds at
    /// 1 %, and all twenty at 4 % once they are there. Default: one look at all seeds, at 5 %.
    pub(crate) looks: Option<Looks>,
}
