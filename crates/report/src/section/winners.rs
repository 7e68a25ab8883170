//! The winners: what was selected, what the fresh seeds confirm, and how
//! forgiving the search was.

use std::collections::BTreeSet;

use analysis::report::Named;
use analysis::select::{By, Edge, Winner, WinnersTable};
use maud::{Markup, html};

use crate::document::{Block, Section, Table};
use crate::draw::number::{count, grouped};
use crate::figure::performance::{is_cut, shown};
use crate::figure::{forgiving, performance};
use crate::frame;
use crate::study::Study;
use crate::words;

/// The section.
pub(crate) fn section(study: &Study<'_>) -> Section {
    let tables = &study.table.winners;
    let mut blocks = Vec::new();
    if tables.is_empty() {
        blocks.push(html! { p.empty { "The study selects no winners." } }.into());
    }
    let selections = tables.iter().enumerate();
    blocks.extend(selections.map(|(index, named)| selection(index, named)));
    blocks.push(html! { h3 #performance { "Confirmed performance" } }.into());
    if study.table.performance.is_empty() {
        let text = html! {
            p.empty {
                "No winner was trained again on fresh seeds, so there is no performance to quote: the best of many \
                 noisy results is optimistic."
            }
        };
        blocks.push(text.into());
    } else {
        blocks.extend(performance::figures(study));
        blocks.push(Block::Table(confirmed(study)));
    }
    let searches = tables.iter().enumerate();
    blocks.extend(searches.filter_map(|(index, named)| forgiving::one(study, index, named)));
    Section {
        id: "winners",
        name: "Winners",
        heading: "Winners and what they reach",
        blocks,
    }
}

fn selection(index: usize, named: &Named<WinnersTable>) -> Block {
    let winners = &named.table.winners;
    if winners.is_empty() {
        let text = html! { p.empty { "Stage " (words::name(&named.stage)) " had no runs to select from." } };
        return text.into();
    }
    let swept: BTreeSet<&str> = winners
        .iter()
        .flat_map(|w| w.parameters.keys().map(String::as_str))
        .collect();
    let names: Vec<String> = swept
        .iter()
        .map(|path| words::capital(&words::setting(path)))
        .collect();
    let mut head = vec![("Method", false), ("Batch", true)];
    head.extend(names.iter().map(|name| (name.as_str(), true)));
    // Equal everywhere, they stand in the caption.
    let distinct = |of: fn(&Winner) -> usize| winners.iter().map(of).collect::<BTreeSet<_>>();
    let (seeds, candidates) = (distinct(|w| w.seeds.len()), distinct(|w| w.candidates));
    let columns = Columns {
        seeds: seeds.len() > 1,
        candidates: candidates.len() > 1,
    };
    let by_steps = matches!(named.table.by, By::StepsTo { .. });
    head.push((if by_steps { "Steps" } else { "Score" }, true));
    if columns.seeds {
        head.push(("Tuning seeds", true));
    }
    if columns.candidates {
        head.push(("Compared", true));
    }
    head.extend([("Diverged", true), ("Second best", false)]);
    let rows = html! { @for winner in winners { (row(winner, &swept, &named.table, &columns)) } };
    let edges = winners
        .iter()
        .filter(|w| !w.on_grid_edge.is_empty())
        .count();
    Block::Table(Table::new(
        "winners",
        html! {
            "Winners of stage " (words::name(&named.stage)) " by " (words::criterion(named.table.by))
            @if by_steps { " (of the median seed: from the last miss to the first of two hits in a row)" }
            @else { " " (words::slice(named.table.at)) }
            @if let (false, Some(n)) = (columns.candidates, candidates.first()) { ", each the best of " (count(*n, "configuration")) }
            @if let (false, Some(n)) = (columns.seeds, seeds.first()) { ", chosen on " (count(*n, "tuning seed")) ". " }
            @else { ", chosen on the tuning seeds. " }
            "Each score is the best of several noisy ones, so it is optimistic: quote the confirmed performance \
             instead. Diverged: how many configurations did. "
            @if edges > 0 {
                (edges) " of " (winners.len()) @if edges == 1 { " lies" } @else { " lie" }
                " on the edge of the grid (marked ⚠): a better value may lie outside."
            } @else { "None lies on the edge of its grid." }
        },
        &head,
        rows,
        frame::tables::winners(std::slice::from_ref(named))
            .named(&format!("winners-{}", index + 1)),
    ))
}

/// Columns that are there only if they say something.
struct Columns {
    seeds: bool,
    candidates: bool,
}

fn row(
    winner: &Winner,
    swept: &BTreeSet<&str>,
    winners: &WinnersTable,
    columns: &Columns,
) -> Markup {
    html! {
        tr {
            th scope="row" { (words::name(&words::method(&winner.method))) }
            td.number { (winner.batch_size) }
            @for path in swept {
                td.number {
                    @match winner.parameters.get(*path) { Some(value) => { (words::name(&words::value(value))) } None => "–" }
                    @match winner.on_grid_edge.get(*path) {
                        Some(Edge::Low) => span.edge { " ⚠\u{a0}smallest" }
                        Some(Edge::High) => span.edge { " ⚠\u{a0}largest" }
                        None => {}
                    }
                }
            }
            td.number { (words::score(&winner.score, winners.by)) }
            @if columns.seeds { td.number { (winner.seeds.len()) } }
            @if columns.candidates { td.number { (winner.candidates) } }
            td.number { (winner.diverged) }
            td.wide {
                @if let Some(second) = &winner.runner_up {
                    (words::score(&second.score, winners.by)) " "
                    span.range { (words::name(&words::settings(&second.parameters))) }
                } @else { "none" }
            }
        }
    }
}

fn confirmed(study: &Study<'_>) -> Table {
    let rows = &study.table.performance;
    let metrics: Vec<_> = shown()
        .filter(|m| rows.iter().any(|row| row.metrics.contains_key(m)))
        .collect();
    let names: Vec<String> = metrics
        .iter()
        .map(|m| words::capital(&m.to_string()))
        .collect();
    let selections: BTreeSet<&str> = rows.iter().map(|row| row.winners.as_str()).collect();
    let several = selections.len() > 1;
    let mut head = vec![("Method", false), ("Batch", true)];
    if several {
        head.insert(0, ("Selection", false));
    }
    head.extend(names.iter().map(|name| (name.as_str(), true)));
    head.extend([("Seeds", true), ("Diverged", true)]);
    let body = html! {
        @for row in rows {
            tr {
                @if several { td { (words::name(&row.winners)) } }
                th scope="row" { (words::name(&words::method(&row.method))) }
                td.number { (grouped(row.batch_size)) }
                @for metric in &metrics {
                    td.number {
                        @match row.metrics.get(metric) {
                            Some(estimate) => { (words::stacked(&words::estimated(*metric, estimate))) }
                            None => "–"
                        }
                    }
                }
                td.number { (row.seeds) }
                td.number { (row.diverged) }
            }
        }
    };
    let report = std::iter::once((study.table.title.as_str(), study.table));
    Table::new(
        "confirmed",
        html! {
            "Confirmed performance"
            @if let (false, Some(stage)) = (several, selections.first()) { " of the winners of stage " (words::name(stage)) }
            ": mean over fresh seeds at the last evaluation, with the 95\u{a0}% t interval; losses in nats. "
            @if metrics.iter().any(|metric| is_cut(rows, *metric)) {
                "†: the interval would go beyond what is possible and is cut there. "
            }
        },
        &head,
        body,
        frame::report::performance(report).named("confirmed"),
    )
}
