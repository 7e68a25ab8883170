//! What this machine has, and what of it this process may use.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Cores of the whole machine, where the system says it as Linux does.
pub(crate) fn all_cores() -> Option<usize> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let cores = text.lines().filter(|line| line.starts_with("processor"));
    Some(cores.count()).filter(|&cores| cores > 0)
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
        Some(memory.within_limits(&groups, Path::new("/sys/fs/cgroup")))
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
    /// lies in.
    fn within_limits(mut self, groups: &str, root: &Path) -> Self {
        let Some(group) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else {
            return self;
        };
        let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        for folder in Path::new(group).ancestors() {
            let folder = root.join(folder);
            if let Some(limit) = number(folder.join("memory.max")) {
                let used = number(folder.join("memory.current")).unwrap_or(0);
                self.total = self.total.min(limit);
                self.free = self.free.min(limit.saturating_sub(used));
            }
        }
        self
    }
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
        assert_eq!(memory.within_limits("0::/\n", root.path()), memory);
        assert_eq!(memory.within_limits("4:memory:/a\n", root.path()), memory);
    }
}
