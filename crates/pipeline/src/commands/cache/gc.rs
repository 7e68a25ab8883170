//! `pipeline cache gc`: what may go, and why.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Deletion, DeletionReason, GRACE, GcReport, Policy, Store, size};
use study::Size;

use super::{never_ran, print_json, remote_to_write};
use crate::cli::cache::Gc;
use crate::commands::counted;
use crate::commands::plan::duration;
use crate::site::Site;
use crate::{DONE, Failure, Usage};

/// Without a word on what may go: what nobody asked for in a month.
const OLD: Duration = Duration::from_hours(30 * 24);

pub(super) fn gc(store: &Store, site: &Site, arguments: &Gc) -> Result<u8, Failure> {
    let remote = arguments.in_remote.then(|| remote_to_write(store, site));
    let remote = remote.transpose()?;
    for study in &arguments.forget {
        let is_there = match &remote {
            Some(remote) => remote.has_run(study)?,
            None => false,
        };
        if !is_there && store.results_of(study)?.is_empty() {
            return Err(match &remote {
                Some(_) => Usage::NeverRanThere {
                    study: study.clone(),
                }
                .into(),
                None => never_ran(study),
            });
        }
    }
    let by_default = arguments.max_size.is_none().then_some(OLD);
    let policy = Policy {
        older_than: arguments.older_than.or(by_default),
        max_bytes: arguments.max_size.map(Size::bytes),
        forget: arguments.forget.clone(),
        checkpoints: arguments.checkpoints,
    };
    let report = match &remote {
        Some(remote) => {
            let grace = arguments.grace.unwrap_or(GRACE);
            remote.gc(store, &policy, grace, arguments.delete)?
        }
        None => store.gc(&policy, arguments.delete)?,
    };
    if arguments.format.json {
        return print_json(&report);
    }
    print(&report, &policy, arguments);
    Ok(DONE)
}

fn print(report: &GcReport, policy: &Policy, arguments: &Gc) {
    let place = if arguments.in_remote {
        "remote"
    } else {
        "cache"
    };
    let verb = if report.deleted {
        "deleted"
    } else {
        "would delete"
    };
    if arguments.verbose {
        for one in &report.deletions {
            let (bytes, age) = (size(one.bytes), duration(one.age as f64));
            outln!(
                "{verb} {} ({bytes}, {age} old): {}",
                one.path.display(),
                one.why
            );
        }
    }
    let mut by_reason: BTreeMap<&DeletionReason, Vec<&Deletion>> = BTreeMap::new();
    for one in &report.deletions {
        by_reason.entry(&one.why).or_default().push(one);
    }
    for (why, files) in &by_reason {
        let bytes = files.iter().map(|one| one.bytes).sum();
        let count = counted(files.len(), "file");
        outln!("{verb} {count}, {}: {why}{}", size(bytes), kinds(files));
    }
    for (by, results) in &report.kept {
        outln!("kept {}: used by {by}", counted(*results, "result"));
    }
    if report.spared > 0 {
        let spared = counted(report.spared, "result");
        outln!("kept {spared}: used by no study or pin, but within the limits of age and size");
    }
    if policy.max_bytes.is_some_and(|limit| report.after > limit) {
        outln!(
            "the {place} stays larger than that, because studies and pins use the rest (see `--forget` and `unpin`)"
        );
    }
    let (before, after) = (size(report.before), size(report.after));
    match (report.deletions.len(), report.deleted) {
        (0, _) => outln!("{before}: nothing to delete"),
        (_, true) => outln!("{before} before, {after} after"),
        (_, false) => {
            outln!("{before} now, {after} afterwards; nothing is deleted without --delete");
        }
    }
}

/// ` (train 120, report 1)`: results by the kinds of their stages, where known.
fn kinds(files: &[&Deletion]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let is_record = |one: &&&Deletion| one.path.iter().any(|part| part == "ac");
    for one in files.iter().filter(is_record) {
        if let Some(kind) = &one.kind {
            *counts.entry(kind).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    format!(" ({})", parts.join(", "))
}
