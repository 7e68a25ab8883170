//! What a stage is run over: values of settings, and which combinations of them.

use std::collections::BTreeMap;
use std::fmt;

use runs::number::{Count, Finite, Positive};
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Settings to run over: every combination of their values, but for what the four keys below say. Every
/// other key names a setting. In `train` that is one of its keys (`batch_size`, `learning_rate`, `seed`, ...),
/// of its optimizer (`damping`, `momentum`, ...), or a dotted path (`budget.epochs`); in `command` it is any
/// word, for `{word}` in the arguments.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Sweep {
    /// Groups of settings that vary together: the first value of each, then the second of each, and so on.
    /// The settings of a group have equally many values. Default: none.
    #[schemars(with = "Option<Vec<BTreeMap<String, Values>>>")]
    pub(crate) zip: Vec<BTreeMap<String, Values>>,
    /// Points one by one, each with a value for the same settings; combined with the other settings' values.
    /// Default: none.
    #[schemars(with = "Option<Vec<BTreeMap<String, Scalar>>>")]
    pub(crate) points: Vec<BTreeMap<String, Scalar>>,
    /// Combinations to leave out: those that fit one of these. Default: none.
    #[schemars(with = "Option<Vec<BTreeMap<String, Test>>>")]
    pub(crate) exclude: Vec<BTreeMap<String, Test>>,
    /// Conditions: where `if` fits, only combinations that fit `then` are run. Default: none.
    #[schemars(with = "Option<Vec<When>>")]
    pub(crate) when: Vec<When>,
    /// The settings, each with its values.
    #[schemars(flatten, with = "BTreeMap<String, Option<Values>>")]
    pub(crate) values: BTreeMap<String, Values>,
}

/// A condition on combinations.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "conditions are read from the tree, with their places"
)]
pub(crate) struct When {
    /// The combinations that the condition is about.
    #[serde(rename = "if")]
    pub(crate) fits: BTreeMap<String, Test>,
    /// What they must fit to be run.
    pub(crate) then: BTreeMap<String, Test>,
}

/// What a setting's value must be.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
#[expect(
    dead_code,
    reason = "conditions are read from the tree, with their places"
)]
pub(crate) enum Test {
    /// This value.
    Is(Scalar),
    /// One of these values.
    OneOf(#[schemars(length(min = 1))] Vec<Scalar>),
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
    List(#[schemars(length(min = 1))] Vec<Scalar>),
    /// By a rule.
    Progression(Progression),
}

/// A number, a word, or true or false.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Scalar {
    /// A number, rounded to 12 significant digits.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A word.
    Word(String),
}

/// Values by a rule, rounded to 12 significant digits.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progression {
    /// `[from, to]`: from, twice that, ... up to and with to.
    PowersOfTwo([Count; 2]),
    /// Each the `ratio` times the one before.
    Geometric(Geometric),
    /// Each the `step` more than the one before.
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
                            sweep.values.insert(key, map.next_value()?);
                        }
                    }
                }
                Ok(sweep)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

impl<'de> Deserialize<'de> for Test {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarListOrBounds;

        impl<'de> Visitor<'de> for ScalarListOrBounds {
            type Value = Test;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, a list of values, or `at_least` and `at_most`")
            }

            fn visit_f64<E>(self, number: f64) -> Result<Test, E> {
                Ok(Test::Is(Scalar::Number(number)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Test, E> {
                Ok(Test::Is(Scalar::Number(number as f64)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Test, E> {
                Ok(Test::Is(Scalar::Number(number as f64)))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Test, E> {
                Ok(Test::Is(Scalar::Flag(flag)))
            }

            fn visit_str<E>(self, word: &str) -> Result<Test, E> {
                Ok(Test::Is(Scalar::Word(word.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Test, A::Error> {
                let list: Vec<Scalar> = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                if list.is_empty() {
                    return Err(serde::de::Error::custom("must not be empty"));
                }
                Ok(Test::OneOf(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, bounds: A) -> Result<Test, A::Error> {
                let bounds = Bounds::deserialize(MapAccessDeserializer::new(bounds))?;
                if bounds.at_least.is_none() && bounds.at_most.is_none() {
                    return Err(serde::de::Error::custom(
                        "needs `at_least` or `at_most`, or both",
                    ));
                }
                Ok(Test::Within(bounds))
            }
        }

        deserializer.deserialize_any(ScalarListOrBounds)
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrRule;

        impl<'de> Visitor<'de> for ListOrRule {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values, or `powers_of_two`, `geometric` or `linear`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Values, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Values::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, rule: A) -> Result<Values, A::Error> {
                Progression::deserialize(MapAccessDeserializer::new(rule)).map(Values::Progression)
            }
        }

        deserializer.deserialize_seq(ListOrRule)
    }
}

impl Scalar {
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(53) => {
                (*number as i64).into()
            }
            Self::Number(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Word(word) => word.as_str().into(),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.write_str(&crate::sweep::number_text(*number)),
            Self::Flag(flag) => flag.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;

        impl Visitor<'_> for AnyScalar {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a word, or true or false")
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number as f64))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar::Flag(flag))
            }

            fn visit_str<E>(self, word: &str) -> Result<Scalar, E> {
                Ok(Scalar::Word(word.to_owned()))
            }
        }

        deserializer.deserialize_any(AnyScalar)
    }
}
