//! Worker processes: starting them, talking to them, noticing that they are gone.

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::memory::Occupancy;
use crate::protocol::{Reply, Request};
use crate::run::WorkerCommand;
use crate::scheduler::Heard;
use crate::{Build, Error, Site, StageId};

/// How long a worker may take to end once its stdin is closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A worker of a [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorkerId(pub(crate) usize);

/// What comes from a worker.
pub(crate) enum Said {
    Reply(Reply),
    /// A line that is no reply.
    Nonsense(String),
    /// The process has ended, or will at once.
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Idle,
    /// Has a stage, and has begun it or not.
    Busy {
        stage: StageId,
        begun: bool,
    },
    Gone,
}

struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it writes while it has no stage.
    stderr: File,
    state: State,
    /// Whether its stage keeps checkpoints.
    keeps: bool,
    gpu: Option<String>,
    /// Why it was killed, if it was.
    killed: Option<String>,
}

/// How a worker ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Killed by this process, for this reason.
    Killed(String),
    /// By itself, or by somebody else.
    Status(ExitStatus),
    /// It could not be waited for.
    Lost(std::io::Error),
}

impl Ended {
    /// Whether somebody else ended it with a signal.
    pub(crate) fn is_by_signal(&self) -> bool {
        matches!(self, Self::Status(status) if status.signal().is_some())
    }

    /// Whether somebody else killed it: where memory runs out, the system does.
    pub(crate) fn is_killed(&self) -> bool {
        let kill = Some(Signal::KILL.as_raw());
        matches!(self, Self::Status(status) if status.signal() == kill)
    }
}

impl Display for Ended {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let status = match self {
            Self::Killed(why) => return f.write_str(why),
            Self::Lost(error) => return write!(f, "the worker process is lost: {error}"),
            Self::Status(status) => status,
        };
        match (status.code(), status.signal()) {
            (Some(code), _) => write!(f, "the worker process ended with exit code {code}"),
            (None, Some(signal)) => write!(f, "the worker process was killed by signal {signal}"),
            (None, None) => write!(f, "the worker process ended: {status}"),
        }
    }
}

/// What every worker is told first.
pub(crate) struct Opening {
    pub(crate) cache: PathBuf,
    pub(crate) build: Build,
    pub(crate) site: Site,
    /// Given out to workers in turn; none: they see what this process sees.
    pub(crate) gpus: Vec<String>,
}

/// The workers of a run. Dropping it ends them.
pub(crate) struct Pool {
    command: WorkerCommand,
    open: Opening,
    workers: Vec<Worker>,
    /// What they hold of memory.
    pub(crate) memory: Occupancy,
    send: Sender<Heard>,
}

impl Pool {
    /// No worker yet. What they will say is sent there.
    pub(crate) fn new(
        command: WorkerCommand,
        open: Opening,
        memory: Occupancy,
        send: Sender<Heard>,
    ) -> Self {
        Self {
            command,
            open,
            workers: Vec::new(),
            memory,
            send,
        }
    }

