//! Claims on simulated studies: each comes out supported, contradicted and undecided, as the truth is.

use analysis::claims::{
    Choice, Claim, ClaimVerdict, Comparison, Missing, Quantity, Reason, Remark, Verdict, decide,
};
use analysis::heatmap::heatmap;
use analysis::select::select;
use analysis::targets::{StepsToTarget, TargetsTable, targets};
use analysis::{Evidence, Metric, Named, Outcome, Run};
use serde_json::json;

use crate::simulation::{Noise, Truth, claim as claim_of};

const BATCHES: [u64; 5] = [16, 32, 64, 128, 256];

/// What is true of a method's winners.
#[derive(Clone, Copy)]
struct Method {
    s_min: f64,
    b_crit: f64,
    accuracy: f64,
    spread: f64,
}

const METHOD: Method = Method {
    s_min: 60.0,
    b_crit: 100.0,
    accuracy: 0.93,
    spread: 0.003,
};

/// Tuning on one seed with a bad and a good learning rate, then fresh seeds for the good one.
fn study(kfac: Method, sgd: Method, fresh_seeds: u64, noise: &mut Noise) -> Vec<Run> {
    let mut runs = Vec::new();
    for (name, method) in [("kfac", kfac), ("sgd", sgd)] {
        for batch in BATCHES {
            let mut truth = Truth::new(name, name, batch, 0);
            truth.budget = 20_000;
            truth.rate = 0.3;
            truth.accuracy = 0.2;
            runs.push(truth.run());
            truth.rate = 0.1;
            for seed in std::iter::once(0).chain(100..100 + fresh_seeds) {
                let steps = method.s_min * (1.0 + method.b_crit / batch as f64);
                truth.stage = if seed == 0 { name } else { "confirmed" };
                truth.seed = seed;
                truth.crosses = Some(steps * (0.1 * noise.normal()).exp());
                truth.accuracy = method.accuracy + method.spread * noise.normal();
                let mut run = truth.run();
                run.label.push_str(name);
                runs.push(run);
            }
        }
    }
    runs
}

/// The winners and nothing timed.
fn selected(runs: Vec<Run>) -> Evidence {
    let tuning: Vec<Run> = runs
        .iter()
        .filter(|run| run.stage != "confirmed")
        .cloned()
        .collect();
    let by_accuracy = serde_json::from_value(json!({"by": "validation_accuracy"})).expect("valid");
    let winners = select(&by_accuracy, &tuning).expect("winners").winners;
    Evidence {
        runs,
        winners: vec![Named {
            stage: "winners".into(),
            table: winners,
        }],
        ..Evidence::default()
    }
}

/// The steps to some training losses.
fn timed(runs: &[Run], losses: &[f64]) -> Vec<Named<TargetsTable>> {
    let settings = StepsToTarget::of([(Metric::TrainLoss, losses.to_vec())]);
    let table = targets(&settings, runs).expect("a table");
    vec![Named {
        stage: "targets".into(),
        table,
    }]
}

fn evidence(runs: Vec<Run>) -> Evidence {
    Evidence {
        targets: timed(&runs, &[0.5, 0.2]),
        ..selected(runs)
    }
}

fn verdict(claim: &serde_json::Value, runs: Vec<Run>) -> ClaimVerdict {
    decide(&claim_of(claim), &evidence(runs))
}

fn three_ways(claim: &str, supported: (Method, Method), contradicted: (Method, Method)) {
    let of = |(kfac, sgd): (Method, Method), seeds: u64| {
        verdict(&json!(claim), study(kfac, sgd, seeds, &mut Noise::new(4)))
    };
    let yes = of(supported, 5);
    assert_eq!(
        (yes.verdict, yes.n),
        (Verdict::Supported, 5),
        "{:?}",
        yes.reason
    );
    let statistic = yes.statistic.expect("a decided claim has its number");
    assert!(statistic.estimate.interval.is_some());
    let no = of(contradicted, 5);
    assert_eq!(no.verdict, Verdict::Contradicted, "{:?}", no.reason);
    for seeds in [1, 4] {
        let few = of(supported, seeds);
        assert_eq!(
            (few.verdict, few.n as u64),
            (Verdict::Undecided, seeds),
            "{:?}",
            few.reason
        );
        assert!(
            few.statistic.is_some(),
            "the statistic of few seeds is shown"
        );
        assert!(
            matches!(few.reason, Reason::TooFewSeeds { seeds: n, .. } if n as u64 == seeds),
            "{:?}",
            few.reason
        );
    }
    assert!(!yes.under.is_empty());
    assert_eq!(
        yes.under[0].verdict, yes.verdict,
        "the first choice decides"
    );
}

