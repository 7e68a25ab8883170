//! Stages refer to stages that exist, are of the right kind, and not in a circle.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::Decoded;
use super::KINDS;
use crate::diagnostic::{Draft, did_you_mean};
use crate::program;
use crate::schema::Stage;

/// A reference: where in the stage it is written, to which stage, of which kinds.
struct Link<'a> {
    path: Vec<String>,
    to: &'a str,
    kinds: &'static [&'static str],
    /// Whether curves are read.
    runs: bool,
}

fn links<'a>(stage: &'a Stage, kinds: &BTreeMap<String, Option<&'static str>>) -> Vec<Link<'a>> {
    const TRAIN: &[&str] = &["train", "command"];
    const TABLES: &[&str] = &["select", "steps_to_target", "heatmap"];
    let mut links = Vec::new();
    if let Some(train) = &stage.train {
        let single = [
            ("dataset", &train.dataset, &["dataset"]),
            ("configuration", &train.configuration, &["select"]),
        ];
        for (key, to, kinds) in single {
            links.extend(to.iter().map(|to| Link {
                path: vec!["train".to_owned(), key.to_owned()],
                to: to.as_str(),
                kinds,
                runs: false,
            }));
        }
    }
    for (name, text) in stage.command.iter().flat_map(|command| &command.inputs) {
        let of_stage = program::reference(text, |stage| kinds.contains_key(stage));
        links.extend(of_stage.map(|(to, _)| Link {
            path: ["command", "inputs", name].map(str::to_owned).to_vec(),
            to,
            kinds: &KINDS,
            runs: false,
        }));
    }
    let lists = [
        stage
            .select
            .as_ref()
            .map(|select| ("select", "runs", &*select.runs, TRAIN)),
        stage
            .steps_to_target
            .as_ref()
            .map(|targets| ("steps_to_target", "runs", &*targets.runs, TRAIN)),
        stage
            .heatmap
            .as_ref()
            .map(|heatmap| ("heatmap", "runs", &*heatmap.runs, TRAIN)),
        stage
            .report
            .as_ref()
            .map(|report| ("report", "include", &*report.include, TABLES)),
        stage
            .report
            .as_ref()
            .map(|report| ("report", "runs", &*report.runs, TRAIN)),
    ];
    for (kind, key, names, kinds) in lists.into_iter().flatten() {
        links.extend(names.iter().enumerate().map(|(index, to)| Link {
            path: vec![kind.to_owned(), key.to_owned(), index.to_string()],
            to: to.as_str(),
            kinds,
            runs: kinds == TRAIN,
        }));
    }
    links
}

pub(super) fn check(
    stages: &BTreeMap<String, Decoded>,
    kinds: &BTreeMap<String, Option<&'static str>>,
    mistakes: &mut Vec<Draft>,
) {
    for (name, Decoded { written, stage }) in stages {
        let links = links(stage, kinds);
        for (index, link) in links.iter().enumerate() {
            let path: Vec<&str> = link.path.iter().map(String::as_str).collect();
            let span = written.node.span_at(&path);
            // In one list: the same path but for the index.
            let list = |link: &Link<'_>| link.path[..2].to_vec();
            if link.path[0] != "command"
                && links[..index]
                    .iter()
                    .any(|other| other.to == link.to && list(other) == list(link))
            {
                mistakes.push(
                    Draft::error(format!("`{}` is named twice", link.to))
                        .at(span, "again here")
                        .help("name it once"),
                );
            }
            let fitting = || {
                kinds
                    .iter()
                    .filter(|(_, kind)| kind.is_some_and(|kind| link.kinds.contains(&kind)))
                    .map(|(name, _)| name.as_str())
                    .filter(|other| other != name)
            };
            match kinds.get(link.to) {
                None => mistakes.push(
                    Draft::error(format!("no such stage `{}`", link.to))
                        .at(span, "not a stage of this study")
                        .help(unknown(link, fitting())),
                ),
                // Its own mistake has been reported.
                Some(None) => {}
                Some(Some("command")) if link.runs && !writes_curves(stages, link.to) => {
                    mistakes.push(
                        Draft::error(format!("`{}` writes no curves", link.to))
                            .at(span, "training runs are wanted here")
                            .help(format!(
                                "name the file with its curves under `curves` in `{}`",
                                link.to
                            )),
                    );
                }
                Some(Some(kind)) if link.kinds.contains(kind) => {}
                Some(Some(kind)) => mistakes.push(
                    Draft::error(format!("`{}` is a `{kind}` stage", link.to))
                        .at(
                            span,
                            format!("a {} stage is wanted here", wanted(link.kinds)),
                        )
                        .help(did_you_mean(link.to, fitting())),
                ),
            }
        }
    }
}

