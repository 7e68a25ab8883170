//! Signals: what a terminal and a batch system send to end a run.
//!
//! INT, TERM, HUP, USR1 and USR2 all end it as Ctrl-C does: running stages keep their checkpoints, and the same command
//! goes on. Only a second Ctrl-C ends at once, because a batch system sends USR1 and then TERM in the ordinary course.
//! It sends them to every process of a job: workers do not heed them, and end when their engine tells them to or is
//! gone.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag::{register, register_conditional_shutdown};
use signal_hook::iterator::Signals;

use crate::INTERRUPTED;
use crate::progress::screen;

/// Set once the batch system has said that the time limit is near.
static NOTICE: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

const ALL: [i32; 5] = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];

/// A flag that is set when this process is to end.
pub(crate) fn interrupt() -> io::Result<Arc<AtomicBool>> {
    let (interrupt, third) = (Arc::new(AtomicBool::new(false)), Arc::default());
    // Should what the second one does take its time, the next one ends without it.
    register_conditional_shutdown(SIGINT, i32::from(INTERRUPTED), Arc::clone(&third))?;
    register(SIGUSR1, Arc::clone(&NOTICE))?;
    let mut ctrl_c = Signals::new([SIGINT])?;
    std::thread::spawn(move || {
        if ctrl_c.forever().nth(1).is_some() {
            third.store(true, Ordering::Relaxed);
            screen::clear_soon();
            std::process::exit(INTERRUPTED.into());
        }
    });
    for signal in ALL {
        // `nohup` has the hang-up ignored, and that is what its user wants.
        if signal != SIGHUP || !hang_up_is_ignored() {
            register(signal, Arc::clone(&interrupt))?;
        }
    }
    Ok(interrupt)
}

/// Whether the batch system has given notice of the time limit (USR1), and not ended the job for another reason.
pub(crate) fn time_is_up() -> bool {
    NOTICE.load(Ordering::Relaxed)
}

/// Not by ignoring them: programs that a worker starts would do so too.
pub(crate) fn leave_to_the_engine() -> io::Result<()> {
    for signal in ALL {
        register(signal, Arc::default())?;
    }
    Ok(())
}

/// By the mask that Linux shows; elsewhere nobody knows.
fn hang_up_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}
