//! Frames of a report: claims with their numbers and other choices, confirmed performance, noise scale,
//! controls.

use super::tables::{bounded, estimate};
use super::{Frame, Kind, Value};
use analysis::claims::{Agreement, ClaimVerdict, Statistic, Unit, Verdict};
use analysis::report::ReportTable;
use analysis::{Metric, Named};

const TEXT: Kind = Kind::Text;
const INTEGER: Kind = Kind::Integer;
const NUMBER: Kind = Kind::Number;

/// `claims`, `claim_numbers`, `claim_choices`, `performance`, `noise_scale`, `controls` of some reports;
/// `report` is the stage that made one.
pub fn report_frames(reports: &[Named<ReportTable>]) -> Vec<Frame> {
    let mut frames = claims(reports);
    frames.extend([
        performance(reports),
        noise_scale(reports),
        controls(reports),
    ]);
    frames
}

fn verdict(verdict: Verdict) -> Value {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Contradicted => "contradicted",
        Verdict::Undecided => "undecided",
    }
    .into()
}

/// Name, part, unit, value, ends, n.
fn statistic(statistic: Option<&Statistic>) -> impl Iterator<Item = Value> {
    let unit = statistic.map(|statistic| match statistic.unit {
        Unit::Plain => "plain",
        Unit::Points => "share",
        Unit::LogRatio => "log_ratio",
    });
    let first: [Value; 3] = [
        statistic.map(|statistic| statistic.name.as_str()).into(),
        statistic
            .and_then(|statistic| statistic.part.as_deref())
            .into(),
        unit.into(),
    ];
    first
        .into_iter()
        .chain(estimate(statistic.map(|statistic| &statistic.estimate)))
        .chain([statistic.map(|statistic| statistic.n).into()])
}

const STATISTIC: [(&str, Kind); 7] = [
    ("statistic", TEXT),
    ("part", TEXT),
    ("unit", TEXT),
    ("value", NUMBER),
    ("low", NUMBER),
    ("high", NUMBER),
    ("n", INTEGER),
];

/// The claim's name, as in the study file.
fn name(claim: &ClaimVerdict) -> Value {
    let json = serde_json::to_value(claim.claim).unwrap_or_default();
    json.as_object()
        .and_then(|map| map.keys().next().cloned())
        .into()
}

fn claims(reports: &[Named<ReportTable>]) -> Vec<Frame> {
    let with = |name, first: &[(&str, Kind)], last: &[(&str, Kind)]| {
        Frame::of(name, &[first, &STATISTIC[..], last].concat())
    };
    let first = [("report", TEXT), ("claim", TEXT), ("verdict", TEXT)];
    let mut claims = with("claims", &first, &[("sentence", TEXT), ("reason", TEXT)]);
    let mut numbers = with("claim_numbers", &first, &[]);
    let choice = [
        ("report", TEXT),
        ("claim", TEXT),
        ("choice", TEXT),
        ("verdict", TEXT),
        ("agreement", TEXT),
    ];
    let mut choices = with("claim_choices", &choice, &[]);
    for Named { stage, table } in reports {
        for claim in &table.claims {
            let row = [stage.into(), name(claim), verdict(claim.verdict)];
            let words = [Value::from(&claim.sentence), (&claim.reason).into()];
            claims.push(
                row.into_iter()
                    .chain(statistic(claim.statistic.as_ref()))
                    .chain(words),
            );
            for part in &claim.parts {
                let row = [stage.into(), name(claim), verdict(part.verdict)];
                numbers.push(row.into_iter().chain(statistic(Some(part))));
            }
            for other in &claim.under {
                let agreement = match claim.agreement(other) {
                    Agreement::Agrees => "agrees",
                    Agreement::IsUndecided => "is_undecided",
                    Agreement::WouldDecide => "would_decide",
                    Agreement::Contradicts => "contradicts",
                    Agreement::HasNoSay => "has_no_say",
                };
                let row = [
                    stage.into(),
                    name(claim),
                    (&other.choice).into(),
                    verdict(other.verdict),
                    agreement.into(),
                ];
                choices.push(row.into_iter().chain(statistic(other.statistic.as_ref())));
            }
        }
    }
    vec![claims, numbers, choices]
}

