//! Programs end with their worker, and their folders go with them.
//!
//! A worker that is killed can end nothing any more. So it starts a small process beside it, which waits for the
//! worker's end of a pipe to close, and then kills the group of the program that was running and removes the folder.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::{Error, Failure, program};
use std::fs;

/// Heeds no signal that a batch system sends to all processes of a job. Reads the running program's group from stdin; an
/// empty line when there is none, and `?` before one is started: a worker that is killed before it can say which is found
/// out by what works in the folder.
const SCRIPT: &str = r#"trap '' INT TERM HUP USR1 USR2
group=
while read -r line; do group=$line; done
case $group in
  '') ;;
  \?) for again in 1 2 3 4 5; do
      for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd") in "$1"/*)
          stat=$(cat "$process/stat")
          set -- "$1" ${stat##*) }
          kill -s KILL -- "-$4" ;;
        esac
      done
      sleep 0.2
    done ;;
  *) kill -s KILL -- "-$group" ;;
esac
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }"#;

/// Working folders that are left before all are removed.
const LEFT: usize = 8192;
/// No larger ones are left, in bytes.
const SMALL: u64 = 16 << 10;

pub(super) struct Guard {
    folder: TempDir,
    stdin: ChildStdin,
    /// How many working folders are left. Small ones are removed together: ext4 looks long for a
    /// place for a new file where others were removed in the last five seconds, which made trivial
    /// commands twice as dear.
    left: usize,
}

impl Guard {
    /// Starts it, with an empty folder.
    pub(super) fn start() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("pipeline-").tempdir()?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What kills the worker's group is not to kill the guard.
            .process_group(0)
            .spawn()
            .map_err(Error::NoShell)?;
        let stdin = child.stdin.take().expect("stdin is a pipe");
        Ok(Self {
            folder,
            stdin,
            left: 0,
        })
    }

    /// The working folder and that for temporary files, both empty.
    pub(super) fn folders(&self) -> Result<(PathBuf, PathBuf), Failure> {
        let (work, temporary) = (self.work(self.left), self.folder.path().join("tmp"));
        fs::create_dir(&work)?;
        if !temporary.exists() {
            fs::create_dir(&temporary)?;
        }
        Ok((work, temporary))
    }

    /// The program that had them has ended, and its inputs and outputs are that large.
    pub(super) fn leave(&mut self, bytes: u64) -> Result<(), Failure> {
        let temporary = self.folder.path().join("tmp");
        if fs::read_dir(&temporary).map_or(true, |mut files| files.next().is_some()) {
            remove(&temporary)?;
        }
        if bytes > SMALL {
            return remove(&self.work(self.left));
        }
        self.left += 1;
        if self.left == LEFT {
            for number in 0..std::mem::take(&mut self.left) {
                remove(&self.work(number))?;
            }
        }
        Ok(())
    }

    fn work(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("work{number}"))
    }

    /// Runs a program that leads a process group, and ends what is left of the group after it.
    pub(super) fn run(&mut self, command: &mut Command) -> Result<ExitStatus, Failure> {
        writeln!(self.stdin, "?")?;
        let mut child = command.spawn().map_err(|error| {
            let _ = writeln!(self.stdin);
            let program = command.get_program().to_string_lossy();
            let work = command.get_current_dir().unwrap_or(Path::new(""));
            program::not_started(&program, work, error)
        })?;
        writeln!(self.stdin, "{}", child.id())?;
        let status = child.wait()?;
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // Mostly nobody is left: then there is no such group.
            let _ = kill_process_group(group, Signal::KILL);
        }
        writeln!(self.stdin)?;
        Ok(status)
    }
}

fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn a_program_whose_worker_was_killed_as_it_started_it_ends_too() {
        if !Path::new("/proc/self/cwd").exists() {
            errln!("skipped: this system does not tell where a process works");
            return;
        }
        let mut guard = Guard::start().expect("a guard");
        let (work, _) = guard.folders().expect("folders");
        writeln!(guard.stdin, "?").expect("the guard listens");
        let mut program = Command::new("sleep");
        program.arg("60").current_dir(&work).process_group(0);
        let mut program = program.spawn().expect("a program");
        let stranger = Command::new("sleep").arg("60").process_group(0).spawn();
        let mut stranger = stranger.expect("a program elsewhere");
        // The worker is gone.
        drop(guard);
        let ended = program.wait().expect("it was started");
        assert_eq!(ended.signal(), Some(9));
        assert!(stranger.try_wait().expect("it was started").is_none());
        stranger.kill().expect("it lives");
        stranger.wait().expect("it was started");
    }
}
