//! The settings of every stage that trains: what all its runs share, and what
//! was swept.

use analysis::report::StageSettings;
use maud::{Markup, html};
use serde_json::Value;

use crate::book::Book;
use crate::draw::number::{count, grouped};
use crate::words;

/// The section.
pub(crate) fn section(book: &Book<'_>) -> Markup {
    html! {
        section #settings aria-labelledby="settings-heading" {
            h2 #settings-heading { "Settings" }
            @if book.table.stages.is_empty() { p.empty { "No stage trains." } }
            @for stage in &book.table.stages {
                @let several = book.table.stages.iter().filter(|other| other.stage == stage.stage).count() > 1;
                (one(stage, several))
            }
        }
    }
}

/// `several`: the stage has another method, too.
fn one(stage: &StageSettings, several: bool) -> Markup {
    html! {
        h3 {
            (words::name(&stage.stage))
            @if several { ", " (words::name(&words::method(&stage.method))) }
        }
        p.note {
            (count(stage.runs, "run")) ", " (stage.diverged) " diverged, " (stage.stopped)
            " stopped early; " (numbers(&stage.train_examples)) " training examples, "
            (numbers(&stage.parameters)) " parameters."
        }
        dl.facts.columns {
            @for (path, values) in &stage.swept {
                div {
                    dt { code { (words::name(path)) } }
                    dd { (words::name(&swept(values))) span.quiet { " (swept)" } }
                }
            }
            @for (path, value) in &stage.common {
                div {
                    dt { code { (words::name(path)) } }
                    dd { (words::name(&words::value(value))) }
                }
            }
        }
    }
}

fn swept(values: &[Value]) -> String {
    let parts: Vec<String> = values.iter().map(words::value).collect();
    parts.join(", ")
}

fn numbers(values: &[u64]) -> String {
    let parts: Vec<String> = values.iter().map(|v| grouped(*v)).collect();
    words::list(&parts)
}
