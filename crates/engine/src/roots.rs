//! What the cache must keep: every key that a study or a pin refers to, with who does.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::history::{self, History};
use crate::{Digest, Error, Store, journal, pins};

/// All of them, but for those of studies that are to be forgotten.
pub(crate) fn of(store: &Store, forgotten: &[String]) -> Result<HashMap<Digest, String>, Error> {
    let mut roots = HashMap::new();
    for folder in history::folders(store)? {
        let Some(study) = history::study(&folder).filter(|study| !forgotten.contains(study)) else {
            continue;
        };
        let by = format!("study {study}");
        for (_, key) in History::load(store, &study)?.keys() {
            roots.insert(key, by.clone());
        }
        // From the last run on, back to one that came to its own end: what was interrupted or killed before that one
        // went on with it or was given up.
        let mut ended = false;
        for path in journal::paths(&folder)?.into_iter().rev() {
            let run = journal::read(&path)?;
            if run.as_ref().is_none_or(|run| run.damaged > 0) && !is_empty(&path) {
                return Err(Error::Damaged { path });
            }
            let Some(run) = run else { continue };
            let own_end = run.end.as_ref().is_some_and(|end| !end.interrupted);
            if run.end.is_none() || (!own_end && !ended) {
                let keys = run.keys.iter().chain(&run.began);
                roots.extend(keys.map(|(_, key)| (*key, by.clone())));
            }
            // How the study failed last is of interest until it has run again.
            if !ended {
                roots.extend(run.failures().map(|key| (key, by.clone())));
            }
            ended |= own_end;
        }
    }
    for (name, pin) in pins::all(store)? {
        for key in pin.stages.into_values() {
            roots.entry(key).or_insert_with(|| format!("pin {name}"));
        }
    }
    Ok(roots)
}

/// A run that was killed as it began has noted nothing.
fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() == 0)
}
