//! Claims of the made-up study, one of each verdict.

use analysis::claims::{
    Alternative, Choice, Claim, ClaimVerdict, Comparison, Figure, Missing, Need, Pair, Part,
    Progress, Quantity, Reason, Region, Scaling, Seeds, Statistic, Tally, TimedRuns, Verdict,
};
use analysis::{Estimate, Interval, Metric, Target};

pub(super) fn claims() -> Vec<ClaimVerdict> {
    let statistic = |quantity, part: Option<Part>, value: f64, wide: f64, verdict| Statistic {
        quantity,
        part,
        estimate: Estimate {
            value,
            interval: Some(Interval {
                low: Some(value - wide),
                high: Some(value + wide),
                confidence: 0.95,
            }),
        },
        n: 5,
        verdict,
    };
    let loss = |level| Target {
        metric: Metric::TrainLoss,
        level,
    };
    let methods = |first: &str, second: &str| Pair(first.into(), second.into());
    let slope = statistic(
        Quantity::SlopeDifference {
            methods: methods("kfac", "sgd"),
        },
        None,
        -0.04,
        0.11,
        Verdict::Undecided,
    );
    let slope_of = |method: &str, value| {
        let quantity = Quantity::ScalingSlope {
            method: method.into(),
        };
        statistic(quantity, None, value, 0.08, Verdict::Supported)
    };
    let equal = |part, value, wide, verdict| {
        let quantity = Quantity::FinalDifference {
            methods: methods("kfac", "sgd"),
            metric: Metric::TestAccuracy,
        };
        statistic(quantity, part, value, wide, verdict)
    };
    let faster = |part, value, wide, verdict| {
        let quantity = Quantity::StepsRatio {
            methods: methods("sgd", "kfac"),
            target: loss(0.03),
        };
        statistic(quantity, part, value, wide, verdict)
    };
    let batch = |batch| Some(Part::BatchSize(batch));
    let tally = |supported, contradicted, of| Tally {
        supported,
        contradicted,
        of,
    };
    let with = |target: Target, selection: Option<&str>, verdict| Alternative {
        choice: Choice::Steps {
            target,
            runs: TimedRuns {
                targets: "targets".into(),
                selection: selection.map(Into::into),
                after_drops: false,
            },
        },
        verdict,
        statistic: None,
        missing: Some(Missing::BatchSizes { needed: 3 }),
    };
    let accuracy = Target {
        metric: Metric::TestAccuracy,
        level: 0.93,
    };
    let plain = ClaimVerdict {
        claim: Claim::ComparablePerformance(Comparison::default()),
        verdict: Verdict::Supported,
        reason: Reason::Parts(tally(2, 0, 2)),
        remarks: vec![],
        effect: None,
        parts: vec![],
        deciding: 0,
        n: 5,
        seeds: (100..105).collect(),
        look: None,
        need: None,
        test_set: None,
        figure: Figure::Winners,
        under: vec![],
    };
    let mut turned = faster(batch(256), 0.94, 0.3, Verdict::Supported);
    if let Some(interval) = &mut turned.estimate.interval {
        interval.high = None;
    }
    vec![
        ClaimVerdict {
            effect: Some(equal(None, 0.002, 0.003, Verdict::Supported)),
            parts: vec![
                equal(batch(128), 0.001, 0.006, Verdict::Supported),
                equal(batch(256), 0.003, 0.006, Verdict::Supported),
            ],
            deciding: 2,
            ..plain.clone()
        },
        ClaimVerdict {
            claim: Claim::DiminishingReturns(Scaling::default()),
            verdict: Verdict::Undecided,
            reason: Reason::Parts(tally(2, 0, 3)),
            effect: Some(slope.clone()),
            parts: vec![
                slope.clone(),
                slope_of("kfac", -0.5),
                slope_of("sgd", -0.46),
            ],
            deciding: 3,
            need: Some(Need::Seeds(Seeds {
                smallest: 0.1,
                likely: Some(20),
                low: Some(12),
                high: Some(68),
            })),
            figure: Figure::Scaling,
            under: vec![
                Alternative {
                    statistic: Some(slope),
                    missing: None,
                    ..with(loss(0.03), Some("winners"), Verdict::Undecided)
                },
                with(loss(0.1), Some("winners"), Verdict::Undecided),
                Alternative {
                    missing: None,
                    ..with(accuracy, None, Verdict::Contradicted)
                },
            ],
            ..plain.clone()
        },
        ClaimVerdict {
            claim: Claim::RegionShrinksAtFixedEpochs(Region::default()),
            verdict: Verdict::Undecided,
            reason: Reason::TooFewSeeds {
                seeds: 3,
                needed: 5,
                estimates: tally(1, 0, 1),
            },
            n: 3,
            figure: Figure::Heatmaps,
            ..plain.clone()
        },
        ClaimVerdict {
            claim: Claim::FasterPerIteration(Progress::default()),
            verdict: Verdict::Mixed,
            reason: Reason::Parts(tally(1, 1, 2)),
            effect: Some(faster(None, -0.1, 0.2, Verdict::Mixed)),
            parts: vec![
                faster(batch(128), -0.94, 0.2, Verdict::Contradicted),
                turned,
            ],
            deciding: 2,
            figure: Figure::Curves,
            ..plain
        },
    ]
}
