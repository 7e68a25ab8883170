//! `pipeline init`: a study that runs, to start from.

use std::fs::File;
use std::io::{ErrorKind, Write as _};

use crate::cli::Init;
use crate::{DONE, Failure};

/// What it writes.
const STUDY: &str = include_str!("init.yaml");

pub(crate) fn init(arguments: &Init) -> Result<u8, Failure> {
    let file = &arguments.file;
    let mut new = match File::create_new(file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::Usage(format!(
                "{} is there already; give another name: `pipeline init FILE`",
                file.display()
            )));
        }
        new => new?,
    };
    new.write_all(STUDY.as_bytes())?;
    outln!("{}", file.display());
    errln!("run it with `pipeline run {}`", file.display());
    Ok(DONE)
}
