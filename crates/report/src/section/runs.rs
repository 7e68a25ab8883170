//! Every run: counted by stage, method and batch size for the eye and for paper, and listed as data, which
//! the script turns into a table of runs to sort, filter and page through. So thousands of runs stay small.

use std::collections::{BTreeMap, BTreeSet};

use analysis::report::RunRow;
use analysis::{Metric, Outcome, Part};
use maud::html;

use crate::document::{Block, List, Section, Table};
use crate::draw::number::{count, grouped};
use crate::frame::{Frame, Rows, runs as of_runs};
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
            Block::Table(groups(runs)),
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
fn listed(runs: &[RunRow]) -> Vec<Metric> {
    let measured = |metric: &Metric| runs.iter().any(|run| last(run, *metric).is_some());
    let accuracies = Metric::accuracies(Part::Validation).chain(Metric::accuracies(Part::Test));
    let all = Metric::losses(Part::Train).chain(accuracies);
    all.filter(measured).collect()
}

fn last(run: &RunRow, metric: Metric) -> Option<f64> {
    metric.of(run.last.as_ref()?)
}

fn groups(runs: &[RunRow]) -> Table {
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
            span.on-paper { " The list of all runs is not printed: it is list-runs.csv in the folder beside this page." }
        },
        &head,
        rows,
        counted(&groups, &metrics),
    )
}

/// The table's numbers.
fn counted(groups: &BTreeMap<(&str, &str, u64), Vec<&RunRow>>, metrics: &[Metric]) -> Frame {
    let ended = |runs: &[&RunRow], how: &str| {
        let ends = runs.iter().map(|run| outcome(run.outcome));
        ends.filter(|end| *end == how).count()
    };
    let mut rows = Rows::new("table-runs", groups)
        .column("stage", |(&(stage, ..), _)| stage)
        .column("method", |(&(_, method, _), _)| method)
        .column("batch_size", |(&(.., batch), _)| batch)
        .column("runs", |(_, runs)| runs.len())
        .column("seeds", |(_, runs)| {
            let seeds: BTreeSet<u64> = runs.iter().map(|run| run.seed).collect();
            seeds.len()
        })
        .column("diverged", |(_, runs)| ended(runs, "diverged"))
        .column("stopped", |(_, runs)| ended(runs, "stopped"))
        .column("steps_low", |(_, runs)| {
            runs.iter().map(|run| steps(run)).min()
        })
        .column("steps_high", |(_, runs)| {
            runs.iter().map(|run| steps(run)).max()
        });
    for metric in metrics {
        let [low, high] = ["low", "high"].map(|end| format!("{}_{end}", metric.name()));
        rows = rows.columns([&low, &high], |(_, runs)| {
            let ends = ends(runs.iter().filter_map(|run| last(run, *metric)));
            [ends.map(|ends| ends.0), ends.map(|ends| ends.1)]
        });
    }
    rows.frame()
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
    let mut ordered: Vec<&RunRow> = runs.iter().collect();
    ordered.sort_by_key(|run| study.configuration(&run.label));
    let mut rows = Rows::new("list-runs", ordered)
        .column("stage", |run| &run.stage)
        .column("method", |run| &run.method)
        .column("batch_size", |run| run.batch_size)
        .column("learning_rate", |run| run.learning_rate);
    for path in paths {
        let kind = of_runs::kind(runs.iter().filter_map(|run| run.settings.get(path)));
        rows = rows.of_kind(path, kind, |run| {
            of_runs::setting(run.settings.get(path), kind)
        });
    }
    rows = rows
        .column("seed", |run| run.seed)
        .column("outcome", |run| outcome(run.outcome))
        .column("steps", steps);
    for metric in metrics {
        rows = rows.column(metric.name(), |run| last(run, metric));
    }
    rows.frame()
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
