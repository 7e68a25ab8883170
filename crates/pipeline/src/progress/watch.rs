//! What is known of a run under way: which stages run, how far they are, and how long the rest may take.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use engine::{Event, Graph, Progress, StageId};
use serde_json::{Map, Value};

use crate::pace::Paces;
use crate::stages;

/// A place on the screen stays where it is this long after its stage has ended, so that the lines below do not jump
/// where stages are short.
const LINGERS: Duration = Duration::from_secs(1);

/// A run under way.
pub(crate) struct Watch<'a> {
    graph: &'a Graph,
    jobs: usize,
    /// Stages that other machines are at.
    others: usize,
    /// How long stages took in earlier runs, in seconds.
    expected: Vec<Option<f64>>,
    /// How long they took in this one.
    paces: Paces<'a>,
    /// Seconds of the stages that ran in this run and of which it was expected, and what was expected.
    beside: (f64, f64),
    settled: Vec<bool>,
    /// Those that another process executes.
    elsewhere: BTreeSet<StageId>,
    places: Vec<Place>,
}

enum Place {
    Free { since: Instant },
    Taken(Running),
}

/// A stage that runs.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) stage: StageId,
    pub(crate) since: Instant,
    /// The first that it said of how far it was: it may have gone on from a checkpoint.
    first: Option<(u64, Instant)>,
    pub(crate) progress: Option<Progress>,
}

impl Running {
    /// Seconds that it will yet take, by how it has gone so far.
    fn left(&self, now: Instant) -> Option<f64> {
        let (from, since) = self.first?;
        let Progress { done, total, .. } = self.progress.as_ref()?;
        let gone = done.checked_sub(from).filter(|gone| *gone > 0)?;
        let seconds = now.duration_since(since).as_secs_f64();
        Some(total.saturating_sub(*done) as f64 * seconds / gone as f64)
    }
}

impl<'a> Watch<'a> {
    pub(crate) fn new(graph: &'a Graph, jobs: usize) -> Self {
        Self {
            graph,
            jobs: jobs.max(1),
            others: 0,
            expected: Vec::new(),
            paces: Paces::default(),
            beside: (0.0, 0.0),
            settled: vec![false; graph.len()],
            elsewhere: BTreeSet::new(),
            places: Vec::new(),
        }
    }

    /// What earlier runs say of how long stages take, in seconds.
    pub(crate) fn expect(&mut self, expected: Vec<Option<f64>>) {
        self.expected = expected;
    }

