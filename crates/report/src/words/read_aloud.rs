//! Every sentence on claims, in one list to be read aloud: `snapshots/` has it.

use analysis::claims::{
    Choice, Claim, ClaimVerdict, Comparison, Control, Correlation, Dampings, Direction, Figure,
    Level, Look, Methods, Missing, Need, Pair, Part, Progress, Quantity, Reason, Region, Remark,
    Scaling, Seeds, Statistic, Tally, TestSet, TimedRuns, Verdict,
};
use analysis::heatmap::{GoodRule, Side};
use analysis::targets::{FewestSteps, FitNote, TargetNote};
use analysis::{Estimate, Interval, Metric, Moment, Target};

use super::{claims, reasons, targets};

const LOSS: Target = Target {
    metric: Metric::TrainLoss,
    level: 0.01,
};

const METRIC: Metric = Metric::TestAccuracy;

fn all() -> [Claim; 7] {
    [
        Claim::ComparablePerformance(Comparison::default()),
        Claim::DiminishingReturns(Scaling::default()),
        Claim::RegionShrinksAtFixedEpochs(Region::default()),
        Claim::RegionGrowsAtFixedIterations(Region::default()),
        Claim::RatesAndDampingsCorrelate(Correlation::default()),
        Claim::FasterPerIteration(Progress::default()),
        Claim::LargeDampingIsSgd(Control::default()),
    ]
}

/// Claims on three methods.
fn several() -> [Claim; 3] {
    let methods = || {
        Methods(
            ["sgd", "adamw", "muon"]
                .map(|name| name.to_owned().into())
                .into(),
        )
    };
    [
        Claim::ComparablePerformance(Comparison {
            methods: methods(),
            ..Comparison::default()
        }),
        Claim::DiminishingReturns(Scaling {
            methods: methods(),
            smallest: None,
        }),
        Claim::FasterPerIteration(Progress {
            methods: methods(),
            smallest: None,
        }),
    ]
}

/// The effect of each of [`all`].
fn quantities() -> [Quantity; 7] {
    let methods = |first: &str, second: &str| Pair(first.into(), second.into());
    let share = |direction| Quantity::ShareChange {
        method: "kfac".into(),
        direction,
    };
    [
        Quantity::FinalDifference {
            methods: methods("kfac", "sgd"),
            metric: METRIC,
        },
        Quantity::SlopeDifference {
            methods: methods("kfac", "sgd"),
        },
        share(Direction::Shrinks),
        share(Direction::Grows),
        Quantity::BandSlope,
        Quantity::StepsRatio {
            methods: methods("sgd", "kfac"),
            target: LOSS,
        },
        Quantity::ControlDifference { metric: METRIC },
    ]
}

fn statistic(quantity: Quantity, part: Option<Part>, value: f64, verdict: Verdict) -> Statistic {
    Statistic {
        quantity,
        part,
        estimate: Estimate {
            value,
            interval: Some(Interval {
                low: Some(value - 0.02),
                high: Some(value + 0.03),
                confidence: 0.95,
            }),
        },
        n: 5,
        verdict,
    }
}

/// A claim of [`all`] with an effect, and three parts that say so.
fn judged(place: usize, verdict: Verdict, value: f64, said: [Verdict; 3]) -> ClaimVerdict {
    let quantity = &quantities()[place];
    let slope = |method: &str| Quantity::ScalingSlope {
        method: method.into(),
    };
    let parts = match place {
        1 => vec![
            statistic(quantity.clone(), None, value, said[0]),
            statistic(slope("kfac"), None, -0.6, said[1]),
            statistic(slope("sgd"), None, -0.8, said[2]),
        ],
        _ => [(16, value), (32, 0.5 * value), (64, -value)]
            .into_iter()
            .zip(said)
            .map(|((batch, value), said)| {
                let part = Some(Part::BatchSize(batch));
                statistic(quantity.clone(), part, value, said)
            })
            .collect(),
    };
    let count = |wanted| said.iter().filter(|own| **own == wanted).count();
    ClaimVerdict {
        claim: all()[place].clone(),
        verdict,
        reason: Reason::Parts(Tally {
            supported: count(Verdict::Supported),
            contradicted: count(Verdict::Contradicted),
            of: 3,
        }),
        remarks: Vec::new(),
        effect: Some(statistic(quantity.clone(), None, value, verdict)),
        parts,
        deciding: 3,
        n: 5,
        seeds: (100..105).collect(),
        look: None,
        need: None,
        test_set: None,
        figure: Figure::Winners,
        under: Vec::new(),
    }
}

