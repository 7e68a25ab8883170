//! Each claim with its evidence: what decides, what is shown beside it, the sentence.

use runs::reader::Comparison;

use super::correlation::Dampings;
use super::judge::Decision;
use super::region::{Change, panels};
use super::timings::{Timings, timings};
use super::{
    Alternative, Claim, ClaimVerdict, Figure, control, correlation, performance, progress, region,
    returns,
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
        Claim::RegionShrinksAtFixedEpochs {} => change(evidence, Change::Shrinks, |at| {
            matches!(at, Moment::Epochs(_))
        }),
        Claim::RegionGrowsAtFixedIterations {} => change(evidence, Change::Grows, |at| {
            matches!(at, Moment::Iterations(_))
        }),
        Claim::RatesAndDampingsCorrelate {} => correlate(evidence),
        Claim::SgdFasterPerIteration {} => race(evidence),
        Claim::LargeDampingIsSgd(Comparison { margin, metric }) => agree(evidence, margin, metric),
    };
    ClaimVerdict {
        claim: *claim,
        sentence: sentence(claim),
        verdict: decision.verdict,
        statistic: decision.least_in_favour().cloned(),
        n: decision.seeds(),
        figure: figure(claim),
        reason: decision.reason,
        parts: decision.parts,
        under,
    }
}

/// The claim in words.
fn sentence(claim: &Claim) -> String {
    match claim {
            Claim::ComparablePerformance(Comparison { margin, metric }) => format!(
                "After tuning, K-FAC's {metric} is comparable to SGD's: within {} at every batch size.",
                metric.distance(*margin)
            ),
            Claim::DiminishingReturns {} => {
                "Both methods have diminishing returns in the batch size, and K-FAC departs from ideal scaling further than SGD.".into()
            }
            Claim::RegionShrinksAtFixedEpochs {} => {
                "At fixed epochs, K-FAC's region of good hyperparameters shrinks as the batch grows.".into()
            }
            Claim::RegionGrowsAtFixedIterations {} => {
                "At fixed iterations, K-FAC's region of good hyperparameters grows with the batch size.".into()
            }
            Claim::RatesAndDampingsCorrelate {} => {
                "Good learning rates and dampings of K-FAC are positively correlated.".into()
            }
            Claim::SgdFasterPerIteration {} => {
                "SGD makes more progress per iteration than K-FAC in reducing the training loss.".into()
            }
            Claim::LargeDampingIsSgd(Comparison { margin, metric }) => format!(
                "Control: at a large damping, K-FAC is SGD with learning rate / damping: {metric} within {}.",
                metric.distance(*margin)
            ),
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
fn first_decides(choices: Vec<(String, Decision)>, without: &str) -> (Decision, Vec<Alternative>) {
    let under = choices
        .iter()
        .map(|(choice, decision)| decision.under(choice))
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
                .flat_map(|run| &run.evaluations)
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
                let within = metric.distance(margin);
                choices.push((
                    format!("{metric} within {within}, winners of `{stage}`"),
                    decision,
                ));
            }
        }
    }
    first_decides(choices, "No stage selects winners to confirm.")
}

/// For each set of runs: all targets together, then each alone.
fn scale(evidence: &Evidence) -> (Decision, Vec<Alternative>) {
    let mut choices = Vec::new();
    for set in timings(evidence) {
        let targets = set.targets();
        if targets.is_empty() {
            continue;
        }
        choices.push((
            format!("all targets, {}", set.choice),
            returns::decide(&set, &targets),
        ));
        let alone = targets.iter().filter(|_| targets.len() > 1);
        for &target in alone.filter(|&&target| set.has_own(target)) {
            choices.push((
                format!("{}, {}", target.in_words(), set.choice),
                returns::decide(&set, &[target]),
            ));
        }
    }
    let without = if evidence.targets.is_empty() {
        "No stage times steps to a target."
    } else {
        "No target can be timed: each is crossed in fewer than 16 steps at the largest batch size."
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
            (
                format!("{}, {}", target.in_words(), set.choice),
                progress::decide(set, target),
            )
        };
        choices.extend(targets.into_iter().map(|target| named(target, &set)));
    }
    let is_timed = evidence
        .targets
        .iter()
        .flat_map(|named| &named.table.targets)
        .any(|note| note.target.metric == Metric::TrainLoss);
    let without = if is_timed {
        "No training loss can be timed: each is crossed in fewer than 16 steps at the largest batch size."
    } else {
        "No stage times steps to a training loss."
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
                format!("{metric} within {}", metric.distance(margin)),
                control::decide(&cells, margin, metric),
            ));
        }
    }
    first_decides(choices, "There are no runs.")
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
    change: Change,
    takes: fn(Moment) -> bool,
) -> (Decision, Vec<Alternative>) {
    let mut decided: Option<Decision> = None;
    let mut under = Vec::new();
    for Named { stage, table } in &evidence.heatmaps {
        for at in slices(table, takes) {
            let rules = region::by_rule(table, &panels(table, at), change);
            let decision = region::decide(&rules, change);
            under.push(decision.under(format!("all levels {at}, `{stage}`")));
            for by in rules {
                let note = if by.is_informative {
                    ""
                } else {
                    "The share is under 10 or over 90 %, so this level has no say."
                };
                under.push(Alternative {
                    has_say: by.is_informative,
                    choice: format!("{} {at}, `{stage}`", region::describe(by.rule, table.value)),
                    verdict: by.statistic.verdict,
                    statistic: Some(by.statistic),
                    reason: note.into(),
                });
            }
            decided = decided.or(Some(decision));
        }
    }
    (
        decided.unwrap_or_else(|| Decision::without_data("No heatmap has such a slice.")),
        under,
    )
}

/// Below the curvature first, where it was recorded; then with all dampings.
fn correlate(evidence: &Evidence) -> (Decision, Vec<Alternative>) {
    let mut choices = Vec::new();
    for dampings in [Dampings::BelowCurvature, Dampings::All] {
        for Named { stage, table } in &evidence.heatmaps {
            for at in slices(table, |_| true) {
                let panels = panels(table, at);
                let is_told = panels.values().any(|panel| !panel.dampings.is_empty());
                if dampings == Dampings::BelowCurvature && !is_told {
                    continue;
                }
                for rule in GoodRule::of(table.good) {
                    let rule_in_words = region::describe(rule, table.value);
                    let which = match (dampings, is_told) {
                        (Dampings::BelowCurvature, _) => ", dampings below the median curvature",
                        (Dampings::All, true) => ", all dampings, where a slope of 1 is built in",
                        (Dampings::All, false) => "",
                    };
                    choices.push((
                        format!("{rule_in_words} {at}, `{stage}`{which}"),
                        correlation::decide(&panels, rule, table.value, dampings),
                    ));
                }
            }
        }
    }
    first_decides(choices, "No heatmap declares what is good.")
}
