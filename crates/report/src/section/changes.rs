//! What changed since an earlier report: settings, results, verdicts. Both tables are put into facts, a name
//! and what the page would say of it; facts that read alike did not change.

use std::collections::{BTreeMap, BTreeSet};

use analysis::claims::ClaimVerdict;
use analysis::report::{ReportTable, RunRow};
use analysis::targets::StepsSummary;
use maud::{Markup, html};

use super::claims::{badge, written};
use crate::document::{Block, Section, Table};
use crate::draw::number::{count, percent, significant};
use crate::frame::Rows;
use crate::provenance::Share;
use crate::study::Study;
use crate::words;

/// An earlier report to compare with.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// How to call it: a pin, a file, a key.
    pub name: String,
    /// Its table.
    pub table: ReportTable,
    /// The devices that its runs were trained on; none if that was not recorded.
    pub devices: Option<Vec<String>>,
}

/// How to take the facts of one kind.
type Kind = fn(&ReportTable) -> Facts;

/// Facts by name.
type Facts = BTreeMap<String, String>;

/// The section.
pub(crate) fn section(study: &Study<'_>, earlier: &Earlier, devices: &[Share]) -> Section {
    let (before, now) = (&earlier.table, study.table);
    let kinds: [(&str, &str, Kind); 6] = [
        ("settings", "Settings", settings),
        ("performance", "Confirmed performance", performance),
        ("winners", "Winners", winners),
        ("steps", "Steps to target, median seed", steps),
        ("fits", "Scaling fits", fits),
        ("regions", "Good cells", regions),
    ];
    let text = html! {
        p { "Compared with " code { (words::name(&earlier.name)) } ". " (runs(before, now)) }
        (trained_on(earlier.devices.as_deref(), devices))
    };
    let mut blocks: Vec<Block> = vec![text.into()];
    blocks.extend(verdicts(before, now).map(Block::Table));
    let differences = kinds.into_iter();
    blocks.extend(
        differences.map(|(id, name, facts)| differing(id, name, &facts(before), &facts(now))),
    );
    Section {
        id: "changes",
        name: "Changes",
        heading: "What changed",
        blocks,
    }
}

/// On what devices runs were trained, before and now: results of different devices differ by rounding, which
/// training makes grow.
fn trained_on(before: Option<&[String]>, now: &[Share]) -> Markup {
    let now: Vec<String> = now.iter().map(|share| share.name.clone()).collect();
    let named = |devices: &[String]| {
        html! { @if devices.is_empty() { "no device" } @else { (words::name(&words::list(devices))) } }
    };
    html! {
        @match before {
            None => p.note { "The device of the earlier runs was not recorded. The present runs were trained on " (named(&now)) "." }
            Some(before) if before == now.as_slice() => p.note { "Trained on " (named(before)) ", before and now." }
            Some(before) => p.warn {
                "Trained on " (named(before)) " before, on " (named(&now))
                " now. That alone can be why results differ below."
            }
        }
    }
}

/// What became of the runs, each by its name.
fn runs(before: &ReportTable, now: &ReportTable) -> String {
    let by_label = |table: &'_ ReportTable| -> BTreeMap<String, RunRow> {
        table
            .runs
            .iter()
            .map(|run| (run.label.clone(), run.clone()))
            .collect()
    };
    let (old, new) = (by_label(before), by_label(now));
    let both: Vec<(&RunRow, &RunRow)> = new
        .iter()
        .filter_map(|(label, run)| Some((old.get(label)?, run)))
        .collect();
    let other = both
        .iter()
        .filter(|(old, new)| (old.outcome, &old.last) != (new.outcome, &new.last))
        .count();
    let (added, removed) = (new.len() - both.len(), old.len() - both.len());
    let same = match (both.len(), other) {
        (0, _) => "No run is in both.".into(),
        (_, 0) => format!(
            "No result differs among the {} in both.",
            count(both.len(), "run")
        ),
        (n, 1) => format!("1 result differs among the {} in both.", count(n, "run")),
        (n, other) => format!(
            "{other} results differ among the {} in both.",
            count(n, "run")
        ),
    };
    format!(
        "{} before, {} now ({added} added, {removed} removed). {same}",
        count(old.len(), "run"),
        new.len(),
    )
}

