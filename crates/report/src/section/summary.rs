//! One paragraph on what was run, made of the tables alone.

use std::collections::BTreeSet;

use analysis::Outcome;
use analysis::claims::Verdict;
use maud::{Markup, html};

use crate::book::Book;
use crate::draw::number::{count, grouped};
use crate::words;

/// The paragraph under the title.
pub(crate) fn paragraph(book: &Book<'_>) -> Markup {
    let table = book.table;
    if table.runs.is_empty() {
        return html! { p.lead { "No training run is behind this report: there is nothing to show." } };
    }
    let methods: Vec<String> = book.methods().iter().map(|m| words::method(m)).collect();
    let diverged = table
        .runs
        .iter()
        .filter(|r| matches!(r.outcome, Outcome::Diverged { .. }))
        .count();
    let stopped = table
        .runs
        .iter()
        .filter(|r| matches!(r.outcome, Outcome::Stopped { .. }))
        .count();
    let examples: BTreeSet<u64> = table
        .stages
        .iter()
        .flat_map(|s| s.train_examples.clone())
        .collect();
    let parameters: BTreeSet<u64> = table
        .stages
        .iter()
        .flat_map(|s| s.parameters.clone())
        .collect();
    let seeds: BTreeSet<u64> = table.runs.iter().map(|r| r.seed).collect();
    html! {
        p.lead {
            (count(table.runs.len(), "training run")) " of "
            (words::name(&words::list(&methods)))
            " at " (batches(book.batches()))
            @if let Some(parameters) = range(&parameters) { ", on a network of " (parameters) " parameters" }
            @if let Some(examples) = range(&examples) { " and " (examples) " training examples" }
            "; " (count(seeds.len(), "seed")) " in all. "
            @if diverged == 0 { "No run diverged" } @else { (count(diverged, "run")) " diverged" }
            @if stopped > 0 { ", " (count(stopped, "run")) " stopped early where nothing read the rest" }
            ". "
            @if !table.claims.is_empty() { (verdicts(book)) }
        }
    }
}

fn batches(batches: &[u64]) -> String {
    match batches {
        [] => "no batch size".into(),
        [one] => format!("batch size {}", grouped(*one)),
        [first, .., last] if batches.len() > 6 => format!(
            "{} batch sizes from {} to {}",
            batches.len(),
            grouped(*first),
            grouped(*last)
        ),
        _ => {
            let names: Vec<String> = batches.iter().map(|b| grouped(*b)).collect();
            format!("batch sizes {}", words::list(&names))
        }
    }
}

fn range(values: &BTreeSet<u64>) -> Option<String> {
    let (low, high) = (values.first()?, values.last()?);
    Some(if low == high {
        grouped(*low)
    } else {
        format!("{} to {}", grouped(*low), grouped(*high))
    })
}

fn verdicts(book: &Book<'_>) -> String {
    let of = |verdict| {
        book.table
            .claims
            .iter()
            .filter(|c| c.verdict == verdict)
            .count()
    };
    let parts: Vec<String> = [
        (of(Verdict::Supported), "supported"),
        (of(Verdict::Contradicted), "contradicted"),
        (of(Verdict::Undecided), "undecided"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    format!(
        "Of {}: {}.",
        count(book.table.claims.len(), "claim"),
        words::list(&parts)
    )
}
