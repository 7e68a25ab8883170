//! What a run did as it went, so that others can see it and gc knows what it needs.
//!
//! ```text
//! v1/run/<study>/<start>-<pid>
//! 0f3c5a7e91b2d4c6 {"run":{"study":"quickstart","host":"here","pid":4711,...}}
//! 5ad0...          {"began":{"stage":"kfac/...","key":"5c3a..."}}
//! ```
//!
//! Lines are only appended, each with a checksum of its own, so that a line which a crash cut short
//! is no line. The file is locked as long as its engine lives: one that is free and has no `ended`
//! line was killed. Its results are what gc keeps until a later run of the study ends.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::store::presence::cannot_write;
use crate::{Digest, Error, Store, clock, fault, history};

/// Journals of ended runs kept for each study.
const KEPT: usize = 10;
/// Longer than any last line, in bytes.
const LAST_LINE: u64 = 1024;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first one.
    Run(Begin),
    /// A worker has begun.
    Began { stage: String, key: Digest, at: u64 },
    /// A result was there that the last run of the study did not have.
    Cached { stage: String, key: Digest },
    /// A result was published.
    Ran {
        stage: String,
        key: Digest,
        seconds: f64,
    },
    /// A stage failed.
    Failed { stage: String, error: String },
    /// The last one.
    Ended(End),
    /// One that another build wrote and this one has no use for.
    #[serde(skip)]
    Foreign,
}

/// How a run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// The name of the study.
    pub study: String,
    /// The machine.
    pub host: String,
    /// The engine's process there.
    pub pid: u32,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Stages in all.
    pub stages: usize,
    /// Stages whose result was there.
    pub cached: usize,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Stages that ran.
    pub ran: usize,
    /// Stages whose result was there.
    pub cached: usize,
    /// Stages that failed.
    pub failed: usize,
    /// Stages skipped because of them.
    pub skipped: usize,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

/// The journal of the run that this process carries out.
pub(crate) struct Journal {
    file: Option<BufWriter<File>>,
    path: PathBuf,
    error: Option<Error>,
}

impl Journal {
    /// Begins one. In a cache that cannot be written there is none.
    pub(crate) fn begin(store: &Store, begin: Begin) -> Result<Self, Error> {
        let folder = history::folder(store, &begin.study);
        let now = SystemTime::now();
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let second = clock::utc(now).replace([':', 'Z'], "");
        let name = format!("{second}.{:09}-{}", since.subsec_nanos(), begin.pid);
        let path = folder.join(name);
        fault::point("begin a journal");
        let file = store.create_folder(&folder).and_then(|()| {
            let file = File::options().append(true).create_new(true).open(&path);
            let locked = file.and_then(|file| {
                file.lock()?;
                store.share(&path, 0o644)?;
                Ok(file)
            });
            locked.map_err(Error::io("write", &path))
        });
        let file = match file {
            Ok(file) => Some(BufWriter::new(file)),
            Err(Error::Io { source, .. }) if cannot_write(&source) => None,
            Err(error) => return Err(error),
        };
        let mut journal = Self {
            file,
            path,
            error: None,
        };
        journal.note(&Line::Run(begin));
        journal.flush()?;
        Ok(journal)
    }

    /// Adds a line. What goes wrong is said by the next [`flush`](Self::flush).
    pub(crate) fn note(&mut self, line: &Line) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(&seal(line))
        {
            self.error = Some(Error::io("write", &self.path)(error));
        }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let Some(file) = self.file.as_mut().filter(|file| !file.buffer().is_empty()) else {
            return Ok(());
        };
        fault::point("write a journal");
        file.flush().map_err(Error::io("write", &self.path))
    }

    /// Ends it, once what it noted is remembered elsewhere. After a run that came to its own end,
    /// journals of this study's dead runs are needed no more.
    pub(crate) fn end(mut self, store: &Store, study: &str, end: End) -> Result<(), Error> {
        let whole = !end.interrupted;
        self.note(&Line::Ended(end));
        self.flush()?;
        if self.file.is_none() {
            return Ok(());
        }
        let mut ended = 0;
        for path in paths(&history::folder(store, study))?.into_iter().rev() {
            // Ours is the newest and still locked.
            let over = match look(&path).map_err(Error::io("read", &path))? {
                Looks::Alive => false,
                Looks::Ended => {
                    ended += 1;
                    ended >= KEPT
                }
                Looks::Dead => whole,
            };
            if over {
                fault::point("remove a journal");
                remove(&path)?;
            }
        }
        Ok(())
    }
}

