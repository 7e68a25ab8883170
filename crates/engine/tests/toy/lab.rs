//! A folder with a cache in which toy studies are run and counted.

#![allow(dead_code)] // each of the test programs uses a part of it

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine::{Event, Plan, Remote, Store, Summary};

use super::toy::{self, Toy};

pub(crate) struct Lab {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) code: &'static str,
}

/// A run, and the names of the stages that it executed, sorted.
pub(crate) struct Run {
    pub(crate) summary: Summary,
    pub(crate) events: Vec<Event>,
    pub(crate) names: Vec<String>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            code: "1",
        }
    }

    pub(crate) fn program() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_toy"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One with a remote, for several machines.
    pub(crate) fn fleet() -> Self {
        let lab = Self::new();
        fs::create_dir(lab.path("remote")).unwrap();
        lab
    }

    /// The store of a machine, before the remote.
    pub(crate) fn store_of(&self, machine: &str) -> Store {
        let mut store = Store::open(&self.path(machine)).unwrap();
        let remote = Remote::open(&self.path("remote"), &store).unwrap();
        store.put_before(remote);
        store
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.path("cache")).unwrap()
    }

    pub(crate) fn options(&self) -> engine::Options {
        toy::options(Self::program(), &self.path("log"))
    }

    /// How many stages ever began, by their own account.
    pub(crate) fn begun(&self) -> usize {
        fs::read_to_string(self.path("log"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// An engine of its own, as `toy run` is.
    pub(crate) fn engine(&self, toys: &[Toy]) -> Child {
        self.engine_command(toys).spawn().unwrap()
    }

    pub(crate) fn engine_command(&self, toys: &[Toy]) -> Command {
        let text = serde_json::to_vec(toys).unwrap();
        let file = self.path(&format!("study-{}.json", engine::Digest::of(&text)));
        // An engine that was started before may be reading it.
        if !file.exists() {
            fs::write(&file, text).unwrap();
        }
        let mut command = Command::new(Self::program());
        command
            .arg("run")
            .args([file, self.path("cache"), self.path("log")])
            .stdout(Stdio::piped());
        command
    }

    /// Waits for something that another process does.
    pub(crate) fn wait_until(is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "it does not come"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The files of all checkpoints, the deepest last.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let mut files = files(&self.path("cache/v1/ckpt"));
        // A folder that went meanwhile looks like a file.
        let is_checkpoint =
            |path: &PathBuf| path.file_name().unwrap().as_encoded_bytes().contains(&b'-');
        files.retain(is_checkpoint);
        files.sort_by_key(|path| step(path));
        files
    }

    /// Bytes of all checkpoints.
    pub(crate) fn taken(&self) -> u64 {
        let files = self.kept().into_iter();
        files.map(|path| fs::metadata(path).unwrap().len()).sum()
    }

    /// Takes the cache's memory of the study away, not its results.
    pub(crate) fn forget(&self) {
        fs::remove_dir_all(self.path("cache/v1/run")).unwrap();
    }

    pub(crate) fn plan(&self, toys: &[Toy]) -> Plan {
        engine::plan(
            &toy::graph(toys),
            &self.store(),
            &toy::kinds(self.code),
            "toy study",
        )
        .unwrap()
    }

    pub(crate) fn run(&self, toys: &[Toy]) -> Run {
        self.run_with(toys, &self.options())
    }

    pub(crate) fn run_with(&self, toys: &[Toy], options: &engine::Options) -> Run {
        let graph = toy::graph(toys);
        let mut events = Vec::new();
        let store = self.store();
        let summary = engine::run(
            &graph,
            &store,
            &toy::kinds(self.code),
            options,
            &mut |event| events.push(event),
        )
        .unwrap();
        let finished = events.iter().filter_map(|event| match event {
            Event::Finished { stage, .. } => Some(graph.stage(*stage).name.clone()),
            _ => None,
        });
        let mut names: Vec<String> = finished.collect();
        names.sort();
        Run {
            summary,
            events,
            names,
        }
    }

    /// Runs and gives the names of what ran, after comparing all results with the twin's and the
    /// engine's account with the stages' own.
    pub(crate) fn ran(&self, toys: &[Toy]) -> Vec<String> {
        let before = self.begun();
        let run = self.run(toys);
        assert!(run.summary.complete(), "{:?}", run.summary);
        assert_eq!(
            self.begun() - before,
            run.names.len(),
            "as many began as finished"
        );
        self.check(toys, &run.summary);
        run.names
    }

    pub(crate) fn check(&self, toys: &[Toy], summary: &Summary) {
        let (graph, store) = (toy::graph(toys), self.store());
        if toys
            .iter()
            .any(|toy| toy.file.is_some() || toy.settings.contains_key("random"))
        {
            return;
        }
        let twin = toy::twin(toys, self.code);
        for (id, stage) in graph.iter() {
            let record = summary.record(id).unwrap();
            let expected = &twin[&stage.name].0;
            assert_eq!(
                record.outputs["out"].digest,
                engine::Digest::of(expected),
                "{}",
                stage.name
            );
            // What nothing reads is there, whatever was lost before.
            if graph.readers(id).is_empty() {
                assert_eq!(&store.read(record.outputs["out"].digest).unwrap(), expected);
            }
        }
    }

    /// The file of the output of a stage.
    pub(crate) fn blob(&self, toys: &[Toy], name: &str) -> PathBuf {
        let digest = self.record(toys, name).outputs["out"].digest.to_string();
        self.path("cache/v1/cas").join(&digest[..2]).join(&digest)
    }

    pub(crate) fn record(&self, toys: &[Toy], name: &str) -> std::sync::Arc<engine::Record> {
        let id = toy::graph(toys).find(name).unwrap();
        self.plan(toys)
            .stage(id)
            .record
            .clone()
            .expect("it has a result")
    }

    /// The file of the record of a stage.
    pub(crate) fn record_file(&self, toys: &[Toy], name: &str) -> PathBuf {
        let record = self.record(toys, name);
        let key = record.key.to_string();
        self.path("cache/v1/ac")
            .join(&key[..2])
            .join(&key)
            .join(record.attempt.to_string())
    }
}

/// How far the stage was that kept the checkpoint in this file.
pub(crate) fn step(path: &Path) -> u64 {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.split_once('-').unwrap().0.parse().unwrap()
}

/// Flips a bit in the middle of a file, which the store keeps read-only.
pub(crate) fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // What goes meanwhile is not there.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
