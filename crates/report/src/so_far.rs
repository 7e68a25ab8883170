//! What a page so far says beside the tables of the runs that are done: how many those are, what is provisional, and
//! what each claim waits for. A page of all runs has nothing of it.

use analysis::claims::Claim;
use maud::{Markup, PreEscaped, html};

use crate::draw::number::{count, fixed, grouped};
use crate::words;

/// The style of the bar, which only such a page has.
pub(crate) const STYLE: &str = include_str!("so_far.css");
/// The page loads itself anew, which only such a page does.
pub(crate) const SCRIPT: &str = include_str!("script/so_far.js");

/// How far a study is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoFar {
    /// When the page was drawn, in UTC: `2026-03-01T12:00:00Z`.
    pub drawn: String,
    /// What became of its training runs.
    pub runs: Runs,
    /// Whether something works on it now.
    pub going: bool,
    /// Runs that end in an hour, where some have ended while it went.
    pub per_hour: Option<f64>,
    /// How long the rest takes, in seconds, where that can be told.
    pub seconds_left: Option<f64>,
    /// What each claim of the study waits for.
    pub claims: Vec<Waiting>,
    /// The stages that read runs and do not have all of them, in the order of the study.
    pub stages: Vec<PartOf>,
    /// After how many seconds an open page loads itself anew; none: never.
    pub reload: Option<u64>,
}

/// Training runs by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// All of the study.
    pub all: usize,
    /// Those that are done, diverged ones among them.
    pub done: usize,
    /// Those that diverged: a result, too.
    pub diverged: usize,
    /// Those that are being trained.
    pub running: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that a selection has yet to decide.
    pub undecided: usize,
}

/// A claim without a verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The claim.
    pub claim: Claim,
    /// The runs that are not done, of those that it rests on, by method.
    pub runs: Vec<Missing>,
    /// How many of them train winners that are not known yet.
    pub undecided: usize,
}

/// Runs of a method that are not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The optimiser.
    pub method: String,
    /// Their batch sizes, ascending, each once.
    pub batch_sizes: Vec<u64>,
    /// How many runs.
    pub runs: usize,
}

/// A stage that reads runs, of which it has a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartOf {
    /// The stage.
    pub stage: String,
    /// What it does with them.
    pub reads: Reads,
    /// Runs that are there.
    pub there: usize,
    /// All its runs.
    pub all: usize,
}

/// What a stage does with the runs that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// It chooses winners.
    Selection,
    /// It times targets.
    Targets,
    /// It draws heatmaps.
    Heatmaps,
}

impl SoFar {
    /// What is said of the stages that do one thing with runs; nothing where they have all.
    pub(crate) fn part(&self, reads: Reads) -> Option<Markup> {
        let mut parts = self.stages.iter().filter(|part| part.reads == reads);
        let parts: Vec<&PartOf> = parts.by_ref().collect();
        if parts.is_empty() {
            return None;
        }
        let warning = match reads {
            Reads::Selection => {
                "Provisional: other winners may be chosen when the other runs are done."
            }
            Reads::Targets => "So far: steps, fits and slopes of the runs that are done.",
            Reads::Heatmaps => {
                "So far: a cell shows the mean of its seeds that are done, and shares are of the cells that are known."
            }
        };
        Some(html! {
            p.note.warn.provisional {
                (warning)
                @for part in parts {
                    " " (words::name(&part.stage)) " has " (grouped(part.there as u64)) " of "
                    (count(part.all, "run")) "."
                }
            }
        })
    }

    /// The title of the page in a tab: how much is done comes first.
    pub(crate) fn title(&self, title: &str) -> String {
        format!("{} so far: {title}", self.share())
    }

    /// `37 %`, and less than all until all are done.
    fn share(&self) -> String {
        let Runs { all, done, .. } = self.runs;
        format!("{}\u{a0}%", 100 * done / all.max(1))
    }

