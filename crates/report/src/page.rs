//! The page as a whole: head, sections in order, style and script.

use analysis::report::ReportTable;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::book::Book;
use crate::draw::colour::METHODS;
use crate::provenance::Provenance;
use crate::section::changes::{self, Earlier};
use crate::section::{
    claims, curves, heatmaps, provenance as provenance_section, runs, scaling, settings, summary,
    winners,
};
use crate::words;

const STYLE: &str = include_str!("style.css");
pub(crate) const FIGURE_STYLE: &str = include_str!("figure.css");
/// One scope of its own, in strict mode, from the files of `script/` in the order in which they build on
/// each other.
const SCRIPT: &str = concat!(
    "'use strict';{\n",
    include_str!("script/base.js"),
    include_str!("script/tip.js"),
    include_str!("script/download.js"),
    include_str!("script/frames.js"),
    include_str!("script/sketch.js"),
    include_str!("script/heatmap.js"),
    include_str!("script/targets.js"),
    include_str!("script/list.js"),
    "follow();addEventListener('hashchange',follow);hints();\n}",
);

/// The sections in the order of the page: id and name in the navigation.
const SECTIONS: [(&str, &str); 8] = [
    ("claims", "Findings"),
    ("scaling", "Scaling"),
    ("curves", "Curves"),
    ("heatmaps", "Sensitivity"),
    ("winners", "Winners"),
    ("runs", "Runs"),
    ("settings", "Settings"),
    ("provenance", "Provenance"),
];

/// The whole page as HTML. Equal arguments give equal bytes.
///
/// # Panics
/// When a value of the table is where a drawing needs a finite number and is
/// not finite; tables read back from JSON have none.
pub fn page(table: &ReportTable, provenance: &Provenance) -> String {
    drawn(table, provenance, None)
}

/// The same with what changed since an earlier report.
///
/// # Panics
/// As [`page`].
pub fn page_against(table: &ReportTable, provenance: &Provenance, earlier: &Earlier) -> String {
    drawn(table, provenance, Some(earlier))
}

fn drawn(table: &ReportTable, provenance: &Provenance, earlier: Option<&Earlier>) -> String {
    let book = Book::new(table);
    let choices = claims::choices(&book);
    let changes = earlier.map(|earlier| changes::section(&book, earlier, &provenance.devices));
    let figures = html! {
        (scaling::section(&book))
        (curves::section(&book))
        (heatmaps::section(&book))
        (winners::section(&book))
        (runs::section(&book))
        (settings::section(&book))
    };
    // Last, when the numbers of the figures are known.
    let findings = claims::section(&book, &choices);
    let title = if table.title.trim().is_empty() {
        "Training study"
    } else {
        &table.title
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&book, title))
            body {
                a.skip href="#main" { "Skip to the findings" }
                header {
                    h1 { (words::name(title)) }
                    (summary::paragraph(&book))
                    nav aria-label="Sections" {
                        ul {
                            @for (id, name) in SECTIONS {
                                li { a href={ "#" (id) } { (name) } }
                                @if id == "claims" && changes.is_some() { li { a href="#changes" { "Changes" } } }
                            }
                        }
                    }
                }
                main #main {
                    (findings)
                    @if let Some(changes) = changes { (changes) }
                    (figures)
                    (provenance_section::section(&book, provenance))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string();
    // An empty path may close itself. After a quote and a bracket there is nothing else: in texts both are
    // escaped.
    page.replace("\"></path>", "\"/>")
}

fn head(book: &Book<'_>, title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            // Whatever a name on the page may contain, nothing is loaded.
            meta http-equiv="Content-Security-Policy"
                content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
            title { (title) }
            style { (PreEscaped(STYLE)) }
            style #figure-style {
                (PreEscaped(FIGURE_STYLE)) (PreEscaped(method_colours(false))) (PreEscaped(book.batch_colours(false)))
            }
            style {
                "@media screen and (prefers-color-scheme:dark){"
                (PreEscaped(method_colours(true))) (PreEscaped(book.batch_colours(true))) "}"
            }
        }
    }
}

fn method_colours(dark: bool) -> String {
    let rules: Vec<String> = METHODS
        .iter()
        .enumerate()
        .map(|(index, (light, in_the_dark))| {
            format!(
                ".m{index}{{--c:{}}}",
                if dark { in_the_dark } else { light }
            )
        })
        .collect();
    rules.concat()
}
