//! Trivial stages: a study of sums, described by plain data, and what executes it.
//!
//! Shared by the worker program and the tests. [`Toy::value`] is the brute-force twin of what the
//! engine computes: the same results without engine, store or workers.

#![allow(dead_code)] // each of the programs that share this uses a part of it

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use engine::{
    Binding, Build, CheckpointName, CheckpointPolicy, Digest, Execute, Execution, Graph, Input,
    Interrupted, Job, Keep, Kinds, Options, Output, Progress, Sharing, Site, Source, Stage,
    WorkerCommand,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A stage. `sum`: its number plus all it reads. `choose`: the same as settings for another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Toy {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) settings: Map<String, Value>,
    pub(crate) reads: Vec<String>,
    pub(crate) bind: Option<String>,
    pub(crate) file: Option<PathBuf>,
    #[serde(skip)]
    pub(crate) execution: Execution,
}

impl Toy {
    pub(crate) fn sum(name: &str, number: u64, reads: &[&str]) -> Self {
        let mut toy = Self {
            name: name.to_owned(),
            kind: "sum".to_owned(),
            settings: Map::new(),
            reads: reads.iter().map(|&read| read.to_owned()).collect(),
            bind: None,
            file: None,
            execution: Execution::default(),
        };
        toy.set("number", number);
        toy
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    pub(crate) fn bound_to(mut self, stage: &str) -> Self {
        self.bind = Some(stage.to_owned());
        self
    }

    pub(crate) fn file(mut self, path: &Path) -> Self {
        self.file = Some(path.to_owned());
        self
    }

    fn stage(&self, graph: &Graph) -> Stage {
        let find = |name: &str| {
            graph
                .find(name)
                .unwrap_or_else(|| panic!("{name} comes before {}", self.name))
        };
        let read = |name: &String| Input {
            name: name.clone(),
            source: Source::Stage {
                stage: find(name),
                output: "out".to_owned(),
            },
        };
        let mut inputs: Vec<Input> = self.reads.iter().map(read).collect();
        inputs.extend(self.file.iter().map(|path| Input {
            name: "file".to_owned(),
            source: Source::File(path.clone()),
        }));
        let binding = |name: &String| Binding {
            from: find(name),
            output: "out".to_owned(),
            entry: "best".to_owned(),
        };
        Stage {
            name: self.name.clone(),
            family: self.name.split('/').next().unwrap_or_default().to_owned(),
            coordinates: Vec::new(),
            kind: self.kind.clone(),
            settings: self.settings.clone(),
            bindings: self.bind.iter().map(binding).collect(),
            inputs,
            execution: self.execution,
        }
    }
}

pub(crate) fn graph(toys: &[Toy]) -> Graph {
    let mut graph = Graph::new();
    for toy in toys {
        graph.add(toy.stage(&graph)).expect("the toys make a graph");
    }
    graph
}

/// What a stage results in, from its settings and the contents of its inputs.
pub(crate) fn result<'a>(
    kind: &str,
    settings: &Map<String, Value>,
    inputs: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let steps = settings.get("steps").and_then(Value::as_u64).unwrap_or(0);
    let value = (0..steps).fold(value(settings, inputs), step);
    bytes(kind, settings, value)
}

/// One step of a stage with `steps`.
fn step(value: u64, step: u64) -> u64 {
    (value * 31 + step) % 1_000_003
}

/// What a stage begins with.
fn value<'a>(settings: &Map<String, Value>, inputs: impl Iterator<Item = &'a [u8]>) -> u64 {
    let number = |name: &str| settings.get(name).and_then(Value::as_u64);
    let read = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(7_u64, |sum, &byte| (sum * 31 + u64::from(byte)) % 1_000_003)
    };
    let value = inputs.fold(number("number").unwrap_or(0), |sum, bytes| {
        sum * 3 % 1_000_003 + read(bytes)
    });
    value % number("modulus").unwrap_or(1_000_003)
}

fn bytes(kind: &str, settings: &Map<String, Value>, value: u64) -> Vec<u8> {
    let number = |name: &str| settings.get(name).and_then(Value::as_u64);
    if kind == "choose" {
        return json!({"best": {"number": value}}).to_string().into_bytes();
    }
    let mut bytes = format!("{value}\n").into_bytes();
    bytes.resize(bytes.len() + number("bytes").unwrap_or(0) as usize, b'.');
    bytes
}

