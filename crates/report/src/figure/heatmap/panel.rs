//! One panel: the grid of one method and batch size.

use analysis::Metric;
use analysis::heatmap::{CellState, Panel, Side};
use maud::html;

use super::cell::{self, value};
use super::shades::Shades;
use crate::draw::colour::QUIET;
use crate::draw::drawing::{Drawing, Grid};
use crate::draw::number::significant;
use crate::draw::style::Style;
use crate::draw::svg::{fitting, line_through, px, shortened};
use crate::figure::outline::{outline, path};
use crate::words;

// Room around the grid, in pixels.
const TOP: f64 = 40.0;
const BOTTOM: f64 = 41.0;
const RIGHT: f64 = 8.0;
/// For the name of the vertical setting.
const NAME: f64 = 16.0;

/// What fits beside each other on a wide page, in pixels.
const PAGE: f64 = 1072.0;
/// For the words above a grid of few columns.
const WORDS: f64 = 112.0;
/// Width of a letter of an axis' name.
const LETTER: f64 = 7.2;
/// Between panels.
const GAP: f64 = 14.0;

/// How large the panels of a figure are, so that all look alike.
pub(super) struct Frame {
    /// Width and height of a cell.
    pub(super) cell: (f64, f64),
    /// Panels in a row.
    pub(super) columns: usize,
    /// Room for the values of the vertical setting.
    ticks: f64,
    /// Cells along x, at most.
    across: usize,
}

impl Frame {
    /// The frame in which as many of `panels` stand in a row as the page has
    /// room for, at most `most`.
    pub(super) fn fitting(panels: &[&Panel], most: usize) -> Self {
        let longest = panels
            .iter()
            .flat_map(|panel| panel.y_values.iter())
            .map(|value| significant(*value, 2).chars().count())
            .max()
            .unwrap_or(0);
        // Whole pixels keep thousands of coordinates short.
        let ticks = (14.0 + 5.8 * longest as f64).ceil();
        let across = panels.iter().map(|p| p.x_values.len()).max().unwrap_or(0);
        let around = ticks + RIGHT + GAP;
        let rows = |rows: usize| most.div_ceil(rows).max(1);
        let width = |columns: usize| {
            (PAGE + GAP - NAME - around * columns as f64) / (columns * across.max(1)) as f64
        };
        let columns = (1..=most.max(1))
            .map(rows)
            .find(|columns| width(*columns) >= cell::SMALLEST)
            .unwrap_or(1);
        Frame {
            cell: cell::size(width(columns)),
            columns,
            ticks,
            across,
        }
    }

    /// The width of all panels in a row, in pixels.
    pub(super) fn page(&self) -> f64 {
        let panel = self.ticks + (self.cell.0 * self.across as f64).max(WORDS) + RIGHT + GAP;
        panel * self.columns as f64 + NAME
    }

    /// Are values rounded to whole numbers for want of room?
    pub(super) fn is_small(&self) -> bool {
        cell::is_small(self.cell)
    }
}

/// The id of a panel's drawing.
pub(super) fn id(tag: &str, place: usize) -> String {
    format!("map-{tag}-{}", place + 1)
}

/// A panel's place in its figure.
pub(super) struct Place<'p> {
    pub(super) id: &'p str,
    /// With the name of its vertical setting.
    pub(super) named: bool,
    /// Which cell of the figure's data is its first one.
    pub(super) first: usize,
    /// The configuration behind each of its cells.
    pub(super) configurations: &'p [Option<usize>],
}

