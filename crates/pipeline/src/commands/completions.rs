//! `pipeline completions`: a script that completes the command line in a shell.

use clap::CommandFactory as _;

use crate::cli::{Cli, Completions};
use crate::output::out;
use crate::{DONE, Failure};

#[expect(clippy::unnecessary_wraps, reason = "as every command")]
pub(crate) fn completions(arguments: &Completions) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "pipeline",
        &mut script,
    );
    out(script);
    Ok(DONE)
}
