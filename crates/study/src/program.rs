//! A `command` stage worked out: what it reads, its points, and what its curves are curves of.

mod curves;
mod fill;
mod inputs;
mod paths;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub(crate) use inputs::{From, Read, reference};
pub(crate) use paths::check_paths;

use crate::diagnostic::{Draft, Mistake, Span, did_you_mean};
use crate::grid::Grid;
use crate::schema::{Command, CountedIn, Run, Scalar, Stage, Variable};
use crate::sources::Sources;
use crate::sweep::{self, Range};
use crate::training::{Axis, Origin, Training};
use crate::yaml::{Entry, Node, Value as Yaml};
use curves::{Curves, OWN, curves};
use fill::{fill, placeholders};

/// The runs of a `command` stage.
pub(crate) struct Program {
    pub(crate) grid: Arc<Grid>,
    pub(crate) reads: Vec<Read>,
    /// What its curves are curves of, if it writes curves.
    curves: Option<Curves>,
}

/// Works out a `command` stage; `reads` are its inputs as far as they are sound.
pub(crate) fn program(
    name: &str,
    command: &Command,
    grid: Grid,
    reads: Vec<Read>,
    train_examples: Option<u64>,
    mistakes: &mut Vec<Draft>,
) -> Option<Program> {
    let before = mistakes.len();
    let curves = match (&command.curves, &command.settings) {
        (None, None) => None,
        (None, Some(of)) => {
            mistakes.push(
                Draft::error(Mistake::CurvesWithoutSettings, "`settings` without `curves`")
                    .at(of.key, "there are no curves that these could belong to")
                    .help("name the file with curves that the program writes under `curves`, or remove it"),
            );
            None
        }
        (Some(path), None) => {
            mistakes.push(
                Draft::error(Mistake::CurvesWithoutSettings, format!("`{name}` has `curves` without `settings`"))
                    .at(path.key, "`settings` is missing beside this")
                    .help("add `settings: { method: …, batch_size: …, learning_rate: …, budget: … }`; what is swept may be left out"),
            );
            None
        }
        (Some(_), Some(of)) => curves(name, of, &grid, train_examples, mistakes),
    };
    let program = Program {
        grid: Arc::new(grid),
        reads,
        curves,
    };
    check_counting(command, mistakes);
    check_environment(command, mistakes);
    // What is wrong with `settings` has been told; what they would give is not known.
    let complete = program.curves.is_some() || command.curves.is_none();
    program.check_placeholders(command, complete, mistakes);
    Draft::are_warnings(&mistakes[before..]).then_some(program)
}

/// How the files with curves count.
fn check_counting(command: &Command, mistakes: &mut Vec<Draft>) {
    for (file, span) in command.curve_files() {
        if file.counted_from > 1 {
            mistakes.push(
                Draft::error(Mistake::CountedFrom, "steps are counted from 0 or from 1")
                    .at(span, format!("`counted_from: {}`", file.counted_from))
                    .help("give the number that the file gives the first step, or the first epoch"),
            );
        }
        if file.counted_in == CountedIn::Tokens && file.tokens_per_example.is_none() {
            mistakes.push(
                Draft::error(
                    Mistake::TokensPerExample,
                    "the number of tokens in an example is not known",
                )
                .at(span, "counted in tokens")
                .help("add `tokens_per_example: …`, such as the length of a sequence"),
            );
        }
    }
}

/// Words at the end of a variable's name that make it a secret.
const SECRETS: [&str; 8] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIALS",
    "APIKEY",
    "_KEY",
];

/// Whether an environment variable of this name has what is to be kept nowhere.
pub fn is_secret(variable: &str) -> bool {
    let name = variable.to_uppercase();
    SECRETS.iter().any(|end| name.ends_with(end))
}

