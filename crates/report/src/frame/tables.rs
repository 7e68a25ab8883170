//! Frames of the tables of `steps_to_target`, `select` and `heatmap`, one file a kind of stage. `table` is the stage that
//! made one.

mod heatmaps;
mod targets;
mod winners;

use analysis::configuration::flatten;
use analysis::targets::Bounded;
use analysis::{Estimate, Named};
use serde::Serialize;
use serde_json::Value as Json;

use super::runs::fields_in_a_row;
pub use heatmaps::heatmap_frames;
pub(crate) use heatmaps::{cells, regions};
pub use targets::targets_frames;
pub(crate) use targets::{crossings, fits, steps};
pub use winners::winners_frames;
pub(crate) use winners::{trials, winners};

/// An estimate's value and the ends of its interval.
pub(crate) fn estimate(estimate: Option<&Estimate>) -> [Option<f64>; 3] {
    let interval = estimate.and_then(|estimate| estimate.interval);
    [
        estimate.map(|estimate| estimate.value),
        interval.and_then(|interval| interval.low),
        interval.and_then(|interval| interval.high),
    ]
}

/// What a fit holds of a parameter: estimate (none for a bound) and ends.
pub(crate) fn bounded(bounded: Option<Bounded>) -> [Option<f64>; 3] {
    match bounded {
        Some(Bounded::Estimate(held)) => estimate(Some(&held)),
        Some(Bounded::AtLeast { low }) => [None, Some(low), None],
        Some(Bounded::AtMost { high }) => [None, None, Some(high)],
        Some(Bounded::Undetermined) | None => [None; 3],
    }
}

/// A typed value as its name and its fields: `steps_ratio` and `target.train_loss=0.01`.
pub(super) fn told(value: &impl Serialize) -> [Option<String>; 2] {
    let json = serde_json::to_value(value)
        .unwrap_or_else(|error| unreachable!("typed values are plain data: {error}"));
    let (name, fields) = match json {
        Json::Object(map) => match map.into_iter().next() {
            Some((name, fields)) => (Json::String(name), fields),
            None => (Json::Null, Json::Null),
        },
        name => (name, Json::Null),
    };
    let fields = match fields {
        Json::Null => None,
        Json::String(text) => Some(text),
        fields => {
            let mut fields = flatten(&fields);
            fields.retain(|_, value| !value.is_null());
            Some(fields_in_a_row(&fields)).filter(|text| !text.is_empty())
        }
    };
    [name.as_str().map(str::to_owned), fields]
}

/// Every row of some tables, each with the stage that made its table, the table, and itself.
fn rows<'t, T, R: 't>(
    tables: &'t [Named<T>],
    of: impl Fn(&'t T) -> &'t [R],
) -> impl Iterator<Item = (&'t str, &'t T, &'t R)> {
    tables.iter().flat_map(move |Named { stage, table }| {
        let rows = of(table).iter();
        rows.map(move |row| (stage.as_str(), table, row))
    })
}

/// Names in one text; none of nothing.
fn in_a_row<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| names.join(","))
}
