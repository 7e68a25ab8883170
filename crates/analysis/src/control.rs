//! The control: K-FAC at a large damping is SGD at learning rate / damping.
//!
//! `(F + damping I)^-1 g` tends to `g / damping` as the damping exceeds the curvature `F`. A K-FAC run
//! and the SGD run with learning rate / damping, the same momentum, seed and all else, then take the
//! same steps, but for parameters that K-FAC leaves alone (those of batch normalisation). If they
//! disagree, something is wrong with an implementation or with the comparison. Weight decay is added
//! after preconditioning, so that SGD's must be K-FAC's times the damping.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::configuration::essential_key;
use crate::heatmap::damping::typical;
use crate::statistics::{mean_interval, median};
use crate::{Estimate, Metric, Moment, Run};

/// A damping is large if it is at least this many times the largest eigenvalue of the curvature: the
/// update then is SGD's within a tenth in every direction.
pub const LARGE: f64 = 10.0;

/// An SGD run with its learning rate and weight decay.
type Twin<'a> = (f64, f64, &'a Run);

/// Stages, batch size, bits of damping and learning rate (positive floats order as their bits do), and
/// what else must be equal.
type Place<'a> = (&'a str, &'a str, u64, u64, u64, String);

/// Relative difference under which two rates are the same number: grids are rounded to 12 digits.
const SAME: f64 = 1e-9;

/// One cell of K-FAC's grid beside SGD at learning rate / damping, over common seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DampingControl {
    /// K-FAC's stage.
    pub kfac_stage: String,
    /// SGD's stage.
    pub sgd_stage: String,
    /// Examples in a batch.
    pub batch_size: u64,
    /// K-FAC's damping.
    pub damping: f64,
    /// K-FAC's learning rate.
    pub learning_rate: f64,
    /// SGD's learning rate, the quotient.
    pub sgd_rate: f64,
    /// Median over K-FAC's runs of the largest curvature eigenvalue; `None` if none recorded it.
    pub largest_curvature: Option<f64>,
    /// Whether the damping is large beside the curvature; `None` if that was not recorded.
    pub is_large: Option<bool>,
    /// Seeds of which neither run diverged.
    pub seeds: usize,
    /// Seeds of which both diverged.
    pub both_diverged: usize,
    /// Seeds of which one diverged and the other did not.
    pub one_diverged: usize,
    /// K-FAC minus SGD at the last step that both evaluated, mean over seeds with the t interval (95 %).
    pub differences: BTreeMap<Metric, Estimate>,
}

/// A cell's runs: K-FAC's and SGD's of each common seed.
pub(crate) struct Cell<'a> {
    pub(crate) kfac_stage: &'a str,
    pub(crate) sgd_stage: &'a str,
    pub(crate) batch_size: u64,
    pub(crate) damping: f64,
    pub(crate) learning_rate: f64,
    pub(crate) sgd_rate: f64,
    pub(crate) largest_curvature: Option<f64>,
    pub(crate) seeds: BTreeMap<u64, (&'a Run, &'a Run)>,
}

impl Cell<'_> {
    /// As of [`DampingControl::is_large`].
    pub(crate) fn is_large(&self) -> Option<bool> {
        self.largest_curvature
            .map(|largest| self.damping >= LARGE * largest)
    }

    /// By seed of which neither run diverged, K-FAC minus SGD at the last step that both evaluated.
    pub(crate) fn differences(&self, metric: Metric) -> Vec<f64> {
        self.seeds
            .values()
            .filter(|(kfac, sgd)| kfac.diverged_at().is_none() && sgd.diverged_at().is_none())
            .filter_map(|(kfac, sgd)| {
                kfac.curve.evaluations.iter().rev().find_map(|own| {
                    let other = sgd.evaluation_at(own.step)?;
                    Some(metric.of(own)? - metric.of(other)?)
                })
            })
            .collect()
    }

    /// Seeds of which (both diverged, one did).
    pub(crate) fn diverged(&self) -> (usize, usize) {
        let of = |wanted: usize| {
            self.seeds
                .values()
                .filter(|(kfac, sgd)| {
                    let lost = |run: &Run| usize::from(run.diverged_at().is_some());
                    lost(kfac) + lost(sgd) == wanted
                })
                .count()
        };
        (of(2), of(1))
    }
}

