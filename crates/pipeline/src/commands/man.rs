//! `pipeline man`: a manual page for each command.

use clap::CommandFactory as _;

use crate::cli::{Cli, Man};
use crate::{DONE, Failure};

pub(crate) fn man(arguments: &Man) -> Result<u8, Failure> {
    std::fs::create_dir_all(&arguments.folder)?;
    clap_mangen::generate_to(
        Cli::command()
            .disable_help_subcommand(true)
            // The long one is of this machine.
            .long_version(None),
        &arguments.folder,
    )?;
    Ok(DONE)
}
