//! The answer first: each claim, its verdict, the number behind it, and the
//! figure it rests on.

use analysis::claims::Claim;
use analysis::claims::{Agreement, Alternative, ClaimVerdict, Figure, Statistic, Unit, Verdict};
use maud::{Markup, html};

use super::{cell, controls};
use crate::document::{Block, Kind, References, Section, Table};
use crate::draw::number::{count, significant};
use crate::frame;
use crate::study::Study;
use crate::words;

/// The section, with links to the figures that the claims rest on.
pub(crate) fn section(study: &Study<'_>, references: &References) -> Section {
    let claims = &study.table.claims;
    let text = html! {
        @if claims.is_empty() {
            p.empty { "The study declares no claims; the figures below speak for themselves." }
        } @else {
            p.note {
                "Each claim was declared in the study file before the runs and is tested by a fixed rule. Undecided \
                 means that the data allow both answers, or that there are fewer than 5 seeds."
            }
            ol.claims { @for (index, claim) in claims.iter().enumerate() { (one(study, references, index, claim)) } }
        }
    };
    let mut blocks = vec![Block::Text(text)];
    blocks.extend(choices(study));
    Section {
        id: "claims",
        name: "Findings",
        heading: "What was found",
        blocks,
    }
}

fn one(study: &Study<'_>, references: &References, index: usize, claim: &ClaimVerdict) -> Markup {
    html! {
        li id={ "claim-" (index + 1) } {
            (badge(claim.verdict))
            div {
                p.statement { (words::prose(&claim.sentence)) }
                p { (words::prose(&claim.reason)) }
                @if let Some(said) = elsewhere(claim) { p { (said) } }
                p.note {
                    @if let Some(statistic) = &claim.statistic { (said(statistic)) " · " }
                    @else { "n = " (claim.n) " · " }
                    (pointers(study, references, claim))
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
    let symbol = match verdict {
        Verdict::Supported => "✓",
        Verdict::Contradicted => "✕",
        Verdict::Undecided => "?",
    };
    let word = word(verdict);
    html! { span.verdict.(word) { b aria-hidden="true" { (symbol) } (word) } }
}

/// What becomes of the verdict under the other choices; nothing without any.
fn elsewhere(claim: &ClaimVerdict) -> Option<Markup> {
    let counts = claim.elsewhere();
    let all: usize = counts.values().sum();
    if all == 0 {
        return None;
    }
    let of = |agreement: Agreement| counts.get(&agreement).copied().unwrap_or(0);
    let mut said = Vec::new();
    for (agreement, words) in [
        (Agreement::Agrees, ["agrees", "agree"]),
        (Agreement::IsUndecided, ["is undecided", "are undecided"]),
        (
            Agreement::WouldDecide,
            ["would decide it", "would decide it"],
        ),
        (Agreement::Contradicts, ["contradicts", "contradict"]),
        (Agreement::HasNoSay, ["has no say", "have no say"]),
    ] {
        let which = if agreement == Agreement::WouldDecide {
            format!(" ({})", decided(claim).join(", "))
        } else {
            String::new()
        };
        match of(agreement) {
            0 => {}
            n => said.push(format!("{n} {}{which}", words[usize::from(n > 1)])),
        }
    }
    // The first choice under which the answer is another.
    let turned = [Agreement::Contradicts, Agreement::WouldDecide]
        .into_iter()
        .find_map(|wanted| {
            let mut others = claim.under.iter().skip(1);
            others.find(|other| claim.agreement(other) == wanted)
        });
    Some(html! {
        @if of(Agreement::Contradicts) > 0 { b { "The verdict depends on the choice: " } "of " } @else { "Of " }
        a href="#other-choices" { (count(all, "other choice")) } ", " (words::list(&said))
        @if let Some(other) = turned {
            ", such as " (word(other.verdict)) " at " (words::prose(&other.choice))
        }
        "."
    })
}

/// How the choices that would decide an undecided claim would: `2 supported`, `3 contradicted`.
fn decided(claim: &ClaimVerdict) -> Vec<String> {
    let would = |verdict: &Verdict| {
        let others = claim.under.iter().skip(1);
        others
            .filter(|other| {
                claim.agreement(other) == Agreement::WouldDecide && other.verdict == *verdict
            })
            .count()
    };
    [Verdict::Supported, Verdict::Contradicted]
        .into_iter()
        .filter(|verdict| would(verdict) > 0)
        .map(|verdict| format!("{} {}", would(&verdict), word(verdict)))
        .collect()
}

/// Where the control stands, or else would.
fn target(study: &Study<'_>) -> &'static str {
    if study.table.controls.is_empty() {
        "heatmaps"
    } else {
        controls::CONTROLS
    }
}

/// `difference of slopes, batch 64: 0.31, 95 % interval 0.1 to 0.5, n = 5`.
fn said(statistic: &Statistic) -> Markup {
    let (value, interval) = written(statistic);
    html! {
        (words::prose(&words::capital(&statistic.name)))
        @if let Some(part) = &statistic.part { ", " (words::prose(part)) }
        ": " (value)
        @if let (Some(words), Some(interval)) = (interval, &statistic.estimate.interval) {
            ", " (significant(interval.confidence * 100.0, 3)) "\u{a0}% interval " (words)
        }
        ", n\u{a0}=\u{a0}" (statistic.n)
    }
}

/// A statistic and its interval in its unit: `−1.2 points`, `[−2.1, −0.3]`.
pub(super) fn written(statistic: &Statistic) -> (String, Option<String>) {
    let plain: fn(f64) -> String = |v| significant(v, 3);
    let (write, after): (fn(f64) -> String, &str) = match statistic.unit {
        Unit::Plain => (plain, ""),
        Unit::Points if points(statistic.estimate.value) == "1" => (points, "\u{a0}point"),
        Unit::Points => (points, "\u{a0}points"),
        Unit::LogRatio => (|v| significant(v.exp(), 3), "\u{a0}×"),
    };
    let (value, interval) = words::estimate(&statistic.estimate, write);
    // Of a ratio the open side ends at 0.
    let interval = interval.map(|text| match statistic.unit {
        Unit::LogRatio => text.replace("(−∞", "(0"),
        _ => text,
    });
    (format!("{value}{after}"), interval)
}

/// A difference of shares of at most 1, in hundredths. What rounding leaves of shares that cancel is 0.
fn points(difference: f64) -> String {
    let points = difference * 100.0;
    significant(if points.abs() < 1e-10 { 0.0 } else { points }, 3)
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Contradicted => "contradicted",
        Verdict::Undecided => "undecided",
    }
}

fn pointers(study: &Study<'_>, references: &References, claim: &ClaimVerdict) -> Markup {
    match claim.figure {
        Figure::Winners => references.pointer(Kind::Performance, "winners", "Winners"),
        Figure::Scaling => references.pointer(Kind::Steps, "scaling", "Steps to target"),
        // Steps to a loss decide; the curves show them.
        Figure::Curves => html! {
            (references.pointer(Kind::Steps, "scaling", "Steps to target")) ", "
            (references.pointer(Kind::Curves, "curves", "Training curves"))
        },
        Figure::Controls => html! { a href={ "#" (target(study)) } { "K-FAC beside SGD" } },
        Figure::Heatmaps => html! {
            // Correlation is seen in the maps, growth in the shares.
            @if !matches!(claim.claim, Claim::RatesAndDampingsCorrelate {}) {
                (references.pointer(Kind::Share, "heatmaps", "Share of good cells")) ", "
            }
            (references.pointer(Kind::Heatmap, "heatmaps", "Heatmaps"))
        },
    }
}

fn parts(parts: &[Statistic]) -> Markup {
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let shared = names.windows(2).all(|pair| pair[0] == pair[1]);
    html! {
        @if shared { p.note { (words::prose(&words::capital(names[0]))) ":" } }
        div.scroll tabindex="0" role="region" aria-label="Numbers behind the claim" {
            table {
                thead { tr {
                    @if !shared { th scope="col" { "Statistic" } }
                    @if parts.iter().any(|part| part.part.is_some()) { th scope="col" { "Part" } }
                    th.number scope="col" { "Estimate" } th.number scope="col" { "Interval" }
                    th.number scope="col" { "n" } th scope="col" { "On its own" }
                } }
                tbody {
                    @for part in parts {
                        tr {
                            @if !shared { th scope="row" { (words::prose(&part.name)) } }
                            @if let Some(of) = &part.part { td { (words::prose(of)) } }
                            @else if parts.iter().any(|part| part.part.is_some()) { td { "all" } }
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
    let (value, interval) = written(statistic);
    html! {
        td.number { (value) }
        td.number { (interval.unwrap_or_else(|| "none".into())) }
        td.number { (statistic.n) }
    }
}

/// Each verdict under other choices of level, target or schedule; the first
/// table of the page.
fn choices(study: &Study<'_>) -> Option<Block> {
    let claims = &study.table.claims;
    // The first choice is the one that decided.
    let others = |claim: &ClaimVerdict| claim.under.len().saturating_sub(1);
    let n: usize = claims.iter().map(others).sum();
    if n == 0 {
        return None;
    }
    let of = |agreement: Agreement| -> usize {
        let counts = claims
            .iter()
            .filter_map(|claim| claim.elsewhere().get(&agreement).copied());
        counts.sum()
    };
    let (differ, open) = (of(Agreement::Contradicts), of(Agreement::WouldDecide));
    let rows = html! {
        @for (index, claim) in claims.iter().enumerate().filter(|(_, claim)| !claim.under.is_empty()) {
            tr.group {
                th scope="colgroup" colspan="6" {
                    a href={ "#claim-" (index + 1) } { "Claim " (index + 1) } ". "
                    (words::prose(&claim.sentence))
                    @if let Some(name) = shared_name(claim) { span.quiet { " Estimate: " (words::prose(name)) "." } }
                }
            }
            @for (place, other) in claim.under.iter().enumerate() {
                (alternative(claim, place, other))
            }
        }
    };
    let report = std::iter::once((study.table.title.as_str(), study.table));
    Some(Block::Closed {
        class: Some("choices"),
        summary: html! {
            "The verdicts under " (count(n, "other choice")) ": "
            (match differ { 0 => "none contradicts".into(), 1 => "1 contradicts".into(), n => format!("{n} contradict") })
            @if open > 0 { ", " (open) " would decide what is undecided" }
        },
        blocks: vec![Block::Table(Table::new(
            "choices",
            html! {
                "The verdicts under other choices of level, target, selection or schedule. The choice that decides comes first; \
                 a verdict that contradicts it is tinted and should be quoted with its choice. Levels that nearly no or \
                 nearly every cell passes have no say. Estimates are those \
                 least in favour of the claim."
            },
            &[
                ("Choice", false),
                ("Verdict", false),
                ("Estimate", true),
                ("Interval", true),
                ("n", true),
                ("Where", false),
            ],
            rows,
            frame::report::choices(report).named("other-choices"),
        ))],
    })
}

/// The name of the statistic, if all choices have the same.
fn shared_name(claim: &ClaimVerdict) -> Option<&str> {
    let mut names = claim
        .under
        .iter()
        .filter_map(|other| Some(other.statistic.as_ref()?.name.as_str()));
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

fn alternative(claim: &ClaimVerdict, place: usize, other: &Alternative) -> Markup {
    let agreement = claim.agreement(other);
    let differs = agreement == Agreement::Contradicts;
    let beside = match agreement {
        Agreement::Contradicts => " contradicts",
        Agreement::WouldDecide => " would decide",
        Agreement::HasNoSay => " no say",
        Agreement::Agrees | Agreement::IsUndecided => "",
    };
    html! {
        tr.differs[differs] {
            th scope="row" {
                (words::prose(&other.choice))
                @if place == 0 { span.quiet { " (decides)" } }
            }
            td { (badge(other.verdict)) @if place > 0 { span.edge[differs].quiet[!differs] { (beside) } } }
            @match &other.statistic {
                Some(statistic) => {
                    (numbers(statistic))
                    td class=(cell(false)) {
                        // A level is its own place.
                        @let part = statistic.part.as_ref().filter(|part| !other.choice.starts_with(part.as_str()));
                        @if shared_name(claim).is_none() {
                            (words::prose(&statistic.name)) @if part.is_some() { ", " }
                        }
                        @if let Some(part) = part { (words::prose(part)) }
                    }
                }
                None => {
                    td.number { "–" } td.number { "–" } td.number { "–" }
                    td {
                        // Said once of rows below each other.
                        @let above = place.checked_sub(1).map(|above| &claim.under[above]);
                        @if above.is_some_and(|above| above.statistic.is_none() && above.reason == other.reason) {
                            "as above"
                        } @else { (words::prose(&other.reason)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::points;

    #[test]
    fn shares_that_cancel_differ_by_nothing() {
        let cancelled = 0.1 + 0.2 - 0.3;
        assert!(cancelled > 0.0);
        assert_eq!(points(cancelled), "0");
        assert_eq!(points(0.001), "0.1");
        assert_eq!(points(-0.0345), "−3.45");
    }
}