    /// The bar below the title.
    pub(crate) fn bar(&self) -> Markup {
        let Runs { all, done, .. } = self.runs;
        let number = |n: usize| grouped(n as u64);
        html! {
            div #so-far.so-far role="group" aria-label="How far the study is" data-drawn=(self.drawn) data-reload=[self.reload] {
                p.state {
                    b { "The page so far: " (number(done)) " of " (count(all, "run")) " done" }
                    @for part in self.parts() { ", " (part) }
                    "."
                    @if let Some(rate) = self.rate() { " " (rate) }
                }
                progress aria-label="Runs done" max=(all.max(1)) value=(done) { (self.share()) }
                p.note {
                    "Drawn " time datetime=(self.drawn) { (self.drawn.replace('T', " ").replace('Z', " UTC")) }
                    span.ago {} ". There are no verdicts before all runs are done."
                    @if self.reload.is_some() {
                        span.reloads hidden { " The page loads itself anew and keeps its place." }
                    }
                }
            }
        }
    }

    /// What became of the other runs, in words.
    fn parts(&self) -> Vec<String> {
        let runs = self.runs;
        let counts = [
            (runs.running, "running"),
            (runs.failed, "failed"),
            (runs.diverged, "diverged"),
        ];
        let counts = counts.into_iter().filter(|(n, _)| *n > 0);
        let mut parts: Vec<String> = counts
            .map(|(n, what)| format!("{} {what}", grouped(n as u64)))
            .collect();
        if !self.going {
            parts.push("nothing is running now".to_owned());
        }
        parts
    }

    fn rate(&self) -> Option<String> {
        let rate = self
            .per_hour
            .map(|rate| format!("{} an hour", count(rate.round() as usize, "run")));
        let left = self
            .seconds_left
            .map(|seconds| format!("about {} left", roughly(seconds)));
        let mut said = [rate, left].into_iter().flatten();
        let first = said.next()?;
        let rest = said
            .next()
            .map_or(String::new(), |rest| format!(", {rest}"));
        Some(words::capital(&format!("{first}{rest}.")))
    }

    /// The claims, each with what it waits for.
    pub(crate) fn claims(&self, statement: impl Fn(&Claim) -> String) -> Markup {
        html! {
            @if self.claims.is_empty() {
                p.empty { "The study declares no claims; the figures below show the runs that are done." }
            } @else {
                p.note { "A claim gets its verdict when all runs that it rests on are done, not before." }
                @for (index, waiting) in self.claims.iter().enumerate() {
                    @let says = format!("claim-{}-says", index + 1);
                    article.claim id={ "claim-" (index + 1) } aria-labelledby=(says) {
                        span.verdict.undecided { b aria-hidden="true" { "…" } "waits" }
                        div {
                            h3.statement id=(says) { (words::prose(&statement(&waiting.claim))) }
                            p { (words::prose(&waiting.said())) }
                        }
                    }
                }
            }
        }
    }

    /// As part of the page, at its end.
    pub(crate) fn script() -> Markup {
        html! { script { (PreEscaped(SCRIPT)) } }
    }
}

impl Waiting {
    /// `Waits for 412 runs: 300 of K-FAC at batch sizes 16, 32 and 64, 112 of SGD at batch size 16.`
    fn said(&self) -> String {
        let all: usize = self.runs.iter().map(|missing| missing.runs).sum();
        if all == 0 {
            return "Every run that it rests on is done; the verdict comes with the finished page."
                .to_owned();
        }
        let parts: Vec<String> = self.runs.iter().map(Missing::said).collect();
        let undecided = match self.undecided {
            0 => String::new(),
            n if n == all => " They train the winners, which are not chosen yet.".to_owned(),
            1 => " 1 of them trains a winner that is not chosen yet.".to_owned(),
            n => format!(
                " {} of them train winners that are not chosen yet.",
                grouped(n as u64)
            ),
        };
        format!(
            "Waits for {}: {}.{undecided}",
            count(all, "run"),
            parts.join("; ")
        )
    }
}

impl Missing {
    fn said(&self) -> String {
        let batches: Vec<String> = self.batch_sizes.iter().map(|b| grouped(*b)).collect();
        let at = match &self.batch_sizes[..] {
            [] => String::new(),
            [one] => format!(" at batch size {}", grouped(*one)),
            [first, .., last] if batches.len() > 6 => format!(
                " at {} batch sizes from {} to {}",
                batches.len(),
                grouped(*first),
                grouped(*last)
            ),
            _ => format!(" at batch sizes {}", words::list(&batches)),
        };
        format!(
            "{} of {}{at}",
            grouped(self.runs as u64),
            words::method(&self.method)
        )
    }
}

/// A time that nobody knows better.
fn roughly(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{}\u{a0}s", fixed(s, 0)),
        s if s < 5400.0 => format!("{}\u{a0}min", fixed(s / 60.0, 0)),
        s if s < 172_800.0 => format!("{}\u{a0}h", fixed(s / 3600.0, 1)),
        s => format!("{} days", fixed(s / 86_400.0, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(['\u{a0}', '\u{202f}'], " ")
    }

    #[test]
    fn a_claim_says_which_runs_it_waits_for() {
        let missing = |method: &str, batch_sizes: &[u64], runs| Missing {
            method: method.into(),
            batch_sizes: batch_sizes.to_vec(),
            runs,
        };
        let mut waiting = Waiting {
            claim: serde_json::from_str(r#"{"diminishing_returns": {}}"#).unwrap(),
            runs: vec![
                missing("kfac", &[16, 32, 64], 1300),
                missing("sgd", &[16], 1),
            ],
            undecided: 10,
        };
        assert_eq!(
            plain(&waiting.said()),
            "Waits for 1301 runs: 1300 of K-FAC at batch sizes 16, 32 and 64; 1 of SGD at batch size 16. \
             10 of them train winners that are not chosen yet."
        );
        waiting.runs.truncate(1);
        waiting.runs[0].runs = 10;
        assert!(
            waiting
                .said()
                .ends_with("They train the winners, which are not chosen yet.")
        );
        waiting.runs.clear();
        assert!(
            waiting
                .said()
                .starts_with("Every run that it rests on is done")
        );
    }

    #[test]
    fn not_all_is_never_a_hundred_percent() {
        let so_far = |done| SoFar {
            runs: Runs {
                all: 1000,
                done,
                ..Runs::default()
            },
            ..SoFar::default()
        };
        assert_eq!(plain(&so_far(999).title("t")), "99 % so far: t");
        assert_eq!(plain(&so_far(0).title("t")), "0 % so far: t");
    }
}
