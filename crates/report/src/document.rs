//! A page as a value: a list of sections of texts, figures and tables. Numbers and references are given when
//! the list is complete; the HTML page and the SVG and CSV files beside it are renderings of it.

use std::collections::HashMap;

use maud::{Markup, html};

use crate::draw::drawing::Drawing;
use crate::frame::Frame;

/// A section, which the navigation names.
pub(crate) struct Section {
    pub(crate) id: &'static str,
    /// Its name in the navigation.
    pub(crate) name: &'static str,
    pub(crate) heading: &'static str,
    pub(crate) blocks: Vec<Block>,
}

/// One thing below another.
pub(crate) enum Block {
    Text(Markup),
    Figure(Figure),
    Table(Table),
    List(List),
    /// Closed until a reader opens it.
    Closed {
        class: Option<&'static str>,
        summary: Markup,
        blocks: Vec<Block>,
    },
}

impl From<Markup> for Block {
    fn from(text: Markup) -> Self {
        Block::Text(text)
    }
}

/// What a figure shows, for claims that point at the first figure of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Steps,
    Curves,
    Heatmap,
    Share,
    Noise,
    Performance,
    Effect,
    Other,
}

/// Drawings with a legend and a caption, and the numbers that they are of. Its id is the name of the data.
pub(crate) struct Figure {
    pub(crate) kind: Kind,
    pub(crate) parts: Vec<Part>,
    pub(crate) caption: Markup,
    pub(crate) data: Frame,
}

/// A part of a figure, one below another.
pub(crate) enum Part {
    Legend(Vec<Entry>),
    /// A colour scale.
    Scale(Drawing),
    /// Drawings beside each other; `pick`: what a reader may choose one by.
    Panels {
        pick: Option<&'static str>,
        drawings: Vec<Drawing>,
    },
    /// Heatmaps.
    Maps(Maps),
}

/// Rows of heatmaps, each with the method and, where it has another name, the stage above it.
pub(crate) struct Maps {
    /// What they show, for screen readers.
    pub(crate) label: String,
    pub(crate) columns: usize,
    /// Width of a row, pixels.
    pub(crate) width: f64,
    pub(crate) rows: Vec<(String, Option<String>, Vec<Drawing>)>,
}

/// An entry of a legend: a drawing in `0 0 34 14`, and what it stands for.
pub(crate) struct Entry {
    pub(crate) drawing: Markup,
    pub(crate) label: String,
}

/// A table for the eye, and its numbers in full precision. Its id is the name of the data.
pub(crate) struct Table {
    pub(crate) class: &'static str,
    pub(crate) caption: Markup,
    /// Names of the columns; numbers stand right.
    pub(crate) head: Vec<(String, bool)>,
    pub(crate) rows: Markup,
    pub(crate) data: Frame,
}

impl Table {
    pub(crate) fn new<S: ToString>(
        class: &'static str,
        caption: Markup,
        head: &[(S, bool)],
        rows: Markup,
        data: Frame,
    ) -> Self {
        let head = head
            .iter()
            .map(|(name, number)| (name.to_string(), *number));
        Table {
            class,
            caption,
            head: head.collect(),
            rows,
            data,
        }
    }
}

/// Rows that are only data, which a script makes a table of.
pub(crate) struct List {
    pub(crate) title: &'static str,
    pub(crate) caption: Markup,
    pub(crate) data: Frame,
}

/// What has an id, data and perhaps drawings.
#[derive(Clone, Copy)]
pub(crate) enum Item<'p> {
    Figure(&'p Figure),
    Table(&'p Table),
    List(&'p List),
}

impl<'p> Item<'p> {
    pub(crate) fn data(self) -> &'p Frame {
        match self {
            Item::Figure(figure) => &figure.data,
            Item::Table(table) => &table.data,
            Item::List(list) => &list.data,
        }
    }
}

/// The figures, tables and lists of some sections, in their order.
pub(crate) fn items<'p>(sections: impl IntoIterator<Item = &'p Section>) -> Vec<Item<'p>> {
    fn descend<'p>(blocks: &'p [Block], items: &mut Vec<Item<'p>>) {
        for block in blocks {
            match block {
                Block::Text(_) => {}
                Block::Figure(figure) => items.push(Item::Figure(figure)),
                Block::Table(table) => items.push(Item::Table(table)),
                Block::List(list) => items.push(Item::List(list)),
                Block::Closed { blocks, .. } => descend(blocks, items),
            }
        }
    }
    let mut items = Vec::new();
    for section in sections {
        descend(&section.blocks, &mut items);
    }
    items
}

/// By id, `Figure 3` or `Table 2`.
pub(crate) struct Numbers(HashMap<String, String>);

impl Numbers {
    /// Those of a complete list.
    pub(crate) fn of<'p>(sections: impl IntoIterator<Item = &'p Section>) -> Self {
        let (mut figures, mut tables) = (0, 0);
        let named = items(sections).into_iter().filter_map(|item| {
            let (word, number) = match item {
                Item::Figure(_) => ("Figure", &mut figures),
                Item::Table(_) => ("Table", &mut tables),
                Item::List(_) => return None,
            };
            *number += 1;
            Some((item.data().name.clone(), format!("{word}\u{a0}{number}")))
        });
        Numbers(named.collect())
    }

    /// # Panics
    /// If there is no such figure or table.
    pub(crate) fn number(&self, id: &str) -> &str {
        &self.0[id]
    }
}

/// Links to figures from before them in the page: all figures but the first few stand in the sections that these are
/// of.
pub(crate) struct References {
    /// Figures that come before those sections.
    before: usize,
    figures: Vec<(Kind, String)>,
}

impl References {
    pub(crate) fn to<'p>(sections: impl IntoIterator<Item = &'p Section>, before: usize) -> Self {
        let figures = items(sections).into_iter().filter_map(|item| match item {
            Item::Figure(figure) => Some((figure.kind, figure.data.name.clone())),
            Item::Table(_) | Item::List(_) => None,
        });
        References {
            before,
            figures: figures.collect(),
        }
    }

    /// A link to the first figure of a kind, or to a section where there is none.
    pub(crate) fn pointer(&self, kind: Kind, section: &str, words: &str) -> Markup {
        let found = self
            .figures
            .iter()
            .enumerate()
            .find(|(_, (k, _))| *k == kind);
        html! {
            @if let Some((index, (_, id))) = found {
                a href={ "#" (id) } { "Figure\u{a0}" (self.before + index + 1) }
            } @else {
                a href={ "#" (section) } { (words) }
            }
        }
    }
}
