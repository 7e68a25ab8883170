//! Each claim with its evidence: what decides and what is shown beside it.

use runs::reader::{Comparison, Control, Region};

use super::judge::{Question, judge};
use super::look::Rules;
use super::region::panels;
use super::timings::{Timings, timings};
use super::{
    Alternative, Choice, Claim, ClaimVerdict, Dampings, Decision, Direction, Figure, KFAC, Level,
    Missing, Pair, Remark, control, correlation, pairs, performance, progress, region, returns,
    test_set,
};
use crate::control::cells;
use crate::heatmap::{GoodRule, HeatmapTable};
use crate::{Evidence, Metric, Moment, Named, Target};

/// What there is to judge under each choice, the one that decides first; and what is missing where there is none.
pub(super) struct Choices {
    pub(super) all: Vec<(Choice, Result<Question, Lack>)>,
    pub(super) without: Missing,
}

/// Why there is nothing to judge, and what to know beside it.
#[derive(Debug)]
pub(super) struct Lack {
    missing: Missing,
    remarks: Vec<Remark>,
}

impl From<Missing> for Lack {
    fn from(missing: Missing) -> Self {
        Self {
            missing,
            remarks: Vec::new(),
        }
    }
}

impl From<(Missing, Vec<Remark>)> for Lack {
    fn from((missing, remarks): (Missing, Vec<Remark>)) -> Self {
        Self { missing, remarks }
    }
}

/// Decides a claim by the rules of its study. Never fails: a claim without evidence is undecided and says what is
/// missing.
pub fn decide(claim: &Claim, rules: &Rules, evidence: &Evidence) -> ClaimVerdict {
    // Looks are at the fresh seeds of confirmed runs; grids have the tuning seeds.
    let rules = Rules {
        looks: rules.looks.filter(|_| rests_on_confirmed(claim)),
        seen: rules.seen.clone(),
    };
    let choices = match claim {
        Claim::ComparablePerformance(Comparison { margin, metric, .. }) => {
            pairs::choices(claim, |methods| {
                compare(evidence, methods, *margin, *metric)
            })
        }
        Claim::DiminishingReturns(_) => pairs::choices(claim, |methods| scale(evidence, methods)),
        Claim::FasterPerIteration(_) => pairs::choices(claim, |methods| race(evidence, methods)),
        Claim::RegionShrinksAtFixedEpochs(Region { method, .. }) => {
            change(evidence, method, Direction::Shrinks, |at| {
                matches!(at, Moment::Epochs(_))
            })
        }
        Claim::RegionGrowsAtFixedIterations(Region { method, .. }) => {
            change(evidence, method, Direction::Grows, |at| {
                matches!(at, Moment::Iterations(_))
            })
        }
        Claim::RatesAndDampingsCorrelate(_) => correlate(evidence),
        Claim::LargeDampingIsSgd(Control { margin, metric }) => agree(evidence, *margin, *metric),
    };
    let without = choices.without;
    let judged: Vec<(Choice, Decision)> = choices
        .all
        .into_iter()
        .enumerate()
        .map(|(place, (choice, question))| {
            let decision = match question {
                Ok(question) => judge(question, &rules, place == 0, claim.smallest()),
                Err(Lack { missing, remarks }) => Decision {
                    remarks,
                    ..Decision::without_data(missing)
                },
            };
            (choice, decision)
        })
        .collect();
    let under: Vec<Alternative> = judged
        .iter()
        .map(|(choice, decision)| decision.under(choice.clone()))
        .collect();
    let decision = judged.into_iter().next().map(|(_, decision)| decision);
    let decision = decision.unwrap_or_else(|| Decision::without_data(without));
    ClaimVerdict {
        verdict: decision.verdict,
        reason: decision.reason,
        remarks: decision.remarks,
        effect: decision.effect,
        deciding: decision.deciding,
        parts: decision.parts,
        n: decision.n,
        seeds: decision.seeds.into_iter().collect(),
        look: decision.look,
        need: decision.need,
        test_set: test_set::of(claim, evidence),
        figure: figure(claim),
        under,
        claim: claim.clone(),
    }
}

/// Whether a claim is on the winners' runs on fresh seeds, not on a grid.
fn rests_on_confirmed(claim: &Claim) -> bool {
    match claim {
        Claim::ComparablePerformance(_)
        | Claim::DiminishingReturns(_)
        | Claim::FasterPerIteration(_) => true,
        Claim::RegionShrinksAtFixedEpochs(_)
        | Claim::RegionGrowsAtFixedIterations(_)
        | Claim::RatesAndDampingsCorrelate(_)
        | Claim::LargeDampingIsSgd(_) => false,
    }
}

/// The figure that the verdict rests on.
fn figure(claim: &Claim) -> Figure {
    match claim {
        Claim::ComparablePerformance(_) => Figure::Winners,
        Claim::DiminishingReturns(_) => Figure::Scaling,
        Claim::RegionShrinksAtFixedEpochs(_)
        | Claim::RegionGrowsAtFixedIterations(_)
        | Claim::RatesAndDampingsCorrelate(_) => Figure::Heatmaps,
        Claim::LargeDampingIsSgd(_) => Figure::Controls,
        Claim::FasterPerIteration(_) => Figure::Curves,
    }
}

