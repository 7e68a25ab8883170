//! The runs' sketched losses for the script, which shows one beside a cell: a character for each end
//! of each bucket. Data in HTML that no browser runs.

use analysis::report::{Sketch, edge};
use maud::{Markup, html};
use serde_json::json;

use crate::embedded::compressed;
use crate::study::Study;

/// What stands for a level between the lowest and the highest loss of the page: printable ASCII without
/// what HTML and JSON must escape.
const LEVELS: &[u8] =
    b"#$%()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// Losses beyond so many times what training began with are drawn at the top: they tell only that a run
/// diverged.
const BEYOND: f32 = 10.0;

/// The block: the logarithms of the lowest and the highest loss, the buckets' edges, the alphabet, one
/// text a configuration (two characters a bucket, for the lowest and the highest loss of all its seeds; a
/// space: no finite loss).
pub(crate) fn block(study: &Study<'_>) -> Markup {
    let sketches = merged(study);
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
    });
    compressed(Some("sketches"), &data)
}

/// By configuration, in the order of the study, the buckets of all its seeds together.
fn merged(study: &Study<'_>) -> Vec<Sketch> {
    let mut sketches: Vec<Sketch> = Vec::new();
    for run in &study.table.runs {
        let place = study.configuration(&run.label).unwrap_or(0);
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
    use super::LEVELS;

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
