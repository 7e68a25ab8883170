//! What the readers of runs must know of them: how long they train, where they are evaluated, when they stop.

use runs::number::Count;
use runs::settings::{Budget, Evaluation, Stop};
use runs::{Part, epochs_to_steps};

use crate::diagnostic::{Draft, Mistake, Span};
use crate::schema::{Dataset, Metric, Moment};

/// Runs that look alike to what reads them.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) method: String,
    pub(crate) batch_size: Count,
    pub(crate) budget: Budget,
    pub(crate) constant_rate: bool,
    /// Where it is evaluated, if the study says so.
    pub(crate) evaluation: Option<Evaluation>,
    pub(crate) stop: Option<Stop>,
    /// The stage that says when to stop.
    pub(crate) stop_from: String,
    /// Steps in an epoch, where the size of the training set is known.
    pub(crate) steps_per_epoch: Option<u64>,
    /// About how many bytes the largest of them takes, with its process; 0 where that is not known.
    pub(crate) memory: u64,
}

/// Where a stage says what a run of it is.
pub(super) struct Places {
    pub(super) batch_size: Span,
    pub(super) budget: Span,
    /// If it stops.
    pub(super) stop: Option<Span>,
}

/// Checks what a run needs of its data set and budget.
pub(super) fn check_case(
    name: &str,
    case: &Case,
    at: &Places,
    data: &Dataset,
    mistakes: &mut Vec<Draft>,
) {
    if let Some(examples) = data.train_examples()
        && case.batch_size.get() > examples
    {
        mistakes.push(
            Draft::error(
                Mistake::BatchTooLarge,
                format!(
                    "batch size {} is larger than the training set of {examples} examples",
                    case.batch_size.get()
                ),
            )
            .at(at.batch_size, "too large")
            .help(format!("at most {examples}")),
        );
    }
    if let Budget::Epochs {
        adjusted_from_batch: Some(_),
        ..
    } = case.budget
        && case.epochs().is_some_and(|epochs| epochs <= 0.0)
    {
        mistakes.push(
            Draft::error(
                Mistake::NoBudget,
                format!(
                    "the budget of `{name}` is not above 0 at batch size {}",
                    case.batch_size.get()
                ),
            )
            .at(
                at.budget,
                "log2(B / adjusted_from_batch) + 1 is not above 0",
            )
            .help("set `adjusted_from_batch` to the smallest batch size"),
        );
    }
    for (stop, span) in case.stop.iter().zip(at.stop) {
        let levels = stop.levels();
        mistakes.extend(levels.filter_map(|(metric, _)| missing_part(metric, data, span)));
    }
}

/// The mistake of asking for a metric of a part that the data set lacks.
pub(crate) fn missing_part(metric: Metric, data: &Dataset, span: Span) -> Option<Draft> {
    let name = metric.name();
    let (part, present) = match metric.part() {
        Part::Train => return None,
        Part::Validation => ("validation", data.validation > 0),
        Part::Test => ("test", data.test_examples() > 0),
    };
    (!present).then(|| {
        Draft::error(
            Mistake::MissingPart,
            format!("`{name}` needs {part} images, and the data set has none"),
        )
        .at(span, format!("`{name}` is read here"))
        .help(format!(
            "give the data set a number of images under `{part}`"
        ))
    })
}

impl Case {
    /// The budget in epochs, if it is given so.
    pub(crate) fn epochs(&self) -> Option<f64> {
        self.budget.epochs(self.batch_size)
    }

    /// The budget in steps, where that is known.
    pub(crate) fn steps(&self) -> Option<u64> {
        match (self.budget, self.steps_per_epoch) {
            (Budget::Iterations(iterations), _) => Some(iterations.get()),
            (_, steps_per_epoch) => Some(self.budget.steps(self.batch_size, steps_per_epoch?)),
        }
    }

    /// A moment as a step, where that is known.
    pub(crate) fn step_of(&self, moment: Moment) -> Option<u64> {
        match moment {
            Moment::End => self.steps(),
            Moment::Epochs(epochs) => Some(epochs_to_steps(epochs, self.steps_per_epoch?)),
            Moment::Iterations(iterations) => Some(iterations),
        }
    }
}
