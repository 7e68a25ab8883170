//! Frames of a report: claims with their numbers and other choices, confirmed performance, noise scale,
//! controls.

use analysis::claims::{Agreement, Claim, Part, Statistic, Unit};
use analysis::report::ReportTable;
use analysis::{Metric, Named};

use super::tables::{bounded, estimate, told};
use super::{Frame, Rows};
use crate::words;

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

/// Every row of some reports, each with the stage that made its report.
fn rows<'t, R: 't>(
    reports: impl Iterator<Item = (&'t str, &'t ReportTable)>,
    of: impl Fn(&'t ReportTable) -> &'t [R],
) -> impl Iterator<Item = (&'t str, &'t R)> {
    reports.flat_map(move |(stage, table)| of(table).iter().map(move |row| (stage, row)))
}

/// The part that a number is of, as its fields.
fn part(part: &Part) -> Option<String> {
    match part {
        Part::BatchSize(batch_size) => Some(format!("batch_size={batch_size}")),
        others => {
            let [_, fields] = told(others);
            fields
        }
    }
}

impl<R: Copy> Rows<R> {
    /// What a statistic measures and of what, part, unit, value, ends, n.
    fn statistic<'t>(self, of: impl Fn(R) -> Option<&'t Statistic>) -> Self {
        self.columns(["statistic", "statistic_of"], |row| {
            of(row).map_or([None, None], |of| told(&of.quantity))
        })
        .column("part", |row| part(of(row)?.part.as_ref()?))
        .column("unit", |row| {
            of(row).map(|statistic| match statistic.quantity.unit() {
                Unit::Plain => "plain",
                Unit::Share => "share",
                Unit::LogRatio => "log_ratio",
            })
        })
        .columns(["value", "low", "high"], |row| {
            estimate(of(row).map(|statistic| &statistic.estimate))
        })
        .column("n", |row| of(row).map(|statistic| statistic.n))
    }
}

fn name(claim: &Claim) -> Option<String> {
    let [name, _] = told(claim);
    name
}

/// `claims` and `claim_numbers`: names and numbers for programs, and the page's words.
fn claims<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Vec<Frame> {
    let all: Vec<_> = rows(reports, |table| &table.claims).collect();
    let parts = all.iter().flat_map(|(stage, claim)| {
        let parts = claim.parts.iter();
        parts.map(move |part| (*stage, *claim, part))
    });
    let numbers = Rows::new("claim_numbers", parts)
        .column("report", |(stage, ..)| stage)
        .column("claim", |(_, claim, _)| name(&claim.claim))
        .column("verdict", |(.., part)| words::claims::verdict(part.verdict))
        .statistic(|(.., part)| Some(part))
        .frame();
    let claims = Rows::new("claims", all)
        .column("report", |(stage, _)| stage)
        .column("claim", |(_, claim)| name(&claim.claim))
        .column("verdict", |(_, claim)| {
            words::claims::verdict(claim.verdict)
        })
        .statistic(|(_, claim)| claim.statistic.as_ref())
        .column("claim_of", |(_, claim)| {
            let [_, of] = told(&claim.claim);
            of
        })
        .columns(["reason", "reason_of"], |(_, claim)| told(&claim.reason))
        .column("sentence", |(_, claim)| {
            words::claims::statement(&claim.claim)
        })
        .column("found", |(_, claim)| words::reasons::found(claim))
        .frame();
    vec![claims, numbers]
}

/// `claim_choices`: a row for each claim and choice of level, target or schedule; the first decides.
pub(crate) fn choices<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Frame {
    let all = rows(reports, |table| &table.claims).flat_map(|(stage, claim)| {
        let others = claim.under.iter();
        others.map(move |other| (stage, claim, other))
    });
    Rows::new("claim_choices", all)
        .column("report", |(stage, ..)| stage)
        .column("claim", |(_, claim, _)| name(&claim.claim))
        .column("choice", |(.., other)| {
            let [_, choice] = told(&other.choice);
            choice
        })
        .column("verdict", |(.., other)| {
            words::claims::verdict(other.verdict)
        })
        .column("agreement", |(_, claim, other)| {
            match claim.agreement(other) {
                Agreement::Agrees => "agrees",
                Agreement::IsUndecided => "is_undecided",
                Agreement::WouldDecide => "would_decide",
                Agreement::Contradicts => "contradicts",
                Agreement::HasNoSay => "has_no_say",
            }
        })
        .statistic(|(.., other)| other.statistic.as_ref())
        .frame()
}

