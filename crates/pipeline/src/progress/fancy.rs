//! A bar on a terminal, with what is being computed beside it.

use std::time::Duration;

use engine::{Event, Graph};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Renderer;
use super::plain::{Tally, important, running};

pub(crate) struct Fancy<'a> {
    graph: &'a Graph,
    verbose: bool,
    tally: Tally<'a>,
    bar: ProgressBar,
}

impl<'a> Fancy<'a> {
    pub(crate) fn new(graph: &'a Graph, verbose: bool, colours: bool) -> Self {
        let bar =
            ProgressBar::with_draw_target(Some(graph.len() as u64), ProgressDrawTarget::stderr());
        let filled = if colours {
            "{bar:30.cyan/dim}"
        } else {
            "{bar:30}"
        };
        let template = format!("{filled} {{pos}}/{{len}} stages  {{elapsed}}  {{wide_msg}}");
        bar.set_style(
            ProgressStyle::with_template(&template)
                .expect("the template is sound")
                .progress_chars("━━─"),
        );
        bar.enable_steady_tick(Duration::from_millis(250));
        Self {
            graph,
            verbose,
            tally: Tally::new(graph),
            bar,
        }
    }
}

impl Renderer for Fancy<'_> {
    fn event(&mut self, event: &Event) {
        let family = self.tally.count(event);
        let settled = self.tally.settled().min(self.graph.len());
        self.bar.set_position(settled as u64);
        let news = self.tally.is_news(event) || self.verbose;
        let important = important(self.graph, event).filter(|_| news);
        for line in [important, family].into_iter().flatten() {
            self.bar.println(line);
        }
        if let Some(running) = running(self.graph, event) {
            let counts = [
                (self.tally.failed(), "failed"),
                (self.tally.diverged(), "diverged"),
            ];
            let counts = counts.into_iter().filter(|(count, _)| *count > 0);
            let mut parts: Vec<String> = counts
                .map(|(count, what)| format!("{count} {what}"))
                .collect();
            parts.push(running);
            self.bar.set_message(parts.join("  "));
        }
        if let Event::Finished { stage, seconds, .. } = event
            && self.verbose
        {
            let name = &self.graph.stage(*stage).name;
            self.bar
                .println(format!("finished {name} in {seconds:.2} s"));
        }
    }
}

impl Drop for Fancy<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
