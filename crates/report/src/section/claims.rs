//! The answer first: each claim with its verdict, its effect, the figure of it, and the figure that it rests on.

use analysis::claims::{
    Agreement, Alternative, Choice, Claim, ClaimVerdict, Figure as Rests, Part, Quantity,
    Statistic, Unit, Verdict,
};
use maud::{Markup, html};

use super::{cell, controls};
use crate::document::{Block, Figure, Kind, References, Section, Table};
use crate::draw::number::{count, significant};
use crate::figure::forest;
use crate::frame;
use crate::study::Study;
use crate::words::claims::{choice, choices_differ_in, quantity, statement, verdict as word};
use crate::words::effects::hundredths;
use crate::words::{self, reasons};

/// Of each claim the figure of its effect.
pub(crate) fn effects(study: &Study<'_>) -> Vec<Option<Figure>> {
    let claims = study.table.claims.iter().enumerate();
    claims
        .map(|(index, claim)| forest::one(study, index, claim))
        .collect()
}

/// The section, with links to the figures that the claims rest on.
pub(crate) fn section(
    study: &Study<'_>,
    references: &References,
    effects: Vec<Option<Figure>>,
) -> Section {
    if let Some(so_far) = study.so_far {
        return Section {
            id: "claims",
            name: "Findings",
            heading: "What is to be found",
            blocks: vec![Block::Text(so_far.claims(statement))],
        };
    }
    let claims = &study.table.claims;
    let mut blocks = vec![Block::Text(html! {
        @if claims.is_empty() {
            p.empty { "The study declares no claims; the figures below speak for themselves." }
        } @else {
            p.note {
                "The study file declares each claim, and a fixed rule tests it: supported, if it holds at every part of \
                 the data; mixed, if at some part it holds and at another its opposite; contradicted, if at some part its \
                 opposite holds and nowhere it does; else undecided. " (reasons::by_chance(claims.len()))
            }
        }
    })];
    for ((index, claim), effect) in claims.iter().enumerate().zip(effects) {
        blocks.push(Block::Text(one(study, references, index, claim)));
        blocks.extend(effect.map(Block::Figure));
    }
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
        article.claim id={ "claim-" (index + 1) } aria-labelledby={ "claim-" (index + 1) "-says" } {
            (badge(claim.verdict))
            div {
                h3.statement id={ "claim-" (index + 1) "-says" } { (words::prose(&statement(&claim.claim))) }
                p { (words::prose(&reasons::found(claim))) }
                @if let Some(said) = elsewhere(claim) { p { (said) } }
                p.note { (pointers(study, references, claim)) }
                @if claim.parts.len() > 1 {
                    details {
                        summary { "All " (claim.parts.len()) " numbers" }
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
        Verdict::Mixed => "±",
        Verdict::Contradicted => "✕",
        Verdict::Undecided => "?",
    };
    let word = word(verdict);
    html! { span.verdict.(word) { b aria-hidden="true" { (symbol) } (word) } }
}

/// What becomes of the verdict with the other choices; nothing without any.
fn elsewhere(claim: &ClaimVerdict) -> Option<Markup> {
    let others: Vec<&Alternative> = claim.under.iter().skip(1).collect();
    let all = count(others.len(), "other choice");
    if others.is_empty() {
        return None;
    }
    let verdicts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let with = others.iter().filter(|other| other.verdict == verdict);
            Some((verdict, with.count())).filter(|(_, n)| *n > 0)
        })
        .map(|(verdict, n)| format!("{} {}", word(verdict), times(n)))
        .collect();
    let agree = others.iter().all(|other| other.verdict == claim.verdict);
    // The first choice under which the answer is another.
    let turned = [Agreement::Contradicts, Agreement::WouldDecide]
        .into_iter()
        .find_map(|wanted| {
            let mut others = others.iter();
            others.find(|other| claim.agreement(other) == wanted)
        });
    let depends = turned.is_some_and(|other| claim.agreement(other) == Agreement::Contradicts);
    Some(html! {
        @if depends { b { "The verdict depends on the choice. " } }
        "With " a href="#other-choices" { (all) } " of " (choices_differ_in(&claim.claim))
        @if agree { " the verdict is the same" }
        @else { " the claim is " (words::list(&verdicts)) }
        "."
        @if let Some(other) = turned {
            " It is " (word(other.verdict)) ", for example, with " (words::prose(&choice(&other.choice))) "."
        }
    })
}

/// `once`, `3 times`.
fn times(n: usize) -> String {
    match n {
        1 => "once".into(),
        n => format!("{n} times"),
    }
}

/// Where the control stands, or else would.
fn target(study: &Study<'_>) -> &'static str {
    if study.table.controls.is_empty() {
        "heatmaps"
    } else {
        controls::CONTROLS
    }
}

/// A statistic and its interval in its unit: `−1.2 points`, `[−2.1, −0.3]`.
pub(crate) fn written(statistic: &Statistic) -> (String, Option<String>) {
    let plain: fn(f64) -> String = |v| significant(v, 3);
    let (write, after): (fn(f64) -> String, &str) = match statistic.quantity.unit() {
        Unit::Plain => (plain, ""),
        Unit::Share if hundredths(statistic.estimate.value) == "1" => (hundredths, "\u{a0}point"),
        Unit::Share => (hundredths, "\u{a0}points"),
        Unit::LogRatio => (|v| significant(v.exp(), 3), "\u{a0}×"),
    };
    let (value, interval) = words::estimate(&statistic.estimate, write);
    // Of a ratio the open side ends at 0.
    let interval = interval.map(|text| match statistic.quantity.unit() {
        Unit::LogRatio => text.replace("(−∞", "(0"),
        _ => text,
    });
    (format!("{value}{after}"), interval)
}

fn pointers(study: &Study<'_>, references: &References, claim: &ClaimVerdict) -> Markup {
    match claim.figure {
        Rests::Winners => references.pointer(Kind::Performance, "winners", "Winners"),
        Rests::Scaling => references.pointer(Kind::Steps, "scaling", "Steps to target"),
        // Steps to a loss decide; the curves show them.
        Rests::Curves => html! {
            (references.pointer(Kind::Steps, "scaling", "Steps to target")) ", "
            (references.pointer(Kind::Curves, "curves", "Training curves"))
        },
        Rests::Controls => html! { a href={ "#" (target(study)) } { "K-FAC beside SGD" } },
        Rests::Heatmaps => html! {
            // Correlation is seen in the maps, growth in the shares.
            @if !matches!(claim.claim, Claim::RatesAndDampingsCorrelate(_)) {
                (references.pointer(Kind::Share, "heatmaps", "Share of good cells")) ", "
            }
            (references.pointer(Kind::Heatmap, "heatmaps", "Heatmaps"))
        },
    }
}

fn parts(parts: &[Statistic]) -> Markup {
    let shared = parts
        .windows(2)
        .all(|pair| pair[0].quantity == pair[1].quantity);
    html! {
        @if shared { p.note { (words::name(&words::capital(&quantity(&parts[0].quantity)))) ":" } }
        div.scroll tabindex="0" role="region" aria-label="Numbers behind the claim" {
            table {
                thead { tr {
                    @if !shared { th scope="col" { "Statistic" } }
                    @if parts.iter().any(|part| part.part.is_some()) { th scope="col" { "Part" } }
                    th.number scope="col" { "Estimate" } th.number scope="col" { "Interval" }
                    th.number scope="col" { "n" } th scope="col" { "It says" }
                } }
                tbody {
                    @for part in parts {
                        tr {
                            @if !shared { th scope="row" { (words::name(&words::capital(&quantity(&part.quantity)))) } }
                            @if let Some(of) = &part.part { td { (words::claims::part(of)) } }
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
                    (words::prose(&statement(&claim.claim)))
                    @if let Some(shared) = shared_quantity(claim) { span.quiet { " Estimate: " (words::name(&quantity(shared))) "." } }
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
            "The verdicts with " (count(n, "other choice")) ": "
            (match differ { 0 => "none is the opposite".into(), 1 => "1 is the opposite".into(), n => format!("{n} are the opposite") })
            @if open > 0 { ", " (open) @if open == 1 { " decides" } @else { " decide" } " a claim that is undecided above" }
        },
        blocks: vec![Block::Table(Table::new(
            "choices",
            html! {
                "The verdicts with other choices of level, target, selection or schedule. The first choice of each claim \
                 gives the verdict above. An opposite verdict is tinted: quote it together with its choice. Each \
                 estimate is the effect over all parts."
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

/// What the estimates of all choices measure, if that is the same.
fn shared_quantity(claim: &ClaimVerdict) -> Option<&Quantity> {
    let mut quantities = claim
        .under
        .iter()
        .filter_map(|other| Some(&other.statistic.as_ref()?.quantity));
    let first = quantities.next()?;
    quantities.all(|other| other == first).then_some(first)
}

fn alternative(claim: &ClaimVerdict, place: usize, other: &Alternative) -> Markup {
    let agreement = claim.agreement(other);
    let differs = agreement == Agreement::Contradicts;
    let beside = match agreement {
        Agreement::Contradicts => " opposite",
        Agreement::WouldDecide => " decides",
        Agreement::IsMixed => " differs",
        Agreement::Agrees | Agreement::IsUndecided => "",
    };
    html! {
        tr.differs[differs] {
            th scope="row" {
                (words::prose(&choice(&other.choice)))
                @if place == 0 { span.quiet { " (verdict above)" } }
            }
            td { (badge(other.verdict)) @if place > 0 { span.edge[differs].quiet[!differs] { (beside) } } }
            @match &other.statistic {
                Some(statistic) => {
                    (numbers(statistic))
                    td class=(cell(false)) {
                        // A level is its own place.
                        @let part = statistic.part.as_ref().filter(|part| !is_level_of(part, &other.choice));
                        @if shared_quantity(claim).is_none() {
                            (words::name(&words::capital(&quantity(&statistic.quantity)))) @if part.is_some() { ", " }
                        }
                        @if let Some(part) = part { (words::claims::part(part)) }
                    }
                }
                None => {
                    td.number { "–" } td.number { "–" } td.number { "–" }
                    td {
                        // Said once of rows below each other.
                        @let above = place.checked_sub(1).and_then(|above| claim.under[above].missing);
                        @match other.missing {
                            Some(_) if above == other.missing => "as above",
                            Some(missing) => { (words::prose(&reasons::missing(&missing, &claim.claim))) }
                            None => {}
                        }
                    }
                }
            }
        }
    }
}

/// Whether a number is of the very level that was chosen.
fn is_level_of(part: &Part, choice: &Choice) -> bool {
    match (part, choice) {
        (Part::Level(of), Choice::Region { level, .. }) => level == of,
        _ => false,
    }
}
