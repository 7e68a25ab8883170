//! What the curves of a `command` stage are curves of.

use runs::number::Count;
use serde_json::{Map, Value, json};

use super::Program;
use crate::diagnostic::Draft;
use crate::grid::Grid;
use crate::schema::{Column, CurveOf, Name};
use crate::spanned::Spanned;
use crate::sweep::text_of;
use crate::training::Case;
use crate::yaml::{Node, Value as Yaml};

/// Settings that a curve has beside those of its optimizer.
pub(super) const OWN: [&str; 5] = ["method", "model", "batch_size", "learning_rate", "seed"];

/// The settings of the curves that a program writes.
pub(super) struct Curves {
    pub(super) of: CurveOf,
    pub(super) train_examples: u64,
}

/// What the curves are curves of, if that is complete and every value of the right type.
pub(super) fn curves(
    name: &str,
    of: &Spanned<CurveOf>,
    grid: &Grid,
    dataset_examples: Option<u64>,
    mistakes: &mut Vec<Draft>,
) -> Option<Curves> {
    let before = mistakes.len();
    let settings = of.key;
    for (setting, given) in [
        ("method", of.method.is_some()),
        ("batch_size", of.batch_size.is_some()),
        ("learning_rate", of.learning_rate.is_some()),
    ] {
        if !given && grid.range(setting).is_none() {
            mistakes.push(
                Draft::error(format!("`{name}` lacks `{setting}`"))
                    .at(settings, format!("`{setting}` is missing here"))
                    .help("give it in `settings` or in `sweep`"),
            );
        }
    }
    for range in &grid.ranges {
        if Column::NAMES.contains(&range.name.as_str()) && !OWN.contains(&range.name.as_str()) {
            mistakes.push(
                Draft::error(format!("`{}` is a column of curves", range.name))
                    .at(range.key_span, "a setting of that name")
                    .help("give the setting another name: in exports the two would be one"),
            );
        }
        if matches!(range.name.as_str(), "epochs" | "iterations") {
            mistakes.push(
                Draft::warning(format!("`{}` is swept, and the budget is not", range.name))
                    .at(range.key_span, "changes what the program is told, and not how long a run is")
                    .help("write a stage for each budget, the second as `like: FIRST` with its own `settings.budget`"),
            );
        }
        for value in &range.values {
            let (fits, wanted) = match range.name.as_str() {
                "batch_size" => (
                    scalar(value).as_u64().is_some_and(|x| x > 0),
                    "a whole number, 1 or more",
                ),
                "learning_rate" => (
                    scalar(value).as_f64().is_some_and(|x| x > 0.0),
                    "a number above 0",
                ),
                "seed" => (scalar(value).as_u64().is_some(), "a whole number"),
                "method" | "model" => (
                    Name::is_name(&text_of(value)) && value.text().is_some(),
                    "a name",
                ),
                _ => (true, ""),
            };
            if !fits {
                mistakes.push(
                    Draft::error(format!(
                        "`{}` is {wanted}, not {}",
                        range.name,
                        text_of(value)
                    ))
                    .at(value.span, "here"),
                );
            }
        }
    }
    let Some(train_examples) = of.train_examples.map(Count::get).or(dataset_examples) else {
        mistakes.push(
            Draft::error(format!("`{name}` lacks `train_examples`"))
                .at(settings, "how large is the training set?")
                .help("give it in `settings`; it is known of itself only where one input is a `dataset` stage that says it"),
        );
        return None;
    };
    Draft::are_warnings(&mistakes[before..]).then(|| Curves {
        of: CurveOf::clone(of),
        train_examples,
    })
}

impl Curves {
    fn method(&self, program: &Program, point: &[u32]) -> String {
        let swept = program.swept(point, "method");
        swept
            .and_then(|method| method.as_str().map(str::to_owned))
            .or_else(|| self.of.method.as_ref().map(ToString::to_string))
            .unwrap_or_default()
    }

    fn batch_size(&self, program: &Program, point: &[u32]) -> Count {
        let swept = program
            .swept(point, "batch_size")
            .and_then(|size| Count::new(size.as_u64()?).ok());
        let batch_size = swept.or(self.of.batch_size);
        batch_size.expect("it was checked that the settings or the sweep have it")
    }

    pub(super) fn case(&self, program: &Program, point: &[u32], stage: &str) -> Case {
        let batch_size = self.batch_size(program, point);
        Case {
            method: self.method(program, point),
            batch_size,
            budget: self.of.budget,
            constant_rate: true,
            evaluation: None,
            stop: None,
            stop_from: stage.to_owned(),
            steps_per_epoch: Some(
                self.of
                    .last_batch
                    .steps_per_epoch(self.train_examples, batch_size)
                    .max(1),
            ),
        }
    }

    /// The settings of a run, in the form of those of `train`.
    pub(super) fn settings(&self, program: &Program, point: &[u32]) -> Map<String, Value> {
        let mut optimizer: Map<String, Value> = self
            .of
            .optimizer
            .iter()
            .map(|(name, value)| (name.clone(), value.json()))
            .collect();
        let mut settings = Map::new();
        settings.insert("seed".to_owned(), json!(self.of.seed.unwrap_or(0)));
        settings.insert("budget".to_owned(), json!(self.of.budget));
        settings.insert(
            "batch_size".to_owned(),
            json!(self.batch_size(program, point)),
        );
        if let Some(rate) = self.of.learning_rate {
            settings.insert("learning_rate".to_owned(), json!(rate));
        }
        if let Some(model) = &self.of.model {
            settings.insert("model".to_owned(), json!(model));
        }
        for (range, place) in program.grid.ranges.iter().zip(point) {
            let value = scalar(&range.values[*place as usize]);
            match range.name.as_str() {
                "method" => {}
                own if OWN.contains(&own) => {
                    settings.insert(own.to_owned(), value);
                }
                other => {
                    optimizer.insert(other.to_owned(), value);
                }
            }
        }
        let method = self.method(program, point);
        settings.insert("optimizer".to_owned(), json!({ method: optimizer }));
        settings
    }
}

/// A value of a sweep as JSON; a whole number is one however it is written.
pub(super) fn scalar(node: &Node) -> Value {
    match &node.value {
        Yaml::Integer(number) => i64::try_from(*number).map_or(json!(*number as f64), |x| json!(x)),
        Yaml::Float(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(53) => {
            json!(*number as i64)
        }
        Yaml::Float(number) => json!(number),
        Yaml::Bool(flag) => json!(flag),
        Yaml::Text(text) => json!(text),
        Yaml::Null | Yaml::Sequence(_) | Yaml::Mapping(_) => {
            unreachable!("values of a sweep are scalars")
        }
    }
}