/// The results of all stages, without the engine; and what each of them is a function of.
pub(crate) fn twin(toys: &[Toy], code: &str) -> BTreeMap<String, (Vec<u8>, String)> {
    let mut results: BTreeMap<String, (Vec<u8>, String)> = BTreeMap::new();
    for toy in toys {
        let mut settings = toy.settings.clone();
        if let Some(bind) = &toy.bind {
            let bound: Value =
                serde_json::from_slice(&results[bind].0).expect("`choose` writes JSON");
            settings
                .entry("number")
                .or_insert_with(|| bound["best"]["number"].clone());
        }
        let mut reads = toy.reads.clone();
        reads.sort();
        let inputs: Vec<Vec<u8>> = reads.iter().map(|read| results[read].0.clone()).collect();
        let bytes = result(&toy.kind, &settings, inputs.iter().map(Vec::as_slice));
        let code = kinds(code).code(&toy.kind).map(str::to_owned);
        let depends = format!("{} {code:?} {settings:?} {:?} {inputs:?}", toy.kind, reads);
        results.insert(toy.name.clone(), (bytes, depends));
    }
    results
}

pub(crate) fn kinds(code: &str) -> Kinds {
    Kinds::new().with("sum", code).with("choose", "1")
}

pub(crate) fn build() -> Build {
    Build {
        id: "toy 1".to_owned(),
        program: "toy 1".to_owned(),
        commit: None,
    }
}

pub(crate) fn options(program: &Path, log: &Path) -> Options {
    Options {
        study: "toy study".to_owned(),
        jobs: 2,
        gpus: Vec::new(),
        memory: None,
        site: Site {
            threads: 1,
            device: "cpu".to_owned(),
            gpu: None,
            checkpoints: CheckpointPolicy {
                keep: Keep::Segments,
                every: Duration::ZERO,
                worth: Duration::ZERO,
                space: std::env::var("TOY_SPACE").map_or(u64::MAX / 2, |space| {
                    space.parse().expect("a number of bytes")
                }),
            },
        },
        worker: WorkerCommand {
            program: program.to_owned(),
            args: vec!["worker".to_owned()],
            env: vec![("TOY_LOG".to_owned(), log.display().to_string())],
        },
        build: build(),
        keep_going: true,
        verify: Vec::new(),
        sharing: Sharing {
            beat: Duration::from_millis(200),
            ttl: Duration::from_secs(
                std::env::var("TOY_TTL")
                    .map_or(600, |seconds| seconds.parse().expect("a number of seconds")),
            ),
            linger: Duration::from_secs(20),
            worth: vec!["sum".to_owned()],
            leave: Vec::new(),
            job: None,
        },
        frozen: None,
        interrupt: Arc::new(AtomicBool::new(false)),
    }
}

/// Executes toys, and appends a line to the file `TOY_LOG` for each that begins.
pub(crate) struct Executor;

