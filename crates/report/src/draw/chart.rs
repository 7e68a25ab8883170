//! The frame of a chart: axes, grid, ticks and labels around a plane on which
//! a figure draws its marks. One chart is one `svg` with a title and a
//! description for those who do not see it.

use maud::{Markup, html};

use super::colour::{METHODS, QUIET};
use super::drawing::Drawing;
use super::number::significant;
use super::scale::{Scale, Tick};
use super::style::Style;
use super::svg::{SHAPES, Shape, fitting, px, shortened};

/// A chart: what surrounds the marks.
pub(crate) struct Chart<'a> {
    /// Unique on the page; prefixes the ids inside.
    pub(crate) id: String,
    /// Shown above the plane and read out first.
    pub(crate) title: String,
    /// What the chart shows, for screen readers.
    pub(crate) description: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Room right of the plane, in pixels, for labels at the ends of lines.
    pub(crate) margin: f64,
    pub(crate) x: Axis<'a>,
    pub(crate) y: Axis<'a>,
}

/// One axis of a chart.
pub(crate) struct Axis<'a> {
    pub(crate) scale: &'a Scale,
    pub(crate) label: &'a str,
    pub(crate) ticks: Vec<Tick>,
}

impl<'a> Axis<'a> {
    /// An axis with about `wanted` ticks.
    pub(crate) fn new(scale: &'a Scale, label: &'a str, wanted: usize) -> Self {
        Axis {
            scale,
            label,
            ticks: scale.ticks(wanted),
        }
    }

    /// The same axis with shares of one written as percent.
    pub(crate) fn in_percent(mut self, percent: bool) -> Self {
        if percent {
            for tick in &mut self.ticks {
                tick.label = format!("{} %", significant(tick.value * 100.0, 4));
            }
        }
        self
    }
}

/// Where the plane lies in its chart, and values on it.
pub(crate) struct Plane {
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    clip: String,
}

impl Plane {
    /// The place of a point, or `None` where an axis has none for it.
    pub(crate) fn point(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.x.at(x)?, self.y.at(y)?))
    }

    /// Marks of which only what lies on the plane is shown.
    pub(crate) fn clipped(&self, marks: &Markup) -> Markup {
        html! { g clip-path={ "url(#" (self.clip) ")" } { (marks) } }
    }
}

impl Chart<'_> {
    /// The plane inside the axes.
    pub(crate) fn plane(&self) -> Plane {
        let widest = self
            .y
            .ticks
            .iter()
            .map(|tick| tick.label.chars().count())
            .max()
            .unwrap_or(0);
        // On a phone text is larger beside the drawing than here.
        let left = 38.0 + 8.4 * widest as f64;
        let right = self.width - 14.0 - self.margin;
        let top = 46.0;
        let bottom = self.height - 44.0;
        Plane {
            x: self.x.scale.onto(left, right),
            y: self.y.scale.onto(bottom, top),
            left,
            right,
            top,
            bottom,
            clip: format!("{}-clip", self.id),
        }
    }

    /// The whole chart around the marks.
    pub(crate) fn draw(self, plane: &Plane, marks: &Markup) -> Drawing {
        let marks = html! {
            clipPath id=(plane.clip) {
                rect x=(px(plane.left)) y=(px(plane.top)) width=(px(plane.right - plane.left))
                    height=(px(plane.bottom - plane.top)) {}
            }
            text.heading font-size="13" font-weight="600" x=(px(plane.left)) y="15" {
                (fitting(&self.title, 14.0, self.width - plane.left))
            }
            (self.frame(plane))
            (marks)
        };
        Drawing {
            id: self.id,
            class: None,
            title: self.title,
            description: Some(self.description),
            width: self.width,
            height: self.height,
            grid: None,
            marks,
        }
    }

    /// Grid, ticks and axes.
    fn frame(&self, plane: &Plane) -> Markup {
        let middle = f64::midpoint(plane.left, plane.right);
        let centre = f64::midpoint(plane.top, plane.bottom);
        let columns = without_touching(&self.x.ticks, &plane.x);
        let rows: Vec<(f64, &str)> = self
            .y
            .ticks
            .iter()
            .filter_map(|tick| Some((plane.y.at(tick.value)?, tick.label.as_str())))
            .collect();
        let across = rows
            .iter()
            .map(|(y, _)| format!("M{} {}H{}", px(plane.left), px(*y), px(plane.right)));
        let up = columns
            .iter()
            .map(|(x, _)| format!("M{} {}V{}", px(*x), px(plane.top), px(plane.bottom)));
        let grid: String = across.chain(up).collect();
        let axis = format!(
            "M{} {}V{}H{}",
            px(plane.left),
            px(plane.top),
            px(plane.bottom),
            px(plane.right)
        );
        html! {
            (Style::Grid.plain(&grid))
            g.end text-anchor="end" {
                @for (y, label) in &rows {
                    text x=(px(plane.left - 7.0)) y=(px(y + 4.0)) { (label) }
                }
            }
            g.mid text-anchor="middle" {
                @for (x, label) in &columns {
                    text x=(px(*x)) y=(px(plane.bottom + 17.0)) { (label) }
                }
            }
            (Style::Axis.plain(&axis))
            text.label text-anchor="middle" fill=(QUIET) x=(px(middle)) y=(px(self.height - 9.0)) { (self.x.label) }
            text.label text-anchor="middle" fill=(QUIET) transform={ "translate(14 " (px(centre)) ")rotate(-90)" } {
                (shortened(self.y.label, ((plane.bottom - plane.top) / 8.6) as usize))
            }
        }
    }
}

