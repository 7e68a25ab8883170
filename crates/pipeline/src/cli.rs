//! The command line: what `pipeline --help` shows.

pub(crate) mod cache;
pub(crate) mod checkpoints;
pub(crate) mod sharing;
pub(crate) mod slurm;

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use study::{Device, JobsPerGpu, Memory};

use crate::commands::init::EXAMPLES;
use crate::version;

/// Studies of how optimisers scale: one YAML file in, one report out.
///
/// Exit codes: 0 done, 1 a stage failed, 2 bad command line or study, 75 sent back to the queue of a batch system, 101 a
/// bug in this program, 130 interrupted, 141 ended by SIGPIPE, because the program that read the output has ended.
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

    /// Folder of the cache [default: that of the site file, else `cache`]
    #[arg(long, global = true, value_name = "DIR", env = "PIPELINE_CACHE")]
    pub(crate) cache: Option<PathBuf>,

    /// A store behind the cache that other machines use too: a folder, or an object store such as `s3://BUCKET/PREFIX`.
    /// Results that it has are not computed again, and new results are copied to it [default: the site file's, or none]
    #[arg(long, global = true, value_name = "DIR|URL")]
    pub(crate) remote: Option<PathBuf>,

    /// Site file: settings of this machine, such as jobs and devices [default: site.yaml beside the study, else in this
    /// folder]
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
    /// Run the stages of a study that are not in the cache, and write its report
    Run(Run),
    /// Show what a run would do, and why
    Plan(Plan),
    /// Check a study file without running anything
    Check(StudyFile),
    /// Show everything that one stage depends on, and what changed since it last ran
    Explain(Explain),
    /// Write the report again from the results in the cache
    Report(Report),
    /// Write curves and tables as CSV, Parquet or safetensors
    Export(Export),
    /// Submit a study to a cluster with Slurm: as many tasks as it takes, all on one remote
    ///
    /// The study is frozen in the remote. An array of tasks carries it out together, and one last job makes the tables and
    /// draws the report. What the tasks ask for is in the site file (`slurm`). Submit
    /// again after an edit, or after failures: only what is missing is run.
    Submit(slurm::Submit),
    /// Take a submitted study out of the queue of the cluster, and end its tasks
    Cancel(slurm::Cancel),
    /// Show which runs use the cache now, and how the last runs ended; or how far a submitted study is
    Status(slurm::Status),
    /// Show the log of a stage
    Logs(cache::Logs),
    /// List, verify and clean up the cache
    #[command(subcommand)]
    Cache(cache::Cache),
    /// Draw the graph of a study's stages (all runs of a stage as one node)
    Graph(Graph),
    /// Write an example study to start from
    Init(Init),
    /// Check this machine: device, memory, cache, file system (also for bug reports)
    ///
    /// Each line is marked `ok`; `note`, if studies run slower or less safely than they could; or `PROBLEM`, if no study
    /// can run. The exit code is 1 if there is a problem, else 0. Nothing is changed, and the output contains no name of
    /// a user, host or home folder.
    ///
    /// With `--device` it compares that device with the CPU instead: each network is trained for a few updates on both,
    /// and a table says how far the losses came apart, how long an update takes, how many kernels it launches, how often
    /// it waits for the device, and what it sends there.
    Doctor(Doctor),
    /// Print the JSON Schema of study files or of site files
    Schema(Schema),
    /// Print a script for a shell that completes commands and options
    Completions(Completions),
    /// Write manual pages, one for each command
    Man(Man),
    /// Execute stages for an engine (JSON lines over stdin and stdout)
    #[command(hide = true)]
    Worker,
    /// Draw the page so far for a run (JSON over stdin and stdout)
    #[command(hide = true)]
    Draw,
}

/// A study file.
#[derive(Debug, Args)]
pub(crate) struct StudyFile {
    /// The study file
    #[arg(value_name = "STUDY")]
    pub(crate) study: PathBuf,

    /// Replace a value of the study, as in `kfac.train.budget.epochs=5`; `null` removes a key. May be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Arguments of `pipeline doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Compare this device with the CPU
    #[arg(long, value_name = "DEVICE", value_parser = PossibleValuesParser::new(Device::ALL.map(Device::name)))]
    pub(crate) device: Option<String>,

    /// Examples in a batch of the comparison
    #[arg(long, value_name = "N", default_value = "128", requires = "device")]
    pub(crate) batch_size: NonZero<usize>,
}

/// Where and how stages run; never part of a result's key. What is not said here the site file may say.
#[derive(Debug, Default, Args)]
pub(crate) struct Site {
    /// How many stages run at the same time [default: one for each core, or where a GPU trains one for
    /// each of --gpus]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<NonZero<usize>>,

    /// Threads of each stage [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,

    /// Device to train on [default: auto]
    #[arg(long, value_name = "DEVICE", value_parser = PossibleValuesParser::new(Device::ALL.map(Device::name)))]
    pub(crate) device: Option<String>,

    /// GPUs to use, one for each stage at a time, named as in `CUDA_VISIBLE_DEVICES`: 0,1 [default: where CUDA trains, those
    /// of that variable, else the first]
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub(crate) gpus: Vec<String>,

