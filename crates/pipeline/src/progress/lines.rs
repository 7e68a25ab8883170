//! The text of the bar and of the lines below it, for a terminal of any size.

use console::{Style, measure_text_width, truncate_str};

use crate::commands::plan::{duration, grouped};

/// How wide the bar is at least and at most.
const BAR: (usize, usize) = (6, 50);
/// Between parts.
const GAP: &str = "  ";

/// What is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) settled: usize,
    pub(crate) stages: usize,
    pub(crate) failed: usize,
    pub(crate) diverged: usize,
    /// Stages that another process executes.
    pub(crate) elsewhere: usize,
    /// Seconds since the run began.
    pub(crate) elapsed: f64,
    /// Seconds until its end, where that can be told.
    pub(crate) left: Option<f64>,
    /// One for each stage under way; none for a line that is kept free.
    pub(crate) rows: Vec<Option<Row>>,
}

/// A stage under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) name: Name,
    pub(crate) done: u64,
    /// 0 where it is not known.
    pub(crate) total: u64,
    pub(crate) text: String,
    pub(crate) seconds: f64,
}

/// A stage's name, which can be said shorter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Name {
    pub(crate) whole: String,
    pub(crate) family: String,
    pub(crate) coordinates: Vec<(String, String)>,
}

impl Name {
    /// As much of it as there is room for: the whole; settings by their first letters, as people abbreviate them
    /// (`kfac/bs=16,d=0.01,lr=0.05,s=0`); their values; as much of those as fits, the first and the last.
    fn fitting(&self, width: usize) -> String {
        if measure_text_width(&self.whole) <= width || self.coordinates.is_empty() {
            return middle(&self.whole, width);
        }
        let short = self.with(|name, value| format!("{name}={value}"));
        if measure_text_width(&short) <= width {
            return short;
        }
        let values = self.with(|_, value| value.to_owned());
        if measure_text_width(&values) <= width {
            return values;
        }
        middle(&values, width)
    }

    fn with(&self, write: impl Fn(&str, &str) -> String) -> String {
        let names = self.abbreviated();
        let parts = self.coordinates.iter().zip(&names);
        let parts: Vec<String> = parts.map(|((_, value), name)| write(name, value)).collect();
        format!("{}/{}", self.family, parts.join(","))
    }

    /// First letters of the words of each setting, and more where two would be the same.
    fn abbreviated(&self) -> Vec<String> {
        let initials = |name: &str| -> String {
            let words = name.split(['_', '.', '-']);
            words.filter_map(|word| word.chars().next()).collect()
        };
        let all: Vec<String> = self
            .coordinates
            .iter()
            .map(|(name, _)| initials(name))
            .collect();
        let names = self.coordinates.iter().zip(&all);
        let names = names.map(|((name, _), short)| {
            let alone = all.iter().filter(|other| *other == short).count() == 1;
            if alone { short } else { name }.clone()
        });
        names.collect()
    }
}

/// The beginning and the end of a text that is too long.
fn middle(text: &str, width: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    // Wide letters are rare: those that would be too many are cut off the end.
    let head = width.saturating_sub(1).div_ceil(2);
    let tail = width.saturating_sub(1) - head;
    let both: String = letters[..head]
        .iter()
        .chain(&['…'])
        .chain(&letters[letters.len() - tail..])
        .collect();
    truncate_str(&both, width, "").into_owned()
}

/// The lines: the bar, and below it what runs, on at most half of the screen.
pub(crate) fn lines(view: &View, width: usize, height: usize, colours: bool) -> Vec<String> {
    // A letter in the last column makes some terminals begin a new line.
    let width = width.saturating_sub(1).max(1);
    let mut lines = vec![bar(view, width, colours)];
    let room = (height / 2).max(1);
    let shown = if view.rows.len() > room {
        room - 1
    } else {
        view.rows.len()
    };
    lines.extend(rows(&view.rows[..shown], width));
    let more = view.rows[shown..].iter().flatten().count();
    if more > 0 {
        lines.push(truncate_str(&format!("{GAP}and {more} more"), width, "…").into_owned());
    }
    lines
}

