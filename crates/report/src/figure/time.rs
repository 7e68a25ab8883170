//! Wall-clock beside steps: what the steps to each target take at the recorded pace.

use std::collections::BTreeSet;

use analysis::Target;
use analysis::targets::{Pace, TargetsTable, TimeToTarget, times_to_target};
use maud::html;

use super::by_batch::{Axes, Bar, Line, Mark, Panel, Point};
use super::steps::is_tuned;
use super::{method_legend, panel_size};
use crate::document::{Block, Figure, Kind, Part};
use crate::draw::number::duration;
use crate::draw::scale::{Scale, Spacing};
use crate::frame::Rows;
use crate::provenance::TrainingTime;
use crate::study::{Study, groups};
use crate::words;

/// A figure for each table of targets and group of stages.
pub(crate) fn figures(study: &Study<'_>, training: &[TrainingTime]) -> Vec<Block> {
    let paces: Vec<Pace> = training
        .iter()
        .map(|time| Pace {
            method: time.method.clone(),
            batch_size: time.batch_size,
            steps: time.steps,
            seconds: time.seconds,
        })
        .collect();
    let mut figures = Vec::new();
    for (index, named) in study.table.targets.iter().enumerate() {
        let times = times_to_target(&named.table, &paces);
        let series = times.iter();
        let groups = groups(series.map(|time| (time.stage.as_str(), time.method.as_str())));
        let all_tuned = groups.iter().all(|group| is_tuned(&named.table, group));
        for (place, group) in groups.iter().enumerate() {
            if all_tuned || !is_tuned(&named.table, group) {
                let mine = times.iter();
                let mine: Vec<&TimeToTarget> = mine
                    .filter(|time| group.contains(&(&time.stage, &time.method)))
                    .collect();
                let tag = format!("{}-{}", index + 1, place + 1);
                figures.push(Block::Figure(one(study, &tag, &named.table, &mine)));
            }
        }
    }
    figures
}

fn one(study: &Study<'_>, tag: &str, table: &TargetsTable, times: &[&TimeToTarget]) -> Figure {
    let stages: BTreeSet<&str> = times.iter().map(|time| time.stage.as_str()).collect();
    let batches: BTreeSet<u64> = times.iter().map(|time| time.batch_size).collect();
    let targets: Vec<Target> = table
        .targets
        .iter()
        .map(|note| note.target)
        .filter(|target| times.iter().any(|time| time.target == *target))
        .collect();
    let panels: Vec<Panel> = targets
        .iter()
        .enumerate()
        .map(|(place, target)| panel(study, tag, place, *target, times))
        .collect();
    let (width, height) = panel_size(panels.len());
    let axes = Axes {
        x: Scale::of(Spacing::Log2, batches.iter().map(|b| *b as f64), 0.08),
        y: Scale::of(
            Spacing::Log10,
            times
                .iter()
                .flat_map(|time| [time.after.max(time.by / 2.0), time.by]),
            0.09,
        ),
        batches: batches.iter().copied().collect(),
        width,
        height,
        percent: false,
    };
    let data = Rows::new(format!("fig-time-{tag}"), times)
        .column("stage", |time| &time.stage)
        .column("method", |time| &time.method)
        .column("batch_size", |time| time.batch_size)
        .column("metric", |time| time.target.metric.name())
        .column("level", |time| time.target.level)
        .column("seconds_per_step", |time| time.seconds_per_step)
        .column("after", |time| time.after)
        .column("by", |time| time.by)
        .column("speed_up", |time| time.speed_up)
        .frame();
    Figure {
        kind: Kind::Other,
        parts: vec![
            Part::Legend(method_legend(study, |method| {
                times.iter().any(|time| time.method == method)
            })),
            Part::Panels {
                pick: Some("Target"),
                drawings: panels.iter().map(|panel| axes.draw(panel)).collect(),
            },
        ],
        data,
        caption: html! {
            "Seconds to each target against batch size (stage"
            @if stages.len() > 1 { "s" }
            " " (words::name(&words::list(&stages.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())))
            "): the median steps (from the last miss to the first hit) times the recorded seconds per step, \
             evaluations included, of all runs of the method and batch size. A method with fewer steps may still \
             take longer. As in the table above, times depend on these machines and on what else ran on them, so \
             they show the order of magnitude only."
        },
    }
}

fn panel(
    study: &Study<'_>,
    tag: &str,
    place: usize,
    target: Target,
    times: &[&TimeToTarget],
) -> Panel {
    let lines: Vec<Line> = study
        .methods()
        .iter()
        .filter_map(|method| {
            let label = words::method(method);
            let mut points: Vec<Point> = times
                .iter()
                .filter(|time| time.method == *method && time.target == target)
                .map(|time| Point {
                    batch: time.batch_size,
                    value: time.by,
                    bar: (time.after > 0.0).then_some(Bar {
                        low: Some(time.after),
                        high: Some(time.by),
                    }),
                    mark: Mark::Known,
                    said: format!("{} to {}", duration(time.after), duration(time.by)),
                    more: String::new(),
                })
                .collect();
            points.sort_by_key(|point| point.batch);
            (!points.is_empty()).then(|| Line::new(study.look(method), label, points))
        })
        .collect();
    Panel {
        id: format!("time-{tag}-{}", place + 1),
        title: words::target(target),
        description: "Time to target by batch size".into(),
        lines,
        reference: Vec::new(),
        label: "seconds".into(),
    }
}
