//! Frames of a report: claims with their numbers and other choices, confirmed performance, noise scale,
//! controls.

use analysis::claims::{Agreement, ClaimVerdict, Part, Statistic, Unit, Verdict};
use analysis::report::ReportTable;
use analysis::{Metric, Named};

use super::tables::{bounded, estimate, told};
use super::{Frame, Kind, Value};
use crate::words;

const TEXT: Kind = Kind::Text;
const INTEGER: Kind = Kind::Integer;
const NUMBER: Kind = Kind::Number;

/// `claims`, `claim_numbers`, `claim_choices`, `performance`, `noise_scale`, `controls` of some reports;
/// `report` is the stage that made one.
pub fn report_frames(reports: &[Named<ReportTable>]) -> Vec<Frame> {
    let all = || {
        let reports = reports.iter();
        reports.map(|report| (report.stage.as_str(), &report.table))
    };
    let mut frames = claims(all());
    frames.extend([
        choices(all()),
        performance(all()),
        noise_scale(all()),
        controls(all()),
    ]);
    frames
}

fn verdict(verdict: Verdict) -> Value {
    words::claims::verdict(verdict).into()
}

/// The part that a number is of, as its fields.
fn part(part: &Part) -> Value {
    match part {
        Part::BatchSize(batch_size) => format!("batch_size={batch_size}").into(),
        others => {
            let [_, fields] = told(others);
            fields
        }
    }
}

/// What it measures and of what, part, unit, value, ends, n.
fn statistic(statistic: Option<&Statistic>) -> impl Iterator<Item = Value> {
    let [name, of] = statistic.map_or([Value::Null, Value::Null], |of| told(&of.quantity));
    let unit = statistic.map(|statistic| match statistic.quantity.unit() {
        Unit::Plain => "plain",
        Unit::Share => "share",
        Unit::LogRatio => "log_ratio",
    });
    let part = statistic.and_then(|statistic| statistic.part.as_ref().map(part));
    [name, of, part.unwrap_or(Value::Null), unit.into()]
        .into_iter()
        .chain(estimate(statistic.map(|statistic| &statistic.estimate)))
        .chain([statistic.map(|statistic| statistic.n).into()])
}

const STATISTIC: [(&str, Kind); 8] = [
    ("statistic", TEXT),
    ("statistic_of", TEXT),
    ("part", TEXT),
    ("unit", TEXT),
    ("value", NUMBER),
    ("low", NUMBER),
    ("high", NUMBER),
    ("n", INTEGER),
];

fn claims<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Vec<Frame> {
    let with = |name, first: &[(&str, Kind)], last: &[(&str, Kind)]| {
        Frame::of(name, &[first, &STATISTIC[..], last].concat())
    };
    let first = [("report", TEXT), ("claim", TEXT), ("verdict", TEXT)];
    // Names and numbers for programs, and the page's words.
    let reason = [
        ("claim_of", TEXT),
        ("reason", TEXT),
        ("reason_of", TEXT),
        ("sentence", TEXT),
        ("found", TEXT),
    ];
    let mut claims = with("claims", &first, &reason);
    let mut numbers = with("claim_numbers", &first, &[("decides", TEXT)]);
    for (stage, table) in reports {
        for claim in &table.claims {
            let [name, of] = told(&claim.claim);
            let row = [stage.into(), name.clone(), verdict(claim.verdict)];
            let [reason, reason_of] = told(&claim.reason);
            claims.push(
                row.into_iter()
                    .chain(statistic(claim.effect.as_ref()))
                    .chain([of, reason, reason_of])
                    .chain([
                        words::claims::statement(&claim.claim).into(),
                        words::reasons::found(claim).into(),
                    ]),
            );
            for (place, part) in claim.parts.iter().enumerate() {
                let row = [stage.into(), name.clone(), verdict(part.verdict)];
                let decides = [Value::from(if place < claim.deciding {
                    "yes"
                } else {
                    "no"
                })];
                numbers.push(row.into_iter().chain(statistic(Some(part))).chain(decides));
            }
        }
    }
    vec![claims, numbers]
}

/// The numbers of one claim: its effect, then those of its parts.
pub(crate) fn numbers_of(claim: &ClaimVerdict) -> Frame {
    let columns = [&[("row", TEXT), ("verdict", TEXT)], &STATISTIC[..]];
    let mut frame = Frame::of("claim_numbers", &columns.concat());
    let effect = claim.effect.iter().map(|effect| ("effect", effect));
    let parts = claim.parts.iter().enumerate().map(|(place, part)| {
        let row = if place < claim.deciding {
            "decides"
        } else {
            "beside"
        };
        (row, part)
    });
    for (row, of) in effect.chain(parts) {
        let first = [row.into(), verdict(of.verdict)];
        frame.push(first.into_iter().chain(statistic(Some(of))));
    }
    frame
}

/// `claim_choices`: a row for each claim and choice of level, target or schedule; the first decides.
pub(crate) fn choices<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Frame {
    let first = [
        ("report", TEXT),
        ("claim", TEXT),
        ("choice", TEXT),
        ("verdict", TEXT),
        ("agreement", TEXT),
    ];
    let mut choices = Frame::of("claim_choices", &[&first[..], &STATISTIC].concat());
    for (stage, table) in reports {
        for claim in &table.claims {
            let [name, _] = told(&claim.claim);
            for other in &claim.under {
                let agreement = match claim.agreement(other) {
                    Agreement::Agrees => "agrees",
                    Agreement::IsUndecided => "is_undecided",
                    Agreement::WouldDecide => "would_decide",
                    Agreement::IsMixed => "is_mixed",
                    Agreement::Contradicts => "contradicts",
                };
                let [_, choice] = told(&other.choice);
                let row = [
                    stage.into(),
                    name.clone(),
                    choice,
                    verdict(other.verdict),
                    agreement.into(),
                ];
                choices.push(row.into_iter().chain(statistic(other.statistic.as_ref())));
            }
        }
    }
    choices
}

pub(crate) fn performance<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Frame {
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
    for (stage, table) in reports {
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

pub(crate) fn noise_scale<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Frame {
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
    for (stage, table) in reports {
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

pub(crate) fn controls<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Frame {
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
    for (stage, table) in reports {
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
