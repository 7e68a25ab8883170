//! Heatmaps: panels, cells, marks, the line of the curvature.

use analysis::heatmap::CellState;
use analysis::report::ReportTable;
use scraper::{ElementRef, Selector};

use crate::sample::Study;
use crate::{all, check, page, sample, starts, text};

#[test]
fn eight_panels_of_a_wide_grid_stand_in_two_rows_and_name_their_rates_once_a_row() {
    let page = check(&page(&Study::paper().table(), &sample::provenance()));
    let style = all(&page, "#fig-heatmap-1-1 .maps")[0]
        .value()
        .attr("style")
        .expect("a style");
    assert!(style.contains("repeat(4,max-content)"), "{style}");
    let names = all(&page, "#fig-heatmap-1-1 svg text.label")
        .iter()
        .filter(|label| text(**label) == "learning rate")
        .count();
    assert_eq!(names, 4);
}

#[test]
fn a_grid_of_three_rows_names_its_rates_in_full() {
    let study = Study {
        grid: 3,
        ..Study::quick()
    };
    let page = check(&page(&study.table(), &sample::provenance()));
    let labels = all(&page, "#fig-heatmap-1-1 svg text.label");
    assert!(labels.iter().any(|label| text(*label) == "learning rate"));
    assert!(!labels.iter().any(|label| text(*label).contains('…')));
}

#[test]
fn where_all_dampings_exceed_the_curvature_there_is_no_line_and_the_caption_says_so() {
    let mut table = Study::quick().table();
    let said = |table: &ReportTable| {
        let page = check(&page(table, &sample::provenance()));
        let lines = all(&page, "#fig-heatmap-1-1 .maps .curvature").len();
        let legend = all(&page, "#fig-heatmap-1-1 .legend .curvature").len();
        (
            lines > 0,
            legend > 0,
            text(all(&page, "#fig-heatmap-1-1 figcaption")[0]),
        )
    };
    let (lines, legend, caption) = said(&table);
    assert!(
        lines && legend && caption.contains("Beyond the dotted line"),
        "{caption}"
    );
    for level in table.heatmaps[0]
        .table
        .panels
        .iter_mut()
        .flat_map(|panel| &mut panel.dampings)
    {
        level.median = 1e-9;
    }
    let (lines, legend, caption) = said(&table);
    assert!(
        !lines && !legend && !caption.contains("dotted line"),
        "{caption}"
    );
    assert!(
        caption.contains("All dampings exceed the median eigenvalue of the curvature"),
        "{caption}"
    );
}

#[test]
fn a_heatmap_has_its_cells_values_and_marks() {
    let study = Study::quick();
    let table = study.table();
    let html = page(&table, &sample::provenance());
    let page = check(&html);
    let panels = &table.heatmaps[0].table.panels;
    let drawn = all(&page, "svg[id^=map-]");
    assert_eq!(drawn.len(), panels.len());
    let of = |wanted: fn(&CellState) -> bool| {
        panels
            .iter()
            .flat_map(|p| &p.cells)
            .filter(|c| wanted(&c.state))
            .count()
    };
    let values = of(|s| matches!(s, CellState::Value { .. }));
    assert_eq!(all(&page, "svg[id^=map-] .values tspan").len(), values);
    let diverged = of(|s| matches!(s, CellState::Diverged { .. }));
    let missing = of(|s| matches!(s, CellState::Missing));
    assert_eq!(starts(&page, "svg[id^=map-] .lost.thick"), diverged);
    assert_eq!(starts(&page, "svg[id^=map-] .missing"), missing);
    // Others are as wide as their strokes are long; neighbours that look alike have one.
    let cells = |selector: &str| -> f64 {
        let wide = |drawing: &ElementRef<'_>| -> f64 {
            let grid = drawing.value().attr("data-grid").expect("a grid");
            let wide = grid
                .split(' ')
                .nth(2)
                .and_then(|wide| wide.parse::<f64>().ok());
            wide.expect("the width of a cell")
        };
        let long = |path: ElementRef<'_>| -> f64 {
            let d = path.value().attr("d").expect("a path");
            let strokes = d.split('M').filter_map(|stroke| stroke.split_once('h'));
            strokes
                .map(|(_, long)| long.parse::<f64>().expect("a length"))
                .sum()
        };
        let selector = Selector::parse(selector).expect("a selector");
        let of = |drawing: &ElementRef<'_>| {
            drawing.select(&selector).map(long).sum::<f64>() / wide(drawing)
        };
        drawn.iter().map(of).sum()
    };
    let known = panels.iter().map(|p| p.cells.len()).sum::<usize>() - missing;
    assert_eq!(
        cells(".shades path[stroke^=url]").round() as usize,
        diverged
    );
    assert_eq!(
        cells(".shades path[stroke^='#']:not(.void)").round() as usize,
        values
    );
    assert_eq!(cells(".shades path").round() as usize, known);
    // The best cell of the first panel is the table's.
    let best = panels[0].best.expect("a best cell");
    let CellState::Value { mean, .. } = panels[0].cells[best].state else {
        panic!("the best cell has a value");
    };
    let starred = all(&page, "#map-1-1-1 .starred");
    assert_eq!(text(starred[0]), format!("{:.1}*", mean * 100.0));
}
