//! Every run: counted by stage, method and batch size for the eye and for paper, and listed as data, which
//! the script turns into a table of runs to sort, filter and page through. So thousands of runs stay small.

use std::collections::{BTreeMap, BTreeSet};

use analysis::report::RunRow;
use analysis::{Metric, Outcome};
use maud::html;

use crate::document::{Block, List, Section, Table};
use crate::draw::number::{count, grouped};
use crate::frame::{Frame, Kind, Value, runs as of_runs};
use crate::sketches;
use crate::study::Study;
use crate::words;

/// The section.
pub(crate) fn section(study: &Study<'_>) -> Section {
    let runs = &study.table.runs;
    let blocks = if runs.is_empty() {
        vec![html! { p.empty { "There are no runs." } }.into()]
    } else {
        vec![
            Block::Table(groups(runs, study.so_far.is_some())),
            Block::List(List {
                title: "List of all runs",
                caption: html! {
                    "Settings where they differ among the runs of a stage and method (with the settings below \
                     these are all settings of a run), and the last evaluation: losses in nats, accuracies as shares."
                },
                data: list(study),
            }),
            sketches::block(study).into(),
        ]
    };
    Section {
        id: "runs",
        name: "Runs",
        heading: "All runs",
        blocks,
    }
}

/// Settings with columns of their own.
const OWN: [&str; 4] = ["batch_size", "learning_rate", "seed", "stage"];

/// Metrics that the list has of each run's last evaluation.
const LISTED: [Metric; 3] = [
    Metric::TrainLoss,
    Metric::ValidationAccuracy,
    Metric::TestAccuracy,
];

fn listed(runs: &[RunRow]) -> Vec<Metric> {
    let measured = |metric: &Metric| runs.iter().any(|run| last(run, *metric).is_some());
    LISTED.into_iter().filter(measured).collect()
}

fn last(run: &RunRow, metric: Metric) -> Option<f64> {
    metric.of(run.last.as_ref()?)
}

/// `so_far`: in the folder beside the page lies what is of a finished one.
fn groups(runs: &[RunRow], so_far: bool) -> Table {
    let mut groups: BTreeMap<(&str, &str, u64), Vec<&RunRow>> = BTreeMap::new();
    for run in runs {
        let key = (run.stage.as_str(), run.method.as_str(), run.batch_size);
        groups.entry(key).or_default().push(run);
    }
    let metrics = listed(runs);
    let names: Vec<String> = metrics
        .iter()
        .map(|m| words::capital(&m.to_string()))
        .collect();
    let mut head = vec![
        ("Stage", false),
        ("Method", false),
        ("Batch", true),
        ("Runs", true),
        ("Seeds", true),
        ("Diverged", true),
        ("Stopped", true),
        ("Steps", true),
    ];
    head.extend(names.iter().map(|name| (name.as_str(), true)));
    let rows = html! {
        @for ((stage, method, batch), runs) in &groups {
            tr {
                th scope="row" { (words::name(stage)) }
                td { (words::name(&words::method(method))) }
                td.number { (batch) }
                td.number { (runs.len()) }
                td.number { (runs.iter().map(|run| run.seed).collect::<BTreeSet<u64>>().len()) }
                td.number { (runs.iter().filter(|run| matches!(run.outcome, Outcome::Diverged { .. })).count()) }
                td.number { (runs.iter().filter(|run| matches!(run.outcome, Outcome::Stopped { .. })).count()) }
                td.number { (span(runs.iter().map(|run| steps(run) as f64), |v| grouped(v as u64))) }
                @for metric in &metrics {
                    td.number {
                        (span(runs.iter().filter_map(|run| last(run, *metric)), |v| words::measured(*metric, v)))
                    }
                }
            }
        }
    };
    let diverged = runs
        .iter()
        .filter(|r| matches!(r.outcome, Outcome::Diverged { .. }))
        .count();
    Table::new(
        "runs",
        html! {
            "Every run behind this page (" (count(runs.len(), "run")) ", " (diverged)
            " diverged), counted by stage, method and batch size. Steps, and metrics at the last evaluation, are \
             from the lowest to the highest run."
            span.on-paper {
                " The list of all runs is not printed: "
                @if so_far { "it is in the page, as CSV." }
                @else { "it is list-runs.csv in the folder beside this page." }
            }
        },
        &head,
        rows,
        counted(&groups, &metrics),
    )
}

