//! The graph of stages, each stage of the study file one box, what is read
//! left of what reads it.

use maud::html;

use crate::draw::colour::{PANEL, QUIET, RULE};
use crate::draw::drawing::Drawing;
use crate::draw::number::{count, grouped};
use crate::draw::style::Style;
use crate::draw::svg::{px, shortened};
use crate::provenance::StageGraph;

/// Height of a box, pixels.
const HIGH: f64 = 40.0;
/// Its width, as its longest name wants it, pixels: at least, at most, and a letter of the widest font.
const WIDE: (f64, f64, f64) = (112.0, 184.0, 7.4);
const GAP: (f64, f64) = (40.0, 16.0);

/// The graph of a study's stages as an SVG file of its own.
pub fn stage_graph_svg(graph: &StageGraph) -> String {
    let drawing = drawing(graph);
    let (width, height) = (px(drawing.width), px(drawing.height));
    let file = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) { (drawing.svg()) }
    };
    file.into_string()
}

/// The drawing; edges that point outside of the nodes are left out.
pub(crate) fn drawing(graph: &StageGraph) -> Drawing {
    let longest = graph.nodes.iter().map(|node| node.name.chars().count());
    let (narrow, wide, letter) = WIDE;
    let across = (letter * longest.max().unwrap_or(0) as f64 + 14.0)
        .clamp(narrow, wide)
        .ceil();
    let letters = ((across - 10.0) / letter) as usize;
    let layers = layers(graph);
    let mut in_layer = vec![0_usize; layers.iter().max().map_or(0, |last| last + 1)];
    let places: Vec<(f64, f64)> = layers
        .iter()
        .map(|&layer| {
            let row = in_layer[layer];
            in_layer[layer] += 1;
            (
                4.0 + layer as f64 * (across + GAP.0),
                4.0 + row as f64 * (HIGH + GAP.1),
            )
        })
        .collect();
    let rows = in_layer.iter().max().copied().unwrap_or(0);
    let width = 8.0 + in_layer.len() as f64 * (across + GAP.0) - GAP.0;
    let height = 8.0 + rows as f64 * (HIGH + GAP.1) - GAP.1;
    // A short layer stands in the middle of the tallest.
    let place = |index: usize| {
        let (x, y) = places[index];
        let free = (rows - in_layer[layers[index]]) as f64 * (HIGH + GAP.1) / 2.0;
        (x, y + free)
    };
    let marks = html! {
            @for &(from, to) in edges(graph) {
                @let ((x0, y0), (x1, y1)) = (place(from), place(to));
                @let (start, end) = (x0 + across, x1);
                @let bend = (end - start).abs() / 2.0;
                @let (y0, y1) = (px(y0 + HIGH / 2.0), px(y1 + HIGH / 2.0));
                (Style::Edge.plain(&format!(
                    "M{} {y0}C{} {y0} {} {y1} {} {y1}",
                    px(start),
                    px(start + bend),
                    px(end - bend),
                    px(end)
                )))
            }
            @for (index, node) in graph.nodes.iter().enumerate() {
                @let (x, y) = place(index);
                g {
                    title { (node.name) " (" (node.kind) "), " (count(node.count, "point")) }
                    rect.node fill=(PANEL) stroke=(RULE) x=(px(x)) y=(px(y)) width=(px(across)) height=(px(HIGH)) rx="3" {}
                    text text-anchor="middle" x=(px(x + across / 2.0)) y=(px(y + 17.0)) { (shortened(&node.name, letters)) }
                    text text-anchor="middle" font-size="10.5" fill=(QUIET) x=(px(x + across / 2.0)) y=(px(y + 32.0)) {
                        (shortened(&node.kind, 15)) @if node.count != 1 { " × " (grouped(node.count as u64)) }
                    }
                }
            }
    };
    Drawing {
        id: "stage-graph".to_owned(),
        class: Some("natural"),
        title: "Graph of the study's stages".to_owned(),
        description: Some(spoken(graph)),
        width,
        height,
        grid: None,
        marks,
    }
}

fn edges(graph: &StageGraph) -> impl Iterator<Item = &(usize, usize)> {
    let known = graph.nodes.len();
    graph
        .edges
        .iter()
        .filter(move |(from, to)| *from < known && *to < known && from != to)
}

/// The layer of each node: one right of the rightmost that it reads.
fn layers(graph: &StageGraph) -> Vec<usize> {
    let mut layers = vec![0; graph.nodes.len()];
    // In a graph without circles the longest path has fewer edges than nodes.
    for _ in 0..graph.nodes.len() {
        let mut changed = false;
        for &(from, to) in edges(graph) {
            if layers[to] < layers[from] + 1 && layers[from] + 1 < layers.len() {
                layers[to] = layers[from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    layers
}

fn spoken(graph: &StageGraph) -> String {
    let lines: Vec<String> = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(index, node)| {
            let reads: Vec<String> = edges(graph)
                .filter(|(_, to)| *to == index)
                .map(|(from, _)| graph.nodes[*from].name.clone())
                .collect();
            if reads.is_empty() {
                format!("{} reads no stage.", node.name)
            } else {
                format!("{} reads {}.", node.name, crate::words::list(&reads))
            }
        })
        .collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::StageNode;

    fn graph(edges: &[(usize, usize)], nodes: usize) -> StageGraph {
        let node = |i| StageNode {
            name: format!("s{i}"),
            kind: "train".into(),
            count: 2,
        };
        StageGraph {
            nodes: (0..nodes).map(node).collect(),
            edges: edges.to_vec(),
        }
    }

    #[test]
    fn a_stage_stands_right_of_all_that_it_reads() {
        let edges = [(0, 1), (1, 3), (0, 3), (2, 3), (3, 4)];
        let graph = graph(&edges, 5);
        let layers = layers(&graph);
        assert!(edges.iter().all(|&(from, to)| layers[from] < layers[to]));
        assert_eq!(layers, [0, 1, 0, 2, 3]);
    }

    #[test]
    fn edges_out_of_bounds_and_circles_do_no_harm() {
        let graph = graph(&[(0, 1), (1, 0), (7, 1), (1, 1)], 2);
        assert!(stage_graph_svg(&graph).contains("s1"));
        assert!(stage_graph_svg(&StageGraph::default()).contains("svg"));
    }
}
