//! Each claim with its evidence: what decides and what is shown beside it.

use runs::reader::Comparison;

use super::region::panels;
use super::timings::{Timings, timings};
use super::{
    Alternative, Choice, Claim, ClaimVerdict, Dampings, Decision, Direction, Figure, Level,
    Missing, control, correlation, performance, progress, region, returns,
};
use crate::control::cells;
use crate::heatmap::{GoodRule, HeatmapTable};
use crate::{Evidence, Metric, Moment, Named, Target};

/// Decides a claim. Never fails: a claim without evidence is undecided and says what is missing.
pub fn decide(claim: &Claim, evidence: &Evidence) -> ClaimVerdict {
    let (decision, under) = match *claim {
        Claim::ComparablePerformance(Comparison { margin, metric }) => {
            compare(evidence, margin, metric)
        }
        Claim::DiminishingReturns {} => scale(evidence),
        Claim::RegionShrinksAtFixedEpochs {} => change(evidence, Direction::Shrinks, |at| {
            matches!(at, Moment::Epochs(_))
        }),
        Claim::RegionGrowsAtFixedIterations {} => change(evidence, Direction::Grows, |at| {
            matches!(at, Moment::Iterations(_))
        }),
        Claim::RatesAndDampingsCorrelate {} => correlate(evidence),
        Claim::SgdFasterPerIteration {} => race(evidence),
        Claim::LargeDampingIsSgd(Comparison { margin, metric }) => agree(evidence, margin, metric),
    };
    ClaimVerdict {
        claim: *claim,
        verdict: decision.verdict,
        statistic: decision.least_in_favour().cloned(),
        n: decision.seeds(),
        figure: figure(claim),
        reason: decision.reason,
        remarks: decision.remarks,
        parts: decision.parts,
        under,
    }
}

/// The figure that the verdict rests on.
fn figure(claim: &Claim) -> Figure {
    match claim {
        Claim::ComparablePerformance { .. } => Figure::Winners,
        Claim::DiminishingReturns {} => Figure::Scaling,
        Claim::RegionShrinksAtFixedEpochs {}
        | Claim::RegionGrowsAtFixedIterations {}
        | Claim::RatesAndDampingsCorrelate {} => Figure::Heatmaps,
        Claim::LargeDampingIsSgd { .. } => Figure::Controls,
        Claim::SgdFasterPerIteration {} => Figure::Curves,
    }
}

/// The first choice decides; all are shown.
fn first_decides(
    choices: Vec<(Choice, Decision)>,
    without: Missing,
) -> (Decision, Vec<Alternative>) {
    let under = choices
        .iter()
        .map(|(choice, decision)| decision.under(choice.clone()))
        .collect();
    let decision = choices.into_iter().next().map(|(_, decision)| decision);
    (
        decision.unwrap_or_else(|| Decision::without_data(without)),
        under,
    )
}

fn compare(evidence: &Evidence, margin: f64, metric: Metric) -> (Decision, Vec<Alternative>) {
    let mut choices = Vec::new();
    for Named { stage, table } in &evidence.winners {
        let measured = |metric: Metric| {
            evidence
                .runs
                .iter()
                .flat_map(|run| &run.curve.evaluations)
                .any(|at| metric.of(at).is_some())
        };
        let beside = [Metric::TestAccuracy, Metric::TrainAccuracy];
        let metrics = std::iter::once(metric).chain(
            beside
                .into_iter()
                .filter(|&other| other != metric && measured(other)),
        );
        for metric in metrics {
            for factor in [1.0, 0.5, 2.0] {
                let margin = margin * factor;
                let decision = performance::decide(evidence, table, margin, metric);
                let choice = Choice::Winners {
                    metric,
                    margin,
                    selection: stage.clone(),
                };
                choices.push((choice, decision));
            }
        }
    }
    first_decides(choices, Missing::Selection)
}

/// For each set of runs: all targets together, then each alone.
fn scale(evidence: &Evidence) -> (Decision, Vec<Alternative>) {
    let mut choices = Vec::new();
    for set in timings(evidence) {
        let targets = set.targets();
        if targets.is_empty() {
            continue;
        }
        choices.push((set.choice(None), returns::decide(&set, &targets)));
        let alone = targets.iter().filter(|_| targets.len() > 1);
        for &target in alone.filter(|&&target| set.has_own(target)) {
            choices.push((set.choice(Some(target)), returns::decide(&set, &[target])));
        }
    }
    let without = if evidence.targets.is_empty() {
        Missing::Target
    } else {
        Missing::TimeableTarget
    };
    first_decides(choices, without)
}

