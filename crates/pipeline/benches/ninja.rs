//! The same graph for this program and for ninja: 1 -> N -> N -> 8 -> 1 trivial commands.
//!
//! `cargo bench -p pipeline --bench ninja [-- N ...]` prints a table of both and their ratios, in one
//! go on one machine: cold, nothing to do, one edit, its undo, and the memory of the program itself.
//! Needs `ninja` on the `PATH` (Debian: `ninja-build`) and `/proc`.

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use measure::{Time, measure, peak};

/// How often something that runs nothing is repeated.
const REPEATS: u32 = 10;

fn main() {
    if Command::new("ninja").arg("--version").output().is_err() {
        println!("there is no `ninja` to compare with: apt install ninja-build");
        return;
    }
    let sizes: Vec<usize> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![64, 512, 4096]
    } else {
        sizes
    };
    let bare = bare();
    println!("a bare command: {:.2} ms of CPU\n", 1e3 * bare);
    println!("| stages | what | pipeline wall | CPU | ninja wall | CPU | wall ratio | CPU ratio |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let folders: Vec<_> = sizes
        .iter()
        .map(|_| tempfile::tempdir().expect("a temporary folder"))
        .collect();
    for (size, folder) in sizes.into_iter().zip(&folders) {
        // ext4 makes files slowly where others were removed in the last five seconds.
        std::thread::sleep(Duration::from_secs(6));
        compare(size, folder.path(), bare);
    }
}

fn compare(size: usize, folder: &Path, bare: f64) {
    let stages = 2 * size + 10;
    let write = |edit: bool| {
        fs::write(folder.join("study.yaml"), study(size, edit)).expect("it can be written");
        fs::write(folder.join("build.ninja"), ninja_file(size, edit)).expect("it can be written");
    };
    let both = |what: &str, times: u32| {
        let ours = measure(times, || pipeline(folder));
        let theirs = measure(times, || ninja(folder));
        row(stages, what, &ours, &theirs);
        (ours, theirs)
    };
    write(false);
    let (ours, _) = both("cold", 1);
    both("nothing to do", REPEATS);
    write(true);
    both("one edit", 1);
    write(false);
    both("its undo", 1);
    let beyond = 1e3 * (ours.cpu / stages as f64 - bare);
    println!("| {stages} | cold, CPU a stage beyond the bare command | | {beyond:.2} ms | | | | |");
    let (our_memory, their_memory) = (peak(pipeline(folder)), peak(ninja(folder)));
    println!(
        "| {stages} | memory of the program, nothing to do | {our_memory:.1} MB | | {their_memory:.1} MB | | {:.1} | |",
        our_memory / their_memory
    );
}

fn row(stages: usize, what: &str, ours: &Time, theirs: &Time) {
    println!(
        "| {stages} | {what} | {:.3} s | {:.3} s | {:.3} s | {:.3} s | {:.2} | {:.2} |",
        ours.wall,
        ours.cpu,
        theirs.wall,
        theirs.cpu,
        ours.wall / theirs.wall,
        ours.cpu / theirs.cpu
    );
}

fn pipeline(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
    command.args(["run", "--quiet", "study.yaml"]);
    prepare(command, folder)
}

fn ninja(folder: &Path) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut command = Command::new("ninja");
    command.args(["--quiet", "-j", &cores.to_string()]);
    prepare(command, folder)
}

fn prepare(mut command: Command, folder: &Path) -> Command {
    command
        .current_dir(folder)
        .env_remove("PIPELINE_CACHE")
        .env_remove("PIPELINE_SITE");
    command
}

/// What a stage's command costs by itself.
fn bare() -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("in"), "x").expect("it can be written");
    let times = 200;
    let shell = || {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "cat in > out; echo 7 >> out"]);
        prepare(shell, folder.path())
    };
    measure(times, shell).cpu
}

/// Which group of eight a command belongs to.
fn group(number: usize) -> usize {
    number % 8
}

/// The number that a command writes; an edit changes that of one.
fn written(number: usize, edit: bool) -> usize {
    if edit && number == 3 {
        1_000_003
    } else {
        number
    }
}

fn study(size: usize, edit: bool) -> String {
    let mut points = String::new();
    for number in 0..size {
        let (group, written) = (group(number), written(number, edit));
        write!(points, "{{ g: {group}, i: {written} }}, ").expect("a String grows");
    }
    let sweep = format!("sweep: {{ points: [{points}] }}");
    let groups: Vec<String> = (0..8).map(|group| group.to_string()).collect();
    format!(
        "study: graph\nstages:\n  \
         first: {{ command: {{ run: \"echo first > out\", outputs: {{ out: out }} }} }}\n  \
         one:\n    command: {{ run: \"cat in > out; echo {{g}} {{i}} >> out\", inputs: {{ in: first }}, outputs: {{ out: out }} }}\n    {sweep}\n  \
         two:\n    command: {{ run: \"cat in > out; echo {{g}} {{i}} >> out\", inputs: {{ in: one }}, outputs: {{ out: out }} }}\n    {sweep}\n  \
         eight:\n    command: {{ run: \"cat in/* > out; echo {{g}} >> out\", inputs: {{ in: two }}, outputs: {{ out: out }} }}\n    sweep: {{ g: [{}] }}\n  \
         last: {{ command: {{ run: \"cat in/* > out\", inputs: {{ in: eight }}, outputs: {{ out: out }} }} }}\n",
        groups.join(", ")
    )
}

fn ninja_file(size: usize, edit: bool) -> String {
    let mut text = "rule first\n  command = echo first > $out\n\
                    rule append\n  command = cat $in > $out; echo $i >> $out\n\
                    rule all\n  command = cat $in > $out\nbuild out/first: first\n"
        .to_owned();
    let mut edge = |line: String| text.push_str(&line);
    for number in 0..size {
        let (g, i) = (group(number), written(number, edit));
        edge(format!(
            "build out/one/{number}: append out/first\n  i = {g} {i}\n"
        ));
        edge(format!(
            "build out/two/{number}: append out/one/{number}\n  i = {g} {i}\n"
        ));
    }
    for eighth in 0..8 {
        let members: Vec<String> = (0..size)
            .filter(|number| group(*number) == eighth)
            .map(|number| format!("out/two/{number}"))
            .collect();
        edge(format!(
            "build out/eight/{eighth}: append {}\n  i = {eighth}\n",
            members.join(" ")
        ));
    }
    let eight: Vec<String> = (0..8).map(|eighth| format!("out/eight/{eighth}")).collect();
    edge(format!("build out/last: all {}\n", eight.join(" ")));
    text
}
