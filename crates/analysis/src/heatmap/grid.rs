//! Runs sorted into grids: one grid for each stage, method, batch size and set of other settings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Heatmap;
use crate::configuration::{Flat, differing, flatten, plain_name};
use crate::{Error, Run};

/// The runs of a panel by cell.
pub(super) struct Grid<'a> {
    pub(super) stage: String,
    pub(super) method: String,
    pub(super) batch_size: u64,
    pub(super) others: BTreeMap<String, Value>,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) x_values: Vec<f64>,
    pub(super) y_values: Vec<f64>,
    /// `(x, y, runs by ascending seed)`, row by row from the smallest y.
    pub(super) cells: Vec<(f64, f64, Vec<&'a Run>)>,
}

/// Stage, method, batch size, and the text of the other settings.
type Key = (String, String, u64, String);

/// One run's place.
struct Placed<'a> {
    x: f64,
    y: f64,
    others: Flat,
    run: &'a Run,
}

/// Sorts the runs. The values along the axes are those of all runs of the stage and method, so that
/// panels of different batch sizes have the same grid and a cell that one lacks is seen to be missing.
pub(super) fn grids<'a>(settings: &Heatmap, runs: &'a [Run]) -> Result<Vec<Grid<'a>>, Error> {
    let mut groups: BTreeMap<Key, Vec<Placed<'a>>> = BTreeMap::new();
    let mut axes: BTreeMap<(String, String), (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for run in runs {
        let (x_name, y_name) = axis_names(settings, run)?;
        let (x, y) = (number(run, x_name)?, number(run, y_name)?);
        let others: Flat = flatten(&run.settings.all)
            .into_iter()
            .filter(|(path, _)| {
                let name = plain_name(path);
                name != x_name && name != y_name && name != "seed" && name != "batch_size"
            })
            .collect();
        let family = (run.stage.clone(), run.method().to_owned());
        let values = axes.entry(family.clone()).or_default();
        values.0.push(x);
        values.1.push(y);
        let key = (
            family.0,
            family.1,
            run.batch_size(),
            Value::from_iter(others.clone()).to_string(),
        );
        groups
            .entry(key)
            .or_default()
            .push(Placed { x, y, others, run });
    }
    for (xs, ys) in axes.values_mut() {
        for values in [xs, ys] {
            values.sort_by(f64::total_cmp);
            values.dedup();
        }
    }
    // Within a batch size only: a budget that follows the batch size makes no panel another one.
    let mut differences: BTreeMap<(&str, &str, u64), BTreeSet<String>> = BTreeMap::new();
    for (stage, method, batch, _) in groups.keys() {
        differences
            .entry((stage, method, *batch))
            .or_insert_with(|| {
                let same = groups
                    .iter()
                    .filter(|(key, _)| (&key.0, &key.1, &key.2) == (stage, method, batch));
                differing(same.map(|(_, placed)| &placed[0].others))
            });
    }
    let grids = groups
        .iter()
        .map(|((stage, method, batch_size, _), placed)| {
            let (x_name, y_name) = axis_names(settings, placed[0].run)?;
            let (x_values, y_values) = axes[&(stage.clone(), method.clone())].clone();
            let others = differences[&(stage.as_str(), method.as_str(), *batch_size)]
                .iter()
                .map(|path| {
                    let value = placed[0].others.get(path).cloned().unwrap_or(Value::Null);
                    (plain_name(path).to_owned(), value)
                })
                .collect();
            let cell = |x: f64, y: f64| {
                let here = placed
                    .iter()
                    .filter(|p| p.x.total_cmp(&x).is_eq() && p.y.total_cmp(&y).is_eq());
                let mut runs: Vec<&Run> = here.map(|placed| placed.run).collect();
                runs.sort_by_key(|run| (run.seed(), &run.label));
                (x, y, runs)
            };
            let cells = y_values
                .iter()
                .flat_map(|&y| x_values.iter().map(move |&x| (x, y)))
                .map(|(x, y)| cell(x, y))
                .collect();
            Ok(Grid {
                stage: stage.clone(),
                method: method.clone(),
                batch_size: *batch_size,
                others,
                x: x_name.to_owned(),
                y: y_name.to_owned(),
                x_values,
                y_values,
                cells,
            })
        });
    grids.collect()
}

fn axis_names<'s>(settings: &'s Heatmap, run: &Run) -> Result<(&'s str, &'s str), Error> {
    let method = run.method();
    match (settings.x.of(method), settings.y.of(method)) {
        (Some(x), Some(y)) if x != y => Ok((x, y)),
        (Some(setting), Some(_)) => Err(Error::SameAxes {
            setting: setting.to_owned(),
        }),
        _ => Err(Error::NoAxis {
            method: method.to_owned(),
        }),
    }
}

fn number(run: &Run, name: &str) -> Result<f64, Error> {
    run.parameter(name)
        .and_then(Value::as_f64)
        .filter(|value| value.is_finite())
        .ok_or_else(|| Error::AxisNotANumber {
            setting: name.to_owned(),
            run: run.label.clone(),
        })
}
