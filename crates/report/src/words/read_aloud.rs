//! Every sentence on claims, in one list to be read aloud: `snapshots/` has it.

use analysis::claims::{
    Choice, Claim, ClaimVerdict, Comparison, Dampings, Figure, Level, Missing, Part, Quantity,
    Reason, Remark, Slopes, Statistic, Tally, TimedRuns, Verdict,
};
use analysis::heatmap::GoodRule;
use analysis::targets::{FewestSteps, FitNote, TargetNote};
use analysis::{Estimate, Metric, Moment, Target};

use super::{claims, reasons, targets};

const LOSS: Target = Target {
    metric: Metric::TrainLoss,
    level: 0.01,
};

const COMPARISON: Comparison = Comparison {
    margin: 0.01,
    metric: Metric::TestAccuracy,
};

fn equal() -> Claim {
    Claim::ComparablePerformance(COMPARISON)
}

fn control() -> Claim {
    Claim::LargeDampingIsSgd(COMPARISON)
}

fn all() -> [Claim; 7] {
    [
        equal(),
        Claim::DiminishingReturns {},
        Claim::RegionShrinksAtFixedEpochs {},
        Claim::RegionGrowsAtFixedIterations {},
        Claim::RatesAndDampingsCorrelate {},
        Claim::SgdFasterPerIteration {},
        control(),
    ]
}

/// A part at a batch size.
fn part(batch_size: u64, value: f64, verdict: Verdict) -> Statistic {
    Statistic {
        quantity: Quantity::StepsRatio { target: LOSS },
        part: Some(Part::BatchSize(batch_size)),
        estimate: Estimate {
            value,
            interval: None,
        },
        n: 5,
        verdict,
    }
}

fn found(claim: Claim, verdict: Verdict, reason: Reason, remarks: Vec<Remark>) -> String {
    reasons::found(&ClaimVerdict {
        claim,
        verdict,
        reason,
        remarks,
        statistic: None,
        parts: vec![
            part(16, -0.02, Verdict::Contradicted),
            part(32, -0.03, Verdict::Contradicted),
            part(64, 0.02, Verdict::Contradicted),
        ],
        n: 5,
        figure: Figure::Winners,
        under: Vec::new(),
    })
}

fn tally(supported: usize, contradicted: usize, of: usize) -> Tally {
    Tally {
        supported,
        contradicted,
        of,
    }
}

fn remarks() -> Vec<Remark> {
    let dampings = |above, left_out| Remark::DampingsAboveCurvature {
        above,
        of: 25,
        left_out,
    };
    let not_reached = |cases, same_with_bounds| Remark::NotReached {
        cases,
        same_with_bounds,
    };
    vec![
        Remark::WinnerDiverged {
            method: "kfac".into(),
            batch_size: 16,
            diverged: 1,
            seeds: 7,
        },
        not_reached(1, true),
        not_reached(3, false),
        Remark::DivergedLeftOut { cases: 2 },
        Remark::DivergedAt {
            batch_sizes: vec![16, 64],
        },
        Remark::NoBand {
            batch_sizes: 2,
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

fn missing() -> [(Missing, Claim); 14] {
    let [equal, scaling, epochs, iterations, band, progress, control] = all();
    [
        (Missing::Selection, equal),
        (Missing::ConfirmedPairs, equal),
        (Missing::Target, scaling),
        (Missing::Target, progress),
        (Missing::TimeableTarget, scaling),
        (Missing::BatchSizesReached { needed: 3 }, scaling),
        (Missing::TimedPairs { target: LOSS }, progress),
        (Missing::Heatmap, epochs),
        (Missing::Heatmap, iterations),
        (Missing::TellingLevel, epochs),
        (Missing::GoodRule, band),
        (
            Missing::Band {
                below_curvature: true,
            },
            band,
        ),
        (Missing::ControlPairs, control),
        (Missing::LargeDamping { largest: 0.1 }, control),
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
    let region = |rule: Option<GoodRule>, dampings| Choice::Region {
        level: rule.map(|rule| Level {
            metric: COMPARISON.metric,
            rule,
        }),
        at: Moment::Epochs(6.0),
        heatmaps: "sensitivity".into(),
        dampings,
    };
    vec![
        Choice::Winners {
            metric: COMPARISON.metric,
            margin: 0.005,
            selection: "best".into(),
        },
        steps(None, Some("fastest"), false),
        steps(Some(LOSS), None, true),
        region(None, None),
        region(Some(GoodRule::Within(0.02)), Some(Dampings::BelowCurvature)),
        region(Some(GoodRule::AtLeast(0.806_666)), Some(Dampings::All)),
    ]
}

#[test]
fn every_sentence_on_claims_and_targets_is_plain() {
    use Verdict::{Contradicted, Supported, Undecided};
    let mut lines: Vec<String> = all().iter().map(claims::statement).collect();
    let [equal, scaling, shrinks, grows, band, progress, control] = all();
    let mut say = |claim, verdict, reason| lines.push(found(claim, verdict, reason, Vec::new()));
    for (verdict, tests) in [
        (Supported, tally(5, 0, 5)),
        (Contradicted, tally(0, 3, 5)),
        (Undecided, tally(0, 0, 5)),
        (Undecided, tally(2, 0, 5)),
    ] {
        say(equal, verdict, Reason::Parts(tests));
        say(control, verdict, Reason::Parts(tests));
    }
    for slopes in [
        Slopes::KfacDepartsFurther,
        Slopes::KfacDepartsFurtherOneMayBeIdeal,
        Slopes::SgdDepartsFurther,
        Slopes::OneIsBetterThanIdeal,
        Slopes::NotToldApart,
    ] {
        say(scaling, Undecided, Reason::Slopes(slopes));
    }
    for claim in [shrinks, grows, band, progress] {
        say(claim, Supported, Reason::Parts(tally(5, 0, 5)));
        say(claim, Undecided, Reason::Parts(tally(2, 2, 5)));
    }
    for (claim, seeds) in all().into_iter().zip([1, 2, 3, 4, 4, 4, 4]) {
        let estimates = tally(1, 2, 3);
        say(claim, Undecided, Reason::TooFewSeeds { seeds, estimates });
    }
    lines.extend(missing().map(|(missing, claim)| reasons::missing(&missing, &claim)));
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
