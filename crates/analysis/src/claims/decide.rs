//! Each claim with its evidence: what decides and what is shown beside it.

use runs::reader::{Comparison, Control, Correlation, Progress, Region, Scaling};

use super::judge::{Question, Rule, judge};
use super::look::Rules;
use super::region::panels;
use super::timings::timings;
use super::{
    Alternative, Choice, Claim, ClaimVerdict, Dampings, Decision, Direction, Figure, KFAC, Level,
    Missing, Pair, control, correlation, pairs, performance, progress, region, returns, test_set,
};
use crate::control::cells;
use crate::heatmap::{GoodRule, HeatmapTable};
use crate::{Evidence, Metric, Moment, Named, Target};

/// Decides a claim by the rules of its study. Never fails: a claim without evidence is undecided and says what is
/// missing.
pub fn decide(claim: &Claim, rules: &Rules, evidence: &Evidence) -> ClaimVerdict {
    let court = Court {
        rules,
        evidence,
        smallest: claim.smallest(),
    };
    let (decision, under) = match claim {
        Claim::ComparablePerformance(Comparison { margin, metric, .. }) => {
            court.of_pairs(claim, Rule::Every, Missing::ConfirmedPairs, |methods| {
                court.compare(methods, *margin, *metric)
            })
        }
        Claim::DiminishingReturns(Scaling { .. }) => {
            court.of_pairs(claim, Rule::Joined, Missing::Target, |methods| {
                court.scale(methods)
            })
        }
        Claim::FasterPerIteration(Progress { .. }) => {
            court.of_pairs(claim, Rule::Every, Missing::Target, |methods| {
                court.race(methods)
            })
        }
        Claim::RegionShrinksAtFixedEpochs(Region { method, .. }) => {
            court.change(method, Direction::Shrinks, |at| {
                matches!(at, Moment::Epochs(_))
            })
        }
        Claim::RegionGrowsAtFixedIterations(Region { method, .. }) => {
            court.change(method, Direction::Grows, |at| {
                matches!(at, Moment::Iterations(_))
            })
        }
        Claim::RatesAndDampingsCorrelate(Correlation { .. }) => court.correlate(),
        Claim::LargeDampingIsSgd(Control { margin, metric }) => court.agree(*margin, *metric),
    };
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

/// What claims are decided with.
struct Court<'a> {
    rules: &'a Rules,
    evidence: &'a Evidence,
    smallest: Option<f64>,
}

