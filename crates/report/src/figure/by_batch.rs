//! Panels with the batch size along the bottom and one line per method: steps
//! to target, speed-up, share of good cells, performance.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::apart;
use crate::draw::chart::{Axis, Chart, Look, Plane};
use crate::draw::colour::QUIET;
use crate::draw::drawing::Drawing;
use crate::draw::scale::{Scale, Tick};
use crate::draw::style::Style;
use crate::draw::svg::{Shape, arrow_up, cross, line_through, px, shortened};

/// One panel: a target, a slice, a metric.
pub(crate) struct Panel {
    /// Unique on the page.
    pub(crate) id: String,
    pub(crate) title: String,
    /// What it shows, for screen readers, who hear what the points say after it.
    pub(crate) description: String,
    /// One per method.
    pub(crate) lines: Vec<Line>,
    /// A dotted line that belongs to no method.
    pub(crate) reference: Vec<(f64, f64)>,
    /// A level to mark, such as the margin of a claim.
    pub(crate) label: String,
}

/// What one method contributes to a panel. Pairs are batch size and value.
pub(crate) struct Line {
    pub(crate) look: Look,
    /// The method, written at the line's end.
    pub(crate) label: String,
    pub(crate) points: Vec<Point>,
    pub(crate) seeds: Vec<Seed>,
    /// Ideal scaling, dotted.
    pub(crate) ideal: Vec<(f64, f64)>,
    /// A fitted curve, thin.
    pub(crate) law: Vec<(f64, f64)>,
    /// Seeds that diverged: batch size and what to say.
    pub(crate) diverged: Vec<(f64, String)>,
    /// A batch size with its interval, drawn as a bar along the bottom.
    pub(crate) critical: Option<Critical>,
}

impl Line {
    /// A line of points and nothing else.
    pub(crate) fn new(look: Look, label: String, points: Vec<Point>) -> Self {
        Line {
            look,
            label,
            points,
            seeds: Vec::new(),
            ideal: Vec::new(),
            law: Vec::new(),
            diverged: Vec::new(),
            critical: None,
        }
    }
}

/// A large marker.
pub(crate) struct Point {
    pub(crate) batch: u64,
    pub(crate) value: f64,
    /// A bar through it.
    pub(crate) bar: Option<Bar>,
    pub(crate) mark: Mark,
    /// Its value in words.
    pub(crate) said: String,
    /// What else is to be known of it.
    pub(crate) more: String,
}

impl Point {
    /// What the mark of a line says: `K-FAC, batch 64`, its value, what else is to be known.
    fn tip(&self, label: &str) -> String {
        let parts = [&self.said, &self.more];
        let said = parts.into_iter().filter(|part| !part.is_empty());
        said.fold(format!("{label}, batch {}", self.batch), |tip, part| {
            format!("{tip}\n{part}")
        })
    }

    /// All values that an axis must show.
    pub(crate) fn extent(&self) -> impl Iterator<Item = f64> {
        std::iter::once(self.value).chain(self.bar.into_iter().flat_map(Bar::ends))
    }
}

/// Lower and upper end of a bar. One without an end goes on beyond what is
/// possible: it is drawn to the axis' end, with an arrow.
#[derive(Clone, Copy)]
pub(crate) struct Bar {
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
}

impl Bar {
    /// Both ends that there are.
    pub(crate) fn ends(self) -> impl Iterator<Item = f64> {
        [self.low, self.high].into_iter().flatten()
    }
}

/// How a large marker is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Filled, joined to its neighbours.
    Known,
    /// Open, with an arrow up: the value lies above.
    Above,
    /// Open, joined to its neighbours: known with a reservation.
    Censored,
}

/// A small marker beside the large one, which says what it stands for.
pub(crate) struct Seed {
    pub(crate) batch: u64,
    pub(crate) value: f64,
    /// Where the true value may start, below `value`.
    pub(crate) from: Option<f64>,
    /// The value lies above.
    pub(crate) above: bool,
}

/// A batch size with its interval; a side without a bound goes on to the axis'
/// end.
pub(crate) struct Critical {
    pub(crate) value: Option<f64>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
    pub(crate) tip: String,
}

impl Panel {
    /// Description and points in few words: `Speed-up by batch size. K-FAC: 16: 1; 32: 1.8.`
    fn spoken(&self) -> String {
        let lines = self.lines.iter().filter(|line| !line.points.is_empty());
        lines.fold(format!("{}.", self.description), |spoken, line| {
            let points: Vec<String> = line
                .points
                .iter()
                .map(|point| format!("{}: {}", point.batch, point.said))
                .collect();
            format!("{spoken} {}: {}.", line.label, points.join("; "))
        })
    }
}

