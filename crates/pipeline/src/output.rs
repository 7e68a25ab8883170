//! Results go to stdout, everything else to stderr, and whoever reads them may stop.
//!
//! In `pipeline plan study.yaml | head` the reader leaves before the end. This process then ends as every other does
//! in a pipe, by SIGPIPE: quietly, and 141 to a shell. A run ends with it, as if it had been killed, and the same
//! command goes on from there. Rust has that signal ignored from the start, and so it stays until then: an engine must
//! not die because it writes to a worker that did.
//!
//! What is written here is often kept by others (batch systems, CI): the user part of an address is masked.

use std::io::{self, ErrorKind, Write as _};

use engine::mask_users;
use signal_hook::consts::SIGPIPE;
use signal_hook::low_level::emulate_default_handler;

use crate::FAILED;

/// Writes a line to stdout.
macro_rules! outln {
    ($($argument:tt)*) => {
        $crate::output::out(format!("{}\n", format_args!($($argument)*)))
    };
}

/// Writes a line to stderr.
macro_rules! errln {
    ($($argument:tt)*) => {
        $crate::output::err(&format!("{}\n", format_args!($($argument)*)))
    };
}

/// Writes to stdout. What cannot be written there ends the process: a command whose result is lost has failed.
pub(crate) fn out(text: impl AsRef<[u8]>) {
    let mut stdout = io::stdout().lock();
    let written = match std::str::from_utf8(text.as_ref()) {
        Ok(text) => stdout.write_all(mask_users(text).as_bytes()),
        Err(_) => stdout.write_all(text.as_ref()),
    };
    if let Err(error) = written.and_then(|()| stdout.flush()) {
        end_if_unread(&error);
        errln!("error: cannot write to stdout: {error}");
        std::process::exit(FAILED.into());
    }
}

/// Writes to stderr. On a full disk, or a terminal that is gone, a run is worth more than what it says of itself.
pub(crate) fn err(text: &str) {
    if let Err(error) = io::stderr().lock().write_all(mask_users(text).as_bytes()) {
        end_if_unread(&error);
    }
}

fn end_if_unread(error: &io::Error) {
    if error.kind() == ErrorKind::BrokenPipe {
        emulate_default_handler(SIGPIPE).expect("SIGPIPE ends a process by default");
    }
}
