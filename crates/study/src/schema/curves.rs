//! `curves` of a command: the file in which a program logs what it measures.

use std::collections::BTreeMap;
use std::fmt;

use runs::number::Count;
use runs::{Metric, Spanned};
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::shape::{Shape, by_shape};
use super::{Scalar, not_empty};

/// The file in which a program logs its curves: its path, or a description of it, or several files that together have all
/// columns.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
#[expect(
    dead_code,
    reason = "the forms in which the list of files may be written"
)]
enum Written {
    /// The path, in the working folder, of a file whose columns have the names above.
    Path(String),
    /// A file whose columns have other names.
    File(CurveFile),
    /// Several files.
    Files(#[schemars(length(min = 1))] Vec<CurveFile>),
}

/// The files with curves that a program writes.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Curves(Vec<CurveFile>);

/// A file with curves, as the program's logger writes it: values separated by commas, semicolons or tabs under a
/// header, JSON Lines, or the `trainer_state.json` of Hugging Face.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurveFile {
    /// The path in the working folder.
    pub(crate) path: Spanned<String>,
    /// What the file calls a column, where that is not its name: `{ validation_loss: val_loss, step: epoch }`. A column
    /// of the file that is named here is that and nothing else: with `{ train_loss: loss }` there is no mini-batch `loss`.
    /// In JSON, what is in an object has a name with a dot: `eval.loss`. Default: none.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        serialize_with = "with_those_not_there"
    )]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub(crate) columns: BTreeMap<Column, String>,
    /// Columns of the file to ignore; `*` stands for any text. Default: none, so that a misspelt column is a
    /// mistake.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignore: Vec<String>,
    /// What `step` counts in the file. Default `steps`.
    #[serde(default, skip_serializing_if = "CountedIn::is_default")]
    pub(crate) counted_in: CountedIn,
    /// The number that the file gives the first step, or the first epoch: 0 or 1. A logger that counts from 0 writes the
    /// measurements after the first step under 0. Default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) counted_from: u64,
    /// Tokens in an example, such as the length of its sequence. Required where tokens are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tokens_per_example: Option<Count>,
    /// Whether accuracies are percentages. Default: fractions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) percent: bool,
}

/// What a file counts its steps in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CountedIn {
    /// Updates.
    #[default]
    Steps,
    /// Passes over the training set.
    Epochs,
    /// Examples seen.
    Examples,
    /// Tokens seen.
    Tokens,
}

/// A column of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Column(&'static str);

/// The columns that are no metric.
const OTHERS: [&str; 4] = ["step", "loss", "learning_rate", "examples"];
const NAMES: [&str; OTHERS.len() + Metric::ALL.len()] = {
    let mut names = [""; OTHERS.len() + Metric::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = if at < OTHERS.len() {
            OTHERS[at]
        } else {
            Metric::ALL[at - OTHERS.len()].name()
        };
        at += 1;
    }
    names
};

/// What a file calls each column: those that are given, and `null` for a column whose own name the file has for another
/// one. (The name of the steps is never read as anything else.)
fn with_those_not_there<S: Serializer>(
    given: &BTreeMap<Column, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut all: BTreeMap<Column, Option<&String>> = given
        .iter()
        .map(|(column, name)| (*column, Some(name)))
        .collect();
    for (column, name) in given {
        if let Some(taken) = Column::named(name)
            && column.0 != "step"
        {
            all.entry(taken).or_default();
        }
    }
    all.serialize(serializer)
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_one(number: &u64) -> bool {
    *number == 1
}

impl CountedIn {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Column {
    /// The names of all.
    pub(crate) const NAMES: &'static [&'static str] = &NAMES;

    fn named(name: &str) -> Option<Self> {
        NAMES.into_iter().find(|known| *known == name).map(Self)
    }
}

impl Curves {
    pub(crate) fn files(&self) -> &[CurveFile] {
        &self.0
    }
}

impl JsonSchema for Curves {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Curves".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Column;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column of a curve")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Column, E> {
                Column::named(word).ok_or_else(|| E::unknown_field(word, Column::NAMES))
            }
        }

        deserializer.deserialize_str(Name)
    }
}

by_shape!(Curves);

impl<'de> Shape<'de> for Curves {
    const WANTED: &'static str =
        "the path of a file, a mapping with its `path`, or a list of such mappings";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        let Scalar::Word(path) = scalar else {
            return Err(scalar.unfit(Self::WANTED));
        };
        Ok(Self(vec![CurveFile {
            path: Spanned::nowhere(path),
            columns: BTreeMap::new(),
            ignore: Vec::new(),
            counted_in: CountedIn::Steps,
            counted_from: 1,
            tokens_per_example: None,
            percent: false,
        }]))
    }

    fn mapping<A: MapAccess<'de>>(file: A) -> Result<Self, A::Error> {
        let file = CurveFile::deserialize(MapAccessDeserializer::new(file))?;
        Ok(Self(vec![file]))
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        not_empty(SeqAccessDeserializer::new(list)).map(Self)
    }
}
