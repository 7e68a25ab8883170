//! Output that nobody reads, or that cannot be written.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Output, Stdio};

use crate::lab::{Lab, TINY, stderr};

/// As a shell has it: 128 and this signal make 141.
const SIGPIPE: i32 = 13;

/// A pipe whose reader has gone, as `head` has once it has read enough.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn with_stdout(lab: &Lab, arguments: &[&str], stdout: Stdio) -> Output {
    let mut command = lab.command(arguments);
    command.stdout(stdout).stderr(Stdio::piped());
    command
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("the binary starts")
}

#[test]
fn a_reader_that_leaves_ends_every_command_quietly() {
    let lab = Lab::new(TINY);
    lab.run();
    for arguments in [
        &["check", "study.yaml"][..],
        &["plan", "study.yaml"],
        &["plan", "study.yaml", "--json"],
        &["run", "--dry-run", "study.yaml"],
        &["explain", "study.yaml", "targets"],
        &["graph", "study.yaml"],
        &["graph", "study.yaml", "--format", "svg"],
        &["report", "study.yaml"],
        &["status"],
        &["cache", "list"],
        &["cache", "list", "study.yaml"],
        &["cache", "du"],
        &["cache", "gc"],
        &["cache", "verify", "--json"],
        &["cache", "pin", "study.yaml"],
        &["schema"],
        &["completions", "bash"],
    ] {
        let output = with_stdout(&lab, arguments, unread());
        assert_eq!(output.status.signal(), Some(SIGPIPE), "{arguments:?}");
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}

#[test]
fn a_run_that_nobody_reads_ends_and_the_next_one_goes_on() {
    let lab = Lab::new(TINY);
    let mut run = lab.command(&["run", "--verbose", "study.yaml"]);
    run.stdout(Stdio::piped()).stderr(unread());
    let output = run.output().expect("the binary starts");
    assert_eq!(output.status.signal(), Some(SIGPIPE));
    assert!(output.stdout.is_empty());
    lab.run();
    assert!(lab.run().names.is_empty());
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let full = || {
        Stdio::from(
            File::options()
                .write(true)
                .open("/dev/full")
                .expect("it is there"),
        )
    };
    let lab = Lab::new(TINY);
    let output = with_stdout(&lab, &["check", "study.yaml"], full());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "error: cannot write to stdout: No space left on device (os error 28)\n"
    );
    // What a run says of itself is worth less than the run.
    let mut run = lab.command(&["run", "study.yaml"]);
    let run = run.stdout(Stdio::piped()).stderr(full()).output();
    let run = run.expect("the binary starts");
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(run.stdout, b"reports/tiny.html\n");
}