/// Warns of secrets in the study.
fn check_environment(command: &Command, mistakes: &mut Vec<Draft>) {
    for (name, variable) in &command.environment {
        // An empty one takes a secret away.
        let is_given = match &**variable {
            Variable::Value(Scalar::Word(word)) => !word.is_empty(),
            Variable::Value(_) => true,
            Variable::FromEnv(_) => false,
        };
        if is_secret(name) && is_given {
            mistakes.push(
                Draft::warning(
                    Mistake::SecretInStudy,
                    format!("`{name}` sounds like a secret, and its value is kept with every result"),
                )
                    .at(variable.span, "kept in the cache, and left out only where it is shown")
                    .help(format!(
                        "write `{name}: {{ from_env: {name} }}` to take it from the environment of `pipeline`, and keep \
                         it nowhere"
                    )),
            );
        }
    }
}

/// Tells placeholders without quotes, which YAML takes for mappings, and reads them as what was meant.
pub(crate) fn quote_placeholders(stage: &mut Node, mistakes: &mut Vec<Draft>) {
    for key in ["run", "environment"] {
        let Some(node) = stage.get_mut("command").and_then(|node| node.get_mut(key)) else {
            continue;
        };
        let nodes: Vec<&mut Node> = match &mut node.value {
            Yaml::Sequence(items) => items.iter_mut().collect(),
            Yaml::Mapping(entries) if key == "environment" => {
                entries.iter_mut().map(|entry| &mut entry.node).collect()
            }
            _ => vec![node],
        };
        for node in nodes {
            let Some(word) = bare_placeholder(node) else {
                continue;
            };
            mistakes.push(
                Draft::error(
                    Mistake::UnquotedPlaceholder,
                    format!("`{{{word}}}` without quotes is a mapping in YAML"),
                )
                .at(node.span, "here")
                .help(format!("put it in quotes: `'{{{word}}}'`")),
            );
            node.value = Yaml::Text(format!("{{{word}}}"));
        }
    }
}

/// `{word}`: a mapping with one key and nothing under it.
fn bare_placeholder(node: &Node) -> Option<String> {
    match node.entries() {
        [Entry { key, node, .. }] if matches!(node.value, Yaml::Null) && fill::is_word(key) => {
            Some(key.clone())
        }
        _ => None,
    }
}

/// The combinations of a `command` stage's sweep.
pub(crate) fn grid(name: &str, stage: &Stage, mistakes: &mut Vec<Draft>) -> Option<Grid> {
    let word = |setting: &str, key: Span, mistakes: &mut Vec<Draft>| {
        if fill::is_word(setting) {
            return Some(vec![setting.to_owned()]);
        }
        mistakes.push(
            Draft::error(
                Mistake::CannotStandInBraces,
                format!("`{setting}` cannot stand in `{{…}}`"),
            )
            .at(key, "a swept setting of a command")
            .help("use letters, digits and `_`, not beginning with a digit"),
        );
        None
    };
    sweep::grid_of(name, stage, &word, mistakes)
}

impl Program {
    /// The text of each swept setting at a point.
    pub(crate) fn texts(&self, point: &[u32]) -> Vec<(&str, String)> {
        let pairs = self.grid.ranges.iter().zip(point);
        pairs
            .map(|(range, place)| {
                (
                    range.name.as_str(),
                    range.values[*place as usize].to_string(),
                )
            })
            .collect()
    }

    /// The value at a point of what may stand in `{…}`.
    fn value(&self, point: &[u32], word: &str) -> Option<String> {
        if let Some((_, text)) = self
            .texts(point)
            .into_iter()
            .find(|(name, _)| *name == word)
        {
            return Some(text);
        }
        let curves = self.curves.as_ref()?;
        let of = &curves.of;
        let case = curves.case(self, point, "");
        match word {
            "method" => of.method.as_ref().map(ToString::to_string),
            "model" => of.model.as_ref().map(ToString::to_string),
            "batch_size" => of.batch_size.map(|count| count.get().to_string()),
            "learning_rate" => of.learning_rate.map(|rate| rate.get().to_string()),
            "seed" => Some(of.seed.unwrap_or(0).to_string()),
            "train_examples" => Some(curves.train_examples.to_string()),
            "iterations" => case.steps().map(|steps| steps.to_string()),
            "epochs" => case.epochs().map(|epochs| epochs.to_string()),
            _ => of.optimizer.get(word).map(ToString::to_string),
        }
    }

