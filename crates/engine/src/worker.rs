//! The other end: a process that executes stages, one after another.
//!
//! It claims each stage, publishes the result itself, and ends when its stdin does: when the engine
//! is gone or wants it to stop, nothing computes on.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime};

use crate::claim::{Claim, take_stdout};
use crate::job::{Execute, Inputs, Job, lock};
use crate::log::printable;
use crate::protocol::{Reply, Request};
use crate::{
    Build, CheckpointName, Digest, Error, Interrupted, Manifest, Progress, Provenance, Site, Store,
    clock, mask_users,
};

/// Reports of progress are at least this far apart.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Executes the stages that an engine sends on stdin until that ends, then ends the process.
///
/// Takes stdin and stdout for itself: what the executor prints goes to the stage's log.
///
/// # Errors
///
/// If the engine is of another build or not understood, or the store cannot be opened.
pub fn serve(executor: &mut dyn Execute, build: &Build) -> Result<(), Error> {
    let protocol = |error: &dyn std::fmt::Display| Error::Protocol(error.to_string());
    let wire = Wire::new(take_stdout().map_err(|error| protocol(&error))?);
    let interrupted = Arc::new(AtomicBool::new(false));
    let requests = listen(Arc::clone(&interrupted));
    let next = || requests.recv().map_err(|error| protocol(&error));
    let Request::Open {
        cache,
        build: engine,
        site,
    } = next()??
    else {
        return Err(Error::Protocol(
            "the first request was not `open`".to_owned(),
        ));
    };
    wire.send(&Reply::Hello {
        build: build.clone(),
    });
    if engine != *build {
        return Err(Error::ForeignWorker {
            expected: engine.id,
            found: build.id.clone(),
        });
    }
    let store = Store::open(Path::new(&cache))?;
    // A worker may outlive its engine by a moment.
    let _presence = store.enter()?;
    let mut worker = Worker {
        executor,
        build,
        site,
        host: host(),
        store,
        inputs: Mutex::default(),
        wire,
        interrupted,
    };
    loop {
        let Request::Execute {
            manifest,
            files,
            packs,
            ask,
        } = next()??
        else {
            return Err(Error::Protocol("a request out of turn".to_owned()));
        };
        let answer = || next()?;
        let may_begin = ask.then_some(&answer as &dyn Fn() -> Result<Request, Error>);
        let reply = worker
            .answer(&manifest, files, &packs, may_begin)
            .unwrap_or_else(|error| Reply::Failed {
                error: printable(&with_sources(&error)),
                unstored: matches!(error, Error::Io { .. }),
            });
        let problems = worker.store.take_problems();
        if !problems.is_empty() {
            worker.wire.send(&Reply::Corrupt(problems));
        }
        worker.wire.send(&reply);
    }
}

/// Reads requests on a thread of its own, so that an interrupt and the end of stdin are noticed within a stage.
fn listen(interrupted: Arc<AtomicBool>) -> mpsc::Receiver<Result<Request, Error>> {
    let (send, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            let request =
                serde_json::from_str(&line).map_err(|error| Error::Protocol(error.to_string()));
            if let Ok(Request::Interrupt) = request {
                interrupted.store(true, Ordering::Relaxed);
                continue;
            }
            if send.send(request).is_err() {
                return;
            }
        }
        end_at_once();
    });
    requests
}

struct Worker<'a> {
    executor: &'a mut dyn Execute,
    build: &'a Build,
    site: Site,
    host: String,
    store: Store,
    inputs: Mutex<Inputs>,
    wire: Wire,
    interrupted: Arc<AtomicBool>,
}

