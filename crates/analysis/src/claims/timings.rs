//! Steps to target by method, batch size and seed: what the claims on scaling and progress compare.

use std::collections::BTreeMap;

use super::{Choice, KFAC, SGD, TimedRuns};
use crate::Target;
use crate::targets::{RunSteps, Steps, TargetsTable, at_constant_rate};
use crate::{Evidence, Named};

/// By seed, when it reached the target.
pub(super) type Seeds = BTreeMap<u64, Steps>;

/// Both methods' seeds at one batch size, the common seeds only: they share initial weights and
/// batches, and are compared seed by seed.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) kfac: Seeds,
    pub(super) sgd: Seeds,
}

impl Pair {
    fn all(&self) -> impl Iterator<Item = &Steps> {
        self.kfac.values().chain(self.sgd.values())
    }

    /// Whether a seed of either method diverged.
    pub(super) fn has_diverged(&self) -> bool {
        self.all()
            .any(|steps| matches!(steps, Steps::Diverged { .. }))
    }

    /// Whether every seed of both methods reached the target.
    pub(super) fn is_complete(&self) -> bool {
        self.all()
            .all(|steps| matches!(steps, Steps::Reached { .. }))
    }
}

/// By batch size, for one target.
pub(super) type Pairs = BTreeMap<u64, Pair>;

/// A set of runs to time.
#[derive(Clone)]
pub(super) struct Timings<'a> {
    runs: TimedRuns,
    table: &'a TargetsTable,
    rows: Vec<&'a RunSteps>,
}

impl Timings<'_> {
    /// The choice of these runs with a target, or with all.
    pub(super) fn choice(&self, target: Option<Target>) -> Choice {
        Choice::Steps {
            target,
            runs: self.runs.clone(),
        }
    }

    /// Targets of the table that can be timed.
    pub(super) fn targets(&self) -> Vec<Target> {
        self.table
            .targets
            .iter()
            .filter(|note| note.admissible)
            .map(|note| note.target)
            .collect()
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
    pub(super) fn pairs(&self, target: Target) -> Pairs {
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
                .or_insert(steps);
        }
        let mut pairs = Pairs::new();
        for ((method, batch), seeds) in &by_method {
            let Some(others) = by_method.get(&(SGD, *batch)).filter(|_| *method == KFAC) else {
                continue;
            };
            let common = |of: &Seeds, other: &Seeds| -> Seeds {
                of.iter()
                    .filter(|(seed, _)| other.contains_key(seed))
                    .map(|(s, steps)| (*s, *steps))
                    .collect()
            };
            let pair = Pair {
                kfac: common(seeds, others),
                sgd: common(others, seeds),
            };
            if !pair.kfac.is_empty() {
                pairs.insert(*batch, pair);
            }
        }
        pairs
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
/// of winners; then, optimistic, each target's fastest configuration on the tuning seeds. After each, where
/// it makes a difference, the same with crossings after a drop of the learning rate counted.
pub(super) fn timings(evidence: &Evidence) -> Vec<Timings<'_>> {
    let mut sets = Vec::new();
    for set in at_one_rate(evidence) {
        let with_drops = set.with_drops();
        sets.push(set);
        sets.extend(with_drops);
    }
    sets
}

fn at_one_rate(evidence: &Evidence) -> Vec<Timings<'_>> {
    let mut sets = Vec::new();
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
            });
        }
    }
    sets
}
