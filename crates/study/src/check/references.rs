//! Stages refer to stages that exist, are of the right kind, and not in a circle.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use runs::Spanned;

use super::Decoded;
use crate::diagnostic::{Draft, Mistake, Span, did_you_mean};
use crate::program;
use crate::schema::{Kind, Name, Stage};

/// A reference to a stage, and of which kinds it must be.
struct Link<'a> {
    to: &'a str,
    span: Span,
    /// References in one list have one number.
    list: usize,
    kinds: &'static [&'static str],
    /// Whether it names an input of a command, which may be a file.
    of_command: bool,
}

const RUNS: &[&str] = &["train", "command"];
const TABLES: &[&str] = &["select", "steps_to_target", "heatmap"];

fn links<'a>(stage: &'a Stage, kinds: &BTreeMap<String, Option<&'static str>>) -> Vec<Link<'a>> {
    let named = |list, names: &'a [Spanned<Name>], kinds| {
        names.iter().map(move |to| Link {
            to: to.as_str(),
            span: to.span,
            list,
            kinds,
            of_command: false,
        })
    };
    match &stage.kind {
        Kind::Dataset(_) => Vec::new(),
        Kind::Train(train) => {
            let dataset = train.dataset.as_slice();
            let configuration = train.configuration.as_slice();
            let links = named(0, dataset, &["dataset"] as &[_]);
            links.chain(named(1, configuration, &["select"])).collect()
        }
        Kind::Command(command) => {
            let inputs = command.inputs.values();
            let stages = inputs.enumerate().filter_map(|(list, text)| {
                let (to, _) = program::reference(text, |stage| kinds.contains_key(stage))?;
                Some(Link {
                    to,
                    span: text.span,
                    list,
                    kinds: &Kind::ALL,
                    of_command: true,
                })
            });
            stages.collect()
        }
        Kind::Select(select) => named(0, &select.runs, RUNS).collect(),
        Kind::StepsToTarget(targets) => named(0, &targets.runs, RUNS).collect(),
        Kind::Heatmap(heatmap) => named(0, &heatmap.runs, RUNS).collect(),
        Kind::Report(report) => {
            let included = named(0, &report.include, TABLES);
            included.chain(named(1, &report.runs, RUNS)).collect()
        }
    }
}

pub(super) fn check(
    stages: &BTreeMap<String, Decoded>,
    kinds: &BTreeMap<String, Option<&'static str>>,
    mistakes: &mut Vec<Draft>,
) {
    for (name, Decoded { stage, .. }) in stages {
        let links = links(stage, kinds);
        for (index, link) in links.iter().enumerate() {
            let span = link.span;
            if links[..index]
                .iter()
                .any(|other| other.to == link.to && other.list == link.list)
            {
                mistakes.push(
                    Draft::error(Mistake::NamedTwice, format!("`{}` is named twice", link.to))
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
                    Draft::error(Mistake::NoSuchStage, format!("no such stage `{}`", link.to))
                        .at(span, "not a stage of this study")
                        .help(unknown(link, fitting())),
                ),
                // Its own mistake has been reported.
                Some(None) => {}
                Some(Some("command")) if link.kinds == RUNS && !writes_curves(stages, link.to) => {
                    mistakes.push(
                        Draft::error(Mistake::NoCurves, format!("`{}` writes no curves", link.to))
                            .at(span, "training runs are wanted here")
                            .help(format!(
                                "name the file with its curves under `curves` in `{}`",
                                link.to
                            )),
                    );
                }
                Some(Some(kind)) if link.kinds.contains(kind) => {}
                Some(Some(kind)) => mistakes.push(
                    Draft::error(
                        Mistake::WrongKind,
                        format!("`{}` is a `{kind}` stage", link.to),
                    )
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
    if link.of_command {
        format!("{guess} (a file is written `./{}`)", link.to)
    } else {
        guess
    }
}

/// Whether a command writes curves, as far as it could be read.
fn writes_curves(stages: &BTreeMap<String, Decoded>, name: &str) -> bool {
    let stage = stages.get(name).map(|decoded| &decoded.stage);
    stage.is_none_or(
        |stage| matches!(&stage.kind, Kind::Command(command) if command.curves.is_some()),
    )
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
        .map_or(closing.written.key_span, |link| link.span);
    Draft::error(
        Mistake::StageCircle,
        format!(
            "stages refer to each other in a circle: {}",
            names.join(" -> ")
        ),
    )
    .at(span, "closes the circle")
    .help("a stage can read only what does not depend on it")
}
