//! Claims on simulated studies: each comes out supported, contradicted and undecided, as the truth is.

use analysis::claims::{
    Choice, Claim, ClaimVerdict, Comparison, Missing, Need, Part, Quantity, Reason, Remark, Rules,
    Scaling, Verdict,
};
use analysis::select::select;
use analysis::targets::{StepsToTarget, TargetsTable, targets};
use analysis::{Evidence, Metric, Named, Outcome, Run};
use serde_json::json;

use crate::simulation::{BATCHES, Noise, Truth, claim as claim_of};

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

/// The verdict with one look.
fn decide(claim: &Claim, evidence: &Evidence) -> ClaimVerdict {
    analysis::claims::decide(claim, &Rules::default(), evidence)
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
    let effect = yes.effect.expect("a decided claim has its effect");
    assert!(effect.estimate.interval.is_some());
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
        assert!(few.effect.is_some(), "the effect of few seeds is shown");
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
fn performance_rests_on_fresh_seeds_only_and_a_diverged_one_counts_as_guessing_at_most() {
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
    // The untrained network of the simulation has an accuracy, too: anything from 0 to it.
    let first = found.parts[0].estimate.interval.expect("seven seeds");
    let parts = vec![Part::BatchSize(16)];
    assert_eq!(found.need, Some(Need::Budget { parts }));
    assert!(first.low.is_some_and(|low| low < -0.3), "{first:?}");
    let unconfirmed: Vec<Run> = runs
        .into_iter()
        .filter(|run| run.stage != "confirmed")
        .collect();
    let found = verdict(&claim, unconfirmed);
    assert_eq!((found.verdict, found.n), (Verdict::Undecided, 0));
}

#[test]
fn a_test_set_tells_two_methods_apart_as_exactly_as_its_images_allow() {
    let mut runs = study(METHOD, METHOD, 5, &mut Noise::new(4));
    let claim = claim_of(&json!("comparable_performance"));
    assert_eq!(decide(&claim, &selected(runs.clone())).test_set, None);
    // Of ten images K-FAC alone has three right, SGD alone one, with every seed at every batch size.
    let right = |own: &[usize]| (0..10).map(|image| own.contains(&image)).collect();
    for run in &mut runs {
        let images = if run.method() == "kfac" {
            right(&[0, 1, 2, 3, 4])
        } else {
            right(&[3, 4, 5])
        };
        run.curve.correct = vec![analysis::Correct {
            step: run.budget_steps,
            images,
        }];
    }
    let found = decide(&claim, &selected(runs)).test_set.expect("told");
    let (p10, p01, m) = (0.3f64, 0.1, 10.0);
    let d = p10 - p01;
    let expected = ((p10 + p01 - d * d) / m).sqrt();
    assert_eq!(found.images, 10);
    assert!((found.error - expected).abs() < 1e-12, "{found:?}");
}

#[test]
fn the_difference_of_slopes_is_the_number_shown_for_diminishing_returns() {
    let flat = Method {
        s_min: 150.0,
        b_crit: 20.0,
        ..METHOD
    };
    let runs = study(flat, METHOD, 5, &mut Noise::new(4));
    let shown = verdict(&json!("diminishing_returns"), runs).effect;
    let quantity = shown.expect("a number").quantity;
    assert!(matches!(quantity, Quantity::SlopeDifference { .. }));
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
    three_ways("faster_per_iteration", (slow, METHOD), (METHOD, slow));
}

#[test]
fn progress_that_depends_on_the_batch_size_is_mixed() {
    let crossing = Method {
        s_min: 180.0,
        b_crit: 4.0,
        ..METHOD
    };
    let found = verdict(
        &json!("faster_per_iteration"),
        study(crossing, METHOD, 5, &mut Noise::new(4)),
    );
    assert_eq!(found.verdict, Verdict::Mixed, "{:?}", found.reason);
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
    let found = verdict(&json!("faster_per_iteration"), runs);
    assert_eq!(found.verdict, Verdict::Undecided, "{:?}", found.reason);
}

#[test]
fn evaluations_that_lie_further_apart_than_the_effect_are_what_is_in_the_way() {
    let of = |smallest: f64| {
        let claim = json!({"faster_per_iteration": {"smallest": smallest}});
        verdict(&claim, study(METHOD, METHOD, 5, &mut Noise::new(4))).need
    };
    // They lie a factor of 1.1 apart.
    assert_eq!(of(0.02), Some(Need::Evaluations));
    assert!(matches!(of(0.5), Some(Need::Seeds(_))));
}

#[test]
fn unreached_seeds_bound_a_difference_on_one_side_and_are_not_dropped() {
    let mut runs = study(METHOD, METHOD, 5, &mut Noise::new(4));
    for run in runs.iter_mut().filter(|run| run.method() == "kfac") {
        for evaluation in &mut run.curve.evaluations {
            evaluation.train_loss = Some(1.0);
        }
    }
    let found = verdict(&json!("faster_per_iteration"), runs.clone());
    assert_eq!(found.verdict, Verdict::Supported, "{:?}", found.reason);
    let effect = found.effect.as_ref().expect("a number");
    let interval = effect.estimate.interval.expect("bounded below");
    assert!(interval.low.is_some_and(|low| low > 1.0) && interval.high.is_none());
    assert_eq!(found.remarks, [Remark::NotReached { runs: 25, of: 50 }]);
    let slopes = verdict(&json!("diminishing_returns"), runs.clone());
    assert_eq!(slopes.verdict, Verdict::Undecided, "{:?}", slopes.reason);
    assert_eq!(
        slopes.effect, None,
        "a slope of bounds is open on both sides"
    );
    assert_eq!(slopes.need, Some(Need::Budget { parts: vec![] }));
    // A run that diverged before the target never reaches it.
    for run in runs.iter_mut().filter(|run| run.method() == "kfac") {
        run.outcome = Outcome::Diverged { step: 50 };
        run.curve.evaluations.retain(|at| at.step < 50);
    }
    let lost = verdict(&json!("faster_per_iteration"), runs);
    assert_eq!(lost.verdict, Verdict::Supported, "{:?}", lost.reason);
    assert_eq!(lost.remarks, [Remark::DivergedBefore { runs: 25, of: 50 }]);
}

#[test]
fn where_every_target_is_too_easy_the_claims_on_steps_say_so() {
    let quick = Method {
        s_min: 6.0,
        b_crit: 10.0,
        ..METHOD
    };
    for claim in ["diminishing_returns", "faster_per_iteration"] {
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
    // Before the first crossing (each target, of the confirmed and the tuning runs): at a constant rate nothing was
    // reached.
    let (verdict, with, without) = with_drop_at(20, "diminishing_returns");
    assert_eq!(verdict, Verdict::Undecided);
    assert!(without.iter().all(|one| *one == Verdict::Undecided));
    assert_eq!(with[..2], [Verdict::Supported; 2]);
    let (verdict, with, without) = with_drop_at(20, "faster_per_iteration");
    assert_eq!(verdict, Verdict::Undecided);
    assert!(without.iter().all(|one| *one == Verdict::Undecided));
    assert_eq!(with.len(), without.len());
    // After the last one the choice would change nothing, and is none.
    let (verdict, with, without) = with_drop_at(15_000, "diminishing_returns");
    assert_eq!(verdict, Verdict::Supported);
    assert!(with.is_empty() && without.len() >= 2);
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

#[test]
fn claims_without_evidence_are_undecided_and_say_what_is_missing() {
    for claim in [
        "comparable_performance",
        "diminishing_returns",
        "region_shrinks_at_fixed_epochs",
        "region_grows_at_fixed_iterations",
        "rates_and_dampings_correlate",
        "faster_per_iteration",
    ] {
        let found = decide(&claim_of(&json!(claim)), &Evidence::default());
        assert_eq!(
            (found.verdict, found.effect, found.n),
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
        claim(serde_json::to_value(&default).expect("JSON")).expect("its own JSON"),
        default
    );
    assert_eq!(
        claim(json!({"diminishing_returns": {}})).expect("a map"),
        Claim::DiminishingReturns(Scaling::default())
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