    pub(crate) fn start(&mut self) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::WorkerStart {
            program: self.command.program.clone(),
            message: error.to_string(),
        };
        let stderr = tempfile::tempfile().map_err(failed)?;
        let gpu = self.free_gpu();
        let mut child = Command::new(&self.command.program)
            .args(&self.command.args)
            .envs(self.command.env.iter().map(|(name, value)| (name, value)))
            .envs(gpu.iter().map(|gpu| ("CUDA_VISIBLE_DEVICES", gpu)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.try_clone().map_err(failed)?)
            // A Ctrl-C at the terminal is the engine's to handle.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let id = WorkerId(self.workers.len());
        let (stdin, stdout) = (
            child.stdin.take(),
            child.stdout.take().expect("stdout is piped"),
        );
        let send = self.send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                let said =
                    serde_json::from_str(&line).map_or_else(|_| Said::Nonsense(line), Said::Reply);
                if send.send(Heard::Worker(id, said)).is_err() {
                    return;
                }
            }
            // If the run is over nobody wants to know.
            let _ = send.send(Heard::Worker(id, Said::Gone));
        });
        self.workers.push(Worker {
            child,
            stdin,
            stderr,
            state: State::Starting,
            keeps: false,
            gpu: gpu.clone(),
            killed: None,
        });
        let open = Request::Open {
            cache: self.open.cache.clone().into(),
            build: self.open.build.clone(),
            site: Site {
                gpu,
                ..self.open.site.clone()
            },
        };
        self.write(id, &line(&open));
        Ok(())
    }

    /// The GPU that fewest workers have.
    fn free_gpu(&self) -> Option<String> {
        let users = |gpu: &String| {
            let alive = self.workers.iter().filter(|it| it.state != State::Gone);
            alive.filter(|it| it.gpu.as_ref() == Some(gpu)).count()
        };
        self.open.gpus.iter().min_by_key(|gpu| users(gpu)).cloned()
    }

    /// Kills a worker and what it started; why is what [`bury`](Self::bury) will say.
    pub(crate) fn kill(&mut self, id: WorkerId, why: String) {
        self.workers[id.0].killed = Some(why);
        kill_group(&self.workers[id.0].child);
    }

    /// An idle worker for a stage that takes so much memory. Other idle ones are ended where they hold what it needs.
    pub(crate) fn idle(&mut self, bytes: u64) -> Option<WorkerId> {
        let chosen = self.memory.worker(self.idle_ones(), bytes)?;
        while let Some(other) = self.memory.surplus(self.idle_ones(), chosen, bytes) {
            self.retire(other);
        }
        Some(chosen)
    }

    fn idle_ones(&self) -> impl Iterator<Item = WorkerId> {
        let workers = self.workers.iter().enumerate();
        let idle = workers.filter(|(_, worker)| worker.state == State::Idle);
        idle.map(|(at, _)| WorkerId(at))
    }

    /// Whether there may be one more worker, of so many. An idle one makes place, if there is one.
    pub(crate) fn has_place(&mut self, jobs: usize) -> bool {
        if self.alive() < jobs.max(1) {
            return true;
        }
        let idle = self.memory.largest(self.idle_ones());
        idle.inspect(|&idle| self.retire(idle)).is_some()
    }

    /// Ends an idle worker, and with it what it holds of memory.
    fn retire(&mut self, id: WorkerId) {
        let worker = &mut self.workers[id.0];
        worker.state = State::Gone;
        worker.stdin = None;
        // One that cannot be waited for is no child any more.
        let _ = end(&mut worker.child, Instant::now() + PATIENCE);
        self.memory.remove(id);
    }

    /// Whether a worker was ended or buried.
    pub(crate) fn is_gone(&self, id: WorkerId) -> bool {
        self.workers[id.0].state == State::Gone
    }

    /// Sends a stage that takes so much memory to an idle worker.
    pub(crate) fn execute(&mut self, id: WorkerId, stage: StageId, bytes: u64, request: &Request) {
        let worker = &mut self.workers[id.0];
        worker.state = State::Busy {
            stage,
            begun: false,
        };
        worker.keeps = false;
        self.memory.give(id, bytes);
        self.write(id, &line(request));
    }

    /// A worker that cannot be written to is gone; its stdout ends too, and that is how one knows.
    fn write(&mut self, id: WorkerId, line: &str) {
        if let Some(stdin) = &mut self.workers[id.0].stdin
            && stdin.write_all(line.as_bytes()).is_err()
        {
            self.workers[id.0].stdin = None;
        }
    }

    /// Answers a worker that has asked about its stage.
    pub(crate) fn tell(&mut self, id: WorkerId, request: &Request) {
        self.write(id, &line(request));
    }

    /// The stage that a worker has.
    pub(crate) fn stage(&self, id: WorkerId) -> Option<StageId> {
        match self.workers[id.0].state {
            State::Busy { stage, .. } => Some(stage),
            _ => None,
        }
    }

    /// Takes note that a worker has begun its stage.
    pub(crate) fn begin(&mut self, id: WorkerId) {
        if let State::Busy { begun, .. } = &mut self.workers[id.0].state {
            *begun = true;
            self.memory.begin(id);
        }
    }

    /// Whether a worker has begun its stage.
    pub(crate) fn has_begun(&self, id: WorkerId) -> bool {
        matches!(self.workers[id.0].state, State::Busy { begun: true, .. })
    }

    /// Takes note that a worker has no stage, or none any more.
    pub(crate) fn release(&mut self, id: WorkerId) {
        self.workers[id.0].state = State::Idle;
        self.memory.end(id);
    }

    /// Takes note that a worker's stage keeps checkpoints.
    pub(crate) fn keeps_checkpoints(&mut self, id: WorkerId) {
        self.workers[id.0].keeps = true;
    }

    /// Whether a stage that keeps checkpoints is under way.
    pub(crate) fn any_keeps_checkpoints(&self) -> bool {
        let workers = 0..self.workers.len();
        let mut busy = workers.filter(|&at| self.stage(WorkerId(at)).is_some());
        busy.any(|at| self.workers[at].keeps)
    }

    /// Tells the workers to end their stages once their checkpoints are kept.
    pub(crate) fn interrupt(&mut self) {
        for id in (0..self.workers.len()).map(WorkerId) {
            if self.stage(id).is_some() {
                self.write(id, &line(&Request::Interrupt));
            }
        }
    }

    /// How many workers have a stage.
    pub(crate) fn busy(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| matches!(worker.state, State::Busy { .. }))
            .count()
    }

    /// How many workers have not said hello yet.
    pub(crate) fn starting(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| worker.state == State::Starting)
            .count()
    }

    /// Whether a worker has not said hello yet.
    pub(crate) fn is_starting(&self, id: WorkerId) -> bool {
        self.workers[id.0].state == State::Starting
    }

    /// How many workers there are.
    pub(crate) fn alive(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| worker.state != State::Gone)
            .count()
    }

    /// Ends a worker and says how it ended and what it last wrote without a stage.
    pub(crate) fn bury(&mut self, id: WorkerId) -> (Ended, String) {
        let worker = &mut self.workers[id.0];
        worker.state = State::Gone;
        self.memory.remove(id);
        // Its stdin stays open until it has ended: closed, it would end for that reason.
        let ended = match end(&mut worker.child, Instant::now() + PATIENCE) {
            Ok(status) => Ended::Status(status),
            Err(error) => Ended::Lost(error),
        };
        let ended = worker.killed.take().map_or(ended, Ended::Killed);
        worker.stdin = None;
        let mut wrote = String::new();
        let read = worker
            .stderr
            .rewind()
            .and_then(|()| worker.stderr.read_to_string(&mut wrote));
        if let Err(error) = read {
            wrote = format!("(what it wrote cannot be read: {error})");
        }
        (ended, wrote.trim_end().to_owned())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.stdin = None;
        }
        let deadline = Instant::now() + PATIENCE;
        for worker in self
            .workers
            .iter_mut()
            .filter(|worker| worker.state != State::Gone)
        {
            // A worker that cannot be waited for is no child any more.
            let _ = end(&mut worker.child, deadline);
        }
    }
}