/// The table's numbers.
fn counted(groups: &BTreeMap<(&str, &str, u64), Vec<&RunRow>>, metrics: &[Metric]) -> Frame {
    let text = |name: &str| (name.to_owned(), Kind::Text);
    let whole = |name: &str| (name.to_owned(), Kind::Integer);
    let mut columns = vec![text("stage"), text("method"), whole("batch_size")];
    columns.extend(
        [
            "runs",
            "seeds",
            "diverged",
            "stopped",
            "steps_low",
            "steps_high",
        ]
        .map(whole),
    );
    for metric in metrics {
        columns
            .extend(["low", "high"].map(|end| (format!("{}_{end}", metric.name()), Kind::Number)));
    }
    let mut frame = Frame::new("table-runs", columns);
    for ((stage, method, batch), runs) in groups {
        let ended = |how: fn(&Outcome) -> bool| runs.iter().filter(|run| how(&run.outcome)).count();
        let seeds: BTreeSet<u64> = runs.iter().map(|run| run.seed).collect();
        let first: [Value; 9] = [
            (*stage).into(),
            (*method).into(),
            (*batch).into(),
            runs.len().into(),
            seeds.len().into(),
            ended(|outcome| matches!(outcome, Outcome::Diverged { .. })).into(),
            ended(|outcome| matches!(outcome, Outcome::Stopped { .. })).into(),
            runs.iter().map(|run| steps(run)).min().into(),
            runs.iter().map(|run| steps(run)).max().into(),
        ];
        let ends = metrics.iter().flat_map(|metric| {
            let ends = ends(runs.iter().filter_map(|run| last(run, *metric)));
            [ends.map(|ends| ends.0), ends.map(|ends| ends.1)]
        });
        frame.push(first.into_iter().chain(ends.map(Value::from)));
    }
    frame
}

/// The lowest and the highest.
fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |ends, value| {
        let (low, high): (f64, f64) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// `3`, `3 to 5`; a dash of nothing.
fn span(values: impl Iterator<Item = f64>, write: impl Fn(f64) -> String) -> String {
    ends(values).map_or("–".into(), |(low, high)| {
        let (low, high) = (write(low), write(high));
        if low == high {
            low
        } else {
            // The unit once.
            format!("{} to {high}", low.trim_end_matches("\u{a0}%"))
        }
    })
}

/// A row a run, those of a configuration below each other, in the order of the sketches.
fn list(study: &Study<'_>) -> Frame {
    let runs = &study.table.runs;
    let metrics = listed(runs);
    let paths: BTreeSet<&String> = runs
        .iter()
        .flat_map(|run| run.settings.keys())
        .filter(|path| !OWN.contains(&path.as_str()))
        .collect();
    let settings: Vec<(&String, Kind)> = paths
        .into_iter()
        .map(|path| {
            let values = runs.iter().filter_map(|run| run.settings.get(path));
            (path, of_runs::kind(values))
        })
        .collect();
    let known = |name: &str, kind: Kind| (name.to_owned(), kind);
    let mut columns = vec![
        known("stage", Kind::Text),
        known("method", Kind::Text),
        known("batch_size", Kind::Integer),
        known("learning_rate", Kind::Number),
    ];
    columns.extend(settings.iter().map(|(path, kind)| known(path, *kind)));
    columns.extend([
        known("seed", Kind::Integer),
        known("outcome", Kind::Text),
        known("steps", Kind::Integer),
    ]);
    columns.extend(
        metrics
            .iter()
            .map(|metric| known(metric.name(), Kind::Number)),
    );
    let mut frame = Frame::new("list-runs", columns);
    let mut ordered: Vec<&RunRow> = runs.iter().collect();
    ordered.sort_by_key(|run| study.configuration(&run.label));
    for run in ordered {
        let first: [Value; 4] = [
            (&run.stage).into(),
            (&run.method).into(),
            run.batch_size.into(),
            run.learning_rate.into(),
        ];
        let settings = settings
            .iter()
            .map(|(path, kind)| of_runs::setting(run.settings.get(*path), *kind));
        let results: [Value; 3] = [
            run.seed.into(),
            outcome(run.outcome).into(),
            steps(run).into(),
        ];
        let metrics = metrics.iter().map(|metric| last(run, *metric).into());
        frame.push(
            first
                .into_iter()
                .chain(settings)
                .chain(results)
                .chain(metrics),
        );
    }
    frame
}

/// How a run ended; the steps have a column of their own.
fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished",
        Outcome::Diverged { .. } => "diverged",
        Outcome::Stopped { .. } => "stopped",
    }
}

fn steps(run: &RunRow) -> u64 {
    match run.outcome {
        Outcome::Finished => run.budget_steps,
        Outcome::Diverged { step } | Outcome::Stopped { step } => step,
    }
}