/// Ticks with their places from left to right, but for those whose label would
/// touch the one before.
fn without_touching<'t>(ticks: &'t [Tick], x: &Scale) -> Vec<(f64, &'t str)> {
    let placed: Vec<(f64, &str)> = ticks
        .iter()
        .filter_map(|tick| Some((x.at(tick.value)?, tick.label.as_str())))
        .collect();
    let evenly =
        |stride: usize| -> Vec<(f64, &str)> { placed.iter().step_by(stride).copied().collect() };
    (1..=4)
        .map(evenly)
        .find(|some| some.len() > 2 && apart(some).len() == some.len())
        .unwrap_or_else(|| apart(&placed))
}

/// Of labels from left to right, those that do not touch the one kept before.
fn apart<'t>(placed: &[(f64, &'t str)]) -> Vec<(f64, &'t str)> {
    let mut free = f64::NEG_INFINITY;
    let mut kept = Vec::new();
    for &(at, label) in placed {
        let half = 4.2 * label.chars().count() as f64;
        if at - half >= free {
            kept.push((at, label));
            free = at + half + 5.0;
        }
    }
    kept
}

/// How one method looks in every figure: colour, shape and dash belong
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look(pub(crate) usize);

impl Look {
    /// The colour on a white page.
    pub(crate) fn colour(self) -> &'static str {
        METHODS[self.0 % METHODS.len()].0
    }

    /// The shape of the method's markers.
    pub(crate) fn shape(self) -> Shape {
        SHAPES[self.0 % SHAPES.len()]
    }

    /// The dashes of the method's lines; `none` is solid.
    pub(crate) fn dash(self) -> &'static str {
        ["none", "7 3", "9 3 2 3", "4 2", "12 3", "9 2 2 2 2 2"][self.0 % 6]
    }
}

#[cfg(test)]
mod tests {
    use super::super::scale::Spacing;
    use super::*;

    #[test]
    fn labels_of_ticks_never_touch() {
        let scale = Scale::of(Spacing::Log2, [8.0, 320.0], 0.0).onto(0.0, 300.0);
        let ticks: Vec<Tick> = (1..=40)
            .map(|i| Tick {
                value: f64::from(8 * i),
                label: (8 * i).to_string(),
            })
            .collect();
        let kept = without_touching(&ticks, &scale);
        assert_eq!(kept[0].1, "8");
        assert!(kept.len() > 5, "{kept:?}");
        assert!(
            kept.windows(2)
                .all(|w| w[1].0 - w[0].0 > 3.5 * (w[0].1.len() + w[1].1.len()) as f64)
        );
    }

    #[test]
    fn a_small_chart() {
        let x = Scale::of(Spacing::Log2, [16.0, 64.0], 0.1);
        let y = Scale::of(Spacing::Linear, [0.0, 1.0], 0.0);
        let chart = Chart {
            id: "small".into(),
            title: "a <b> & c".into(),
            description: "nothing".into(),
            width: 200.0,
            height: 150.0,
            margin: 0.0,
            x: Axis::new(&x, "batch size", 5),
            y: Axis::new(&y, "accuracy", 3),
        };
        let plane = chart.plane();
        let look = Look(1);
        let (px_, py) = plane.point(32.0, 0.5).expect("on the plane");
        let marks = Style::Mark.path(look.colour(), &look.shape().path(px_, py, 4.0));
        let drawn = chart.draw(&plane, &plane.clipped(&marks));
        let drawn = drawn.svg().into_string();
        insta::assert_snapshot!(drawn.replace("><", ">\n<"));
    }
}
