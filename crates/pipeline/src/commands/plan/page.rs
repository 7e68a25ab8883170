//! A plan as a page: the stages of the study with counts and reasons, each reason once, however
//! many stages it comes to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use engine::{Graph, Plan, Planned, Verdict};

use super::{because, duration};
use crate::commands::counted;

/// Reasons shown for a stage of the study; with `--verbose` all are.
const REASONS: usize = 6;

/// The page.
pub(crate) fn as_text(graph: &Graph, plan: &Plan, every_stage: bool) -> String {
    let mut text = String::new();
    for (name, family) in families(graph, plan) {
        let _ = writeln!(text, "{name}: {}", family.counts());
        let mut reasons: Vec<_> = family.reasons.iter().collect();
        reasons.sort_by_key(|(_, stages)| std::cmp::Reverse(**stages));
        let shown = if every_stage { reasons.len() } else { REASONS };
        for (why, stages) in reasons.iter().take(shown) {
            let times = match **stages {
                1 => String::new(),
                count => format!(" ({count} stages)"),
            };
            let _ = writeln!(text, "  {why}{times}");
        }
        let more = reasons.len().saturating_sub(shown);
        if more > 0 {
            let _ = writeln!(text, "  and {more} other reasons (--verbose shows all)");
        }
        for (stage, what) in family.stages.iter().filter(|_| every_stage) {
            let _ = writeln!(text, "    {stage}: {what}");
        }
    }
    text += &last_lines(graph, plan);
    text
}

fn last_lines(graph: &Graph, plan: &Plan) -> String {
    let (to_run, maybe) = (plan.run() + plan.fresh(), plan.maybe());
    let mut text = format!(
        "{}: {} cached, {to_run} to run",
        counted(graph.len(), "stage"),
        plan.cached()
    );
    if maybe > 0 {
        let _ = write!(text, ", {maybe} may run");
    }
    if let Some(seconds) = plan.seconds()
        && to_run + maybe > 0
    {
        let _ = write!(text, "; about {} of work", duration(seconds));
    }
    text.push('\n');
    if plan.fresh() > 0 {
        let _ = writeln!(
            text,
            "{} of those read results that do not exist yet; any whose own result is then found in the cache does not run",
            plan.fresh()
        );
    }
    let is_shared = |planned: &&Planned| matches!(planned.verdict, Verdict::Shared { .. });
    match plan.stages().iter().filter(is_shared).count() {
        0 => {}
        1 => text += "1 of the cached stages is the same as another one and uses its result\n",
        shared => {
            let _ = writeln!(
                text,
                "{shared} of the cached stages are the same as others and use their results"
            );
        }
    }
    if maybe > 0 {
        text += "may run: runs only if a result that it reads changes\n";
    }
    text
}

/// What the plan says of the stages that one stage of the study comes to.
#[derive(Default)]
struct Family<'a> {
    cached: usize,
    to_run: usize,
    maybe: usize,
    unfit: usize,
    /// Reasons with how many stages have them.
    reasons: BTreeMap<String, usize>,
    stages: Vec<(&'a str, &'static str)>,
}

impl Family<'_> {
    fn counts(&self) -> String {
        let counts = [
            (self.cached, "cached"),
            (self.to_run, "to run"),
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
                family.to_run += 1;
                ("to run", Some(because(reason)))
            }
            Verdict::New { because } => {
                family.to_run += 1;
                let reads = &graph.stage(*because).family;
                ("to run", Some(format!("no result yet; reads {reads}")))
            }
            Verdict::Maybe { because } => {
                family.maybe += 1;
                let why = format!("depends on the result of {}", graph.stage(*because).family);
                ("may run", Some(why))
            }
            Verdict::Unfit { error } => {
                family.unfit += 1;
                ("cannot run", Some(error.clone()))
            }
        };
        family.stages.push((&stage.name, what));
        if let Some(why) = why {
            *family.reasons.entry(why).or_default() += 1;
        }
    }
    families
}
