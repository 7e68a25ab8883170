//! Arguments of `pipeline cache`, `pipeline status` and `pipeline logs`.

use std::time::Duration;

use clap::{Args, Subcommand};
use study::Size;

use super::StudyFile;

/// The subcommands of `pipeline cache`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// List the studies on the cache and the pins, or the results of one study
    List(List),
    /// Say how much of the cache is what
    Du(AsJson),
    /// Read the whole cache and set aside what is damaged
    Verify(AsJson),
    /// Say what may be deleted and why; delete it with --delete
    Gc(Gc),
    /// Keep the results that a study has now, under a name
    Pin(Pin),
    /// Keep them no longer
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

    #[command(flatten)]
    pub(crate) format: AsJson,
}

/// Arguments of `pipeline cache gc`.
///
/// What a study had when it last ran, and what a pin names, is never deleted.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// Results of no study that are older: 30d, 12h, 2w [default: 30d, unless --max-size is given]
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<Duration>,

    /// The oldest results of no study, until the cache is no larger: 50G, 500M
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<Size>,

    /// Treat the results of this study, by its name, like those of none
    #[arg(long, value_name = "NAME")]
    pub(crate) forget: Vec<String>,

    /// Checkpoints of training runs that are done too: nothing goes on from them then
    #[arg(long)]
    pub(crate) checkpoints: bool,

    /// Delete, instead of only saying what would be
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
    /// The pin
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Arguments of `pipeline logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) file: StudyFile,

    /// The stage: its whole name (`kfac/batch_size=16,...`) or a part of it
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
        _ => return Err("the units are m, h, d and w, as in 30d".to_owned()),
    };
    let number = number
        .parse::<f64>()
        .map_err(|_| "not a number and a unit, as 30d is".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
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