#[test]
fn comparable_performance_comes_out_each_way() {
    let better = Method {
        accuracy: 0.96,
        ..METHOD
    };
    three_ways("comparable_performance", (METHOD, METHOD), (METHOD, better));
    three_ways("comparable_performance", (METHOD, METHOD), (better, METHOD));
    let noisy = Method {
        spread: 0.05,
        ..METHOD
    };
    let wide = verdict(
        &json!("comparable_performance"),
        study(noisy, METHOD, 6, &mut Noise::new(4)),
    );
    assert_eq!(wide.verdict, Verdict::Undecided, "{:?}", wide.reason);
    let wide_margin = json!({"comparable_performance": {"margin": 0.2}});
    let wide = verdict(&wide_margin, study(noisy, METHOD, 6, &mut Noise::new(4)));
    assert_eq!(wide.verdict, Verdict::Supported, "{:?}", wide.reason);
}

#[test]
fn performance_rests_on_fresh_seeds_only_and_a_diverged_one_forbids_support() {
    let runs = study(METHOD, METHOD, 7, &mut Noise::new(4));
    let mut tuned_differently = runs.clone();
    for run in tuned_differently
        .iter_mut()
        .filter(|run| run.stage == "kfac")
    {
        for evaluation in &mut run.curve.evaluations {
            evaluation.test_accuracy = Some(0.99);
        }
    }
    let claim = json!("comparable_performance");
    assert_eq!(
        verdict(&claim, tuned_differently).parts,
        verdict(&claim, runs.clone()).parts
    );
    let mut diverged = runs.clone();
    let lost = diverged
        .iter_mut()
        .find(|run| run.stage == "confirmed")
        .expect("confirmed runs");
    lost.outcome = Outcome::Diverged { step: 50 };
    let found = verdict(&claim, diverged);
    assert_eq!(found.verdict, Verdict::Undecided);
    let lost = Remark::WinnerDiverged {
        method: "kfac".into(),
        batch_size: 16,
        diverged: 1,
        seeds: 7,
    };
    assert_eq!(found.remarks, [lost]);
    let unconfirmed: Vec<Run> = runs
        .into_iter()
        .filter(|run| run.stage != "confirmed")
        .collect();
    let found = verdict(&claim, unconfirmed);
    assert_eq!((found.verdict, found.n), (Verdict::Undecided, 0));
}

#[test]
fn the_difference_of_slopes_is_the_number_shown_for_diminishing_returns() {
    let flat = Method {
        s_min: 150.0,
        b_crit: 20.0,
        ..METHOD
    };
    let runs = study(flat, METHOD, 5, &mut Noise::new(4));
    let shown = verdict(&json!("diminishing_returns"), runs).statistic;
    assert_eq!(shown.expect("a number").quantity, Quantity::SlopeDifference);
}

#[test]
fn diminishing_returns_come_out_each_way() {
    let flat = Method {
        s_min: 150.0,
        b_crit: 20.0,
        ..METHOD
    };
    three_ways("diminishing_returns", (flat, METHOD), (METHOD, flat));
}

#[test]
fn progress_per_iteration_comes_out_each_way() {
    let slow = Method {
        s_min: 120.0,
        ..METHOD
    };
    three_ways("sgd_faster_per_iteration", (slow, METHOD), (METHOD, slow));
}

#[test]
fn progress_that_depends_on_the_batch_size_is_undecided() {
    let crossing = Method {
        s_min: 180.0,
        b_crit: 4.0,
        ..METHOD
    };
    let found = verdict(
        &json!("sgd_faster_per_iteration"),
        study(crossing, METHOD, 5, &mut Noise::new(4)),
    );
    assert_eq!(found.verdict, Verdict::Undecided, "{:?}", found.reason);
    // SGD is faster with small batches, K-FAC with large ones.
    let Reason::Parts(tests) = found.reason else {
        panic!("{:?}", found.reason);
    };
    assert!(
        tests.supported > 0 && tests.contradicted > 0 && tests.of == 5,
        "{tests:?}"
    );
}

