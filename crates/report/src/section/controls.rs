//! K-FAC at a large damping beside SGD at learning rate / damping: the same method under two names.

use analysis::control::{DampingControl, LARGE};
use analysis::{Interval, Metric};
use maud::html;

use crate::document::{Block, Table};
use crate::draw::number::{exact, significant};
use crate::frame;
use crate::study::Study;
use crate::words;

/// The table's id on the page.
pub(crate) const CONTROLS: &str = "controls";

/// Heading and table; nothing where the study has no such pair.
pub(crate) fn blocks(study: &Study<'_>) -> Vec<Block> {
    let controls = &study.table.controls;
    if controls.is_empty() {
        return Vec::new();
    }
    let metrics: Vec<Metric> = [Metric::TrainLoss, Metric::TestAccuracy]
        .into_iter()
        .filter(|metric| {
            controls
                .iter()
                .any(|row| row.differences.contains_key(metric))
        })
        .collect();
    let names: Vec<String> = metrics
        .iter()
        .map(|metric| format!("Difference in {metric}"))
        .collect();
    let mut head = vec![
        ("Batch", true),
        ("Damping", true),
        ("Rate", true),
        ("SGD's rate", true),
        ("Damping / curvature", true),
        ("Seeds", true),
        ("Diverged both / one", true),
    ];
    head.extend(names.iter().map(|name| (name.as_str(), true)));
    let rows = html! {
        @for row in controls {
            tr.differs[disagrees(row, &metrics)] {
                th.number scope="row" { (row.batch_size) }
                td.number { (exact(row.damping)) }
                td.number { (exact(row.learning_rate)) }
                td.number { (exact(row.sgd_rate)) }
                td.number {
                    @match row.largest_curvature {
                        Some(largest) if largest > 0.0 => { (significant(row.damping / largest, 2)) @if row.is_large == Some(true) { " (large)" } }
                        _ => "not recorded"
                    }
                }
                td.number { (row.seeds) }
                td.number { (row.both_diverged) " / " (row.one_diverged) }
                @for metric in &metrics {
                    td.number {
                        @match row.differences.get(metric) {
                            Some(estimate) => { (words::stacked(&words::estimate(estimate, |v| significant(v, 2)))) }
                            None => "–"
                        }
                    }
                }
            }
        }
    };
    let report = std::iter::once((study.table.title.as_str(), study.table));
    vec![
        html! { h3 { "K-FAC at large damping beside SGD" } }.into(),
        Block::Table(Table::new(
            "controls",
            html! {
                "K-FAC minus SGD at learning rate / damping: mean over common seeds at the last step that both \
                 evaluated, with the 95\u{a0}% t interval. A damping of " (significant(LARGE, 2)) " times the \
                 largest curvature eigenvalue or more is large. There K-FAC is the same method as SGD, so the two \
                 must agree; rows where they do not are tinted. A difference there means that the comparison is \
                 wrong: it is no finding."
            },
            &head,
            rows,
            frame::report::controls(report).named(CONTROLS),
        )),
    ]
}

/// Must the two agree, and do not?
fn disagrees(row: &DampingControl, metrics: &[Metric]) -> bool {
    let apart = |interval: &Interval| {
        interval.low.is_some_and(|low| low > 0.0) || interval.high.is_some_and(|high| high < 0.0)
    };
    row.is_large == Some(true)
        && (row.one_diverged > 0
            || metrics.iter().any(|metric| {
                row.differences
                    .get(metric)
                    .and_then(|d| d.interval.as_ref())
                    .is_some_and(apart)
            }))
}
