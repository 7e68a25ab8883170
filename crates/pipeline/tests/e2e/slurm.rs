//! A study on a cluster of Slurm. The cluster is real and private; its nodes are all this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::lab::{Lab, TINY, stderr, stdout};

mod downloads;

/// A lab with a remote, and a site file with these lines on Slurm.
fn lab(slurm: &str) -> Lab {
    let lab = Lab::new(TINY);
    fs::create_dir(lab.path("remote")).expect("the remote");
    let scratch = lab.path("scratch disk");
    let site = format!(
        "jobs: 2\ncache: {{ remote: remote }}\nslurm:\n  scratch: {}/$SLURMD_NODENAME\n{slurm}",
        scratch.display()
    );
    fs::write(lab.path("site.yaml"), site).expect("the site file");
    lab
}

/// A message or script without what differs between machines.
fn plain(lab: &Lab, text: &str) -> String {
    let here = lab.path("");
    let here = here.to_str().expect("UTF-8").trim_end_matches('/');
    let text = text.replace(env!("CARGO_BIN_EXE_pipeline"), "PIPELINE");
    text.replace(here, "LAB")
}

#[test]
fn the_scripts_are_shown_before_anything_is_submitted() {
    let lab = lab(
        "  partition: gpu\n  account: lab\n  time: 4:00:00\n  tasks: 3\n  at_once: 2\n  notice: 120\n  \
         options: [--mail-type=FAIL]\n  prologue: |\n    module load cuda\n  last: { partition: cpu, memory: 2G }\n",
    );
    let output = lab.output(&["submit", "--dry-run", "study.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = plain(&lab, &(stdout(&output) + &stderr(&output)));
    insta::assert_snapshot!(said);
    assert!(!lab.path("remote/v1/run").exists(), "nothing is frozen");
}

#[test]
fn the_site_file_of_the_documentation_gives_scripts() {
    let page = include_str!("../../../../doc/cluster.md");
    let blocks = page.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split_once("```").map(|(block, _)| block));
    let site = blocks
        .filter(|block| block.contains("\nslurm:"))
        .collect::<String>();
    let lab = Lab::new(TINY);
    let remote = lab.path("");
    let site = site.replace("/project/me/store", &remote.display().to_string());
    fs::write(lab.path("site.yaml"), site).expect("the site file");
    let output = lab.output(&["submit", "--dry-run", "study.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let scripts = stdout(&output);
    for line in [
        "#SBATCH --gres=gpu:1\n",
        "#SBATCH --array=0-15%8\n",
        "module load cuda/12.4\n",
        "scratch=\"$TMPDIR\"\n",
        "--device cuda --threads 1 --jobs-per-gpu 2 ${CUDA_VISIBLE_DEVICES:+--gpus \"$CUDA_VISIBLE_DEVICES\"} --requeue\n",
    ] {
        assert!(scripts.contains(line), "{line} is not in\n{scripts}");
    }
}

#[test]
fn a_submission_without_a_remote_or_without_slurm_says_so() {
    let lab = Lab::new(TINY);
    let output = lab.output(&["submit", "study.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("share a remote"),
        "{}",
        stderr(&output)
    );
    fs::create_dir(lab.path("remote")).expect("the remote");
    let mut command = lab.command(&["submit", "study.yaml", "--remote", "remote"]);
    let output = command
        .env("PATH", lab.path(""))
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("cannot start `scontrol`"),
        "{}",
        stderr(&output)
    );
    assert!(!lab.path("remote/v1/run").exists(), "nothing is frozen");
}

#[test]
#[cfg(not(feature = "cuda"))]
fn gpus_that_the_program_was_built_without_are_no_task_s_to_find_out() {
    let lab = lab("  gres: gpu:1\n");
    let refused = lab.output(&["submit", "study.yaml", "--device", "cuda"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        stderr(&refused),
        "error: this program was built without cuda; build it with `--features cuda`\n"
    );
    assert!(!lab.path("remote/v1/run").exists(), "nothing is frozen");
    // Programs of one's own may use them.
    let shown = lab.output(&["submit", "--dry-run", "study.yaml"]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    assert!(stdout(&shown).contains("--device cpu"));
    let said = stderr(&shown);
    assert!(said.contains("its `train` stages use the CPU"), "{said}");
}

/// A cluster, which ends with this.
struct Cluster {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Cluster {
    /// None where Slurm is not installed or this user may not start it; in CI there must be one.
    fn start() -> Option<Self> {
        let is_there = |program: &str| {
            Command::new("sh")
                .args(["-c", &format!("PATH=$PATH:/usr/sbin; command -v {program}")])
                .output()
                .is_ok_and(|output| output.status.success())
        };
        let missing: Vec<&str> = ["slurmctld", "slurmd", "sbatch", "munged"]
            .into_iter()
            .filter(|program| !is_there(program))
            .collect();
        let is_root = rustix::process::geteuid().is_root();
        if !missing.is_empty() || !is_root {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI has Slurm, and is root: {missing:?}"
            );
            eprintln!(
                "skipped: a cluster needs root and Debian's slurmctld, slurmd, slurm-client, munge"
            );
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let output = script("slurm-up.sh", folder.path(), &[]);
        assert!(output.status.success(), "{}", stderr(&output));
        let config = folder.path().join("etc/slurm.conf");
        Some(Self { folder, config })
    }

    fn command(&self, lab: &Lab, arguments: &[&str]) -> Command {
        let mut command = lab.command(arguments);
        command.env("SLURM_CONF", &self.config);
        command
    }

    /// What one of Slurm's programs says.
    fn says(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = command
            .args(arguments)
            .env("SLURM_CONF", &self.config)
            .output();
        let output = output.expect("it starts");
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    }

    fn node(&self, action: &str, node: &str) {
        let output = script("slurm-node.sh", self.folder.path(), &[action, node]);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// Waits until no job is in the queue. Requeued ones need not wait: this version makes them for two minutes.
    fn wait(&self) {
        let start = Instant::now();
        loop {
            let queue = self.says("squeue", &["-h", "-r", "-o", "%i %T %r"]);
            if queue.trim().is_empty() {
                return;
            }
            for line in queue.lines().filter(|line| line.ends_with("BeginTime")) {
                let id = line.split(' ').next().expect("an id");
                let at = format!("jobid={id}");
                // It may have begun meanwhile.
                let _ = Command::new("scontrol")
                    .args(["update", &at, "StartTime=now"])
                    .env("SLURM_CONF", &self.config)
                    .output();
            }
            assert!(
                start.elapsed() < Duration::from_mins(4),
                "it comes to no end:\n{queue}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        script("slurm-down.sh", self.folder.path(), &[]);
    }
}

fn script(name: &str, folder: &Path, arguments: &[&str]) -> Output {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm");
    let mut command = Command::new("bash");
    command.arg(scripts.join(name)).args(arguments);
    command
        .env("SLURM_TEST_DIR", folder)
        .env("SLURM_TEST_CPUS", "2");
    command.output().expect("it starts")
}

/// Everything that tasks wrote.
fn logs(lab: &Lab) -> String {
    let files = fs::read_dir(lab.path("reports/slurm")).expect("logs");
    let logs = files.map(|file| fs::read_to_string(file.expect("a file").path()).expect("text"));
    logs.collect::<Vec<_>>().join("\n")
}

/// The page is that of a machine alone.
fn check_page(lab: &Lab) {
    let of_fleet = lab.page();
    fs::remove_dir_all(lab.path("reports")).expect("removed");
    fs::remove_file(lab.path("site.yaml")).expect("removed");
    lab.run();
    assert_eq!(of_fleet, lab.page());
}

/// Waits until that many files or folders are there.
fn wait_for(folder: &Path, entries: usize) {
    let start = Instant::now();
    while fs::read_dir(folder).map_or(0, Iterator::count) < entries {
        assert!(start.elapsed() < Duration::from_mins(1), "they do not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_cluster_that_loses_a_node_comes_to_the_report_of_one_machine() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let lab = lab("  tasks: 3\n");
    lab.edit("iterations: 40 }", "iterations: 20000 }");
    let arguments = [
        "submit",
        "study.yaml",
        "--remote-beat",
        "0.2",
        "--remote-ttl",
        "5",
    ];
    let output = cluster
        .command(&lab, &arguments)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let plan = stdout(&output).trim().to_owned();
    // A node has the cores of one task, and each task two runs.
    wait_for(&lab.path("remote/v1/attempt"), 1 + 5);
    let there = cluster.says("squeue", &["-h", "-w", "n2", "-t", "R", "-o", "%i"]);
    assert!(!there.trim().is_empty(), "something runs on the node");
    cluster.node("kill", "n2");
    let status = cluster
        .command(&lab, &["status", "tiny"])
        .output()
        .expect("it starts");
    assert!(stdout(&status).contains(&plan), "{}", stdout(&status));
    cluster.wait();
    let said = logs(&lab);
    assert!(lab.path("reports/tiny.html").exists(), "{said}");
    let attempts = fs::read_dir(lab.path("remote/v1/attempt")).expect("attempts");
    let again = attempts.filter(|it| {
        let name = it.as_ref().expect("a file").file_name();
        name.to_string_lossy().ends_with("-2")
    });
    assert!(
        again.count() > 0,
        "what the node had was taken over: {said}"
    );
    check_page(&lab);
    let status = lab.output(&["status", "tiny", "--remote", "remote"]);
    assert!(stdout(&status).contains("all done"), "{}", stdout(&status));
}

#[test]
fn a_task_whose_time_is_up_goes_back_to_the_queue_and_goes_on_from_its_checkpoint() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let lab = lab("  tasks: 1\n");
    lab.edit("iterations: 40 }", "iterations: 20000 }");
    let arguments = [
        "submit",
        "study.yaml",
        "--jobs",
        "1",
        "--remote-beat",
        "0.2",
    ];
    let output = cluster
        .command(&lab, &arguments)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    wait_for(&lab.path("remote/v1/attempt"), 3);
    // What Slurm sends when the limit is near.
    let task = cluster.says("squeue", &["-h", "-r", "-t", "R", "-o", "%i"]);
    cluster.says("scancel", &["--signal=USR1", "--batch", task.trim()]);
    cluster.wait();
    let said = logs(&lab);
    assert!(
        said.contains("the time limit is near: this task goes on"),
        "{said}"
    );
    assert!(lab.path("reports/tiny.html").exists(), "{said}");
    let attempts: Vec<String> = fs::read_dir(lab.path("remote/v1/attempt"))
        .expect("attempts")
        .map(|it| {
            it.expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    let released: Vec<&String> = attempts
        .iter()
        .filter(|it| it.ends_with(".released"))
        .collect();
    assert_eq!(
        released.len(),
        1,
        "one stage ran, and was given up: {attempts:?}"
    );
    check_page(&lab);
}

#[test]
fn a_cancelled_submission_is_gone_on_with_by_the_next_one() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let lab = lab("  tasks: 2\n");
    lab.edit("iterations: 40 }", "iterations: 20000 }");
    let run = |arguments: &[&str]| {
        let output = cluster
            .command(&lab, arguments)
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output) + &stderr(&output)
    };
    let submit = [
        "submit",
        "study.yaml",
        "--jobs",
        "1",
        "--remote-beat",
        "0.2",
    ];
    assert!(run(&submit).contains("20 runs to do"));
    wait_for(&lab.path("remote/v1/ac"), 4);
    let said = run(&["cancel", "study.yaml"]);
    assert!(said.contains("tasks of tiny cancelled"), "{said}");
    let left = run(&["status", "tiny"]);
    assert!(
        left.contains("waiting") && !left.contains("running"),
        "{left}"
    );
    let again = run(&submit);
    assert!(!again.contains("20 runs to do"), "{again}");
    cluster.wait();
    assert!(run(&["status", "tiny"]).contains("all done"));
    assert!(run(&["cancel", "tiny"]).contains("no job of tiny"));
}

#[test]
fn what_slurm_refuses_is_said_in_its_words_and_nothing_is_frozen() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let lab = lab("  partition: nowhere\n");
    let output = cluster
        .command(&lab, &["submit", "study.yaml"])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("invalid partition specified: nowhere"),
        "{said}"
    );
    assert!(!lab.path("remote/v1/run").exists());
}

#[test]
fn what_failed_in_a_task_is_said_by_the_last_job_and_by_status() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let lab = lab("  tasks: 1\n");
    lab.write(
        "study: fails\nstages:\n  bad:\n    command: { run: \"echo what it was; exit 3\", outputs: { out: out.txt } }\n",
    );
    let output = cluster
        .command(&lab, &["submit", "study.yaml"])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    cluster.wait();
    let failed = "failed: bad: the program ended with exit code 3\n  | what it was\n";
    assert!(logs(&lab).contains(failed), "{}", logs(&lab));
    let status = cluster
        .command(&lab, &["status", "fails"])
        .output()
        .expect("it starts");
    assert!(stdout(&status).contains(failed), "{}", stdout(&status));
    let codes = cluster.says("scontrol", &["-o", "show", "jobs"]);
    let codes: Vec<&str> = codes
        .lines()
        .map(|job| {
            if job.contains("ExitCode=1:0") {
                "1"
            } else {
                "?"
            }
        })
        .collect();
    assert_eq!(codes, ["1", "1"], "the task and the last job");
}