pub(crate) fn performance<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Frame {
    let all = rows(reports, |table| &table.performance).flat_map(|(stage, row)| {
        let metrics = row.metrics.iter();
        metrics.map(move |(metric, estimate)| (stage, row, *metric, estimate))
    });
    Rows::new("performance", all)
        .column("report", |(stage, ..)| stage)
        .column("table", |(_, row, ..)| &row.winners)
        .column("entry", |(_, row, ..)| &row.entry)
        .column("method", |(_, row, ..)| &row.method)
        .column("batch_size", |(_, row, ..)| row.batch_size)
        .column("seeds", |(_, row, ..)| row.seeds)
        .column("diverged", |(_, row, ..)| row.diverged)
        .column("metric", |(_, _, metric, _)| metric.name())
        .columns(["mean", "low", "high"], |(.., of_metric)| {
            estimate(Some(of_metric))
        })
        .frame()
}

pub(crate) fn noise_scale<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Frame {
    let all = rows(reports, |table| &table.noise).flat_map(|(stage, row)| {
        let at_target = row.at_target.iter();
        at_target.map(move |at| (stage, row, at))
    });
    Rows::new("noise_scale", all)
        .column("report", |(stage, ..)| stage)
        .column("table", |(_, row, _)| &row.targets)
        .column("stage", |(_, row, _)| &row.stage)
        .column("method", |(_, row, _)| &row.method)
        .column("metric", |(_, row, _)| row.target.metric.name())
        .column("level", |(_, row, _)| row.target.level)
        .column("batch_size", |(.., at)| at.batch_size)
        .column("runs", |(.., at)| at.runs)
        .column("measurements", |(.., at)| at.scale.measurements)
        .column("trace", |(.., at)| at.scale.trace)
        .column("gradient", |(.., at)| at.scale.gradient)
        .columns(
            ["noise_scale", "noise_scale_low", "noise_scale_high"],
            |(.., at)| bounded(Some(at.scale.bounded)),
        )
        .columns(["b_crit", "b_crit_low", "b_crit_high"], |(_, row, _)| {
            bounded(row.critical_batch)
        })
        .frame()
}

pub(crate) fn controls<'t>(reports: impl Iterator<Item = (&'t str, &'t ReportTable)>) -> Frame {
    let all = rows(reports, |table| &table.controls).flat_map(|(stage, row)| {
        let metrics = Metric::ALL.into_iter();
        metrics.filter_map(move |metric| Some((stage, row, metric, row.differences.get(&metric)?)))
    });
    Rows::new("controls", all)
        .column("report", |(stage, ..)| stage)
        .column("kfac_stage", |(_, row, ..)| &row.kfac_stage)
        .column("sgd_stage", |(_, row, ..)| &row.sgd_stage)
        .column("batch_size", |(_, row, ..)| row.batch_size)
        .column("damping", |(_, row, ..)| row.damping)
        .column("learning_rate", |(_, row, ..)| row.learning_rate)
        .column("sgd_rate", |(_, row, ..)| row.sgd_rate)
        .column("largest_curvature", |(_, row, ..)| row.largest_curvature)
        .column("seeds", |(_, row, ..)| row.seeds)
        .column("one_diverged", |(_, row, ..)| row.one_diverged)
        .column("metric", |(_, _, metric, _)| metric.name())
        .columns(["difference", "low", "high"], |(.., difference)| {
            estimate(Some(difference))
        })
        .frame()
}
