//! The rule of verdicts held by simulation: parts that differ, looks and extensions, projections of seeds, coverage of
//! the effect's interval. Studies are simulated as tables of steps, so finely evaluated that only the seeds scatter.

use std::collections::{BTreeMap, BTreeSet};

use analysis::Interval;
use analysis::claims::{ClaimVerdict, Looks, Need, Remark, Rules, Seeds, Verdict, decide};
use analysis::targets::Steps;
use analysis::{Evidence, Metric, Target};
use serde_json::json;

use crate::simulation::{Noise, all_reached, claim, one_target, timed_to};

const TARGET: Target = Target {
    metric: Metric::TrainLoss,
    level: 0.1,
};

/// Log ratios of steps, K-FAC over SGD: `[batch sizes][seeds]`.
type Ratios = Vec<Vec<f64>>;

/// SGD takes a million steps, K-FAC so many times as many; beyond `budget` millions it does not get there.
fn evidence(ratios: &Ratios, budget: f64) -> Evidence {
    let mut runs = Vec::new();
    let mut summaries = Vec::new();
    for (place, seeds) in ratios.iter().enumerate() {
        let batch = 16 << place;
        for (method, turn) in [("kfac", 1.0), ("sgd", 0.0)] {
            for (seed, ratio) in (0..).zip(seeds) {
                let steps = 1e6 * (turn * ratio).exp();
                let steps = if steps > 1e6 * budget {
                    Steps::NotReached {
                        budget: (1e6 * budget) as u64,
                    }
                } else {
                    Steps::Reached {
                        after: steps as u64,
                        by: steps as u64 + 1,
                    }
                };
                runs.push(one_target(method, batch, seed, steps));
            }
            summaries.push(all_reached(method, batch, TARGET, seeds.len()));
        }
    }
    timed_to(TARGET, runs, summaries)
}

/// The scatter of a seed's ratio at a batch size, half of it common to all of its batch sizes.
const SCATTER: f64 = 0.2;

/// Ratios with these means at the batch sizes.
fn ratios(means: &[f64], seeds: usize, noise: &mut Noise) -> Ratios {
    let half = SCATTER / 2f64.sqrt();
    let common: Vec<f64> = (0..seeds).map(|_| half * noise.normal()).collect();
    let of = |mean: &f64| -> Vec<f64> {
        common
            .iter()
            .map(|common| mean + common + half * noise.normal())
            .collect()
    };
    means.iter().map(of).collect()
}

fn judge(ratios: &Ratios, rules: &Rules, smallest: Option<f64>) -> ClaimVerdict {
    let written = match smallest {
        Some(share) => json!({"faster_per_iteration": {"smallest": share}}),
        None => json!("faster_per_iteration"),
    };
    decide(&claim(&written), rules, &evidence(ratios, f64::INFINITY))
}

/// How often each verdict is given.
fn rates(means: &[f64], seeds: usize, studies: usize, noise: &mut Noise) -> BTreeMap<Verdict, f64> {
    let mut rates = BTreeMap::new();
    for _ in 0..studies {
        let found = judge(&ratios(means, seeds, noise), &Rules::default(), None);
        *rates.entry(found.verdict).or_insert(0.0) += 1.0 / studies as f64;
    }
    println!("means {means:?}, {seeds} seeds: {rates:.4?}");
    rates
}

fn of(rates: &BTreeMap<Verdict, f64>, verdict: Verdict) -> f64 {
    rates.get(&verdict).copied().unwrap_or(0.0)
}

/// A rate and four standard deviations.
fn at_most(rate: f64, studies: usize) -> f64 {
    rate + 4.0 * (rate * (1.0 - rate) / studies as f64).sqrt()
}

fn verdict_rates(studies: usize, noise: &mut Noise) {
    // Nothing there: supported, all parts must point one way; contradicted, some part by chance, corrected.
    let nothing = rates(&[0.0; 5], 5, studies, noise);
    assert!(of(&nothing, Verdict::Supported) <= at_most(0.005, studies));
    let wrong = of(&nothing, Verdict::Contradicted) + of(&nothing, Verdict::Mixed);
    assert!(wrong <= at_most(0.025, studies), "{wrong}");
    // True at four parts, nothing at the fifth: supported in at most half of 5 %.
    let nearly = rates(&[1.0, 1.0, 1.0, 1.0, 0.0], 5, studies, noise);
    assert!(of(&nearly, Verdict::Supported) <= at_most(0.025, studies));
    assert!(of(&nearly, Verdict::Mixed) <= at_most(0.025, studies));
    let there = rates(&[0.6; 5], 5, studies, noise);
    assert!(of(&there, Verdict::Supported) >= 0.85);
    let opposite = rates(&[-0.6; 5], 5, studies, noise);
    assert!(of(&opposite, Verdict::Contradicted) >= 0.95);
    assert!(of(&opposite, Verdict::Supported) + of(&opposite, Verdict::Mixed) <= 0.001);
    // Parts that differ: mixed, seldom only one of the two sides, and never supported.
    let differ = rates(&[0.9, 0.9, 0.9, -0.9, -0.9], 5, studies, noise);
    assert!(of(&differ, Verdict::Mixed) >= 0.9, "{differ:?}");
    assert!(of(&differ, Verdict::Supported) == 0.0);
}

