//! How far a study is: its runs by what became of them, what is provisional, what the claims wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use analysis::claims::Claim;
use engine::{Graph, SoFar, StageId, Store};
use report::{Missing, PartOf, Reads, Runs, Waiting};

use crate::pace::{self, Paces};
use crate::{Failure, stages};

/// How far a study is.
pub(crate) struct Progress<'a> {
    graph: &'a Graph,
    there: &'a SoFar,
    pub(crate) runs: Runs,
    going: bool,
    per_hour: Option<f64>,
    seconds_left: Option<f64>,
}

impl<'a> Progress<'a> {
    pub(crate) fn of(
        graph: &'a Graph,
        store: &Store,
        study: &str,
        there: &'a SoFar,
    ) -> Result<Self, Failure> {
        // Other processes, on this machine or another that shares the cache, work on it, too.
        let mut journals = store.runs()?;
        journals.retain(|run| run.begin.study == study);
        let going = journals.iter().any(|run| run.alive);
        // How the last run failed is of interest until the next one.
        let mut newest = true;
        journals.retain(|run| run.alive || std::mem::take(&mut newest) && !going);
        let names: BTreeMap<&str, StageId> = graph
            .iter()
            .map(|(id, stage)| (stage.name.as_str(), id))
            .collect();
        let mut progress = Self {
            graph,
            there,
            runs: Runs::default(),
            going,
            per_hour: None,
            seconds_left: None,
        };
        let open = |name: &str| {
            let id = names.get(name).copied();
            id.filter(|&id| progress.is_run(id) && !progress.is_done(id))
        };
        let mut running: BTreeMap<StageId, f64> = BTreeMap::new();
        let mut failed: BTreeSet<StageId> = BTreeSet::new();
        for run in &journals {
            failed.extend(run.failed.iter().filter_map(|(name, _)| open(name)));
            if run.alive {
                let begun = run.running.iter();
                running.extend(begun.filter_map(|(name, at)| Some((open(name)?, since(*at)))));
            }
        }
        failed.retain(|id| !running.contains_key(id));

        let mut paces = Paces::default();
        let mut counts = Runs {
            running: running.len(),
            failed: failed.len(),
            ..Runs::default()
        };
        for (id, stage) in graph.iter().filter(|(id, _)| progress.is_run(*id)) {
            counts.all += 1;
            if let Some(record) = there.plan.stage(id).record.as_ref() {
                counts.done += 1;
                counts.diverged += usize::from(stages::diverged(record));
                paces.add(stage, record.provenance.seconds);
            } else if progress.is_undecided(id) {
                counts.undecided += 1;
            }
        }
        let left = graph.iter().filter(|(id, _)| {
            progress.is_run(*id) && !progress.is_done(*id) && !failed.contains(id)
        });
        let left = left.map(|(id, stage)| {
            let elapsed = running.get(&id).copied().unwrap_or_default();
            paces
                .expected(stage)
                .map(|seconds| (seconds - elapsed).max(0.0))
        });
        let left: Option<f64> = left.sum();
        progress.runs = counts;
        if going {
            progress.seconds_left = left.map(|left| left / running.len().max(1) as f64);
            let alive = journals.iter().filter(|run| run.ran > 0);
            let rates = alive.map(|run| run.ran as f64 / since(run.begin.at).max(1.0));
            progress.per_hour = Some(rates.sum::<f64>() * 3600.0).filter(|rate| *rate > 0.0);
        }
        Ok(progress)
    }

    fn is_run(&self, id: StageId) -> bool {
        let stage = self.graph.stage(id);
        stages::run_settings(&stage.kind, &stage.settings).is_some()
    }

    fn is_done(&self, id: StageId) -> bool {
        self.there.plan.stage(id).record.is_some()
    }

    /// Whether a selection has yet to decide what it trains.
    fn is_undecided(&self, id: StageId) -> bool {
        let bindings = &self.graph.stage(id).bindings;
        bindings.iter().any(|binding| !self.is_done(binding.from))
    }

    /// What the page of a report stage with these claims says.
    pub(crate) fn page(
        &self,
        report: StageId,
        claims: Vec<Claim>,
        reload: Option<u64>,
    ) -> report::SoFar {
        report::SoFar {
            drawn: engine::utc(SystemTime::now()),
            runs: self.runs,
            going: self.going,
            per_hour: self.per_hour,
            seconds_left: self.seconds_left,
            claims: claims
                .into_iter()
                .map(|claim| self.waiting(report, claim))
                .collect(),
            stages: self.parts(report),
            reload,
        }
    }

    /// The stages behind a report that do not have all their runs.
    fn parts(&self, report: StageId) -> Vec<PartOf> {
        let upstream = self.graph.upstream(report).iter();
        let parts = upstream.filter_map(|id| {
            let stage = self.graph.stage(*id);
            let partial = self.there.partial.get(id)?;
            let reads = match stage.kind.as_str() {
                "select" => Reads::Selection,
                "steps_to_target" => Reads::Targets,
                "heatmap" => Reads::Heatmaps,
                _ => return None,
            };
            (partial.absent > 0).then(|| PartOf {
                stage: stage.name.clone(),
                reads,
                there: partial.there,
                all: partial.there + partial.absent,
            })
        });
        parts.collect()
    }

    fn waiting(&self, report: StageId, claim: Claim) -> Waiting {
        let upstream = self.graph.upstream(report).iter().copied();
        let rests_on = |id: &StageId| {
            let stage = self.graph.stage(*id);
            match claim {
                Claim::ComparablePerformance { .. } => !stage.bindings.is_empty(),
                Claim::DiminishingReturns { .. } | Claim::FasterPerIteration { .. } => {
                    stage.kind == "steps_to_target"
                }
                Claim::RegionShrinksAtFixedEpochs { .. }
                | Claim::RegionGrowsAtFixedIterations { .. }
                | Claim::RatesAndDampingsCorrelate { .. } => stage.kind == "heatmap",
                Claim::LargeDampingIsSgd { .. } => true,
            }
        };
        let open: Vec<StageId> = self
            .behind(upstream.filter(rests_on))
            .into_iter()
            .filter(|&id| self.is_run(id) && !self.is_done(id))
            .collect();
        let mut methods: BTreeMap<&str, (BTreeSet<u64>, usize)> = BTreeMap::new();
        for &id in &open {
            let stage = self.graph.stage(id);
            let (batches, count) = methods
                .entry(pace::method(stage).unwrap_or(&stage.family))
                .or_default();
            batches.extend(pace::batch_size(stage));
            *count += 1;
        }
        let missing = methods
            .into_iter()
            .map(|(method, (batches, runs))| Missing {
                method: method.to_owned(),
                batch_sizes: batches.into_iter().collect(),
                runs,
            });
        Waiting {
            claim,
            runs: missing.collect(),
            undecided: open.iter().filter(|&&id| self.is_undecided(id)).count(),
        }
    }

    /// Some stages and all that they rest on.
    fn behind(&self, stages: impl Iterator<Item = StageId>) -> BTreeSet<StageId> {
        let mut todo: Vec<StageId> = stages.collect();
        let mut found = BTreeSet::new();
        while let Some(id) = todo.pop() {
            if found.insert(id) {
                todo.extend(self.graph.upstream(id));
            }
        }
        found
    }
}

/// Seconds since then; 0 if the clock was set back.
fn since(then: u64) -> f64 {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(then);
    then.elapsed().unwrap_or_default().as_secs_f64()
}
