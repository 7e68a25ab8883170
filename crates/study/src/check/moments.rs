//! What is read at a moment of training must have been trained to it, uncut, and been evaluated there.
//!
//! A curve whose learning rate was to fall later says nothing about a shorter budget: an annealed run is read
//! at its end only. Nothing is interpolated: a moment needs an evaluation of its own.

use std::collections::BTreeMap;

use runs::settings::Stop;

use crate::diagnostic::{Draft, Mistake, Span};
use crate::schema::Moment;
use crate::training::{Case, Training};

/// Whether and why not a run can be read, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Readable {
    Yes,
    MayStopBefore,
    NotEvaluated,
    CutsSchedule,
    NotReached,
}

/// Checks that for each method and batch size some run can be read at a moment.
pub(super) fn check(
    trainings: &[(&str, &Training)],
    at: Moment,
    span: Span,
    mistakes: &mut Vec<Draft>,
) {
    let mut best: BTreeMap<(&str, u64), (Readable, &str)> = BTreeMap::new();
    for (name, training) in trainings {
        for case in &training.cases {
            let found = (readable(case, at), *name);
            best.entry((case.method.as_str(), case.batch_size.get()))
                .and_modify(|known| *known = (*known).min(found))
                .or_insert(found);
        }
    }
    let mut groups: BTreeMap<(&str, Readable, &str), Vec<u64>> = BTreeMap::new();
    let mut read: BTreeMap<&str, usize> = BTreeMap::new();
    for ((method, batch_size), (readable, stage)) in best {
        if readable == Readable::Yes {
            *read.entry(method).or_default() += 1;
        } else {
            groups
                .entry((method, readable, stage))
                .or_default()
                .push(batch_size);
        }
    }
    for ((method, readable, stage), batch_sizes) in groups {
        let some_are_read = read.contains_key(method);
        mistakes
            .push(draft(stage, readable, at, &batch_sizes, some_are_read).at(span, "read here"));
    }
}

fn draft(
    stage: &str,
    readable: Readable,
    at: Moment,
    batch_sizes: &[u64],
    some_are_read: bool,
) -> Draft {
    let sizes: Vec<String> = batch_sizes.iter().map(u64::to_string).collect();
    let sizes = format!(
        "at batch size{} {}",
        if sizes.len() > 1 { "s" } else { "" },
        sizes.join(", ")
    );
    let moment = at;
    let at = moment.as_written();
    let at_words = if moment == Moment::End {
        "the end"
    } else {
        &at
    };
    match readable {
        Readable::Yes => unreachable!("nothing is wrong"),
        Readable::NotReached => {
            let message = format!("no run of `{stage}` reaches {at} {sizes}");
            if some_are_read { Draft::warning(Mistake::NotReached, message) } else { Draft::error(Mistake::NotReached, message) }
                .help(format!("raise the budget of `{stage}`, or read earlier"))
        }
        Readable::CutsSchedule => {
            Draft::error(Mistake::CutsSchedule, format!("{at} cuts the schedule of `{stage}` short {sizes}")).help(format!(
                "a run whose rate falls is read at its end: add a stage like `{stage}` with `budget: {at}`, or make \
                 the schedule constant"
            ))
        }
        Readable::NotEvaluated => {
            let list = match moment {
                Moment::Epochs(epochs) => format!("epochs: [{epochs}]"),
                Moment::Iterations(iterations) => format!("iterations: [{iterations}]"),
                Moment::End => unreachable!("the end is always evaluated"),
            };
            Draft::error(Mistake::NotEvaluated, format!("runs of `{stage}` are not evaluated at {at} {sizes}"))
                .help(format!("add `evaluation: {{{list}}}` to `{stage}`"))
        }
        Readable::MayStopBefore => {
            let help = match moment {
                Moment::End => format!(
                    "the ends of stopped runs are at different steps: remove `stop` from `{stage}`, or read at \
                     `{{epochs: …}}` or `{{iterations: …}}` not after `stop.not_before`"
                ),
                _ => format!("in `{stage}`, set `stop: {{not_before: {at}}}` or later, beside the levels"),
            };
            Draft::error(Mistake::MayStopBefore, format!("runs of `{stage}` may stop before {at_words} {sizes}")).help(help)
        }
    }
}

fn readable(case: &Case, at: Moment) -> Readable {
    match compare_with_budget(case, at) {
        // Not known before the data are there.
        None => return Readable::Yes,
        Some(std::cmp::Ordering::Greater) => return Readable::NotReached,
        Some(std::cmp::Ordering::Less) if !case.constant_rate => return Readable::CutsSchedule,
        Some(std::cmp::Ordering::Less) if !is_evaluated(case, at) => return Readable::NotEvaluated,
        Some(_) => {}
    }
    if case
        .stop
        .is_some_and(|stop| may_stop_before(case, &stop, at))
    {
        Readable::MayStopBefore
    } else {
        Readable::Yes
    }
}

/// How a moment lies to the end of the budget, where that can be said.
fn compare_with_budget(case: &Case, at: Moment) -> Option<std::cmp::Ordering> {
    match (at, case.epochs()) {
        (Moment::End, _) => Some(std::cmp::Ordering::Equal),
        (Moment::Epochs(epochs), Some(budget)) => Some(if (epochs - budget).abs() < 1e-9 {
            std::cmp::Ordering::Equal
        } else {
            epochs.total_cmp(&budget)
        }),
        _ => Some(case.step_of(at)?.cmp(&case.steps()?)),
    }
}

fn is_evaluated(case: &Case, at: Moment) -> bool {
    let Some(evaluation) = &case.evaluation else {
        // Not known before the program has run.
        return true;
    };
    let named = match at {
        Moment::End => true,
        Moment::Epochs(epochs) => evaluation
            .epochs
            .iter()
            .any(|e| (e.get() - epochs).abs() < 1e-9),
        Moment::Iterations(iterations) => evaluation.iterations.contains(&iterations),
    };
    named
        || case.step_of(at).is_some_and(|step| {
            evaluation
                .named(case.steps_per_epoch)
                .any(|evaluated| evaluated == step)
        })
}

fn may_stop_before(case: &Case, stop: &Stop, at: Moment) -> bool {
    let bound = &stop.not_before;
    let same_unit = match at {
        Moment::End => false,
        Moment::Epochs(epochs) => epochs <= bound.epochs.get() + 1e-9,
        Moment::Iterations(iterations) => iterations <= bound.iterations,
    };
    if same_unit {
        return false;
    }
    // Both bounds hold, so either is enough.
    let earliest = case
        .steps_per_epoch
        .map_or(bound.iterations, |steps| stop.earliest(steps));
    case.step_of(at).is_none_or(|step| step > earliest)
}
