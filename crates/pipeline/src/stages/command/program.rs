//! The program of a stage: how it is started, and what is said where it does not start or does not end well.

use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use super::{Error, Run};

/// Where a shell is that knows `pipefail`.
const BASH: [&str; 4] = [
    "/bin/bash",
    "/usr/bin/bash",
    "/usr/local/bin/bash",
    "/run/current-system/sw/bin/bash",
];

/// The program with its arguments.
///
/// # Errors
/// If a line has a pipe and no shell here tells that what stands before it failed.
pub(super) fn command(run: &Run) -> Result<Command, Error> {
    Ok(match run {
        Run::Shell(line) if has_pipe(line) => {
            let bash = BASH.into_iter().find(|bash| Path::new(bash).exists());
            let mut shell = Command::new(bash.ok_or(Error::NoBash)?);
            shell.args(["-e", "-o", "pipefail", "-c", line]);
            shell
        }
        Run::Shell(line) => {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-e", "-c", line]);
            shell
        }
        Run::Program(line) => {
            let (program, arguments) = line.split_first().ok_or(Error::NoProgram)?;
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
    })
}

/// Whether a line may have a pipe: a `|` that is not half of `||`. One in quotes counts: it costs another shell.
fn has_pipe(line: &str) -> bool {
    line.replace("||", "").contains('|')
}

/// Why a program does not start, and what to do.
pub(super) fn not_started(program: &str, work: &Path, error: &io::Error) -> Error {
    let is_input = work.join(program).is_file();
    let missing = "there is no such program on PATH";
    let why = match error.kind() {
        ErrorKind::NotFound if program.contains('/') && is_input => {
            format!("{error}; it is there, but what its first line (`#!`) names is not")
        }
        ErrorKind::NotFound if program.contains('/') && program.starts_with('/') => {
            format!("{error}; there is no such file on this machine")
        }
        ErrorKind::NotFound if program.contains('/') => {
            format!("{error}; there is no such file among the inputs of the stage")
        }
        ErrorKind::NotFound if is_input => {
            format!("{missing}; the input of that name is `./{program}`")
        }
        ErrorKind::NotFound => {
            format!("{missing}; to run a script, name it under `inputs` and write `./{program}`")
        }
        ErrorKind::PermissionDenied => {
            format!("{error}; it is not a program, or may not be executed here")
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            format!(
                "{error}; give it a first line such as `#!/usr/bin/env python3`, or write `[python3, SCRIPT]`"
            )
        }
        _ => error.to_string(),
    };
    Error::NotStarted {
        program: program.to_owned(),
        why,
    }
}

/// How a program ended that did not end well.
pub(super) fn in_words(run: &Run, status: ExitStatus) -> String {
    let (code, signal) = (status.code(), status.signal());
    let mut said = match (code, signal) {
        (Some(code), _) => format!("the program ended with exit code {code}"),
        (None, Some(signal)) => format!("the program was killed by signal {signal}"),
        (None, None) => format!("the program ended: {status}"),
    };
    let line = matches!(run, Run::Shell(_));
    let piped = matches!(run, Run::Shell(line) if has_pipe(line));
    said.push_str(match (code, signal) {
        (Some(127), _) if line => {
            " (the shell found no such program; one among the inputs is written `./NAME`)"
        }
        (Some(141), _) if piped => {
            " (what stands behind a pipe stopped reading, as `head` does; where that is fine write `(PROGRAM || true) | head`)"
        }
        (Some(137), _) | (_, Some(9)) => " (killed: often there was too little memory)",
        _ => "",
    });
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_not_an_or() {
        for line in ["a | b", "a|b", "a || b | c", "a |& b"] {
            assert!(has_pipe(line), "{line}");
        }
        for line in ["a || b", "a; b", "a && b > c"] {
            assert!(!has_pipe(line), "{line}");
        }
    }
}
