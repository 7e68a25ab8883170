//! What a folder is mounted from, as Linux says it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// File systems between machines.
const NETWORK: [&str; 12] = [
    "nfs",
    "nfs4",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "cifs",
    "smb3",
    "glusterfs",
    "afs",
    "9p",
    "orangefs",
];
/// File systems in memory.
const MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// A mounted file system.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// `ext4`, `nfs4`.
    pub(super) kind: String,
    options: String,
}

impl Mount {
    /// That of a path without symbolic links.
    ///
    /// Source: `man 5 proc_pid_mountinfo`.
    pub(super) fn of(mountinfo: &str, path: &Path) -> Option<Self> {
        let mounts = mountinfo.lines().filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let mut before = before.split(' ').skip(4);
            let (point, options) = (unescaped(before.next()?), before.next()?);
            let mut after = after.split(' ');
            let kind = after.next()?.to_owned();
            let options = format!("{options},{}", after.nth(1).unwrap_or_default());
            Some((point, Self { kind, options }))
        });
        let above = mounts.filter(|(point, _)| path.starts_with(point));
        // Of several on one folder the last hides the others.
        let nearest = above.max_by_key(|(point, _)| point.components().count());
        nearest.map(|(_, mount)| mount)
    }

    pub(super) fn meaning(&self) -> &'static str {
        if MEMORY.contains(&self.kind.as_str()) {
            "in memory: results are lost when this machine restarts"
        } else if self.is_network() {
            "shared between machines: reading is slower, and runs on all of them may share results"
        } else if self.kind == "overlay" {
            "a container's own: results are lost with the container"
        } else {
            "on this machine"
        }
    }

    /// Whether results may be lost there.
    pub(super) fn is_doubtful(&self) -> bool {
        MEMORY.contains(&self.kind.as_str()) || self.kind == "overlay"
    }

    /// Whether other machines do not see this one's locks.
    pub(super) fn locks_are_local(&self) -> bool {
        let is_local = |option: &str| {
            ["nolock", "local_lock=all", "local_lock=flock", "localflock"].contains(&option)
        };
        self.is_network() && self.options.split(',').any(is_local)
    }

    fn is_network(&self) -> bool {
        NETWORK.contains(&self.kind.as_str()) || self.kind.starts_with("fuse.")
    }
}

/// Spaces and such are written as three octal digits.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after
            .get(..3)
            .and_then(|digits| str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let byte;
        (byte, rest) = match code.filter(|_| *first == b'\\') {
            Some(code) => (code, &after[3..]),
            None => (*first, after),
        };
        bytes.push(byte);
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 0:40 / /home rw,nosuid - nfs4 server:/home rw,vers=4.2,local_lock=none
31 22 0:41 / /scratch rw master:1 shared:7 - lustre mds@tcp:/scratch rw,localflock
32 22 0:42 / /my\\040data rw - tmpfs tmpfs rw
33 30 0:43 / /home/me rw - fuse.sshfs me@host: rw
34 22 0:44 / /scratch rw - xfs /dev/sdb rw
";

    #[test]
    fn the_innermost_and_last_mount_above_a_folder_is_its_own() {
        let kind = |path: &str| Mount::of(MOUNTS, Path::new(path)).map(|mount| mount.kind);
        for (path, expected) in [
            ("/", "ext4"),
            ("/homes", "ext4"),
            ("/home/you", "nfs4"),
            ("/home/me/cache", "fuse.sshfs"),
            ("/my data/cache", "tmpfs"),
            ("/scratch", "xfs"),
        ] {
            assert_eq!(kind(path).as_deref(), Some(expected), "{path}");
        }
        assert_eq!(Mount::of("", Path::new("/")), None);
    }

    #[test]
    fn locks_that_other_machines_do_not_see_are_told_by_the_options() {
        let lustre = MOUNTS.lines().nth(2).unwrap();
        assert!(
            Mount::of(lustre, Path::new("/scratch"))
                .unwrap()
                .locks_are_local()
        );
        assert!(
            !Mount::of(MOUNTS, Path::new("/home"))
                .unwrap()
                .locks_are_local()
        );
        assert!(
            Mount::of(MOUNTS, Path::new("/my data"))
                .unwrap()
                .is_doubtful()
        );
    }
}