fn look_rates(studies: usize, noise: &mut Noise) {
    let declared = Rules {
        looks: Some(Looks([5, 20])),
        seen: BTreeSet::new(),
    };
    let extended = Rules {
        looks: None,
        seen: (0..5).collect(),
    };
    let is_decided = |ratios: &Ratios, seeds: usize, rules: &Rules| {
        let some = ratios.iter().map(|all| all[..seeds].to_vec()).collect();
        judge(&some, rules, None).verdict != Verdict::Undecided
    };
    let (mut at_declared, mut after_extension, mut as_it_pleases) = (0, 0, 0);
    for _ in 0..studies {
        let null = ratios(&[0.0], 20, noise);
        let first = is_decided(&null, 5, &Rules::default());
        at_declared +=
            usize::from(is_decided(&null, 5, &declared) || is_decided(&null, 20, &declared));
        after_extension += usize::from(is_decided(&null, 20, &extended));
        as_it_pleases += usize::from(first || is_decided(&null, 20, &Rules::default()));
    }
    let rate = |count: usize| count as f64 / studies as f64;
    println!(
        "nothing there, decided: at declared looks {:.4}, after an extension {:.4}, with a look at 5 and at 20 that nobody declared {:.4}",
        rate(at_declared),
        rate(after_extension),
        rate(as_it_pleases)
    );
    assert!(rate(at_declared) <= at_most(0.05, studies));
    assert!(rate(after_extension) <= at_most(0.05, studies));
    assert!(rate(as_it_pleases) > 0.065);
}

/// The share of seeds that a projection advises with which a study decides, if the smallest effect is the true one.
fn projection_rates(projections: usize, studies: usize, noise: &mut Noise) {
    let smallest = 0.2f64;
    let mut enough = 0;
    let mut advised = 0;
    while advised < projections {
        let found = judge(&ratios(&[0.0], 5, noise), &Rules::default(), Some(smallest));
        let Some(Need::Seeds(Seeds {
            high: Some(high),
            likely: Some(likely),
            low: Some(low),
            ..
        })) = found.need
        else {
            continue;
        };
        assert!(low <= likely && likely <= high);
        advised += 1;
        let decided = (0..studies)
            .filter(|_| {
                let ratios = ratios(&[smallest.ln_1p()], high, noise);
                judge(&ratios, &Rules::default(), None).verdict == Verdict::Supported
            })
            .count();
        enough += usize::from(decided as f64 >= 0.8 * studies as f64);
    }
    let share = enough as f64 / projections as f64;
    println!("of {projections} projections {share:.3} advise enough seeds");
    assert!(
        share >= 0.8 - 2.0 * (0.16 / projections as f64).sqrt(),
        "{share}"
    );
}

/// How often the effect's interval holds the true mean.
fn coverage(budget: f64, studies: usize, noise: &mut Noise) -> f64 {
    let means = [0.3, 0.1, 0.0, -0.1, 0.2];
    let truth = means.iter().sum::<f64>() / 5.0;
    let claim = claim(&json!("faster_per_iteration"));
    let mut held = 0;
    for _ in 0..studies {
        let ratios = ratios(&means, 5, noise);
        let found = decide(&claim, &Rules::default(), &evidence(&ratios, budget));
        let interval = found
            .effect
            .as_ref()
            .and_then(|effect| effect.estimate.interval);
        held += usize::from(match interval {
            Some(Interval { low, high, .. }) => {
                low.is_none_or(|low| low <= truth) && high.is_none_or(|high| truth <= high)
            }
            // There is none where runs of both methods ended too early, and that is said.
            None => found.remarks.contains(&Remark::NoOverallEffect),
        });
    }
    let share = held as f64 / studies as f64;
    println!("coverage with a budget of {budget}: {share:.4}");
    share
}

#[test]
fn verdicts_are_wrong_at_most_at_the_stated_rates_and_mixed_is_seen() {
    verdict_rates(400, &mut Noise::new(201));
}

#[test]
fn declared_looks_and_extensions_keep_the_level_and_undeclared_looks_do_not() {
    look_rates(1500, &mut Noise::new(202));
}

#[test]
fn the_advised_number_of_seeds_decides_in_most_projections() {
    projection_rates(25, 25, &mut Noise::new(203));
}

#[test]
fn the_interval_of_the_effect_covers_the_truth_with_and_without_censoring() {
    let mut noise = Noise::new(204);
    let studies = 1500;
    let whole = coverage(f64::INFINITY, studies, &mut noise);
    assert!((0.93..=0.97).contains(&whole), "{whole}");
    // A budget that some 15 % of K-FAC's runs exceed at some batch size.
    let censored = coverage(1.5, studies, &mut noise);
    assert!(censored >= 0.93, "{censored}");
}

#[test]
#[ignore = "minutes; doc/benchmarks.md has its numbers"]
fn many_rates_of_verdicts() {
    let mut noise = Noise::new(205);
    verdict_rates(20_000, &mut noise);
    look_rates(20_000, &mut noise);
    projection_rates(200, 100, &mut noise);
    coverage(f64::INFINITY, 20_000, &mut noise);
    coverage(1.5, 20_000, &mut noise);
}
