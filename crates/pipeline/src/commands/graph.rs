//! `pipeline graph`: the stages of a study and what reads what, each stage with its runs as one.

use std::fmt::Write as _;

use report::{StageGraph, StageNode};

use super::load;
use crate::cli::{self, GraphFormat};
use crate::output::out;
use crate::provenance::stage_graph;
use crate::{DONE, Failure};

pub(crate) fn graph(arguments: &cli::Graph) -> Result<u8, Failure> {
    let graph = stage_graph(&load(&arguments.file)?.expand());
    match arguments.format {
        GraphFormat::Dot => out(dot(&graph)),
        GraphFormat::Mermaid => out(mermaid(&graph)),
        GraphFormat::Svg => outln!("{}", report::stage_graph_svg(&graph)),
    }
    Ok(DONE)
}

/// `train x 400`.
fn what(node: &StageNode) -> String {
    match node.count {
        1 => node.kind.clone(),
        count => format!("{} x {count}", node.kind),
    }
}

/// Names are letters, digits, `-` and `_`: nothing needs to be escaped.
fn dot(graph: &StageGraph) -> String {
    let mut text = "digraph study {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for node in &graph.nodes {
        let (name, what) = (&node.name, what(node));
        let _ = writeln!(text, "  \"{name}\" [label=\"{name}\\n{what}\"];");
    }
    for &(from, to) in &graph.edges {
        let (from, to) = (&graph.nodes[from].name, &graph.nodes[to].name);
        let _ = writeln!(text, "  \"{from}\" -> \"{to}\";");
    }
    text + "}\n"
}

/// Nodes are numbered: `end` and other words of Mermaid may be names of stages.
fn mermaid(graph: &StageGraph) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (index, node) in graph.nodes.iter().enumerate() {
        let _ = writeln!(text, "  s{index}[\"{}<br>{}\"]", node.name, what(node));
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(text, "  s{from} --> s{to}");
    }
    text
}
