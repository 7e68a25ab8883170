//! The figures: from tables to drawings with captions. Each file draws one.

pub(crate) mod by_batch;
pub(crate) mod course;
pub(crate) mod forest;
pub(crate) mod forgiving;
pub(crate) mod heatmap;
pub(crate) mod learning;
pub(crate) mod noise;
pub(crate) mod outline;
pub(crate) mod performance;
pub(crate) mod share;
pub(crate) mod stage_graph;
pub(crate) mod steps;
pub(crate) mod time;
pub(crate) mod traces;

use maud::Markup;

use crate::document::{Entry, Part};
use crate::draw::chart::Look;
use crate::draw::style::Style;
use crate::draw::svg::Shape;
use crate::study::Study;
use crate::words;

/// Width and height of the panels of a figure that has so many.
pub(crate) fn panel_size(panels: usize) -> (f64, f64) {
    match panels {
        0 | 1 => (600.0, 400.0),
        2 | 4 => (500.0, 360.0),
        _ => (360.0, 300.0),
    }
}

/// Parts with their names, those that are alike as one under all of theirs: they have one figure.
fn drawn_once<T>(
    parts: impl IntoIterator<Item = (String, T)>,
    alike: impl Fn(&T, &T) -> bool,
) -> Vec<(Vec<String>, T)> {
    let mut drawn: Vec<(Vec<String>, T)> = Vec::new();
    for (name, part) in parts {
        match drawn.iter_mut().find(|(_, other)| alike(other, &part)) {
            Some((names, _)) => names.push(name),
            None => drawn.push((vec![name], part)),
        }
    }
    drawn
}

/// An entry of a legend: a piece of line with a marker.
fn line_entry(colour: &str, dash: &str, shape: Shape, label: String) -> Entry {
    let line = Style::Line.dashed(colour, dash, "M1 7H33");
    let mark = Style::Mark.path(colour, &shape.path(17.0, 7.0, 4.0));
    Entry {
        drawing: maud::PreEscaped(line.0 + &mark.0),
        label,
    }
}

/// An entry with a drawing of its own.
pub(crate) fn entry(drawing: Markup, label: &str) -> Entry {
    Entry {
        drawing,
        label: label.to_owned(),
    }
}

/// The entry of a method.
pub(crate) fn method_entry(look: Look, label: String) -> Entry {
    line_entry(look.colour(), look.dash(), look.shape(), label)
}

/// The legend of the methods of the page of which `shown`.
pub(crate) fn method_legend(study: &Study<'_>, shown: impl Fn(&str) -> bool) -> Vec<Entry> {
    let methods = study.methods().iter().filter(|method| shown(method));
    methods
        .map(|method| method_entry(study.look(method), words::method(method)))
        .collect()
}

/// The legend of the batch sizes that occur.
pub(crate) fn batch_legend(study: &Study<'_>, batches: &[u64]) -> Part {
    let entries = batches.iter().map(|&batch| {
        let shape = study.batch_look(batch).shape();
        line_entry(
            &study.batch_colour(batch).0,
            "none",
            shape,
            format!("batch {batch}"),
        )
    });
    Part::Legend(entries.collect())
}

/// A circle that stands for no method.
pub(crate) fn ring() -> Markup {
    Style::Open.plain(&Shape::Circle.path(17.0, 7.0, 4.0))
}

/// Labels at the ends of lines, moved apart so that none covers another:
/// given heights in, heights to draw at out, in the same order.
pub(crate) fn apart(heights: &[f64], distance: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]));
    let mut out = heights.to_vec();
    for pair in order.windows(2) {
        out[pair[1]] = out[pair[1]].max(out[pair[0]] + distance);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_distance_and_order() {
        assert_eq!(apart(&[50.0, 20.0, 22.0], 12.0), [50.0, 20.0, 32.0]);
        assert_eq!(apart(&[], 12.0), Vec::<f64>::new());
    }
}
