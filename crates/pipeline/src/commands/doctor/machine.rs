//! The program, what is said of this machine, and what computes on it.

use burn_conv_kernels::Level;
use engine::size;
use training::device;

use super::finding::{Finding, shown};
use crate::commands::counted;
use crate::machine::{Machine, Memory, all_cores, cores};
use crate::site::{Resources, Site};
use crate::{Failure, cli, gpus, version};

/// Memory below which a training run may not find enough.
const LITTLE: u64 = 512 << 20;

pub(super) fn program() -> Finding {
    let found = format!(
        "pipeline {} for {} on {} {}, commit {}",
        version::SHORT,
        version::devices(),
        std::env::consts::OS,
        std::env::consts::ARCH,
        version::COMMIT.unwrap_or("unknown"),
    );
    match version::COMMIT {
        Some(commit) if commit.ends_with("changes") => {
            Finding::ok("program", found, "built from that commit with changes")
        }
        Some(_) => Finding::ok("program", found, "built from that commit"),
        None => Finding::ok(
            "program",
            found,
            "built outside its git repository: in a bug report, say where the sources came from",
        ),
    }
}

pub(super) fn site_file(site: Result<&Site, &Failure>) -> Finding {
    match site {
        Ok(Site {
            file: Some(file), ..
        }) => Finding::ok(
            "site file",
            shown(&file.path),
            "where and how studies run, unless the command line says otherwise",
        ),
        Err(Failure::Mistakes(mistakes)) => Finding::problem(
            "site file",
            mistakes.to_string(),
            "every command that reads it shows its mistakes; the lines below ignore it",
        ),
        Ok(_) | Err(_) => Finding::ok("site file", "none", "the defaults are used"),
    }
}

/// Device, kernels, cores and memory for runs at this site.
pub(super) fn findings(site: &Site) -> Vec<Finding> {
    let machine = Machine::here();
    let resources = match site.resources(&cli::Site::default(), &machine) {
        Ok(resources) => resources,
        Err(Failure::Usage(message)) => {
            let meaning = "the site file asks for this device";
            return vec![Finding::problem("device", message, meaning), kernels()];
        }
        Err(_) => return vec![kernels()],
    };
    let mut findings = vec![
        device(&resources.device),
        kernels(),
        threads(resources.jobs, resources.threads, &resources.gpus),
        memory(machine.memory, &resources),
    ];
    findings.extend(resources.jobs_by_gpu.then(|| shared(&resources.gpus)));
    findings
}

/// GPUs that stages share as their memory allows.
fn shared(gpus: &[String]) -> Finding {
    match gpus::memory(gpus) {
        Ok(bytes) => Finding::ok(
            "GPUs",
            format!("{} of memory each", size(bytes)),
            "`jobs_per_gpu: auto`: how many stages share one, `pipeline plan STUDY` says",
        ),
        Err(why) => Finding::note("GPUs", why, "`jobs_per_gpu: auto` is 1"),
    }
}

fn device(request: &str) -> Finding {
    // A driver that is broken may panic where it should fail.
    let opened = std::panic::catch_unwind(|| device::open(request).map(|(_, name)| name));
    let name = match opened {
        Ok(Ok(name)) => name,
        Ok(Err(error)) => {
            let meaning = "no training run can start; `--device cpu` always works";
            return Finding::problem("device", error.to_string(), meaning);
        }
        Err(_) => {
            let meaning = "its driver does not work; `--device cpu` always works";
            return Finding::problem("device", format!("{request} cannot be opened"), meaning);
        }
    };
    if request != "auto" {
        return Finding::ok("device", name, "the site file asks for it");
    }
    match device::unused_gpu(request) {
        Some(why) => Finding::note("device", name, &format!("chosen by `auto`, but {why}")),
        None if name.starts_with("cpu") => {
            Finding::ok("device", name, "chosen by `auto`, because there is no GPU")
        }
        None => Finding::ok("device", name, "chosen by `auto`: the first GPU"),
    }
}

fn kernels() -> Finding {
    let level = burn_conv_kernels::level();
    match level {
        Level::Portable => Finding::note(
            "kernels",
            level.to_string(),
            "networks train slowly: this processor has neither AVX-512 nor AVX2",
        ),
        _ => Finding::ok(
            "kernels",
            level.to_string(),
            "the fastest for this processor; other kernels give results that differ in the last bits",
        ),
    }
}

fn threads(jobs: usize, threads: usize, gpus: &[String]) -> Finding {
    let usable = cores();
    let found = match all_cores() {
        Some(all) if all > usable => format!("{usable} of {}", counted(all, "core")),
        _ => counted(usable, "core"),
    };
    let on_gpus = match gpus.len() {
        0 => String::new(),
        gpus => format!(" on {}", counted(gpus, "GPU")),
    };
    let meaning = format!(
        "{} at once, {} each{on_gpus} (`--jobs`, `--threads`)",
        counted(jobs, "stage"),
        counted(threads, "thread")
    );
    if jobs * threads > usable && gpus.is_empty() {
        let meaning = format!("{meaning}: more threads than cores, which is slower");
        return Finding::note("cores", found, &meaning);
    }
    Finding::ok("cores", found, &meaning)
}

fn memory(memory: Option<Memory>, resources: &Resources) -> Finding {
    let Some(Memory { total, free }) = memory else {
        return Finding::note("memory", "unknown", "this system does not say how much");
    };
    let found = format!("{}, {} free", size(total), size(free));
    let Some(limits) = &resources.memory else {
        let meaning = "stages run at once whatever they take (`--memory`)";
        return Finding::ok("memory", found, meaning);
    };
    let together = limits.together;
    let meaning = format!(
        "{} for all stages that run at once (`--memory`)",
        size(together)
    );
    if (together / resources.jobs as u64) < LITTLE {
        let jobs = counted(resources.jobs, "job");
        let meaning = format!("{meaning}, which is little for {jobs}: some will wait for others");
        return Finding::note("memory", found, &meaning);
    }
    Finding::ok("memory", found, &meaning)
}

#[cfg(test)]
mod tests {
    use engine::MemoryLimits;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_machine_without_a_gpu_trains_on_its_cpu() {
        let found = device("cpu");
        assert_eq!(found.state, State::Ok);
        assert!(found.found.starts_with("cpu ("), "{}", found.found);
        let absent = device("tpu");
        assert_eq!(absent.state, State::Problem, "{absent}");
    }

    #[test]
    fn little_memory_and_many_threads_are_noted() {
        let two_gib = Some(Memory {
            total: 2 << 30,
            free: 2 << 30,
        });
        let with = |jobs, together: Option<u64>| Resources {
            jobs,
            threads: 1,
            device: "cpu".to_owned(),
            gpus: Vec::new(),
            gpus_by_default: false,
            jobs_by_gpu: false,
            memory: together.map(|together| MemoryLimits {
                together,
                each: together,
                there: String::new(),
            }),
        };
        assert_eq!(memory(two_gib, &with(2, Some(2 << 30))).state, State::Ok);
        assert_eq!(memory(two_gib, &with(8, Some(2 << 30))).state, State::Note);
        assert_eq!(memory(two_gib, &with(8, None)).state, State::Ok);
        assert_eq!(memory(None, &with(2, None)).state, State::Note);
        let usable = cores();
        assert_eq!(threads(usable, 1, &[]).state, State::Ok);
        assert_eq!(threads(usable, 2, &[]).state, State::Note);
        assert_eq!(threads(usable, 2, &["0".to_owned()]).state, State::Ok);
    }
}
