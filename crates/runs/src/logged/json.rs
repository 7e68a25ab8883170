//! Records in JSON: one object after another (JSON Lines), a list of them, or the `log_history` of Hugging Face's
//! `trainer_state.json`.
//!
//! Read here and not by `serde_json`, because what loggers write is not quite JSON: Python writes `NaN` and
//! `Infinity`, numbers beyond a double's range are infinite, and a key that is given twice must be refused.
//! Source: RFC 8259.

use std::borrow::Cow;

use super::table::Reader;
use super::{LogError, LogProblem};

/// Nesting that a record may have.
const DEEPEST: usize = 32;

/// A value with the line that it begins in.
struct Value<'a> {
    line: usize,
    of: Of<'a>,
}

enum Of<'a> {
    /// A number, `true`, `null`, `NaN`, as it is written; or a text without its quotes.
    Scalar(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Reads one value after another.
pub(super) fn read(text: &str, reader: &mut Reader<'_>) -> Result<(), LogError> {
    let mut parser = Parser {
        text,
        at: 0,
        line: 1,
    };
    loop {
        parser.space();
        if parser.at == text.len() {
            return Ok(());
        }
        let value = parser
            .value(0)
            .map_err(|problem| reader.file.at(parser.line, problem))?;
        match value.of {
            Of::Object(mut entries) => {
                let history = entries.iter().position(|(key, _)| key == "log_history");
                match history.map(|at| entries.swap_remove(at).1) {
                    Some(history) => list(history, reader)?,
                    None => record(value.line, &entries, reader)?,
                }
            }
            Of::List(_) => list(value, reader)?,
            Of::Scalar(text) => return Err(reader.file.at(value.line, no_record(&text))),
        }
    }
}

fn no_record(text: &str) -> LogProblem {
    LogProblem::NotARecord {
        text: text.to_owned(),
    }
}

fn list(value: Value<'_>, reader: &mut Reader<'_>) -> Result<(), LogError> {
    let Of::List(items) = value.of else {
        return Err(reader.file.at(value.line, LogProblem::HistoryNotAList));
    };
    for item in items {
        match item.of {
            // What Hugging Face adds at the end sums up the whole run: its `train_loss` is no evaluation.
            Of::Object(entries) if entries.iter().any(|(key, _)| key == "train_runtime") => {}
            Of::Object(entries) => record(item.line, &entries, reader)?,
            Of::Scalar(text) => return Err(reader.file.at(item.line, no_record(&text))),
            Of::List(_) => return Err(reader.file.at(item.line, no_record("[…]"))),
        }
    }
    Ok(())
}

fn record(
    line: usize,
    entries: &[(Cow<'_, str>, Value<'_>)],
    reader: &mut Reader<'_>,
) -> Result<(), LogError> {
    let mut cells = Vec::new();
    flatten("", entries, &mut cells);
    let cells = cells.iter().map(|(name, cell)| (name.as_str(), *cell));
    reader.record(line, false, cells)
}

/// `{"train": {"loss": 1}}` has a column `train.loss`.
fn flatten<'v>(
    before: &str,
    entries: &'v [(Cow<'_, str>, Value<'_>)],
    cells: &mut Vec<(String, &'v str)>,
) {
    for (key, value) in entries {
        let name = format!("{before}{key}");
        match &value.of {
            Of::Scalar(text) => cells.push((name, text)),
            Of::List(_) => cells.push((name, "[…]")),
            Of::Object(inner) => flatten(&format!("{name}."), inner, cells),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// The line there: JSON has line ends between values only.
    line: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.line += rest[..length].matches('\n').count();
        self.at += length;
    }

    /// Takes a mark if it is next.
    fn takes(&mut self, mark: char) -> bool {
        self.space();
        let is = self.rest().starts_with(mark);
        self.at += if is { mark.len_utf8() } else { 0 };
        is
    }

    fn wants(&mut self, mark: char) -> Result<(), LogProblem> {
        if self.takes(mark) {
            return Ok(());
        }
        Err(self.not_json(format!("`{mark}`")))
    }

    fn not_json(&self, wanted: impl Into<String>) -> LogProblem {
        LogProblem::NotJson {
            found: self.rest().chars().next(),
            wanted: wanted.into(),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, LogProblem> {
        self.space();
        if depth == DEEPEST {
            return Err(LogProblem::TooDeep { limit: DEEPEST });
        }
        let line = self.line;
        let of = if self.takes('{') {
            Of::Object(self.object(depth)?)
        } else if self.takes('[') {
            Of::List(self.list(depth)?)
        } else if self.rest().starts_with('"') {
            Of::Scalar(self.string()?)
        } else {
            Of::Scalar(Cow::Borrowed(self.word()?))
        };
        Ok(Value { line, of })
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, LogProblem> {
        let mut entries: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        if self.takes('}') {
            return Ok(entries);
        }
        loop {
            self.space();
            let key = self.string()?;
            self.wants(':')?;
            let value = self.value(depth + 1)?;
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(LogProblem::KeyTwice {
                    key: key.into_owned(),
                });
            }
            entries.push((key, value));
            if !self.takes(',') {
                self.wants('}')?;
                return Ok(entries);
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value<'a>>, LogProblem> {
        let mut items = Vec::new();
        if self.takes(']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.takes(',') {
                self.wants(']')?;
                return Ok(items);
            }
        }
    }

    /// A number, or one of the words of JSON and of Python.
    fn word(&mut self) -> Result<&'a str, LogProblem> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        let known = [
            "true",
            "false",
            "null",
            "NaN",
            "Infinity",
            "-Infinity",
            "nan",
            "inf",
            "-inf",
        ];
        let number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        if !(known.contains(&word) || number && word.parse::<f64>().is_ok()) {
            return Err(self.not_json("a value"));
        }
        self.at += length;
        Ok(word)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, LogProblem> {
        self.wants('"')?;
        let rest = self.rest();
        let end = rest.find(['"', '\\']).ok_or(LogProblem::OpenText)?;
        if rest.as_bytes()[end] == b'"' {
            self.at += end + 1;
            return Ok(Cow::Borrowed(&rest[..end]));
        }
        // With an escape: to the closing quote, then read as JSON.
        let mut escaped = false;
        let close = rest.find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        let close = close.ok_or(LogProblem::OpenText)?;
        let text = serde_json::from_str(&self.text[self.at - 1..=self.at + close])
            .map_err(LogProblem::Text)?;
        self.at += close + 1;
        Ok(Cow::Owned(text))
    }
}
