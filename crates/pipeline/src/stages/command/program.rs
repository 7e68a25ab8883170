//! The program of a stage: how it is started, and what is said where it does not start or does not end well.

use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use super::{Error, Run};
use crate::stages::error::NotStarted;

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

/// Why a program does not start.
pub(super) fn not_started(program: &str, work: &Path, error: io::Error) -> Error {
    let is_input = work.join(program).is_file();
    let is_path = program.contains('/');
    let why = match error.kind() {
        ErrorKind::NotFound if is_path && is_input => NotStarted::NoInterpreter(error),
        ErrorKind::NotFound if program.starts_with('/') => NotStarted::NotOnMachine(error),
        ErrorKind::NotFound if is_path => NotStarted::NotAnInput(error),
        ErrorKind::NotFound if is_input => NotStarted::InputWithoutPath {
            program: program.to_owned(),
        },
        ErrorKind::NotFound => NotStarted::NotOnPath {
            program: program.to_owned(),
        },
        ErrorKind::PermissionDenied => NotStarted::NotExecutable(error),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            NotStarted::NoFirstLine(error)
        }
        _ => NotStarted::Other(error),
    };
    Error::NotStarted {
        program: program.to_owned(),
        why,
    }
}

/// How a program ended that did not end well.
pub(super) fn ended(run: &Run, status: ExitStatus) -> Error {
    const KILLED: &str = " (killed: often there was too little memory)";
    let is_line = matches!(run, Run::Shell(_));
    let is_piped = matches!(run, Run::Shell(line) if has_pipe(line));
    let Some(code) = status.code() else {
        // A program that has not exited was killed.
        let signal = status.signal().unwrap_or_default();
        return Error::Killed {
            signal,
            hint: if signal == 9 { KILLED } else { "" },
        };
    };
    Error::Ended {
        code,
        hint: match code {
            127 if is_line => {
                " (the shell found no such program; one among the inputs is written `./NAME`)"
            }
            141 if is_piped => {
                " (what stands behind a pipe stopped reading, as `head` does; where that is fine write `(PROGRAM || true) | head`)"
            }
            137 => KILLED,
            _ => "",
        },
    }
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
