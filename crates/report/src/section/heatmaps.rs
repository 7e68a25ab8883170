//! Sensitivity to the hyperparameters: heatmaps and the share of good cells.

use analysis::heatmap::HeatmapTable;
use analysis::report::Named;
use maud::html;

use super::controls;
use crate::document::{Block, Section, Table};
use crate::draw::number::{percent, significant};
use crate::figure::{course, heatmap, share};
use crate::frame;
use crate::so_far::Reads;
use crate::study::Study;
use crate::words;

/// The section.
pub(crate) fn section(study: &Study<'_>) -> Section {
    let tables = &study.table.heatmaps;
    let mut blocks: Vec<Block> = Vec::new();
    let part = study.part(Reads::Heatmaps);
    if tables.is_empty() && part.is_none() {
        blocks.push(html! { p.empty { "The study draws no heatmaps." } }.into());
    }
    blocks.extend(part.map(Block::Text));
    for (index, named) in tables.iter().enumerate() {
        if named.table.panels.is_empty() {
            let text = html! {
                p.empty { "Stage " (words::name(&named.stage)) " reads no runs, so it has no heatmaps." }
            };
            blocks.push(text.into());
            continue;
        }
        blocks.extend(heatmap::figures(study, index, named));
        blocks.push(html! { h3 { "Share of good cells" } }.into());
        blocks.push(share::one(study, index, named));
        blocks.extend(course::one(study, index, named));
        if named.table.panels.iter().any(|p| !p.regions.is_empty()) {
            blocks.push(Block::Closed {
                class: None,
                summary: html! { "Good regions as a table" },
                blocks: vec![Block::Table(regions(index, named))],
            });
        }
    }
    blocks.extend(controls::blocks(study));
    Section {
        id: "heatmaps",
        name: "Sensitivity",
        heading: "Sensitivity to hyperparameters",
        blocks,
    }
}

fn regions(index: usize, named: &Named<HeatmapTable>) -> Table {
    let heatmaps = &named.table;
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
    Table::new(
        "regions",
        html! {
            "Good regions. The slope is that of log y over log x along the middle of the good cells of each column. \
             A positive slope means that the best y rises with x."
        },
        &[
            ("Method", false),
            ("Stage", false),
            ("Batch", true),
            ("Moment", false),
            ("Good means", false),
            ("Good", true),
            ("Share", true),
            ("Touches", false),
            ("Slope", true),
        ],
        rows,
        frame::tables::regions(std::slice::from_ref(named))
            .named(&format!("regions-{}", index + 1)),
    )
}
