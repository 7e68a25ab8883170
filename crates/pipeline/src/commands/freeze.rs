//! Frozen plans: how a study becomes one, and how a copy of the program finds the one that it is to carry out.

use engine::{FreezeOptions, Frozen, Graph, PlanId, Remote, Store};

use crate::commands::build;
use crate::so_far::Quoted;
use crate::{Failure, stages};

/// How many plans a message names.
const NAMED: usize = 5;

/// Freezes a study in the remote behind its cache. `device`: the class of the devices that are to train it.
pub(crate) fn freeze(
    of: &Quoted,
    graph: &Graph,
    store: &Store,
    device: &str,
    keep_going: bool,
) -> Result<Frozen, Failure> {
    if store.remote().is_none() {
        return Err(Failure::Usage(
            "a frozen plan lies in a remote, which all machines reach; `--remote DIR` or the site file names it"
                .to_owned(),
        ));
    }
    let options = FreezeOptions {
        study: of.study.clone(),
        keep_going,
        device: device.to_owned(),
        build: build()?,
        program: serde_json::to_value(of)?,
    };
    Ok(engine::freeze(graph, store, &stages::kinds(), options)?)
}

/// What a page quotes of the study that a plan is of.
pub(crate) fn quoted(frozen: &Frozen) -> Result<Quoted, Failure> {
    serde_json::from_value(frozen.program.clone()).map_err(|error| {
        format!(
            "the plan {} is not one of this program: {error}",
            frozen.plan_id()
        )
        .into()
    })
}

/// The plan of this name: `STUDY/ID`, `ID`, or `STUDY`, which is its newest one.
pub(crate) fn find(store: &Store, name: &str) -> Result<Frozen, Failure> {
    let remote = store.remote().ok_or_else(|| {
        Failure::Usage(format!(
            "the plan `{name}` is looked for in a remote; `--remote DIR` or the site file names it"
        ))
    })?;
    let plan = choose(remote, name)?;
    let frozen = remote.plan(&plan)?;
    Ok(frozen.ok_or_else(|| format!("the plan {plan} has gone from the remote"))?)
}

fn choose(remote: &Remote, name: &str) -> Result<PlanId, Failure> {
    let plans = remote.plans(None)?;
    let whole = |plan: &&PlanId| plan.to_string() == name;
    if let Some(plan) = plans.iter().find(whole) {
        return Ok(plan.clone());
    }
    let of_id: Vec<&PlanId> = plans.iter().filter(|plan| plan.id == name).collect();
    let of_study = plans.iter().rfind(|plan| plan.study == name);
    match (of_id.as_slice(), of_study) {
        ([plan], None) => Ok((*plan).clone()),
        ([], Some(plan)) => Ok(plan.clone()),
        ([], None) => {
            let newest = plans.iter().rev().take(NAMED).map(ToString::to_string);
            let newest: Vec<String> = newest.collect();
            let there = if newest.is_empty() {
                "it has none; `pipeline plan STUDY --freeze` makes one".to_owned()
            } else {
                format!("the newest there are: {}", newest.join(", "))
            };
            Err(Failure::Usage(format!(
                "the remote {} has no plan `{name}`; {there}",
                remote.shown()
            )))
        }
        (several, newest) => {
            let all = several.iter().copied().chain(newest);
            let all: Vec<String> = all.map(ToString::to_string).collect();
            Err(Failure::Usage(format!(
                "`{name}` may be any of these plans: {}",
                all.join(", ")
            )))
        }
    }
}
