//! The `command` kind.

use std::collections::BTreeMap;

use runs::number::{Count, Positive};
use runs::settings::{Budget, LastBatch};
use runs::{Span, Spanned};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess};

use super::curves::{CurveFile, Curves};
use super::shape::{Shape, by_shape};
use super::{Name, Scalar, not_empty};

/// Runs of any program: one, or with `sweep` one for each combination of its values.
///
/// It is run in a folder of its own that holds the declared inputs and nothing else, and must leave the
/// declared outputs there and nothing else. An argument is passed as it is spelt (`1.10`, `007`). `{NAME}` in
/// `run` and `environment` stands for the value of a swept setting, a number in as few digits as it takes, or of
/// one in `settings`, and with `curves` `{iterations}` for the budget in steps, `{epochs}` for the budget in epochs
/// and `{train_examples}`; `{{NAME}}` stands for `{NAME}` itself. Of the environment it sees `PATH`, `HOME`, `LANG`, `LC_ALL`, `TZ`, `CUDA_VISIBLE_DEVICES`, `TMPDIR` (a folder that is removed
/// afterwards), `OMP_NUM_THREADS` (what `--threads` says), `PYTHONDONTWRITEBYTECODE` and what `environment`
/// gives. What it prints is the stage's log; an exit code other than 0 fails the stage. It must give the same
/// outputs each time: nothing but what is declared is part of its key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    /// The program and its arguments, one by one; or one line for the shell.
    pub(crate) run: Spanned<Run>,
    /// What it reads, by the name that it has in the working folder: a stage, `STAGE.OUTPUT`, or a file,
    /// relative to the folder of the study file that says so (`./NAME` where it could be a stage), a folder, or a
    /// pattern (`./data/*.csv`): those are folders there, too, without `.git` and `__pycache__`. Of a stage with a
    /// sweep it reads the runs that agree in every setting which both sweep: a file if that is always one run, else a folder with a file for each, named by its other coordinates (`batch_size=16,seed=0`).
    #[serde(default)]
    pub(crate) inputs: BTreeMap<String, Spanned<String>>,
    /// What it makes: the path in the working folder by the name that readers use. A path that ends in `/` is
    /// a folder: kept as a tar file, and a folder again where another command reads it.
    #[serde(default)]
    pub(crate) outputs: BTreeMap<String, Spanned<String>>,
    /// Paths in the working folder where it leaves what nobody keeps, such as checkpoints; a folder's ends in `/`.
    /// Curves may lie there. Default: none, and a file that is not declared fails the stage.
    #[serde(default)]
    pub(crate) discard: Vec<Spanned<String>>,
    /// Variables of its environment. `{ from_env: NAME }` is what the variable `NAME` has where `pipeline` runs: for
    /// passwords, which are kept nowhere.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, Spanned<Variable>>,
    /// The file with curves that it writes, which makes it a training run like any other: for targets,
    /// heatmaps, claims and the report (doc/foreign-programs.md). CSV with a header, or JSON Lines. Columns:
    /// `step` (updates made so far); `loss` (mini-batch loss before that update) and `learning_rate`, in rows from step 1;
    /// at evaluations `train_loss`, `train_accuracy`, `validation_loss`, `validation_accuracy`, `test_loss`,
    /// `test_accuracy`, and `examples` (seen so far; by default step times batch size). Cells may be empty.
    /// Losses are nats, accuracies fractions. A run whose `loss` or `train_loss` is not finite from some step on, to
    /// its last, diverged at that step, and what follows is left out; with a finite one later (mixed precision skips
    /// such a step) it did not. A metric that is not finite is worse than any level of it.
    /// Default: none.
    pub(crate) curves: Option<Spanned<Curves>>,
    /// What the curves are curves of. Required with `curves`.
    pub(crate) settings: Option<Spanned<CurveOf>>,
}

impl Command {
    /// The files with curves, each with its place in the study.
    pub(crate) fn curve_files(&self) -> impl Iterator<Item = (&CurveFile, Span)> {
        self.curves.iter().flat_map(|curves| {
            let place = |file: &CurveFile| file.path.place().unwrap_or(curves.span);
            curves.files().iter().map(move |file| (file, place(file)))
        })
    }
}

/// What curves are curves of. A swept setting need not be here: what is none of these keys counts as one
/// of the optimizer's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurveOf {
    /// The method's name, such as `sgd`, which figures and tables show. Required here or in the sweep.
    pub(crate) method: Option<Name>,
    /// The network's name. Default: none.
    pub(crate) model: Option<Name>,
    /// Examples a step. Required here or in the sweep.
    pub(crate) batch_size: Option<Count>,
    /// The rate that the schedule starts from. Required here or in the sweep.
    pub(crate) learning_rate: Option<Positive>,
    /// The seed. Default 0.
    pub(crate) seed: Option<u64>,
    /// How long it trains.
    pub(crate) budget: Budget,
    /// Whether the last batch of an epoch is used where it is not full: `keep`, as PyTorch does unless told otherwise,
    /// or `drop`. Default `drop`.
    #[serde(default)]
    pub(crate) last_batch: LastBatch,
    /// Examples in the training set. Default: those of the `dataset` stage among the inputs.
    pub(crate) train_examples: Option<Count>,
    /// Trainable parameters of the network. Default 0: not known.
    #[serde(default)]
    pub(crate) parameters: u64,
    /// The optimizer's other settings.
    #[serde(default)]
    pub(crate) optimizer: BTreeMap<String, Scalar>,
}

/// What a variable of the environment has.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Variable {
    /// This value.
    Value(Scalar),
    /// What another variable has where `pipeline` runs; kept nowhere, and no part of the key.
    FromEnv(FromEnv),
}

/// A variable of the environment in which `pipeline` runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FromEnv {
    /// Its name.
    pub(crate) from_env: String,
}

by_shape!(Variable, Run);

impl<'de> Shape<'de> for Variable {
    const WANTED: &'static str = "a number, a word, true or false, or `{ from_env: NAME }`";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        Ok(Self::Value(scalar))
    }

    fn mapping<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        FromEnv::deserialize(MapAccessDeserializer::new(map)).map(Self::FromEnv)
    }
}

/// A program with its arguments, or a line for the shell.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Run {
    /// The program and its arguments.
    Program(#[schemars(length(min = 1))] Vec<Spanned<Scalar>>),
    /// A line for `/bin/sh -e -c`; with a pipe in it for `bash -e -o pipefail -c`, so that a failure before the
    /// pipe is one.
    Shell(String),
}

impl<'de> Shape<'de> for Run {
    const WANTED: &'static str = "a program with its arguments in a list, or a line for the shell";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Word(line) if line.trim().is_empty() => Err(E::custom("must not be empty")),
            Scalar::Word(line) => Ok(Self::Shell(line)),
            other => Err(E::invalid_type(other.unexpected(), &Self::WANTED)),
        }
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        not_empty(SeqAccessDeserializer::new(list)).map(Self::Program)
    }
}
