//! Settings with which a run can be trained, and that hardly anybody means.

use runs::number::Count;
use runs::settings::{LastBatch, Optimizer};

use crate::diagnostic::{Draft, Mistake, Span};
use crate::grid::Grid;
use crate::schema::{Source, Train};
use crate::yaml::{Node, Value};

/// Warns of a damping that single precision hardly has: a factor that is singular is then not damped at all.
pub(super) fn check_damping(name: &str, train: &Node, grid: &Grid, mistakes: &mut Vec<Draft>) {
    for (damping, span) in values(train, grid, &["optimizer", "kfac", "damping"]) {
        if damping < f64::from(f32::MIN_POSITIVE) {
            mistakes.push(
                Draft::warning(Mistake::TinyDamping, format!("a damping of {damping:e} in `{name}`"))
                    .at(span, "below single precision")
                    .help(
                        "training is in single precision, whose smallest normal number is 1.2e-38; below it a \
                         damping is 0 or nearly so",
                    ),
            );
        }
    }
}

/// Complains of an inverse that would act only after the next one is due.
pub(super) fn late(name: &str, train: &Train, node: &Node, grid: &Grid) -> Option<Draft> {
    let Some(Optimizer::Kfac(kfac)) = &train.optimizer else {
        return None;
    };
    let (delay, every) = (kfac.delay, kfac.inverse_every.get());
    if delay < every {
        return None;
    }
    let path = ["optimizer", "kfac", "delay"];
    let swept = grid.ranges.iter().find(|range| range.path == path);
    let span = match swept {
        Some(range) => range.key_span,
        None => path.iter().try_fold(node, |node, key| node.get(key))?.span,
    };
    Some(
        Draft::error(
            Mistake::LongDelay,
            format!("a delay of {delay} in `{name}`, where inverses are due every {every} steps"),
        )
        .at(span, format!("must be less than {every}"))
        .help("`delay` is less than `inverse_every`, which is 10 if it is not given"),
    )
}

/// The numbers of the setting at `path` of `train`, each with its place.
fn values(train: &Node, grid: &Grid, path: &[&str]) -> Vec<(f64, Span)> {
    if let Some(range) = grid.ranges.iter().find(|range| range.path == path) {
        let numbers = range.values.iter();
        return numbers
            .filter_map(|value| Some((value.number()?, value.span)))
            .collect();
    }
    let node = path.iter().try_fold(train, |node, key| node.get(key));
    let number = node.and_then(|node| match node.value {
        Value::Float(number) => Some((number, node.span)),
        _ => None,
    });
    number.into_iter().collect()
}

/// The side of a Kronecker factor above which its inversion is what a run does most.
const WIDE: u64 = 2048;

/// Classes of every source.
pub(super) const CLASSES: u64 = 10;

/// Warns of a layer too wide for K-FAC.
pub(super) fn check_factors(name: &str, train: &Train, source: Source, mistakes: &mut Vec<Draft>) {
    let (Some(Optimizer::Kfac(kfac)), Some(model)) = (&train.optimizer, &train.model) else {
        return;
    };
    let image @ [channels, height, width] = source.image();
    let side = model.largest_factor(image, CLASSES);
    if side <= WIDE {
        return;
    }
    // Single precision.
    let mib = (side as f64).powi(2) * 4.0 / f64::from(1 << 20);
    // As the third power of the side.
    let times = (side as f64 / 512.0).powi(3);
    let every = kfac.inverse_every.get();
    mistakes.push(
        Draft::warning(Mistake::WideFactor, format!(
            "`{name}` has a Kronecker factor of {side} x {side}"
        ))
        .at(model.span, format!("{mib:.0} MiB, inverted every {every} steps"))
        .help(format!(
            "an inversion takes about {times:.0} times as long as one of 512 x 512, and an interrupt waits for it. \
             A larger `inverse_every` costs less, and so do narrower layers (the images are {channels}x{height}x{width})"
        )),
    );
}

/// Warns of `BatchNorm` over one example: in a whole batch, a ghost batch, or what is left of either.
pub(super) fn check_normalisation(
    name: &str,
    train: &Train,
    examples: Option<u64>,
    mistakes: &mut Vec<Draft>,
) {
    let (Some(run), Some(batch_size)) = (train.settings(), train.batch_size) else {
        return;
    };
    if !run.model.normalises() {
        return;
    }
    let (batch, ghost) = (run.batch_size.get(), run.ghost_batch.map(Count::get));
    let left_over = match run.last_batch {
        LastBatch::Keep => examples.map_or(0, |examples| examples % batch),
        LastBatch::Drop => 0,
    };
    let ghost_span = train
        .ghost_batch
        .map_or(batch_size.span, |ghost| ghost.span);
    let mut warn = |span: Span, which: String, help: &str| {
        mistakes.push(
            Draft::warning(
                Mistake::BatchNormOfOne,
                format!("BatchNorm over one example in `{name}`"),
            )
            .at(span, which)
            .help(help),
        );
    };
    let more = "normalised alone, an example loses most of what distinguishes it, and evaluations use other statistics";
    if batch == 1 {
        warn(batch_size.span, "a batch of one example".to_owned(), more);
    } else if ghost == Some(1) {
        warn(ghost_span, "a ghost batch of one example".to_owned(), more);
    } else if one_is_left(batch, ghost) {
        let which = format!("batch size {batch} leaves a ghost batch of one example");
        warn(ghost_span, which, more);
    } else if left_over == 1 || left_over > 0 && one_is_left(left_over, ghost) {
        let which = match left_over {
            1 => "the last batch of an epoch has one example".to_owned(),
            n => format!(
                "the last batch of an epoch has {n} examples, which leaves a ghost batch of one"
            ),
        };
        warn(batch_size.span, which, "`last_batch: drop` leaves it out");
    }
}

/// Whether one example of a batch is a ghost batch by itself.
fn one_is_left(batch: u64, ghost: Option<u64>) -> bool {
    ghost.is_some_and(|ghost| batch % ghost == 1)
}
