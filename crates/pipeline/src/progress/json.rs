//! One JSON object a line, for programs.

use std::time::{Duration, Instant};

use engine::{Event, Graph, StageId};
use serde_json::{Value, json};

use super::Renderer;
use super::plain::Tally;
use super::watch::Watch;
use crate::live::News;

/// How often it is said how far the run is.
const EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Json<'a> {
    graph: &'a Graph,
    tally: Tally<'a>,
    watch: Watch<'a>,
    said: Instant,
}

impl<'a> Json<'a> {
    pub(crate) fn new(graph: &'a Graph, jobs: usize) -> Self {
        Self {
            graph,
            tally: Tally::new(graph),
            watch: Watch::new(graph, jobs),
            said: Instant::now(),
        }
    }
}

impl Renderer for Json<'_> {
    fn event(&mut self, event: &Event) {
        let mut line = serde_json::to_value(event).expect("an event is JSON");
        // Positions in the graph mean nothing outside: names stand in their place.
        for field in ["stage", "because", "largest"] {
            if let Some(value) = line.get_mut(field)
                && let Ok(id) = serde_json::from_value::<StageId>(value.clone())
            {
                *value = Value::from(self.graph.stage(id).name.as_str());
            }
        }
        if let Event::Others { done, .. } = event {
            let names = done.iter().map(|id| self.graph.stage(*id).name.as_str());
            line["done"] = names.collect();
        }
        errln!("{line}");
        let now = Instant::now();
        self.tally.count(event);
        self.watch.event(event, now);
        if now.duration_since(self.said) >= EVERY {
            self.said = now;
            let (running, elsewhere) = self.watch.counts();
            errln!(
                "{}",
                json!({
                    "event": "state", "stages": self.graph.len(), "settled": self.tally.settled(),
                    "running": running, "elsewhere": elsewhere, "failed": self.tally.failed(),
                    "diverged": self.tally.diverged(), "seconds_left": self.watch.left(now),
                })
            );
        }
    }

    fn expect(&mut self, expected: Vec<Option<f64>>) {
        self.watch.expect(expected);
    }

    fn news(&mut self, news: &News) {
        let line = match news {
            News::Page {
                paths,
                done,
                runs,
                cpu_seconds,
                ..
            } => {
                let paths: Vec<String> = paths.iter().map(|it| it.display().to_string()).collect();
                json!({
                    "event": "page", "paths": paths, "done": done, "runs": runs, "cpu_seconds": cpu_seconds,
                })
            }
            News::Failed { error } => json!({"event": "page_failed", "error": error.to_string()}),
        };
        errln!("{line}");
    }
}
