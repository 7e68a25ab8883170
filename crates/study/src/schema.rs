//! What a study file may say: one definition for reading it, for the JSON Schema that editors use, and for
//! the reference page. The doc comments of fields are the texts of both.
//!
//! Here is what each key takes, one by one; how the parts must fit together is in [`crate::check`].

#![expect(
    clippy::doc_markdown,
    reason = "the texts make a page that names BatchNorm as papers do"
)]

mod command;
mod curves;
mod dataset;
mod execution;
mod name;
mod reader;
mod scalar;
pub(crate) mod shape;
mod sweep;
mod train;

use std::collections::BTreeMap;

use runs::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use command::{Command, CurveOf, Run, Variable};
pub(crate) use curves::{Column, CountedIn};
pub(crate) use dataset::{Checksums, Dataset, Sha256, Source};
pub(crate) use execution::{Execution, Time};
pub(crate) use name::Name;
pub(crate) use reader::{Axis, By, Heatmap, Moment, Report, Select, StepsToTarget};
pub(crate) use runs::Metric;
use runs::number::not_empty;
pub(crate) use scalar::{Scalar, rounded};
pub(crate) use sweep::{Condition, Progression, Sweep, Test, Values};
pub(crate) use train::Train;

/// A study: one file, any number of stages, one report. Keys that begin with `x-` are ignored, so that anchors can stand
/// there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("patternProperties" = { "^x-": {} }))]
pub(crate) struct File<S> {
    /// Another study file to start from, relative to the folder of this one. What stands here replaces what stands there:
    /// stage by stage, and within a stage as with `like`; `null` removes a stage or a key. Files that the other study
    /// names stay relative to its own folder.
    #[expect(dead_code, reason = "resolved in the tree, before the file is decoded")]
    pub(crate) extends: Option<String>,
    /// Other studies whose stages are stages of this one, each with this name and `-` before its own: of
    /// `include: {small: other.yaml}`, the stage `sgd` is `small-sgd` here. What stands here of such a stage
    /// replaces what stands there, as with `extends`. A run is the same run in both studies, and is computed once.
    /// Default: none.
    #[expect(dead_code, reason = "resolved in the tree, before the file is decoded")]
    #[serde(default)]
    pub(crate) include: BTreeMap<Name, String>,
    /// The study's name: letters, digits, `-` and `_`.
    pub(crate) study: Name,
    /// The stages by name, in any order; they refer to each other by name.
    #[schemars(with = "BTreeMap<Name, Option<S>>", extend("minProperties" = 1))]
    pub(crate) stages: Spanned<BTreeMap<Name, S>>,
}

/// A stage: exactly one of `dataset`, `train`, `command`, `select`, `steps_to_target`, `heatmap` and `report`;
/// with `train` and `command` there may be a `sweep`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub(crate) struct StageKeys {
    /// Another stage of the same kind to start from. What stands here replaces what stands there: key by key in the kind
    /// of the stage, in `sweep`, `execution`, `evaluation`, `augment`, in an `optimizer` of the same method, and in
    /// `inputs`, `outputs`, `environment` and `settings` of a command; all else (`budget`, `schedule`, the values of a
    /// sweep, ...) as a whole. `null` removes a key.
    #[expect(
        dead_code,
        reason = "resolved in the tree, before the stage is decoded"
    )]
    like: Option<Name>,
    /// Settings to run over, every combination of them.
    sweep: Option<Spanned<Sweep>>,
    /// How its runs are executed. It changes no result, so that a change here reruns nothing.
    #[serde(default)]
    execution: Execution,
    /// Images with labels, split into parts.
    #[serde(default, deserialize_with = "given")]
    dataset: Option<Spanned<Dataset>>,
    /// Training runs.
    #[serde(default, deserialize_with = "given")]
    train: Option<Spanned<Train>>,
    /// Runs of any program.
    #[serde(default, deserialize_with = "given")]
    command: Option<Spanned<Command>>,
    /// The best configurations among runs.
    #[serde(default, deserialize_with = "given")]
    select: Option<Spanned<Select>>,
    /// How many steps runs need to reach targets.
    #[serde(default, deserialize_with = "given")]
    steps_to_target: Option<Spanned<StepsToTarget>>,
    /// A metric over two settings, for each batch size.
    #[serde(default, deserialize_with = "given")]
    heatmap: Option<Spanned<Heatmap>>,
    /// The page.
    #[serde(default, deserialize_with = "given")]
    report: Option<Spanned<Report>>,
}

/// A kind with nothing in it has been given all the same, and lacks what it requires.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A stage.
pub(crate) struct Stage {
    pub(crate) kind: Kind,
    pub(crate) sweep: Option<Spanned<Sweep>>,
    pub(crate) execution: Execution,
}

macro_rules! kinds {
    ($($kind:ident $key:ident,)*) => {
        /// What a stage is.
        pub(crate) enum Kind {
            $($kind(Box<Spanned<$kind>>),)*
        }

        impl Kind {
            /// The kinds, as a study writes them.
            pub(crate) const ALL: [&str; [$(stringify!($key)),*].len()] = [$(stringify!($key)),*];

            /// As a study writes it.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => stringify!($key),)*
                }
            }
        }

        impl StageKeys {
            /// The stage, if exactly one kind is given.
            pub(crate) fn stage(self) -> Option<Stage> {
                let mut kinds = Vec::new();
                $(kinds.extend(self.$key.map(|content| Kind::$kind(Box::new(content))));)*
                let kind = kinds.pop().filter(|_| kinds.is_empty())?;
                Some(Stage { kind, sweep: self.sweep, execution: self.execution })
            }
        }
    };
}
kinds! {
    Dataset dataset,
    Train train,
    Command command,
    Select select,
    StepsToTarget steps_to_target,
    Heatmap heatmap,
    Report report,
}

impl Stage {
    pub(crate) fn dataset(&self) -> Option<&Spanned<Dataset>> {
        match &self.kind {
            Kind::Dataset(dataset) => Some(dataset),
            _ => None,
        }
    }

    pub(crate) fn select(&self) -> Option<&Select> {
        match &self.kind {
            Kind::Select(select) => Some(select),
            _ => None,
        }
    }
}
