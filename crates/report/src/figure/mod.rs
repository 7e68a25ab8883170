//! The figures: from tables to drawings with captions. Each file draws one.

pub(crate) mod by_batch;
pub(crate) mod course;
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

use maud::{Markup, html};

use crate::book::{Book, Kind};
use crate::draw::chart::Look;
use crate::draw::svg::Shape;

/// Width, height and CSS class of the panels of a figure that has so many.
pub(crate) fn panel_size(panels: usize) -> (f64, f64, &'static str) {
    match panels {
        0 | 1 => (600.0, 400.0, "panels one"),
        2 | 4 => (500.0, 360.0, "panels two"),
        _ => (360.0, 300.0, "panels"),
    }
}

/// A numbered figure: drawing, caption, and its [`data`].
pub(crate) fn figure(
    book: &Book<'_>,
    kind: Kind,
    id: &str,
    body: &Markup,
    caption: &Markup,
    data: &Markup,
) -> Markup {
    let number = book.figure(kind, id);
    html! {
        figure id=(id) {
            (body)
            figcaption {
                b { a.anchor href={ "#" (id) } { "Figure\u{a0}" (number) "." } } " " (caption)
            }
            (data)
        }
    }
}

/// The numbers behind a figure, closed; also what the script reads them from.
pub(crate) fn data(csv: &str) -> Markup {
    html! { details.data { (content(csv, "A blank field is as above, a hyphen is nothing.")) } }
}

/// The same with a row for what several seeds share: from the column `seed` on, fields hold a value for
/// each of them, parted by spaces and a dash for none, or one for all. The script and the files beside the
/// page make rows of single seeds of it.
pub(crate) fn data_of_seeds(csv: &str) -> Markup {
    let reading = "A blank field is as above, a hyphen is nothing; what seeds differ in stands side by side, in their order.";
    html! { details.data data-seeds { (content(csv, reading)) } }
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

/// `reading`: how to read it, which a script makes needless.
fn content(csv: &str, reading: &str) -> Markup {
    html! {
        summary { "Data (CSV)" }
        p { (reading) }
        pre tabindex="0" { (csv) }
    }
}

/// One entry of a legend: a piece of line with a marker, and what it stands for.
pub(crate) fn legend_entry(class: &str, dash: &str, shape: Shape, label: &Markup) -> Markup {
    html! {
        li {
            svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true" {
                g class=(class) {
                    path.line d="M1 7H33" stroke-dasharray=(dash) {}
                    path.mark d=(shape.path(17.0, 7.0, 4.0)) {}
                }
            }
            span { (label) }
        }
    }
}

/// One entry of a legend with a drawing of its own in `0 0 34 14`.
pub(crate) fn legend_drawing(drawing: &Markup, label: &str) -> Markup {
    html! {
        li {
            svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true" { (drawing) }
            span { (label) }
        }
    }
}

/// The legend of the batch sizes that occur.
pub(crate) fn batch_legend(book: &Book<'_>, batches: &[u64]) -> Markup {
    html! {
        ul.legend {
            @for &batch in batches {
                @let look = book.batch_look(batch);
                (legend_entry(
                    &book.batch_class(batch),
                    "none",
                    look.shape(),
                    &html! { "batch " (batch) },
                ))
            }
        }
    }
}

/// A method's look as class and dash, for `legend_entry`.
pub(crate) fn method_entry(look: Look, label: &Markup) -> Markup {
    legend_entry(&look.class(), look.dash(), look.shape(), label)
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
