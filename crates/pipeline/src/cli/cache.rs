//! Arguments of `pipeline cache`, `pipeline status` and `pipeline logs`.

use std::time::Duration;

use clap::{Args, Subcommand};
use study::Size;

use super::StudyFile;

/// The subcommands of `pipeline cache`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// List the studies in the cache and the pins, or the results of one study
    List(List),
    /// Show what takes how much space in the cache
    Du(AsJson),
    /// Read the whole cache, and move damaged files aside
    Verify(Verify),
    /// Bring results from the cache to the remote: those of a study, or all
    Push(Moving),
    /// Bring results from the remote into the cache, with all their outputs: those of a study, or all
    Pull(Moving),
    /// Show what can be deleted and why; `--delete` deletes it
    Gc(Gc),
    /// Protect the present results of a study from deletion, under a name
    Pin(Pin),
    /// Remove this protection
    Unpin(Unpin),
}

/// Text or JSON.
#[derive(Debug, Args)]
pub(crate) struct AsJson {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `pipeline cache list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// A study: its name, or its file
    #[arg(value_name = "STUDY")]
    pub(crate) study: Option<String>,

    /// Count what the remote holds, too
    #[arg(long)]
    pub(crate) in_remote: bool,

    #[command(flatten)]
    pub(crate) format: AsJson,
}

/// Arguments of `pipeline cache verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Read the remote instead, all of it, and change nothing there
    #[arg(long)]
    pub(crate) in_remote: bool,

    #[command(flatten)]
    pub(crate) format: AsJson,
}

/// Arguments of `pipeline cache push` and `pipeline cache pull`.
#[derive(Debug, Args)]
pub(crate) struct Moving {
    /// A study: its file, or the name of one that ran on this cache [default: all results]
    #[arg(value_name = "STUDY")]
    pub(crate) study: Option<String>,

    /// Replace a value of the study's file, as in `kfac.train.budget.epochs=5`; `null` removes a key. May be given several
    /// times
    #[arg(long, value_name = "PATH=VALUE", requires = "study")]
    pub(crate) set: Vec<String>,

    #[command(flatten)]
    pub(crate) format: AsJson,
}

/// Arguments of `pipeline cache gc`.
///
/// What a study had when it last ran, and what a pin names, is never deleted.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub(crate) struct Gc {
    /// Look at the remote instead. There plans, and what copies had when they left, keep results, too; so do the studies
    /// and pins of this cache
    #[arg(long)]
    pub(crate) in_remote: bool,

    /// Delete nothing in the remote that was written within this time, because a copy may be about to use it [default: 7d]
    #[arg(long, value_name = "AGE", value_parser = grace, requires = "in_remote")]
    pub(crate) grace: Option<Duration>,

    /// Delete results that no study uses and that are older than this: 30d, 12h, 2w [default: 30d, unless --max-size is
    /// given]
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<Duration>,

    /// Delete results that no study uses, the oldest first, until the cache has at most this size: 50G, 500M
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<Size>,

    /// Treat the results of the study of this name as if no study used them
    #[arg(long, value_name = "NAME")]
    pub(crate) forget: Vec<String>,

    /// Delete the checkpoints of finished training runs too; longer budgets then train from the beginning. In a remote they
    /// go in any case
    #[arg(long, conflicts_with = "in_remote")]
    pub(crate) checkpoints: bool,

    /// Delete, instead of only showing what would be deleted
    #[arg(long)]
    pub(crate) delete: bool,

    /// Name every file
    #[arg(short, long)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) format: AsJson,
}

/// Arguments of `pipeline cache pin`.
#[derive(Debug, Args)]
pub(crate) struct Pin {
    /// The study: its name, or its file
    #[arg(value_name = "STUDY")]
    pub(crate) study: String,

    /// Name of the pin [default: the study's]
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Arguments of `pipeline cache unpin`.
#[derive(Debug, Args)]
pub(crate) struct Unpin {
    /// The name of the pin
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Arguments of `pipeline logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// The stage: its full name (`kfac/batch_size=16,...`) or a part of it
    #[arg(value_name = "STAGE")]
    pub(crate) stage: String,
}

/// `30d`: minutes, hours, days or weeks.
fn age(text: &str) -> Result<Duration, String> {
    let (number, seconds) = match text.char_indices().next_back() {
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        Some((at, 'd')) => (&text[..at], 86_400.0),
        Some((at, 'w')) => (&text[..at], 604_800.0),
        _ => return Err("expected a number and a unit (m, h, d or w), as in 30d".to_owned()),
    };
    let number = number
        .parse::<f64>()
        .map_err(|_| "expected a number and a unit, as in 30d".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

/// An age that no copy at work reaches between two signs of life.
fn grace(text: &str) -> Result<Duration, String> {
    let grace = age(text)?;
    if grace < Duration::from_hours(1) {
        return Err("an hour is the least, because copies may be at work".to_owned());
    }
    Ok(grace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_people_write_them() {
        assert_eq!(age("30d"), Ok(Duration::from_hours(720)));
        assert_eq!(age("90m"), Ok(Duration::from_mins(90)));
        for bad in ["", "30", "d", "-1d", "1y", "1e300w", "NaNd", "infd"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
