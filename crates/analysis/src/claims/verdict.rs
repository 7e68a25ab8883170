//! The table of claims: verdict, statistic, interval, n, and the figure that each rests on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Agreement, Alternative, Claim, Reason, Remark, Statistic};

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
