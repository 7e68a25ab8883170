//! The figures and tables of a page as files of their own, SVG and CSV, to lie beside it. They are read back
//! from the page, so that page and files cannot differ. It reads pages of this crate only: there elements
//! are closed, attributes stand in double quotes and texts are escaped.

use std::fmt::Write as _;

use crate::csv;
use crate::draw::plain::plain;
use crate::draw::svg::px;

/// A file to write beside a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhibit {
    /// Its name: that of the figure or table in the page's links, and `.svg` or `.csv`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// All figures and tables of a page, in its order.
pub fn exhibits(page: &str) -> Vec<Exhibit> {
    let style = between(page, "<style id=\"figure-style\">", "</style>").unwrap_or_default();
    let mut all = Vec::new();
    for figure in page
        .split("<figure")
        .skip(1)
        .filter_map(|rest| rest.split_once("</figure>"))
        .map(|(figure, _)| figure)
    {
        let id = attribute(figure, "id").unwrap_or_default();
        let mut exhibit = |ending: &str, text: String| {
            let name = format!("{id}.{ending}");
            all.push(Exhibit { name, text });
        };
        if figure.contains("role=\"img\"") {
            exhibit("svg", composed(figure, style));
        }
        let data = between(figure, "<details class=\"data\"", "</details>");
        if let Some(text) = data.and_then(|data| between(data, "<pre tabindex=\"0\">", "</pre>")) {
            let of_seeds = data.is_some_and(|data| data.starts_with(" data-seeds"));
            exhibit("csv", csv::spelled_out(&unescaped(text), of_seeds));
        } else if figure.contains("<table") {
            exhibit("csv", cells(figure));
        }
    }
    all
}

/// Text from after `start` to before the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// The first attribute of this name.
fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    between(element, &format!(" {name}=\""), "\"")
}

fn number(element: &str, name: &str) -> f64 {
    let value = attribute(element, name).and_then(|value| value.parse().ok());
    value.expect("drawings of the page say their size in pixels")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// Text without its elements, still escaped, white space as one space.
fn without_elements(html: &str) -> String {
    let parts = html.split('<').enumerate().map(|(index, part)| {
        if index == 0 {
            part
        } else {
            part.split_once('>').map_or("", |(_, text)| text)
        }
    });
    let text: String = parts.collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without what only the eye wants, such as a verdict's symbol before its word.
fn without_symbols(html: &str) -> String {
    let mut parts = html.split("<b aria-hidden=\"true\">");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once("</b>").map_or("", |(_, rest)| rest)
    })
}

/// The cells of a table as CSV.
fn cells(figure: &str) -> String {
    let rows = figure.split("<tr").skip(1).map(|row| {
        let row = without_symbols(row.split("</tr>").next().unwrap_or_default());
        let cells = row
            .split("<t")
            .skip(1)
            .filter_map(|cell| cell.split_once('>'));
        cells
            .map(|(_, cell)| unescaped(&without_elements(cell)))
            .collect()
    });
    csv::plain(&rows.collect::<Vec<Vec<String>>>())
}

/// Between drawings, pixels.
const GAP: f64 = 18.0;
/// Around all, pixels.
const EDGE: f64 = 12.0;
/// A line of the legend, pixels.
const LINE: f64 = 22.0;

/// A figure's legend and drawings in rows, as on a wide page, on white paper.
fn composed(figure: &str, style: &str) -> String {
    let columns = attribute(figure, "style")
        .and_then(|style| between(style, "repeat(", ","))
        .and_then(|columns| columns.parse().ok())
        .unwrap_or(if figure.contains("class=\"panels two\"") {
            2
        } else {
            3
        });
    let mut sheet = Sheet::new(columns);
    let mut rest = figure;
    while let Some(start) = rest.find(['<']) {
        rest = &rest[start..];
        let taken = if rest.starts_with("<ul class=\"legend\">") {
            let (legend, behind) = rest.split_once("</ul>").unwrap_or((rest, ""));
            sheet.legend(legend);
            behind
        } else if rest.starts_with("<p class=\"method\">") {
            let (heading, behind) = rest.split_once("</p>").unwrap_or((rest, ""));
            sheet.heading(&without_elements(heading));
            behind
        } else if rest.starts_with("<svg") {
            let (drawing, behind) = rest.split_once("</svg>").unwrap_or((rest, ""));
            sheet.drawing(drawing);
            behind
        } else if rest.starts_with("<details") {
            ""
        } else {
            &rest[1..]
        };
        rest = taken;
    }
    sheet.file(style)
}

/// Where the next thing goes, and what is there already.
struct Sheet {
    columns: usize,
    /// Drawings in the row so far.
    filled: usize,
    x: f64,
    y: f64,
    /// Of the row so far.
    height: f64,
    width: f64,
    out: String,
}

impl Sheet {
    fn new(columns: usize) -> Self {
        Sheet {
            columns,
            filled: 0,
            x: EDGE,
            y: EDGE,
            height: 0.0,
            width: 0.0,
            out: String::new(),
        }
    }

    fn new_row(&mut self) {
        self.y += self.height;
        (self.x, self.filled, self.height) = (EDGE, 0, 0.0);
    }

    fn drawing(&mut self, drawing: &str) {
        let (width, height) = (number(drawing, "width"), number(drawing, "height"));
        // A scale stands alone.
        let alone = drawing.contains("class=\"scale\"");
        if self.filled >= self.columns || alone {
            self.new_row();
        }
        self.place(drawing, self.x, self.y);
        (self.x, self.filled) = (self.x + width + GAP, self.filled + 1);
        (self.width, self.height) = (self.width.max(self.x - GAP), self.height.max(height + GAP));
        if alone {
            self.new_row();
        }
    }

    /// A drawing in a place of its own, without what its labels point at in the page.
    fn place(&mut self, drawing: &str, x: f64, y: f64) {
        let begin = format!("<svg x=\"{}\" y=\"{}\"", px(x), px(y));
        self.out += &drawing.replacen("<svg", &begin, 1);
        self.out += "</svg>";
    }

    /// `text` is escaped.
    fn text(&mut self, text: &str, class: &str, x: f64, y: f64) {
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\">{text}</text>",
            px(x),
            px(y)
        );
        self.width = self
            .width
            .max(x + 7.0 * unescaped(text).chars().count() as f64);
    }

    fn heading(&mut self, text: &str) {
        self.new_row();
        self.text(text, "heading", EDGE, self.y + 13.0);
        self.y += LINE;
    }

    fn legend(&mut self, legend: &str) {
        self.new_row();
        for entry in legend.split("<li>").skip(1) {
            let (drawing, label) = entry.split_once("</svg>").unwrap_or(("", entry));
            let label = without_elements(label);
            let long = 60.0 + 6.6 * unescaped(&label).chars().count() as f64;
            if self.x > EDGE && self.x + long > 1060.0 {
                (self.x, self.y) = (EDGE, self.y + LINE);
            }
            self.place(drawing, self.x, self.y);
            self.text(&label, "", self.x + 42.0, self.y + 11.5);
            self.x += long;
        }
        (self.x, self.y) = (EDGE, self.y + LINE + 4.0);
    }

    fn file(mut self, style: &str) -> String {
        self.new_row();
        let (width, height) = (px(self.width + EDGE), px(self.y + EDGE - GAP));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\"><style>{}</style>\
             <path d=\"M0 0h{width}v{height}h-{width}z\" fill=\"#fff\"/>{}</svg>\n",
            plain(style, &self.out),
            self.out
        )
    }
}
