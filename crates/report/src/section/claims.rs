//! The answer first: each claim, its verdict, the number behind it, and the
//! figure it rests on.

use analysis::claims::Claim;
use analysis::claims::{Alternative, ClaimVerdict, Figure, Statistic, Verdict};
use maud::{Markup, html};

use super::{cell, table};
use crate::book::{Book, Kind};
use crate::draw::number::{count, significant};
use crate::words;

/// The section, around the table of other choices. Written after all figures,
/// so that it can name their numbers.
pub(crate) fn section(book: &Book<'_>, choices: &Markup) -> Markup {
    let claims = &book.table.claims;
    html! {
        section #claims aria-labelledby="claims-heading" {
            h2 #claims-heading { "What was found" }
            @if claims.is_empty() {
                p.empty { "The study declares no claims; the figures below speak for themselves." }
            } @else {
                p.note {
                    "Each claim was declared in the study file and tested by a fixed rule. Undecided means that \
                     the interval covers both answers, or that there are fewer than 5 seeds."
                }
                ol.claims { @for (index, claim) in claims.iter().enumerate() { (one(book, index, claim)) } }
                (choices)
            }
        }
    }
}

fn one(book: &Book<'_>, index: usize, claim: &ClaimVerdict) -> Markup {
    html! {
        li id={ "claim-" (index + 1) } {
            (badge(claim.verdict))
            div {
                p.statement { (words::name(&claim.sentence)) }
                p { (words::name(&claim.reason)) }
                p.note {
                    @if let Some(statistic) = &claim.statistic { (said(statistic)) " · " }
                    @else { "n = " (claim.n) " · " }
                    (pointers(book, claim))
                }
                @if claim.parts.len() > 1 {
                    details {
                        summary { "All " (claim.parts.len()) " numbers behind it" }
                        (parts(&claim.parts))
                    }
                }
            }
        }
    }
}

/// The verdict as symbol and word.
pub(crate) fn badge(verdict: Verdict) -> Markup {
    let (class, symbol, word) = match verdict {
        Verdict::Supported => ("supported", "✓", "supported"),
        Verdict::Contradicted => ("contradicted", "✕", "contradicted"),
        Verdict::Undecided => ("undecided", "?", "undecided"),
    };
    html! { span.verdict.(class) { b aria-hidden="true" { (symbol) } (word) } }
}

/// `difference of slopes, batch 64: 0.31, 95 % interval 0.1 to 0.5, n = 5`.
fn said(statistic: &Statistic) -> Markup {
    html! {
        (words::name(&words::capital(&statistic.name)))
        @if let Some(part) = &statistic.part { ", " (words::name(part)) }
        ": " (significant(statistic.estimate.value, 3))
        @if let Some(interval) = &statistic.estimate.interval {
            ", " (significant(interval.confidence * 100.0, 3)) "\u{a0}% interval "
            (words::interval(interval, |v| significant(v, 3)))
        }
        ", n\u{a0}=\u{a0}" (statistic.n)
    }
}

fn pointers(book: &Book<'_>, claim: &ClaimVerdict) -> Markup {
    match claim.figure {
        Figure::Winners => book.pointer(Kind::Performance, "winners", "Winners"),
        Figure::Scaling => book.pointer(Kind::Steps, "scaling", "Steps to target"),
        Figure::Curves => book.pointer(Kind::Curves, "curves", "Training curves"),
        Figure::Heatmaps => html! {
            // Correlation is seen in the maps, growth in the shares.
            @if !matches!(claim.claim, Claim::RatesAndDampingsCorrelate {}) {
                (book.pointer(Kind::Share, "heatmaps", "Share of good cells")) ", "
            }
            (book.pointer(Kind::Heatmap, "heatmaps", "Heatmaps"))
        },
    }
}

fn parts(parts: &[Statistic]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Numbers behind the claim" {
            table {
                thead { tr {
                    th scope="col" { "Statistic" } th scope="col" { "Part" }
                    th.number scope="col" { "Estimate" } th.number scope="col" { "Interval" }
                    th.number scope="col" { "n" } th scope="col" { "On its own" }
                } }
                tbody {
                    @for part in parts {
                        tr {
                            th scope="row" { (words::name(&part.name)) }
                            td { @if let Some(of) = &part.part { (words::name(of)) } }
                            (numbers(part))
                            td { (badge(part.verdict)) }
                        }
                    }
                }
            }
        }
    }
}

fn numbers(statistic: &Statistic) -> Markup {
    html! {
        td.number { (significant(statistic.estimate.value, 3)) }
        td.number {
            @match &statistic.estimate.interval {
                Some(interval) => { (words::interval(interval, |v| significant(v, 3))) }
                None => "none"
            }
        }
        td.number { (statistic.n) }
    }
}

/// Each verdict under other choices of level, target or schedule; the first
/// table of the page.
pub(crate) fn choices(book: &Book<'_>) -> Markup {
    if book.table.claims.iter().all(|c| c.under.is_empty()) {
        return html! {};
    }
    let rows = html! {
        @for (index, claim) in book.table.claims.iter().enumerate() {
            @for (place, other) in claim.under.iter().enumerate() {
                tr {
                    @if place == 0 {
                        th scope="rowgroup" rowspan=(claim.under.len()) {
                            a href={ "#claim-" (index + 1) } { "Claim " (index + 1) }
                        }
                    }
                    (alternative(other))
                }
            }
        }
    };
    let n: usize = book.table.claims.iter().map(|c| c.under.len()).sum();
    table(
        book,
        "other-choices",
        "choices",
        &html! {
            "The verdicts under other choices of level, target or schedule (" (count(n, "choice"))
            "). A verdict that changes from row to row depends on the choice and should be quoted with it."
        },
        &[
            ("Claim", false),
            ("Choice", false),
            ("Verdict", false),
            ("Estimate", true),
            ("Interval", true),
            ("n", true),
            ("Why", false),
        ],
        &rows,
    )
}

fn alternative(other: &Alternative) -> Markup {
    html! {
        td { (words::name(&other.choice)) }
        td { (badge(other.verdict)) }
        @match &other.statistic {
            Some(statistic) => {
                (numbers(statistic))
                td class=(cell(false)) {
                    (words::name(&statistic.name))
                    @if let Some(part) = &statistic.part { ", " (words::name(part)) }
                }
            }
            None => {
                td.number { "–" } td.number { "–" } td.number { "–" }
                td { (words::name(&other.reason)) }
            }
        }
    }
}
