//! A bar on a terminal, with a line below it for each stage under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{Event, Graph, StageId};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::{Name, Row, View, lines};
use super::plain::{Tally, important, news_line};
use super::watch::Watch;
use super::{Renderer, screen};
use crate::live::News;

/// How often it is drawn.
const TICK: Duration = Duration::from_millis(125);
/// How often the time left is reckoned up.
const RECKON: Duration = Duration::from_millis(500);

pub(crate) struct Fancy<'a> {
    graph: &'a Graph,
    verbose: bool,
    tally: Tally<'a>,
    watch: Watch<'a>,
    reckoned: Option<Instant>,
    shared: Arc<Mutex<Shared>>,
    bar: ProgressBar,
}

/// What is drawn, and since when it holds: on the screen time goes on between two events.
struct Shared {
    view: View,
    begun: Instant,
    /// When the time left was reckoned up.
    reckoned: Instant,
    /// When each stage that is shown began.
    rows: Vec<Option<Instant>>,
}

impl Shared {
    fn now(&self) -> View {
        let mut view = self.view.clone();
        view.elapsed = self.begun.elapsed().as_secs_f64();
        let since = self.reckoned.elapsed().as_secs_f64();
        view.left = view.left.map(|left| (left - since).max(0.0));
        for (row, since) in view.rows.iter_mut().zip(&self.rows) {
            if let (Some(row), Some(since)) = (row, since) {
                row.seconds = since.elapsed().as_secs_f64();
            }
        }
        view
    }
}

impl<'a> Fancy<'a> {
    pub(crate) fn new(graph: &'a Graph, jobs: usize, verbose: bool, colours: bool) -> Self {
        let now = Instant::now();
        let shared = Arc::new(Mutex::new(Shared {
            view: View {
                stages: graph.len(),
                ..View::default()
            },
            begun: now,
            reckoned: now,
            rows: Vec::new(),
        }));
        let drawn = Arc::clone(&shared);
        let style = ProgressStyle::with_template("{lines}")
            .expect("the template is sound")
            .with_key(
                "lines",
                move |_: &indicatif::ProgressState, to: &mut dyn std::fmt::Write| {
                    let (height, width) = console::Term::stderr().size();
                    let view = lock(&drawn).now();
                    let lines = lines(&view, width.into(), height.into(), colours);
                    // A text in memory takes whatever is written to it.
                    let _ = to.write_str(&lines.join("\n"));
                },
            );
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style);
        screen::show(&bar);
        Self {
            graph,
            verbose,
            tally: Tally::new(graph),
            watch: Watch::new(graph, jobs),
            reckoned: None,
            shared,
            bar,
        }
    }

    /// Says a line above the bar, for good.
    fn say(&self, line: &str) {
        // What masks addresses, and ends this process where nobody reads, is there.
        if self.reckoned.is_none() {
            errln!("{line}");
        } else {
            self.bar.println(engine::mask_users(line));
        }
    }

    fn row(&self, stage: StageId, progress: Option<&engine::Progress>) -> Row {
        let stage = self.graph.stage(stage);
        let progress = progress.cloned().unwrap_or_default();
        Row {
            name: Name {
                whole: stage.name.clone(),
                family: stage.family.clone(),
                coordinates: stage.coordinates.clone(),
            },
            done: progress.done,
            total: progress.total,
            text: progress.text,
            seconds: 0.0,
        }
    }

    /// Puts what is known where it is drawn from.
    fn show(&mut self, now: Instant) {
        let places = self.watch.places(now);
        let due = self
            .reckoned
            .is_none_or(|last| now.duration_since(last) >= RECKON);
        let left = due.then(|| self.watch.left(now));
        let begins = self.reckoned.is_none();
        if due {
            self.reckoned = Some(now);
        }
        let rows: Vec<Option<Row>> = places
            .iter()
            .map(|place| {
                let running = place.as_ref()?;
                Some(self.row(running.stage, running.progress.as_ref()))
            })
            .collect();
        let mut shared = lock(&self.shared);
        let view = &mut shared.view;
        view.settled = self.tally.settled().min(self.graph.len());
        view.failed = self.tally.failed();
        view.diverged = self.tally.diverged();
        view.elsewhere = self.watch.counts().1;
        view.rows = rows;
        if let Some(left) = left {
            view.left = left;
            shared.reckoned = now;
        }
        shared.rows = places
            .iter()
            .map(|place| place.as_ref().map(|running| running.since))
            .collect();
        drop(shared);
        if begins {
            self.bar.enable_steady_tick(TICK);
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Renderer for Fancy<'_> {
    fn event(&mut self, event: &Event) {
        let now = Instant::now();
        let family = self.tally.count(event);
        self.watch.event(event, now);
        let news = self.tally.is_news(event) || self.verbose;
        let important = important(self.graph, event).filter(|_| news);
        let finished = match event {
            Event::Finished { stage, seconds, .. } if self.verbose => {
                let name = &self.graph.stage(*stage).name;
                Some(format!("finished {name} in {seconds:.2} s"))
            }
            _ => None,
        };
        for line in [important, finished, family].into_iter().flatten() {
            self.say(&line);
        }
        // Before anything runs there is nothing to wait for: what is cached is there at once.
        if self.reckoned.is_some() || matches!(event, Event::Started { .. } | Event::Waiting { .. })
        {
            self.show(now);
        }
    }

    fn expect(&mut self, expected: Vec<Option<f64>>) {
        self.watch.expect(expected);
    }

    fn news(&mut self, news: &News) {
        if let Some(line) = news_line(news) {
            self.say(&line);
        }
    }
}

impl Drop for Fancy<'_> {
    fn drop(&mut self) {
        screen::clear();
    }
}