    /// Takes note of an event.
    pub(crate) fn event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Started { stage } => self.start(*stage, now),
            Event::Progress { stage, progress } => {
                if let Some(running) = self.running_mut(*stage) {
                    running.first.get_or_insert((progress.done, now));
                    running.progress = Some(progress.clone());
                }
            }
            Event::Waiting { stage } => {
                self.elsewhere.insert(*stage);
            }
            Event::Finished {
                stage,
                seconds,
                notes,
            } => {
                self.learn(*stage, *seconds, notes);
                self.settle(*stage, now);
            }
            Event::Cached { stage }
            | Event::Failed { stage, .. }
            | Event::Skipped { stage, .. } => {
                self.settle(*stage, now);
            }
            Event::Others { done, running } => {
                for stage in done {
                    self.settle(*stage, now);
                }
                self.others = *running;
            }
            Event::Retrying { stage, .. } => self.leave(*stage, now),
            _ => {}
        }
    }

    fn start(&mut self, stage: StageId, now: Instant) {
        self.elsewhere.remove(&stage);
        // Another machine had done it, and its result is lost.
        self.settled[stage.index()] = false;
        self.leave(stage, now);
        let running = Place::Taken(Running {
            stage,
            since: now,
            first: None,
            progress: None,
        });
        let is_free = |place: &Place| matches!(place, Place::Free { .. });
        match self.places.iter().position(is_free) {
            Some(at) => self.places[at] = running,
            None => self.places.push(running),
        }
    }

    fn running_mut(&mut self, stage: StageId) -> Option<&mut Running> {
        self.places.iter_mut().find_map(|place| match place {
            Place::Taken(running) if running.stage == stage => Some(running),
            _ => None,
        })
    }

    fn leave(&mut self, stage: StageId, now: Instant) {
        for place in &mut self.places {
            if matches!(place, Place::Taken(running) if running.stage == stage) {
                *place = Place::Free { since: now };
            }
        }
    }

    fn settle(&mut self, stage: StageId, now: Instant) {
        self.elsewhere.remove(&stage);
        self.settled[stage.index()] = true;
        self.leave(stage, now);
    }

    fn learn(&mut self, id: StageId, seconds: f64, notes: &Map<String, Value>) {
        // One that diverged at its start says little of the others.
        if stages::notes_say_diverged(notes) {
            return;
        }
        self.paces.add(self.graph.stage(id), seconds);
        if let Some(expected) = self.expected.get(id.index()).copied().flatten() {
            self.beside.0 += seconds;
            self.beside.1 += expected;
        }
    }

    /// What runs, each in its place; none where a place was left a moment ago.
    pub(crate) fn places(&mut self, now: Instant) -> Vec<Option<Running>> {
        self.places.retain(|place| match place {
            Place::Free { since } => now.duration_since(*since) < LINGERS,
            Place::Taken(_) => true,
        });
        let places = self.places.iter().map(|place| match place {
            Place::Free { .. } => None,
            Place::Taken(running) => Some(running.clone()),
        });
        places.collect()
    }

    fn running(&self) -> impl Iterator<Item = &Running> {
        self.places.iter().filter_map(|place| match place {
            Place::Free { .. } => None,
            Place::Taken(running) => Some(running),
        })
    }

    /// How many stages run here, and elsewhere.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.running().count(), self.elsewhere.len())
    }

    /// How far the stage is that has run for longest.
    pub(crate) fn longest(&self) -> Option<&Running> {
        self.running().min_by_key(|running| running.since)
    }

    /// Seconds until the end, where that can be told: by earlier runs, else by the stages of this one that have ended or
    /// are under way.
    pub(crate) fn left(&self, now: Instant) -> Option<f64> {
        // This machine, or this load, is slower or faster than the one before.
        let factor = match self.beside {
            (_, expected) if expected < 1.0 => 1.0,
            (took, expected) => (took / expected).clamp(0.1, 10.0),
        };
        let mut by_course = Paces::default();
        let mut running: BTreeMap<StageId, (f64, Option<f64>)> = BTreeMap::new();
        for at in self.running() {
            let elapsed = now.duration_since(at.since).as_secs_f64();
            let left = at.left(now);
            if let Some(left) = left {
                by_course.add(self.graph.stage(at.stage), elapsed + left);
            }
            running.insert(at.stage, (elapsed, left));
        }
        let (mut sum, mut longest) = (0.0, 0.0_f64);
        let mut open: usize = 0;
        for (id, stage) in self
            .graph
            .iter()
            .filter(|(id, _)| !self.settled[id.index()])
        {
            let before = self.expected.get(id.index()).copied().flatten();
            let whole = before.map(|seconds| seconds * factor);
            let whole = whole.or_else(|| self.paces.expected(stage));
            let whole = whole.or_else(|| by_course.expected(stage));
            let is_run = stages::run_settings(&stage.kind, &stage.settings).is_some();
            let left = match running.get(&id) {
                Some((_, Some(left))) => Some(*left),
                Some((elapsed, None)) => whole.map(|whole| (whole - elapsed).max(0.0)),
                None => whole,
            };
            // What reads runs takes no time beside them.
            let left = left.or((!is_run).then_some(0.0))?;
            sum += left;
            longest = longest.max(left);
            open += 1;
        }
        let at_once = (self.jobs + self.others).min(open);
        (open > 0).then(|| longest.max(sum / at_once as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(runs: usize) -> Graph {
        let mut graph = Graph::new();
        for at in 0..runs {
            let settings = serde_json::json!({"batch_size": 16 << (at % 2)});
            graph
                .add(engine::Stage {
                    name: format!("a/seed={at}"),
                    family: "a".to_owned(),
                    coordinates: Vec::new(),
                    kind: "train".to_owned(),
                    settings: settings.as_object().unwrap().clone(),
                    bindings: Vec::new(),
                    inputs: Vec::new(),
                    execution: engine::Execution::default(),
                })
                .unwrap();
        }
        graph
    }

    fn finished(stage: StageId, seconds: f64) -> Event {
        Event::Finished {
            stage,
            seconds,
            notes: Map::new(),
        }
    }

    #[test]
    fn the_time_left_follows_from_earlier_runs_else_from_this_one() {
        let graph = graph(8);
        let ids: Vec<StageId> = graph.ids().collect();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut watch = Watch::new(&graph, 2);
        assert_eq!(watch.left(start), None, "nothing is known of any run");
        // A quarter of the way after 10 s: 30 s are left of it, and 40 s of each of the seven others.
        watch.event(&Event::Started { stage: ids[0] }, at(0));
        for (seconds, done) in [(0, 0), (10, 25)] {
            let progress = Progress {
                done,
                total: 100,
                text: String::new(),
            };
            let event = Event::Progress {
                stage: ids[0],
                progress,
            };
            watch.event(&event, at(seconds));
        }
        assert_eq!(watch.left(at(10)), Some(15.0 + 7.0 * 20.0));
        // Runs of the other batch size take half as long.
        watch.event(&finished(ids[0], 40.0), at(40));
        watch.event(&finished(ids[1], 20.0), at(40));
        assert_eq!(watch.left(at(40)), Some(3.0 * 20.0 + 3.0 * 10.0));
        // An earlier run knew better, on a machine that was twice as fast.
        let mut watch = Watch::new(&graph, 2);
        watch.expect(vec![Some(5.0); 8]);
        assert_eq!(watch.left(at(0)), Some(20.0));
        watch.event(&finished(ids[0], 10.0), at(10));
        assert_eq!(watch.left(at(10)), Some(7.0 * 10.0 / 2.0));
        for id in &ids[1..] {
            watch.event(&Event::Cached { stage: *id }, at(10));
        }
        assert_eq!(watch.left(at(10)), None, "nothing is left");
    }

    #[test]
    fn what_other_machines_do_counts() {
        let graph = graph(8);
        let ids: Vec<StageId> = graph.ids().collect();
        let now = Instant::now();
        let mut watch = Watch::new(&graph, 1);
        watch.expect(vec![Some(6.0); 8]);
        assert_eq!(watch.left(now), Some(48.0));
        let others = |done: &[usize], running| Event::Others {
            done: done.iter().map(|&at| ids[at]).collect(),
            running,
        };
        watch.event(&others(&[0, 1], 2), now);
        assert_eq!(watch.left(now), Some(36.0 / 3.0));
        // More are at work than there are stages left.
        watch.event(&others(&[2, 3, 4, 5, 6], 4), now);
        assert_eq!(watch.left(now), Some(6.0));
        let mut tally = super::super::plain::Tally::new(&graph);
        tally.count(&others(&[0, 1], 2));
        tally.count(&Event::Cached { stage: ids[0] });
        tally.count(&finished(ids[2], 1.0));
        assert_eq!(tally.settled(), 3, "none is counted twice");
        tally.count(&Event::Started { stage: ids[1] });
        assert_eq!(tally.settled(), 2, "its result was lost");
    }

    #[test]
    fn a_stage_keeps_its_place_and_the_next_one_takes_it() {
        let graph = graph(4);
        let ids: Vec<StageId> = graph.ids().collect();
        let start = Instant::now();
        let mut watch = Watch::new(&graph, 2);
        let shown = |watch: &mut Watch<'_>, now| -> Vec<Option<StageId>> {
            let places = watch.places(now).into_iter();
            places
                .map(|place| place.map(|running| running.stage))
                .collect()
        };
        for id in &ids[..2] {
            watch.event(&Event::Started { stage: *id }, start);
        }
        watch.event(&finished(ids[0], 1.0), start);
        assert_eq!(shown(&mut watch, start), [None, Some(ids[1])]);
        watch.event(&Event::Started { stage: ids[2] }, start);
        assert_eq!(shown(&mut watch, start), [Some(ids[2]), Some(ids[1])]);
        watch.event(&finished(ids[2], 1.0), start);
        assert_eq!(shown(&mut watch, start + LINGERS), [Some(ids[1])]);
        watch.event(&Event::Waiting { stage: ids[3] }, start);
        assert_eq!(watch.counts(), (1, 1));
    }
}