impl Execute for Executor {
    fn execute(&mut self, job: &Job<'_>) -> Result<Output, Box<dyn Error + Send + Sync>> {
        let settings = job.manifest().settings();
        let path = std::env::var("TOY_LOG")?;
        let inputs = job
            .manifest()
            .inputs()
            .keys()
            .map(|name| read(job, name, &path))
            .collect::<Result<Vec<_>, _>>()?;
        append(&path, &format!("{}\n", job.manifest().key()))?;
        // On a full disk there is no log.
        let _ = writeln!(std::io::stdout(), "on stdout");
        let _ = writeln!(std::io::stderr(), "on stderr");
        for done in 0..settings.get("beats").and_then(Value::as_u64).unwrap_or(0) {
            job.progress(|| Progress {
                done,
                total: 0,
                text: "beat".to_owned(),
            });
            fs::write(format!("{path}.{}", std::process::id()), done.to_string())?;
            std::thread::sleep(Duration::from_millis(5));
        }
        if settings.contains_key("gpu") {
            let site = job.site().gpu.clone().unwrap_or_default();
            let seen = std::env::var("CUDA_VISIBLE_DEVICES")?;
            append(&format!("{path}.gpus"), &format!("{site} {seen}\n"))?;
        }
        // One with a number of times ends well after that many.
        let failures = format!("{path}.failures");
        let times = settings.get("times").and_then(Value::as_u64);
        let enough = times
            .is_some_and(|times| fs::read(&failures).unwrap_or_default().len() as u64 >= times);
        if times.is_some() && !enough {
            append(&failures, ".")?;
        }
        match settings.get("end").and_then(Value::as_str) {
            _ if enough => {}
            Some("fail") => return Err("told to fail".into()),
            Some("panic") => panic!("told to panic"),
            Some("kill") => {
                let mut kill = std::process::Command::new("kill");
                kill.arg("-9")
                    .arg(std::process::id().to_string())
                    .status()?;
                std::thread::sleep(Duration::from_mins(1));
            }
            Some("stop") => {
                let mut stop = std::process::Command::new("kill");
                stop.arg("-STOP")
                    .arg(std::process::id().to_string())
                    .status()?;
                std::thread::sleep(Duration::from_mins(1));
            }
            Some("wait for a child") => {
                std::process::Command::new("sleep").arg("60").status()?;
            }
            Some("orphan") if !Path::new(&format!("{path}.orphan")).exists() => {
                fs::write(format!("{path}.orphan"), "")?;
                // Inherits stdout and stderr, and outlives this process and its group.
                std::os::unix::process::CommandExt::process_group(
                    &mut std::process::Command::new("sleep"),
                    0,
                )
                .arg("0.5")
                .stdin(std::process::Stdio::null())
                .spawn()?;
                std::process::abort();
            }
            _ => {}
        }
        let begun = value(settings, inputs.iter().map(|input| input.as_slice()));
        let ended = step_by_step(job, begun, &path)?;
        let mut bytes = bytes(job.manifest().kind(), settings, ended);
        if settings.contains_key("random") {
            bytes.extend_from_slice(&std::process::id().to_le_bytes());
        }
        let notes = Map::from_iter([("length".to_owned(), bytes.len().into())]);
        Ok(Output {
            blobs: BTreeMap::from([("out".to_owned(), bytes.into())]),
            notes,
            provenance: Map::new(),
        })
    }
}

/// The files below a folder, sorted.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect();
    files.sort();
    files
}

/// An input; of a folder the names and contents of its files.
fn read(job: &Job<'_>, name: &str, log: &str) -> Result<Arc<Vec<u8>>, engine::Error> {
    let folder = PathBuf::from(format!("{log}.{}.folder", std::process::id()));
    if job.copy_folder(name, &folder)?.is_none() {
        return job.read(name);
    }
    let mut all = Vec::new();
    for file in walk(&folder) {
        let name = file.strip_prefix(&folder).expect("it is in there");
        all.extend_from_slice(name.as_os_str().as_encoded_bytes());
        all.extend(fs::read(&file).expect("a copied file"));
    }
    fs::remove_dir_all(&folder).expect("the copy goes");
    Ok(Arc::new(all))
}

/// Makes the steps of a stage, keeping a checkpoint of `width` bytes after each; the one before goes, but for every
/// fourth. The file `TOY_LOG.steps` gets a line for each step.
fn step_by_step(job: &Job<'_>, begun: u64, log: &str) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let number = |name: &str| job.manifest().settings().get(name).and_then(Value::as_u64);
    let Some(steps) = number("steps") else {
        return Ok(begun);
    };
    job.keeps_checkpoints();
    // How many there are does not act before they are over.
    let root = Digest::of(format!("begin with {begun}").as_bytes());
    let name = |done: u64| CheckpointName {
        root,
        step: done,
        key: Digest::of(format!("{done} steps").as_bytes()),
    };
    let width = number("width").unwrap_or(0) as usize;
    let (mut value, mut done, mut own) = (begun, 0, None);
    for found in job.checkpoints(root)? {
        if found.step > steps || found != name(found.step) {
            continue;
        }
        if let Some(kept) = job.read_checkpoint(found)? {
            value = String::from_utf8(kept.contents)?.parse()?;
            done = found.step;
            own = (kept.stage == job.manifest().key()).then_some(found);
            break;
        }
    }
    while done < steps {
        std::thread::sleep(Duration::from_millis(number("pause").unwrap_or(0)));
        value = step(value, done);
        done += 1;
        append(&format!("{log}.steps"), &format!("{done}\n"))?;
        let supersedes = own.filter(|it| it.step % 4 != 0);
        let contents = format!("{value:0width$}").into_bytes();
        match job.keep_checkpoint(name(done), &contents, supersedes) {
            Ok(()) => own = Some(name(done)),
            Err(engine::Error::NoRoom { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if job.is_interrupted() {
            return Err(Interrupted.into());
        }
    }
    Ok(value)
}

fn append(path: &str, text: &str) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())
}
