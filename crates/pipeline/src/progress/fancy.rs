//! A bar on a terminal, with a line below it for each stage under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{Event, Graph, StageId};

use super::Renderer;
use super::lines::{Name, Row, View, lines};
use super::plain::{Tally, important, news_line};
use super::screen::Screen;
use super::watch::Watch;
use crate::live::News;

/// How often the time left is reckoned up.
const RECKON: Duration = Duration::from_secs(1);
/// How often what stages say of themselves is taken over.
const SHOW: Duration = Duration::from_millis(50);

pub(crate) struct Fancy<'a> {
    graph: &'a Graph,
    verbose: bool,
    tally: Tally<'a>,
    watch: Watch<'a>,
    reckoned: Option<Instant>,
    shown: Option<Instant>,
    shared: Arc<Mutex<Shared>>,
    colours: bool,
    /// None before anything runs: what is cached is there at once.
    screen: Option<Screen>,
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
        Self {
            graph,
            verbose,
            tally: Tally::new(graph),
            watch: Watch::new(graph, jobs),
            reckoned: None,
            shown: None,
            shared,
            colours,
            screen: None,
        }
    }

    /// Says a line above the bar, for good.
    fn say(&self, line: &str) {
        match &self.screen {
            Some(screen) => screen.say(line),
            None => errln!("{line}"),
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
        if self.screen.is_none() {
            let (shared, colours) = (Arc::clone(&self.shared), self.colours);
            self.screen = Some(Screen::show(Box::new(move |width, height| {
                let view = lock(&shared).now();
                lines(&view, width, height, colours)
            })));
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
        let begins = matches!(event, Event::Started { .. } | Event::Waiting { .. });
        let is_new = |last: Instant| now.duration_since(last) >= SHOW;
        let due = !matches!(event, Event::Progress { .. }) || self.shown.is_none_or(is_new);
        if begins || self.screen.is_some() && due {
            self.shown = Some(now);
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
