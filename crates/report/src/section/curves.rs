//! Training curves.

use maud::{Markup, html};

use crate::book::Book;
use crate::figure::learning;

/// The section.
pub(crate) fn section(book: &Book<'_>) -> Markup {
    html! {
        section #curves aria-labelledby="curves-heading" {
            h2 #curves-heading { "Progress per iteration" }
            (learning::figures(book))
        }
    }
}
