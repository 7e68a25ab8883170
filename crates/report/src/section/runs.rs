//! Every run: counted by stage, method and batch size for the eye and for paper, and listed with a row for
//! each configuration and its seeds' values side by side, which the script turns into a table of runs to
//! sort, filter and page through. So thousands of runs stay small.

use std::collections::{BTreeMap, BTreeSet};

use analysis::report::RunRow;
use analysis::{Metric, Outcome};
use maud::{Markup, html};

use super::table;
use crate::book::Book;
use crate::csv::{Csv, side_by_side};
use crate::draw::number::{count, exact, grouped, significant};
use crate::figure::data_of_seeds;
use crate::sketches;
use crate::words;

/// The section.
pub(crate) fn section(book: &Book<'_>) -> Markup {
    let runs = &book.table.runs;
    html! {
        section #runs aria-labelledby="runs-heading" {
            h2 #runs-heading { "All runs" }
            @if runs.is_empty() { p.empty { "There are no runs." } } @else {
                (groups(book, runs))
                (sketches::block(book))
            }
        }
    }
}

/// The list's id on the page.
const LIST: &str = "list-runs";

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

fn groups(book: &Book<'_>, runs: &[RunRow]) -> Markup {
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
    html! {
        (table(
            book,
            "table-runs",
            "runs",
            &html! {
                "Every run behind this page (" (count(runs.len(), "run")) ", " (diverged)
                " diverged), counted by stage, method and batch size; steps and metrics of the last evaluation from \
                the lowest to the highest run."
                span.on-paper { " The list of all runs is not printed: it is list-runs.csv in the folder beside this page." }
            },
            &head,
            &rows,
        ))
        figure.table.list id=(LIST) {
            figcaption {
                b { a.anchor href={ "#" (LIST) } { "List of all runs." } }
                " Settings where they differ among the runs of a stage and method (with the settings below \
                 these are all settings of a run), and the last evaluation: losses in nats, accuracies as shares."
            }
            (data_of_seeds(&by_configuration(book)))
        }
    }
}

/// `3`, `3 to 5`; a dash of nothing.
fn span(values: impl Iterator<Item = f64>, write: impl Fn(f64) -> String) -> String {
    let ends = values.fold(None, |ends: Option<(f64, f64)>, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    });
    ends.map_or("–".into(), |(low, high)| {
        let (low, high) = (write(low), write(high));
        if low == high {
            low
        } else {
            // The unit once.
            format!("{} to {high}", low.trim_end_matches("\u{a0}%"))
        }
    })
}

/// The columns of a list, and how to fill them.
struct List<'a> {
    others: BTreeSet<&'a str>,
    metrics: Vec<Metric>,
}

impl<'a> List<'a> {
    fn of(runs: &'a [RunRow]) -> Self {
        let metrics = listed(runs);
        let settings = runs.iter().flat_map(|r| r.settings.keys());
        List {
            others: settings
                .map(String::as_str)
                .filter(|path| !OWN.contains(path))
                .collect(),
            metrics,
        }
    }

    fn head(&self) -> Vec<String> {
        let mut head: Vec<String> = ["stage", "method", "batch_size", "learning_rate"]
            .map(str::to_owned)
            .to_vec();
        head.extend(self.others.iter().map(|path| (*path).to_owned()));
        head.extend(["seed", "outcome", "steps"].map(str::to_owned));
        head.extend(self.metrics.iter().map(|metric| metric.name().to_owned()));
        head
    }

    /// What the seeds of a configuration share.
    fn settings(&self, run: &RunRow) -> Vec<String> {
        let mut row = vec![
            run.stage.clone(),
            run.method.clone(),
            run.batch_size.to_string(),
            exact(run.learning_rate),
        ];
        let setting = |path: &&str| {
            run.settings
                .get(*path)
                .map_or_else(String::new, words::value)
        };
        row.extend(self.others.iter().map(setting));
        row
    }

    /// What each seed has of its own, the seed first.
    fn results(&self, run: &RunRow) -> Vec<String> {
        let mut row = vec![
            run.seed.to_string(),
            outcome(run.outcome).into(),
            steps(run).to_string(),
        ];
        row.extend(
            self.metrics
                .iter()
                .map(|metric| number(*metric, last(run, *metric))),
        );
        row
    }
}

/// A row a configuration, in the order of the book, its seeds side by side.
fn by_configuration(book: &Book<'_>) -> String {
    let list = List::of(&book.table.runs);
    let mut configurations: BTreeMap<Option<usize>, Vec<&RunRow>> = BTreeMap::new();
    for run in &book.table.runs {
        let place = book.configuration(&run.label);
        configurations.entry(place).or_default().push(run);
    }
    let mut csv = Csv::of(&list.head());
    for runs in configurations.values() {
        let mut row = list.settings(runs[0]);
        row.extend(side_by_side(runs.iter().map(|run| list.results(run))));
        csv.row(&row);
    }
    csv.text()
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

/// A plain number, so that the column sorts and copies well.
fn number(metric: Metric, value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if metric.is_loss() => significant(value, 4).replace('\u{2212}', "-"),
        Some(value) => format!("{value:.4}"),
    }
}
