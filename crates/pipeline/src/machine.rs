//! What this machine has, and what of it this process may use.

use std::collections::HashMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The class of the device that `request` names on this machine: `cpu`, `cuda` or `wgpu`. Other classes give other bytes.
pub(crate) fn device_class(request: &str) -> Result<&'static str, training::Error> {
    Ok(match request {
        "cpu" => "cpu",
        "cuda" => "cuda",
        "wgpu" | "wgpu-software" => "wgpu",
        _ => match training::device::open(request)?.1.as_str() {
            "cuda" => "cuda",
            name if name.starts_with("wgpu") => "wgpu",
            _ => "cpu",
        },
    })
}

/// Cores of the whole machine, where the system says it as Linux does.
pub(crate) fn all_cores() -> Option<usize> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let cores = text.lines().filter(|line| line.starts_with("processor"));
    Some(cores.count()).filter(|&cores| cores > 0)
}

/// Ticks of a processor's time in a second, as Linux counts it for programs, whatever it counts itself.
const TICKS: f64 = 100.0;

/// What this process and all below it have taken of the processors, in seconds; those that have ended, too, once they
/// were waited for. None where the system does not say it as Linux does.
///
/// Source: `proc_pid_stat(5)`, fields 4 (ppid) and 14 to 17 (utime, stime, cutime, cstime).
pub(crate) fn cpu_of_descendants() -> Option<f64> {
    let mut processes: HashMap<u32, (u32, u64)> = HashMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = pid else { continue };
        // One that has ended meanwhile has no such file.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // Its name, in parentheses, may hold anything.
        let fields: Vec<&str> = match stat.rsplit_once(')') {
            Some((_, rest)) => rest.split_ascii_whitespace().collect(),
            None => continue,
        };
        let field = |at: usize| {
            fields
                .get(at - 3)
                .and_then(|field| field.parse::<u64>().ok())
        };
        let taken = (14..=17).filter_map(field).sum();
        let parent = field(4).and_then(|parent| parent.try_into().ok());
        processes.insert(pid, (parent.unwrap_or(0), taken));
    }
    let own = std::process::id();
    processes.get(&own)?;
    let is_below = |mut pid: u32| {
        for _ in 0..processes.len() {
            match processes.get(&pid) {
                _ if pid == own => return true,
                Some((parent, _)) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    let below = processes.iter().filter(|(pid, _)| is_below(**pid));
    Some(below.map(|(_, (_, taken))| *taken).sum::<u64>() as f64 / TICKS)
}

/// What of this machine runs may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    /// None where the system does not say it.
    pub(crate) memory: Option<Memory>,
}

impl Machine {
    /// This one, now.
    pub(crate) fn here() -> Self {
        Self {
            cores: cores(),
            memory: Memory::read(),
        }
    }
}

/// Bytes of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The machine's, or what a limit leaves of it to this process.
    pub(crate) total: u64,
    /// What is free of that.
    pub(crate) free: u64,
}

impl Memory {
    /// None where the system does not say it as Linux does.
    pub(crate) fn read() -> Option<Self> {
        let memory = Self::of_machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let memory = memory.within_limits(&groups, Path::new("/sys/fs/cgroup"));
        Some(memory.within_job(|name| std::env::var(name).ok()?.parse().ok()))
    }

    /// What Slurm gives a job on its node, in mebibytes, where it limits memory without a control group.
    fn within_job(mut self, variable: impl Fn(&str) -> Option<u64>) -> Self {
        let by_cpu = || variable("SLURM_MEM_PER_CPU")?.checked_mul(variable("SLURM_CPUS_ON_NODE")?);
        let said = variable("SLURM_MEM_PER_NODE").or_else(by_cpu);
        // 0 is all that the node has.
        let said = said.filter(|&mebibytes| mebibytes > 0);
        if let Some(limit) = said.and_then(|mebibytes| mebibytes.checked_mul(1 << 20)) {
            self.total = self.total.min(limit);
            self.free = self.free.min(limit);
        }
        self
    }

    fn of_machine(meminfo: &str) -> Option<Self> {
        let bytes = |field: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(field))?;
            let kib = line.trim().strip_suffix("kB")?.trim_end();
            kib.parse::<u64>().ok()?.checked_mul(1024)
        };
        Some(Self {
            total: bytes("MemTotal:")?,
            free: bytes("MemAvailable:")?,
        })
    }

    /// The limits of a container or of a job of a batch system: those of the process's control group and of all that it
    /// lies in. What files take there counts as free, as it does in a whole machine: it goes where memory is needed.
    ///
    /// Source: the kernel's `cgroup-v2`, "Memory Interface Files", and `cgroup-v1/memory`.
    fn within_limits(mut self, groups: &str, root: &Path) -> Self {
        let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        for Hierarchy {
            begin,
            folder,
            limit,
            used,
            files,
        } in HIERARCHIES
        {
            let group = groups.lines().find_map(|line| {
                let (before, group) = line.split_once(begin)?;
                let is_number = before.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then_some(group)
            });
            let Some(group) = group else { continue };
            for group in Path::new(group).ancestors() {
                let folder = root.join(folder).join(group);
                if let Some(limit) = number(folder.join(limit)) {
                    let used = number(folder.join(used)).unwrap_or(0);
                    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
                    let used = used.saturating_sub(sum_of(&files, &stat));
                    self.total = self.total.min(limit);
                    self.free = self.free.min(limit.saturating_sub(used));
                }
            }
        }
        self
    }
}

