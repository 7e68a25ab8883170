//! A `train` stage worked out: its points, their settings, and what its readers must know of its runs.

mod case;
mod degenerate;
mod points;

use std::collections::BTreeMap;
use std::sync::Arc;

use runs::Spanned;
use runs::settings::{Optimizer, Shape};
use serde_json::{Map, Value};

pub(crate) use case::{Case, missing_part};
pub(crate) use points::check_sweep;

use case::{Places, check_case};
use points::{axes, cases, first_point, grid_of, train_node, trains};

use crate::decode::decode;
use crate::diagnostic::{Draft, Mistake, Span};
use crate::grid::Grid;
use crate::like::Written;
use crate::schema::{Dataset, Stage, Train};
use crate::settings;
use crate::sweep::{MOST_RUNS, Range};

/// The runs that a stage expands to: every group with every combination of the grid.
pub(crate) struct Training {
    /// The `dataset` stage; a command may have none.
    pub(crate) dataset: Option<String>,
    /// The file of the initial weights, and where the study names it.
    pub(crate) initial_weights: Option<(String, Span)>,
    /// Settings but for those of the axes.
    pub(crate) base: Map<String, Value>,
    /// Swept settings, by name, as the grid has them.
    pub(crate) axes: Vec<Axis>,
    pub(crate) grid: Arc<Grid>,
    pub(crate) origin: Origin,
    /// What distinguishes runs for their readers.
    pub(crate) cases: Vec<Case>,
    /// Updates of all runs together, at most; none where that is not known.
    pub(crate) steps: Option<u64>,
    /// About how many bytes runs take, by the places of those values that matter for it.
    pub(crate) memory: BTreeMap<Vec<usize>, u64>,
}

/// Whence the settings that a stage does not state.
pub(crate) enum Origin {
    /// It states all of them.
    Own,
    /// It is a command that writes curves.
    Command,
    /// From the winners of a `select` stage, by method and batch size.
    Winners {
        select: String,
        entries: Vec<(String, u64)>,
    },
}

/// A swept setting.
pub(crate) struct Axis {
    pub(crate) name: String,
    /// Where it is in the settings.
    pub(crate) path: Vec<String>,
    pub(crate) points: Vec<Point>,
}

/// A value of a swept setting.
pub(crate) struct Point {
    /// Its name in coordinates.
    pub(crate) text: String,
    /// Its form in the settings; none if it is the default of an optional one.
    pub(crate) value: Option<Value>,
}

impl Training {
    /// How many runs there are.
    pub(crate) fn count(&self) -> u64 {
        let groups = match &self.origin {
            Origin::Own | Origin::Command => 1,
            Origin::Winners { entries, .. } => entries.len() as u64,
        };
        self.grid.count() as u64 * groups
    }

    /// The methods of the runs, each once, sorted.
    pub(crate) fn methods(&self) -> Vec<&str> {
        let mut methods: Vec<&str> = self.cases.iter().map(|case| case.method.as_str()).collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// About how many bytes a run takes that states its settings, with its process; 0 where that is not known.
    pub(crate) fn memory_at(&self, point: &[u32]) -> u64 {
        let places = self.grid.ranges.iter().zip(point);
        let places = places.filter(|(range, _)| matters_for_memory(range));
        let places: Vec<usize> = places.map(|(_, place)| *place as usize).collect();
        self.memory.get(&places).copied().unwrap_or(0)
    }

    /// The same of the largest run that may be the winner.
    pub(crate) fn memory_of_winner(&self, method: &str, batch_size: u64) -> u64 {
        let cases = self.cases.iter();
        let cases = cases.filter(|it| it.method == method && it.batch_size.get() == batch_size);
        cases.map(|it| it.memory).max().unwrap_or(0)
    }

    /// Whether the runs of a method differ in this setting.
    pub(crate) fn sweeps(&self, name: &str) -> bool {
        self.axes.iter().any(|axis| axis.name == name)
    }
}

/// What the winners of a `select` stage have, for the stage that runs them anew.
pub(crate) struct Winners<'a> {
    pub(crate) select: &'a str,
    pub(crate) dataset: String,
    pub(crate) cases: Vec<Case>,
}

