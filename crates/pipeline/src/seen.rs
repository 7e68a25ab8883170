//! Which seeds an earlier report of a study had used: they have been seen, and decide no claim once the study is
//! extended by others.
//!
//! What a report had used is in its table, which the last run of the study left in the cache. It becomes a setting of
//! the report's stage, so that a manifest says all that a verdict depends on. A study that declares its looks
//! beforehand needs none of this.

use std::collections::BTreeSet;

use engine::{Graph, Manifest, Source, StageId, Store};
use serde_json::json;

use crate::{Failure, stages};

/// The setting of a report's stage.
const SETTING: &str = "seen_seeds";

/// Adds to each report's stage the seeds that no longer decide.
pub(crate) fn mark(graph: &mut Graph, study: &str, store: &Store) -> Result<(), Failure> {
    let reports: Vec<StageId> = graph
        .iter()
        .filter(|(_, stage)| stage.kind == "report" && !stage.settings.contains_key("looks"))
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

/// The seeds that earlier reports had used, if there are others now.
fn seen(graph: &Graph, id: StageId, study: &str, store: &Store) -> Result<BTreeSet<u64>, Failure> {
    let nothing = BTreeSet::new();
    let Some(key) = store.results_of(study)?.remove(&graph.stage(id).name) else {
        return Ok(nothing);
    };
    let Some(record) = store.lookup(key)?.record else {
        return Ok(nothing);
    };
    // A table of another version says nothing that this one could use; its verdicts went by another rule.
    let Ok((table, _)) = stages::read_report(store, &record) else {
        return Ok(nothing);
    };
    let before: BTreeSet<u64> = table.runs.iter().map(|run| run.seed).collect();
    let now = seeds(graph, id);
    let mut seen: BTreeSet<u64> = Manifest::parse(&record.manifest)
        .ok()
        .and_then(|manifest| serde_json::from_value(manifest.settings().get(SETTING)?.clone()).ok())
        .unwrap_or_default();
    if !now.is_subset(&before) {
        seen.extend(table.claims.iter().flat_map(|claim| &claim.seeds));
    }
    // Back to what was seen: nothing was added.
    Ok(if now.is_subset(&seen) { nothing } else { seen })
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
