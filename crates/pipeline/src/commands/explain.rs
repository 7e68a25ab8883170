//! `pipeline explain`: a stage's manifest, and why it would run.

use engine::{StageId, Verdict};
use serde_json::Value;

use super::plan::change;
use crate::cli::{self, Cli};
use crate::commands::{counted, expand, load, open};
use crate::output::out;
use crate::secrets::mask_manifest;
use crate::{DONE, Failure, Usage, stages};

/// How many stages are named where a part of a name fits several.
const NAMED: usize = 10;

pub(crate) fn explain(cli: &Cli, arguments: &cli::Explain) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let store = open(cli, Some(&arguments.file))?;
    let graph = expand(&study, &store)?;
    let id = find(&graph, &arguments.stage)?;
    let plan = engine::plan(&graph, &store, &stages::kinds(), study.name())?;
    let planned = plan.stage(id);
    outln!("stage: {}", graph.stage(id).name);
    match &planned.verdict {
        Verdict::Cached => outln!("cached"),
        Verdict::Shared { with } => outln!(
            "has the same settings and inputs as {}: one result serves both",
            graph.stage(*with).name
        ),
        Verdict::Run {
            reason: engine::Reason::Changed { changes },
        } => {
            outln!("will run, because what it depends on has changed:");
            for one in changes {
                outln!("  {}", change(one));
            }
        }
        Verdict::Run {
            reason: engine::Reason::NewPoint { nearest, changes },
        } => {
            outln!(
                "will run: it has not run yet. The differences from {nearest}, the nearest run that has a result:"
            );
            for one in changes {
                outln!("  {}", change(one));
            }
        }
        Verdict::Run { reason } => outln!("will run: {}", super::plan::because(reason)),
        Verdict::Maybe { because } => outln!(
            "may run: that depends on the result of {}",
            graph.stage(*because).name
        ),
        Verdict::New { because } => outln!(
            "new in this study: will run, unless its result is found in the cache after {} has run",
            graph.stage(*because).name
        ),
        Verdict::Unfit { error } => outln!("cannot run: {error}"),
    }
    if let Some(record) = &planned.record {
        let made = &record.provenance;
        outln!(
            "computed {} on {} by {} in {:.2} s",
            made.start,
            made.host,
            made.program,
            made.seconds
        );
        let count = |name: &str| made.executor.get(name).and_then(Value::as_u64);
        if let (Some(at), Some(trained)) = (count("resumed_at"), count("trained_steps")) {
            outln!(
                "went on from the checkpoint at step {at}: {} trained",
                counted(trained as usize, "step")
            );
        }
        for (name, blob) in &record.outputs {
            outln!("output {name}: {} ({} bytes)", blob.digest, blob.bytes);
        }
    }
    match (&planned.key, &planned.manifest) {
        (Some(key), Some(manifest)) => out(format!("key: {key}\n\n{}", mask_manifest(manifest))),
        _ => outln!("what it depends on is known after the stages that it reads have run"),
    }
    Ok(DONE)
}

/// The stage of this name, or the only one whose name contains it.
pub(super) fn find(graph: &engine::Graph, wanted: &str) -> Result<StageId, Failure> {
    if let Some(id) = graph.find(wanted) {
        return Ok(id);
    }
    let fitting: Vec<(StageId, &engine::Stage)> = graph
        .iter()
        .filter(|(_, stage)| stage.name.contains(wanted))
        .collect();
    match fitting.as_slice() {
        [(id, _)] => Ok(*id),
        [] => Err(Usage::NoStage {
            wanted: wanted.to_owned(),
        }
        .into()),
        several => {
            let names = several.iter().take(NAMED);
            Err(Usage::SeveralStages {
                wanted: wanted.to_owned(),
                count: several.len(),
                names: names.map(|(_, stage)| stage.name.clone()).collect(),
            }
            .into())
        }
    }
}
