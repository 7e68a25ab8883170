//! Wall-clock beside steps: what the steps to each target take at the recorded pace.

use std::collections::BTreeSet;

use analysis::Target;
use analysis::targets::{Pace, TargetsTable, TimeToTarget, times_to_target};
use maud::{Markup, html};

use super::by_batch::{Axes, Bar, Line, Mark, Panel, Point};
use super::steps::is_tuned;
use super::{data, figure, method_entry, panel_size};
use crate::book::{Book, Kind, groups};
use crate::csv::{Csv, measured};
use crate::draw::number::duration;
use crate::draw::scale::{Scale, Spacing};
use crate::provenance::TrainingTime;
use crate::words;

/// A figure for each table of targets and group of stages.
pub(crate) fn figures(book: &Book<'_>, training: &[TrainingTime]) -> Markup {
    let paces: Vec<Pace> = training
        .iter()
        .map(|time| Pace {
            method: time.method.clone(),
            batch_size: time.batch_size,
            steps: time.steps,
            seconds: time.seconds,
        })
        .collect();
    html! {
        @for (index, named) in book.table.targets.iter().enumerate() {
            @let times = times_to_target(&named.table, &paces);
            @let series = times.iter().map(|time| (time.stage.as_str(), time.method.as_str()));
            @let groups = groups(series);
            @let all_tuned = groups.iter().all(|group| is_tuned(&named.table, group));
            @for (place, group) in groups.iter().enumerate().filter(|(_, group)| all_tuned || !is_tuned(&named.table, group)) {
                @let mine: Vec<&TimeToTarget> =
                    times.iter().filter(|time| group.contains(&(&time.stage, &time.method))).collect();
                (one(book, &format!("{}-{}", index + 1, place + 1), &named.table, &mine))
            }
        }
    }
}

fn one(book: &Book<'_>, tag: &str, table: &TargetsTable, times: &[&TimeToTarget]) -> Markup {
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
        .map(|(place, target)| panel(book, tag, place, *target, times))
        .collect();
    let (width, height, class) = panel_size(panels.len());
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
    let mut csv = Csv::new([
        "stage",
        "method",
        "target",
        "batch_size",
        "seconds_per_step",
        "after",
        "by",
        "speed_up",
    ]);
    for time in times {
        csv.row(&[
            time.stage.clone(),
            time.method.clone(),
            time.target.to_string(),
            time.batch_size.to_string(),
            measured(Some(time.seconds_per_step)),
            measured(Some(time.after)),
            measured(Some(time.by)),
            measured(time.speed_up),
        ]);
    }
    figure(
        book,
        Kind::Other,
        &format!("fig-time-{tag}"),
        &html! {
            ul.legend {
                @for method in book.methods().iter().filter(|m| times.iter().any(|time| time.method == **m)) {
                    (method_entry(book.look(method), &words::name(&words::method(method))))
                }
            }
            div class=(class) data-pick="Target" { @for panel in &panels { (axes.draw(panel)) } }
        },
        &html! {
            "Seconds to each target against batch size (stage"
            @if stages.len() > 1 { "s" }
            " " (words::name(&words::list(&stages.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())))
            "): the median steps, from the last miss to the first hit, times the recorded seconds a step of all runs of the \
             method and batch size, evaluations included. A method with fewer steps may still take longer. As the table \
             above, an order of magnitude: it holds for these machines, and for whatever ran beside."
        },
        &data(&csv.text()),
    )
}

fn panel(
    book: &Book<'_>,
    tag: &str,
    place: usize,
    target: Target,
    times: &[&TimeToTarget],
) -> Panel {
    let lines: Vec<Line> = book
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
            (!points.is_empty()).then(|| Line::new(book.look(method), label, points))
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
