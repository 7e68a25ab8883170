//! Steps to target by method, batch size and seed: what the claims on scaling and progress compare.

use std::collections::BTreeMap;

use super::sample::Bounds;
use super::{Choice, Pair as Methods, Remark, TimedRuns};
use crate::select::By;
use crate::targets::{RunSteps, Steps, TargetsTable, at_constant_rate};
use crate::{Evidence, Named, Target};

/// When a run reached a target, and how long it had.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    steps: Steps,
    budget: u64,
}

/// By seed.
pub(super) type Seeds = BTreeMap<u64, Timed>;

/// Both methods' seeds at one batch size, the common seeds only: they share initial weights and batches, and are
/// compared seed by seed.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) first: Seeds,
    pub(super) second: Seeds,
}

/// By batch size, for one target.
pub(super) type Pairs = BTreeMap<u64, Pair>;

/// Log steps, from the last evaluation that missed to the first that hit.
pub(super) fn between_evaluations(timed: Timed) -> Bounds {
    match timed.steps {
        Steps::Reached { after, by } => Bounds {
            low: Some(log(after)),
            high: Some(log(by)),
            ..at_middle(timed)
        },
        _ => at_middle(timed),
    }
}

/// Log steps, the middle between the two evaluations. A run that did not get there, or diverged before, needs at least
/// its budget.
pub(super) fn at_middle(timed: Timed) -> Bounds {
    let at_least = |steps| Bounds {
        low: Some(log(steps)),
        middle: log(steps),
        high: None,
    };
    match timed.steps {
        Steps::Reached { .. } => {
            let middle = timed.steps.interval().map_or(1.0, |steps| steps.middle());
            Bounds::exactly(middle.max(1.0).ln())
        }
        Steps::NotReached { budget } => at_least(budget),
        Steps::Diverged { .. } => at_least(timed.budget),
    }
}

/// Before step 1 nothing can have been crossed that training did.
fn log(steps: u64) -> f64 {
    (steps.max(1) as f64).ln()
}

/// What a reader must know of runs that did not get there.
pub(super) fn remarks(pairs: &Pairs) -> Vec<Remark> {
    let all = || {
        pairs
            .values()
            .flat_map(|pair| pair.first.values().chain(pair.second.values()))
    };
    let count = |is: fn(&Steps) -> bool| all().filter(|timed| is(&timed.steps)).count();
    let of = all().count();
    let short = count(|steps| matches!(steps, Steps::NotReached { .. }));
    let diverged = count(|steps| matches!(steps, Steps::Diverged { .. }));
    let remarks = [
        (short > 0).then_some(Remark::NotReached { runs: short, of }),
        (diverged > 0).then_some(Remark::DivergedBefore { runs: diverged, of }),
    ];
    remarks.into_iter().flatten().collect()
}

/// A set of runs to time.
#[derive(Clone)]
pub(super) struct Timings<'a> {
    runs: TimedRuns,
    table: &'a TargetsTable,
    rows: Vec<&'a RunSteps>,
    /// The target by which the runs' settings were selected.
    selected_by: Option<Target>,
    /// Updates that each run's budget allows.
    budgets: BTreeMap<&'a str, u64>,
}

