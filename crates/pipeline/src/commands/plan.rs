//! `pipeline plan`: what a run would do, and why, without doing it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use engine::{Change, Graph, Plan, Reason, Verdict};
use serde_json::json;

use crate::cli::{self, Cli};
use crate::commands::{counted, load, open};
use crate::{DONE, Failure, stages};

pub(crate) fn plan(cli: &Cli, arguments: &cli::Plan) -> Result<u8, Failure> {
    let study = load(&arguments.file.study)?;
    let graph = study.expand();
    let plan = engine::plan(&graph, &open(&cli.cache)?, &stages::kinds(), study.name())?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&graph, &plan))?);
    } else {
        print!("{}", as_text(&graph, &plan, arguments.verbose));
    }
    Ok(DONE)
}

fn as_json(graph: &Graph, plan: &Plan) -> serde_json::Value {
    let stages = graph.iter().map(|(id, stage)| {
        let planned = plan.stage(id);
        json!({"name": stage.name, "kind": stage.kind, "verdict": planned.verdict, "key": planned.key, "seconds": planned.seconds})
    });
    json!({
        "cached": plan.cached(), "run": plan.run(), "maybe": plan.maybe(), "seconds": plan.seconds(),
        "stages": stages.collect::<Vec<_>>(),
    })
}

/// The plan as a page: stages of the study with counts and the reasons, each reason once.
pub(crate) fn as_text(graph: &Graph, plan: &Plan, every_stage: bool) -> String {
    let mut text = String::new();
    for (name, family) in families(graph, plan) {
        let _ = writeln!(text, "{name}: {}", family.counts());
        for (why, stages) in &family.reasons {
            let _ = writeln!(
                text,
                "  {why}{}",
                if stages.len() > 1 {
                    format!(" ({} stages)", stages.len())
                } else {
                    String::new()
                }
            );
        }
        if every_stage {
            for (stage, what) in &family.stages {
                let _ = writeln!(text, "    {stage}: {what}");
            }
        }
    }
    let _ = write!(
        text,
        "{}: {} cached, {} will run, {} may run",
        counted(graph.len(), "stage"),
        plan.cached(),
        plan.run(),
        plan.maybe()
    );
    match plan.seconds() {
        Some(seconds) if plan.run() + plan.maybe() > 0 => {
            let _ = writeln!(text, "; about {} of work", duration(seconds));
        }
        _ => text.push('\n'),
    }
    text
}

/// What the plan says of the stages that one stage of the study comes to.
#[derive(Default)]
struct Family<'a> {
    cached: usize,
    run: usize,
    maybe: usize,
    unfit: usize,
    /// Reasons with the stages that have them.
    reasons: BTreeMap<String, Vec<&'a str>>,
    stages: Vec<(&'a str, &'static str)>,
}

impl Family<'_> {
    fn counts(&self) -> String {
        let counts = [
            (self.cached, "cached"),
            (self.run, "will run"),
            (self.maybe, "may run"),
            (self.unfit, "cannot run"),
        ];
        let parts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        parts.join(", ")
    }
}

/// In the order of the graph.
fn families<'a>(graph: &'a Graph, plan: &Plan) -> Vec<(&'a str, Family<'a>)> {
    let mut families: Vec<(&str, Family<'_>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, stage) in graph.iter() {
        let place = *places.entry(&stage.family).or_insert_with(|| {
            families.push((&stage.family, Family::default()));
            families.len() - 1
        });
        let family = &mut families[place].1;
        let (what, why) = match &plan.stage(id).verdict {
            Verdict::Cached | Verdict::Shared { .. } => {
                family.cached += 1;
                ("cached", None)
            }
            Verdict::Run { reason } => {
                family.run += 1;
                ("will run", Some(because(reason)))
            }
            Verdict::Maybe { because } => {
                family.maybe += 1;
                (
                    "may run",
                    Some(format!(
                        "depends on what {} gives",
                        graph.stage(*because).family
                    )),
                )
            }
            Verdict::Unfit { error } => {
                family.unfit += 1;
                ("cannot run", Some(error.clone()))
            }
        };
        family.stages.push((&stage.name, what));
        if let Some(why) = why {
            family.reasons.entry(why).or_default().push(&stage.name);
        }
    }
    families
}

/// A reason in words.
pub(crate) fn because(reason: &Reason) -> String {
    match reason {
        Reason::NeverRan => "never ran".to_owned(),
        Reason::Lost => "its result is lost or damaged".to_owned(),
        Reason::Changed { changes } => changes.iter().map(change).collect::<Vec<_>>().join("; "),
    }
}

/// `learning_rate: 0.1 -> 0.2`; digests are shortened.
pub(crate) fn change(change: &Change) -> String {
    let short = |value: &Option<String>| match value {
        Some(digest) if change.path.starts_with("input ") => digest.chars().take(12).collect(),
        Some(value) => value.clone(),
        None => "absent".to_owned(),
    };
    format!(
        "{}: {} -> {}",
        change.path,
        short(&change.old),
        short(&change.new)
    )
}

/// Seconds in words.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