    /// How many stages share each of --gpus; `auto`: as many as its memory holds of the study's largest run [default: 1]
    #[arg(long, value_name = "N|auto")]
    pub(crate) jobs_per_gpu: Option<JobsPerGpu>,

    /// How much memory all stages that run at once may take together, such as 24G, or `unlimited`. One that takes more fails
    /// at once [default: on the CPU, what is free at the start, less a reserve; else unlimited]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Memory>,
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
    /// The study file
    #[arg(
        value_name = "STUDY",
        required_unless_present = "plan",
        conflicts_with = "plan"
    )]
    pub(crate) study: Option<PathBuf>,

    /// Replace a value of the study, as in `kfac.train.budget.epochs=5`; `null` removes a key. May be given several times
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "plan")]
    pub(crate) set: Vec<String>,

    #[command(flatten)]
    pub(crate) part: sharing::Part,

    #[command(flatten)]
    pub(crate) site: Site,

    #[command(flatten)]
    pub(crate) checkpoints: checkpoints::Checkpoints,

    #[command(flatten)]
    pub(crate) sharing: sharing::Sharing,

    /// Only show what would run
    #[arg(short = 'n', long = "dry-run")]
    pub(crate) plan_only: bool,

    /// Start no more stages after one has failed
    #[arg(long, conflicts_with = "plan")]
    pub(crate) fail_fast: bool,

    /// As a task of Slurm: when the notice of the time limit comes (USR1) and there is work left, go back to the queue,
    /// with exit code 75
    #[arg(long)]
    pub(crate) requeue: bool,

    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(crate) reports: PathBuf,

    /// Draw the page of what there is so far from the start of the run on, not only after two minutes
    #[arg(long, overrides_with = "no_live", conflicts_with = "plan")]
    pub(crate) live: bool,

    /// Draw no page before the end of the run
    #[arg(long, overrides_with = "live")]
    pub(crate) no_live: bool,

    /// Draw no page at all, because another copy does so
    #[arg(long, conflicts_with = "live")]
    pub(crate) no_report: bool,

    /// How progress is shown on stderr
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) message_format: MessageFormat,

    /// Show no progress, only failures and the last line
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Name every stage that runs or is cached
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl Run {
    /// The study file, unless it is a frozen plan that runs.
    pub(crate) fn file(&self) -> Option<StudyFile> {
        Some(StudyFile {
            study: self.study.clone()?,
            set: self.set.clone(),
        })
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// A bar on a terminal, else plain lines
    Auto,
    /// A bar
    Fancy,
    /// Plain lines
    Plain,
    /// One JSON object per line
    Json,
}

/// Arguments of `pipeline plan`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Name every stage
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Freeze the study in the remote: its graph, what its input files hold and the results that there are. Prints the
    /// name of the plan, for `pipeline run --plan` on any machine
    #[arg(long, conflicts_with_all = ["json", "verbose"])]
    pub(crate) freeze: bool,

    /// With --freeze: the device that is to train the study [default: the device of this machine or of its site file]
    #[arg(long, value_name = "DEVICE", requires = "freeze",
        value_parser = PossibleValuesParser::new(["cpu", "cuda", "wgpu"]))]
    pub(crate) device: Option<String>,

    /// With --freeze: no copy starts further stages after one has failed in it
    #[arg(long, requires = "freeze")]
    pub(crate) fail_fast: bool,
}

/// Arguments of `pipeline graph`.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// The format of the drawing
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    pub(crate) format: GraphFormat,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Graphviz
    Dot,
    /// For Markdown with Mermaid
    Mermaid,
    /// A picture
    Svg,
}

/// Arguments of `pipeline init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The file to write; an existing file is not changed [default: study.yaml, or the name of the example]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Write this longer example instead of a short study
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

    /// The stage: its full name (`kfac/batch_size=16,...`) or a part of it
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

    /// Show what changed since an earlier report, given by the folder beside its page, the name of a pin, or the
    /// key of its report stage
    #[arg(long, value_name = "OLD")]
    pub(crate) against: Option<String>,

    /// Draw what there is of a study that is not done, also while it runs elsewhere; without verdicts
    #[arg(long, conflicts_with = "against")]
    pub(crate) so_far: bool,
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

    /// Also write the final weights of each training run whose last checkpoint was kept (`run --keep-checkpoints`), as
    /// a PyTorch `state_dict` in `weights/STAGE/COORDINATES.safetensors`
    #[arg(long)]
    pub(crate) weights: bool,

    /// Folder to write: a new one, or that of an earlier export [default: exports/NAME-OF-STUDY]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

/// How data frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Text, for any program
    Csv,
    /// Typed columns, smaller, for data-frame libraries
    Parquet,
    /// Arrays; each curve is a file of its own
    Safetensors,
    /// Tables for a paper, rounded to four digits, with the rules of booktabs; no curves
    Latex,
    /// Tables for a page of Markdown, rounded to four digits; no curves
    Markdown,
}

impl ExportFormat {
    /// Whether the files are tables to be read, not data.
    pub(crate) fn is_for_the_eye(self) -> bool {
        matches!(self, Self::Latex | Self::Markdown)
    }

    /// How the files' names end.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Safetensors => "safetensors",
            Self::Latex => "tex",
            Self::Markdown => "md",
        }
    }
}
