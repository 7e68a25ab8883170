//! `pipeline explain`: a stage's manifest, and why it would run.

use engine::{StageId, Verdict};
use serde_json::Value;

use super::plan::change;
use crate::cli::{self, Cli};
use crate::commands::{counted, load, open};
use crate::output::out;
use crate::{DONE, Failure, stages};

/// How many stages are named where a part of a name fits several.
const NAMED: usize = 10;

pub(crate) fn explain(cli: &Cli, arguments: &cli::Explain) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let graph = study.expand();
    let id = find(&graph, &arguments.stage)?;
    let plan = engine::plan(
        &graph,
        &open(cli, Some(&arguments.file))?,
        &stages::kinds(),
        study.name(),
    )?;
    let planned = plan.stage(id);
    outln!("stage: {}", graph.stage(id).name);
    match &planned.verdict {
        Verdict::Cached => outln!("cached"),
        Verdict::Shared { with } => outln!(
            "depends on the same as {}: one result serves both",
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
        (Some(key), Some(manifest)) => out(format!("key: {key}\n\n{manifest}")),
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
        [] => Err(Failure::Usage(format!(
            "no stage has `{wanted}` in its name"
        ))),
        several => {
            let names: Vec<String> = several
                .iter()
                .take(NAMED)
                .map(|(_, stage)| format!("\n  {}", stage.name))
                .collect();
            let more = several.len().saturating_sub(NAMED);
            let rest = if more > 0 {
                format!("\n  and {more} more")
            } else {
                String::new()
            };
            Err(Failure::Usage(format!(
                "{} stages have `{wanted}` in their names:{}{rest}",
                several.len(),
                names.concat()
            )))
        }
    }
}
