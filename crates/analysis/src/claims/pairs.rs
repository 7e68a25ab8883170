//! A claim on more than two methods: a table of pairs.
//!
//! Each pair is judged like a claim on two methods. That all pairs hold needs no correction; else the pairs are tested
//! one after the other, the clearest first, with Holm's correction for their number.

use super::judge::{Rule, verdict};
use super::{
    Claim, Decision, Missing, Pair, Part, Reason, Remark, SEEDS_TO_DECIDE, Statistic, Tally,
    Verdict,
};

/// All pairs of methods, each in the order in which the claim names them.
pub(super) fn of(claim: &Claim) -> Vec<Pair> {
    let methods = claim.methods();
    let pairs = methods.iter().enumerate().flat_map(|(place, first)| {
        methods[place + 1..]
            .iter()
            .map(|second| Pair::new(first, second))
    });
    pairs.collect()
}

/// One decision from those on the pairs.
pub(super) fn together(pairs: Vec<(Pair, Decision)>, rule: Rule, missing: Missing) -> Decision {
    let (known, unknown): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .partition(|(_, pair)| pair.effect.is_some() || !pair.parts.is_empty());
    let Some((_, first)) = known.first() else {
        return Decision::without_data(missing);
    };
    let (alpha, look) = (first.alpha, first.look);
    let said = holm(&known, rule, alpha);
    let each = 1.0 - alpha / known.len() as f64;
    let mut remarks: Vec<Remark> = unknown
        .into_iter()
        .map(|(methods, _)| Remark::PairNotCompared { methods })
        .collect();
    for remark in known.iter().flat_map(|(_, pair)| &pair.remarks) {
        if !remarks.contains(remark) {
            remarks.push(remark.clone());
        }
    }
    let parts: Vec<Statistic> = known
        .iter()
        .zip(&said)
        .filter_map(|((methods, pair), said)| {
            Some(Statistic {
                quantity: pair.effect.as_ref()?.quantity.clone(),
                part: Some(Part::Methods(methods.clone())),
                estimate: pair.sample.estimate(each)?,
                n: pair.n,
                verdict: *said,
            })
        })
        .collect();
    let has = |wanted: Verdict| {
        said.iter()
            .any(|own| *own == wanted || *own == Verdict::Mixed)
    };
    let verdict = if said.iter().all(|own| *own == Verdict::Supported) {
        Verdict::Supported
    } else {
        match (has(Verdict::Supported), has(Verdict::Contradicted)) {
            (true, true) => Verdict::Mixed,
            (false, true) => Verdict::Contradicted,
            _ => Verdict::Undecided,
        }
    };
    let n = known.iter().map(|(_, pair)| pair.n).min().unwrap_or(0);
    let seeds = known.iter().flat_map(|(_, pair)| pair.seeds.clone());
    Decision {
        verdict,
        reason: if n < SEEDS_TO_DECIDE {
            Reason::TooFewSeeds {
                seeds: n,
                estimates: Tally::of(&said),
            }
        } else {
            Reason::Parts(Tally::of(&said))
        },
        remarks,
        deciding: parts.len(),
        parts,
        seeds: seeds.collect(),
        n,
        look,
        alpha,
        ..Decision::without_data(missing)
    }
}

/// What each pair says.
fn holm(pairs: &[(Pair, Decision)], rule: Rule, alpha: f64) -> Vec<Verdict> {
    if pairs
        .iter()
        .all(|(_, pair)| pair.verdict == Verdict::Supported)
    {
        return vec![Verdict::Supported; pairs.len()];
    }
    let mut ordered: Vec<(f64, usize)> = pairs
        .iter()
        .enumerate()
        .map(|(place, (_, pair))| (least_level(pair, rule), place))
        .collect();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut said = vec![Verdict::Undecided; pairs.len()];
    for (tested, (level, place)) in ordered.into_iter().enumerate() {
        let corrected = alpha / (pairs.len() - tested) as f64;
        if level > corrected {
            break;
        }
        said[place] = verdict(&pairs[place].1.tests, rule, corrected).0;
    }
    said
}

/// The smallest level at which a pair is decided; 1 if at none.
fn least_level(pair: &Decision, rule: Rule) -> f64 {
    let is_decided = |level: f64| {
        !pair.tests.is_empty() && verdict(&pair.tests, rule, level).0 != Verdict::Undecided
    };
    let (mut low, mut high) = (0.0, 1.0);
    if !is_decided(high) {
        return 1.0;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if is_decided(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
