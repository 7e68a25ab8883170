//! The bar on a real terminal, by `script` of util-linux.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::interrupt::endless;
use crate::lab::Lab;

/// A run on a terminal of so many columns and lines.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<String>>,
}

/// A run that a test gave up on does not go on without it.
impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Ctrl-C twice ends the run at once; `script` alone would leave it behind.
            let _ = self.keys.write_all(b"\x03\x03");
            std::thread::sleep(Duration::from_secs(1));
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Terminal {
    /// None where `script` is not there, which has been said.
    fn run(lab: &Lab, size: (u32, u32), environment: &[(&str, &str)]) -> Option<Self> {
        let program = env!("CARGO_BIN_EXE_pipeline");
        let (columns, lines) = size;
        let line = format!(
            "stty cols {columns} rows {lines}; exec '{program}' run study.yaml --jobs 2 --no-live"
        );
        let mut script = Command::new("script");
        script
            .args(["-qec", &line, "/dev/null"])
            .current_dir(lab.path(""))
            .env_remove("PIPELINE_CACHE")
            .env_remove("PIPELINE_SITE")
            .env_remove("CI")
            .env("NO_COLOR", "1")
            .env("TERM", "xterm")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let Ok(mut child) = script.spawn() else {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: the bar on a terminal: no `script`"
            );
            return None;
        };
        let keys = child.stdin.take().expect("piped");
        let mut out = child.stdout.take().expect("piped");
        let shown = Arc::new(Mutex::new(String::new()));
        let taken = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut rest = Vec::new();
            while let Ok(n @ 1..) = out.read(&mut bytes) {
                rest.extend_from_slice(&bytes[..n]);
                // A letter may come in two pieces.
                let whole = match std::str::from_utf8(&rest) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: Vec<u8> = rest.drain(..whole).collect();
                taken
                    .lock()
                    .expect("no panic there")
                    .push_str(&String::from_utf8_lossy(&text));
            }
        });
        Some(Self { child, keys, shown })
    }

    fn shown(&self) -> String {
        self.shown.lock().expect("no panic there").clone()
    }

    fn wait_for(&self, text: &str) {
        let start = Instant::now();
        while !self.shown().contains(text) {
            assert!(
                start.elapsed() < Duration::from_mins(1),
                "no {text:?} in {:?}",
                self.shown()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ctrl_c(&mut self) {
        // The run may have ended by itself meanwhile, after the one before.
        let _ = self.keys.write_all(b"\x03");
    }

    /// What stays on the screen after the bar was last taken away, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let status = self.child.wait().expect("it ends");
        std::thread::sleep(Duration::from_millis(100));
        let shown = self.shown();
        let (_, rest) = shown.rsplit_once("\x1b[J").expect("a bar was cleared");
        (rest.to_owned(), status.code())
    }
}

#[test]
fn ctrl_c_leaves_no_bar_behind_at_once_or_after_a_moment() {
    let lab = endless();
    let Some(mut run) = Terminal::run(&lab, (60, 12), &[]) else {
        return;
    };
    run.wait_for("loss ");
    run.ctrl_c();
    let (rest, code) = run.end();
    assert_eq!(code, Some(130), "{rest}");
    assert!(rest.contains("interrupted after"), "{rest:?}");
    assert!(
        !rest.contains('━') && !rest.contains('─') && !rest.contains('\x1b'),
        "{rest:?}"
    );

    // With a second one it ends in the midst of the bar.
    let Some(mut run) = Terminal::run(&lab, (60, 12), &[]) else {
        return;
    };
    run.wait_for("loss ");
    run.ctrl_c();
    run.wait_for("Ctrl-C again ends at once");
    run.ctrl_c();
    let (rest, code) = run.end();
    assert_eq!(code, Some(130), "{rest}");
    assert!(!rest.contains('━') && !rest.contains("loss"), "{rest:?}");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_continuous_integration_sees_no_bar() {
    let lab = endless();
    let Some(mut run) = Terminal::run(&lab, (40, 10), &[]) else {
        return;
    };
    run.wait_for("sgd/");
    run.wait_for("/50,000,000");
    run.ctrl_c();
    let shown = run.shown();
    let drawn = shown
        .split(['\r', '\n'])
        .filter(|line| line.contains("\x1b[K"));
    let mut lines = 0;
    for line in drawn {
        let text = line.replace("\x1b[K", "").replace("\x1b[J", "");
        let text = text.split("\x1b[").last().unwrap_or_default();
        let text = text
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start_matches('A');
        assert!(text.chars().count() < 40, "{line:?}");
        lines += 1;
    }
    assert!(lines > 2, "{shown:?}");
    run.end();

    let Some(mut run) = Terminal::run(&lab, (80, 24), &[("CI", "true")]) else {
        return;
    };
    run.wait_for("stages: ");
    std::thread::sleep(Duration::from_millis(500));
    run.ctrl_c();
    run.wait_for("interrupted after");
    assert!(!run.shown().contains('\x1b'), "{:?}", run.shown());
    run.child.wait().expect("it ends");
}
