//! One drawing: an `svg` element with a title and a description for those who do not see it. It stands alone:
//! its marks say how they look by attributes, as [`Style`](super::style::Style) has them.

use maud::{Markup, html};

use super::colour::INK;
use super::svg::px;

/// Of the text in drawings.
pub(crate) const FONT: &str = "system-ui, sans-serif";

/// A drawing, by its size in pixels.
pub(crate) struct Drawing {
    /// Unique on the page; prefixes the ids inside.
    pub(crate) id: String,
    pub(crate) class: Option<&'static str>,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Where the cells of a heatmap are, for the script.
    pub(crate) grid: Option<Grid>,
    pub(crate) marks: Markup,
}

/// The cells of a heatmap.
pub(crate) struct Grid {
    /// Left, top, width and height of a cell, columns, rows.
    pub(crate) places: String,
    /// Which cell of the figure's data is the first one.
    pub(crate) first: usize,
    /// By cell, the place of its configuration among all of the page, as the distance from the one before; a
    /// dash for none.
    pub(crate) configurations: String,
}

impl Drawing {
    /// On a page.
    pub(crate) fn svg(&self) -> Markup {
        self.placed(None)
    }

    /// In another drawing.
    pub(crate) fn svg_at(&self, x: f64, y: f64) -> Markup {
        self.placed(Some((x, y)))
    }

    fn placed(&self, place: Option<(f64, f64)>) -> Markup {
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let labels = match &self.description {
            Some(_) => format!("{title} {description}"),
            None => title.clone(),
        };
        let (width, height) = (px(self.width), px(self.height));
        let grid = self.grid.as_ref();
        html! {
            svg id=(self.id) class=[self.class] role="img" x=[place.map(|(x, _)| px(x))] y=[place.map(|(_, y)| px(y))]
                viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height)
                font-family=(FONT) font-size="12" fill=(INK) aria-labelledby=(labels)
                data-grid=[grid.map(|grid| &grid.places)] data-first=[grid.map(|grid| grid.first)]
                data-configurations=[grid.map(|grid| &grid.configurations)] {
                title id=(title) { (self.title) }
                @if let Some(text) = &self.description { desc id=(description) { (text) } }
                (self.marks)
            }
        }
    }
}
