//! The table of claims: verdict, statistic, interval, n, and the figure that each rests on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Agreement, Alternative, Claim, Look, Need, Reason, Remark, Statistic, TestSet};

/// What the data say of a claim, in the order in which the verdicts are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What it says holds, at every part.
    Supported,
    /// At some part it holds, at another its opposite does.
    Mixed,
    /// Its opposite holds, at some part where it says "at every".
    Contradicted,
    /// Neither is shown, or there are too few seeds.
    Undecided,
}

impl Verdict {
    /// All, in their order.
    pub const ALL: [Self; 4] = [
        Self::Supported,
        Self::Mixed,
        Self::Contradicted,
        Self::Undecided,
    ];
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

/// A claim and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimVerdict {
    /// The claim with its levels and margins, as the study declares it.
    pub claim: Claim,
    /// What the data say.
    pub verdict: Verdict,
    /// Why: what was found.
    pub reason: Reason,
    /// What a reader must know beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
    /// The effect over all parts with its interval; `None` where there is none, such as where some run ended before
    /// it could tell.
    pub effect: Option<Statistic>,
    /// Every number that went in, such as one per batch size, with intervals that hold all at once; then those that
    /// are shown beside them, with intervals of their own.
    pub parts: Vec<Statistic>,
    /// How many of [`ClaimVerdict::parts`] decide.
    pub deciding: usize,
    /// Fewest seeds behind any number that decides.
    pub n: usize,
    /// The seeds that decide, ascending.
    pub seeds: Vec<u64>,
    /// Which look at the data this is, where there is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// What would decide it, where it is undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<Need>,
    /// How exactly the test set can tell the methods apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_set: Option<TestSet>,
    /// The figure it rests on.
    pub figure: Figure,
    /// The verdict under other choices, the one that decided first.
    pub under: Vec<Alternative>,
}

impl ClaimVerdict {
    /// What one of [`ClaimVerdict::under`] says beside the verdict.
    pub fn agreement(&self, other: &Alternative) -> Agreement {
        match (self.verdict, other.verdict) {
            (own, other) if own == other => Agreement::Agrees,
            (Verdict::Undecided, _) => Agreement::WouldDecide,
            (_, Verdict::Undecided) => Agreement::IsUndecided,
            (Verdict::Mixed, _) | (_, Verdict::Mixed) => Agreement::IsMixed,
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