fn remarks() -> Vec<Remark> {
    let dampings = |above, left_out| Remark::DampingsAboveCurvature {
        above,
        of: 25,
        left_out,
    };
    vec![
        Remark::WinnerDiverged {
            method: "kfac".into(),
            batch_size: 16,
            diverged: 1,
            seeds: 7,
        },
        Remark::PairNotCompared {
            methods: Pair("adamw".into(), "muon".into()),
        },
        Remark::NoOverallEffect,
        Remark::NoCommonSeeds,
        Remark::NotReached { runs: 1, of: 50 },
        Remark::NotReached { runs: 3, of: 50 },
        Remark::DivergedBefore { runs: 2, of: 50 },
        Remark::OfThisGrid {
            sides: vec![Side::Left, Side::Top],
        },
        Remark::LevelTellsLittle { share: 0.97 },
        Remark::NoBand {
            batch_sizes: 2,
            below_curvature: true,
        },
        Remark::SeedsWithoutBand {
            seeds: 3,
            of: 20,
            below_curvature: true,
        },
        Remark::NoCurvature,
        dampings(0, true),
        dampings(17, true),
        dampings(17, false),
        Remark::BothDiverged { cells: 1 },
        Remark::OneDiverged { seeds: 2 },
        Remark::LargestDampingTaken,
    ]
}

fn needs() -> Vec<(Need, usize)> {
    let seeds = |smallest| {
        Need::Seeds(Seeds {
            smallest,
            likely: Some(20),
            low: Some(12),
            high: Some(68),
        })
    };
    vec![
        (seeds(0.01), 0),
        (seeds(0.02), 2),
        (seeds(0.1f64.ln_1p()), 5),
        (
            Need::Seeds(Seeds {
                smallest: 1e-6,
                likely: None,
                low: Some(400_000),
                high: None,
            }),
            1,
        ),
        (Need::Smallest, 1),
        (Need::Evaluations, 5),
        (Need::Budget { parts: vec![] }, 1),
        (
            Need::Budget {
                parts: vec![Part::BatchSize(16), Part::BatchSize(32)],
            },
            5,
        ),
    ]
}

fn missing() -> [(Missing, usize); 14] {
    [
        (Missing::Selection, 0),
        (Missing::ConfirmedPairs, 0),
        (Missing::Target, 1),
        (Missing::Target, 5),
        (Missing::TimeableTarget, 1),
        (Missing::BatchSizes { needed: 3 }, 1),
        (Missing::TimedPairs { target: LOSS }, 5),
        (Missing::Heatmap, 2),
        (Missing::Heatmap, 3),
        (Missing::BatchSizesOfHeatmap, 2),
        (Missing::DeclaredLevel, 4),
        (
            Missing::Band {
                below_curvature: true,
            },
            4,
        ),
        (Missing::ControlPairs, 6),
        (Missing::LargeDamping { largest: 0.1 }, 6),
    ]
}

fn choices() -> Vec<Choice> {
    let steps = |target, selection: Option<&str>, after_drops| Choice::Steps {
        target,
        runs: TimedRuns {
            targets: "targets".into(),
            selection: selection.map(Into::into),
            after_drops,
        },
    };
    let region = |rule: GoodRule, dampings| Choice::Region {
        level: Level {
            metric: METRIC,
            rule,
        },
        at: Moment::Epochs(6.0),
        heatmaps: "sensitivity".into(),
        dampings,
    };
    vec![
        Choice::Winners {
            metric: METRIC,
            margin: 0.005,
            selection: "best".into(),
        },
        steps(LOSS, Some("fastest"), false),
        steps(LOSS, None, true),
        region(GoodRule::AtLeast(0.95), None),
        region(GoodRule::Within(0.02), Some(Dampings::BelowCurvature)),
        region(GoodRule::AtLeast(0.806_666), Some(Dampings::All)),
    ]
}

