//! Which states of training runs are kept, as the command line says it.

use std::time::Duration;

use clap::{Args, ValueEnum};
use engine::Keep;

/// States of training runs, to go on from.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Keeping {
    /// States of training runs that are kept, to go on from after a crash or with a longer budget
    /// [default: segments]
    #[arg(long, value_name = "WHICH")]
    pub(crate) keep_states: Option<States>,

    /// Seconds of training that a crash may cost [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) keep_every: Option<Duration>,

    /// Seconds of training below which a state is not worth keeping [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) keep_worth: Option<Duration>,
}

/// Which states are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum States {
    /// None
    Nothing,
    /// The newest of each run until it is done
    WhileRunning,
    /// The newest of each run, and its last
    Last,
    /// These, and those before each drop of the learning rate
    Segments,
}

impl Keeping {
    /// What holds, where nothing is said the default.
    pub(crate) fn resolve(self) -> engine::Keeping {
        let default = engine::Keeping::default();
        engine::Keeping {
            what: self.keep_states.map_or(default.what, |which| match which {
                States::Nothing => Keep::Nothing,
                States::WhileRunning => Keep::WhileRunning,
                States::Last => Keep::Last,
                States::Segments => Keep::Segments,
            }),
            every: self.keep_every.unwrap_or(default.every),
            worth: self.keep_worth.unwrap_or(default.worth),
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
