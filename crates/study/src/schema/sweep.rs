//! What a stage is run over: values of settings, and which combinations of them.

use std::collections::BTreeMap;
use std::fmt;

use runs::Spanned;
use runs::number::{Count, Finite, Positive};
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::shape::{self, Shape, by_shape};
use super::{Scalar, not_empty};

/// Settings to run over: every combination of their values, unless one of the four keys below says otherwise. Every
/// other key names a setting. In `train` that is one of its keys (`batch_size`, `learning_rate`, `seed`, ...),
/// of its optimizer (`damping`, `momentum`, ...), or a dotted path (`budget.epochs`); in `command` it is any
/// word, for `{word}` in the arguments.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Sweep {
    /// Groups of settings that vary together: the first value of each, then the second of each, and so on.
    /// The settings of a group have equally many values. Default: none.
    #[schemars(with = "Option<Vec<BTreeMap<String, Values>>>")]
    pub(crate) zip: Vec<Spanned<BTreeMap<String, Spanned<Values>>>>,
    /// Points one by one, each with a value for the same settings; combined with the other settings' values.
    /// Default: none.
    #[schemars(with = "Option<Vec<BTreeMap<String, Scalar>>>")]
    pub(crate) points: Vec<Spanned<BTreeMap<String, Spanned<Scalar>>>>,
    /// Combinations to leave out: those that fit one of these. Default: none.
    #[schemars(with = "Option<Vec<BTreeMap<String, Test>>>")]
    pub(crate) exclude: Vec<Spanned<Condition>>,
    /// Conditions: where `if` fits, only combinations that fit `then` are run. Default: none.
    #[schemars(with = "Option<Vec<When>>")]
    pub(crate) when: Vec<Spanned<When>>,
    /// The settings, each with its values.
    #[schemars(flatten, with = "BTreeMap<String, Option<Values>>")]
    pub(crate) values: Vec<(String, Spanned<Values>)>,
}

/// What combinations must be: the value of each of these settings.
pub(crate) type Condition = BTreeMap<String, Spanned<Test>>;

/// A condition on combinations.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct When {
    /// The combinations that the condition is about.
    #[serde(rename = "if")]
    pub(crate) fits: Spanned<Condition>,
    /// What they must fit to be run.
    pub(crate) then: Spanned<Condition>,
}

/// What a setting's value must be.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Test {
    /// This value.
    Is(Scalar),
    /// One of these values.
    OneOf(#[schemars(length(min = 1))] Vec<Spanned<Scalar>>),
    /// A number within bounds.
    Within(Bounds),
}

/// Bounds of a number; at least one of the two.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bounds {
    /// The smallest that fits. Default: none.
    pub(crate) at_least: Option<Finite>,
    /// The largest that fits. Default: none.
    pub(crate) at_most: Option<Finite>,
}

/// The values of one setting: a list, or a progression.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Values {
    /// One by one.
    List(#[schemars(length(min = 1))] Vec<Spanned<Scalar>>),
    /// By a rule.
    Progression(Progression),
}

/// Values by a rule, rounded to 12 significant digits.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progression {
    /// `[from, to]`: `from`, twice that, and so on, up to and including `to`.
    PowersOfTwo(Spanned<[Count; 2]>),
    /// Each is `ratio` times the one before.
    Geometric(Geometric),
    /// Each is `step` more than the one before.
    Linear(Linear),
}

/// `from`, `from * ratio`, `from * ratio^2`, ...
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Geometric {
    /// The first value.
    pub(crate) from: Positive,
    /// What each is multiplied by to give the next.
    pub(crate) ratio: Positive,
    /// How many values.
    pub(crate) count: Count,
}

/// `from`, `from + step`, `from + 2 step`, ...
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Linear {
    /// The first value.
    pub(crate) from: Finite,
    /// What is added to each to give the next.
    pub(crate) step: Finite,
    /// How many values.
    pub(crate) count: Count,
}

impl<'de> Deserialize<'de> for Sweep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Sweep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settings with their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sweep, A::Error> {
                let mut sweep = Sweep::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "zip" => sweep.zip = map.next_value()?,
                        "points" => sweep.points = map.next_value()?,
                        "exclude" => sweep.exclude = map.next_value()?,
                        "when" => sweep.when = map.next_value()?,
                        _ => {
                            sweep.values.push((key, map.next_value()?));
                        }
                    }
                }
                Ok(sweep)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

by_shape!(Test);

impl<'de> Shape<'de> for Test {
    const WANTED: &'static str = "a value, a list of values, or `at_least` and `at_most`";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        Ok(Self::Is(scalar))
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        not_empty(SeqAccessDeserializer::new(list)).map(Self::OneOf)
    }

    fn mapping<A: MapAccess<'de>>(bounds: A) -> Result<Self, A::Error> {
        let bounds = Bounds::deserialize(MapAccessDeserializer::new(bounds))?;
        if bounds.at_least.is_none() && bounds.at_most.is_none() {
            return Err(A::Error::custom("needs `at_least` or `at_most`, or both"));
        }
        Ok(Self::Within(bounds))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // So that what stands in for a mistake is a list.
        deserializer.deserialize_seq(shape::Visitor::<Self>::new())
    }
}

impl<'de> Shape<'de> for Values {
    const WANTED: &'static str = "a list of values, or `powers_of_two`, `geometric` or `linear`";

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Self::List)
    }

    fn mapping<A: MapAccess<'de>>(mut rule: A) -> Result<Self, A::Error> {
        if rule.size_hint() == Some(0) {
            return Err(A::Error::custom(format_args!("needs {}", Self::WANTED)));
        }
        let progression = Progression::deserialize(MapAccessDeserializer::new(&mut rule))?;
        match rule.next_key::<String>()? {
            None => Ok(Self::Progression(progression)),
            Some(other) => Err(A::Error::custom(format_args!(
                "takes one rule for its values, not `{other}` beside another"
            ))),
        }
    }
}
