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
/// It runs in a folder of its own, which holds the declared inputs and nothing else, and must leave the declared
/// outputs there and nothing else. Arguments are passed as they are written (`1.10`, `007`). In `run` and `environment`,
/// `{NAME}` stands for the value of the swept setting `NAME`, or of `NAME` in `settings`; numbers have as few digits as
/// possible. With `curves`, `{iterations}` stands for the budget in steps, `{epochs}` for the budget in epochs, and
/// `{train_examples}` for the size of the training set. `{{NAME}}` stands for the text `{NAME}`. Of the environment, the
/// program sees `PATH`, `HOME`, `LANG`, `LC_ALL`, `TZ`, `CUDA_VISIBLE_DEVICES`, `TMPDIR` (a folder that is removed
/// afterwards), `OMP_NUM_THREADS` (the value of `--threads`), `PYTHONDONTWRITEBYTECODE`, and the variables in
/// `environment`. What it prints is the log of the stage; an exit code other than 0 is a failure of the stage. It must
/// give the same outputs each time, because only what is declared here is part of its key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    /// The program and its arguments as a list, or one line for the shell.
    pub(crate) run: Spanned<Run>,
    /// What it reads, each under its name in the working folder. It can be a stage; one output of a stage,
    /// `STAGE.OUTPUT`; a file, relative to the folder of this study file (`./NAME` where `NAME` could be a stage); a
    /// folder; or a pattern (`./data/*.csv`), which becomes a folder. `.git` and `__pycache__` are left out of folders.
    /// Of a stage with a sweep, it reads the runs that have the same values of all settings that both stages sweep: a
    /// file if this is always one run, else a folder with a file for each run, named by its other settings
    /// (`batch_size=16,seed=0`).
    #[serde(default)]
    pub(crate) inputs: BTreeMap<String, Spanned<String>>,
    /// What it makes, each under the name that readers use: its path in the working folder. A path that ends in `/` is a
    /// folder, which is kept as a tar file and becomes a folder again for a command that reads it.
    #[serde(default)]
    pub(crate) outputs: BTreeMap<String, Spanned<String>>,
    /// Files in the working folder, and folders (which end in `/`), that it leaves there and that are not kept, such as
    /// checkpoints. The files with curves can be among them. Default: none; a file that is not declared is a failure of
    /// the stage.
    #[serde(default)]
    pub(crate) discard: Vec<Spanned<String>>,
    /// Variables of its environment. `{ from_env: NAME }` takes the value of the variable `NAME` in the environment of
    /// `pipeline`. It is stored nowhere; use it for passwords.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, Spanned<Variable>>,
    /// The file in which the program logs its curves. With it, each run of the program is a training run for targets,
    /// heatmaps, claims and the report (doc/foreign-programs.md). The file is CSV with a header, or JSON Lines. Columns:
    /// `step` (updates made so far); from step 1 on `loss` (mini-batch loss before the update) and `learning_rate`; at
    /// evaluations `train_loss`, `train_accuracy`, `validation_loss`, `validation_accuracy`, `test_loss`,
    /// `test_accuracy`, and `examples` (seen so far; by default step times batch size). Cells may be empty. Losses are in
    /// nats, accuracies are fractions. A run diverged at the first step from which its `loss` or `train_loss` stays not
    /// finite to the end; later rows are left out. If a later value is finite, the run did not diverge (mixed precision
    /// skips such steps). A metric that is not finite is worse than any level. Default: none.
    pub(crate) curves: Option<Spanned<Curves>>,
    /// The settings of the runs that the curves belong to. Required with `curves`.
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

/// The settings of the runs that curves belong to. What is swept need not be repeated here; a swept setting that is none
/// of these keys counts as a setting of the optimizer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurveOf {
    /// The name of the method in figures and tables, such as `sgd`. Required here or in the sweep.
    pub(crate) method: Option<Name>,
    /// The network's name. Default: none.
    pub(crate) model: Option<Name>,
    /// Examples per step. Required here or in the sweep.
    pub(crate) batch_size: Option<Count>,
    /// The rate that the schedule starts from. Required here or in the sweep.
    pub(crate) learning_rate: Option<Positive>,
    /// The seed. Default 0.
    pub(crate) seed: Option<u64>,
    /// How long it trains.
    pub(crate) budget: Budget,
    /// Whether the last batch of an epoch is used if it is smaller than the others: `keep` (the default of PyTorch) or
    /// `drop`. Default `drop`.
    #[serde(default)]
    pub(crate) last_batch: LastBatch,
    /// Examples in the training set. Default: those of the `dataset` stage among the inputs.
    pub(crate) train_examples: Option<Count>,
    /// Number of trainable parameters of the network. Default 0: not known.
    #[serde(default)]
    pub(crate) parameters: u64,
    /// The optimizer's other settings.
    #[serde(default)]
    pub(crate) optimizer: BTreeMap<String, Scalar>,
}

/// The value of an environment variable.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Variable {
    /// This value.
    Value(Scalar),
    /// The value of a variable in the environment of `pipeline`; stored nowhere, and no part of the key.
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
    /// A line for `/bin/sh -e -c`; if it contains a pipe, for `bash -e -o pipefail -c`, so that a failure before the pipe
    /// is a failure of the stage.
    Shell(String),
}

impl<'de> Shape<'de> for Run {
    const WANTED: &'static str = "a program with its arguments in a list, or a line for the shell";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Word(line) if line.trim().is_empty() => Err(E::custom("must not be empty")),
            Scalar::Word(line) => Ok(Self::Shell(line)),
            other => Err(other.unfit(Self::WANTED)),
        }
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        not_empty(SeqAccessDeserializer::new(list)).map(Self::Program)
    }
}