fn bar(view: &View, width: usize, colours: bool) -> String {
    let plain = Style::new().for_stderr().force_styling(colours);
    let counts = [
        (view.diverged, "diverged", plain.clone().yellow()),
        (view.failed, "failed", plain.clone().red().bold()),
        (view.elsewhere, "elsewhere", plain.clone()),
    ];
    let count = |at: usize| {
        let (n, what, style) = &counts[at];
        (*n > 0).then(|| {
            style
                .apply_to(format!("{} {what}", grouped(*n as u64)))
                .to_string()
        })
    };
    let stages = format!(
        "{}/{}",
        grouped(view.settled as u64),
        grouped(view.stages as u64)
    );
    let elapsed = duration(view.elapsed);
    // Nobody is told of less than a second; a guess that has run out is none.
    let left = view.left.filter(|left| *left >= 1.0).map(duration);
    let time = match &left {
        Some(left) => format!("{elapsed}, about {left} left"),
        None => elapsed.clone(),
    };
    let about = left.as_ref().map(|left| format!("about {left} left"));
    let brief = left.map(|left| format!("{left} left"));
    let brief = brief.or(Some(elapsed));
    // From all that there is to say to what must be said.
    let choices = [
        vec![
            Some(format!("{stages} stages")),
            count(0),
            count(1),
            count(2),
            Some(time),
        ],
        vec![
            Some(format!("{stages} stages")),
            count(0),
            count(1),
            count(2),
            about.or_else(|| brief.clone()),
        ],
        vec![Some(stages.clone()), count(0), count(1), brief.clone()],
        vec![Some(stages.clone()), count(1), brief.clone()],
        vec![Some(stages.clone()), brief],
        vec![Some(stages)],
    ];
    let mut said = choices
        .into_iter()
        .map(|parts| parts.into_iter().flatten().collect::<Vec<_>>().join(GAP));
    let fits = |text: &String| measure_text_width(text) + GAP.len() + BAR.0 <= width;
    let Some(text) = said.by_ref().find(fits) else {
        let n = grouped(view.settled as u64);
        return truncate_str(&n, width, "").into_owned();
    };
    let room = (width - measure_text_width(&text) - GAP.len()).min(BAR.1);
    let share = view.settled as f64 / view.stages.max(1) as f64;
    // Full only when nothing is left.
    let full = ((room as f64 * share) as usize).min(room);
    let (done, rest) = ("━".repeat(full), "─".repeat(room - full));
    format!(
        "{}{}{GAP}{text}",
        plain.clone().cyan().apply_to(done),
        plain.dim().apply_to(rest)
    )
}