fn performance(reports: &[Named<ReportTable>]) -> Frame {
    let mut frame = Frame::of(
        "performance",
        &[
            ("report", TEXT),
            ("table", TEXT),
            ("entry", TEXT),
            ("method", TEXT),
            ("batch_size", INTEGER),
            ("seeds", INTEGER),
            ("diverged", INTEGER),
            ("metric", TEXT),
            ("mean", NUMBER),
            ("low", NUMBER),
            ("high", NUMBER),
        ],
    );
    for Named { stage, table } in reports {
        for row in &table.performance {
            for (metric, of_metric) in &row.metrics {
                let first: [Value; 8] = [
                    stage.into(),
                    Value::from(&row.winners),
                    (&row.entry).into(),
                    (&row.method).into(),
                    row.batch_size.into(),
                    row.seeds.into(),
                    row.diverged.into(),
                    metric.name().into(),
                ];
                frame.push(first.into_iter().chain(estimate(Some(of_metric))));
            }
        }
    }
    frame
}

fn noise_scale(reports: &[Named<ReportTable>]) -> Frame {
    let mut frame = Frame::of(
        "noise_scale",
        &[
            ("report", TEXT),
            ("table", TEXT),
            ("stage", TEXT),
            ("method", TEXT),
            ("metric", TEXT),
            ("level", NUMBER),
            ("batch_size", INTEGER),
            ("runs", INTEGER),
            ("measurements", INTEGER),
            ("trace", NUMBER),
            ("gradient", NUMBER),
            ("noise_scale", NUMBER),
            ("noise_scale_low", NUMBER),
            ("noise_scale_high", NUMBER),
            ("b_crit", NUMBER),
            ("b_crit_low", NUMBER),
            ("b_crit_high", NUMBER),
        ],
    );
    for Named { stage, table } in reports {
        for row in &table.noise {
            for at in &row.at_target {
                let first: [Value; 11] = [
                    stage.into(),
                    Value::from(&row.targets),
                    (&row.stage).into(),
                    (&row.method).into(),
                    row.target.metric.name().into(),
                    row.target.level.into(),
                    at.batch_size.into(),
                    at.runs.into(),
                    at.scale.measurements.into(),
                    at.scale.trace.into(),
                    at.scale.gradient.into(),
                ];
                let last = bounded(Some(at.scale.bounded))
                    .into_iter()
                    .chain(bounded(row.critical_batch));
                frame.push(first.into_iter().chain(last));
            }
        }
    }
    frame
}

fn controls(reports: &[Named<ReportTable>]) -> Frame {
    let mut frame = Frame::of(
        "controls",
        &[
            ("report", TEXT),
            ("kfac_stage", TEXT),
            ("sgd_stage", TEXT),
            ("batch_size", INTEGER),
            ("damping", NUMBER),
            ("learning_rate", NUMBER),
            ("sgd_rate", NUMBER),
            ("largest_curvature", NUMBER),
            ("seeds", INTEGER),
            ("one_diverged", INTEGER),
            ("metric", TEXT),
            ("difference", NUMBER),
            ("low", NUMBER),
            ("high", NUMBER),
        ],
    );
    for Named { stage, table } in reports {
        for row in &table.controls {
            for metric in Metric::ALL {
                let Some(difference) = row.differences.get(&metric) else {
                    continue;
                };
                let first: [Value; 11] = [
                    stage.into(),
                    Value::from(&row.kfac_stage),
                    (&row.sgd_stage).into(),
                    row.batch_size.into(),
                    row.damping.into(),
                    row.learning_rate.into(),
                    row.sgd_rate.into(),
                    row.largest_curvature.into(),
                    row.seeds.into(),
                    row.one_diverged.into(),
                    metric.name().into(),
                ];
                frame.push(first.into_iter().chain(estimate(Some(difference))));
            }
        }
    }
    frame
}