/// Waits for a process, kills it if it takes too long, and what it started in any case: nothing of
/// a stage goes on when its worker is gone.
fn end(child: &mut Child, deadline: Instant) -> std::io::Result<ExitStatus> {
    let mut pause = Duration::from_micros(100);
    while Instant::now() < deadline {
        // Not reaped yet: its number is still its own, and so is that of its group.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if waitid(WaitId::Pid(Pid::from_child(child)), options)?.is_some() {
            break;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    kill_group(child);
    child.wait()
}

fn kill_group(child: &Child) {
    // It fails only where there is nobody left to kill.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

fn line(request: &Request) -> String {
    serde_json::to_string(request).expect("a request has string keys only") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_ended_from_outside_was_ended_by_a_signal() {
        let of = |script: &str| Command::new("sh").args(["-c", script]).status().unwrap();
        let killed = Ended::Status(of("kill -9 $$"));
        assert_eq!(
            killed.to_string(),
            "the worker process was killed by signal 9"
        );
        assert!(killed.is_by_signal());
        let ended = Ended::Status(of("exit 137"));
        assert_eq!(
            ended.to_string(),
            "the worker process ended with exit code 137"
        );
        assert!(!ended.is_by_signal());
        // However the reason reads.
        assert!(!Ended::Killed(killed.to_string()).is_by_signal());
    }
}
