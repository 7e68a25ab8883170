//! `command`: any program, in a folder of its own.
//!
//! The folder holds the declared inputs and nothing else; afterwards the declared outputs must be there, and
//! nothing else. The program and its children are a process group that ends with the worker; should one of them
//! leave it, it still holds the lock on the stage's log, and no second run begins beside it.

mod folder;
mod guard;
mod program;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use engine::{Contents, Job, Output};
use runs::Logged;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, Failure, settings};
use guard::Guard;

/// How many undeclared files a message names.
const NAMED: usize = 5;

/// Bytes of a file with curves at most.
const LONGEST_LOG: u64 = 1 << 30;

/// What a program sees of this one's environment.
const KEPT: [&str; 6] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "CUDA_VISIBLE_DEVICES",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    run: Run,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Variables whose values are taken from the environment here, by the names that they have there.
    #[serde(default)]
    from_env: BTreeMap<String, String>,
    /// Paths in the working folder; a folder's ends in `/`.
    #[serde(default)]
    outputs: BTreeMap<String, String>,
    /// Paths that are not kept.
    #[serde(default)]
    discard: Vec<String>,
    /// Inputs that are folders, kept as tar files.
    #[serde(default)]
    folders: Vec<String>,
    curve: Option<Logged>,
}

impl Settings {
    /// Whether a path is, or lies in, one of those that are not kept.
    fn discards(&self, path: &str) -> bool {
        self.discard.iter().any(|discarded| {
            let discarded = discarded.trim_end_matches('/');
            path.strip_prefix(discarded)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// What a file with curves that is there already would be read as: the first rows, or what is wrong with it.
pub(crate) fn preview(
    stage: &Map<String, Value>,
    folder: &Path,
) -> Result<Option<Vec<String>>, Failure> {
    let settings: Settings = super::parse(stage)?;
    let curve = settings.curve.filter(|curve| {
        let mut paths = curve.paths();
        paths.all(|path| folder.join(path).is_file())
    });
    let read = |path: &str| log(path, &folder.join(path));
    curve.map(|curve| curve.preview(read)).transpose()
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Run {
    Shell(String),
    Program(Vec<String>),
}

/// Runs programs; lives as long as its worker process.
#[derive(Default)]
pub(crate) struct Commander {
    guard: Option<Guard>,
}

impl Commander {
    pub(crate) fn execute(&mut self, job: &Job<'_>) -> Result<Output, Failure> {
        let settings: Settings = settings(job)?;
        let guard = match &mut self.guard {
            Some(guard) => guard,
            none => none.insert(Guard::start()?),
        };
        let (work, temporary) = guard.folders()?;
        let done = in_folder(job, &settings, guard, &work, &temporary);
        // What a program that failed has left may be large.
        let left = guard.leave(done.as_ref().map_or(u64::MAX, |(_, bytes)| *bytes));
        let (output, _) = done?;
        left?;
        Ok(output)
    }
}

/// Gives the output, and at most how many bytes the folder holds.
fn in_folder(
    job: &Job<'_>,
    settings: &Settings,
    guard: &mut Guard,
    work: &Path,
    temporary: &Path,
) -> Result<(Output, u64), Failure> {
    let read = lay_out(job, settings, work)?;
    let environment = environment(job, settings, temporary);
    let status = guard.run(
        program::command(&settings.run)?
            .current_dir(work)
            .env_clear()
            .envs(&environment)
            .envs(secrets(settings)?)
            .stdin(Stdio::null())
            .process_group(0),
    )?;
    if !status.success() {
        return Err(program::ended(&settings.run, status).into());
    }
    let mut output = collect(job, settings, work)?;
    output
        .provenance
        .insert("environment".to_owned(), in_text(&environment));
    let written: u64 = output.blobs.values().map(Contents::bytes).sum();
    // What is not kept may be large, too.
    let left = if settings.discard.is_empty() {
        read + written
    } else {
        u64::MAX
    };
    Ok((output, left))
}

/// Puts the inputs where the program finds them, and makes the folders that its outputs lie in. Returns the inputs'
/// length in bytes.
fn lay_out(job: &Job<'_>, settings: &Settings, work: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for name in job.manifest().inputs().keys() {
        let path = work.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        if let Some(copied) = job.copy_folder(name, &path)? {
            bytes += copied;
            continue;
        }
        let input = name.split('/').next().unwrap_or(name);
        if settings.folders.iter().any(|folder| folder == input) {
            fs::create_dir(&path)?;
            let tar = job.open(name)?;
            bytes += tar.metadata()?.len();
            folder::unpack(tar, &path)?;
        } else {
            bytes += job.copy(name, &path)?;
            // It may be a program, and nobody is to change it.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o555))?;
        }
    }
    let outputs = settings.outputs.values().map(String::as_str);
    let outputs = outputs.chain(settings.curve.iter().flat_map(Logged::paths));
    // A logger takes another name where its folder is there already.
    for path in outputs.filter(|path| !settings.discards(path)) {
        if let Some(parent) = work.join(path.trim_end_matches('/')).parent() {
            fs::create_dir_all(parent)?;
        }
    }
    Ok(bytes)
}

/// An environment as it is noted.
fn in_text(environment: &BTreeMap<String, OsString>) -> Value {
    let variables = environment.iter();
    let texts = variables.map(|(name, value)| (name.clone(), json!(value.to_string_lossy())));
    Value::Object(texts.collect())
}

/// Values need not be UTF-8: paths on other people's machines are not.
fn environment(job: &Job<'_>, settings: &Settings, temporary: &Path) -> BTreeMap<String, OsString> {
    let kept = KEPT
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?)));
    let mut environment: BTreeMap<String, OsString> = kept.collect();
    for (name, value) in [
        ("TMPDIR", temporary.into()),
        ("OMP_NUM_THREADS", job.site().threads.to_string().into()),
        // Or Python would leave `__pycache__` beside its modules.
        ("PYTHONDONTWRITEBYTECODE", "1".into()),
    ] {
        environment.insert(name.to_owned(), value);
    }
    let own = settings.environment.iter();
    environment.extend(own.map(|(name, value)| (name.clone(), value.into())));
    environment
}

/// Variables that are kept nowhere.
fn secrets(settings: &Settings) -> Result<Vec<(&String, OsString)>, Failure> {
    let of = |(name, from)| match std::env::var_os(from) {
        Some(value) => Ok((name, value)),
        None => Err(Error::NoVariable {
            from: String::clone(from),
            name: String::clone(name),
        }
        .into()),
    };
    settings.from_env.iter().map(of).collect()
}

/// Stores the outputs; all that were declared must be there, and nothing else.
fn collect(job: &Job<'_>, settings: &Settings, work: &Path) -> Result<Output, Failure> {
    let mut output = Output::default();
    let mut paths = Vec::new();
    for (name, path) in &settings.outputs {
        let (path, is_folder) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path.as_str(), false),
        };
        paths.push((name, declared(work, path, is_folder)?, is_folder));
    }
    if let Some(curve) = &settings.curve {
        let curve = curve.read(|path| log(path, &declared(work, path, false)?))?;
        output
            .notes
            .insert("outcome".to_owned(), serde_json::to_value(curve.outcome)?);
        output.notes.insert("steps".to_owned(), json!(curve.steps));
        output.blobs.insert("curve".to_owned(), curve.bytes.into());
    }
    nothing_else(job, settings, work)?;
    for (name, path, is_folder) in paths {
        let contents = job.store_output(|output| {
            if is_folder {
                return folder::pack(&path, output);
            }
            io::copy(&mut File::open(&path)?, output)?;
            Ok::<_, Failure>(())
        })?;
        output.blobs.insert(name.clone(), contents);
    }
    Ok(output)
}

