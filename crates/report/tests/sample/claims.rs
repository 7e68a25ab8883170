//! Claims of the made-up study, one of each verdict.

use analysis::claims::{
    Alternative, Claim, ClaimVerdict, Comparison, Figure, Statistic, Unit, Verdict,
};
use analysis::{Estimate, Interval, Metric};

pub(super) fn claims() -> Vec<ClaimVerdict> {
    let statistic = |name: &str, part: Option<&str>, value: f64, wide: f64, verdict| Statistic {
        name: name.into(),
        part: part.map(Into::into),
        estimate: Estimate {
            value,
            interval: Some(Interval {
                low: Some(value - wide),
                high: Some(value + wide),
                confidence: 0.95,
            }),
        },
        unit: Unit::Plain,
        n: 5,
        verdict,
    };
    let slope = statistic(
        "difference of log-log slopes, K-FAC minus SGD",
        Some("train loss 0.03"),
        -0.04,
        0.11,
        Verdict::Undecided,
    );
    let mut equal = statistic(
        "difference in test accuracy, K-FAC minus SGD",
        Some("batch size 128"),
        0.002,
        0.006,
        Verdict::Supported,
    );
    equal.unit = Unit::Points;
    let mut faster = statistic(
        "steps to train loss 0.03, K-FAC over SGD",
        Some("batch size 256"),
        -0.94,
        0.2,
        Verdict::Contradicted,
    );
    faster.unit = Unit::LogRatio;
    vec![
        ClaimVerdict {
            claim: Claim::ComparablePerformance(Comparison::default()),
            sentence: "K-FAC's final test accuracy is comparable to SGD's, within 1 point.".into(),
            verdict: Verdict::Supported,
            reason: "At every batch size the interval of the difference lies within the margin.".into(),
            statistic: Some(equal.clone()),
            parts: vec![equal.clone(), equal],
            n: 5,
            figure: Figure::Winners,
            under: vec![],
        },
        ClaimVerdict {
            claim: Claim::DiminishingReturns {},
            sentence: "Both methods have diminishing returns, and K-FAC departs from ideal scaling further than SGD.".into(),
            verdict: Verdict::Undecided,
            reason: "The interval of the difference of slopes covers zero.".into(),
            statistic: Some(slope.clone()),
            parts: vec![slope.clone()],
            n: 5,
            figure: Figure::Scaling,
            under: vec![
                Alternative { choice: "train loss 0.03".into(), verdict: Verdict::Undecided, statistic: Some(slope), reason: String::new(), has_say: true },
                Alternative { choice: "train loss 0.1, winners of `winners`".into(), verdict: Verdict::Undecided, statistic: None, reason: "the target is inadmissible".into(), has_say: true },
                Alternative { choice: "test accuracy 0.93".into(), verdict: Verdict::Contradicted, statistic: None, reason: "K-FAC gains more.".into(), has_say: true },
            ],
        },
        ClaimVerdict {
            claim: Claim::RegionShrinksAtFixedEpochs {},
            sentence: "At fixed epochs the good region shrinks as the batch size grows.".into(),
            verdict: Verdict::Undecided,
            reason: "3 seeds are fewer than the 5 that a verdict needs.".into(),
            statistic: None,
            parts: vec![],
            n: 3,
            figure: Figure::Heatmaps,
            under: vec![],
        },
        ClaimVerdict {
            claim: Claim::SgdFasterPerIteration {},
            sentence: "SGD makes more progress per iteration in reducing the loss.".into(),
            verdict: Verdict::Contradicted,
            reason: "At every batch size K-FAC needs fewer steps to the same loss.".into(),
            statistic: Some(faster),
            parts: vec![],
            n: 5,
            figure: Figure::Curves,
            under: vec![],
        },
    ]
}