impl Worker<'_> {
    fn answer(
        &mut self,
        text: &str,
        files: BTreeMap<String, OsString>,
        packs: &BTreeMap<String, Digest>,
        may_begin: Option<&dyn Fn() -> Result<Request, Error>>,
    ) -> Result<Reply, Error> {
        let manifest = Manifest::parse(text)?;
        let key = crate::manifest::key(text);
        let files = files.into_iter().map(|(name, path)| (name, path.into()));
        let files: BTreeMap<String, PathBuf> = files.collect();
        let Some(mut claim) = Claim::take(&self.store, key)? else {
            return Ok(Reply::Busy);
        };
        if let Some(record) = self.store.lookup(key)?.record
            && record.outputs.values().all(|blob| self.store.holds(blob))
        {
            return Ok(Reply::Done { ran: false });
        }
        if let Some(may_begin) = may_begin {
            self.wire.send(&Reply::Claimed);
            match may_begin()? {
                Request::Begin => {}
                Request::Leave => return Ok(Reply::Left),
                _ => return Err(Error::Protocol("a request out of turn".to_owned())),
            }
        }
        claim
            .redirect()
            .map_err(Error::io("write the log", &self.store.log_path(key)))?;
        self.wire.send(&Reply::Started);
        let (start, clock) = (SystemTime::now(), Instant::now());
        let job = Job {
            manifest: &manifest,
            site: &self.site,
            files: &files,
            packs,
            store: &self.store,
            inputs: &self.inputs,
            absent: &[],
            lost: Mutex::default(),
            unstored: AtomicBool::new(false),
            begun_from: Mutex::default(),
            wire: &self.wire,
            interrupted: &self.interrupted,
        };
        let executed = self.executor.execute(&job);
        if let Some(input) = *lock(&job.lost) {
            return Ok(Reply::Lost { input });
        }
        let output = match executed {
            Ok(output) => output,
            Err(error) if error.is::<Interrupted>() => return Ok(Reply::Interrupted),
            Err(error) => {
                return Ok(Reply::Failed {
                    error: mask_users(&printable(&with_sources(&*error))),
                    unstored: job.unstored.into_inner(),
                });
            }
        };
        let provenance = Provenance {
            program: self.build.program.clone(),
            commit: self.build.commit.clone(),
            host: self.host.clone(),
            device: self.site.device.clone(),
            threads: self.site.threads,
            start: clock::utc(start),
            seconds: clock.elapsed().as_secs_f64(),
            executor: output.provenance,
        };
        self.store
            .publish(text, output.blobs, output.notes, provenance)?;
        Ok(Reply::Done { ran: true })
    }
}

/// The way to the engine.
pub(crate) struct Wire(Mutex<(Option<File>, Option<Instant>)>);

impl Wire {
    fn new(stdout: File) -> Self {
        Self(Mutex::new((Some(stdout), None)))
    }

    /// Where there is no engine to tell anything.
    pub(crate) fn to_nobody() -> Self {
        Self(Mutex::default())
    }

    fn send(&self, reply: &Reply) {
        write(&mut lock(&self.0).0, reply);
    }

    /// Says that the stage keeps checkpoints.
    pub(crate) fn keeps_checkpoints(&self) {
        self.send(&Reply::KeepsCheckpoints);
    }

    /// Says that a checkpoint is kept.
    pub(crate) fn checkpoint_kept(&self, name: CheckpointName) {
        self.send(&Reply::CheckpointKept { name });
    }

    /// Says why a checkpoint is not kept.
    pub(crate) fn checkpoint_not_kept(&self, error: &Error) {
        let error = with_sources(error);
        self.send(&Reply::CheckpointNotKept { error });
    }

    /// Sends a report unless one was sent just now.
    pub(crate) fn progress(&self, progress: impl FnOnce() -> Progress) {
        let mut wire = lock(&self.0);
        if wire.1.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY) {
            wire.1 = Some(Instant::now());
            write(&mut wire.0, &Reply::Progress(progress()));
        }
    }
}

fn write(stdout: &mut Option<File>, reply: &Reply) {
    let Some(stdout) = stdout else { return };
    let mut line = serde_json::to_vec(reply).expect("a reply has string keys only");
    line.push(b'\n');
    if stdout.write_all(&line).is_err() {
        end_at_once();
    }
}

/// Ends this process because its engine is gone, and with it the programs that it started. Not by
/// `exit`: what runs then, of a device's driver for instance, may wait for threads that go on
/// computing.
fn end_at_once() -> ! {
    let own = rustix::process::getpid();
    // An engine makes its workers leaders of their groups; started by hand, the group is the shell's.
    if rustix::process::getpgrp() == own {
        let _ = rustix::process::kill_process_group(own, rustix::process::Signal::KILL);
    }
    // A process may always kill itself; should it not, aborting is the next best.
    let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    std::process::abort()
}

pub(crate) fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

pub(crate) fn with_sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