enum Looks {
    Alive,
    Ended,
    Dead,
}

/// What became of a run, without reading all of it.
fn look(path: &Path) -> std::io::Result<Looks> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Looks::Ended),
        file => file?,
    };
    if is_held(&file) {
        return Ok(Looks::Alive);
    }
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(end.saturating_sub(LAST_LINE)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let last = tail.split_inclusive(|&byte| byte == b'\n').next_back();
    Ok(match last.and_then(open) {
        Some(Line::Ended(_)) => Looks::Ended,
        _ => Looks::Dead,
    })
}

fn is_held(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// What a journal says of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// How it began.
    pub begin: Begin,
    /// Whether its engine still lives.
    pub alive: bool,
    /// How it ended, unless it lives or was killed.
    pub end: Option<End>,
    /// Stages that are running, or were when it was killed, with the time they began in seconds
    /// since 1970.
    pub running: Vec<(String, u64)>,
    /// Stages that ran.
    pub ran: usize,
    /// Stages that failed, and why.
    pub failed: Vec<(String, String)>,
    /// When something was last noted.
    pub last: SystemTime,
    /// Results that it found or made, beyond those of the run before it.
    pub(crate) keys: Vec<(String, Digest)>,
    /// Stages that were begun, with their keys: their logs are wanted even where no result came of them.
    pub(crate) began: Vec<(String, Digest)>,
    /// Lines that are damaged, but for a last one that was cut short.
    pub(crate) damaged: usize,
}

impl Store {
    /// The runs on this cache that are going on or were noted last, newest first.
    ///
    /// # Errors
    ///
    /// If the cache cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, Error> {
        let mut runs = Vec::new();
        for folder in history::folders(self)? {
            for path in paths(&folder)? {
                runs.extend(read(&path)?);
            }
        }
        runs.sort_by_key(|run| std::cmp::Reverse((run.begin.at, run.last)));
        Ok(runs)
    }
}

/// The journals of a study, oldest first.
pub(crate) fn paths(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.file_name().is_some_and(|name| name != "last") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads a journal; none if it is gone, or its first line is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Run>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let alive = is_held(&file);
    let (bytes, metadata) = fs::read(path)
        .and_then(|bytes| Ok((bytes, file.metadata()?)))
        .map_err(Error::io("read", path))?;
    let last = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let Some(Line::Run(begin)) = lines.next().and_then(open) else {
        return Ok(None);
    };
    let mut run = Run {
        begin,
        alive,
        end: None,
        running: Vec::new(),
        ran: 0,
        failed: Vec::new(),
        last,
        keys: Vec::new(),
        began: Vec::new(),
        damaged: 0,
    };
    for line in lines {
        match open(line) {
            Some(line) => run.take(line),
            None if line.ends_with(b"\n") || lacks_only_its_end(line) => run.damaged += 1,
            None => {}
        }
    }
    Ok(Some(run))
}

impl Run {
    /// The keys of the stages that failed, as far as they were begun.
    pub(crate) fn failures(&self) -> impl Iterator<Item = Digest> {
        let failed = |name: &String| self.failed.iter().any(|(stage, _)| stage == name);
        let began = self.began.iter().filter(move |(name, _)| failed(name));
        began.map(|(_, key)| *key)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Run(_) => self.damaged += 1,
            Line::Began { stage, key, at } => {
                self.began.push((stage.clone(), key));
                self.running.retain(|(name, _)| *name != stage);
                self.running.push((stage, at));
            }
            Line::Cached { stage, key } => self.keys.push((stage, key)),
            Line::Ran { stage, key, .. } => {
                self.running.retain(|(name, _)| *name != stage);
                self.ran += 1;
                self.keys.push((stage, key));
            }
            Line::Failed { stage, error } => {
                self.running.retain(|(name, _)| *name != stage);
                self.failed.push((stage, error));
            }
            Line::Ended(end) => self.end = Some(end),
            Line::Foreign => {}
        }
    }
}

fn seal(line: &Line) -> Vec<u8> {
    let json = serde_json::to_string(line).expect("a line has string keys only");
    format!("{} {json}\n", checksum(json.as_bytes())).into_bytes()
}

