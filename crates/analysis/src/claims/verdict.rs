//! The table of claims: verdict, statistic, interval, n, and the figure that each rests on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Estimate;
use crate::claims::Claim;

/// What the data say of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies where the claim says.
    Supported,
    /// The interval lies where the claim's opposite says.
    Contradicted,
    /// Neither, or too few seeds.
    Undecided,
}

/// The figure that a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Final performance of the confirmed winners.
    Winners,
    /// Steps to target against batch size.
    Scaling,
    /// Heatmaps of sensitivity.
    Heatmaps,
    /// Training curves.
    Curves,
    /// K-FAC at a large damping beside SGD.
    Controls,
}

/// How a number is to be read and printed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// As it stands.
    #[default]
    Plain,
    /// A share of one or a difference of shares: 0.01 is one percentage point.
    Points,
    /// The natural logarithm of a ratio: print its exponential, which 1 (not 0) divides.
    LogRatio,
}

/// One number that decided something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistic {
    /// What it is, in words: `difference of log-log slopes, K-FAC minus SGD`.
    pub name: String,
    /// For which part of the data: `batch size 64`; `None` if for all.
    pub part: Option<String>,
    /// The estimate, in its unit; its interval is there from two seeds on.
    pub estimate: Estimate,
    /// How to print it.
    #[serde(default)]
    pub unit: Unit,
    /// Seeds.
    pub n: usize,
    /// What it says on its own, by the claim's rule.
    pub verdict: Verdict,
}

/// The verdict under another choice of level, target, stage or schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The choice: `train loss 0.01`. Names of stages stand between backticks.
    pub choice: String,
    /// Verdict under it.
    pub verdict: Verdict,
    /// The number that decided it, or the one least in favour where there are several.
    pub statistic: Option<Statistic>,
    /// Why, where there is no statistic.
    pub reason: String,
    /// Whether it bears on the claim. A level that nearly no or nearly every cell passes does not.
    #[serde(default = "yes")]
    pub has_say: bool,
}

fn yes() -> bool {
    true
}

/// What another choice says beside the verdict that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// The same verdict.
    Agrees,
    /// The claim was decided, and under this choice it is not: weaker, but nothing against it.
    IsUndecided,
    /// The claim is undecided, and this choice would decide it.
    WouldDecide,
    /// The opposite verdict.
    Contradicts,
    /// It has no say.
    HasNoSay,
}

/// A claim and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimVerdict {
    /// The claim with its levels and margins, as the study declares it.
    pub claim: Claim,
    /// The claim as a sentence.
    pub sentence: String,
    /// What the data say.
    pub verdict: Verdict,
    /// Why, in plain sentences: first what was found. Names of stages stand between backticks.
    pub reason: String,
    /// The number that decided it, or the one least in favour where there are several.
    pub statistic: Option<Statistic>,
    /// Every number that went in, such as one per batch size.
    pub parts: Vec<Statistic>,
    /// Fewest seeds behind any of them.
    pub n: usize,
    /// The figure it rests on.
    pub figure: Figure,
    /// The verdict under other choices, the one that decided first.
    pub under: Vec<Alternative>,
}

impl ClaimVerdict {
    /// What one of [`ClaimVerdict::under`] says beside the verdict.
    pub fn agreement(&self, other: &Alternative) -> Agreement {
        match (self.verdict, other.verdict) {
            _ if !other.has_say => Agreement::HasNoSay,
            (own, other) if own == other => Agreement::Agrees,
            (Verdict::Undecided, _) => Agreement::WouldDecide,
            (_, Verdict::Undecided) => Agreement::IsUndecided,
            _ => Agreement::Contradicts,
        }
    }

    /// How many of the other choices (the one that decided left out) agree, and so on.
    pub fn elsewhere(&self) -> BTreeMap<Agreement, usize> {
        let mut counts = BTreeMap::new();
        for other in self.under.iter().skip(1) {
            *counts.entry(self.agreement(other)).or_default() += 1;
        }
        counts
    }
}
