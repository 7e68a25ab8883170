//! What claims and the report rest on: runs, and the tables made from them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Run;
use crate::configuration::essential_key;
use crate::heatmap::HeatmapTable;
use crate::select::{Winner, WinnersTable};
use crate::targets::TargetsTable;

/// A table and the stage that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Named<T> {
    /// Name of the stage.
    pub stage: String,
    /// Its table.
    pub table: T,
}

/// Runs and tables. Where a claim could rest on several tables of a kind, the first decides and the
/// others are shown as other choices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// Every run that the page may show.
    pub runs: Vec<Run>,
    /// Tables of steps to target.
    pub targets: Vec<Named<TargetsTable>>,
    /// Tables of winners.
    pub winners: Vec<Named<WinnersTable>>,
    /// Tables of heatmaps.
    pub heatmaps: Vec<Named<HeatmapTable>>,
}

impl Evidence {
    /// The winners of a table, each with its confirmed runs: its settings (whatever says how long to
    /// train and where to evaluate) on seeds that had no part in the selection.
    ///
    /// Only stages that ran all of a method's winners count: a run of another selection's confirmation
    /// may have a winner's settings by chance, and another budget. Each seed counts once, that of the
    /// first such stage by name.
    pub(crate) fn confirmed<'a>(
        &'a self,
        winners: &'a WinnersTable,
    ) -> Vec<(&'a Winner, Vec<&'a Run>)> {
        let mut by_settings: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
        for run in &self.runs {
            by_settings
                .entry(essential_key(&run.settings.all))
                .or_default()
                .push(run);
        }
        let mut found: Vec<(&Winner, Vec<&Run>)> = Vec::new();
        // How many winners of a method a stage ran, and how many there are.
        let mut ran: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for winner in &winners.winners {
            let same = by_settings.get(&essential_key(&winner.settings));
            let runs: Vec<&Run> = same
                .into_iter()
                .flatten()
                .copied()
                .filter(|run| !winner.seeds.contains(&run.seed()))
                .collect();
            let stages: BTreeSet<&str> = runs.iter().map(|run| run.stage.as_str()).collect();
            for stage in stages {
                *ran.entry((&winner.method, stage)).or_default() += 1;
            }
            *all.entry(&winner.method).or_default() += 1;
            found.push((winner, runs));
        }
        for (winner, runs) in &mut found {
            let method = winner.method.as_str();
            runs.retain(|run| ran[&(method, run.stage.as_str())] == all[method]);
            runs.sort_by_key(|run| (run.seed(), &run.stage, &run.label));
            runs.dedup_by_key(|run| run.seed());
        }
        found
    }

    /// Names of the inputs of all confirmed runs of a table's winners.
    pub(crate) fn confirmed_labels<'a>(&'a self, winners: &'a WinnersTable) -> BTreeSet<&'a str> {
        self.confirmed(winners)
            .into_iter()
            .flat_map(|(_, runs)| runs)
            .map(|run| run.label.as_str())
            .collect()
    }
}