    /// The value of a swept setting at a point.
    fn swept(&self, point: &[u32], name: &str) -> Option<Value> {
        let at = self
            .grid
            .ranges
            .iter()
            .position(|range| range.name == name)?;
        Some(self.grid.ranges[at].values[point[at] as usize].json())
    }

    /// What may stand in `{…}`.
    fn words(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self
            .grid
            .ranges
            .iter()
            .map(|range| range.name.as_str())
            .collect();
        if let Some(curves) = &self.curves {
            let own = OWN
                .into_iter()
                .chain(["train_examples", "iterations", "epochs"]);
            words.extend(own.chain(curves.of.optimizer.keys().map(String::as_str)));
        }
        words
    }

    fn check_placeholders(&self, command: &Command, complete: bool, mistakes: &mut Vec<Draft>) {
        let first: Vec<u32> = self
            .grid
            .points()
            .next()
            .map_or(Vec::new(), <[u32]>::to_vec);
        let mut used: Vec<String> = Vec::new();
        let mut texts: Vec<(&str, Span)> = match &*command.run {
            Run::Shell(line) => vec![(line, command.run.span)],
            Run::Program(arguments) => {
                let words = arguments.iter();
                words
                    .filter_map(|word| Some((word.word()?, word.span)))
                    .collect()
            }
        };
        texts.extend(
            command
                .environment
                .values()
                .filter_map(|variable| match &**variable {
                    Variable::Value(value) => Some((value.word()?, variable.span)),
                    Variable::FromEnv(_) => None,
                }),
        );
        for (line, span) in texts {
            for word in placeholders(line) {
                if complete && self.value(&first, &word).is_none() {
                    mistakes.push(
                        Draft::error(
                            Mistake::NoSuchPlaceholder,
                            format!("`{{{word}}}` has no value: neither `sweep` nor `settings` has `{word}`"),
                        )
                        .at(span, "here")
                        .help(if command.inputs.contains_key(&word) {
                            format!("an input lies in the program's folder under its name: write `{word}`")
                        } else {
                            format!(
                                "{} (`{{{{{word}}}}}` gives the program `{{{word}}}` as it is)",
                                did_you_mean(&word, self.words())
                            )
                        }),
                    );
                }
                used.push(word);
            }
        }
        let read = |name: &str| {
            self.reads
                .iter()
                .any(|read| matches!(&read.from, From::Runs { shared, .. } if shared.iter().any(|one| one == name)))
        };
        for range in &self.grid.ranges {
            let through = match range.name.as_str() {
                // They decide the budget, and what else may be given to the program of it.
                "batch_size" => used
                    .iter()
                    .any(|word| word == "iterations" || word == "epochs"),
                _ => false,
            };
            if !used.contains(&range.name) && !read(&range.name) && !through {
                mistakes.push(
                    Draft::error(
                        Mistake::SweptInVain,
                        format!(
                            "`{}` is swept, but the program is not told its value",
                            range.name
                        ),
                    )
                    .at(range.key_span, "all runs would be the same")
                    .help(format!(
                        "write `{{{}}}` in an argument or in `environment`",
                        range.name
                    )),
                );
            }
        }
        for (name, variable) in &command.environment {
            if !fill::is_word(name) {
                mistakes.push(
                    Draft::error(
                        Mistake::BadVariableName,
                        format!("`{name}` is not a name for an environment variable"),
                    )
                    .at(variable.key, "here")
                    .help("use letters, digits and `_`, not beginning with a digit"),
                );
            }
        }
    }