/// Draws a panel.
pub(super) fn draw(
    frame: &Frame,
    place: &Place<'_>,
    panel: &Panel,
    metric: Metric,
    shades: &Shades,
) -> Drawing {
    let &Place {
        id,
        named,
        first,
        configurations,
    } = place;
    let (columns, rows) = (panel.x_values.len(), panel.y_values.len());
    let (wide, high) = frame.cell;
    let left = frame.ticks + if named { NAME } else { 0.0 };
    let right = left + wide * columns as f64;
    let bottom = TOP + high * rows as f64;
    let (width, height) = (right.max(left + WORDS) + RIGHT, bottom + BOTTOM);
    let places = format!(
        "{} {} {} {} {columns} {rows}",
        px(left),
        px(TOP),
        px(wide),
        px(high)
    );
    // Row 0 is the smallest y, at the bottom.
    let corner = |x: usize, y: usize| (left + wide * x as f64, bottom - high * y as f64);
    let method = words::method(&panel.method);
    let region = panel.regions.first();
    let heading = if panel.others.is_empty() {
        format!("batch {}", panel.batch_size)
    } else {
        format!(
            "batch {}, {}",
            panel.batch_size,
            words::settings(&panel.others)
        )
    };
    let share = region.map_or_else(String::new, |r| {
        let good = r.good.iter().filter(|g| **g).count();
        let bound = if r.touches.is_empty() { "" } else { "≥ " };
        format!("good: {bound}{good} of {}", r.known)
    });
    // Values along x that would touch are left out.
    let longest = panel
        .x_values
        .iter()
        .map(|value| significant(*value, 2).chars().count())
        .max()
        .unwrap_or(0);
    let every = ((6.0 * longest as f64 + 3.0) / wide).ceil().max(1.0) as usize;
    // Names of axes may be longer than their axis, not than the drawing.
    let (middle, centre) = (f64::midpoint(left, right), f64::midpoint(TOP, bottom));
    let x_name = words::setting(&panel.x);
    let y_name = words::setting(&panel.y);
    let marks = html! {
            text.heading font-size="13" font-weight="600" x=(px(left)) y="14" { (fitting(&heading, 13.0, width - left)) }
            text font-size="10.5" fill=(QUIET) x=(px(left)) y="29" { (share) }
            (cell::all(id, panel, frame.cell, |i| corner(i % columns.max(1), i / columns.max(1) + 1), metric, shades))
            g text-anchor="middle" font-size="10.5" {
                @for (i, value) in panel.x_values.iter().enumerate().step_by(every) {
                    text x=(px(corner(i, 0).0 + wide / 2.0)) y=(px(bottom + 17.0)) { (significant(*value, 2)) }
                }
            }
            g text-anchor="end" font-size="10.5" {
                @for (j, value) in panel.y_values.iter().enumerate() {
                    text x=(px(left - 10.0)) y=(px(corner(0, j).1 - high / 2.0 + 4.0)) { (significant(*value, 2)) }
                }
            }
            text.label text-anchor="middle" font-size="10.5" fill=(QUIET) x=(px(middle)) y=(px(height - 7.0)) {
                (shortened(&x_name, (2.0 * middle.min(width - middle) / LETTER) as usize))
            }
            @if named {
                text.label text-anchor="middle" font-size="10.5" fill=(QUIET) transform={ "translate(10 " (px(centre)) ")rotate(-90)" } {
                    (shortened(&y_name, (2.0 * centre.min(height - centre) / LETTER) as usize))
                }
            }
            @for (place, region) in panel.regions.iter().enumerate().rev() {
                @if region.good.len() == panel.cells.len() && columns > 0 {
                    @let d = path(&outline(&region.good, columns), corner);
                    @if !d.is_empty() {
                        (Style::Halo.plain(&d))
                        @let style = if place > 0 { Style::Second } else { Style::Outline };
                        (style.plain(&d))
                    }
                }
            }
            @if let Some(d) = curvature(panel, corner) {
                (Style::Curvature.plain(&d))
            }
            @if let Some(region) = region.filter(|region| !region.touches.is_empty()) {
                (Style::Touch.plain(&touches(&region.touches, (left, right), (TOP, bottom))))
            }
    };
    Drawing {
        id: id.to_owned(),
        class: None,
        title: format!("{method}, {heading}"),
        description: Some(description(panel, metric, &x_name, &y_name)),
        width,
        height,
        grid: Some(Grid {
            places,
            first,
            configurations: distances(configurations),
        }),
        marks,
    }
}