impl Timings<'_> {
    /// The choice of these runs with a target.
    pub(super) fn choice(&self, target: Target) -> Choice {
        Choice::Steps {
            target,
            runs: self.runs.clone(),
        }
    }

    /// Targets that can be timed: the one that the runs were selected by first, then each metric's from the hardest.
    pub(super) fn targets(&self) -> Vec<Target> {
        let timeable = self.table.targets.iter().filter(|note| note.admissible);
        let mut targets: Vec<Target> = timeable.map(|note| note.target).collect();
        targets.sort_by(|a, b| {
            let goodness = |target: &Target| target.metric.goodness(target.level);
            let selects = |target: &Target| self.selected_by == Some(*target);
            selects(b)
                .cmp(&selects(a))
                .then(a.metric.cmp(&b.metric))
                .then(goodness(b).total_cmp(&goodness(a)))
        });
        targets
    }

    /// The same with drops; `None` where no run crossed a target that can be timed after one.
    fn with_drops(&self) -> Option<Self> {
        let set = Self {
            runs: TimedRuns {
                after_drops: true,
                ..self.runs.clone()
            },
            ..self.clone()
        };
        let differs = set.targets().iter().any(|&target| set.has_own(target));
        differs.then_some(set)
    }

    /// Whether the target has steps of its own here: with drops, only if some run crossed it after one.
    pub(super) fn has_own(&self, target: Target) -> bool {
        let Some(place) = self.table.place_of(target) else {
            return false;
        };
        !self.runs.after_drops
            || self
                .rows
                .iter()
                .any(|row| row.crossings[place].after_first_drop)
    }

    /// Batch sizes at which both methods have a common seed.
    pub(super) fn pairs(&self, target: Target, methods: &Methods) -> Pairs {
        let Some(index) = self.table.place_of(target) else {
            return Pairs::new();
        };
        let mut by_method: BTreeMap<(&str, u64), Seeds> = BTreeMap::new();
        for row in self
            .rows
            .iter()
            .filter(|row| self.runs.selection.is_some() || self.is_fastest(row, target))
        {
            let crossing = &row.crossings[index];
            let steps = if self.runs.after_drops {
                crossing.steps
            } else {
                at_constant_rate(crossing, row.first_drop)
            };
            by_method
                .entry((&row.method, row.batch_size))
                .or_default()
                .entry(row.seed)
                .or_insert(Timed {
                    steps,
                    budget: self.budget(row, steps),
                });
        }
        let Methods(first, second) = methods;
        let mut pairs = Pairs::new();
        for ((method, batch), seeds) in &by_method {
            let others = by_method.get(&(second.as_str(), *batch));
            let Some(others) = others.filter(|_| method == first) else {
                continue;
            };
            let common = |of: &Seeds, other: &Seeds| -> Seeds {
                of.iter()
                    .filter(|(seed, _)| other.contains_key(seed))
                    .map(|(s, steps)| (*s, *steps))
                    .collect()
            };
            let pair = Pair {
                first: common(seeds, others),
                second: common(others, seeds),
            };
            if !pair.first.is_empty() {
                pairs.insert(*batch, pair);
            }
        }
        pairs
    }

    /// Updates that the run's budget allows, as far as it is known.
    fn budget(&self, row: &RunSteps, steps: Steps) -> u64 {
        let known = self.budgets.get(row.label.as_str()).copied();
        known.unwrap_or(match steps {
            Steps::Reached { by, .. } => by,
            Steps::NotReached { budget } => budget,
            Steps::Diverged { step } => step,
        })
    }

    fn is_fastest(&self, row: &RunSteps, target: Target) -> bool {
        self.table.summaries.iter().any(|summary| {
            summary.target == target
                && summary.batch_size == row.batch_size
                && (&summary.stage, &summary.method) == (&row.stage, &row.method)
                && summary.parameters == row.parameters
        })
    }
}

/// The sets of runs that can be timed, the one that decides first: the confirmed winners of each table
/// of winners, those that were selected by steps to a target before others; then, optimistic, each target's fastest configuration on the tuning seeds. After each, where
/// it makes a difference, the same with crossings after a drop of the learning rate counted.
pub(super) fn timings(evidence: &Evidence) -> Vec<Timings<'_>> {
    let mut sets = Vec::new();
    let mut at_one_rate = at_one_rate(evidence);
    at_one_rate.sort_by_key(|set| (set.runs.selection.is_none(), set.selected_by.is_none()));
    for set in at_one_rate {
        let with_drops = set.with_drops();
        sets.push(set);
        sets.extend(with_drops);
    }
    sets
}

fn at_one_rate(evidence: &Evidence) -> Vec<Timings<'_>> {
    let mut sets = Vec::new();
    let budgets: BTreeMap<&str, u64> = evidence
        .runs
        .iter()
        .map(|run| (run.label.as_str(), run.budget_steps))
        .collect();
    for Named {
        table,
        stage: targets,
    } in &evidence.targets
    {
        let runs = |selection: Option<String>| TimedRuns {
            targets: targets.clone(),
            selection,
            after_drops: false,
        };
        let mut confirmed_in_any = Vec::new();
        for Named {
            table: winners,
            stage,
        } in &evidence.winners
        {
            let confirmed = evidence.confirmed_labels(winners);
            let rows: Vec<&RunSteps> = table
                .runs
                .iter()
                .filter(|row| confirmed.contains(row.label.as_str()))
                .collect();
            confirmed_in_any.extend(rows.iter().map(|row| row.label.as_str()));
            if !rows.is_empty() {
                sets.push(Timings {
                    runs: runs(Some(stage.clone())),
                    table,
                    rows,
                    selected_by: match winners.by {
                        By::StepsTo { steps_to } => Some(steps_to),
                        By::Metric(_) => None,
                    },
                    budgets: budgets.clone(),
                });
            }
        }
        let rows: Vec<&RunSteps> = table
            .runs
            .iter()
            .filter(|row| !confirmed_in_any.contains(&row.label.as_str()))
            .collect();
        if !rows.is_empty() {
            sets.push(Timings {
                runs: runs(None),
                table,
                rows,
                selected_by: None,
                budgets: budgets.clone(),
            });
        }
    }
    sets
}