fn open(line: &[u8]) -> Option<Line> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, json) = line.split_at_checked(17)?;
    let sound = sum[16] == b' ' && checksum(json).as_bytes() == &sum[..16];
    sound.then(|| serde_json::from_slice(json).unwrap_or(Line::Foreign))
}

/// A crash may cut a line; it does not put something else where the line ended.
fn lacks_only_its_end(line: &[u8]) -> bool {
    line.split_last().is_some_and(|(_, line)| {
        let mut whole = line.to_vec();
        whole.push(b'\n');
        open(&whole).is_some()
    })
}

fn checksum(json: &[u8]) -> String {
    let mut sum = Digest::of(json).to_string();
    sum.truncate(16);
    sum
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(study: &str) -> Begin {
        Begin {
            study: study.to_owned(),
            host: "here".to_owned(),
            pid: std::process::id(),
            at: now(),
            stages: 3,
            cached: 1,
        }
    }

    #[test]
    fn a_run_is_seen_while_it_lives_and_after_it_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut journal = Journal::begin(&store, begin("study")).unwrap();
        let stage = |name: &str| (name.to_owned(), Digest::of(name.as_bytes()));
        let ((a, key), (b, other)) = (stage("a"), stage("b"));
        journal.note(&Line::Began {
            stage: a.clone(),
            key,
            at: 5,
        });
        journal.note(&Line::Began {
            stage: b.clone(),
            key: other,
            at: 6,
        });
        journal.note(&Line::Ran {
            stage: a.clone(),
            key,
            seconds: 1.0,
        });
        journal.flush().unwrap();
        let [run] = &store.runs().unwrap()[..] else {
            panic!()
        };
        assert!(run.alive && run.end.is_none());
        assert_eq!((run.running.as_slice(), run.ran), (&[(b, 6)][..], 1));
        assert_eq!(run.keys, [(a, key)]);
        // Killed: the lock goes with the process.
        let path = journal.path.clone();
        drop(journal);
        let run = read(&path).unwrap().unwrap();
        assert!(!run.alive && run.end.is_none());
    }

    #[test]
    fn a_line_cut_short_is_no_line_and_a_flipped_byte_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let line = |stage: &str| {
            seal(&Line::Failed {
                stage: stage.to_owned(),
                error: "so".to_owned(),
            })
        };
        let mut bytes = seal(&Line::Run(begin("study")));
        let first = bytes.len();
        bytes.extend(line("a"));
        bytes.extend(line("b"));
        for length in first..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let run = read(&path).unwrap().unwrap();
            assert_eq!(run.damaged, 0);
            assert_eq!(
                run.failed.len(),
                usize::from(length >= first + line("a").len())
            );
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).unwrap();
            let seen = read(&path).unwrap();
            assert!(seen.is_none_or(|run| run.failed.len() < 2), "byte {at}");
        }
    }

    #[test]
    fn a_line_of_another_build_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let json = r#"{"states_gone":{"states":1,"bytes":9}}"#;
        let mut bytes = seal(&Line::Run(begin("study")));
        bytes.extend(format!("{} {json}\n", checksum(json.as_bytes())).into_bytes());
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().damaged, 0);
    }

    #[test]
    fn the_last_runs_are_kept_and_dead_ones_until_one_ends() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let place = history::folder(&store, "study");
        fs::create_dir_all(&place).unwrap();
        let ended = End {
            at: 0,
            ran: 0,
            cached: 3,
            failed: 0,
            skipped: 0,
            interrupted: false,
        };
        for number in 0..30 {
            let mut bytes = seal(&Line::Run(begin("study")));
            if number != 7 {
                bytes.extend(seal(&Line::Ended(ended.clone())));
            }
            fs::write(place.join(format!("1990-{number:02}")), bytes).unwrap();
        }
        let interrupted = End {
            interrupted: true,
            ..ended.clone()
        };
        let journal = Journal::begin(&store, begin("study")).unwrap();
        journal.end(&store, "study", interrupted).unwrap();
        let runs = store.runs().unwrap();
        assert_eq!(runs.len(), KEPT + 1, "the dead one is needed");
        fs::remove_file(paths(&place).unwrap().pop().unwrap()).unwrap();
        let journal = Journal::begin(&store, begin("study")).unwrap();
        journal.end(&store, "study", ended).unwrap();
        let runs = store.runs().unwrap();
        assert_eq!(runs.len(), KEPT);
        assert!(runs.iter().all(|run| run.end.is_some()));
    }
}
