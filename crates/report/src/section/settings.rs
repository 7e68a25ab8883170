//! The settings of every stage that trains: what all runs of the page share, what all of the stage share, and
//! what was swept.

use std::collections::BTreeMap;

use analysis::report::StageSettings;
use maud::{Markup, html};
use serde_json::Value;

use crate::document::Section;
use crate::draw::number::{count, grouped};
use crate::study::Study;
use crate::words;

/// The section.
pub(crate) fn section(study: &Study<'_>) -> Section {
    let stages = &study.table.stages;
    let shared = shared(stages);
    let text = html! {
        @if stages.is_empty() { p.empty { "No stage trains." } }
        @if !shared.is_empty() {
            h3 { "All stages" }
            dl.facts.columns { @for (path, value) in &shared { (fact(path, value)) } }
        }
        @for stage in stages {
            @let several = stages.iter().filter(|other| other.stage == stage.stage).count() > 1;
            (one(stage, several, &shared))
        }
    };
    Section {
        id: "settings",
        name: "Settings",
        heading: "Settings",
        blocks: vec![text.into()],
    }
}

/// Settings that are alike in all runs of several stages.
fn shared(stages: &[StageSettings]) -> BTreeMap<&String, &Value> {
    let [first, others @ ..] = stages else {
        return BTreeMap::new();
    };
    let alike = |(path, value): &(&String, &Value)| {
        !others.is_empty()
            && others
                .iter()
                .all(|stage| stage.common.get(*path) == Some(*value))
    };
    first.common.iter().filter(alike).collect()
}

fn fact(path: &str, value: &Value) -> Markup {
    html! {
        div {
            dt { code { (words::name(path)) } }
            dd { (words::name(&words::value(value))) }
        }
    }
}

/// `several`: the stage has another method, too; `shared`: what has been said of all stages.
fn one(stage: &StageSettings, several: bool, shared: &BTreeMap<&String, &Value>) -> Markup {
    html! {
        h3 {
            (words::name(&stage.stage))
            @if several { ", " (words::name(&words::method(&stage.method))) }
        }
        p.note {
            (count(stage.runs, "run")) ", " (stage.diverged) " diverged, " (stage.stopped)
            " stopped early; " (numbers(&stage.train_examples)) " training examples"
            // 0 of a program that did not say.
            @if stage.parameters.iter().any(|parameters| *parameters > 0) {
                ", " (numbers(&stage.parameters)) " parameters"
            }
            "."
        }
        dl.facts.columns {
            @for (path, values) in &stage.swept {
                div {
                    dt { code { (words::name(path)) } }
                    dd { (words::name(&swept(values))) span.quiet { " (swept)" } }
                }
            }
            @for (path, value) in stage.common.iter().filter(|(path, _)| !shared.contains_key(path)) {
                (fact(path, value))
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