fn verdicts(before: &ReportTable, now: &ReportTable) -> Option<Table> {
    let find = |claims: &'_ [ClaimVerdict], wanted: &ClaimVerdict| -> Option<ClaimVerdict> {
        claims
            .iter()
            .find(|claim| claim.claim == wanted.claim)
            .cloned()
    };
    let gone = before
        .claims
        .iter()
        .filter(|claim| find(&now.claims, claim).is_none());
    let rows: Vec<(Option<ClaimVerdict>, Option<ClaimVerdict>)> = now
        .claims
        .iter()
        .map(|claim| (find(&before.claims, claim), Some(claim.clone())))
        .chain(gone.map(|claim| (Some(claim.clone()), None)))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let changed = rows
        .iter()
        .filter(|(old, new)| old.as_ref().map(|c| c.verdict) != new.as_ref().map(|c| c.verdict))
        .count();
    let side = |claim: &Option<ClaimVerdict>| {
        html! {
            td {
                @match claim {
                    Some(claim) => {
                        (badge(claim.verdict))
                        @if let Some(statistic) = &claim.statistic {
                            span.range { (words::in_line(&written(statistic))) ", n\u{a0}=\u{a0}" (statistic.n) }
                        }
                    }
                    None => "not declared"
                }
            }
        }
    };
    let body = html! {
        @for (old, new) in &rows {
            @let differs = old.as_ref().map(|c| c.verdict) != new.as_ref().map(|c| c.verdict);
            tr.differs[differs] {
                th scope="row" {
                    @if let Some(claim) = new.as_ref().or(old.as_ref()) { (words::prose(&words::claims::statement(&claim.claim))) }
                }
                (side(old)) (side(new))
            }
        }
    };
    let word = |claim: &Option<ClaimVerdict>| {
        let verdict = claim.as_ref().map(|claim| claim.verdict);
        verdict.map(words::claims::verdict)
    };
    let value = |claim: &Option<ClaimVerdict>| {
        let statistic = claim.as_ref().and_then(|claim| claim.statistic.as_ref());
        statistic.map(|statistic| statistic.estimate.value)
    };
    let data = Rows::new("changes-verdicts", &rows)
        .column("claim", |(old, new)| {
            let claim = new.as_ref().or(old.as_ref());
            claim.map(|claim| words::claims::statement(&claim.claim))
        })
        .column("verdict_before", |(old, _)| word(old))
        .column("value_before", |(old, _)| value(old))
        .column("verdict_now", |(_, new)| word(new))
        .column("value_now", |(_, new)| value(new))
        .frame();
    Some(Table::new(
        "changes",
        html! {
            "Verdicts before and now, with the number least in favour. "
            @if changed == 0 { "No verdict changed." } @else { (changed) " of " (rows.len()) " changed (tinted)." }
        },
        &[("Claim", false), ("Before", false), ("Now", false)],
        body,
        data,
    ))
}

fn differing(id: &str, name: &str, before: &Facts, now: &Facts) -> Block {
    let all: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let (equal, other): (Vec<&String>, Vec<&String>) = all
        .into_iter()
        .partition(|fact| before.get(*fact) == now.get(*fact));
    if other.is_empty() {
        return html! {
            @if !equal.is_empty() { p.note { (name) ": no change in " (equal.len()) "." } }
        }
        .into();
    }
    let side = |facts: &Facts, fact: &String| {
        html! {
            td { @match facts.get(fact) { Some(text) => { (words::name(text)) } None => span.quiet { "–" } } }
        }
    };
    let rows = html! {
        @for fact in &other {
            tr { th scope="row" { (words::name(fact)) } (side(before, fact)) (side(now, fact)) }
        }
    };
    let data = Rows::new(format!("changes-{id}"), other.iter().copied())
        .column("what", |fact| fact)
        .column("before", |fact| before.get(fact))
        .column("now", |fact| now.get(fact))
        .frame();
    Block::Table(Table::new(
        "changes",
        html! { (name) ": " (other.len()) " changed, " (equal.len()) " did not, as far as the digits on this page show." },
        &[("What", false), ("Before", false), ("Now", false)],
        rows,
        data,
    ))
}

