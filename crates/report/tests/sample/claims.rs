//! Claims of the made-up study, one of each verdict.

use analysis::claims::{
    Alternative, Choice, Claim, ClaimVerdict, Comparison, Figure, Missing, Part, Quantity, Reason,
    Slopes, Statistic, Tally, TimedRuns, Verdict,
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
    let slope = statistic(
        Quantity::SlopeDifference,
        None,
        -0.04,
        0.11,
        Verdict::Undecided,
    );
    let equal = statistic(
        Quantity::FinalDifference {
            metric: Metric::TestAccuracy,
        },
        Some(Part::BatchSize(128)),
        0.002,
        0.006,
        Verdict::Supported,
    );
    let faster = statistic(
        Quantity::StepsRatio { target: loss(0.03) },
        Some(Part::BatchSize(256)),
        -0.94,
        0.2,
        Verdict::Contradicted,
    );
    let tally = |supported, contradicted, of| Tally {
        supported,
        contradicted,
        of,
    };
    let with = |target: Option<Target>, selection: Option<&str>, verdict| Alternative {
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
        missing: Some(Missing::BatchSizesReached { needed: 3 }),
        has_say: true,
    };
    let accuracy = Target {
        metric: Metric::TestAccuracy,
        level: 0.93,
    };
    vec![
        ClaimVerdict {
            claim: Claim::ComparablePerformance(Comparison::default()),
            verdict: Verdict::Supported,
            reason: Reason::Parts(tally(2, 0, 2)),
            remarks: vec![],
            statistic: Some(equal.clone()),
            parts: vec![equal.clone(), equal],
            n: 5,
            figure: Figure::Winners,
            under: vec![],
        },
        ClaimVerdict {
            claim: Claim::DiminishingReturns {},
            verdict: Verdict::Undecided,
            reason: Reason::Slopes(Slopes::NotToldApart),
            remarks: vec![],
            statistic: Some(slope.clone()),
            parts: vec![slope.clone()],
            n: 5,
            figure: Figure::Scaling,
            under: vec![
                Alternative {
                    statistic: Some(slope),
                    missing: None,
                    ..with(None, Some("winners"), Verdict::Undecided)
                },
                with(Some(loss(0.1)), Some("winners"), Verdict::Undecided),
                Alternative {
                    missing: None,
                    ..with(Some(accuracy), None, Verdict::Contradicted)
                },
            ],
        },
        ClaimVerdict {
            claim: Claim::RegionShrinksAtFixedEpochs {},
            verdict: Verdict::Undecided,
            reason: Reason::TooFewSeeds {
                seeds: 3,
                estimates: tally(4, 2, 7),
            },
            remarks: vec![],
            statistic: None,
            parts: vec![],
            n: 3,
            figure: Figure::Heatmaps,
            under: vec![],
        },
        ClaimVerdict {
            claim: Claim::SgdFasterPerIteration {},
            verdict: Verdict::Contradicted,
            reason: Reason::Parts(tally(0, 1, 1)),
            remarks: vec![],
            statistic: Some(faster.clone()),
            parts: vec![faster],
            n: 5,
            figure: Figure::Curves,
            under: vec![],
        },
    ]
}