/// Of places in a list, each as its distance from the one before that there is, which is short; the first from
/// 0; a dash for none.
fn distances(places: &[Option<usize>]) -> String {
    let mut before = 0;
    let distances = places.iter().map(|place| match place {
        Some(place) => {
            let place = place.cast_signed();
            let distance = place - before;
            before = place;
            distance.to_string()
        }
        None => "-".to_owned(),
    });
    distances.collect::<Vec<String>>().join(" ")
}

/// Is there a line between dampings below and above the median eigenvalue of the curvature?
pub(super) fn parts_dampings(panel: &Panel) -> bool {
    curvature(panel, |_, _| (0.0, 0.0)).is_some()
}

/// The line between dampings below and above the median eigenvalue of the curvature; none where no run
/// recorded it, or all are on one side.
fn curvature(panel: &Panel, corner: impl Fn(usize, usize) -> (f64, f64)) -> Option<String> {
    let first = panel
        .dampings
        .iter()
        .position(|level| !level.is_below_curvature())?;
    let (columns, rows) = (panel.x_values.len(), panel.y_values.len());
    let ends = match (panel.x.as_str(), panel.y.as_str()) {
        _ if first == 0 => return None,
        ("damping", _) => [corner(first, 0), corner(first, rows)],
        (_, "damping") => [corner(0, first), corner(columns, first)],
        _ => return None,
    };
    Some(line_through(ends))
}

/// Triangles outside of the sides that good cells touch.
fn touches(sides: &[Side], (left, right): (f64, f64), (top, bottom): (f64, f64)) -> String {
    let (x, y) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
    let triangle = |side: &Side| match side {
        Side::Left => format!("M{} {}v10l-5-5z", px(left - 2.5), px(y - 5.0)),
        Side::Right => format!("M{} {}v10l5-5z", px(right + 2.5), px(y - 5.0)),
        Side::Top => format!("M{} {}h10l-5-5z", px(x - 5.0), px(top - 2.5)),
        Side::Bottom => format!("M{} {}h10l-5 5z", px(x - 5.0), px(bottom + 2.5)),
    };
    sides.iter().map(triangle).collect()
}

fn description(panel: &Panel, metric: Metric, x: &str, y: &str) -> String {
    let of =
        |wanted: fn(&CellState) -> bool| panel.cells.iter().filter(|c| wanted(&c.state)).count();
    let best = panel.best.and_then(|i| panel.cells.get(i)).map_or_else(
        || "No cell has a value.".to_string(),
        |cell| {
            format!(
                "Best: {} at {x} {} and {y} {}.",
                value(&cell.state).map_or_else(String::new, |v| words::measured(metric, v)),
                significant(cell.x, 3),
                significant(cell.y, 3)
            )
        },
    );
    let regions: Vec<String> = panel
        .regions
        .iter()
        .map(|r| {
            let touched = if r.touches.is_empty() {
                String::new()
            } else {
                format!(", touching {}", words::sides(&r.touches))
            };
            format!(
                "{} of {} known cells are good ({}){touched}.",
                r.good.iter().filter(|g| **g).count(),
                r.known,
                words::rule(r.rule, metric)
            )
        })
        .collect();
    let states: Vec<String> = [
        (of(|s| matches!(s, CellState::Diverged { .. })), "diverged"),
        (
            of(|s| matches!(s, CellState::StoppedEarly { .. })),
            "ended early",
        ),
        (
            of(|s| matches!(s, CellState::NotEvaluated)),
            "not evaluated",
        ),
        (of(|s| matches!(s, CellState::Missing)), "without a run"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!(", {n} {what}"))
    .collect();
    format!(
        "Grid of {x} by {y}, {} cells{}. {best} {}",
        panel.cells.len(),
        states.concat(),
        regions.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::distances;

    #[test]
    fn distances_skip_cells_without_a_configuration() {
        assert_eq!(
            distances(&[Some(20), Some(24), None, Some(21)]),
            "20 4 - -3"
        );
        assert_eq!(distances(&[None, Some(0)]), "- 0");
    }
}
