//! What commands cost: time on the clock, CPU time of them and their children, memory. Needs `/proc`.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Wall and CPU time in seconds, of one time.
pub(crate) struct Time {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// Runs a command so often.
///
/// # Panics
///
/// If it fails.
pub(crate) fn measure(times: u32, command: impl Fn() -> Command) -> Time {
    let (start, before) = (Instant::now(), cpu_of_children());
    for _ in 0..times {
        output(command());
    }
    Time {
        wall: start.elapsed().as_secs_f64() / f64::from(times),
        cpu: (cpu_of_children() - before) / f64::from(times),
    }
}

/// Runs a command once; also what it prints.
///
/// # Panics
///
/// If it fails.
#[allow(dead_code)] // not every benchmark reads what it measures
pub(crate) fn measure_output(command: Command) -> (Time, String) {
    let (start, before) = (Instant::now(), cpu_of_children());
    let said = output(command);
    let time = Time {
        wall: start.elapsed().as_secs_f64(),
        cpu: cpu_of_children() - before,
    };
    (time, said)
}

fn output(mut command: Command) -> String {
    let output = command.output().expect("it starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text is UTF-8")
}

/// CPU time in seconds of processes that this one, or those that it waited for, waited for.
/// Source: proc(5), `/proc/pid/stat`, fields 16 and 17, in hundredths of a second.
fn cpu_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("proc is mounted");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks = rest.split(' ').skip(13).take(2);
    ticks
        .map(|field| field.parse::<f64>().expect("a number"))
        .sum::<f64>()
        / 100.0
}

/// The most memory that the process itself had resident, in MB.
#[allow(dead_code)] // not every benchmark asks for memory
pub(crate) fn peak(mut command: Command) -> f64 {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0.0_f64;
    while child.try_wait().expect("it can be asked").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        most = most.max(kilobytes.unwrap_or(0.0) / 1024.0);
        std::thread::sleep(Duration::from_micros(200));
    }
    most
}
