//! What the curves of a `command` stage are curves of.

use runs::Spanned;
use runs::number::Count;
use serde_json::{Map, Value, json};

use super::Program;
use crate::diagnostic::{Draft, Mistake};
use crate::grid::Grid;
use crate::schema::{Column, CurveOf, Name};
use crate::training::Case;

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
                Draft::error(
                    Mistake::MissingSetting,
                    format!("`{name}` lacks `{setting}`"),
                )
                .at(settings, format!("`{setting}` is missing here"))
                .help("give it in `settings` or in `sweep`"),
            );
        }
    }
    for range in &grid.ranges {
        if Column::NAMES.contains(&range.name.as_str()) && !OWN.contains(&range.name.as_str()) {
            mistakes.push(
                Draft::error(
                    Mistake::ColumnName,
                    format!(
                        "a setting is called `{}`, like a column of curves",
                        range.name
                    ),
                )
                .at(range.key_span, "both would have this name in exports")
                .help("give the setting another name"),
            );
        }
        if matches!(range.name.as_str(), "epochs" | "iterations") {
            mistakes.push(
                Draft::warning(Mistake::BudgetNotSwept, format!("`{}` is swept, and the budget is not", range.name))
                    .at(range.key_span, "changes what the program is told, but not the budget in `settings`")
                    .help("write a stage for each budget, the second as `like: FIRST` with its own `settings.budget`"),
            );
        }
        for value in &range.values {
            let (fits, wanted) = match range.name.as_str() {
                "batch_size" => (
                    value.json().as_u64().is_some_and(|x| x > 0),
                    "a whole number, 1 or more",
                ),
                "learning_rate" => (value.number().is_some_and(|x| x > 0.0), "a number above 0"),
                "seed" => (value.json().as_u64().is_some(), "a whole number"),
                "method" | "model" => (value.word().is_some_and(Name::is_name), "a name"),
                _ => (true, ""),
            };
            if !fits {
                mistakes.push(
                    Draft::error(
                        Mistake::BadCurveSetting,
                        format!("`{}` is {wanted}, not {}", range.name, **value),
                    )
                    .at(value.span, "here"),
                );
            }
        }
    }
    let Some(train_examples) = of.train_examples.map(Count::get).or(dataset_examples) else {
        mistakes.push(
            Draft::error(
                Mistake::MissingSetting,
                format!("`{name}` lacks `train_examples`"),
            )
            .at(settings, "the size of the training set is not known")
            .help("give it in `settings`, or name a `dataset` stage among the inputs"),
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
            memory: 0,
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
            let value = range.values[*place as usize].json();
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
