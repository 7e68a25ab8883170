//! How stages failed, each reason once: three hundred runs without their program are one piece of news.

use std::collections::BTreeMap;

use engine::{Graph, Outcome, Summary, end_of_log};

use crate::commands::counted;

/// What is shown of a failed stage's log.
const SHOWN_LINES: usize = 5;
/// How many reasons are shown in full.
const SHOWN_REASONS: usize = 10;

/// Stages that failed for one reason.
struct Alike<'a> {
    /// The first of them.
    name: &'a str,
    error: &'a str,
    log: Option<&'a std::path::Path>,
    tail: Vec<String>,
    /// The others, by their stage of the study.
    others: BTreeMap<&'a str, usize>,
}

/// Says how stages failed, with the end of their logs.
pub(crate) fn list(graph: &Graph, summary: &Summary) {
    let reasons = reasons(graph, summary);
    for alike in reasons.iter().take(SHOWN_REASONS) {
        errln!("failed: {}: {}", alike.name, alike.error);
        for line in &alike.tail {
            errln!("  | {line}");
        }
        if let Some(log) = alike.log {
            errln!("  log: {}", log.display());
        }
        if !alike.others.is_empty() {
            let count = alike.others.values().sum();
            let families = alike.others.iter();
            let families = families.map(|(family, count)| format!("{count} of {family}"));
            errln!(
                "  and {} alike: {}",
                counted(count, "more stage"),
                families.collect::<Vec<_>>().join(", ")
            );
        }
    }
    let rest = reasons.iter().skip(SHOWN_REASONS);
    let rest: usize = rest
        .map(|alike| 1 + alike.others.values().sum::<usize>())
        .sum();
    if rest > 0 {
        errln!(
            "failed: {} in other ways; `pipeline logs STUDY STAGE` shows how",
            counted(rest, "more stage")
        );
    }
}

fn reasons<'a>(graph: &'a Graph, summary: &'a Summary) -> Vec<Alike<'a>> {
    let mut reasons: Vec<Alike<'_>> = Vec::new();
    let mut known: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (id, stage) in graph.iter() {
        let Outcome::Failed { error, log } = summary.outcome(id) else {
            continue;
        };
        let log = log.as_deref();
        let tail = log.map(end_of_log).unwrap_or_default();
        let lines: Vec<String> = tail.lines().map(str::to_owned).collect();
        let last = lines.last().map_or("", String::as_str);
        let reason = (without_numbers(error), without_numbers(last));
        if let Some(&at) = known.get(&reason) {
            *reasons[at].others.entry(&stage.family).or_default() += 1;
            continue;
        }
        known.insert(reason, reasons.len());
        reasons.push(Alike {
            name: &stage.name,
            error,
            log,
            tail: lines[lines.len().saturating_sub(SHOWN_LINES)..].to_vec(),
            others: BTreeMap::new(),
        });
    }
    reasons
}

/// Runs of a sweep name their own seed, step or file: what is left when numbers are taken out is the reason.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut reason = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '0'..='9' if reason.ends_with('0') => {}
            '0'..='9' => reason.push('0'),
            other => reason.push(other),
        }
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_numbers_have_one_reason() {
        let reason = without_numbers("seed 12 at step 300: bad rate 0.5");
        assert_eq!(reason, without_numbers("seed 3 at step 7: bad rate 0.25"));
        assert_ne!(reason, without_numbers("seed 3 at step 7: bad rates 0.25"));
    }
}
