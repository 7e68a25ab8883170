//! `pipeline cache list` and `pipeline cache du`.

use std::time::{Duration, SystemTime};

use engine::{Remote, Store, StudyUsage, size, utc};
use serde_json::json;

use super::{never_ran, print_json, remote};
use crate::cli::cache::{AsJson, List};
use crate::commands::{counted, name_of};
use crate::site::{Site, Use};
use crate::{DONE, Failure};

pub(super) fn list(store: &Store, site: &Site, arguments: &List) -> Result<u8, Failure> {
    if arguments.in_remote {
        let remote = remote(store, site, Use::Read)?;
        return in_remote(store, &remote, arguments.format.json);
    }
    match &arguments.study {
        Some(study) => results(store, &name_of(study)?, arguments.format.json),
        None => studies(store, arguments.format.json),
    }
}

/// How many results of each study the remote holds, and how many in all.
fn in_remote(store: &Store, remote: &Remote, as_json: bool) -> Result<u8, Failure> {
    let there = remote.results()?;
    let mut rows = Vec::new();
    for study in store.studies()?.into_iter().filter_map(|one| one.study) {
        let results = store.results_of(&study)?;
        let held = results.values().filter(|key| there.contains(key)).count();
        rows.push((study, results.len(), held));
    }
    if as_json {
        let studies = rows
            .iter()
            .map(|(study, all, held)| json!({"study": study, "results": all, "in_remote": held}));
        return print_json(&json!({
            "remote": remote.shown(), "results": there.len(), "studies": studies.collect::<Vec<_>>(),
        }));
    }
    let width = rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
    for (study, all, held) in &rows {
        outln!("{study:width$}  {held} of {}", counted(*all, "result"));
    }
    outln!(
        "{} holds {}",
        remote.shown(),
        counted(there.len(), "result")
    );
    Ok(DONE)
}

fn studies(store: &Store, as_json: bool) -> Result<u8, Failure> {
    let (studies, pins) = (store.studies()?, store.pins()?);
    if as_json {
        let pins = pins.iter().map(|(name, pin)| {
            json!({"name": name, "study": pin.study, "at": date(pin.at), "results": pin.stages.len()})
        });
        let rows = studies.iter().map(|one| {
            json!({"study": one.study, "results": one.results, "missing": one.missing, "bytes": one.bytes,
                "last": date(one.last)})
        });
        return print_json(&json!({
            "studies": rows.collect::<Vec<_>>(), "pins": pins.collect::<Vec<_>>(),
        }));
    }
    if studies.is_empty() {
        outln!("the cache is empty");
    }
    let name = |one: &StudyUsage| one.study.clone().unwrap_or("(no study)".to_owned());
    let names: Vec<String> = studies.iter().map(name).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    for (name, one) in names.iter().zip(&studies) {
        let missing = match one.missing {
            0 => String::new(),
            missing => format!(", {missing} lost"),
        };
        let last = if one.study.is_some() {
            "last ran"
        } else {
            "newest of"
        };
        outln!(
            "{name:width$}  {:>13}  {:>9}  {last} {}{missing}",
            counted(one.results, "result"),
            size(one.bytes),
            date(one.last)
        );
    }
    for (name, pin) in pins {
        outln!(
            "pin {name}: {} of {}, as of {}",
            counted(pin.stages.len(), "result"),
            pin.study,
            date(pin.at)
        );
    }
    Ok(DONE)
}

fn results(store: &Store, study: &str, as_json: bool) -> Result<u8, Failure> {
    let results = store.results_of(study)?;
    if results.is_empty() {
        return Err(never_ran(study));
    }
    let mut rows = Vec::new();
    for (stage, key) in results {
        rows.push((stage, key, store.lookup(key)?.record));
    }
    if as_json {
        let rows = rows.iter().map(|(stage, key, record)| {
            let record = record.as_deref();
            json!({"stage": stage, "key": key, "outputs": record.map(|record| &record.outputs),
                "start": record.map(|record| &record.provenance.start),
                "seconds": record.map(|record| record.provenance.seconds)})
        });
        return print_json(&rows.collect::<Vec<_>>());
    }
    let width = rows
        .iter()
        .map(|(stage, ..)| stage.len())
        .max()
        .unwrap_or(0);
    for (stage, key, record) in rows {
        let short = &key.to_string()[..12];
        match record {
            Some(record) => {
                let bytes = record.outputs.values().map(|blob| blob.bytes).sum();
                let made = &record.provenance;
                outln!(
                    "{stage:width$}  {short}  {:>9}  {}",
                    size(bytes),
                    made.start
                );
            }
            None => outln!("{stage:width$}  {short}  lost"),
        }
    }
    Ok(DONE)
}

pub(super) fn du(store: &Store, arguments: &AsJson) -> Result<u8, Failure> {
    let usage = store.usage()?;
    if arguments.json {
        let kinds = usage
            .by_kind
            .iter()
            .map(|(kind, (bytes, files))| (kind.clone(), json!({"bytes": bytes, "files": files})));
        return print_json(&json!({
            "bytes": usage.bytes, "files": usage.files,
            "by_kind": kinds.collect::<serde_json::Map<_, _>>(),
        }));
    }
    let mut kinds: Vec<_> = usage.by_kind.iter().collect();
    kinds.sort_by_key(|(_, (bytes, _))| std::cmp::Reverse(*bytes));
    for (kind, (bytes, files)) in kinds {
        let files = counted(usize::try_from(*files)?, "file");
        outln!("{:>9}  {files:>13}  {kind}", size(*bytes));
    }
    let files = counted(usize::try_from(usage.files)?, "file");
    outln!("{:>9}  {files:>13}  in all", size(usage.bytes));
    Ok(DONE)
}

/// Seconds since 1970 as a date.
pub(crate) fn date(seconds: u64) -> String {
    utc(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
