//! Which checkpoints of training runs are kept, as the command line says it.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use engine::Keep;
use study::Size;

/// Checkpoints of training runs, to go on from. What is not said here the site file may say.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_field_names, reason = "the names of the options")]
pub(crate) struct Checkpoints {
    /// Which checkpoints of training runs to keep, for crashes and longer budgets: `none`; `running`, the newest one of a
    /// run while it runs; `last`, also its last one; `segments`, also those before drops of the learning rate [default:
    /// segments]
    #[arg(long, value_name = "WHICH", value_parser = PossibleValuesParser::new(Keep::ALL.map(Keep::name)))]
    pub(crate) keep_checkpoints: Option<String>,

    /// Seconds between checkpoints, which a crash costs at most [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) checkpoint_every: Option<Duration>,

    /// Keep no checkpoint that saves less than this many seconds of training [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) checkpoint_worth: Option<Duration>,

    /// Space for checkpoints in the cache, such as 50G or 500M; beyond it, those of finished runs are deleted, the
    /// oldest first [default: 20G]
    #[arg(long, value_name = "SIZE")]
    pub(crate) checkpoint_space: Option<Size>,
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
