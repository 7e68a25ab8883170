//! Arguments of `pipeline cache`, `pipeline status` and `pipeline logs`.

use std::time::Duration;

use clap::{Args, Subcommand};

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
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<u64>,

    /// Treat the results of this study, by its name, like those of none
    #[arg(long, value_name = "NAME")]
    pub(crate) forget: Vec<String>,

    /// Kept states of training runs that are done too: nothing goes on from them then
    #[arg(long)]
    pub(crate) states: bool,

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

/// `50G`: bytes, with a factor of 1024 for each letter of K, M, G, T.
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim_end_matches("iB").trim_end_matches('B');
    let (number, factor) = match text.char_indices().next_back() {
        Some((at, letter)) if letter.is_alphabetic() => {
            let power = match letter.to_ascii_uppercase() {
                'K' => 1,
                'M' => 2,
                'G' => 3,
                'T' => 4,
                _ => return Err("the units are K, M, G and T".to_owned()),
            };
            (&text[..at], 1024_f64.powi(power))
        }
        _ => (text, 1.0),
    };
    Ok((positive(number, "50G")? * factor) as u64)
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
    Duration::try_from_secs_f64(positive(number, "30d")? * seconds)
        .map_err(|error| error.to_string())
}

fn positive(number: &str, example: &str) -> Result<f64, String> {
    let parsed = number.parse::<f64>().ok();
    parsed
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| format!("not a number and a unit, as {example} is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_read_as_people_write_them() {
        assert_eq!(size("50G"), Ok(50 << 30));
        assert_eq!(size("1.5k"), Ok(1536));
        assert_eq!(size("200MiB"), Ok(200 << 20));
        assert_eq!(size("12"), Ok(12));
        assert_eq!(age("30d"), Ok(Duration::from_hours(720)));
        assert_eq!(age("90m"), Ok(Duration::from_mins(90)));
        for bad in ["", "G", "-5G", "5X", "NaN", "infG"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for bad in ["", "30", "d", "-1d", "1y", "1e300w"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
