//! The remote's input and output, on threads of its own: a store that hangs stops no stage.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use fleet::{Beat, CopyId, Reply, Request, Ticket};

use super::{About, Remote, lock};
use crate::worker::with_sources;
use crate::{CheckpointName, Digest, Error, Problem, Store};

/// Threads for what is short, and for what carries contents.
const THREADS: (usize, usize) = (4, 4);

/// Something to do.
pub(crate) enum Task {
    Ask(Ticket, Request<Digest>),
    /// Write a beat, with what else is told of this copy; whether others may read it.
    Beat(Ticket, Beat<Digest>, Box<About>, bool),
    /// Bring blobs into the cache.
    Fetch(Vec<Digest>),
    /// Store the newest checkpoint of an attempt at a stage.
    PutCheckpoint(Digest, u32, CheckpointName),
    /// Before an attempt at a stage begins: bring these blobs, and the deepest checkpoint of the attempts before this one,
    /// into the cache.
    Prepare(Digest, u32, Vec<Digest>),
}

/// What has become of it.
pub(crate) enum Done {
    Answer {
        ticket: Ticket,
        reply: Reply<Beat<Digest>>,
        /// The cache had another result of this stage than the one that holds.
        mismatch: Option<Digest>,
        /// Why there is no reply.
        error: Option<String>,
    },
    Fetched {
        blobs: Vec<Digest>,
        error: Option<String>,
    },
    /// At this depth, or not.
    CheckpointStored { stage: Digest, depth: Option<u64> },
    Prepared {
        stage: Digest,
        error: Option<String>,
    },
    /// Files of the cache were found damaged.
    Problems(Vec<Problem>),
}

/// The threads. They end with the process: one that hangs is waited for by nobody.
pub(crate) struct Io {
    quick: Sender<Task>,
    bulk: Sender<Task>,
}

struct Hand {
    remote: Arc<Remote>,
    cache: Store,
    copy: CopyId,
    done: Box<dyn Fn(Done) -> bool + Send + Sync>,
}

impl Io {
    /// Starts them, for a cache. What is done is given to `done`, which says whether anybody listens still.
    pub(crate) fn start(
        remote: Arc<Remote>,
        cache: &Store,
        copy: CopyId,
        done: impl Fn(Done) -> bool + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let hand = Arc::new(Hand {
            remote,
            cache: Store::open(cache.cache())?,
            copy,
            done: Box::new(done),
        });
        let (quick, tasks) = channel();
        hand.spawn(THREADS.0, tasks);
        let (bulk, tasks) = channel();
        hand.spawn(THREADS.1, tasks);
        Ok(Self { quick, bulk })
    }

    /// Gives them something to do.
    pub(crate) fn send(&self, task: Task) {
        let queue = match task {
            Task::Ask(_, Request::Publish(_)) => &self.bulk,
            Task::Ask(..) | Task::Beat(..) => &self.quick,
            _ => &self.bulk,
        };
        queue.send(task).expect("the threads live as long as this");
    }
}

impl Hand {
    fn spawn(self: &Arc<Self>, threads: usize, tasks: Receiver<Task>) {
        let tasks = Arc::new(Mutex::new(tasks));
        for _ in 0..threads {
            let (hand, tasks) = (Arc::clone(self), Arc::clone(&tasks));
            std::thread::spawn(move || {
                loop {
                    let task = lock(&tasks).recv();
                    let Ok(task) = task else { return };
                    let done = hand.carry_out(task);
                    let problems = hand.cache.take_problems();
                    let told = problems.is_empty() || (hand.done)(Done::Problems(problems));
                    if !told || !(hand.done)(done) {
                        return;
                    }
                }
            });
        }
    }

    fn carry_out(&self, task: Task) -> Done {
        let (remote, cache) = (&self.remote, &self.cache);
        let why = |error: &Error| Some(with_sources(error));
        match task {
            Task::Ask(ticket, request) => match remote.answer(cache, &self.copy, request) {
                Ok(answered) => Done::Answer {
                    ticket,
                    reply: answered.reply,
                    mismatch: answered.mismatch,
                    error: None,
                },
                Err(error) => Done::Answer {
                    ticket,
                    reply: Reply::Lost,
                    mismatch: None,
                    error: why(&error),
                },
            },
            Task::Beat(ticket, beat, about, is_read) => {
                let published = if is_read { &beat.settled[..] } else { &[] };
                let packs = remote.pack_more(cache, published);
                let written = remote.beat(&self.copy, &beat, &about, packs);
                Done::Answer {
                    ticket,
                    reply: written.as_ref().map_or(Reply::Lost, |()| Reply::Created),
                    mismatch: None,
                    error: written.err().as_ref().and_then(why),
                }
            }
            Task::Fetch(blobs) => {
                let fetch = |&digest: &Digest| remote.fetch(cache, digest).map(drop);
                let fetched = blobs.iter().try_for_each(fetch);
                Done::Fetched {
                    blobs,
                    error: fetched.err().as_ref().and_then(why),
                }
            }
            Task::PutCheckpoint(stage, attempt, name) => {
                let stored = remote.put_checkpoint(cache, stage, attempt, name);
                Done::CheckpointStored {
                    stage,
                    depth: stored.is_ok_and(|stored| stored).then_some(name.step),
                }
            }
            Task::Prepare(stage, attempt, blobs) => {
                let fetch = |&digest: &Digest| remote.fetch(cache, digest).map(drop);
                let fetched = blobs.iter().try_for_each(fetch);
                // Without one the stage begins at its beginning.
                let _ = remote.take_checkpoint(cache, stage, attempt);
                Done::Prepared {
                    stage,
                    error: fetched.err().as_ref().and_then(why),
                }
            }
        }
    }
}
