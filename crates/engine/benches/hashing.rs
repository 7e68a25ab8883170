//! How fast contents are named, beside `b3sum`.
//!
//! `cargo bench -p engine --bench hashing [-- MIB]` hashes a file that the system has in memory: as an input file, as
//! contents that are in memory already (a blob), and with `b3sum` on one thread and on all. Needs `b3sum` on the
//! `PATH` (`cargo install b3sum`) and `/proc`.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use engine::{Digest, Store};

/// How often each is repeated; the fastest counts, as the others were disturbed.
const REPEATS: u32 = 7;

fn main() {
    let mebibytes: usize = std::env::args()
        .find_map(|word| word.parse().ok())
        .unwrap_or(1024);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("data");
    let contents: Vec<u8> = (0..mebibytes << 17)
        .flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect();
    fs::write(&path, &contents).expect("it can be written");
    assert_eq!(
        input_file(folder.path(), &path, 0),
        Digest::of(&contents),
        "both name the same contents"
    );
    println!("| {mebibytes} MiB | wall, GiB/s | CPU, GiB/s |\n| --- | --- | --- |");
    row("an input file", mebibytes, |turn| {
        black_box(input_file(folder.path(), &path, turn));
    });
    row("contents in memory", mebibytes, |_| {
        black_box(Digest::of(black_box(&contents)));
    });
    if b3sum(&path, &[]).is_err() {
        println!("there is no `b3sum` to compare with: cargo install b3sum");
        return;
    }
    for (name, arguments) in [
        ("b3sum, one thread", &["--num-threads", "1"][..]),
        ("b3sum, all threads", &[]),
    ] {
        row(name, mebibytes, |_| {
            b3sum(&path, arguments).expect("it ran before");
        });
    }
}

/// Hashes an input file in a cache that does not know it.
fn input_file(folder: &Path, path: &Path, turn: u32) -> Digest {
    let cache = folder.join(format!("cache-{turn}"));
    fs::remove_dir_all(&cache).ok();
    let store = Store::open(&cache).expect("a cache");
    store.digest_file(path).expect("it can be read")
}

fn b3sum(path: &Path, arguments: &[&str]) -> std::io::Result<()> {
    let mut command = Command::new("b3sum");
    command.args(arguments).arg(path).stdout(Stdio::null());
    let status = command.status()?;
    assert!(status.success(), "b3sum failed");
    Ok(())
}

fn row(name: &str, mebibytes: usize, work: impl Fn(u32)) {
    let (mut wall, mut cpu) = (f64::INFINITY, f64::INFINITY);
    for turn in 0..REPEATS {
        let (start, before) = (Instant::now(), cpu_seconds());
        work(turn);
        wall = wall.min(start.elapsed().as_secs_f64());
        // The system counts in hundredths of a second.
        cpu = cpu.min((cpu_seconds() - before).max(0.01));
    }
    let gibibytes = mebibytes as f64 / 1024.0;
    println!(
        "| {name} | {:.2} | {:.2} |",
        gibibytes / wall,
        gibibytes / cpu
    );
}

/// CPU time in seconds of this process and of those that it waited for.
/// Source: proc(5), `/proc/pid/stat`, fields 14 to 17, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("proc is mounted");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks = rest.split(' ').skip(11).take(4);
    ticks
        .map(|field| field.parse::<f64>().expect("a number"))
        .sum::<f64>()
        / 100.0
}