fn unknown<'a>(link: &Link<'_>, known: impl IntoIterator<Item = &'a str>) -> String {
    let guess = did_you_mean(link.to, known);
    if link.path[0] == "command" {
        format!("{guess} (a file is written `./{}`)", link.to)
    } else {
        guess
    }
}

/// Whether a command writes curves, as far as it could be read.
fn writes_curves(stages: &BTreeMap<String, Decoded>, name: &str) -> bool {
    let stage = stages.get(name).map(|decoded| &decoded.stage);
    stage.is_none_or(|stage| {
        stage
            .command
            .as_ref()
            .is_some_and(|command| command.curves.is_some())
    })
}

fn wanted(kinds: &[&str]) -> String {
    kinds
        .iter()
        .map(|kind| format!("`{kind}`"))
        .collect::<Vec<_>>()
        .join(" or ")
}

/// The names of the stages, each after those it refers to; stages in a circle are reported and left out.
pub(super) fn order(
    stages: &BTreeMap<String, Decoded>,
    kinds: &BTreeMap<String, Option<&'static str>>,
    mistakes: &mut Vec<Draft>,
) -> Vec<String> {
    let mut graph: DiGraph<&str, ()> = DiGraph::new();
    let nodes: BTreeMap<&str, NodeIndex> = stages
        .keys()
        .map(|name| (name.as_str(), graph.add_node(name)))
        .collect();
    for (name, decoded) in stages {
        for link in links(&decoded.stage, kinds) {
            let fits = kinds
                .get(link.to)
                .is_some_and(|kind| kind.is_some_and(|kind| link.kinds.contains(&kind)));
            if let Some(&to) = nodes.get(link.to)
                && fits
            {
                graph.update_edge(nodes[name.as_str()], to, ());
            }
        }
    }
    // Components come each after those it refers to.
    let mut order = Vec::new();
    for component in tarjan_scc(&graph) {
        let first = component[0];
        if component.len() == 1 && !graph.contains_edge(first, first) {
            order.push(graph[first].to_owned());
        } else {
            mistakes.push(circle(&graph, &component, stages, kinds));
        }
    }
    order
}

fn circle(
    graph: &DiGraph<&str, ()>,
    component: &[NodeIndex],
    stages: &BTreeMap<String, Decoded>,
    kinds: &BTreeMap<String, Option<&'static str>>,
) -> Draft {
    // From the first by name along references inside the component, until one comes again.
    let start = component
        .iter()
        .copied()
        .min_by_key(|&node| graph[node])
        .expect("a component is not empty");
    let mut walk = vec![start];
    let around = loop {
        let last = walk[walk.len() - 1];
        let next = graph
            .neighbors(last)
            .filter(|node| component.contains(node))
            .min_by_key(|&node| (node != start, graph[node]))
            .expect("in a circle, every stage refers to one of the circle");
        if let Some(at) = walk.iter().position(|&node| node == next) {
            walk.drain(..at);
            break next;
        }
        walk.push(next);
    };
    let names: Vec<&str> = walk
        .iter()
        .chain([&around])
        .map(|&node| graph[node])
        .collect();
    let closing = &stages[names[names.len() - 2]];
    let span = links(&closing.stage, kinds)
        .iter()
        .find(|link| link.to == names[names.len() - 1])
        .map_or(closing.written.key_span, |link| {
            closing
                .written
                .node
                .span_at(&link.path.iter().map(String::as_str).collect::<Vec<_>>())
        });
    Draft::error(format!(
        "stages refer to each other in a circle: {}",
        names.join(" -> ")
    ))
    .at(span, "closes the circle")
    .help("a stage can read only what does not depend on it")
}
