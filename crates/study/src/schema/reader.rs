//! The kinds that read runs: `select`, `steps_to_target`, `heatmap`, `report`. What they may be asked for is in
//! [`runs::reader`]; here is how a study names the runs.

use std::borrow::Cow;
use std::ops::Deref;

use runs::{Spanned, reader};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Name, not_empty};

pub(crate) use reader::{Axis, By};
pub(crate) use runs::Moment;

pub(crate) type Select = reader::Select<Stages>;
pub(crate) type StepsToTarget = reader::StepsToTarget<Stages>;
pub(crate) type Heatmap = reader::Heatmap<Stages>;
pub(crate) type Report = reader::Report<Stages, Vec<Spanned<Name>>>;

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
