//! How the stages of a study must fit together.
//!
//! Every check goes on after a mistake, with what is sound: a stage with a mistake is left out, and what reads
//! it is not blamed for that.

mod dataset;
mod inputs;
mod levels;
mod moments;
mod readers;
mod references;

use std::collections::BTreeMap;

pub(crate) use dataset::missing_files;

use runs::Spanned;

use crate::decode::decode;
use crate::diagnostic::{Draft, Mistake};
use crate::like::Written;
use crate::program::{self, Program};
use crate::schema::{Dataset, Kind, Name, Stage, StageKeys};
use crate::sweep::MOST_RUNS;
use crate::training::{self, Origin, Training, Winners};

/// A stage that was decoded.
pub(crate) struct Decoded {
    pub(crate) written: Written,
    pub(crate) stage: Stage,
}

/// What is sound of a study.
pub(crate) struct Checked {
    pub(crate) stages: BTreeMap<String, Decoded>,
    /// Names, each after those it refers to.
    pub(crate) order: Vec<String>,
    /// Stages whose runs have curves.
    pub(crate) trainings: BTreeMap<String, Training>,
    pub(crate) programs: BTreeMap<String, Program>,
}

/// Decodes the stages one by one and checks them together.
pub(crate) fn check(
    written: BTreeMap<String, Option<Written>>,
    mistakes: &mut Vec<Draft>,
) -> Checked {
    let mut kinds: BTreeMap<String, Option<&'static str>> = BTreeMap::new();
    let mut stages = BTreeMap::new();
    for (name, written) in written {
        let Some(mut written) = written else {
            kinds.insert(name, None);
            continue;
        };
        program::quote_placeholders(&mut written.node, mistakes);
        let kind = kind_of(&name, &written, mistakes);
        let decoded = decode::<StageKeys>(&written.node, &name, written.key_span, mistakes);
        if kind == Some("train") && decoded.is_none() {
            training::check_sweep(&name, &written, mistakes);
        }
        if let Some(stage) = decoded.and_then(StageKeys::stage) {
            if !matches!(stage.kind, Kind::Train(_) | Kind::Command(_))
                && let Some(sweep) = &stage.sweep
            {
                mistakes.push(
                    Draft::error(
                        Mistake::SweepNotAllowed,
                        format!("a `{}` stage with a sweep", stage.kind.name()),
                    )
                    .at(sweep.key, "only `train` and `command` are swept")
                    .help("move it to the stage that this one reads"),
                );
            }
            stages.insert(name.clone(), Decoded { written, stage });
        }
        kinds.insert(name, kind);
    }
    references::check(&stages, &kinds, mistakes);
    let order = references::order(&stages, &kinds, mistakes);
    let mut checked = Checked {
        stages,
        order,
        trainings: BTreeMap::new(),
        programs: BTreeMap::new(),
    };
    for name in checked.order.clone() {
        if let Some(training) = checked.training(&name, mistakes) {
            checked.trainings.insert(name.clone(), training);
        }
        if let Some((program, training)) = checked.program(&name, mistakes) {
            checked
                .trainings
                .extend(training.map(|training| (name.clone(), training)));
            checked.programs.insert(name, program);
        }
    }
    let runs: u64 = checked.order.iter().map(|name| checked.count(name)).sum();
    if u128::from(runs) > MOST_RUNS {
        mistakes.push(Draft::error(
            Mistake::TooManyRuns,
            format!("the study expands to {runs} runs, more than {MOST_RUNS}"),
        ));
    }
    for name in &checked.order {
        checked.reader(name, mistakes);
    }
    checked
}

/// The stage's kind; none, or several, is a mistake.
fn kind_of(name: &str, written: &Written, mistakes: &mut Vec<Draft>) -> Option<&'static str> {
    let mut kinds = Kind::ALL
        .into_iter()
        .filter(|kind| written.node.get(kind).is_some());
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) => Some(kind),
        (Some(one), Some(other)) => {
            let spans = [one, other].map(|kind| {
                written
                    .node
                    .entry(kind)
                    .map_or(written.key_span, |e| e.key_span)
            });
            mistakes.push(
                Draft::error(
                    Mistake::TwoKinds,
                    format!("`{name}` is both `{one}` and `{other}`"),
                )
                .at(spans[1].max(spans[0]), "another kind")
                .also(spans[1].min(spans[0]), "one kind")
                .help("a stage has one kind; make two stages of it"),
            );
            None
        }
        (None, _) => {
            // A misspelt kind is reported as an unknown key.
            let misspelt = written.node.entries().iter().any(|e| {
                !Kind::ALL.contains(&e.key.as_str())
                    && !matches!(e.key.as_str(), "like" | "sweep" | "execution")
            });
            if !misspelt {
                mistakes.push(
                    Draft::error(Mistake::NoKind, format!("`{name}` has no kind"))
                        .at(written.key_span, "its kind is missing")
                        .help(format!(
                            "give one of {}",
                            Kind::ALL.map(|kind| format!("`{kind}`")).join(", ")
                        )),
                );
            }
            None
        }
    }
}

