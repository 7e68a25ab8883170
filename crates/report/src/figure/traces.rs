//! Panels of one method each, with a line per batch size in the batch size's
//! colour: training curves, expected best.

use maud::{Markup, html};

use crate::draw::chart::{Axis, Chart, Plane};
use crate::draw::colour::{PAGE, QUIET};
use crate::draw::drawing::Drawing;
use crate::draw::scale::Scale;
use crate::draw::style::Style;
use crate::draw::svg::{Shape, cross, line_through, px};

/// One line.
pub(crate) struct Trace {
    pub(crate) colour: String,
    pub(crate) shape: Shape,
    pub(crate) points: Vec<(f64, f64)>,
    /// Smallest and largest value at each place, drawn as a band behind.
    pub(crate) band: Vec<(f64, f64, f64)>,
    /// Drawn thin and without a marker: a further seed.
    pub(crate) thin: bool,
    /// Ends in a cross instead of its marker.
    pub(crate) diverged: bool,
    /// Places to mark along the top, where the learning rate falls.
    pub(crate) drops: Vec<f64>,
    /// Points to ring.
    pub(crate) rings: Vec<(f64, f64)>,
    pub(crate) tip: String,
}

/// One panel.
pub(crate) struct Panel<'a> {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: (&'a Scale, &'a str),
    pub(crate) y: (&'a Scale, &'a str),
    /// Values are shares, written as percent.
    pub(crate) percent: bool,
    /// Levels to mark by a line across, with their names.
    pub(crate) levels: Vec<(f64, String)>,
    /// Places along x to mark by a line up.
    pub(crate) cuts: Vec<f64>,
    pub(crate) traces: Vec<Trace>,
}

impl Panel<'_> {
    /// Draws the panel.
    pub(crate) fn draw(&self) -> Drawing {
        let chart = Chart {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            width: self.width,
            height: self.height,
            margin: 0.0,
            x: Axis::new(self.x.0, self.x.1, 6),
            y: Axis::new(self.y.0, self.y.1, 6).in_percent(self.percent),
        };
        let plane = chart.plane();
        let marks = plane.clipped(&html! {
            @for trace in &self.traces { (band(&plane, trace)) }
            @for (level, _) in &self.levels {
                @if let Some(y) = plane.y.at(*level) {
                    (Style::Level.plain(&format!("M{} {}H{}", px(plane.left), px(y), px(plane.right))))
                }
            }
            @for cut in &self.cuts {
                @if let Some(x) = plane.x.at(*cut) {
                    (Style::Level.plain(&format!("M{} {}V{}", px(x), px(plane.top), px(plane.bottom))))
                }
            }
            @for trace in self.traces.iter().filter(|t| t.thin) { (line(&plane, trace)) }
            @for trace in self.traces.iter().filter(|t| !t.thin) { (line(&plane, trace)) }
        });
        let names = html! {
            @for (y, name) in self.named_levels(&plane) {
                text font-size="10.5" fill=(QUIET) stroke=(PAGE) stroke-width="3" stroke-linejoin="round" paint-order="stroke" x=(px(plane.left + 5.0)) y=(px(y - 4.0)) { (name) }
            }
        };
        chart.draw(&plane, &html! { (marks) (names) })
    }
}

impl Panel<'_> {
    /// Names of the levels on the plane and the heights to write them at. Levels whose names would cover
    /// each other have one, above all of them: `target ≤ 0.1, 0.08`.
    fn named_levels(&self, plane: &Plane) -> Vec<(f64, String)> {
        let mut named: Vec<(f64, String)> = Vec::new();
        let mut shown: Vec<(f64, &str)> = self
            .levels
            .iter()
            .filter(|(level, _)| plane.y.contains(*level))
            .filter_map(|(level, name)| Some((plane.y.at(*level)?, name.as_str())))
            .collect();
        // From the top.
        shown.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut last = f64::NEG_INFINITY;
        for (y, name) in shown {
            match named.last_mut() {
                Some((_, names)) if y - last < LEVEL_NAME => {
                    *names += ", ";
                    *names += name.rsplit(' ').next().unwrap_or(name);
                }
                _ => named.push((y, name.to_owned())),
            }
            last = y;
        }
        named
    }
}

/// Height of a level's name, pixels; on a phone it is larger beside the drawing than elsewhere.
const LEVEL_NAME: f64 = 17.0;

/// The band, four columns of pixels at a time: smallest and largest of all that
/// falls on them, so that no spike is lost.
fn band(plane: &Plane, trace: &Trace) -> Markup {
    let mut columns: Vec<(f64, f64, f64)> = Vec::new();
    for &(at, low, high) in &trace.band {
        let (Some((x, top)), Some(bottom)) = (plane.point(at, high), plane.y.at(low)) else {
            continue;
        };
        match columns.last_mut() {
            Some(last) if (x - last.0).abs() < 4.0 => {
                last.1 = last.1.min(top);
                last.2 = last.2.max(bottom);
            }
            _ => columns.push((x, top, bottom)),
        }
    }
    let there = columns.iter().map(|&(x, top, _)| (x, top));
    let back = columns.iter().rev().map(|&(x, _, bottom)| (x, bottom));
    html! {
        @if columns.len() > 1 {
            (Style::Band.path(&trace.colour, &line_through(there.chain(back))))
        }
    }
}

fn line(plane: &Plane, trace: &Trace) -> Markup {
    let points: Vec<(f64, f64)> = trace
        .points
        .iter()
        .filter_map(|&(x, y)| plane.point(x, y))
        .collect();
    let drops = trace.drops.iter().filter(|_| !trace.thin);
    let drops: String = drops
        .filter_map(|drop| {
            Some(format!(
                "M{} {}h8l-4 6z",
                px(plane.x.at(*drop)? - 4.0),
                px(plane.top)
            ))
        })
        .collect();
    let colour = &trace.colour;
    html! {
        g {
            title { (trace.tip) }
            @if points.len() > 1 {
                @let style = if trace.thin { Style::Further } else { Style::Line };
                (style.path(colour, &line_through(points.iter().copied())))
            }
            @if let (false, Some(&(x, y))) = (trace.thin, points.last()) {
                @if trace.diverged { (Style::Bar.path(colour, &cross(x, y, 4.5))) }
                @else { (Style::Mark.path(colour, &trace.shape.path(x, y, 4.2))) }
            }
            @for &(x, y) in &trace.rings {
                @if let Some((x, y)) = plane.point(x, y) { (Style::Open.path(colour, &Shape::Circle.path(x, y, 4.2))) }
            }
            @if !drops.is_empty() { (Style::Mark.path(colour, &drops)) }
        }
    }
}