/// The declared margin first, then half and twice of it, each for the other metrics too.
fn compare(evidence: &Evidence, methods: &Pair, margin: f64, metric: Metric) -> Choices {
    let mut all = Vec::new();
    for Named { stage, table } in &evidence.winners {
        let measured = |metric: Metric| {
            let mut evaluations = evidence.runs.iter().flat_map(|run| &run.curve.evaluations);
            evaluations.any(|at| metric.of(at).is_some())
        };
        let beside = [Metric::TestAccuracy, Metric::TrainAccuracy];
        let others = beside
            .into_iter()
            .filter(|&other| other != metric && measured(other));
        for metric in std::iter::once(metric).chain(others) {
            for factor in [1.0, 0.5, 2.0] {
                let margin = margin * factor;
                let choice = Choice::Winners {
                    metric,
                    margin,
                    selection: stage.clone(),
                };
                let question = performance::question(evidence, table, methods, margin, metric);
                all.push((choice, question.map_err(Lack::from)));
            }
        }
    }
    // The first selection that has confirmed runs decides.
    all.sort_by_key(|(_, question)| question.is_err());
    Choices {
        all,
        without: Missing::Selection,
    }
}

/// For each set of runs: the target that selected them first, then the others.
fn at_targets(
    evidence: &Evidence,
    takes: impl Fn(Target) -> bool,
    question: impl Fn(&Timings<'_>, Target) -> Result<Question, Missing>,
) -> Choices {
    let mut all = Vec::new();
    for set in timings(evidence) {
        for target in set.targets() {
            if takes(target) && set.has_own(target) {
                let question = question(&set, target).map_err(Lack::from);
                all.push((set.choice(target), question));
            }
        }
    }
    let is_timed = evidence
        .targets
        .iter()
        .flat_map(|named| &named.table.targets)
        .any(|note| takes(note.target));
    Choices {
        all,
        without: if is_timed {
            Missing::TimeableTarget
        } else {
            Missing::Target
        },
    }
}

fn scale(evidence: &Evidence, methods: &Pair) -> Choices {
    at_targets(
        evidence,
        |_| true,
        |set, target| returns::question(set, methods, target),
    )
}

fn race(evidence: &Evidence, methods: &Pair) -> Choices {
    at_targets(
        evidence,
        |target| target.metric == Metric::TrainLoss,
        |set, target| progress::question(set, methods, target),
    )
}

/// The declared margin first, then half and twice of it, each for the other metrics too.
fn agree(evidence: &Evidence, margin: f64, metric: Metric) -> Choices {
    let cells = cells(&evidence.runs);
    let beside = [Metric::TestAccuracy, Metric::TrainAccuracy];
    let metrics = beside.into_iter().filter(|&other| {
        other != metric && cells.iter().any(|cell| !cell.differences(other).is_empty())
    });
    let mut all = Vec::new();
    for metric in std::iter::once(metric).chain(metrics) {
        for factor in [1.0, 0.5, 2.0] {
            let margin = margin * factor;
            let question = control::question(&cells, margin, metric);
            let choice = Choice::Control { metric, margin };
            all.push((choice, question.map_err(Lack::from)));
        }
    }
    Choices {
        all,
        without: Missing::ControlPairs,
    }
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

/// At each slice the declared level first, the fixed ones after it.
fn change(
    evidence: &Evidence,
    method: &str,
    direction: Direction,
    takes: fn(Moment) -> bool,
) -> Choices {
    let mut all = Vec::new();
    for Named { stage, table } in &evidence.heatmaps {
        for at in slices(table, takes) {
            let levels = region::levels(evidence, table, method, at);
            let panels = panels(table, method, at);
            for (place, &rule) in levels.iter().enumerate() {
                let beside: &[GoodRule] = if place == 0 { &levels[1..] } else { &[] };
                let choice = Choice::Region {
                    level: Level {
                        metric: table.value,
                        rule,
                    },
                    at,
                    heatmaps: stage.clone(),
                    dampings: None,
                };
                let question = region::question(table, &panels, method, rule, beside, direction);
                all.push((choice, question.map_err(Lack::from)));
            }
        }
    }
    Choices {
        all,
        without: Missing::Heatmap,
    }
}

/// Below the curvature first, where it was recorded; then with all dampings. The declared level first.
fn correlate(evidence: &Evidence) -> Choices {
    let mut all = Vec::new();
    for below_curvature in [true, false] {
        for Named { stage, table } in &evidence.heatmaps {
            for at in slices(table, |_| true) {
                let levels = region::levels(evidence, table, KFAC, at);
                let panels = panels(table, KFAC, at);
                let is_told = panels.values().any(|panel| !panel.dampings.is_empty());
                let dampings = match (below_curvature, is_told) {
                    (true, true) => Dampings::BelowCurvature,
                    (true, false) => continue,
                    (false, true) => Dampings::All,
                    (false, false) => Dampings::AllUntold,
                };
                for &rule in &levels {
                    let metric = table.value;
                    let choice = Choice::Region {
                        level: Level { metric, rule },
                        at,
                        heatmaps: stage.clone(),
                        dampings: Some(dampings),
                    };
                    let question = correlation::question(&panels, rule, metric, dampings);
                    all.push((choice, question.map_err(Lack::from)));
                }
            }
        }
    }
    Choices {
        all,
        without: Missing::DeclaredLevel,
    }
}
