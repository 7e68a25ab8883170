//! Sensitivity to the hyperparameters: heatmaps and the share of good cells.

use analysis::heatmap::HeatmapTable;
use maud::{Markup, html};

use super::{controls, table};
use crate::book::Book;
use crate::draw::number::{percent, significant};
use crate::figure::{course, heatmap, share};
use crate::words;

/// The section.
pub(crate) fn section(book: &Book<'_>) -> Markup {
    html! {
        section #heatmaps aria-labelledby="heatmaps-heading" {
            h2 #heatmaps-heading { "Sensitivity to hyperparameters" }
            @if book.table.heatmaps.is_empty() { p.empty { "The study draws no heatmaps." } }
            @for (index, named) in book.table.heatmaps.iter().enumerate() {
                @if named.table.panels.is_empty() {
                    p.empty { "Stage " (words::name(&named.stage)) " reads no runs, so it has no heatmaps." }
                } @else {
                    (heatmap::figures(book, index, named))
                    h3 { "Share of good cells" }
                    (share::one(book, index, named))
                    (course::one(book, index, named))
                    @if named.table.panels.iter().any(|p| !p.regions.is_empty()) {
                        details {
                            summary { "Good regions as a table" }
                            (regions(book, index, &named.table))
                        }
                    }
                }
            }
            (controls::one(book))
        }
    }
}

fn regions(book: &Book<'_>, index: usize, heatmaps: &HeatmapTable) -> Markup {
    let rows = html! {
        @for panel in &heatmaps.panels {
            @for region in &panel.regions {
                tr {
                    th scope="row" { (words::name(&words::method(&panel.method))) }
                    td { (words::name(&panel.stage)) }
                    td.number { (panel.batch_size) }
                    td { (words::slice(panel.at)) }
                    td { (words::rule(region.rule, heatmaps.value)) }
                    td.number { (region.good.iter().filter(|g| **g).count()) " of " (region.known) }
                    td.number { @match region.share { Some(share) => { (percent(share, 0)) } None => "–" } }
                    td { @if region.touches.is_empty() { "none" } @else { (words::sides(&region.touches)) } }
                    td.number { @match region.slope { Some(slope) => { (significant(slope, 2)) } None => "–" } }
                }
            }
        }
    };
    table(
        book,
        &format!("regions-{}", index + 1),
        "regions",
        &html! {
            "Good regions. The slope is that of log y over log x along the middle of the good cells of each \
             column; a positive one means that both settings want to grow together."
        },
        &[
            ("Method", false),
            ("Stage", false),
            ("Batch", true),
            ("Slice", false),
            ("Good means", false),
            ("Good", true),
            ("Share", true),
            ("Touches", false),
            ("Slope", true),
        ],
        &rows,
    )
}
