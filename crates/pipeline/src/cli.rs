//! The command line: what `pipeline --help` shows.

pub(crate) mod cache;
pub(crate) mod checkpoints;
pub(crate) mod sharing;

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use study::Device;

use crate::commands::init::EXAMPLES;
use crate::version;

/// Studies of how optimisers scale: one YAML file in, one report out.
///
/// Exit codes: 0 done, 1 a stage failed, 2 bad command line or study, 101 a bug in this program, 130 interrupted,
/// 141 ended by SIGPIPE, because whoever read the output went away.
#[derive(Debug, Parser)]
#[command(
    name = "pipeline",
    version,
    long_version = version::long(),
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Folder of the artifact cache [default: the site file's, or cache]
    #[arg(long, global = true, value_name = "DIR", env = "PIPELINE_CACHE")]
    pub(crate) cache: Option<PathBuf>,

    /// Folder behind the cache that other machines see, too: what it holds is not computed again, and results go there
    /// [default: the site file's, or none]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) remote: Option<PathBuf>,

    /// Where and how to run, where the command line does not say it [default: site.yaml beside the study or here]
    #[arg(long, global = true, value_name = "FILE", env = "PIPELINE_SITE")]
    pub(crate) site: Option<PathBuf>,

    /// Colours on a terminal
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a study: what is not in the cache, then the report
    Run(Run),
    /// Say what a run would do, and why
    Plan(Plan),
    /// Check a study file without running anything
    Check(StudyFile),
    /// Show a stage's manifest, and what changed since it last ran
    Explain(Explain),
    /// Draw the report again from the cache
    Report(Report),
    /// Write curves and tables as CSV, Parquet or safetensors
    Export(Export),
    /// Say what runs on the cache now, and how the last runs ended
    Status(cache::AsJson),
    /// Show what a stage wrote
    Logs(cache::Logs),
    /// Look into the cache, check it, make room in it
    #[command(subcommand)]
    Cache(cache::Cache),
    /// Draw the graph of a study's stages, each with its runs as one
    Graph(Graph),
    /// Write a study that runs, to start from
    Init(Init),
    /// Say what a study finds on this machine, for bug reports too
    ///
    /// A line for each thing: `ok`; `note`, where studies run slower or with less safety than they could; `PROBLEM`,
    /// where none can. Exit code 1 if there is a problem, else 0. Nothing is changed, and no user, host or home folder
    /// is named.
    Doctor(cache::AsJson),
    /// Print the JSON Schema of study files, or of site files
    Schema(Schema),
    /// Print a script that completes this command line in a shell
    Completions(Completions),
    /// Write manual pages, one for each command
    Man(Man),
    /// Execute stages for an engine (JSON lines over stdin and stdout)
    #[command(hide = true)]
    Worker,
}

/// A study file.
#[derive(Debug, Args)]
pub(crate) struct StudyFile {
    /// The study file
    #[arg(value_name = "STUDY")]
    pub(crate) study: PathBuf,

    /// Set a value of the study anew: `kfac.train.budget.epochs=5`; `null` takes a key away
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Where and how stages run; never part of a result's key. What is not said here the site file may say.
#[derive(Debug, Default, Args)]
pub(crate) struct Site {
    /// Stages run at once [default: one for each core, or for each of --gpus]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<NonZero<usize>>,

    /// Threads of each stage [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,

    /// Device that trains [default: auto]
    #[arg(long, value_name = "DEVICE", value_parser = PossibleValuesParser::new(Device::ALL.map(Device::name)))]
    pub(crate) device: Option<String>,

    /// GPUs given out to stages, one each, as `CUDA_VISIBLE_DEVICES` names them: 0,1
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub(crate) gpus: Vec<String>,
}

/// Arguments of `pipeline schema`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which file
    #[arg(value_name = "FILE", default_value = "study")]
    pub(crate) of: SchemaOf,
}

/// What a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// What to train and to measure
    Study,
    /// Where and how to run
    Site,
}

/// Arguments of `pipeline run`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    #[command(flatten)]
    pub(crate) site: Site,

    #[command(flatten)]
    pub(crate) checkpoints: checkpoints::Checkpoints,

    #[command(flatten)]
    pub(crate) sharing: sharing::Sharing,

    /// Only say what would run
    #[arg(short = 'n', long = "dry-run")]
    pub(crate) plan_only: bool,

    /// Start no further stage once one has failed
    #[arg(long)]
    pub(crate) fail_fast: bool,

    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(crate) reports: PathBuf,

    /// How progress is shown on stderr
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) message_format: MessageFormat,

    /// No progress, only failures and the last line
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Name every stage that runs or is cached
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// A bar on a terminal, plain lines elsewhere
    Auto,
    /// A bar
    Fancy,
    /// Plain lines
    Plain,
    /// One JSON object a line
    Json,
}

/// Arguments of `pipeline plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Name every stage
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Arguments of `pipeline graph`.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// The language of the drawing
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    pub(crate) format: GraphFormat,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Graphviz
    Dot,
    /// For Markdown that knows Mermaid
    Mermaid,
    /// A picture
    Svg,
}

/// Arguments of `pipeline init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The file to write; one that is there is left alone [default: study.yaml, or the example's name]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// A study that is part of the program, instead of a short one to begin with
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(EXAMPLES.map(|example| {
        PossibleValue::new(example.name).help(example.about)
    })))]
    pub(crate) example: Option<String>,

    /// Only list the examples
    #[arg(long, conflicts_with_all = ["file", "example"])]
    pub(crate) list: bool,
}

/// Arguments of `pipeline completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `pipeline man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder to write them to
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// Arguments of `pipeline explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// The stage: its whole name (`kfac/batch_size=16,...`) or a part of it
    #[arg(value_name = "STAGE")]
    pub(crate) stage: String,
}

/// Arguments of `pipeline report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(crate) reports: PathBuf,

    /// Say what changed since an earlier report: the folder beside its page, the name of a pin, or the
    /// key of its report stage
    #[arg(long, value_name = "OLD")]
    pub(crate) against: Option<String>,
}

/// Arguments of `pipeline export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// Stages of the study file [default: all]
    #[arg(value_name = "STAGE")]
    pub(crate) stages: Vec<String>,

    /// Format of the files
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    pub(crate) format: ExportFormat,

    /// Also the weights that each training run ended with, as a PyTorch `state_dict` in
    /// `weights/STAGE/COORDINATES.safetensors`, where its last checkpoint was kept (`run --keep-checkpoints`)
    #[arg(long)]
    pub(crate) weights: bool,

    /// Folder to write, a new one or that of an earlier export [default: exports/NAME-OF-STUDY]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

/// How data frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Text, for everything
    Csv,
    /// Typed columns, smaller, for data-frame libraries
    Parquet,
    /// Arrays, each curve in a file of its own
    Safetensors,
}

impl ExportFormat {
    /// How the files' names end.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Safetensors => "safetensors",
        }
    }
}
