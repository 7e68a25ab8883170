//! A figure as an SVG file of its own: legend and drawings in rows, as on a wide page, on white paper.

use maud::{Markup, html};

use crate::document::{Entry, Figure, Part};
use crate::draw::colour::{INK, PAGE};
use crate::draw::drawing::{Drawing, FONT};
use crate::draw::svg::px;

/// Between drawings, pixels.
const GAP: f64 = 18.0;
/// Around all, pixels.
const EDGE: f64 = 12.0;
/// A line of the legend, pixels.
const LINE: f64 = 22.0;

/// The file.
pub(crate) fn svg(figure: &Figure) -> String {
    let mut sheet = Sheet {
        x: EDGE,
        y: EDGE,
        ..Sheet::default()
    };
    for part in &figure.parts {
        match part {
            Part::Legend(entries) => sheet.legend(entries),
            Part::Scale(drawing) => sheet.row(std::slice::from_ref(drawing)),
            Part::Panels { drawings, .. } => {
                let columns = if matches!(drawings.len(), 2 | 4) {
                    2
                } else {
                    3
                };
                drawings.chunks(columns).for_each(|row| sheet.row(row));
            }
            Part::Maps(maps) => {
                for (method, stage, row) in &maps.rows {
                    sheet.heading(method, stage.as_deref());
                    sheet.row(row);
                }
            }
        }
    }
    sheet.file()
}

/// Where the next thing goes, and what is there already.
#[derive(Default)]
struct Sheet {
    x: f64,
    y: f64,
    width: f64,
    out: Vec<Markup>,
}

impl Sheet {
    fn row(&mut self, row: &[Drawing]) {
        for drawing in row {
            self.out.push(drawing.svg_at(self.x, self.y));
            self.width = self.width.max(self.x + drawing.width);
            self.x += drawing.width + GAP;
        }
        let high = row.iter().map(|drawing| drawing.height).fold(0.0, f64::max);
        (self.x, self.y) = (EDGE, self.y + high + GAP);
    }

    fn text(&mut self, text: &str, weight: Option<&str>, x: f64, y: f64) {
        self.out
            .push(html! { text x=(px(x)) y=(px(y)) font-weight=[weight] { (text) } });
        self.width = self.width.max(x + 7.0 * text.chars().count() as f64);
    }

    fn heading(&mut self, method: &str, stage: Option<&str>) {
        let text = match stage {
            Some(stage) => format!("{method} ({stage})"),
            None => method.to_owned(),
        };
        self.text(&text, Some("600"), EDGE, self.y + 13.0);
        self.y += LINE;
    }

    fn legend(&mut self, entries: &[Entry]) {
        for Entry { drawing, label } in entries {
            let long = 60.0 + 6.6 * label.chars().count() as f64;
            if self.x > EDGE && self.x + long > 1060.0 {
                (self.x, self.y) = (EDGE, self.y + LINE);
            }
            self.out.push(html! {
                svg x=(px(self.x)) y=(px(self.y)) viewBox="0 0 34 14" width="34" height="14" { (drawing) }
            });
            self.text(label, None, self.x + 42.0, self.y + 11.5);
            self.x += long;
        }
        (self.x, self.y) = (EDGE, self.y + LINE + 4.0);
    }

    fn file(self) -> String {
        let (width, height) = (px(self.width + EDGE), px(self.y + EDGE - GAP));
        let file = html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
                viewBox={ "0 0 " (width) " " (height) } font-family=(FONT) font-size="12" fill=(INK) {
                rect width=(width) height=(height) fill=(PAGE) {}
                @for part in &self.out { (part) }
            }
        };
        file.into_string() + "\n"
    }
}
