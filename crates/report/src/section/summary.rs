//! One paragraph on what was run, made of the tables alone.

use std::collections::BTreeSet;

use analysis::Outcome;
use analysis::claims::{SEEDS_TO_DECIDE, Verdict};
use analysis::report::StageSettings;
use maud::{Markup, html};

use crate::draw::number::{count, grouped};
use crate::study::Study;
use crate::words;

/// The paragraph under the title.
pub(crate) fn paragraph(study: &Study<'_>) -> Markup {
    let table = study.table;
    if study.so_far.is_some() {
        return so_far(study);
    }
    if table.runs.is_empty() {
        return html! { p.lead { "No training run is behind this report: there is nothing to show." } };
    }
    let methods: Vec<String> = study.methods().iter().map(|m| words::method(m)).collect();
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
        // Of a program that did not say.
        .filter(|parameters| *parameters > 0)
        .collect();
    let seeds: BTreeSet<u64> = table.runs.iter().map(|r| r.seed).collect();
    html! {
        p.lead {
            (count(table.runs.len(), "training run")) " of "
            (words::name(&words::list(&methods)))
            " at " (batches(study.batches()))
            @if let Some(parameters) = range(&parameters) { ", on a network of " (parameters) " parameters" }
            @if let Some(examples) = range(&examples) {
                @if parameters.is_empty() { ", on " } @else { " and " }
                (examples) " training examples"
            }
            "; " (count(seeds.len(), "seed")) " in all. "
            @if diverged == 0 { "No run diverged" } @else { (count(diverged, "run")) " diverged" }
            @if stopped > 0 { ", " (stopped) " ended before their budget was used up" }
            ". "
            @if !table.claims.is_empty() { (verdicts(study)) }
        }
        @let (design, limits) = (design(study), limits(study));
        @if !design.is_empty() || !limits.is_empty() {
            p {
                @for sentence in &design { (sentence) " " }
                @if !limits.is_empty() { b { "Limits: " } (limits.join("; ")) "." }
            }
        }
    }
}

/// The paragraph of a study that is not done: what limits a result can be said once there is one.
fn so_far(study: &Study<'_>) -> Markup {
    let table = study.table;
    let methods: Vec<String> = study.methods().iter().map(|m| words::method(m)).collect();
    html! {
        p.lead {
            @if table.runs.is_empty() { "No training run is done yet." }
            @else {
                (count(table.runs.len(), "training run")) " of " (words::name(&words::list(&methods)))
                " at " (batches(study.batches())) @if table.runs.len() == 1 { " is" } @else { " are" }
                " done and shown below."
            }
        }
    }
}

/// How the methods were tuned and what the quoted numbers rest on.
fn design(study: &Study<'_>) -> Vec<String> {
    let table = study.table;
    let mut sentences = Vec::new();
    let tuning: BTreeSet<&str> = table
        .winners
        .iter()
        .flat_map(|named| named.table.winners.iter().map(|w| w.stage.as_str()))
        .collect();
    let grids: Vec<String> = table
        .stages
        .iter()
        .filter(|stage| tuning.contains(stage.stage.as_str()))
        .filter_map(|stage| {
            Some(format!(
                "{}: {}",
                words::method(&stage.method),
                grid(stage)?
            ))
        })
        .collect();
    if !grids.is_empty() {
        sentences.push(format!(
            "At each batch size a grid was searched to choose the winners ({}).",
            grids.join("; ")
        ));
    }
    let fresh: BTreeSet<usize> = table
        .performance
        .iter()
        .map(|row| row.seeds + row.diverged)
        .collect();
    if let Some(seeds) = between(&fresh) {
        sentences.push(format!(
            "The winners were then trained again on {seeds} fresh seed{} each, and only these runs are quoted as \
             performance.",
            if fresh.last() == Some(&1) { "" } else { "s" }
        ));
    }
    sentences
}

/// `4 × 4 of damping and learning rate`; `None` if nothing but batch size and seed has several values.
fn grid(stage: &StageSettings) -> Option<String> {
    let swept: Vec<_> = stage
        .swept
        .iter()
        .filter(|(path, _)| !["batch_size", "seed"].contains(&path.as_str()))
        .collect();
    if swept.iter().all(|(_, values)| values.len() < 2) {
        return None;
    }
    let sizes: Vec<String> = swept.iter().map(|(_, v)| v.len().to_string()).collect();
    let names: Vec<String> = swept.iter().map(|(path, _)| words::setting(path)).collect();
    Some(format!("{} of {}", sizes.join(" × "), words::list(&names)))
}

/// `5`, `3 to 5`; nothing of nothing.
fn between(counts: &BTreeSet<usize>) -> Option<String> {
    let (low, high) = (counts.first()?, counts.last()?);
    Some(if low == high {
        low.to_string()
    } else {
        format!("{low} to {high}")
    })
}

/// What a reader must hold against the numbers.
fn limits(study: &Study<'_>) -> Vec<String> {
    let table = study.table;
    let mut limits = Vec::new();
    let winners = || table.winners.iter().flat_map(|named| &named.table.winners);
    let tuning: BTreeSet<usize> = winners().map(|winner| winner.seeds.len()).collect();
    if let (Some(seeds), Some(true)) = (
        between(&tuning),
        tuning.first().map(|n| *n < SEEDS_TO_DECIDE),
    ) {
        limits.push(format!(
            "winners and heatmaps rest on {seeds} tuning seed{}, too few to decide a claim on good hyperparameters",
            if tuning.last() == Some(&1) { "" } else { "s" }
        ));
    }
    let (all, edges) = (
        winners().count(),
        winners().filter(|w| !w.on_grid_edge.is_empty()).count(),
    );
    if edges > 0 {
        limits.push(format!(
            "{edges} of {all} winners lie{} on the edge of the grid",
            if edges == 1 { "s" } else { "" }
        ));
    }
    if all > 0 && table.performance.is_empty() {
        limits.push("no winner was trained again on fresh seeds".into());
    }
    let inadmissible = table
        .targets
        .iter()
        .flat_map(|named| &named.table.targets)
        .filter(|note| !note.admissible)
        .count();
    if inadmissible > 0 {
        limits.push(format!(
            "{} too easy to time",
            if inadmissible == 1 {
                "1 target is".into()
            } else {
                format!("{inadmissible} targets are")
            }
        ));
    }
    let large: BTreeSet<u64> = table
        .targets
        .iter()
        .flat_map(|named| &named.table.summaries)
        .filter(|row| row.over_tenth_of_data)
        .map(|row| row.batch_size)
        .collect();
    if let Some(first) = large.first() {
        limits.push(format!(
            "batches of {}{} are more than a tenth of the training set",
            grouped(*first),
            if large.len() > 1 { " and more" } else { "" }
        ));
    }
    limits
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

fn verdicts(study: &Study<'_>) -> String {
    let of = |verdict| {
        study
            .table
            .claims
            .iter()
            .filter(|c| c.verdict == verdict)
            .count()
    };
    let parts: Vec<String> = Verdict::ALL
        .into_iter()
        .map(|verdict| (of(verdict), words::claims::verdict(verdict)))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    format!(
        "Of {}: {}.",
        count(study.table.claims.len(), "claim"),
        words::list(&parts)
    )
}
