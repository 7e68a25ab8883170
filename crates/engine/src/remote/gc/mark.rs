//! That a gc is at work in a remote: `gc/<n>`, written anew every half minute while it is.
//!
//! Who names something old anew looks for it afterwards, and waits for its end: see [`Remote::outlast_gc`].

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::super::{Remote, lock, token};
use crate::worker::host;
use crate::{Blob, Error, Store, sealed};

const SEAL: &str = "gc";
/// How often a gc says that it goes on, and after how long without having said so it deletes nothing more.
const RENEWED: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(4));
/// A mark that stands still for so long, as watched, is of a gc that was killed. More than the above, and than a request
/// may take beside it.
pub(crate) const KILLED: Duration = Duration::from_mins(10);
/// The same by the clock of the store, where one gc meets the mark of another.
const FORGOTTEN: Duration = Duration::from_hours(1);
/// The first and the longest pause between two looks at a mark.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

#[derive(Serialize, Deserialize)]
struct Said {
    host: String,
    counter: u64,
}

/// The mark of this gc, taken away when it is dropped.
pub(super) struct Mark<'r> {
    remote: &'r Remote,
    name: String,
    renewed: Mutex<Renewed>,
}

struct Renewed {
    counter: u64,
    /// By both clocks of this machine: one stands still while the machine sleeps, the other may be set.
    at: (Instant, SystemTime),
}

impl Renewed {
    fn ago(&self) -> Duration {
        let by_clock = self.at.1.elapsed().unwrap_or_default();
        self.at.0.elapsed().max(by_clock)
    }
}

impl<'r> Mark<'r> {
    /// Says that a gc is at work. Of two that begin at once, one goes on at most.
    ///
    /// # Errors
    ///
    /// [`Error::GcAtWork`].
    pub(super) fn set(remote: &'r Remote) -> Result<Self, Error> {
        let mark = Self {
            remote,
            name: format!("gc/{}", token()),
            renewed: Mutex::new(Renewed {
                counter: 0,
                at: (Instant::now(), SystemTime::now()),
            }),
        };
        let said = Self::said(0);
        remote.create(&mark.name, &said)?;
        let now = remote.written(&mark.name)?;
        for other in remote.objects().list("gc")? {
            if other == mark.name {
                continue;
            }
            let age = now.duration_since(remote.written(&other)?);
            if age.unwrap_or_default() < FORGOTTEN {
                let said = remote.hear::<Said>(&other, SEAL)?;
                return Err(Error::GcAtWork {
                    remote: remote.shown().to_owned(),
                    host: said.map(|said| said.host).unwrap_or_default(),
                });
            }
            remote.objects().delete(&other)?;
        }
        Ok(mark)
    }

    /// The time by the clock of the store when the mark was set.
    pub(super) fn time(&self) -> Result<SystemTime, Error> {
        self.remote.written(&self.name)
    }

    /// Says that it goes on, where that is due: before each deletion.
    ///
    /// # Errors
    ///
    /// [`Error::GcStoodStill`] if others may think by now that it was killed.
    pub(super) fn hold(&self) -> Result<(), Error> {
        let mut renewed = lock(&self.renewed);
        let ago = renewed.ago();
        if ago > RENEWED.1 {
            return Err(Error::GcStoodStill {
                remote: self.remote.shown().to_owned(),
            });
        }
        if ago > RENEWED.0 {
            let at = (Instant::now(), SystemTime::now());
            let counter = renewed.counter + 1;
            let said = Self::said(counter);
            let objects = self.remote.objects();
            objects.overwrite(&self.name, &mut &said[..])?;
            *renewed = Renewed { counter, at };
        }
        Ok(())
    }

    fn said(counter: u64) -> Vec<u8> {
        let host = host();
        let body = serde_json::to_vec(&Said { host, counter }).expect("it has string keys only");
        sealed::seal(SEAL, &body)
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        // One that stays is as that of a gc that was killed.
        let _ = self.remote.objects().delete(&self.name);
    }
}

impl Remote {
    /// When an object was written, by the clock of the store; of one that has gone, at the beginning of time.
    fn written(&self, name: &str) -> Result<SystemTime, Error> {
        let written = self.objects().modified(name)?;
        Ok(written.unwrap_or(SystemTime::UNIX_EPOCH))
    }

    /// The time by the clock of the store.
    pub(super) fn time(&self) -> Result<SystemTime, Error> {
        let name = format!("probe/{}", token());
        self.create(&name, b"")?;
        let time = self.written(&name);
        self.objects().delete(&name)?;
        time
    }

    /// Waits until no gc is at work that was so at the beginning.
    pub(crate) fn wait_for_gc(&self) -> Result<(), Error> {
        let mut marks = Vec::new();
        for name in self.objects().list("gc")? {
            if !lock(&self.killed).contains(&name) {
                marks.push((self.read(&name)?, name, Instant::now()));
            }
        }
        let mut pause = PAUSES.0;
        loop {
            marks.retain(|(said, ..)| said.is_some());
            if marks.is_empty() {
                return Ok(());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
            for (said, name, since) in &mut marks {
                let now = self.read(name)?;
                if now != *said {
                    (*said, *since) = (now, Instant::now());
                } else if since.elapsed() >= self.patience {
                    lock(&self.killed).insert(name.clone());
                    *said = None;
                }
            }
        }
    }

    /// To be called by who has named something that lay here before: a gc that began earlier knows nothing of that and may
    /// delete it at any moment until its end. What is missing then is put there again.
    pub(crate) fn outlast_gc(&self, cache: &Store, blobs: &[Blob]) -> Result<(), Error> {
        self.wait_for_gc()?;
        for blob in blobs {
            self.put(cache, blob)?;
        }
        Ok(())
    }
}
