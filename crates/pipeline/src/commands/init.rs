//! `pipeline init`: a study that runs, to start from, or one of the examples that are part of the program.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::Init;
use crate::{DONE, Failed, Failure, Usage};

/// A study of `pipelines/` that needs no data from elsewhere.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    study: &'static str,
    /// Files that it reads: where they lie beside it, and what is in them.
    files: &'static [(&'static str, &'static str)],
}

/// They are also in `pipelines/`, under these names.
pub(crate) const EXAMPLES: [Example; 4] = [
    Example {
        name: "quickstart",
        about: "SGD against K-FAC on handwritten digits, 1,700 small networks, a minute",
        study: include_str!("../../../../pipelines/quickstart.yaml"),
        files: &[],
    },
    Example {
        name: "digits-cnn",
        about: "The same with a small CNN with BatchNorm, a few minutes",
        study: include_str!("../../../../pipelines/digits-cnn.yaml"),
        files: &[],
    },
    Example {
        name: "optimizers",
        about: "How six optimisers scale with the batch size, 630 small networks, half a minute",
        study: include_str!("../../../../pipelines/optimizers.yaml"),
        files: &[],
    },
    Example {
        name: "pytorch",
        about: "A training program of your own: a PyTorch script (python3 with torch), some minutes",
        study: include_str!("../../../../pipelines/pytorch.yaml"),
        files: &[(
            "pytorch/train.py",
            include_str!("../../../../pipelines/pytorch/train.py"),
        )],
    },
];

/// What it writes without an example.
const STUDY: &str = include_str!("init.yaml");

pub(crate) fn init(arguments: &Init) -> Result<u8, Failure> {
    if arguments.list {
        for example in &EXAMPLES {
            outln!("{:<12}{}", example.name, example.about);
        }
        return Ok(DONE);
    }
    let name = arguments.example.as_deref();
    let example = EXAMPLES.iter().find(|example| Some(example.name) == name);
    let (default, study, beside) = match example {
        Some(example) => (example.name, example.study, example.files),
        None => ("study", STUDY, &[][..]),
    };
    let file = arguments.file.clone();
    let file = file.unwrap_or_else(|| PathBuf::from(format!("{default}.yaml")));
    let folder = file.parent().unwrap_or(Path::new(""));
    let beside = beside.iter().map(|(path, text)| (folder.join(path), *text));
    let files: Vec<_> = [(file.clone(), study)].into_iter().chain(beside).collect();
    if let Some((there, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(is_there(there));
    }
    for (path, text) in &files {
        write(path, text)?;
        outln!("{}", path.display());
    }
    errln!("run it with `pipeline run {}`", file.display());
    Ok(DONE)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| match error {
        error if std::io::Error::kind(&error) == ErrorKind::AlreadyExists => is_there(path),
        error => Failed::file("write", path)(error).into(),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

fn is_there(path: &Path) -> Failure {
    Usage::IsThere {
        path: path.to_owned(),
    }
    .into()
}
