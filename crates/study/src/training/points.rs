//! What the values of a sweep make of `train`: each is put into the tree and decoded as if it had been written there.

use runs::Spanned;
use serde_json::{Map, Value};

use super::{Axis, Point, settings_of_own};
use crate::decode::decode;
use crate::diagnostic::{Draft, Span};
use crate::grid::Grid;
use crate::like::Written;
use crate::schema::{Scalar, Stage, Sweep, Train};
use crate::settings;
use crate::sweep::{self, Range};
use crate::yaml::{Node, Value as Yaml};

/// Checks the sweep of a stage that is not sound otherwise.
pub(crate) fn check_sweep(name: &str, written: &Written, mistakes: &mut Vec<Draft>) {
    let (Some(train), Some(sweep)) = (written.node.entry("train"), written.node.entry("sweep"))
    else {
        return;
    };
    let Some(sweep) = decode::<Spanned<Sweep>>(&sweep.node, "sweep", sweep.key_span, mistakes)
    else {
        return;
    };
    let resolve = |setting: &str, key: Span, mistakes: &mut Vec<Draft>| {
        sweep::path_in_train(setting, key, &train.node, mistakes)
    };
    if let Some(grid) = sweep::grid(name, &sweep, &resolve, mistakes) {
        axes(
            &train.node,
            train.key_span,
            &grid.ranges,
            settings_of_own,
            mistakes,
        );
    }
}

/// The node under `train`, for the values of a sweep to be put in.
pub(super) fn train_node(written: &Written) -> &Node {
    let node = written.node.get("train");
    node.expect("a stage that was decoded as `train` has the key")
}

pub(super) fn grid_of(
    name: &str,
    written: &Written,
    stage: &Stage,
    mistakes: &mut Vec<Draft>,
) -> Option<Grid> {
    let train = train_node(written);
    let resolve = |setting: &str, key: Span, mistakes: &mut Vec<Draft>| {
        sweep::path_in_train(setting, key, train, mistakes)
    };
    sweep::grid_of(name, stage, &resolve, mistakes)
}

fn at_point(node: &Node, range: &Range, value: &Spanned<Scalar>) -> Node {
    let mut node = node.clone();
    put(&mut node, range, value);
    node
}

fn put(node: &mut Node, range: &Range, value: &Spanned<Scalar>) {
    let path: Vec<&str> = range.path.iter().map(String::as_str).collect();
    let place = path
        .iter()
        .fold(node, |node, key| node.value_at(key, range.key_span));
    *place = Node {
        span: value.span,
        value: match &**value {
            Scalar::Integer(number) => Yaml::Integer(*number),
            Scalar::Number(number) => Yaml::Float(*number),
            Scalar::Flag(flag) => Yaml::Bool(*flag),
            Scalar::Word(word) => Yaml::Text(word.clone()),
        },
    };
}

/// `train` with every swept setting at its first value.
pub(super) fn first_point(node: &Node, ranges: &[Range]) -> Node {
    let mut node = node.clone();
    for range in ranges {
        put(&mut node, range, &range.values[0]);
    }
    node
}

/// Each value of each setting on its own, the others at their first: settings do not depend on each other.
pub(super) fn axes(
    node: &Node,
    key: Span,
    ranges: &[Range],
    settings_of: impl Fn(&Train) -> Option<Map<String, Value>>,
    mistakes: &mut Vec<Draft>,
) -> Option<Vec<Axis>> {
    let before = mistakes.len();
    let first = first_point(node, ranges);
    let axes: Vec<Axis> = ranges
        .iter()
        .map(|range| {
            let path = settings::path_in_settings(&range.path);
            let points = range
                .values
                .iter()
                .filter_map(|value| {
                    let train: Train =
                        decode(&at_point(&first, range, value), "train", key, mistakes)?;
                    Some(Point {
                        text: value.to_string(),
                        value: settings::get(&settings_of(&train)?, &path).cloned(),
                    })
                })
                .collect();
            Axis {
                name: range.name.clone(),
                path,
                points,
            }
        })
        .collect();
    Draft::are_warnings(&mistakes[before..]).then_some(axes)
}

/// The distinct cases among the points, over those settings that a case depends on, each with how many points have
/// it.
pub(super) fn cases<T>(
    node: &Node,
    key: Span,
    grid: &Grid,
    case: impl Fn(&Train) -> Option<T>,
) -> Vec<(T, u64)> {
    let matters = |range: &Range| {
        !matches!(
            range.path[0].as_str(),
            "learning_rate"
                | "seed"
                | "model"
                | "augment"
                | "optimizer"
                | "batch_norm"
                | "divergence"
                | "ghost_batch"
                | "noise_scale"
        )
    };
    let trains = trains(node, key, grid, matters);
    trains
        .filter_map(|(train, _, runs)| Some((case(&train)?, runs)))
        .collect()
}

/// `train` at each of the different points over some of the ranges, the others at their first value, with the places of
/// their values and how many points have it.
pub(super) fn trains(
    node: &Node,
    key: Span,
    grid: &Grid,
    matters: impl Fn(&Range) -> bool,
) -> impl Iterator<Item = (Train, Vec<usize>, u64)> {
    let first = first_point(node, &grid.ranges);
    // Mistakes in values have been noted where each value was decoded on its own.
    let points = grid.projected(matters).into_iter();
    points.filter_map(move |(point, runs)| {
        let mut node = first.clone();
        for (range, place) in &point {
            put(&mut node, range, &range.values[*place]);
        }
        let train = decode::<Train>(&node, "train", key, &mut Vec::new())?;
        let places = point.into_iter().map(|(_, place)| place);
        Some((train, places.collect(), runs))
    })
}
