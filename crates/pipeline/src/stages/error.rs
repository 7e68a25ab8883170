//! Why a stage failed, where no crate below says it.

use std::path::PathBuf;

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The cache names a kind of stage that this build does not have.
    #[error("this version of the program has no stage kind `{kind}`")]
    UnknownKind { kind: String },
    /// The settings are of another version of the kind.
    #[error("the settings of the stage cannot be read: {0}")]
    Settings(serde_json::Error),
    /// A table that a report includes is of another version.
    #[error("the table of `{stage}` cannot be read: {error}")]
    Table {
        stage: String,
        error: serde_json::Error,
    },
    /// A report is asked for, and the result is of another kind of stage.
    #[error("this result is not that of a report: it has no report table")]
    NoReportTable,
    /// A report's table is of another version of the program.
    #[error("{0}; run its study again with this version to compare the two")]
    OtherReport(analysis::report::ReadError),

    /// A shell line has a pipe, and only bash says that a program before a pipe failed.
    #[error(
        "`run` has a pipe, and there is no bash on this machine: other shells take a failure before the pipe for a \
         success. Install bash, or write the line to a file and run that"
    )]
    NoBash,
    /// `run` is an empty list.
    #[error("`run` is empty: name a program")]
    NoProgram,
    /// The system does not start the program.
    #[error("cannot start `{program}`: {why}")]
    NotStarted { program: String, why: NotStarted },
    /// The shell that watches over programs does not start.
    #[error("cannot start /bin/sh, which every command needs: {0}")]
    NoShell(std::io::Error),
    /// The program ended with another exit code than 0.
    #[error("the program ended with exit code {code}{hint}")]
    Ended {
        code: i32,
        /// What that often means.
        hint: &'static str,
    },
    /// The program was killed.
    #[error("the program was killed by signal {signal}{hint}")]
    Killed {
        signal: i32,
        /// What that often means.
        hint: &'static str,
    },
    /// `from_env` names a variable that is not set.
    #[error(
        "the environment of `pipeline` has no variable `{from}`, which `environment` takes `{name}` from; set it and \
         run again"
    )]
    NoVariable { from: String, name: String },

    /// A declared output is not there.
    #[error("the program did not write `{name}`, which is declared")]
    NotWritten { name: String },
    /// A declared file is a folder.
    #[error("`{name}` is a folder; an output that is a folder is declared as `{name}/`")]
    IsAFolder { name: String },
    /// A declared folder is a file.
    #[error("`{name}/` is declared as a folder but is a file; declare it as `{name}`")]
    IsAFile { name: String },
    /// An output is a link, a socket or the like.
    #[error("`{name}` is neither a file nor a folder; links are not kept")]
    NeitherFileNorFolder { name: String },
    /// The program left files that the study does not name.
    #[error(
        "the program left files that are not declared: {files}; name them under `outputs`, or what is not to be kept \
         under `discard`, or write that to $TMPDIR"
    )]
    Undeclared { files: String },
    /// A name in an output folder is not UTF-8.
    #[error("the name of `{}` is not UTF-8, and cannot be kept", path.display())]
    NotUtf8 { path: PathBuf },
    /// A file with curves cannot be read.
    #[error("cannot read the curves in `{name}`: {error}")]
    Log { name: String, error: std::io::Error },
    /// A file with curves is too long to be read as a whole.
    #[error("`{name}` has {gigabytes:.1} GB, too many for a curve; log fewer rows")]
    LongLog { name: String, gigabytes: f64 },

    /// The weights that the study gives do not fit the network.
    #[error("`initial_weights`: {0}")]
    InitialWeights(training::Error),
    /// A diverged run has no weights.
    #[error("the run diverged at step {step}; it has no weights to export")]
    NoWeights { step: u64 },
    /// Weights are exported from a run's last checkpoint.
    #[error(
        "the run's last checkpoint was not kept, or is gone; `pipeline run --checkpoint-worth 0` with another `--cache` \
         trains again and keeps it"
    )]
    NoLastCheckpoint,
    /// The record of a training run lacks what every run has.
    #[error("the result is not that of a training run: it has no {lacks}")]
    NotARun { lacks: &'static str },
}

/// Why a program does not start, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStarted {
    /// A script among the inputs names a program in its first line that is not there.
    #[error("{0}; it is there, but what its first line (`#!`) names is not")]
    NoInterpreter(std::io::Error),
    /// A path from the root of the file system leads to nothing.
    #[error("{0}; there is no such file on this machine")]
    NotOnMachine(std::io::Error),
    /// A path in the working folder leads to nothing.
    #[error("{0}; there is no such file among the inputs of the stage")]
    NotAnInput(std::io::Error),
    /// An input is named without a path, and programs without one are looked for on PATH.
    #[error("there is no such program on PATH; the input of that name is `./{program}`")]
    InputWithoutPath { program: String },
    /// A program is nowhere.
    #[error(
        "there is no such program on PATH; to run a script, name it under `inputs` and write `./{program}`"
    )]
    NotOnPath { program: String },
    /// A file lacks the permission to be executed.
    #[error("{0}; it is not a program, or may not be executed here")]
    NotExecutable(std::io::Error),
    /// A script does not say what runs it.
    #[error(
        "{0}; give it a first line such as `#!/usr/bin/env python3`, or write `[python3, SCRIPT]`"
    )]
    NoFirstLine(std::io::Error),
    /// The system refuses for another reason.
    #[error("{0}")]
    Other(std::io::Error),
}