/// For each set of runs: each training loss, the lowest first.
fn race(evidence: &Evidence) -> (Decision, Vec<Alternative>) {
    let mut choices = Vec::new();
    for set in timings(evidence) {
        let mut targets: Vec<Target> = set
            .targets()
            .into_iter()
            .filter(|&target| target.metric == Metric::TrainLoss && set.has_own(target))
            .collect();
        targets.sort_by(|a, b| a.level.total_cmp(&b.level));
        let named = |target: Target, set: &Timings<'_>| {
            (set.choice(Some(target)), progress::decide(set, target))
        };
        choices.extend(targets.into_iter().map(|target| named(target, &set)));
    }
    let is_timed = evidence
        .targets
        .iter()
        .flat_map(|named| &named.table.targets)
        .any(|note| note.target.metric == Metric::TrainLoss);
    let without = if is_timed {
        Missing::TimeableTarget
    } else {
        Missing::Target
    };
    first_decides(choices, without)
}

/// The declared margin first, then half and twice of it, each for the other metrics too.
fn agree(evidence: &Evidence, margin: f64, metric: Metric) -> (Decision, Vec<Alternative>) {
    let cells = cells(&evidence.runs);
    let beside = [Metric::TestAccuracy, Metric::TrainAccuracy];
    let metrics = beside.into_iter().filter(|&other| {
        other != metric && cells.iter().any(|cell| !cell.differences(other).is_empty())
    });
    let mut choices = Vec::new();
    for metric in std::iter::once(metric).chain(metrics) {
        for factor in [1.0, 0.5, 2.0] {
            let margin = margin * factor;
            choices.push((
                Choice::Control { metric, margin },
                control::decide(&cells, margin, metric),
            ));
        }
    }
    first_decides(choices, Missing::ControlPairs)
}

/// The slices of a table that a predicate takes, each once, in the order of the panels.
fn slices(table: &HeatmapTable, takes: impl Fn(Moment) -> bool) -> Vec<Moment> {
    let mut slices: Vec<Moment> = Vec::new();
    for panel in table.panels.iter().filter(|panel| takes(panel.at)) {
        if !slices.contains(&panel.at) {
            slices.push(panel.at);
        }
    }
    slices
}

fn change(
    evidence: &Evidence,
    direction: Direction,
    takes: fn(Moment) -> bool,
) -> (Decision, Vec<Alternative>) {
    let mut decided: Option<Decision> = None;
    let mut under = Vec::new();
    for Named { stage, table } in &evidence.heatmaps {
        for at in slices(table, takes) {
            let choice = |level: Option<Level>| Choice::Region {
                level,
                at,
                heatmaps: stage.clone(),
                dampings: None,
            };
            let rules = region::by_rule(table, &panels(table, at), direction);
            let decision = region::decide(&rules);
            under.push(decision.under(choice(None)));
            under.extend(rules.into_iter().map(|by| Alternative {
                has_say: by.is_informative,
                choice: choice(Some(by.level)),
                verdict: by.statistic.verdict,
                statistic: Some(by.statistic),
                missing: None,
            }));
            decided = decided.or(Some(decision));
        }
    }
    (
        decided.unwrap_or_else(|| Decision::without_data(Missing::Heatmap)),
        under,
    )
}

/// Below the curvature first, where it was recorded; then with all dampings.
fn correlate(evidence: &Evidence) -> (Decision, Vec<Alternative>) {
    let mut choices = Vec::new();
    for below_curvature in [true, false] {
        for Named { stage, table } in &evidence.heatmaps {
            for at in slices(table, |_| true) {
                let panels = panels(table, at);
                let is_told = panels.values().any(|panel| !panel.dampings.is_empty());
                let dampings = match (below_curvature, is_told) {
                    (true, true) => Dampings::BelowCurvature,
                    (true, false) => continue,
                    (false, true) => Dampings::All,
                    (false, false) => Dampings::AllUntold,
                };
                for rule in GoodRule::of(table.good) {
                    let metric = table.value;
                    let choice = Choice::Region {
                        level: Some(Level { metric, rule }),
                        at,
                        heatmaps: stage.clone(),
                        dampings: Some(dampings),
                    };
                    let decision = correlation::decide(&panels, rule, metric, dampings);
                    choices.push((choice, decision));
                }
            }
        }
    }
    first_decides(choices, Missing::GoodRule)
}
