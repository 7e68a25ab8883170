//! What a run did as it went, so that others can see it and gc knows what it needs.
//!
//! ```text
//! v1/run/<study>/<start>-<pid>
//! 0f3c5a7e91b2d4c6 {"run":{"study":"quickstart","host":"here","pid":4711,...}}
//! 5ad0...          {"began":{"stage":"kfac/...","key":"5c3a..."}}
//! ```
//!
//! Lines are only appended, each with a checksum of its own, so that a line which a crash cut short
//! is no line. The file is locked as long as its engine lives: one that is free and has no `ended`
//! line was killed. Its results are what gc keeps until a later run of the study ends.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use read::Run;
pub(crate) use read::{paths, read};
pub(crate) use write::Journal;

use crate::Digest;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first one.
    Run(Begin),
    /// A worker has begun.
    Began { stage: String, key: Digest, at: u64 },
    /// A result was there that the last run of the study did not have.
    Cached { stage: String, key: Digest },
    /// A result was published.
    Ran {
        stage: String,
        key: Digest,
        seconds: f64,
    },
    /// A stage failed.
    Failed { stage: String, error: String },
    /// The last one.
    Ended(End),
    /// One that another build wrote and this one has no use for.
    #[serde(skip)]
    Foreign,
}

/// How a run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// The name of the study.
    pub study: String,
    /// The machine.
    pub host: String,
    /// The engine's process there.
    pub pid: u32,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Stages in all.
    pub stages: usize,
    /// Stages whose result was there.
    pub cached: usize,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Stages that ran.
    pub ran: usize,
    /// Stages whose result was there.
    pub cached: usize,
    /// Stages that failed.
    pub failed: usize,
    /// Stages skipped because of them.
    pub skipped: usize,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

fn seal(line: &Line) -> Vec<u8> {
    let json = serde_json::to_string(line).expect("a line has string keys only");
    format!("{} {json}\n", checksum(json.as_bytes())).into_bytes()
}

fn open(line: &[u8]) -> Option<Line> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, json) = line.split_at_checked(17)?;
    let sound = sum[16] == b' ' && checksum(json).as_bytes() == &sum[..16];
    sound.then(|| serde_json::from_slice(json).unwrap_or(Line::Foreign))
}

/// A crash may cut a line; it does not put something else where the line ended.
fn lacks_only_its_end(line: &[u8]) -> bool {
    line.split_last().is_some_and(|(_, line)| {
        let mut whole = line.to_vec();
        whole.push(b'\n');
        open(&whole).is_some()
    })
}

fn checksum(json: &[u8]) -> String {
    let mut sum = Digest::of(json).to_string();
    sum.truncate(16);
    sum
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