/// What all panels of a figure share.
pub(crate) struct Axes {
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    pub(crate) batches: Vec<u64>,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Ticks of the y axis are shares, written as percent.
    pub(crate) percent: bool,
}

impl Axes {
    /// Ticks at the batch sizes that were run: no other value has data.
    fn x_axis(&self) -> Axis<'_> {
        Axis {
            scale: &self.x,
            label: "batch size",
            ticks: self
                .batches
                .iter()
                .map(|batch| Tick {
                    value: *batch as f64,
                    label: batch.to_string(),
                })
                .collect(),
        }
    }

    /// Draws one panel.
    pub(crate) fn draw(&self, panel: &Panel) -> Drawing {
        let longest = panel
            .lines
            .iter()
            .map(|line| line.label.chars().count())
            .max();
        let chart = Chart {
            id: panel.id.clone(),
            title: panel.title.clone(),
            description: panel.spoken(),
            width: self.width,
            height: self.height,
            margin: 10.4 * longest.unwrap_or(0).min(10) as f64,
            x: self.x_axis(),
            y: Axis::new(&self.y, &panel.label, 6).in_percent(self.percent),
        };
        let plane = chart.plane();
        let count = panel.lines.len();
        // Markers of many batch sizes are smaller, so that they stay apart.
        let room = (plane.right - plane.left) / self.batches.len().max(1) as f64;
        let radius = (room / 2.6).clamp(2.2, 4.6);
        let any_diverged = panel.lines.iter().any(|line| !line.diverged.is_empty());
        let marks = html! {
            (plane.clipped(&html! {
                @if !panel.reference.is_empty() {
                    (Style::Ideal.path(QUIET, &path(&plane, &panel.reference)))
                }
                @for (index, line) in panel.lines.iter().enumerate() {
                    (curves(&plane, line, index))
                }
            }))
            @if any_diverged {
                (Style::Rail.plain(&format!("M{} 29H{}", px(plane.left), px(plane.right))))
                text.small text-anchor="end" font-size="10.5" x=(px(plane.left - 5.0)) y="32" { "diverged" }
            }
            @for (index, line) in panel.lines.iter().enumerate() {
                (markers(&plane, line, aside(index, count), radius))
            }
            (labels(&plane, panel))
        };
        chart.draw(&plane, &marks)
    }
}

/// How far right of its batch size a method's seeds stand, in pixels.
fn aside(index: usize, count: usize) -> f64 {
    let middle = count.saturating_sub(1) as f64 / 2.0;
    if count < 2 {
        8.0
    } else {
        (index as f64 - middle) * 16.0
    }
}

fn path(plane: &Plane, points: &[(f64, f64)]) -> String {
    line_through(points.iter().filter_map(|&(x, y)| plane.point(x, y)))
}

fn curves(plane: &Plane, line: &Line, index: usize) -> Markup {
    let joined: Vec<String> = line
        .points
        .split(|point| point.mark == Mark::Above)
        .filter(|run| run.len() > 1)
        .map(|run| {
            line_through(
                run.iter()
                    .filter_map(|p| plane.point(p.batch as f64, p.value)),
            )
        })
        .collect();
    let colour = line.look.colour();
    html! {
        @if line.ideal.len() > 1 { (Style::Ideal.path(colour, &path(plane, &line.ideal))) }
        @if line.law.len() > 1 { (Style::Law.path(colour, &path(plane, &line.law))) }
        @for d in &joined { (Style::Line.dashed(colour, line.look.dash(), d)) }
        @if let Some(critical) = &line.critical {
            (critical_bar(plane, critical, colour, plane.bottom - 8.0 - 10.0 * index as f64))
        }
    }
}

/// A bar along the bottom, its ends square where bounded, open where not.
fn critical_bar(plane: &Plane, critical: &Critical, colour: &str, y: f64) -> Markup {
    let at = |value: Option<f64>, open: f64| {
        value
            .and_then(|v| plane.x.at(v))
            .unwrap_or(open)
            .clamp(plane.left, plane.right)
    };
    let (low, high) = (at(critical.low, plane.left), at(critical.high, plane.right));
    let middle = critical
        .value
        .filter(|value| plane.x.contains(*value))
        .and_then(|value| plane.x.at(value));
    let mut bar = format!("M{} {}H{}", px(low), px(y), px(high));
    for (end, _) in [(low, critical.low), (high, critical.high)]
        .into_iter()
        .filter(|(_, bound)| bound.is_some())
    {
        let _ = write!(bar, "M{} {}v6", px(end), px(y - 3.0));
    }
    html! {
        g {
            title { (critical.tip) }
            (Style::Bar.path(colour, &bar))
            @if let Some(x) = middle {
                (Style::ThickBar.path(colour, &format!("M{} {}v9", px(x), px(y - 4.5))))
            }
        }
    }
}