fn settings(table: &ReportTable) -> Facts {
    let mut facts = Facts::new();
    for stage in &table.stages {
        let of = format!("{}, {}", stage.stage, words::method(&stage.method));
        facts.insert(format!("{of}: runs"), stage.runs.to_string());
        for (path, value) in &stage.common {
            facts.insert(format!("{of}: {path}"), words::value(value));
        }
        for (path, values) in &stage.swept {
            let values: Vec<String> = values.iter().map(words::value).collect();
            facts.insert(
                format!("{of}: {path}"),
                format!("{} (swept)", values.join(", ")),
            );
        }
    }
    facts
}

fn performance(table: &ReportTable) -> Facts {
    let rows = table.performance.iter().flat_map(|row| {
        row.metrics.iter().map(move |(metric, estimate)| {
            let what = format!(
                "{}: {}, batch {}, {metric}",
                row.winners,
                words::method(&row.method),
                row.batch_size
            );
            let value = words::in_line(&words::estimated(*metric, estimate));
            let lost = if row.diverged > 0 {
                format!(", {} diverged", row.diverged)
            } else {
                String::new()
            };
            (what, format!("{value}, {}{lost}", count(row.seeds, "seed")))
        })
    });
    rows.collect()
}

fn winners(table: &ReportTable) -> Facts {
    let all = table.winners.iter().flat_map(|named| {
        named.table.winners.iter().map(|winner| {
            let what = format!("{}: {}", named.stage, winner.entry);
            let score = words::score(&winner.score, named.table.by);
            (
                what,
                format!("{}: {score}", words::settings(&winner.parameters)),
            )
        })
    });
    all.collect()
}

fn steps(table: &ReportTable) -> Facts {
    let said = |row: &StepsSummary| {
        let reached = format!("{} of {} reached", row.reached, count(row.seeds, "seed"));
        match row.median {
            Some(median) => format!("{}, {reached}", words::steps(median.after, median.by)),
            None => format!("not reached, {reached}"),
        }
    };
    let rows = table.targets.iter().flat_map(|named| {
        named.table.summaries.iter().map(move |row| {
            let what = format!(
                "{}: {}, {}, batch {:>6}",
                row.stage,
                words::method(&row.method),
                words::target(row.target),
                row.batch_size
            );
            (what, said(row))
        })
    });
    rows.collect()
}

fn fits(table: &ReportTable) -> Facts {
    let rows = table
        .targets
        .iter()
        .flat_map(|named| &named.table.fits)
        .map(|fit| {
            let what = format!(
                "{}: {}, {}",
                fit.stage,
                words::method(&fit.method),
                words::target(fit.target)
            );
            let slope = fit.slope.as_ref().map_or("none".into(), |slope| {
                words::in_line(&words::estimate(slope, |v| significant(v, 2)))
            });
            let critical = fit.law.as_ref().map_or("none".into(), |law| {
                words::in_line(&words::bounded(&law.critical_batch))
            });
            (
                what,
                format!("slope {slope}; critical batch size {critical}"),
            )
        });
    rows.collect()
}

fn regions(table: &ReportTable) -> Facts {
    let mut facts = Facts::new();
    for named in &table.heatmaps {
        for panel in &named.table.panels {
            for region in &panel.regions {
                let what = format!(
                    "{}: {}, {}, {}, batch {:>6}",
                    panel.stage,
                    words::method(&panel.method),
                    words::slice(panel.at),
                    words::rule(region.rule, named.table.value),
                    panel.batch_size,
                );
                let good = region.good.iter().filter(|good| **good).count();
                let share = region
                    .share
                    .map_or(String::new(), |share| format!(" ({})", percent(share, 0)));
                facts.insert(what, format!("{good} of {}{share}", region.known));
            }
        }
    }
    facts
}
