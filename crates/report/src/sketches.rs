//! The runs' sketched losses for the script, which shows one beside a cell: a character for each end
//! of each bucket. Data in HTML that no browser runs.

use std::collections::BTreeMap;

use analysis::report::{Sketch, edge};
use maud::{Markup, PreEscaped, html};
use serde_json::json;

use crate::book::Book;

/// What stands for a level between the lowest and the highest loss of the page: printable ASCII without
/// what HTML and JSON must escape.
const LEVELS: &[u8] =
    b"#$%()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// Losses beyond so many times what training began with are drawn at the top: they tell only that a run
/// diverged.
const BEYOND: f32 = 10.0;

/// The block: the logarithms of the lowest and the highest loss, the buckets' edges, the alphabet, one
/// text a configuration (two characters a bucket, for the lowest and the highest loss of all its seeds; a
/// space: no finite loss), and by id of a heatmap's panel the configuration behind each of its cells, as the
/// distance from the cell before, which is short.
pub(crate) fn block(book: &Book<'_>) -> Markup {
    let sketches = merged(book);
    let ends = || sketches.iter().flat_map(|sketch| sketch.iter().flatten());
    let begun = sketches
        .iter()
        .filter_map(|sketch| Some((*sketch.first()?)?.1));
    let highest = BEYOND * begun.fold(0.0, f32::max);
    let (low, high) = ends().fold((f32::INFINITY, 0.0_f32), |(low, high), ends| {
        (low.min(ends.0), high.max(ends.1.min(highest)))
    });
    // A loss of 0 has no logarithm; single precision ends long before.
    let (low, high) = (low.max(1e-6).log10(), high.max(1e-6).log10());
    if low >= high {
        return html! {};
    }
    let level = |loss: f32| {
        let share = ((loss.max(1e-6).log10() - low) / (high - low)).clamp(0.0, 1.0);
        char::from(LEVELS[(share * (LEVELS.len() - 1) as f32).round() as usize])
    };
    let text = |sketch: &Sketch| -> String {
        let ends = |ends: &Option<(f32, f32)>| {
            ends.map_or([' ', ' '], |(low, high)| [level(low), level(high)])
        };
        sketch.iter().flat_map(ends).collect()
    };
    let buckets = sketches.iter().map(Vec::len).max().unwrap_or(0);
    let data = json!({
        "low": low,
        "high": high,
        "levels": std::str::from_utf8(LEVELS).unwrap_or_default(),
        "edges": (0..=buckets).map(edge).collect::<Vec<u64>>(),
        "sketches": sketches.iter().map(text).collect::<Vec<String>>(),
        "cells": book.cells().into_iter().map(|(id, cells)| (id, distances(&cells))).collect::<BTreeMap<_, _>>(),
    });
    html! { script #sketches type="application/json" { (PreEscaped(data.to_string())) } }
}

/// Of places in a list, each as its distance from the one before that there is; the first from 0.
fn distances(places: &[Option<usize>]) -> Vec<Option<isize>> {
    let distance = |before: &mut isize, place: &Option<usize>| {
        let distance = place.map(|place| {
            let place = place.cast_signed();
            let distance = place - *before;
            *before = place;
            distance
        });
        Some(distance)
    };
    places.iter().scan(0, distance).collect()
}

/// By configuration, in the order of the book, the buckets of all its seeds together.
fn merged(book: &Book<'_>) -> Vec<Sketch> {
    let mut sketches: Vec<Sketch> = Vec::new();
    for run in &book.table.runs {
        let place = book.configuration(&run.label).unwrap_or(0);
        if sketches.len() <= place {
            sketches.resize(place + 1, Sketch::new());
        }
        let sketch = &mut sketches[place];
        if sketch.len() < run.sketch.len() {
            sketch.resize(run.sketch.len(), None);
        }
        for (all, one) in sketch.iter_mut().zip(&run.sketch) {
            *all = match (*all, *one) {
                (Some(all), Some(one)) => Some((all.0.min(one.0), all.1.max(one.1))),
                (all, one) => all.or(one),
            };
        }
    }
    sketches
}

#[cfg(test)]
mod tests {
    use super::{LEVELS, distances};

    #[test]
    fn distances_skip_cells_without_a_configuration() {
        let places = [Some(20), Some(24), None, Some(21)];
        assert_eq!(distances(&places), [Some(20), Some(4), None, Some(-3)]);
        assert_eq!(distances(&[None, Some(0)]), [None, Some(0)]);
    }

    #[test]
    fn no_level_could_end_the_block_or_needs_an_escape() {
        assert!(LEVELS.is_sorted_by(|a, b| a < b));
        assert!(
            LEVELS
                .iter()
                .all(|c| c.is_ascii_graphic() && !b"<>&\"'\\!".contains(c))
        );
    }
}
