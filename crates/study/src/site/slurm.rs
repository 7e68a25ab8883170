//! What a site file says of Slurm: what `pipeline submit` asks for, for each task and for the last job.

use runs::number::Count;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Error;

use crate::schema::Scalar;
use crate::schema::shape::{Shape, by_shape};

/// What each task of a study asks of Slurm. Every key may be left out; then the cluster's own default holds.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Slurm")]
pub(super) struct Keys {
    /// The partition, or several with commas (`sbatch --partition`).
    partition: Option<Line>,
    /// The account that is charged (`--account`).
    account: Option<Line>,
    /// The quality of service (`--qos`).
    qos: Option<Line>,
    /// Features that a node must have (`--constraint`).
    constraint: Option<Line>,
    /// GPUs and other resources of each task (`--gres`), such as `gpu:1`.
    gres: Option<Line>,
    /// Cores of each task (`--cpus-per-task`). Default: `jobs` times `threads`, if the site file or the command line says
    /// `jobs`.
    cpus: Option<Count>,
    /// Memory of each task (`--mem`), such as `16G`.
    memory: Option<Line>,
    /// Time limit of each task (`--time`), such as `4:00:00`. Runs may take longer: a task that has to end keeps its
    /// checkpoints and goes back to the queue.
    time: Option<Line>,
    /// How many tasks there are; `auto` is one for each predicted hour of work, at most 64, or 16 if no duration is
    /// known. Default: `auto`.
    tasks: Option<Tasks>,
    /// How many of them run at the same time, at most (`--array=…%N`). Default: all.
    at_once: Option<Count>,
    /// Seconds before the time limit at which a task keeps its checkpoints and ends (`--signal`). Default: 300.
    notice: Option<Count>,
    /// How often all tasks are submitted, one array after the other. With 1, each task sends itself back to the queue when
    /// its time is up; more are for clusters whose nodes may not do that (`scontrol requeue`). Default: 1.
    waves: Option<Count>,
    /// Further options of `sbatch`, such as `--mail-type=FAIL`.
    options: Vec<Line>,
    /// Shell lines that are run on the node before the program, such as `module load cuda`.
    prologue: Option<String>,
    /// A folder on the node's own disk, in which each task has its cache; the node's shell fills in variables. Default:
    /// `${TMPDIR:-/tmp}`.
    scratch: Option<Line>,
    /// What the last job asks for, which trains nothing: it makes the tables and draws the report.
    last: LastKeys,
}

/// What the last job asks of Slurm. Of the tasks' keys it takes only `account` and `prologue`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "LastJob")]
struct LastKeys {
    /// The partition (`--partition`).
    partition: Option<Line>,
    /// The quality of service (`--qos`).
    qos: Option<Line>,
    /// Its cores (`--cpus-per-task`). Default: 1.
    cpus: Option<Count>,
    /// Its memory (`--mem`).
    memory: Option<Line>,
    /// Its time limit (`--time`).
    time: Option<Line>,
    /// Further options of `sbatch`.
    options: Vec<Line>,
}

/// A text that becomes part of a line.
struct Line(String);

by_shape!(Line);

impl Shape<'_> for Line {
    const WANTED: &'static str = "text on one line";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Word(text) if text.trim().is_empty() || text.contains(char::is_control) => {
                Err(E::custom(format!("expected {}", Self::WANTED)))
            }
            Scalar::Word(text) => Ok(Self(text)),
            Scalar::Integer(number) => Ok(Self(number.to_string())),
            other => Err(other.unfit(Self::WANTED)),
        }
    }
}

inline_schema!(Line, { "type": "string" });

/// A number of tasks.
#[derive(Clone, Copy)]
struct Tasks(Option<usize>);

by_shape!(Tasks);

impl Shape<'_> for Tasks {
    const WANTED: &'static str = "`auto` or a whole number, at least 1";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        match scalar {
            Scalar::Word(text) if text == "auto" => Ok(Self(None)),
            Scalar::Integer(number) if number >= 1 => {
                Ok(Self(Some(usize::try_from(number).unwrap_or(usize::MAX))))
            }
            other => Err(other.unfit(Self::WANTED)),
        }
    }
}

inline_schema!(Tasks, { "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1 }] });

/// What a site file says of Slurm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slurm {
    /// Options of `sbatch` for each task, as `--partition=gpu`, in the order of the reference.
    pub options: Vec<String>,
    /// Cores of each task.
    pub cpus: Option<usize>,
    /// How many tasks; none if that is for the program to choose.
    pub tasks: Option<usize>,
    /// How many of them at the same time, at most.
    pub at_once: Option<usize>,
    /// Seconds of notice before the time limit.
    pub notice: Option<usize>,
    /// How many arrays, one after the other.
    pub waves: usize,
    /// Shell lines before the program.
    pub prologue: String,
    /// A folder of the node, for its shell to expand.
    pub scratch: Option<String>,
    /// Options of `sbatch` for the last job.
    pub last: Vec<String>,
}

impl Default for Slurm {
    /// What a site file says that does not say anything of Slurm.
    fn default() -> Self {
        Keys::default().into()
    }
}

impl From<Keys> for Slurm {
    fn from(keys: Keys) -> Self {
        let count = |count: Count| usize::try_from(count.get()).unwrap_or(usize::MAX);
        let given = |options: [(&str, Option<String>); 8], more: Vec<Line>| {
            let given = options.into_iter();
            let given = given.filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
            given.chain(more.into_iter().map(|Line(it)| it)).collect()
        };
        let text = |line: Option<Line>| line.map(|Line(text)| text);
        let account = text(keys.account);
        let last = keys.last;
        let last_cpus = last.cpus.map_or(1, count);
        Self {
            cpus: keys.cpus.map(count),
            tasks: keys.tasks.and_then(|Tasks(count)| count),
            at_once: keys.at_once.map(count),
            notice: keys.notice.map(count),
            waves: keys.waves.map_or(1, count),
            prologue: keys.prologue.unwrap_or_default(),
            scratch: text(keys.scratch),
            last: given(
                [
                    ("partition", text(last.partition)),
                    ("account", account.clone()),
                    ("qos", text(last.qos)),
                    ("constraint", None),
                    ("gres", None),
                    ("cpus-per-task", Some(last_cpus.to_string())),
                    ("mem", text(last.memory)),
                    ("time", text(last.time)),
                ],
                last.options,
            ),
            options: given(
                [
                    ("partition", text(keys.partition)),
                    ("account", account),
                    ("qos", text(keys.qos)),
                    ("constraint", text(keys.constraint)),
                    ("gres", text(keys.gres)),
                    ("cpus-per-task", None),
                    ("mem", text(keys.memory)),
                    ("time", text(keys.time)),
                ],
                keys.options,
            ),
        }
    }
}
