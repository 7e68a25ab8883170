//! `pipeline completions`: a script that completes the command line in a shell.

use clap::CommandFactory as _;

use crate::cli::{Cli, Completions};
use crate::{DONE, Failure};

pub(crate) fn completions(arguments: &Completions) -> Result<u8, Failure> {
    // First to memory: what the reader of a pipe leaves unread is no bug.
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "pipeline",
        &mut script,
    );
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(DONE)
}