    /// The settings of the stage at a point.
    pub(crate) fn settings(
        &self,
        command: &Command,
        point: &[u32],
        sources: &Sources,
    ) -> Map<String, Value> {
        let filled = |text: &str| fill(text, &|word| self.value(point, word));
        // What a program is given is what was written: `1.10` and `007` are no numbers to it.
        let argument = |value: &Scalar, span: Span| match value.word() {
            Some(text) => filled(text),
            None => sources.text(span).to_owned(),
        };
        let mut settings = Map::new();
        let run = match &*command.run {
            Run::Shell(line) => json!(filled(line)),
            Run::Program(words) => words.iter().map(|word| argument(word, word.span)).collect(),
        };
        settings.insert("run".to_owned(), run);
        let (mut environment, mut from_env) = (BTreeMap::new(), BTreeMap::new());
        for (name, variable) in &command.environment {
            match &**variable {
                Variable::Value(value) => {
                    environment.insert(name, argument(value, variable.span));
                }
                Variable::FromEnv(from) => {
                    from_env.insert(name, &from.from_env);
                }
            }
        }
        if !environment.is_empty() {
            settings.insert("environment".to_owned(), json!(environment));
        }
        if !from_env.is_empty() {
            settings.insert("from_env".to_owned(), json!(from_env));
        }
        if !command.discard.is_empty() {
            settings.insert("discard".to_owned(), json!(command.discard));
        }
        if !command.outputs.is_empty() {
            settings.insert("outputs".to_owned(), json!(command.outputs));
        }
        let folders: Vec<&str> = self
            .reads
            .iter()
            .filter(|read| read.unpack)
            .map(|read| read.name.as_str())
            .collect();
        if !folders.is_empty() {
            settings.insert("folders".to_owned(), json!(folders));
        }
        if let (Some(files), Some(curves)) = (&command.curves, &self.curves) {
            let case = curves.case(self, point, "");
            let mut curve = Map::from_iter([
                ("files".to_owned(), json!(files)),
                ("train_examples".to_owned(), json!(curves.train_examples)),
                ("parameters".to_owned(), json!(curves.of.parameters)),
                (
                    "settings".to_owned(),
                    Value::Object(curves.settings(self, point)),
                ),
            ]);
            for (name, steps) in [
                ("steps_per_epoch", case.steps_per_epoch),
                ("budget_steps", case.steps()),
            ] {
                curve.insert(name.to_owned(), json!(steps));
            }
            settings.insert("curve".to_owned(), Value::Object(curve));
        }
        settings
    }

    /// What the readers of its curves must know of it.
    pub(crate) fn training(&self, name: &str, dataset: Option<String>) -> Option<Training> {
        let curves = self.curves.as_ref()?;
        let matters = |range: &Range| matches!(range.name.as_str(), "method" | "batch_size");
        let mut points: BTreeMap<Vec<usize>, Vec<u32>> = BTreeMap::new();
        for point in self.grid.points() {
            let key = self
                .grid
                .ranges
                .iter()
                .zip(point)
                .filter(|(range, _)| matters(range));
            points
                .entry(key.map(|(_, place)| *place as usize).collect())
                .or_insert_with(|| point.to_vec());
        }
        Some(Training {
            dataset,
            initial_weights: None,
            base: Map::new(),
            axes: self
                .grid
                .ranges
                .iter()
                .map(|range| Axis {
                    name: range.name.clone(),
                    path: range.path.clone(),
                    points: Vec::new(),
                })
                .collect(),
            grid: Arc::clone(&self.grid),
            origin: Origin::Command,
            cases: points
                .values()
                .map(|point| curves.case(self, point, name))
                .collect(),
            steps: self
                .grid
                .points()
                .map(|point| curves.case(self, point, name).steps())
                .try_fold(0_u64, |sum, steps| sum.checked_add(steps?)),
            memory: BTreeMap::new(),
        })
    }
}
