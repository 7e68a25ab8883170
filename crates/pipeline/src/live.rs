//! A run draws the page of what there is so far by itself, in a process of its own that can neither disturb nor fail it:
//! it has the lowest priority, is the first to go where memory is short, and takes at most [`SHARE`] of what the run
//! takes of the processors.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use engine::Graph;
use serde::{Deserialize, Serialize};

use crate::commands::report::replace;
use crate::machine::cpu_of_descendants;
use crate::so_far::{Drawn, Quoted};

/// A run that takes longer than this has a page before its end.
pub(crate) const LONG: Duration = Duration::from_mins(2);
/// The share of the run's time on the processors that drawing may take, from the second page on: what the first one takes
/// is not known before.
const SHARE: f64 = 0.02;
/// Pages are at least this far apart.
const PAUSE: Duration = Duration::from_secs(10);
/// An open page loads itself anew at least this often.
const RELOAD: Duration = Duration::from_mins(5);

/// What is to be drawn, as the process that draws reads it. The study is the one that the run began with, whatever
/// became of its file.
#[derive(Serialize)]
struct Order<'a> {
    of: &'a Quoted,
    graph: &'a Graph,
    cache: OsString,
    remote: Option<OsString>,
    command: &'a str,
    reload: u64,
}

/// The same at the other end.
#[derive(Deserialize)]
pub(crate) struct Ordered {
    pub(crate) of: Quoted,
    pub(crate) graph: Graph,
    pub(crate) cache: OsString,
    pub(crate) remote: Option<OsString>,
    pub(crate) command: String,
    pub(crate) reload: u64,
}

/// What that process answers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) pages: Vec<Drawn>,
    pub(crate) done: usize,
    pub(crate) runs: usize,
    /// What drawing took of a processor, in seconds.
    pub(crate) cpu_seconds: f64,
}

/// Something to tell whoever watches the run.
pub(crate) enum News {
    /// A page was drawn.
    Page {
        paths: Vec<PathBuf>,
        /// Whether it is the first of this run.
        first: bool,
        done: usize,
        runs: usize,
        cpu_seconds: f64,
    },
    /// No page is drawn any more in this run.
    Failed { error: NotDrawn },
}

/// Why the page of what there is so far is not drawn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDrawn {
    /// The process that draws a page so far does not start, or cannot be read from.
    #[error("no process for it: {0}")]
    Process(#[from] io::Error),
    /// The process that draws a page so far ends without one.
    #[error("{said} ({status})")]
    Ended {
        /// What it wrote.
        said: String,
        status: ExitStatus,
    },
    /// The process that draws a page so far is of another build.
    #[error("its process does not speak as this one: {0}")]
    Protocol(#[from] serde_json::Error),
    /// A page so far cannot be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Page { path: PathBuf, error: io::Error },
}

/// What a run's pages are drawn of.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) of: &'a Quoted,
    pub(crate) graph: &'a Graph,
    pub(crate) cache: &'a Path,
    /// What is behind the cache.
    pub(crate) remote: Option<&'a Path>,
    /// The folder of the pages.
    pub(crate) folder: &'a Path,
}

/// The pages of a run under way.
pub(crate) struct Live<'scope> {
    thread: Option<ScopedJoinHandle<'scope, ()>>,
    control: Arc<Control>,
    news: Receiver<News>,
}