#[test]
fn a_difference_within_the_spacing_of_evaluations_is_no_difference() {
    // Every seed of K-FAC crosses just after, every seed of SGD at an evaluation: the steps differ by
    // one evaluation in each, without any scatter.
    let mut runs = study(METHOD, METHOD, 5, &mut Noise::new(4));
    for run in &mut runs {
        let at = if run.method() == "kfac" { 305 } else { 277 };
        for evaluation in &mut run.curve.evaluations {
            evaluation.train_loss = Some(if evaluation.step >= at { 0.01 } else { 1.0 });
        }
    }
    let found = verdict(&json!("sgd_faster_per_iteration"), runs);
    assert_eq!(found.verdict, Verdict::Undecided, "{:?}", found.reason);
}

#[test]
fn unreached_seeds_bound_a_difference_on_one_side_and_are_not_dropped() {
    let mut runs = study(METHOD, METHOD, 5, &mut Noise::new(4));
    for run in runs.iter_mut().filter(|run| run.method() == "kfac") {
        for evaluation in &mut run.curve.evaluations {
            evaluation.train_loss = Some(1.0);
        }
    }
    let found = verdict(&json!("sgd_faster_per_iteration"), runs.clone());
    assert_eq!(found.verdict, Verdict::Supported, "{:?}", found.reason);
    let interval = found
        .statistic
        .expect("a number")
        .estimate
        .interval
        .expect("bounded below");
    assert!(interval.low.is_some_and(|low| low > 1.0) && interval.high.is_none());
    let slopes = verdict(&json!("diminishing_returns"), runs);
    assert_eq!(slopes.verdict, Verdict::Undecided, "{:?}", slopes.reason);
}

#[test]
fn where_every_target_is_too_easy_the_claims_on_steps_say_so() {
    let quick = Method {
        s_min: 6.0,
        b_crit: 10.0,
        ..METHOD
    };
    for claim in ["diminishing_returns", "sgd_faster_per_iteration"] {
        let found = verdict(&json!(claim), study(quick, quick, 5, &mut Noise::new(4)));
        assert_eq!(found.verdict, Verdict::Undecided);
        assert_eq!(found.reason, Reason::Missing(Missing::TimeableTarget));
        let untimed = decide(&claim_of(&json!(claim)), &Evidence::default());
        assert_eq!(untimed.reason, Reason::Missing(Missing::Target));
    }
}

#[test]
fn crossings_after_a_drop_of_the_learning_rate_are_another_choice_and_never_decide() {
    let slow = Method {
        s_min: 150.0,
        b_crit: 20.0,
        ..METHOD
    };
    let with_drop_at = |step: u64, claim: &str| {
        let mut runs = study(slow, METHOD, 5, &mut Noise::new(4));
        for run in &mut runs {
            run.rate_drops = vec![step];
        }
        let found = verdict(&json!(claim), runs);
        let (with, without): (Vec<_>, Vec<_>) = found.under.iter().partition(
            |other| matches!(&other.choice, Choice::Steps { runs, .. } if runs.after_drops),
        );
        let with: Vec<Verdict> = with.iter().map(|other| other.verdict).collect();
        let without: Vec<Verdict> = without.iter().map(|other| other.verdict).collect();
        (found.verdict, with, without)
    };
    // Before the first crossing (claim 2: both targets together and each alone, of the confirmed and the
    // tuning runs): at a constant rate nothing was reached.
    let (verdict, with, without) = with_drop_at(20, "diminishing_returns");
    assert_eq!(verdict, Verdict::Undecided);
    assert!(without.iter().all(|one| *one == Verdict::Undecided));
    assert_eq!(with[..3], [Verdict::Supported; 3]);
    let (verdict, with, without) = with_drop_at(20, "sgd_faster_per_iteration");
    assert_eq!(verdict, Verdict::Undecided);
    assert!(without.iter().all(|one| *one == Verdict::Undecided));
    assert_eq!(with.len(), without.len());
    // After the last one the choice would change nothing, and is none.
    let (verdict, with, without) = with_drop_at(15_000, "diminishing_returns");
    assert_eq!(verdict, Verdict::Supported);
    assert!(with.is_empty() && without.len() >= 3);
}

