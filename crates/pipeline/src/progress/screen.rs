//! What is drawn on the terminal at this moment, so that whatever ends the process can take it away.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);
/// How long to wait for whoever draws.
const PATIENCE: Duration = Duration::from_millis(200);

/// Remembers a bar.
pub(crate) fn show(bar: &ProgressBar) {
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
}

/// Takes the bar away, if there is one: the cursor stands where its first line was.
pub(crate) fn clear() {
    let bar = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bar) = bar {
        bar.disable_steady_tick();
        bar.finish_and_clear();
    }
}

/// The same before the process ends at once: a terminal that takes no text holds nobody up.
pub(crate) fn clear_soon() {
    let clearing = std::thread::spawn(clear);
    let start = Instant::now();
    while !clearing.is_finished() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(2));
    }
}
