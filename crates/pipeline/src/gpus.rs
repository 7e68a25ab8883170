//! How many stages share a GPU, where the site leaves that to the program.
//!
//! Nobody has measured it. Each process has a CUDA context of its own, of some 600 MiB, and keeps a core busy that
//! hands the GPU its work.

use std::process::Command;

use engine::size;

use crate::commands::counted;

/// What a process takes of a GPU before it trains.
const CONTEXT: u64 = 600 << 20;
/// No more than this, however small the runs are.
const MOST: usize = 8;

/// How many stages share each GPU, and why in one line.
pub(crate) struct Share {
    pub(crate) each: usize,
    pub(crate) why: String,
}

/// Works it out from the run that takes the most memory, by its name, on a machine with so many cores.
pub(crate) fn share(gpus: &[String], largest: Option<(&str, u64)>, cores: usize) -> Share {
    match (memory(gpus), largest) {
        (Err(why), _) => Share::new(1, &why),
        (_, None) => Share::new(1, "nothing that is to run says how much memory it takes"),
        (Ok(memory), Some(run)) => share_of(memory, run, cores / gpus.len().max(1)),
    }
}

/// The same for a GPU with so much memory, and so many cores for it.
fn share_of(memory: u64, (stage, takes): (&str, u64), cores: usize) -> Share {
    let by_memory = memory / takes.saturating_add(CONTEXT);
    let by_memory = usize::try_from(by_memory).unwrap_or(usize::MAX);
    let takes = format!(
        "`{stage}` takes about {}, and CUDA {}, of {}",
        size(takes),
        size(CONTEXT),
        size(memory)
    );
    if by_memory == 0 {
        return Share::new(1, &format!("{takes}: it may not fit"));
    }
    let by_cores = cores.max(1);
    if by_cores < by_memory.min(MOST) {
        let cores = counted(cores, "core");
        let why = format!("each keeps a core busy, and a GPU has {cores} of this machine");
        return Share::new(by_cores, &why);
    }
    Share::new(by_memory.min(MOST), &takes)
}

impl Share {
    fn new(each: usize, why: &str) -> Self {
        let why = format!("jobs on each GPU: {each} ({why})");
        Self { each, why }
    }
}

/// Memory of the smallest of these GPUs, in bytes; or why it is not known.
pub(crate) fn memory(gpus: &[String]) -> Result<u64, String> {
    let of_each = gpus.iter().map(|gpu| memory_of(gpu));
    let of_each = of_each.collect::<Result<Vec<u64>, String>>()?;
    let smallest = of_each.into_iter().min();
    smallest.ok_or_else(|| "none is given out (`--gpus`)".to_owned())
}

fn memory_of(gpu: &str) -> Result<u64, String> {
    const ASK: [&str; 3] = [
        "--query-gpu=memory.total",
        "--format=csv,noheader,nounits",
        "-i",
    ];
    let asked = Command::new("nvidia-smi").args(ASK).arg(gpu).output();
    let output = asked.map_err(|error| {
        format!("`nvidia-smi`, which says what memory it has, does not start: {error}")
    })?;
    let mebibytes = str::from_utf8(&output.stdout).ok();
    let mebibytes = mebibytes.and_then(|text| text.trim().parse::<u64>().ok());
    mebibytes
        .filter(|_| output.status.success())
        .and_then(|mebibytes| mebibytes.checked_mul(1 << 20))
        .ok_or_else(|| format!("`nvidia-smi -i {gpu}` does not say what memory it has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_shared_as_far_as_its_memory_and_the_cores_go() {
        let gib = |count: u64| count << 30;
        let each = |memory, takes, cores| share_of(memory, ("a", takes), cores).each;
        // 24 GiB hold four of 5 GiB and 600 MiB each.
        assert_eq!(each(gib(24), gib(5), 64), 4);
        assert_eq!(each(gib(24), gib(5), 3), 3);
        assert_eq!(each(gib(24), gib(5), 0), 1);
        assert_eq!(each(gib(24), gib(24), 64), 1);
        assert_eq!(each(gib(80), 60 << 20, 64), MOST);
        assert_eq!(each(gib(80), u64::MAX, 64), 1);
        let why = |memory, takes, cores| share_of(memory, ("a", takes), cores).why;
        assert_eq!(
            why(gib(24), gib(5), 64),
            "jobs on each GPU: 4 (`a` takes about 5.0 GiB, and CUDA 600 MiB, of 24.0 GiB)"
        );
        assert_eq!(
            why(gib(24), gib(5), 3),
            "jobs on each GPU: 3 (each keeps a core busy, and a GPU has 3 cores of this machine)"
        );
        let not = why(gib(4), gib(5), 6);
        assert!(not.ends_with("of 4.0 GiB: it may not fit)"), "{not}");
    }
}