impl Court<'_> {
    fn judge(&self, question: Result<Question, Missing>) -> Decision {
        match question {
            Ok(question) => judge(question, self.rules, self.smallest),
            Err(missing) => Decision::without_data(missing),
        }
    }

    /// A claim on two methods, or on all pairs of more.
    fn of_pairs(
        &self,
        claim: &Claim,
        rule: Rule,
        missing: Missing,
        decide: impl Fn(&Pair) -> (Decision, Vec<Alternative>),
    ) -> (Decision, Vec<Alternative>) {
        let mut all = pairs::of(claim);
        if all.len() == 1 {
            return decide(&all.remove(0));
        }
        let decided = all.into_iter().map(|pair| {
            let decision = decide(&pair).0;
            (pair, decision)
        });
        (
            pairs::together(decided.collect(), rule, missing),
            Vec::new(),
        )
    }

    /// The declared margin first, then half and twice of it, each for the other metrics too.
    fn compare(&self, methods: &Pair, margin: f64, metric: Metric) -> (Decision, Vec<Alternative>) {
        let mut choices = Vec::new();
        for Named { stage, table } in &self.evidence.winners {
            let measured = |metric: Metric| {
                let mut evaluations = self.evidence.runs.iter().flat_map(|run| &run.evaluations);
                evaluations.any(|at| metric.of(at).is_some())
            };
            let beside = [Metric::TestAccuracy, Metric::TrainAccuracy];
            let others = beside
                .into_iter()
                .filter(|&other| other != metric && measured(other));
            for metric in std::iter::once(metric).chain(others) {
                for factor in [1.0, 0.5, 2.0] {
                    let margin = margin * factor;
                    let question =
                        performance::question(self.evidence, table, methods, margin, metric);
                    let choice = Choice::Winners {
                        metric,
                        margin,
                        selection: stage.clone(),
                    };
                    choices.push((choice, self.judge(question)));
                }
            }
        }
        first_decides(choices, Missing::Selection)
    }

    /// For each set of runs: the target that selected them first, then the others.
    fn at_targets(
        &self,
        takes: impl Fn(Target) -> bool,
        question: impl Fn(&super::timings::Timings<'_>, Target) -> Result<Question, Missing>,
    ) -> (Decision, Vec<Alternative>) {
        let mut choices = Vec::new();
        for set in timings(self.evidence) {
            for target in set.targets() {
                if takes(target) && set.has_own(target) {
                    let decision = self.judge(question(&set, target));
                    choices.push((set.choice(target), decision));
                }
            }
        }
        let is_timed = self
            .evidence
            .targets
            .iter()
            .flat_map(|named| &named.table.targets)
            .any(|note| takes(note.target));
        let without = if is_timed {
            Missing::TimeableTarget
        } else {
            Missing::Target
        };
        first_decides(choices, without)
    }

    fn scale(&self, methods: &Pair) -> (Decision, Vec<Alternative>) {
        self.at_targets(
            |_| true,
            |set, target| returns::question(set, methods, target),
        )
    }

    fn race(&self, methods: &Pair) -> (Decision, Vec<Alternative>) {
        self.at_targets(
            |target| target.metric == Metric::TrainLoss,
            |set, target| progress::question(set, methods, target),
        )
    }

    /// The declared margin first, then half and twice of it, each for the other metrics too.
    fn agree(&self, margin: f64, metric: Metric) -> (Decision, Vec<Alternative>) {
        let cells = cells(&self.evidence.runs);
        let beside = [Metric::TestAccuracy, Metric::TrainAccuracy];
        let metrics = beside.into_iter().filter(|&other| {
            other != metric && cells.iter().any(|cell| !cell.differences(other).is_empty())
        });
        let mut choices = Vec::new();
        for metric in std::iter::once(metric).chain(metrics) {
            for factor in [1.0, 0.5, 2.0] {
                let margin = margin * factor;
                let question = control::question(&cells, margin, metric);
                choices.push((Choice::Control { metric, margin }, self.judge(question)));
            }
        }
        first_decides(choices, Missing::ControlPairs)
    }

    /// At each slice the declared level first, the fixed ones after it.
    fn change(
        &self,
        method: &str,
        direction: Direction,
        takes: fn(Moment) -> bool,
    ) -> (Decision, Vec<Alternative>) {
        let mut choices = Vec::new();
        let mut without = Missing::Heatmap;
        for Named { stage, table } in &self.evidence.heatmaps {
            let (declared, fixed) = region::rules(self.evidence, table, method);
            for at in slices(table, takes) {
                let panels = panels(table, method, at);
                let Some(&first) = declared.first() else {
                    without = Missing::DeclaredLevel;
                    continue;
                };
                let others: Vec<GoodRule> = declared[1..]
                    .iter()
                    .chain(&fixed)
                    .copied()
                    .filter(|rule| *rule != first)
                    .collect();
                for (rule, beside) in std::iter::once((first, &others[..]))
                    .chain(others.iter().map(|rule| (*rule, &[][..])))
                {
                    let question =
                        region::question(table, &panels, method, rule, beside, direction);
                    let choice = Choice::Region {
                        level: Level {
                            metric: table.value,
                            rule,
                        },
                        at,
                        heatmaps: stage.clone(),
                        dampings: None,
                    };
                    choices.push((choice, self.judge(question)));
                }
            }
        }
        first_decides(choices, without)
    }

    /// Below the curvature first, where it was recorded; then with all dampings. The declared level first.
    fn correlate(&self) -> (Decision, Vec<Alternative>) {
        let mut choices = Vec::new();
        for below_curvature in [true, false] {
            for Named { stage, table } in &self.evidence.heatmaps {
                let (declared, fixed) = region::rules(self.evidence, table, KFAC);
                for at in slices(table, |_| true) {
                    let panels = panels(table, KFAC, at);
                    let is_told = panels.values().any(|panel| !panel.dampings.is_empty());
                    let dampings = match (below_curvature, is_told) {
                        (true, true) => Dampings::BelowCurvature,
                        (true, false) => continue,
                        (false, true) => Dampings::All,
                        (false, false) => Dampings::AllUntold,
                    };
                    let own = declared.iter().chain(&fixed).copied();
                    for (place, rule) in own.enumerate() {
                        if declared[..place.min(declared.len())].contains(&rule) {
                            continue;
                        }
                        let metric = table.value;
                        let choice = Choice::Region {
                            level: Level { metric, rule },
                            at,
                            heatmaps: stage.clone(),
                            dampings: Some(dampings),
                        };
                        let question = correlation::question(&panels, rule, metric, dampings);
                        let decision = match question {
                            Ok(question) => self.judge(Ok(question)),
                            Err((missing, remarks)) => Decision {
                                remarks,
                                ..Decision::without_data(missing)
                            },
                        };
                        choices.push((choice, decision));
                    }
                }
            }
        }
        first_decides(choices, Missing::DeclaredLevel)
    }
}
