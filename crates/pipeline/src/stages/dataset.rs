//! `dataset`: images and labels, split into training, validation and test parts.

use engine::{Job, Output};

use super::{Failure, settings};

pub(crate) fn execute(job: &Job<'_>) -> Result<Output, Failure> {
    let bytes = datasets::prepare(&settings(job)?)?;
    let mut output = Output::default();
    output.blobs.insert("dataset".to_owned(), bytes);
    Ok(output)
}