/// How far from the middle of their batch size seeds stand, so that they stand
/// beside each other, in pixels at full size.
fn besides(seeds: &[Seed]) -> Vec<f64> {
    let mut place = 0;
    (0..seeds.len())
        .map(|i| {
            let same = i > 0 && seeds[i - 1].batch == seeds[i].batch;
            place = if same { (place + 1) % 5 } else { 0 };
            2.4 * f64::from(place) - 4.8
        })
        .collect()
}

fn markers(plane: &Plane, line: &Line, side: f64, radius: f64) -> Markup {
    let (shape, colour) = (line.look.shape(), line.look.colour());
    // Alike and many: a path for all of a line's seeds and bars.
    let (mut dots, mut intervals, mut bars) = (String::new(), String::new(), String::new());
    for (seed, beside) in line.seeds.iter().zip(besides(&line.seeds)) {
        let Some((x, y)) = plane.point(seed.batch as f64, seed.value) else {
            continue;
        };
        let x = x + (side + beside) * radius / 4.6;
        if let Some(from) = seed.from {
            let below = plane.y.at(from).unwrap_or(plane.bottom).min(plane.bottom);
            let _ = write!(intervals, "M{} {}V{}", px(x), px(below), px(y));
        }
        if seed.above {
            intervals += &arrow_up(x, y + 2.0);
        }
        // Its caps are the dot.
        let _ = write!(dots, "M{} {}h.1", px(x), px(y));
    }
    let placed: Vec<(f64, f64, &Point)> = line
        .points
        .iter()
        .filter_map(|point| {
            let (x, y) = plane.point(point.batch as f64, point.value)?;
            Some((x, y, point))
        })
        .collect();
    for (x, y, point) in &placed {
        bars += &point
            .bar
            .map_or_else(String::new, |bar| upright(plane, *x, bar));
        if point.mark == Mark::Above {
            bars += &arrow_up(*x, *y);
        }
    }
    let cap = if matches!(shape, Shape::Circle) {
        "round"
    } else {
        "square"
    };
    let dotted = format!(
        " stroke-width=\"{}\" stroke-linecap=\"{cap}\"",
        px(radius * 0.84)
    );
    html! {
        @if !intervals.is_empty() { (Style::Seed.path(colour, &intervals)) }
        @if !dots.is_empty() { (Style::Seed.with(colour, &dotted, &dots)) }
        @if !bars.is_empty() { (Style::Bar.path(colour, &bars)) }
        @for (style, known) in [(Style::Mark, true), (Style::Open, false)] {
            @let mut points = placed.iter().filter(|(.., point)| (point.mark == Mark::Known) == known).peekable();
            @if points.peek().is_some() {
                (style.group(colour, &html! {
                    @for (x, y, point) in points {
                        path d=(shape.path(*x, *y, radius)) { title { (point.tip(&line.label)) } }
                    }
                }))
            }
        }
        @for (batch, tip) in &line.diverged {
            @if let Some(x) = plane.x.at(*batch) {
                g { title { (tip) } (Style::Bar.path(colour, &cross(x + side / 2.0, 29.0, 3.8))) }
            }
        }
    }
}

/// A bar through a marker, with a cap at each end or an arrow beyond it.
fn upright(plane: &Plane, x: f64, bar: Bar) -> String {
    let place = |value: Option<f64>| value.and_then(|v| plane.y.at(v));
    let (low, high) = (place(bar.low), place(bar.high));
    let (bottom, top) = (low.unwrap_or(plane.bottom), high.unwrap_or(plane.top));
    let end = |known: Option<f64>, y: f64, inwards: f64| match known {
        Some(_) => format!("M{} {}h8", px(x - 4.0), px(y)),
        None => line_through([
            (x - 3.5, y + 5.0 * inwards),
            (x, y),
            (x + 3.5, y + 5.0 * inwards),
        ]),
    };
    format!(
        "M{} {}V{}{}{}",
        px(x),
        px(bottom),
        px(top),
        end(low, bottom, -1.0),
        end(high, top, 1.0)
    )
}

/// The methods' names right of the plane, at the height of their last points.
fn labels(plane: &Plane, panel: &Panel) -> Markup {
    let ends: Vec<(f64, &Line)> = panel
        .lines
        .iter()
        .filter_map(|line| {
            let last = line.points.last()?;
            Some((plane.y.at(last.value)?, line))
        })
        .collect();
    let heights: Vec<f64> = ends.iter().map(|(y, _)| *y).collect();
    html! {
        @for ((_, line), y) in ends.iter().zip(apart(&heights, 14.0)) {
            text.series font-weight="600" fill=(line.look.colour()) x=(px(plane.right + 8.0)) y=(px(y + 4.0)) {
                (shortened(&line.label, 10))
            }
        }
    }
}