/// Works out a stage that states all its settings.
pub(crate) fn own(
    name: &str,
    written: &Written,
    stage: &Stage,
    train: &Spanned<Train>,
    data: &Dataset,
    mistakes: &mut Vec<Draft>,
) -> Option<Training> {
    let before = mistakes.len();
    let (node, key) = (train_node(written), train.key);
    let grid = grid_of(name, written, stage, mistakes)?;
    let ranges = &grid.ranges;
    let swept = |setting: &str| ranges.iter().any(|range| range.name == setting);
    let mut require = |present: bool, setting: &str, sweepable: bool| {
        if !present && !swept(setting) {
            let help = if sweepable {
                "give it in `train` or in `sweep`"
            } else {
                "give it in `train`"
            };
            mistakes.push(
                Draft::error(
                    Mistake::MissingSetting,
                    format!("`{name}` lacks `{setting}`"),
                )
                .at(key, format!("`{setting}` is missing here"))
                .help(help),
            );
        }
    };
    require(train.model.is_some(), "model", true);
    require(train.optimizer.is_some(), "optimizer", false);
    require(
        train.budget.is_some() || ranges.iter().any(|range| range.path[0] == "budget"),
        "budget",
        false,
    );
    require(train.batch_size.is_some(), "batch_size", true);
    require(train.learning_rate.is_some(), "learning_rate", true);
    if let Some(Optimizer::Kfac(kfac)) = &train.optimizer {
        require(kfac.damping.is_some(), "damping", true);
    }
    let first = first_point(node, ranges);
    let base = decode::<Train>(&first, "train", key, mistakes);
    let axes = axes(node, key, ranges, settings_of_own, mistakes);
    let (base, axes) = (base?, axes?);
    if !Draft::are_warnings(&mistakes[before..]) {
        return None;
    }
    let counted = cases(node, key, &grid, |train| {
        let run = train.settings()?;
        let steps_per_epoch = |examples| run.last_batch.steps_per_epoch(examples, run.batch_size);
        let places = Places {
            batch_size: train.batch_size?.span,
            budget: train.budget?.span,
            stop: train.stop.map(|stop| stop.span),
        };
        let case = Case {
            method: run.optimizer.method().to_owned(),
            batch_size: run.batch_size,
            budget: run.budget,
            constant_rate: run.schedule.shape == Shape::Constant {},
            steps_per_epoch: data.train_examples().map(steps_per_epoch),
            // Known once all of its values are.
            memory: 0,
            evaluation: Some(run.evaluation),
            stop: run.stop,
            stop_from: name.to_owned(),
        };
        Some((case, places))
    });
    for ((case, places), _) in &counted {
        check_case(name, case, places, data, mistakes);
    }
    let ruled = |range: &Range| range.path[0] == "optimizer";
    let late = trains(node, key, &grid, ruled)
        .find_map(|(train, ..)| degenerate::late(name, &train, node, &grid));
    mistakes.extend(late);
    let steps = counted
        .iter()
        .map(|((case, _), runs)| case.steps()?.checked_mul(*runs))
        .try_fold(0_u64, |sum, steps| sum.checked_add(steps?));
    let mut settings = settings_of_own(&base)?;
    for axis in &axes {
        settings::set(&mut settings, &axis.path, None);
    }
    let dataset = base.dataset.as_ref()?.to_string();
    if !Draft::are_warnings(&mistakes[before..]) {
        return None;
    }
    degenerate::check_damping(name, node, &grid, mistakes);
    let examples = data.train_examples().map(|train| {
        let others = data.validation.saturating_add(data.test_examples());
        train.saturating_add(others)
    });
    let mut memory = BTreeMap::new();
    let mut of_batch: BTreeMap<u64, u64> = BTreeMap::new();
    for (train, places, _) in trains(node, key, &grid, matters_for_memory) {
        degenerate::check_factors(name, &train, *data.source, mistakes);
        degenerate::check_normalisation(name, &train, data.train_examples(), mistakes);
        let (Some(run), Some(examples)) = (train.settings(), examples) else {
            continue;
        };
        let bytes = run.memory(data.source.image(), degenerate::CLASSES, examples);
        memory.insert(places, bytes);
        let most = of_batch.entry(run.batch_size.get()).or_default();
        *most = bytes.max(*most);
    }
    let cases = counted.into_iter().map(|((case, _), _)| Case {
        memory: of_batch.get(&case.batch_size.get()).copied().unwrap_or(0),
        ..case
    });
    let cases = cases.collect();
    Some(Training {
        dataset: Some(dataset),
        initial_weights: initial_weights(&base),
        base: settings,
        axes,
        grid: Arc::new(grid),
        origin: Origin::Own,
        cases,
        steps,
        memory,
    })
}

