//! `download`: a file of a data set, from the web.
//!
//! The address is a setting, so a file that moved is fetched again; its contents are the same, and what reads them is
//! not run again.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use datasets::{Patience, Received};
use engine::{Job, Output, Progress};
use serde::Deserialize;

use super::{Failure, settings};

/// Settings of kind `download`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The address of the file.
    url: String,
    /// SHA-256 of its contents, 64 lower-case hexadecimal digits.
    sha256: String,
}

pub(crate) fn execute(job: &Job<'_>) -> Result<Output, Failure> {
    let Settings { url, sha256 } = settings(job)?;
    let mut observe = |received: Received| {
        job.progress(|| Progress {
            done: received.bytes,
            total: received.of.unwrap_or(0),
            text: megabytes(received),
        });
    };
    let (partial, patience) = (partial(job)?, Patience::default());
    let mut file = datasets::download(&url, &sha256, &partial, patience, &mut observe)?;
    let contents = job.store_output(|output| {
        io::copy(&mut file, output)?;
        Ok::<_, Failure>(())
    })?;
    let mut output = Output::default();
    output.blobs.insert("file".to_owned(), contents);
    Ok(output)
}

/// Where bytes are kept until they are complete. What another user of the cache has begun may be no other's to go on with.
fn partial(job: &Job<'_>) -> Result<PathBuf, Failure> {
    let partial = job.unfinished()?;
    match File::options().append(true).open(&partial) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let user = rustix::process::getuid().as_raw();
            let mut own = partial.into_os_string();
            own.push(format!("-{user}"));
            Ok(own.into())
        }
        _ => Ok(partial),
    }
}

/// `12.5 of 170.1 MB`.
fn megabytes(received: Received) -> String {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let got = megabytes(received.bytes);
    match received.of {
        Some(all) => format!("{got:.1} of {:.1} MB", megabytes(all)),
        None => format!("{got:.1} MB"),
    }
}
