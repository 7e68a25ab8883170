//! Some lines at the bottom of a terminal that are drawn again and again, and what is said above them for good.
//!
//! Own code, where `indicatif` was: that fills every line up to the last column, so that a terminal which is made
//! narrower takes all of them for one and leaves pieces behind, as it does where a long message is said above them.

use std::fmt::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use console::measure_text_width;

use crate::output::err;

/// How often the lines are drawn.
const TICK: Duration = Duration::from_millis(125);
/// How long to wait for whoever draws, before the process ends at once.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is drawn, so that whatever ends the process can take it away.
static SHOWN: Mutex<Option<Arc<Inner>>> = Mutex::new(None);

/// Gives the lines for a terminal of so many columns and lines.
pub(crate) type Lines = dyn Fn(usize, usize) -> Vec<String> + Send + Sync;

/// The lines, until dropped.
pub(crate) struct Screen {
    inner: Arc<Inner>,
    ticker: Option<JoinHandle<()>>,
}

struct Inner {
    lines: Box<Lines>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    block: Block,
    /// Nothing is drawn any more.
    closed: bool,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, state: &mut State, above: &str) {
        let (height, width) = console::Term::stderr().size();
        let (width, height) = (usize::from(width), usize::from(height));
        let lines = (self.lines)(width, height);
        err(&state.block.frame(above, &lines, width));
    }

    fn close(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.closed, true) {
            let (_, width) = console::Term::stderr().size();
            err(&state.block.frame("", &[], width.into()));
        }
        self.changed.notify_all();
    }
}