/// A line for each stage: its name, how far it is, what it says, and for how long it has run.
fn rows(rows: &[Option<Row>], width: usize) -> Vec<String> {
    let there = || rows.iter().flatten();
    let steps = |row: &Row| match (row.done, row.total) {
        (0, 0) => String::new(),
        (done, 0) => grouped(done),
        (done, total) => format!("{}/{}", grouped(done), grouped(total)),
    };
    let widest = |of: &dyn Fn(&Row) -> String| {
        let widths = there().map(|row| measure_text_width(&of(row)));
        widths.max().unwrap_or(0)
    };
    let text = |row: &Row| row.text.clone();
    let seconds = |row: &Row| duration(row.seconds);
    let name = |row: &Row| row.name.whole.clone();
    let (steps_wide, text_wide, seconds_wide) = (widest(&steps), widest(&text), widest(&seconds));
    // The name comes first in importance, then the step, what is said of it, and the time.
    let least = widest(&name).min(10);
    let gap = GAP.len();
    let mut room = width.saturating_sub(gap + least);
    let mut take = |wide: usize| {
        let fits = wide > 0 && wide + gap <= room;
        if fits {
            room -= wide + gap;
        }
        fits
    };
    let (has_steps, has_text, has_seconds) =
        (take(steps_wide), take(text_wide), take(seconds_wide));
    let name_wide = widest(&name).min(least + room);
    let line = |row: &Option<Row>| {
        let Some(row) = row else {
            return String::new();
        };
        let pad =
            |text: &str, wide: usize| " ".repeat(wide.saturating_sub(measure_text_width(text)));
        let name = row.name.fitting(name_wide);
        let mut line = format!("{GAP}{name}{}", pad(&name, name_wide));
        for (shown, text, wide) in [
            (has_steps, steps(row), steps_wide),
            (has_text, text(row), text_wide),
            (has_seconds, seconds(row), seconds_wide),
        ] {
            if shown {
                line.extend([GAP, &pad(&text, wide), &text]);
            }
        }
        truncate_str(line.trim_end(), width, "…").into_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(batch: u64, done: u64, total: u64, text: &str, seconds: f64) -> Row {
        let coordinates = [
            ("batch_size", batch.to_string()),
            ("damping", "0.01".to_owned()),
            ("learning_rate", "0.05".to_owned()),
            ("seed", "0".to_owned()),
        ];
        let coordinates = coordinates.map(|(name, value)| (name.to_owned(), value));
        let words: Vec<String> = coordinates
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        Row {
            name: Name {
                whole: format!("kfac/{}", words.join(",")),
                family: "kfac".to_owned(),
                coordinates: coordinates.to_vec(),
            },
            done,
            total,
            text: text.to_owned(),
            seconds,
        }
    }

    fn view() -> View {
        View {
            settled: 412,
            stages: 1034,
            failed: 1,
            diverged: 3,
            elsewhere: 0,
            elapsed: 80.0,
            left: Some(250.0),
            rows: vec![
                Some(row(16, 1204, 24_000, "loss 0.031", 12.3)),
                None,
                Some(row(16_384, 9, 240, "loss 2.302", 0.4)),
                Some(row(64, 0, 0, "", 130.0)),
            ],
        }
    }

    #[test]
    fn the_bar_and_its_lines_at_every_width() {
        let mut shown = String::new();
        for width in [20, 40, 60, 80, 120, 250] {
            let title = format!("--- {width}");
            for line in std::iter::once(title).chain(lines(&view(), width, 24, false)) {
                shown.extend([&line, "\n"]);
            }
        }
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn nothing_is_wider_than_the_screen_or_takes_more_than_half_of_it() {
        let mut view = view();
        view.rows = (0..64)
            .map(|at| Some(row(at, at, 100, "loss 1.0", 1.0)))
            .collect();
        view.rows[7].as_mut().unwrap().name.whole = "名前".repeat(40);
        view.rows[7].as_mut().unwrap().name.coordinates.clear();
        for width in 1..260 {
            for height in [1, 2, 5, 24, 200] {
                let lines = lines(&view, width, height, true);
                assert!(lines.len() <= 1 + (height / 2).max(1), "{width} x {height}");
                for line in &lines {
                    let wide = measure_text_width(line);
                    assert!(wide <= width, "{line} is {wide} wide at {width}");
                }
            }
        }
        let few = lines(&view, 80, 24, false);
        assert_eq!(few.last().unwrap(), "  and 53 more");
        assert_eq!(lines(&view, 80, 200, false).len(), 65);
    }

    #[test]
    fn names_are_shortened_as_people_do_it() {
        let name = row(16, 0, 0, "", 0.0).name;
        let shown = [60, 40, 28, 12].map(|width| name.fitting(width));
        assert_eq!(
            shown,
            [
                "kfac/batch_size=16,damping=0.01,learning_rate=0.05,seed=0",
                "kfac/bs=16,d=0.01,lr=0.05,s=0",
                "kfac/16,0.01,0.05,0",
                "kfac/1….05,0",
            ]
        );
        // Momentum and method are both an m.
        let other = Name {
            whole: "winners/method=sgd,momentum=0.9,seed=1".to_owned(),
            family: "winners".to_owned(),
            coordinates: vec![
                ("method".to_owned(), "sgd".to_owned()),
                ("momentum".to_owned(), "0.9".to_owned()),
                ("seed".to_owned(), "1".to_owned()),
            ],
        };
        assert_eq!(other.fitting(37), "winners/method=sgd,momentum=0.9,s=1");
    }
}
