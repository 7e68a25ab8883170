//! `pipeline plan`: what a run would do, and why, without doing it.

mod ahead;
mod at_once;
mod page;

use engine::{Change, Graph, Plan, Reason, StageId, Store, Verdict, size};
use serde_json::{Value, json};
use study::Study;

use crate::cli::{self, Cli};
use crate::commands::{self, counted, expand, load};
use crate::gpus;
use crate::machine::{Machine, device_class};
use crate::output::out;
use crate::secrets::mask_change;
use crate::site::{Resources, Site, Use};
use crate::so_far::Quoted;
use crate::{DONE, Failure, stages};

pub(crate) use ahead::Ahead;
pub(crate) use at_once::AtOnce;
pub(crate) use page::as_text;

pub(crate) fn plan(cli: &Cli, arguments: &cli::Plan) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let site = Site::find(cli, Some(&arguments.file.study))?;
    let store = site.store(if arguments.freeze {
        Use::Run
    } else {
        Use::Read
    })?;
    if arguments.freeze {
        return freeze(&study, &site, &store, arguments);
    }
    let graph = expand(&study, &store)?;
    let plan = engine::plan(&graph, &store, &stages::kinds(), study.name())?;
    let (runs, steps) = training(&study);
    let largest = plan.largest(&graph);
    if arguments.json {
        let mut object = as_json(&graph, &plan);
        let memory = largest.map(|id| graph.stage(id).execution.memory);
        object["training"] = json!({"runs": runs, "steps": steps, "memory": memory});
        outln!("{}", serde_json::to_string_pretty(&object)?);
    } else {
        let (said, machine) = (cli::Site::default(), Machine::here());
        let resources = site.resources(&said, &machine);
        // It may be another machine that has the device.
        let resources = resources.or_else(|_| Site::without_file(cli).resources(&said, &machine));
        let mut resources = resources?;
        let mut text = as_text(&graph, &plan, arguments.verbose);
        let on_gpus = share_gpus(&mut resources, &graph, &plan, &machine);
        let ahead = Ahead {
            study: &study,
            stages: plan.run() + plan.fresh() + plan.maybe(),
            seconds: plan.seconds(),
            at_once: AtOnce {
                graph: &graph,
                resources: &resources,
                largest,
                leaves: false,
            },
        };
        text += &ahead.in_plan(store.cache());
        let lines = [resources.on_gpus_by_default(), on_gpus];
        text.extend(lines.into_iter().flatten().map(|line| line + "\n"));
        out(text);
    }
    Ok(DONE)
}

/// Settles how many jobs share each GPU, if that goes by what runs take; why, in a line.
pub(crate) fn share_gpus(
    resources: &mut Resources,
    graph: &Graph,
    plan: &Plan,
    machine: &Machine,
) -> Option<String> {
    let nothing_runs = plan.run() + plan.fresh() + plan.maybe() == 0;
    if !resources.jobs_by_gpu || nothing_runs {
        return None;
    }
    let run = plan.largest(graph).map(|id| graph.stage(id));
    let run = run.map(|stage| (stage.name.as_str(), stage.execution.memory));
    let share = gpus::share(&resources.gpus, run, machine.cores);
    resources.jobs = resources.gpus.len().saturating_mul(share.each);
    Some(share.why)
}

/// `--freeze`: the name of the plan on stdout, for scripts.
fn freeze(study: &Study, site: &Site, store: &Store, arguments: &cli::Plan) -> Result<u8, Failure> {
    let graph = expand(study, store)?;
    let device = if let Some(device) = &arguments.device {
        device.as_str()
    } else {
        let resources = site.resources(&cli::Site::default(), &Machine::here())?;
        device_class(&resources.device)?
    };
    let of = Quoted::new(study, &arguments.file.study);
    let frozen = commands::freeze::freeze(&of, &graph, store, device, !arguments.fail_fast)?;
    errln!(
        "frozen: {} with {}, for devices of the class {}",
        counted(graph.len(), "stage"),
        counted(frozen.inputs.len(), "input"),
        frozen.device
    );
    outln!("{}", frozen.plan_id());
    Ok(DONE)
}

/// The training runs of a study, cached or not, and their steps together if none ends early; none where a data set does
/// not say how large it is.
fn training(study: &Study) -> (u64, Option<u64>) {
    let summary = study.summary();
    let trainings = summary.iter().filter(|stage| stage.is_training);
    trainings.fold((0, Some(0)), |(runs, steps), stage| {
        let sum = |steps: u64| steps.checked_add(stage.steps?);
        (runs + stage.stages, steps.and_then(sum))
    })
}