impl Screen {
    /// Shows lines from now on.
    pub(crate) fn show(lines: Box<Lines>) -> Self {
        let inner = Arc::new(Inner {
            lines,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        *shown() = Some(Arc::clone(&inner));
        let drawn = Arc::clone(&inner);
        let ticker = std::thread::spawn(move || {
            let mut state = drawn.lock();
            while !state.closed {
                drawn.draw(&mut state, "");
                let waited = drawn.changed.wait_timeout(state, TICK);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        });
        Self {
            inner,
            ticker: Some(ticker),
        }
    }

    /// Says a line above them, for good.
    pub(crate) fn say(&self, line: &str) {
        let mut state = self.inner.lock();
        if state.closed {
            errln!("{line}");
        } else {
            self.inner.draw(&mut state, line);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        shown().take();
        self.inner.close();
        if let Some(ticker) = self.ticker.take() {
            // A panic there has been printed.
            let _ = ticker.join();
        }
    }
}

fn shown() -> MutexGuard<'static, Option<Arc<Inner>>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the lines away before the process ends at once. A terminal that takes no text holds nobody up.
pub(crate) fn clear_soon() {
    let clearing = std::thread::spawn(|| {
        let inner = shown().take();
        if let Some(inner) = inner {
            inner.close();
        }
    });
    let start = Instant::now();
    while !clearing.is_finished() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What of the lines is on the screen: how wide each is. The cursor stands behind the last.
#[derive(Default)]
struct Block(Vec<usize>);

impl Block {
    /// What to write to a terminal so that it has `above` and then these lines in place of those that it has. Each of
    /// them is narrower than the terminal.
    ///
    /// Where the terminal was made narrower, lines that are too wide now take several: those that reflow their text, as
    /// nearly all do, are left as they should be.
    fn frame(&mut self, above: &str, lines: &[String], width: usize) -> String {
        let taken = |wide: &usize| wide.div_ceil(width.max(1)).max(1);
        let up = self.0.iter().map(taken).sum::<usize>().saturating_sub(1);
        let mut text = String::new();
        if self.0.is_empty() && lines.is_empty() && above.is_empty() {
            return text;
        }
        text.push('\r');
        if up > 0 {
            let _ = write!(text, "\x1b[{up}A");
        }
        if !above.is_empty() || lines.is_empty() {
            text += "\x1b[J";
        }
        for line in above.lines() {
            let _ = writeln!(text, "{line}");
        }
        for (at, line) in lines.iter().enumerate() {
            let end = if at + 1 < lines.len() { "\n" } else { "" };
            let _ = write!(text, "{line}\x1b[K{end}");
        }
        if !lines.is_empty() {
            text += "\x1b[J";
        }
        self.0 = lines.iter().map(|line| measure_text_width(line)).collect();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that knows what is used here.
    ///
    /// Source: ECMA-48, 5th edition, 8.3.22 (CUU), 8.3.39 (ED), 8.3.41 (EL).
    struct Terminal {
        width: usize,
        rows: Vec<Vec<char>>,
        at: (usize, usize),
    }

    impl Terminal {
        fn new(width: usize) -> Self {
            Self {
                width,
                rows: vec![Vec::new()],
                at: (0, 0),
            }
        }

        fn take(&mut self, text: &str) {
            let mut letters = text.chars().peekable();
            while let Some(letter) = letters.next() {
                let (row, column) = &mut self.at;
                match letter {
                    '\r' => *column = 0,
                    '\n' => {
                        (*row, *column) = (*row + 1, 0);
                        if *row == self.rows.len() {
                            self.rows.push(Vec::new());
                        }
                    }
                    '\x1b' => {
                        assert_eq!(letters.next(), Some('['));
                        let mut number = String::new();
                        let command = loop {
                            match letters.next().expect("a sequence ends") {
                                digit @ '0'..='9' => number.push(digit),
                                command => break command,
                            }
                        };
                        match command {
                            'A' => {
                                let up: usize = number.parse().unwrap();
                                assert!(up <= *row, "it goes beyond the top");
                                *row -= up;
                            }
                            'K' => self.rows[*row].truncate(*column),
                            'J' => {
                                self.rows.truncate(*row + 1);
                                self.rows[*row].truncate(*column);
                            }
                            other => panic!("{other} is not used here"),
                        }
                    }
                    letter => {
                        if *column == self.width {
                            (*row, *column) = (*row + 1, 0);
                            if *row == self.rows.len() {
                                self.rows.push(Vec::new());
                            }
                        }
                        let line = &mut self.rows[*row];
                        while line.len() <= *column {
                            line.push(' ');
                        }
                        line[*column] = letter;
                        *column += 1;
                    }
                }
            }
        }

        fn shown(&self) -> Vec<String> {
            self.rows.iter().map(|row| row.iter().collect()).collect()
        }
    }

    #[test]
    fn lines_replace_each_other_and_leave_what_was_said_and_nothing_else() {
        for width in [10, 17, 40] {
            let mut terminal = Terminal::new(width);
            terminal.take("$ run\n");
            let mut block = Block::default();
            let mut expected = Terminal::new(width);
            expected.take("$ run\n");
            // More and fewer lines, and messages that fill the line exactly, wrap, or come two at a time.
            for step in 0..200_usize {
                let lines: Vec<String> = (0..step * 7 % 5)
                    .map(|at| "x".repeat((step * 3 + at * 5) % width))
                    .collect();
                let above = match step % 4 {
                    0 => "m".repeat(step % 45),
                    1 => "two\nlines".to_owned(),
                    _ => String::new(),
                };
                terminal.take(&block.frame(&above, &lines, width));
                for line in above.lines() {
                    expected.take(&format!("{line}\n"));
                }
                let mut whole = expected.shown();
                whole.pop();
                whole.extend(if lines.is_empty() {
                    vec![String::new()]
                } else {
                    lines.clone()
                });
                assert_eq!(terminal.shown(), whole, "step {step} at {width}");
            }
            terminal.take(&block.frame("", &[], width));
            assert_eq!(terminal.shown(), expected.shown(), "{width}");
            assert_eq!(terminal.at, expected.at, "the cursor stands where it would");
        }
    }

    #[test]
    fn a_narrower_terminal_that_reflows_is_cleared_too() {
        let mut block = Block::default();
        let lines = ["a".repeat(30), "b".repeat(12)];
        block.frame("", &lines, 40);
        // At 10 columns they take 3 and 2 lines.
        let mut terminal = Terminal::new(10);
        terminal.take(&format!("said\n{}\n{}", lines[0], lines[1]));
        terminal.take(&block.frame("", &["c".to_owned()], 10));
        assert_eq!(terminal.shown(), ["said", "c"]);
    }
}
