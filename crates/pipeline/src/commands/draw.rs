//! `pipeline draw`: the page so far of a run that goes on, for [`live`](crate::live). Reads what to draw on stdin,
//! answers on stdout, and writes nothing to disk.

use std::io::Read as _;
use std::path::Path;

use engine::Store;
use rustix::time::{ClockId, clock_gettime};

use crate::live::{Answer, Ordered};
use crate::output::out;
use crate::site::{Use, open_remote};
use crate::{DONE, Failure, so_far};

pub(crate) fn draw() -> Result<u8, Failure> {
    give_way();
    let mut order = Vec::new();
    std::io::stdin().lock().read_to_end(&mut order)?;
    let order: Ordered = serde_json::from_slice(&order)?;
    let mut store = Store::open(Path::new(&order.cache))?;
    // A remote that is away now gives a page of what is here, and not none.
    if let Some(remote) = &order.remote
        && let Ok(remote) = open_remote(Path::new(remote), &store, Use::Read)
    {
        store.put_before(remote);
    }
    let pages = so_far::draw(
        &order.of,
        &order.graph,
        &store,
        Some(&order.command),
        Some(order.reload),
    )?;
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let answer = Answer {
        pages: pages.drawn,
        done: pages.runs.done,
        runs: pages.runs.all,
        cpu_seconds: time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9,
    };
    out(serde_json::to_string(&answer)?);
    Ok(DONE)
}

/// Lets everybody else go first, and be killed last. Where that cannot be had, drawing goes on without.
fn give_way() {
    let _ = rustix::process::nice(19);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}