/// The table: every cell of K-FAC's grid that has its SGD run.
pub(crate) fn controls(runs: &[Run]) -> Vec<DampingControl> {
    let row = |cell: &Cell<'_>| {
        let (both_diverged, one_diverged) = cell.diverged();
        let difference =
            |metric: Metric| Some((metric, mean_interval(&cell.differences(metric), 0.95)?));
        DampingControl {
            kfac_stage: cell.kfac_stage.into(),
            sgd_stage: cell.sgd_stage.into(),
            batch_size: cell.batch_size,
            damping: cell.damping,
            learning_rate: cell.learning_rate,
            sgd_rate: cell.sgd_rate,
            largest_curvature: cell.largest_curvature,
            is_large: cell.is_large(),
            seeds: cell.seeds.len() - both_diverged - one_diverged,
            both_diverged,
            one_diverged,
            differences: Metric::ALL.into_iter().filter_map(difference).collect(),
        }
    };
    cells(runs).iter().map(row).collect()
}

/// K-FAC's cells with their SGD runs, by stages, batch size, damping and learning rate.
pub(crate) fn cells(runs: &[Run]) -> Vec<Cell<'_>> {
    let mut of_sgd: BTreeMap<(String, u64), Vec<Twin<'_>>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.method() == "sgd") {
        of_sgd.entry((key(run), run.seed())).or_default().push((
            run.learning_rate(),
            weight_decay(run),
            run,
        ));
    }
    if of_sgd.is_empty() {
        return Vec::new();
    }
    for twins in of_sgd.values_mut() {
        twins.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.2.label.cmp(&b.2.label)));
    }
    let mut cells: BTreeMap<Place<'_>, Cell<'_>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.method() == "kfac") {
        let Some(damping) = run
            .parameter("damping")
            .and_then(Value::as_f64)
            .filter(|damping| *damping > 0.0)
        else {
            continue;
        };
        // Clipping scales the update by what the curvature says.
        if run.parameter("kl_clip").is_some_and(|clip| !clip.is_null()) {
            continue;
        }
        let key = key(run);
        let rate = run.learning_rate() / damping;
        let decay = weight_decay(run) * damping;
        let twins = of_sgd
            .get(&(key.clone(), run.seed()))
            .map_or(&[][..], Vec::as_slice);
        let from = twins.partition_point(|twin| twin.0 < rate * (1.0 - SAME));
        for (_, _, twin) in twins[from..]
            .iter()
            .take_while(|twin| twin.0 <= rate * (1.0 + SAME))
            .filter(|twin| (twin.1 - decay).abs() <= SAME * decay)
        {
            let place = (
                run.stage.as_str(),
                twin.stage.as_str(),
                run.batch_size(),
                damping.to_bits(),
                run.learning_rate().to_bits(),
                key.clone(),
            );
            let cell = cells.entry(place).or_insert_with(|| Cell {
                kfac_stage: &run.stage,
                sgd_stage: &twin.stage,
                batch_size: run.batch_size(),
                damping,
                learning_rate: run.learning_rate(),
                sgd_rate: rate,
                largest_curvature: None,
                seeds: BTreeMap::new(),
            });
            cell.seeds.entry(run.seed()).or_insert((run, twin));
        }
    }
    let mut cells: Vec<Cell<'_>> = cells.into_values().collect();
    for cell in &mut cells {
        let largest = cell
            .seeds
            .values()
            .filter_map(|(kfac, _)| typical(kfac, Moment::End))
            .map(|(_, largest)| largest);
        cell.largest_curvature = median(largest.collect());
    }
    cells
}

/// What must be equal: all but optimiser, learning rate, seed and evaluations; and the momentum.
fn key(run: &Run) -> String {
    let mut settings = run.settings.all.clone();
    if let Some(map) = settings.as_object_mut() {
        map.remove("learning_rate");
        let momentum = run.parameter("momentum").cloned().unwrap_or(Value::Null);
        map.insert("optimizer".into(), momentum);
    }
    let length = (settings.get("budget"), settings.get("schedule"));
    format!("{} {length:?}", essential_key(&settings))
}

fn weight_decay(run: &Run) -> f64 {
    run.parameter("weight_decay")
        .and_then(Value::as_f64)
        .unwrap_or(0.0)
}