#[test]
fn without_an_effect_a_claim_is_rarely_decided_and_equivalence_is_mostly_seen() {
    let mut noise = Noise::new(21);
    let studies = 60;
    let (mut slopes, mut equal, mut wrongly_equal) = (0, 0, 0);
    let at_the_margin = Method {
        accuracy: METHOD.accuracy - 0.01,
        ..METHOD
    };
    let count = |claim: &str, evidence: &Evidence, verdict: Verdict| {
        let claim = claim_of(&json!(claim));
        usize::from(decide(&claim, evidence).verdict == verdict)
    };
    for _ in 0..studies {
        let mut runs = study(METHOD, METHOD, 5, &mut noise);
        equal += count(
            "comparable_performance",
            &selected(runs.clone()),
            Verdict::Supported,
        );
        let apart = selected(study(at_the_margin, METHOD, 5, &mut noise));
        wrongly_equal += count("comparable_performance", &apart, Verdict::Supported);
        runs.retain(|run| run.stage == "confirmed");
        let timed = Evidence {
            targets: timed(&runs, &[0.5]),
            ..Evidence::default()
        };
        slopes += count("diminishing_returns", &timed, Verdict::Supported)
            + count("diminishing_returns", &timed, Verdict::Contradicted);
    }
    println!(
        "of {studies}: slopes differ in {slopes}, equal in {equal}, wrongly equal in {wrongly_equal}"
    );
    // 5 % of 60 are 3, standard deviation 1.7; at the margin all five batch sizes would have to agree.
    assert!(slopes <= 8, "{slopes}");
    assert!(wrongly_equal <= 3, "{wrongly_equal}");
    assert!(equal >= 45, "{equal}");
}

/// A K-FAC heatmap whose accuracy falls off with the distance of log10 rate from a line over log10
/// damping: `width` for the smallest batch, times `growth` for each doubling.
fn heatmap_study(
    slope: f64,
    width: f64,
    growth: f64,
    seeds: u64,
    at: &serde_json::Value,
) -> Evidence {
    let mut noise = Noise::new(9);
    let mut runs = Vec::new();
    for (doublings, batch) in (0..).zip(BATCHES) {
        let width = width * growth.powi(doublings);
        for seed in 0..seeds {
            for i in 0..8 {
                for j in 0..8 {
                    let (damping, rate) = (-4.0 + 0.5 * f64::from(i), -3.0 + 0.5 * f64::from(j));
                    let distance = rate + 1.25 - slope * (damping + 2.25);
                    let mut truth = Truth::new("kfac", "kfac", batch, seed);
                    truth.second = 10f64.powf(damping);
                    truth.rate = 10f64.powf(rate);
                    truth.budget = 12_800 / batch;
                    truth.accuracy =
                        0.97 - 0.3 * (distance / width).powi(2) + 0.01 * noise.normal();
                    runs.push(truth.run());
                }
            }
        }
    }
    // Every budget is one epoch of 12,800 examples, so that each slice is its last step.
    if at.get("iterations").is_some() {
        for run in &mut runs {
            run.curve.evaluations.last_mut().expect("evaluated").step = 800;
        }
    }
    let settings = json!({"x": "damping", "y": "learning_rate", "value": "test_accuracy",
        "at": [at], "good": {"at_least": 0.8}});
    let table = heatmap(&serde_json::from_value(settings).expect("valid"), &runs).expect("a table");
    Evidence {
        runs,
        heatmaps: vec![Named {
            stage: "sensitivity".into(),
            table,
        }],
        ..Evidence::default()
    }
}

fn of_heatmap(claim: &str, evidence: &Evidence) -> ClaimVerdict {
    decide(&claim_of(&json!(claim)), evidence)
}

