//! How a run shares work with other machines, as the command line says it.

use std::time::Duration;

use clap::Args;

use super::checkpoints::seconds;

/// A part of a study, which other copies of the program complete.
#[derive(Debug, Clone, Args)]
pub(crate) struct Part {
    /// Take part in a frozen plan of the remote (`pipeline plan STUDY --freeze` makes one): STUDY/ID, ID, or STUDY for its
    /// newest one. No study file and no input files are needed
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: Option<String>,

    /// Start no `train` and no `command` stage: they are left to others
    #[arg(long)]
    pub(crate) no_train: bool,

    /// Train even if the device here is of another class than the plan was frozen for; devices are then mixed
    #[arg(long, requires = "plan", conflicts_with = "no_train")]
    pub(crate) any_device: bool,
}

/// Other copies of the program, on other machines, that run the same study on one remote.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sharing {
    /// With a remote: how many seconds a copy with nothing to do waits for runs of other copies that may lead to further
    /// runs, and for a remote that does not answer [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) linger: Option<Duration>,

    /// Seconds between two signs of life of a copy, for tests
    #[arg(long, value_name = "SECONDS", value_parser = seconds, hide = true)]
    pub(crate) remote_beat: Option<Duration>,

    /// Seconds without a sign of life after which a copy is gone, for tests; the same for all copies
    #[arg(long, value_name = "SECONDS", value_parser = seconds, hide = true)]
    pub(crate) remote_ttl: Option<Duration>,
}