#[test]
fn every_sentence_on_claims_and_targets_is_plain() {
    use Verdict::{Contradicted, Mixed, Supported, Undecided};
    let mut lines: Vec<String> = all().iter().map(claims::statement).collect();
    lines.extend(several().iter().map(claims::statement));
    lines.push(reasons::by_chance(6));
    for place in 0..all().len() {
        for (verdict, value, said) in [
            (Supported, 0.06, [Supported; 3]),
            (Mixed, 0.06, [Supported, Undecided, Contradicted]),
            (Contradicted, -0.06, [Contradicted, Contradicted, Undecided]),
            (Undecided, -0.06, [Supported, Undecided, Undecided]),
            (Undecided, 0.01, [Undecided; 3]),
        ] {
            // Statements that are joined are not mixed.
            if !(place == 1 && verdict == Mixed) {
                lines.push(reasons::found(&judged(place, verdict, value, said)));
            }
        }
        let few = Reason::TooFewSeeds {
            seeds: 1 + place,
            needed: 5,
            estimates: Tally {
                supported: 1,
                contradicted: 2,
                of: 3,
            },
        };
        if place < 4 {
            let mut judged = judged(place, Undecided, 0.06, [Undecided; 3]);
            judged.reason = few;
            lines.push(reasons::found(&judged));
        }
    }
    for place in [0, 1, 5] {
        let mut pairs = judged(
            place,
            Verdict::Mixed,
            0.06,
            [Supported, Undecided, Contradicted],
        );
        pairs.claim = several()[place.min(2)].clone();
        pairs.effect = None;
        let names = [("sgd", "adamw"), ("sgd", "muon"), ("adamw", "muon")];
        for (part, (first, second)) in pairs.parts.iter_mut().zip(names) {
            part.quantity = quantities()[place].clone();
            part.part = Some(Part::Methods(Pair(first.into(), second.into())));
        }
        lines.push(reasons::found(&pairs));
    }
    for look in [
        Look::Declared {
            number: 1,
            other: 20,
        },
        Look::Declared {
            number: 2,
            other: 5,
        },
        Look::Extended { seen: 5 },
    ] {
        lines.push(reasons::look(look, 7));
    }
    lines.push(reasons::test_set(&TestSet {
        images: 300,
        error: 0.0087,
    }));
    for (need, place) in needs() {
        let claim = judged(place, Undecided, 0.01, [Undecided; 3]);
        lines.push(reasons::need(&need, &claim));
    }
    lines.extend(missing().map(|(missing, place)| reasons::missing(&missing, &all()[place])));
    lines.extend(remarks().iter().map(reasons::remark));
    lines.extend(choices().iter().map(claims::choice));
    let fewest = |by| TargetNote {
        target: LOSS,
        admissible: false,
        fewest: Some(FewestSteps {
            stage: "confirmed".into(),
            method: "kfac".into(),
            batch_size: 256,
            by,
        }),
    };
    lines.extend(targets::target(&fewest(9)));
    lines.extend(targets::target(&TargetNote {
        fewest: None,
        ..fewest(0)
    }));
    let notes = [
        FitNote::NoLaw { batch_sizes: 1 },
        FitNote::NoIntervals,
        FitNote::Diverged { runs: 2 },
        FitNote::AfterDrop { runs: 1 },
        FitNote::LargeBatches {
            batch_sizes: vec![128, 256],
        },
    ];
    lines.extend(notes.iter().map(targets::fit));
    insta::assert_snapshot!(lines.join("\n").replace('\u{a0}', " "));
}
