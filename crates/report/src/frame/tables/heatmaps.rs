//! Frames of heatmaps: cells, good regions, their shares.

use analysis::heatmap::{CellState, GoodRule, HeatmapTable, Panel, Side};
use analysis::{Metric, Moment, Named};

use super::{in_a_row, rows};
use crate::frame::runs::fields_in_a_row;
use crate::frame::{Frame, Rows};

/// A moment's kind and number; the end has no number.
fn moment(at: Moment) -> (&'static str, Option<f64>) {
    match at {
        Moment::End => ("end", None),
        Moment::Epochs(epochs) => ("epochs", Some(epochs)),
        Moment::Iterations(steps) => ("iterations", Some(steps as f64)),
    }
}

fn rule(rule: GoodRule) -> (&'static str, f64) {
    match rule {
        GoodRule::AtLeast(level) => ("at_least", level),
        GoodRule::Within(distance) => ("within", distance),
    }
}

fn sides(sides: &[Side]) -> Option<String> {
    in_a_row(sides.iter().map(|side| match side {
        Side::Left => "left",
        Side::Right => "right",
        Side::Bottom => "bottom",
        Side::Top => "top",
    }))
}

/// `cells`, `regions` and `shares` (share of good cells against step).
pub fn heatmap_frames(tables: &[Named<HeatmapTable>]) -> Vec<Frame> {
    let panels = rows(tables, |table| &table.panels);
    let all = panels.map(|(stage, table, panel)| (stage, table.value, panel));
    vec![cells(all), regions(tables), shares(tables)]
}

/// A cell of a panel, of one seed or of all.
#[derive(Clone, Copy)]
struct CellRow<'t> {
    table: &'t str,
    metric: Metric,
    panel: &'t Panel,
    x: f64,
    y: f64,
    seed: Option<u64>,
    run: Option<&'t str>,
    state: CellState,
    good: Option<bool>,
}

/// A row for each cell and seed, and before them one for all seeds, with a null seed: only it says whether the
/// cell is good. A panel comes with the stage that made its table and with what was measured.
pub(crate) fn cells<'t>(panels: impl Iterator<Item = (&'t str, Metric, &'t Panel)>) -> Frame {
    let all = panels.flat_map(|(table, metric, panel)| {
        panel
            .cells
            .iter()
            .enumerate()
            .flat_map(move |(place, cell)| {
                let region = panel.regions.first();
                let together = CellRow {
                    table,
                    metric,
                    panel,
                    x: cell.x,
                    y: cell.y,
                    seed: None,
                    run: None,
                    state: cell.state,
                    good: region.and_then(|region| region.good.get(place).copied()),
                };
                let seeds = cell.seeds.iter().zip(&cell.runs);
                let seeds = seeds.map(move |(part, run)| CellRow {
                    seed: Some(part.seed),
                    run: Some(run),
                    state: part.state,
                    good: None,
                    ..together
                });
                std::iter::once(together).chain(seeds)
            })
    });
    Rows::new("cells", all)
        .column("table", |row| row.table)
        .column("stage", |row| &row.panel.stage)
        .column("method", |row| &row.panel.method)
        .column("batch_size", |row| row.panel.batch_size)
        .column("at", |row| moment(row.panel.at).0)
        .column("at_value", |row| moment(row.panel.at).1)
        .column("step", |row| row.panel.step)
        .column("metric", |row| row.metric.name())
        .column("x_name", |row| &row.panel.x)
        .column("x", |row| row.x)
        .column("y_name", |row| &row.panel.y)
        .column("y", |row| row.y)
        .column("others", |row| fields_in_a_row(&row.panel.others))
        .column("seed", |row| row.seed)
        .column("run", |row| row.run)
        .column("state", |row| match row.state {
            CellState::Value { .. } => "value",
            CellState::Diverged { .. } => "diverged",
            CellState::StoppedEarly { .. } => "stopped_early",
            CellState::NotEvaluated => "not_evaluated",
            CellState::Missing => "missing",
        })
        .column("value", |row| match row.state {
            CellState::Value { mean, .. } => Some(mean),
            _ => None,
        })
        .column("seeds", |row| match row.state {
            CellState::Value { seeds, .. } | CellState::Diverged { seeds, .. } => Some(seeds),
            _ => None,
        })
        .column("good", |row| row.good)
        .frame()
}

/// A row a rule and panel.
pub(crate) fn regions(tables: &[Named<HeatmapTable>]) -> Frame {
    let all = rows(tables, |table| &table.panels).flat_map(|(stage, _, panel)| {
        let regions = panel.regions.iter();
        regions.map(move |region| (stage, panel, region))
    });
    Rows::new("regions", all)
        .column("table", |(stage, ..)| stage)
        .column("stage", |(_, panel, _)| &panel.stage)
        .column("method", |(_, panel, _)| &panel.method)
        .column("batch_size", |(_, panel, _)| panel.batch_size)
        .column("at", |(_, panel, _)| moment(panel.at).0)
        .column("at_value", |(_, panel, _)| moment(panel.at).1)
        .column("rule", |(.., region)| rule(region.rule).0)
        .column("rule_value", |(.., region)| rule(region.rule).1)
        .column("level", |(.., region)| region.level)
        .column("good", |(.., region)| {
            region.good.iter().filter(|&&good| good).count()
        })
        .column("known", |(.., region)| region.known)
        .column("share", |(.., region)| region.share)
        .column("touches", |(.., region)| sides(&region.touches))
        .column("slope", |(.., region)| region.slope)
        .frame()
}

/// A row a step of a course.
pub(crate) fn shares(tables: &[Named<HeatmapTable>]) -> Frame {
    let all = rows(tables, |table| &table.courses).flat_map(|(stage, _, course)| {
        let points = course.points.iter();
        points.map(move |point| (stage, course, point))
    });
    Rows::new("shares", all)
        .column("table", |(stage, ..)| stage)
        .column("stage", |(_, course, _)| &course.stage)
        .column("method", |(_, course, _)| &course.method)
        .column("batch_size", |(_, course, _)| course.batch_size)
        .column("rule", |(_, course, _)| rule(course.rule).0)
        .column("rule_value", |(_, course, _)| rule(course.rule).1)
        .column("step", |(.., point)| point.step)
        .column("epoch", |(_, course, point)| {
            point.step as f64 / course.steps_per_epoch as f64
        })
        .column("share", |(.., point)| point.share)
        .column("good", |(.., point)| point.good)
        .column("known", |(.., point)| point.known)
        .column("diverged", |(.., point)| point.diverged)
        .column("touches", |(.., point)| sides(&point.touches))
        .frame()
}