/// The contents of a file with curves, which is read as a whole.
fn log(name: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let name = name.to_owned();
    let bytes = match fs::metadata(path) {
        Ok(metadata) if metadata.len() > LONGEST_LOG => {
            let gigabytes = metadata.len() as f64 / 1e9;
            return Err(Error::LongLog { name, gigabytes }.into());
        }
        Ok(_) => fs::read(path),
        Err(error) => Err(error),
    };
    bytes.map_err(|error| Error::Log { name, error }.into())
}

/// That every file which a program left was declared.
fn nothing_else(job: &Job<'_>, settings: &Settings, work: &Path) -> Result<(), Failure> {
    let known: Vec<&str> = job
        .manifest()
        .inputs()
        .keys()
        .map(|name| name.split('/').next().unwrap_or(name))
        .chain(
            settings
                .outputs
                .values()
                .map(|path| path.trim_end_matches('/')),
        )
        .chain(settings.curve.iter().flat_map(Logged::paths))
        .collect();
    let undeclared: Vec<String> = folder::files(work, &|path| settings.discards(path))?
        .into_iter()
        .filter(|file| {
            !known
                .iter()
                .any(|path| file == path || file.starts_with(&format!("{path}/")))
        })
        .collect();
    if undeclared.is_empty() {
        return Ok(());
    }
    let more = match undeclared.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = undeclared[..undeclared.len().min(NAMED)].join("`, `");
    let files = format!("`{named}`{more}");
    Err(Error::Undeclared { files }.into())
}

/// The path of a declared output, which must be a file, or a folder, as declared.
fn declared(work: &Path, name: &str, folder: bool) -> Result<std::path::PathBuf, Failure> {
    let path = work.join(name);
    let name = name.to_owned();
    let kind = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NotWritten { name }.into());
        }
        found => found?.file_type(),
    };
    match (kind.is_dir(), kind.is_file(), folder) {
        (true, _, true) | (_, true, false) => Ok(path),
        (true, ..) => Err(Error::IsAFolder { name }.into()),
        (_, true, _) => Err(Error::IsAFile { name }.into()),
        _ => Err(Error::NeitherFileNorFolder { name }.into()),
    }
}
