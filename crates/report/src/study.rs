//! What all parts of a page share: the table behind it, and how each method and batch size looks.

use std::collections::{BTreeSet, HashMap};

use analysis::report::{ReportTable, RunRow};

use maud::Markup;

use crate::draw::chart::Look;
use crate::draw::colour::cividis;
use crate::so_far::{Reads, SoFar};

/// The study that a page is of.
pub(crate) struct Study<'a> {
    pub(crate) table: &'a ReportTable,
    /// On the page of a study that is not done, how far it is.
    pub(crate) so_far: Option<&'a SoFar>,
    methods: Vec<&'a str>,
    batches: Vec<u64>,
    /// By name of a run's input, which configuration it is a seed of.
    configurations: HashMap<&'a str, usize>,
}

impl<'a> Study<'a> {
    pub(crate) fn new(table: &'a ReportTable) -> Self {
        let mut methods = BTreeSet::new();
        let mut batches = BTreeSet::new();
        let mut seen = |method: &'a str, batch: u64| {
            methods.insert(method);
            batches.insert(batch);
        };
        table
            .runs
            .iter()
            .for_each(|run| seen(&run.method, run.batch_size));
        table
            .curves
            .iter()
            .for_each(|curve| seen(&curve.method, curve.batch_size));
        table
            .performance
            .iter()
            .for_each(|row| seen(&row.method, row.batch_size));
        for named in &table.targets {
            named
                .table
                .runs
                .iter()
                .for_each(|run| seen(&run.method, run.batch_size));
            named
                .table
                .summaries
                .iter()
                .for_each(|row| seen(&row.method, row.batch_size));
        }
        for named in &table.winners {
            named
                .table
                .winners
                .iter()
                .for_each(|row| seen(&row.method, row.batch_size));
        }
        for named in &table.heatmaps {
            named
                .table
                .panels
                .iter()
                .for_each(|panel| seen(&panel.method, panel.batch_size));
        }
        Study {
            table,
            so_far: None,
            methods: methods.into_iter().collect(),
            batches: batches.into_iter().collect(),
            configurations: configurations(&table.runs),
        }
    }

    /// The same study, of which this is what there is.
    pub(crate) fn so_far(self, so_far: Option<&'a SoFar>) -> Self {
        Study { so_far, ..self }
    }

    /// What is said of the stages that read a part of their runs; nothing where they have all.
    pub(crate) fn part(&self, reads: Reads) -> Option<Markup> {
        self.so_far.and_then(|so_far| so_far.part(reads))
    }

    /// Which configuration a run is a seed of, counted from 0 in the order of the runs.
    pub(crate) fn configuration(&self, label: &str) -> Option<usize> {
        self.configurations.get(label).copied()
    }

    /// All methods of the page, in the order of their looks.
    pub(crate) fn methods(&self) -> &[&'a str] {
        &self.methods
    }

    /// All batch sizes of the page, ascending.
    pub(crate) fn batches(&self) -> &[u64] {
        &self.batches
    }

    /// How a method looks in every figure.
    pub(crate) fn look(&self, method: &str) -> Look {
        Look(self.methods.iter().position(|m| *m == method).unwrap_or(0))
    }

    /// How a batch size looks in every figure: its place in the list.
    pub(crate) fn batch_look(&self, batch: u64) -> Look {
        Look(self.batches.binary_search(&batch).unwrap_or(0))
    }

    /// The colour of a batch size, on paper and in the dark: small ones dark, large ones light, kept off the ends
    /// that would not stand out from the page.
    pub(crate) fn batch_colour(&self, batch: u64) -> (String, String) {
        let last = self.batches.len().saturating_sub(1).max(1) as f64;
        let share = self.batch_look(batch).0 as f64 / last;
        let between = |from: f64, to: f64| cividis(from + (to - from) * share).hex();
        (between(0.0, 0.78), between(0.38, 1.0))
    }
}

/// By name of a run's input, which configuration it is a seed of, counted from 0 in the order of the runs:
/// runs of one stage and method that differ in nothing but their seed are one configuration.
pub(crate) fn configurations(runs: &[RunRow]) -> HashMap<&str, usize> {
    let mut known = HashMap::new();
    let places = runs.iter().map(|run| {
        let settings: Vec<(&String, String)> = run
            .settings
            .iter()
            .filter(|(path, _)| *path != "seed")
            .map(|(path, value)| (path, value.to_string()))
            .collect();
        let next = known.len();
        let place = *known
            .entry((&run.stage, &run.method, settings))
            .or_insert(next);
        (run.label.as_str(), place)
    });
    places.collect()
}

/// Series (stage and method) in groups that have each method once, so that a
/// figure can tell methods by their looks: the tuning stages together, the
/// confirmed winners on their own. Order of first appearance.
pub(crate) fn groups<'s>(
    series: impl IntoIterator<Item = (&'s str, &'s str)>,
) -> Vec<Vec<(&'s str, &'s str)>> {
    let distinct: BTreeSet<_> = series.into_iter().collect();
    // A stage of several methods is a comparison of its own; of the others, one
    // stage of each method makes one.
    let several = |stage: &str| distinct.iter().filter(|(s, _)| *s == stage).count() > 1;
    let mut groups: Vec<Vec<(&str, &str)>> = Vec::new();
    for &(stage, method) in &distinct {
        let place = groups.iter_mut().find(|group| {
            if several(stage) {
                group[0].0 == stage
            } else {
                !several(group[0].0) && group.iter().all(|(_, m)| *m != method)
            }
        });
        match place {
            Some(group) => group.push((stage, method)),
            None => groups.push(vec![(stage, method)]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_series_has_each_method_once() {
        let series = [
            ("sgd", "sgd"),
            ("confirmed", "kfac"),
            ("kfac", "kfac"),
            ("confirmed", "sgd"),
            ("kfac-long", "kfac"),
            ("sgd", "sgd"),
        ];
        assert_eq!(
            groups(series),
            [
                vec![("confirmed", "kfac"), ("confirmed", "sgd")],
                vec![("kfac", "kfac"), ("sgd", "sgd")],
                vec![("kfac-long", "kfac")],
            ]
        );
    }
}
