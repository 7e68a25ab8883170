//! The sections of the page, in the order of the page; each file writes one.

pub(crate) mod changes;
pub(crate) mod claims;
pub(crate) mod controls;
pub(crate) mod curves;
pub(crate) mod heatmaps;
pub(crate) mod provenance;
pub(crate) mod runs;
pub(crate) mod scaling;
pub(crate) mod settings;
pub(crate) mod summary;
pub(crate) mod winners;

use maud::{Markup, html};

use crate::book::Book;
use crate::words;

/// A numbered table: caption above, column heads (name; numbers stand right),
/// rows. Wide tables scroll inside their own frame.
pub(crate) fn table(
    book: &Book<'_>,
    id: &str,
    class: &str,
    caption: &Markup,
    head: &[(&str, bool)],
    rows: &Markup,
) -> Markup {
    let number = book.table_number();
    let frame = if class.contains("sortable") {
        "scroll tall"
    } else {
        "scroll"
    };
    html! {
        figure.table id=(id) {
            figcaption id={ (id) "-caption" } {
                b { a.anchor href={ "#" (id) } { "Table\u{a0}" (number) "." } } " " (caption)
            }
            div class=(frame) tabindex="0" role="region" aria-labelledby={ (id) "-caption" } {
                table class=(class) aria-labelledby={ (id) "-caption" } {
                    thead { tr {
                        @for (name, number) in head { th scope="col" class=(cell(*number)) { (words::symbol(name)) } }
                    } }
                    tbody { (rows) }
                }
            }
        }
    }
}

/// The class of a cell.
pub(crate) fn cell(number: bool) -> &'static str {
    if number { "number" } else { "text" }
}