/// `training: 900 runs, at most 123,456 steps; the largest takes about 60 MiB of memory`: of those that are to run.
fn in_words(study: &Study, largest: Option<(&str, u64)>) -> String {
    let (runs, steps) = training(study);
    if runs == 0 {
        return String::new();
    }
    let runs = match runs {
        1 => "1 run".to_owned(),
        runs => format!("{} runs", grouped(runs)),
    };
    let steps = steps.map_or_else(String::new, |steps| {
        format!(", at most {} steps", grouped(steps))
    });
    let memory = largest.map_or_else(String::new, |(_, memory)| {
        format!("; the largest takes about {} of memory", size(memory))
    });
    format!("training: {runs}{steps}{memory}\n")
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One object a stage; other stages are named, not numbered.
fn as_json(graph: &Graph, plan: &Plan) -> Value {
    let name = |id: &StageId| graph.stage(*id).name.as_str();
    let stages = graph.iter().map(|(id, stage)| {
        let planned = plan.stage(id);
        let mut object = json!({
            "name": stage.name, "family": stage.family, "kind": stage.kind,
            "key": planned.key, "seconds": planned.seconds,
        });
        let mut set = |field: &str, value: Value| object[field] = value;
        match &planned.verdict {
            Verdict::Cached => set("verdict", json!("cached")),
            Verdict::Shared { with } => {
                set("verdict", json!("shared"));
                set("with", json!(name(with)));
            }
            Verdict::Run { reason } => {
                set("verdict", json!("run"));
                match reason {
                    Reason::NeverRan => set("reason", json!("never_ran")),
                    Reason::Lost => set("reason", json!("lost")),
                    Reason::Failed { error } => {
                        set("reason", json!("failed"));
                        set("error", json!(error));
                    }
                    Reason::NewPoint { nearest, changes } => {
                        set("reason", json!("new_point"));
                        set("nearest", json!(nearest));
                        set("changes", shown(changes));
                    }
                    Reason::Changed { changes } => {
                        set("reason", json!("changed"));
                        set("changes", shown(changes));
                    }
                }
            }
            Verdict::New { because } => {
                set("verdict", json!("new"));
                set("because", json!(name(because)));
            }
            Verdict::Maybe { because } => {
                set("verdict", json!("maybe"));
                set("because", json!(name(because)));
            }
            Verdict::Unfit { error } => {
                set("verdict", json!("unfit"));
                set("error", json!(error));
            }
        }
        object
    });
    json!({
        "cached": plan.cached(), "run": plan.run(), "new": plan.fresh(), "maybe": plan.maybe(),
        "unfit": plan.unfit(), "seconds": plan.seconds(), "stages": stages.collect::<Vec<_>>(),
    })
}

fn shown(changes: &[Change]) -> Value {
    changes
        .iter()
        .map(|change| json!(*mask_change(change)))
        .collect()
}

/// A reason in words.
pub(crate) fn because(reason: &Reason) -> String {
    match reason {
        Reason::NeverRan => "no result yet".to_owned(),
        Reason::Lost => "its result is missing or damaged".to_owned(),
        Reason::Failed { error } => format!("failed before: {error}"),
        Reason::NewPoint { changes, .. } => format!("new value: {}", all(changes)),
        Reason::Changed { changes } => all(changes),
    }
}

fn all(changes: &[Change]) -> String {
    changes.iter().map(change).collect::<Vec<_>>().join("; ")
}

/// `learning_rate: 0.1 -> 0.2`; digests are shortened.
pub(crate) fn change(change: &Change) -> String {
    let short = |value: &Option<String>| match value {
        Some(digest) if change.path.starts_with("input ") => digest.chars().take(12).collect(),
        Some(value) => value.clone(),
        None => "absent".to_owned(),
    };
    let shown = mask_change(change);
    format!(
        "{}: {} -> {}",
        shown.path,
        short(&shown.old),
        short(&shown.new)
    )
}

/// Seconds in words.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn long_numbers_are_grouped_by_thousands() {
        let numbers = [0, 999, 1000, 123_456, 1_234_567];
        assert_eq!(
            numbers.map(grouped),
            ["0", "999", "1,000", "123,456", "1,234,567"]
        );
    }
}
