//! Other programs that studies may use.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::finding::Finding;

/// How long one may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);
/// Looks for torch without importing it, which takes seconds.
const PYTHON: &str = "
import importlib.metadata, platform
print('python', platform.python_version(), end='')
try:
    print(', torch', importlib.metadata.version('torch'), end='')
except importlib.metadata.PackageNotFoundError:
    print(', no torch', end='')
";
/// All in a line, the default one with a star.
const PARTITIONS: &str = "sinfo --noheader --format=%P | sort -u | paste -s -d ' '";

pub(super) fn findings() -> [Finding; 2] {
    [slurm(), python("python3")]
}

fn slurm() -> Finding {
    let Some(version) = said("sbatch", &["--version"]) else {
        return Finding::ok("Slurm", "no sbatch", "studies run on this machine only");
    };
    match said("sh", &["-c", PARTITIONS]) {
        Some(partitions) => Finding::ok(
            "Slurm",
            format!("{version}, partitions {partitions}"),
            "`pipeline submit` has the cluster run a study (doc/cluster.md)",
        ),
        None => Finding::note(
            "Slurm",
            format!("{version}, but `sinfo` names no partition"),
            "nothing can be submitted from here now",
        ),
    }
}

fn python(program: &str) -> Finding {
    match said(program, &["-c", PYTHON]) {
        Some(versions) => Finding::ok(
            "Python",
            versions,
            "for your own training programs (`command` stages)",
        ),
        None => Finding::ok(
            "Python",
            format!("no working {program}"),
            "needed only for your own training programs in Python (`command` stages)",
        ),
    }
}

/// The first line that a program says, if it is there, ends well and does not take long.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let begun = Instant::now();
    while child.try_wait().ok()?.is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().ok()?;
            child.wait().ok()?;
            return None;
        }
        sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_fails_or_says_nothing_is_none() {
        assert_eq!(said("echo", &["one\ntwo"]).as_deref(), Some("one"));
        assert_eq!(said("no-such-program", &[]), None);
        assert_eq!(said("false", &[]), None);
        assert_eq!(said("true", &[]), None);
    }
}
