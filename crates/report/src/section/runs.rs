//! Every run in one table, to be sorted and filtered.

use std::collections::{BTreeMap, BTreeSet};

use analysis::report::RunRow;
use analysis::{Metric, Outcome};
use maud::{Markup, html};
use serde_json::Value;

use super::table;
use crate::book::Book;
use crate::draw::number::{count, exact, significant};
use crate::words;

/// The section.
pub(crate) fn section(book: &Book<'_>) -> Markup {
    let runs = &book.table.runs;
    html! {
        section #runs aria-labelledby="runs-heading" {
            h2 #runs-heading { "All runs" }
            @if runs.is_empty() { p.empty { "There are no runs." } } @else { (all(book, runs)) }
        }
    }
}

/// Settings with columns of their own; the others share one.
const OWN: [&str; 4] = ["batch_size", "learning_rate", "seed", "stage"];

fn all(book: &Book<'_>, runs: &[RunRow]) -> Markup {
    let measured = |metric: Metric| {
        runs.iter()
            .any(|r| r.last.as_ref().is_some_and(|e| metric.of(e).is_some()))
    };
    let metrics: Vec<Metric> = [
        Metric::TrainLoss,
        Metric::ValidationAccuracy,
        Metric::TestAccuracy,
    ]
    .into_iter()
    .filter(|m| measured(*m))
    .collect();
    let best = metrics.iter().copied().find(|m| !m.is_loss());
    let others: BTreeSet<&str> = runs
        .iter()
        .flat_map(|r| r.settings.keys())
        .map(String::as_str)
        .collect();
    let any_other = others.iter().any(|path| !OWN.contains(path));
    let names: Vec<String> = metrics
        .iter()
        .map(|m| words::capital(&m.to_string()))
        .collect();
    let best_name = best.map(|m| format!("Best {m}"));
    let mut head = vec![
        ("Stage", false),
        ("Method", false),
        ("Batch", true),
        ("Rate", true),
    ];
    if any_other {
        head.push(("Other settings", false));
    }
    head.extend([("Seed", true), ("Outcome", false), ("Steps", true)]);
    head.extend(names.iter().map(|name| (name.as_str(), true)));
    if let Some(name) = &best_name {
        head.push((name, true));
    }
    let rows = html! {
        @for (index, run) in runs.iter().enumerate() {
            tr id={ "run-" (index + 1) } {
                th scope="row" { (words::name(&run.stage)) }
                td { (words::name(&words::method(&run.method))) }
                td.number { (run.batch_size) }
                td.number { (exact(run.learning_rate)) }
                @if any_other { td.wide { (words::name(&other(&run.settings))) } }
                td.number { (run.seed) }
                td { (outcome(run.outcome)) }
                td.number { (steps(run)) }
                @for metric in &metrics {
                    td.number { (number(*metric, run.last.as_ref().and_then(|e| metric.of(e)))) }
                }
                @if let Some(metric) = best {
                    td.number { (number(metric, run.best.get(&metric).map(|b| b.value))) }
                }
            }
        }
    };
    let diverged = runs
        .iter()
        .filter(|r| matches!(r.outcome, Outcome::Diverged { .. }))
        .count();
    table(
        book,
        "table-runs",
        "sortable",
        &html! {
            "Every run behind this page (" (count(runs.len(), "run")) ", " (diverged)
            " diverged): its settings where they differ among the runs of its stage and method, and its last \
             evaluation; losses in nats, accuracies as shares. With the settings of its stage below these are all \
             its settings."
        },
        &head,
        &rows,
    )
}

fn other(settings: &BTreeMap<String, Value>) -> String {
    let parts: Vec<String> = settings
        .iter()
        .filter(|(path, _)| !OWN.contains(&path.as_str()))
        .map(|(path, value)| format!("{} {}", words::setting(path), words::value(value)))
        .collect();
    parts.join(", ")
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
        None => "–".into(),
        Some(value) if metric.is_loss() => significant(value, 4).replace('\u{2212}', "-"),
        Some(value) => format!("{value:.4}"),
    }
}
