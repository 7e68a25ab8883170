//! `dataset`: images and labels, split into training, validation and test parts.

use datasets::Files;
use engine::{Job, Output};

use super::{Failure, settings};

pub(crate) fn execute(job: &Job<'_>) -> Result<Output, Failure> {
    let mut files = Files::new();
    for name in job.manifest().inputs().keys() {
        files.insert(name.clone(), job.read(name)?);
    }
    let bytes = datasets::prepare(&settings(job)?, &files)?;
    let mut output = Output::default();
    output.blobs.insert("dataset".to_owned(), bytes.into());
    Ok(output)
}
