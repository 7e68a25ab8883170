//! Slurm's programs, started and read.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// What went wrong with one of Slurm's programs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be started.
    #[error("cannot start `{program}`: is this a machine from which jobs of Slurm are submitted?")]
    Missing {
        program: &'static str,
        source: std::io::Error,
    },
    /// It says no.
    #[error("`{program}` refused with exit code {code}:\n{said}")]
    Refused {
        program: &'static str,
        code: i32,
        said: String,
    },
    /// It says something else than it should.
    #[error("`{program}` said what this program does not understand: {said:?}")]
    NotUnderstood { program: &'static str, said: String },
    /// This process is no job.
    #[error("this process is no job of Slurm: SLURM_JOB_ID is not set")]
    NoJob,
}

/// A task in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    /// `17_3` of an array, `18` of a job alone.
    pub(crate) id: String,
    /// `PENDING`, `RUNNING`, …
    pub(crate) state: String,
    /// Why it waits.
    pub(crate) reason: String,
    /// The name of its job.
    pub(crate) name: String,
}

/// Submits a script, to begin once all jobs of `after` have ended, however they did: the number of its job.
pub(crate) fn submit(script: &str, after: &[String]) -> Result<String, Error> {
    let mut arguments = vec!["--parsable".to_owned()];
    if !after.is_empty() {
        arguments.push(format!("--dependency=afterany:{}", after.join(":")));
    }
    let said = run("sbatch", &arguments, script)?;
    // `17`, or `17;cluster`; before it may stand what a site's own `sbatch` has to say.
    let last = said.lines().last().unwrap_or_default();
    let id = last.trim().split(';').next().unwrap_or_default();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::NotUnderstood {
            program: "sbatch",
            said,
        });
    }
    Ok(id.to_owned())
}

/// Whether Slurm would take a script, without giving it one.
pub(crate) fn would_take(script: &str) -> Result<(), Error> {
    run("sbatch", &["--test-only".to_owned()], script).map(drop)
}

/// How many tasks an array may have; none if Slurm does not say.
pub(crate) fn largest_array() -> Result<Option<usize>, Error> {
    let arguments = ["show".to_owned(), "config".to_owned()];
    let said = run("scontrol", &arguments, "")?;
    let value = said.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "MaxArraySize").then(|| value.trim())
    });
    // The largest index is one less.
    Ok(value.and_then(|value| value.parse().ok()))
}

/// The tasks of this user in the queue, of jobs of these names.
pub(crate) fn queue(names: &[String]) -> Result<Vec<Task>, Error> {
    let user = rustix::process::getuid().as_raw().to_string();
    let format = ["%i", "%T", "%r", "%j"].join("\t");
    let arguments = ["-h", "-r", "-u", &user, "-o", &format].map(str::to_owned);
    let said = run("squeue", &arguments, "")?;
    let tasks = said.lines().filter(|line| !line.trim().is_empty());
    let tasks: Result<Vec<Task>, Error> = tasks.map(task).collect();
    let mut tasks = tasks?;
    tasks.retain(|task| names.contains(&task.name));
    Ok(tasks)
}

/// Takes jobs out of the queue and ends those that run.
pub(crate) fn cancel(jobs: &[String]) -> Result<(), Error> {
    run("scancel", jobs, "").map(drop)
}

fn task(line: &str) -> Result<Task, Error> {
    let mut fields = line.split('\t').map(|field| field.trim().to_owned());
    let mut next = || fields.next();
    match (next(), next(), next(), next()) {
        (Some(id), Some(state), Some(reason), Some(name)) => Ok(Task {
            id,
            state,
            reason,
            name,
        }),
        _ => Err(Error::NotUnderstood {
            program: "squeue",
            said: line.to_owned(),
        }),
    }
}

/// What Slurm calls the task that this process is: `17_3`, or `18` of a job alone; none if Slurm did not start it.
pub(crate) fn own_task() -> Option<String> {
    let word = |name: &str| std::env::var(name).ok().filter(|word| !word.is_empty());
    let array = word("SLURM_ARRAY_JOB_ID").zip(word("SLURM_ARRAY_TASK_ID"));
    let array = array.map(|(job, task)| format!("{job}_{task}"));
    array.or_else(|| word("SLURM_JOB_ID"))
}

/// Sends the task that this process is back to the queue: it alone, not the array that it is of.
pub(crate) fn requeue() -> Result<(), Error> {
    let task = own_task().ok_or(Error::NoJob)?;
    run("scontrol", &["requeue".to_owned(), task], "").map(drop)
}

fn run(program: &'static str, arguments: &[String], input: &str) -> Result<String, Error> {
    let missing = |source| Error::Missing { program, source };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().map_err(missing)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if status.success() {
        return Ok(text(&stdout));
    }
    let said = [text(&stderr), text(&stdout)];
    let said = said.iter().filter(|text| !text.is_empty());
    Err(Error::Refused {
        program,
        code: status.code().unwrap_or(-1),
        said: said.cloned().collect::<Vec<_>>().join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_queue_is_a_task() {
        let read = task("17_3\tPENDING\tBeginTime\tpipeline-quick-1").unwrap();
        assert_eq!((read.id.as_str(), read.state.as_str()), ("17_3", "PENDING"));
        assert_eq!(read.name, "pipeline-quick-1");
        assert!(task("17_3 PENDING").is_err());
    }
}
