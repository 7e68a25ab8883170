//! Which seeds an earlier report of a study had used: they have been seen, and decide no claim once the study is
//! extended by others.
//!
//! What a report had used is in its table, which the last run of the study left in the cache. It becomes a setting of
//! the report's stage, so that a manifest says all that a verdict depends on. Looks that were declared before the first
//! report need none of this; declared later, they are at the seeds that were not seen.

use std::collections::BTreeSet;

use engine::{Graph, Manifest, Source, StageId, Store};
use serde_json::json;

use crate::{Failure, stages};

/// The setting of a report's stage.
const SETTING: &str = "seen_seeds";
/// Its setting that declares looks.
const LOOKS: &str = "looks";

/// Adds to each report's stage the seeds that no longer decide.
pub(crate) fn mark(graph: &mut Graph, study: &str, store: &Store) -> Result<(), Failure> {
    let reports: Vec<StageId> = graph
        .iter()
        .filter(|(_, stage)| stage.kind == "report" && !stage.settings.contains_key(SETTING))
        .map(|(id, _)| id)
        .collect();
    for id in reports {
        let seen = seen(graph, id, study, store)?;
        if !seen.is_empty() {
            graph.set(id, SETTING, json!(seen));
        }
    }
    Ok(())
}

/// The seeds that earlier reports had used, if there are others now, or looks that they did not know of.
fn seen(graph: &Graph, id: StageId, study: &str, store: &Store) -> Result<BTreeSet<u64>, Failure> {
    let nothing = BTreeSet::new();
    let stage = graph.stage(id);
    let last = match store.results_of(study) {
        // A run sets it aside, and goes on.
        Err(engine::Error::Damaged { .. }) => return Ok(nothing),
        last => last?.remove(&stage.name),
    };
    let Some(key) = last else {
        return Ok(nothing);
    };
    let Some(record) = store.lookup(key)?.record else {
        return Ok(nothing);
    };
    let manifest = Manifest::parse(&record.manifest).ok();
    let earlier = |name: &str| manifest.as_ref()?.settings().get(name).cloned();
    let seen: BTreeSet<u64> = earlier(SETTING)
        .and_then(|seen| serde_json::from_value(seen).ok())
        .unwrap_or_default();
    let looks = stage.settings.get(LOOKS);
    let is_declared = looks.is_some() && earlier(LOOKS).as_ref() == looks;
    if is_declared && seen.is_empty() {
        return Ok(nothing);
    }
    let now = seeds(graph, id);
    // A table of another version says nothing that this one could use; its verdicts went by another rule.
    let Ok(before) =
        stages::report_text(store, &record).and_then(|text| Ok(analysis::report::seeds(&text)?))
    else {
        return Ok(nothing);
    };
    let is_late = looks.is_some() && !is_declared;
    let seen = if is_late || (looks.is_none() && !now.is_subset(&before)) {
        &seen | &before
    } else {
        seen
    };
    // Back to what was seen: nothing was added.
    Ok(if looks.is_none() && now.is_subset(&seen) {
        nothing
    } else {
        seen
    })
}

/// Seeds of the training runs that a report reads.
fn seeds(graph: &Graph, id: StageId) -> BTreeSet<u64> {
    let read = graph
        .stage(id)
        .inputs
        .iter()
        .filter_map(|input| match input.source {
            Source::Stage { stage, .. } => Some(stage),
            Source::File(_) => None,
        });
    read.filter_map(|stage| graph.stage(stage).settings.get("seed")?.as_u64())
        .collect()
}