impl Checked {
    pub(crate) fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.stages.get(name)?.stage.dataset().map(|it| &**it)
    }

    fn training(&self, name: &str, mistakes: &mut Vec<Draft>) -> Option<Training> {
        let Decoded { written, stage } = self.stages.get(name)?;
        let Kind::Train(train) = &stage.kind else {
            return None;
        };
        let Some(select) = &train.configuration else {
            let Some(dataset) = &train.dataset else {
                mistakes.push(
                    Draft::error(Mistake::MissingSetting, format!("`{name}` lacks `dataset`"))
                        .at(train.key, "`dataset` is missing here")
                        .help("name a `dataset` stage, or a `select` stage under `configuration`"),
                );
                return None;
            };
            let data = self.dataset(dataset.as_str())?;
            return training::own(name, written, stage, train, data, mistakes);
        };
        let span = select.span;
        let selected = self.stages.get(select.as_str())?.stage.select()?;
        if selected
            .per
            .iter()
            .map(|name| name.as_str())
            .ne(["method", "batch_size"])
        {
            mistakes.push(
                Draft::error(
                    Mistake::SelectPer,
                    format!("`{select}` does not select per method and batch size"),
                )
                .at(
                    span,
                    "one winner for each method and batch size is needed here",
                )
                .help(format!("set `per: [method, batch_size]` in `{select}`")),
            );
            return None;
        }
        let trainings = self.trainings_of(&selected.runs)?;
        if let Some((other, _)) = trainings
            .iter()
            .find(|(_, training)| matches!(training.origin, Origin::Command))
        {
            mistakes.push(
                Draft::error(
                    Mistake::SelectOfCommands,
                    format!("`{select}` selects among runs of a command"),
                )
                .at(span, "`train` cannot run a program")
                .help(format!("`{other}` is a `command` stage")),
            );
            return None;
        }
        let dataset = trainings.first()?.1.dataset.clone();
        if let Some((other, _)) = trainings
            .iter()
            .find(|(_, training)| training.dataset != dataset)
        {
            mistakes.push(
                Draft::error(
                    Mistake::SelectOfTwoDataSets,
                    format!("`{select}` selects among runs on different data sets"),
                )
                .at(span, "it is not clear which data set to train on")
                .help(format!(
                    "`{}` trains on `{}`, `{other}` does not",
                    trainings[0].0,
                    dataset.unwrap_or_default()
                )),
            );
            return None;
        }
        let cases = trainings
            .iter()
            .flat_map(|(_, training)| training.cases.iter().cloned())
            .collect();
        let winners = Winners {
            select: select.as_str(),
            dataset: dataset?,
            cases,
        };
        training::confirmed(name, written, stage, train, &winners, mistakes)
    }

    /// How many stages of the graph a stage comes to.
    pub(crate) fn count(&self, name: &str) -> u64 {
        match (self.trainings.get(name), self.programs.get(name)) {
            (Some(training), _) => training.count(),
            (None, Some(program)) => program.grid.count() as u64,
            (None, None) => 1 + self.dataset(name).map_or(0, Dataset::downloads),
        }
    }

    fn program(
        &self,
        name: &str,
        mistakes: &mut Vec<Draft>,
    ) -> Option<(Program, Option<Training>)> {
        let Decoded { stage, .. } = self.stages.get(name)?;
        let Kind::Command(command) = &stage.kind else {
            return None;
        };
        program::check_paths(command, mistakes);
        let grid = program::grid(name, stage, mistakes)?;
        let reads = self.reads(name, command, &grid, mistakes);
        let dataset = command.inputs.values().find_map(|text| {
            let (stage, _) = program::reference(text, |stage| self.stages.contains_key(stage))?;
            self.dataset(stage).map(|dataset| (stage, dataset))
        });
        let examples = dataset.and_then(|(_, dataset)| dataset.train_examples());
        let program = program::program(name, command, grid, reads?, examples, mistakes)?;
        let training = program.training(name, dataset.map(|(name, _)| name.to_owned()));
        Some((program, training))
    }

    /// The stages by these names, if all are sound.
    fn trainings_of<'a>(
        &'a self,
        runs: &'a [Spanned<Name>],
    ) -> Option<Vec<(&'a str, &'a Training)>> {
        runs.iter()
            .map(|name| Some((name.as_str(), self.trainings.get(name.as_str())?)))
            .collect()
    }
}