/// Works out a stage that runs winners anew.
pub(crate) fn confirmed(
    name: &str,
    written: &Written,
    stage: &Stage,
    train: &Spanned<Train>,
    winners: &Winners<'_>,
    mistakes: &mut Vec<Draft>,
) -> Option<Training> {
    let before = mistakes.len();
    let (node, key) = (train_node(written), train.key);
    let grid = grid_of(name, written, stage, mistakes)?;
    let ranges = &grid.ranges;
    for setting in [
        "dataset",
        "model",
        "optimizer",
        "batch_size",
        "learning_rate",
    ] {
        if let Some(entry) = node.entry(setting) {
            mistakes.push(
                Draft::error(
                    Mistake::BesideConfiguration,
                    format!("`{setting}` is given with `configuration`"),
                )
                .at(entry.key_span, "the winner decides this")
                .help("remove it"),
            );
        }
    }
    for range in ranges {
        if matches!(
            range.path[0].as_str(),
            "model" | "optimizer" | "batch_size" | "learning_rate"
        ) || range.path.len() > 1
        {
            mistakes.push(
                Draft::error(
                    Mistake::BesideConfiguration,
                    format!("`{}` is swept with `configuration`", range.name),
                )
                .at(range.key_span, "the winner decides this")
                .help("sweep over `seed`"),
            );
        }
    }
    if let (Some(warmup), None) = (&train.warmup, &train.schedule) {
        mistakes.push(
            Draft::error(
                Mistake::BesideConfiguration,
                "`warmup` is given with `configuration`, and `schedule` is not",
            )
            .at(warmup.span, "a winner's schedule is replaced as a whole")
            .help("give the `schedule` too"),
        );
    }
    let first = first_point(node, ranges);
    let base = decode::<Train>(&first, "train", key, mistakes);
    let axes = axes(
        node,
        key,
        ranges,
        |train| Some(settings_of_confirmed(train)),
        mistakes,
    );
    let (base, axes) = (base?, axes?);
    if !Draft::are_warnings(&mistakes[before..]) {
        return None;
    }
    let mut entries: Vec<(String, u64)> = winners
        .cases
        .iter()
        .map(|case| (case.method.clone(), case.batch_size.get()))
        .collect();
    entries.sort();
    entries.dedup();
    let runs = grid.count() as u128 * entries.len() as u128;
    if runs > MOST_RUNS {
        mistakes.push(
            Draft::error(
                Mistake::TooManyRuns,
                format!("`{name}` expands to {runs} runs"),
            )
            .at(key, "too many"),
        );
    }
    let cases = winners.cases.iter().flat_map(|winner| {
        cases(node, key, &grid, |train| {
            Some(Case {
                budget: train.budget.map_or(winner.budget, |budget| *budget),
                constant_rate: match &train.schedule {
                    None => winner.constant_rate,
                    Some(schedule) => matches!(schedule, Shape::Constant {}),
                },
                evaluation: train
                    .evaluation
                    .clone()
                    .or_else(|| winner.evaluation.clone()),
                stop: train.stop.map(|stop| *stop).or(winner.stop),
                stop_from: if train.stop.is_some() {
                    name.to_owned()
                } else {
                    winner.stop_from.clone()
                },
                ..winner.clone()
            })
        })
    });
    let cases: Vec<Case> = cases.map(|(case, _)| case).collect();
    let steps = longest(&entries, &cases, grid.count());
    let mut settings = settings_of_confirmed(&base);
    for axis in &axes {
        settings::set(&mut settings, &axis.path, None);
    }
    let origin = Origin::Winners {
        select: winners.select.to_owned(),
        entries,
    };
    let dataset = winners.dataset.clone();
    Draft::are_warnings(&mistakes[before..]).then_some(Training {
        dataset: Some(dataset),
        initial_weights: initial_weights(&base),
        base: settings,
        axes,
        grid: Arc::new(grid),
        origin,
        cases,
        steps,
        memory: BTreeMap::new(),
    })
}

/// Whether the memory that a run takes, and what is checked of each network, depend on a setting.
fn matters_for_memory(range: &Range) -> bool {
    matches!(
        range.path[0].as_str(),
        "model" | "batch_size" | "ghost_batch" | "last_batch" | "evaluation"
    )
}

/// All settings of the run of a stage that states them.
fn settings_of_own(train: &Train) -> Option<Map<String, Value>> {
    Some(settings::train(train.settings()?))
}

/// The settings that a stage states beside those of a winner.
fn settings_of_confirmed(train: &Train) -> Map<String, Value> {
    settings::beside_a_winner(train.clone())
}

fn initial_weights(train: &Train) -> Option<(String, Span)> {
    let file = train.initial_weights.as_ref()?;
    Some((String::clone(file), file.span))
}

/// Updates of the winners' runs if each is as long as the longest run that may win.
fn longest(entries: &[(String, u64)], cases: &[Case], runs: usize) -> Option<u64> {
    entries.iter().try_fold(0_u64, |sum, (method, batch_size)| {
        let own = cases
            .iter()
            .filter(|case| case.method == *method && case.batch_size.get() == *batch_size);
        let steps: Option<Vec<u64>> = own.map(Case::steps).collect();
        sum.checked_add(steps?.into_iter().max()?.checked_mul(runs as u64)?)
    })
}
