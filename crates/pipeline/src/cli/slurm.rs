//! Studies on a cluster, as the command line says it.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;

use super::StudyFile;

/// Arguments of `pipeline submit`.
#[derive(Debug, Args)]
pub(crate) struct Submit {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    #[command(flatten)]
    pub(crate) site: super::Site,

    #[command(flatten)]
    pub(crate) sharing: super::sharing::Sharing,

    /// Print the scripts, and freeze and submit nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// How many tasks there are [default: the site file's, else as many as the predicted work needs]
    #[arg(long, value_name = "N")]
    pub(crate) tasks: Option<NonZero<usize>>,

    /// How often all tasks are submitted, one array after the other; more than once where nodes may not send tasks back
    /// to the queue [default: the site file's, else 1]
    #[arg(long, value_name = "N")]
    pub(crate) waves: Option<NonZero<usize>>,

    /// Folder for the report and, in `slurm`, what the tasks write
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(crate) reports: PathBuf,
}

/// Arguments of `pipeline cancel`.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The study: its name or its file; or one submission of it, as STUDY/ID
    #[arg(value_name = "STUDY")]
    pub(crate) study: String,
}

/// Arguments of `pipeline status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// A submitted study: its name or its file; or one submission of it, as STUDY/ID. Without it, the runs that use the
    /// cache
    #[arg(value_name = "STUDY")]
    pub(crate) study: Option<String>,

    /// Show it again every few seconds, until it is done
    #[arg(long, requires = "study", conflicts_with = "json")]
    pub(crate) watch: bool,

    /// Wait for the next signs of life of its copies, a minute and a quarter at most, and say which gave none
    #[arg(long, requires = "study", conflicts_with_all = ["json", "watch"])]
    pub(crate) alive: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