#[derive(Default)]
struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    /// The process that draws.
    child: Option<Child>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; whether the run goes on.
    fn wait(&self, until: Instant) -> bool {
        let mut state = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.stopped || left.is_zero() {
                return !state.stopped;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<'scope> Live<'scope> {
    /// Draws pages from some time after the begin of the run on.
    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        subject: Subject<'env>,
        after: Duration,
    ) -> Self {
        let control = Arc::<Control>::default();
        let (send, news) = channel();
        let controlled = Arc::clone(&control);
        let thread = scope.spawn(move || draw_on(&subject, after, &controlled, &send));
        Self {
            thread: Some(thread),
            control,
            news,
        }
    }

    /// What happened since this was last asked.
    pub(crate) fn news(&self) -> impl Iterator<Item = News> {
        self.news.try_iter()
    }

    /// Ends it: from now on nobody but the caller writes pages. A page that is being drawn is given up.
    pub(crate) fn stop(&mut self) {
        {
            let mut state = self.control.lock();
            state.stopped = true;
            if let Some(child) = &mut state.child {
                // It fails only where it has ended.
                let _ = child.kill();
            }
            self.control.changed.notify_all();
        }
        if let Some(thread) = self.thread.take() {
            // A panic there is a bug that has been printed; the run has its result.
            let _ = thread.join();
        }
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

fn draw_on(subject: &Subject<'_>, after: Duration, control: &Control, news: &Sender<News>) {
    let begun = Instant::now();
    let mut budget = Budget::default();
    let mut next = begun + after;
    let mut first = true;
    // What this process and all below it have taken, without those that drew; where nobody knows, one core all the time.
    let taken = |budget: &Budget| {
        let all = cpu_of_descendants().map(|all| all - budget.spent);
        all.unwrap_or_else(|| begun.elapsed().as_secs_f64())
    };
    while control.wait(next) {
        let run = taken(&budget);
        let pace = run / begun.elapsed().as_secs_f64().max(1.0);
        let missing = budget.missing(run);
        if missing > 0.0 {
            next = Instant::now() + within(missing / pace, PAUSE / 10, PAUSE * 6);
            continue;
        }
        let again = within(budget.last / SHARE / pace, PAUSE, RELOAD);
        let said = match draw(subject, control, again.as_secs()) {
            Ok(None) => return,
            Ok(Some((answer, paths))) => {
                budget.took(answer.cpu_seconds);
                News::Page {
                    paths,
                    first: std::mem::take(&mut first),
                    done: answer.done,
                    runs: answer.runs,
                    cpu_seconds: answer.cpu_seconds,
                }
            }
            Err(error) => {
                let _ = news.send(News::Failed { error });
                return;
            }
        };
        let _ = news.send(said);
        next = Instant::now() + PAUSE;
    }
}

/// So many seconds, between two bounds; the upper one for what is no number.
fn within(seconds: f64, low: Duration, high: Duration) -> Duration {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or(high);
    seconds.clamp(low, high)
}

/// What drawing has taken of a processor, in seconds.
#[derive(Default)]
struct Budget {
    spent: f64,
    last: f64,
}

impl Budget {
    fn took(&mut self, seconds: f64) {
        self.spent += seconds;
        self.last = seconds;
    }

    /// How much more the run must take until the next page, if that takes what the last one took, is within the share.
    fn missing(&self, run: f64) -> f64 {
        match self.last {
            0.0 => 0.0,
            last => (self.spent + last) / SHARE - run,
        }
    }
}

/// Draws the pages and writes them; none where the run ended meanwhile.
fn draw(
    subject: &Subject<'_>,
    control: &Control,
    reload: u64,
) -> Result<Option<(Answer, Vec<PathBuf>)>, NotDrawn> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("draw")
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A Ctrl-C at the terminal is the engine's to handle.
        .process_group(0)
        .spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut state = control.lock();
    if state.stopped {
        let _ = child.kill();
    }
    state.child = Some(child);
    drop(state);

    let command = std::env::args().collect::<Vec<_>>().join(" ");
    let order = Order {
        of: subject.of,
        graph: subject.graph,
        cache: subject.cache.as_os_str().to_owned(),
        remote: subject.remote.map(|remote| remote.as_os_str().to_owned()),
        command: &command,
        reload,
    };
    let order = serde_json::to_vec(&order)?;
    if let Some(mut stdin) = stdin {
        // It reads all of it before it writes anything; if it is gone, its end says why.
        let _ = stdin.write_all(&order);
    }
    let (mut answer, mut wrote) = (Vec::new(), String::new());
    if let Some(mut stdout) = stdout {
        stdout.read_to_end(&mut answer)?;
    }
    if let Some(mut stderr) = stderr {
        let _ = stderr.read_to_string(&mut wrote);
    }
    let mut state = control.lock();
    let ended = state.child.take().map(|mut child| child.wait());
    if state.stopped {
        return Ok(None);
    }
    drop(state);
    match ended {
        Some(Ok(status)) if status.success() => {}
        Some(Ok(status)) => {
            let said = wrote.trim_end().to_owned();
            return Err(NotDrawn::Ended { said, status });
        }
        Some(Err(error)) => return Err(error.into()),
        None => return Ok(None),
    }
    let answer: Answer = serde_json::from_slice(&answer)?;
    let mut paths = Vec::new();
    for page in &answer.pages {
        let path = subject.folder.join(format!("{}.html", page.name));
        if let Err(error) = replace(&path, page.html.as_bytes()) {
            return Err(NotDrawn::Page { path, error });
        }
        paths.push(path);
    }
    Ok(Some((answer, paths)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_takes_its_share_of_the_run_and_no_more() {
        // Each page takes longer than the one before, as a study grows.
        let mut budget = Budget::default();
        let (mut run, mut cost) = (100.0, 0.5);
        assert!(budget.missing(run) <= 0.0, "the first is free");
        for page in 0..200 {
            budget.took(cost);
            run += budget.missing(run).max(0.0);
            let share = (budget.spent + cost) / run;
            assert!(share <= SHARE * 1.0001, "page {page}: {share}");
            cost *= 1.02;
        }
    }

    #[test]
    fn what_this_process_takes_is_seen() {
        let Some(before) = cpu_of_descendants() else {
            return;
        };
        let start = Instant::now();
        while cpu_of_descendants().is_some_and(|now| now < before + 0.05) {
            assert!(start.elapsed() < Duration::from_mins(1), "it stands still");
        }
        let (low, high) = (PAUSE, RELOAD);
        assert_eq!(within(f64::NAN, low, high), high);
        assert_eq!(within(-1.0, low, high), high);
        assert_eq!(within(1.0, low, high), low);
    }
}