#[test]
fn regions_that_shrink_or_grow_are_told_apart_at_each_slice() {
    for (claim, at, supports) in [
        ("region_shrinks_at_fixed_epochs", json!({"epochs": 1}), 0.8),
        (
            "region_grows_at_fixed_iterations",
            json!({"iterations": 800}),
            1.25,
        ),
    ] {
        let yes = of_heatmap(claim, &heatmap_study(0.5, 1.0, supports, 5, &at));
        assert_eq!(
            (yes.verdict, yes.n),
            (Verdict::Supported, 5),
            "{claim}: {:?}",
            yes.reason
        );
        assert!(
            yes.parts.len() >= 4,
            "several levels are looked at: {}",
            yes.parts.len()
        );
        let no = of_heatmap(claim, &heatmap_study(0.5, 1.0, supports.recip(), 5, &at));
        assert_eq!(
            no.verdict,
            Verdict::Contradicted,
            "{claim}: {:?}",
            no.reason
        );
        let same = of_heatmap(claim, &heatmap_study(0.5, 1.0, 1.0, 5, &at));
        assert_eq!(
            same.verdict,
            Verdict::Undecided,
            "{claim}: {:?}",
            same.reason
        );
        let one_seed = of_heatmap(claim, &heatmap_study(0.5, 1.0, supports, 1, &at));
        assert_eq!((one_seed.verdict, one_seed.n), (Verdict::Undecided, 1));
        let of = one_seed.parts.len();
        let Reason::TooFewSeeds { seeds, estimates } = one_seed.reason else {
            panic!("{:?}", one_seed.reason);
        };
        // Where the estimates point is told all the same.
        assert_eq!((seeds, estimates.supported, estimates.of), (1, of, of));
    }
    let other_slice = heatmap_study(0.5, 1.0, 0.8, 5, &json!({"epochs": 1}));
    let found = of_heatmap("region_grows_at_fixed_iterations", &other_slice);
    assert_eq!((found.verdict, found.statistic), (Verdict::Undecided, None));
}

#[test]
fn the_correlation_of_rates_and_dampings_comes_out_each_way() {
    let claim = "rates_and_dampings_correlate";
    let of = |slope: f64, seeds: u64| {
        of_heatmap(
            claim,
            &heatmap_study(slope, 1.0, 1.0, seeds, &json!({"epochs": 1})),
        )
    };
    let yes = of(0.5, 5);
    assert_eq!(
        (yes.verdict, yes.parts.len()),
        (Verdict::Supported, 5),
        "{:?}",
        yes.reason
    );
    assert!(
        yes.parts
            .iter()
            .all(|part| (part.estimate.value - 0.5).abs() < 0.15)
    );
    assert_eq!(of(-0.5, 5).verdict, Verdict::Contradicted);
    assert_eq!(of(0.0, 5).verdict, Verdict::Undecided);
    assert_eq!(of(0.5, 4).verdict, Verdict::Undecided);
}

#[test]
fn claims_without_evidence_are_undecided_and_say_what_is_missing() {
    for claim in [
        "comparable_performance",
        "diminishing_returns",
        "region_shrinks_at_fixed_epochs",
        "region_grows_at_fixed_iterations",
        "rates_and_dampings_correlate",
        "sgd_faster_per_iteration",
    ] {
        let found = of_heatmap(claim, &Evidence::default());
        assert_eq!(
            (found.verdict, found.statistic, found.n),
            (Verdict::Undecided, None, 0)
        );
        assert!(
            matches!(found.reason, Reason::Missing(_)),
            "{claim}: {:?}",
            found.reason
        );
    }
}

#[test]
fn a_claim_is_a_map_from_its_name_and_unknown_ones_are_refused() {
    let claim = |json: serde_json::Value| serde_json::from_value::<Claim>(json);
    let default = Claim::ComparablePerformance(Comparison::default());
    assert_eq!(
        claim(json!({"comparable_performance": {"margin": 0.01}})).expect("a map"),
        default
    );
    assert_eq!(
        claim(serde_json::to_value(default).expect("JSON")).expect("its own JSON"),
        default
    );
    assert_eq!(
        claim(json!({"diminishing_returns": {}})).expect("a map"),
        Claim::DiminishingReturns {}
    );
    for wrong in [
        json!("sgd_is_better"),
        json!({"diminishing_returns": {"margin": 1}}),
        json!({"comparable_performance": {"margins": 1}}),
        json!(3),
        json!({"diminishing_returns": {}, "comparable_performance": {}}),
    ] {
        assert!(claim(wrong.clone()).is_err(), "{wrong}");
    }
}
