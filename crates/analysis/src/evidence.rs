//! What claims and the report rest on: runs, and the tables made from them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Run;
use crate::configuration::confirms;
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
    /// The confirmed runs of a winner: its settings (whatever says how long to train and where to
    /// evaluate), and a seed that had no part in the selection.
    pub(crate) fn confirmed(&self, winner: &Winner) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self
            .runs
            .iter()
            .filter(|run| !winner.seeds.contains(&run.seed()) && confirms(run, &winner.settings))
            .collect();
        runs.sort_by_key(|run| (run.seed(), &run.label));
        runs
    }

    /// Names of the inputs of all confirmed runs of a table's winners.
    pub(crate) fn confirmed_labels(&self, winners: &WinnersTable) -> BTreeSet<&str> {
        let runs = winners
            .winners
            .iter()
            .flat_map(|winner| self.confirmed(winner));
        runs.map(|run| run.label.as_str()).collect()
    }
}