/// Where the system keeps the limits of control groups.
struct Hierarchy {
    /// What stands before a group in `/proc/self/cgroup`, after the number of the hierarchy.
    begin: &'static str,
    folder: &'static str,
    limit: &'static str,
    used: &'static str,
    /// What of that is in files, in `memory.stat`.
    files: [&'static str; 2],
}

/// The two versions of control groups.
const HIERARCHIES: [Hierarchy; 2] = [
    Hierarchy {
        begin: "0::/",
        folder: "",
        limit: "memory.max",
        used: "memory.current",
        files: ["active_file", "inactive_file"],
    },
    Hierarchy {
        begin: ":memory:/",
        folder: "memory",
        limit: "memory.limit_in_bytes",
        used: "memory.usage_in_bytes",
        // With the groups below, as the number above.
        files: ["total_active_file", "total_inactive_file"],
    },
];

/// The sum of these fields of a `memory.stat`.
fn sum_of(names: &[&str], stat: &str) -> u64 {
    let fields = stat.lines().filter_map(|line| line.split_once(' '));
    let those = fields.filter(|(name, _)| names.contains(name));
    let bytes = those.filter_map(|(_, bytes)| bytes.trim().parse::<u64>().ok());
    bytes.fold(0, u64::saturating_add)
}

/// Bytes that are free on a file system, and all that it has.
pub(crate) fn disk(path: &Path) -> std::io::Result<(u64, u64)> {
    let system = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(system.f_frsize);
    Ok((bytes(system.f_bavail), bytes(system.f_blocks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_any_group_above_counts() {
        let memory = Memory::of_machine("MemTotal:  8 kB\nMemFree: 1 kB\nMemAvailable:  6 kB\n");
        let memory = memory.unwrap();
        assert_eq!((memory.total, memory.free), (8192, 6144));
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("job/step");
        fs::create_dir_all(&inner).unwrap();
        let write = |path: PathBuf, text| fs::write(path, text).unwrap();
        write(inner.join("memory.max"), "max\n");
        write(root.path().join("job/memory.max"), "4096\n");
        write(root.path().join("job/memory.current"), "1000\n");
        let limited = memory.within_limits("0::/job/step\n", root.path());
        assert_eq!((limited.total, limited.free), (4096, 3096));
        let stat = "anon 100\nfile 900\ninactive_file 700\nactive_file 150\nshmem 50\n";
        write(root.path().join("job/memory.stat"), stat);
        let cached = memory.within_limits("0::/job/step\n", root.path());
        assert_eq!((cached.total, cached.free), (4096, 3946));
        assert_eq!(memory.within_limits("0::/\n", root.path()), memory);
        assert_eq!(memory.within_limits("4:memory:/a\n", root.path()), memory);
        let old = root.path().join("memory/a");
        fs::create_dir_all(old.join("b")).unwrap();
        write(old.join("memory.limit_in_bytes"), "5000\n");
        write(old.join("memory.usage_in_bytes"), "1000\n");
        let stat = "active_file 900\ntotal_inactive_file 300\ntotal_active_file 100\n";
        write(old.join("memory.stat"), stat);
        let limited = memory.within_limits("4:memory:/a/b\n0::/\n", root.path());
        assert_eq!((limited.total, limited.free), (5000, 4400));
    }

    #[test]
    fn a_job_of_slurm_has_what_slurm_gives_it() {
        let node = Memory {
            total: 8 << 30,
            free: 6 << 30,
        };
        let within = |variables: &[(&str, u64)]| {
            let variables: HashMap<&str, u64> = variables.iter().copied().collect();
            let job = node.within_job(|name| variables.get(name).copied());
            (job.total >> 20, job.free >> 20)
        };
        assert_eq!(within(&[]), (8192, 6144));
        assert_eq!(within(&[("SLURM_MEM_PER_NODE", 1024)]), (1024, 1024));
        assert_eq!(within(&[("SLURM_MEM_PER_NODE", 7000)]), (7000, 6144));
        assert_eq!(within(&[("SLURM_MEM_PER_NODE", 0)]), (8192, 6144));
        let by_cpu = [("SLURM_MEM_PER_CPU", 500), ("SLURM_CPUS_ON_NODE", 4)];
        assert_eq!(within(&by_cpu), (2000, 2000));
        assert_eq!(within(&by_cpu[..1]), (8192, 6144));
    }
}
