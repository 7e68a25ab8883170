//! A study file as a tree in which every key and value knows where it stands in the text.
//!
//! YAML 1.2 with the core schema's types, one document. Equal keys in one mapping are
//! refused; anchors, aliases and merge keys (`<<`) are expanded, within a bound, so that what follows
//! cannot tell an anchor from a copy. Not here: what the keys mean.
//! Source: YAML 1.2.2, §10.3 (core schema); merge keys as in YAML 1.1's type repository.

mod scalar;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::diagnostic::{Draft, Mistake, Span};
pub(crate) use scalar::plain;

/// Nodes that a file may come to once its aliases are expanded: a study of some pages has hundreds.
const MOST_NODES: usize = 100_000;
/// Depth of nesting that a file may have: a study needs about ten.
const DEEPEST: usize = 64;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// One line of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

impl Node {
    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a mapping under `key`.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a mapping under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// As [`get`](Self::get), to change it.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Mapping(entries) => entries.iter_mut().find(|entry| entry.key == key),
            _ => None,
        }
        .map(|entry| &mut entry.node)
    }

    /// The text, if it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value under `key`, made (with its mapping) where it is not there; what is new stands at `span`.
    pub(crate) fn value_at(&mut self, key: &str, span: Span) -> &mut Node {
        if !matches!(self.value, Value::Mapping(_)) {
            // `optimizer: kfac` is short for `optimizer: {kfac: {}}`.
            let short = matches!(&self.value, Value::Text(text) if text == key);
            let entries = short.then(|| Entry {
                key: key.to_owned(),
                key_span: self.span,
                node: Node {
                    span: self.span,
                    value: Value::Null,
                },
            });
            *self = Node {
                span: if short { self.span } else { span },
                value: Value::Mapping(entries.into_iter().collect()),
            };
        }
        let Value::Mapping(entries) = &mut self.value else {
            unreachable!("it was made one")
        };
        let at = entries.iter().position(|entry| entry.key == key);
        let at = at.unwrap_or_else(|| {
            entries.push(Entry {
                key: key.to_owned(),
                key_span: span,
                node: Node {
                    span,
                    value: Value::Null,
                },
            });
            entries.len() - 1
        });
        &mut entries[at].node
    }

    /// Takes the entry under `key` away, if it is there.
    pub(crate) fn remove(&mut self, key: &str) {
        if let Value::Mapping(entries) = &mut self.value {
            entries.retain(|entry| entry.key != key);
        }
    }

    fn count(&self) -> usize {
        1 + match &self.value {
            Value::Sequence(items) => items.iter().map(Node::count).sum(),
            Value::Mapping(entries) => entries.iter().map(|entry| 1 + entry.node.count()).sum(),
            _ => 0,
        }
    }
}

/// Reads one document, a text that begins at `start` among a study's; none where the text is empty. Mistakes after
/// which the tree still has a shape (equal keys) go to `mistakes`.
///
/// # Errors
/// Where the text is no YAML, or too large once expanded: nothing can be said about the rest then.
pub(crate) fn parse(
    text: &str,
    start: usize,
    mistakes: &mut Vec<Draft>,
) -> Result<Option<Node>, Draft> {
    let mut builder = Builder {
        offsets: Offsets::new(text, start),
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        nodes: 0,
        mistakes,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| not_yaml(text, &error, &builder.offsets))?;
        let span = builder.offsets.span(span);
        builder.event(event, span)?;
    }
    Ok(builder.root)
}

fn not_yaml(text: &str, error: &ScanError, offsets: &Offsets) -> Draft {
    let start = offsets.byte(error.marker().index()).min(text.len());
    let end = text[start..]
        .char_indices()
        .nth(1)
        .map_or(text.len(), |(length, _)| start + length);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    if let Some((word, at)) = bare_placeholder(&text[line_start..line_end]) {
        let start = line_start + at;
        return Draft::error(
            Mistake::UnquotedPlaceholder,
            format!("`{word}` without quotes is a mapping in YAML"),
        )
        .at(offsets.shifted(start, start + word.len()), "here")
        .help("put the whole text in quotes");
    }
    let draft = Draft::error(Mistake::NotYaml, format!("not YAML: {}", error.info()))
        .at(offsets.shifted(start, end), "the reader stopped here");
    if text[line_start..line_end].contains('\t') {
        draft.help("YAML is indented with spaces; this line has a tab")
    } else {
        draft.help("check the indentation, the `:` after each key, and that brackets and quotes are closed")
    }
}

/// The first `{word}` of a line that is not in quotes, with its place.
fn bare_placeholder(line: &str) -> Option<(&str, usize)> {
    line.match_indices('{').find_map(|(at, _)| {
        let quotes = |quote| line[..at].matches(quote).count() % 2;
        let word = line[at + 1..].split('}').next().unwrap_or_default();
        let end = at + 1 + word.len();
        let is_word = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let bare = quotes('\'') + quotes('"') == 0 && !word.is_empty() && is_word;
        (bare && line[end..].starts_with('}')).then(|| (&line[at..=end], at))
    })
}

/// From the parser's count of characters to bytes of the text, and to places among all texts.
struct Offsets {
    /// Where each character begins, unless every one is a byte.
    bytes: Option<Vec<usize>>,
    start: usize,
}

impl Offsets {
    fn new(text: &str, start: usize) -> Self {
        let bytes = (!text.is_ascii()).then(|| {
            text.char_indices()
                .map(|(byte, _)| byte)
                .chain([text.len()])
                .collect()
        });
        Self { bytes, start }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            None => character,
            Some(bytes) => bytes.get(character).or(bytes.last()).copied().unwrap_or(0),
        }
    }

    fn shifted(&self, start: usize, end: usize) -> Span {
        Span {
            start: self.start + start,
            end: self.start + end,
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        self.shifted(self.byte(span.start.index()), self.byte(span.end.index()))
    }
}

/// A collection that is not closed yet.
struct Open {
    span: Span,
    anchor: usize,
    value: Value,
    key: Option<(String, Span)>,
}

struct Builder<'a> {
    offsets: Offsets,
    stack: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    mistakes: &'a mut Vec<Draft>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Draft> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(tagged(span));
                }
                let value = if style == ScalarStyle::Plain {
                    plain(&text)
                } else {
                    Value::Text(text.into_owned())
                };
                let node = Node { span, value };
                self.remember(anchor, &node);
                self.close(node)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Draft::error(
                        Mistake::AliasInItself,
                        "an alias inside the value that it stands for",
                    )
                    .at(span, "its value contains it"));
                };
                self.nodes += node.count();
                self.close(node)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(span, anchor, tag.is_some(), Value::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.open(span, anchor, tag.is_some(), Value::Mapping(Vec::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let mut open = self
                    .stack
                    .pop()
                    .expect("the parser closes only what it opened");
                // A flow collection ends with its bracket, a block collection with its last value.
                let last = match &open.value {
                    Value::Sequence(items) => items.last().map(|node| node.span.end),
                    Value::Mapping(entries) => entries
                        .last()
                        .map(|entry| entry.node.span.end.max(entry.key_span.end)),
                    _ => None,
                };
                open.span.end = if span.end > span.start {
                    span.end
                } else {
                    last.unwrap_or(open.span.end)
                };
                if let Value::Mapping(entries) = &mut open.value {
                    merge_keys(entries)?;
                }
                let node = Node {
                    span: open.span,
                    value: open.value,
                };
                self.remember(open.anchor, &node);
                self.close(node)
            }
            Event::DocumentStart(_) if self.root.is_some() => Err(Draft::error(
                Mistake::SeveralDocuments,
                "more than one document in the file",
            )
            .at(span, "a second document starts here")
            .help("give each its own file")),
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        span: Span,
        anchor: usize,
        tagged_node: bool,
        value: Value,
    ) -> Result<(), Draft> {
        if tagged_node {
            return Err(tagged(span));
        }
        if self.stack.len() >= DEEPEST {
            return Err(Draft::error(
                Mistake::NestedTooDeep,
                format!("nested more than {DEEPEST} deep"),
            )
            .at(span, "too deep"));
        }
        self.stack.push(Open {
            span,
            anchor,
            value,
            key: None,
        });
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    /// Hands a finished node to what it stands in.
    fn close(&mut self, node: Node) -> Result<(), Draft> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(Draft::error(
                Mistake::TooManyValues,
                format!("more than {MOST_NODES} values once the aliases are expanded"),
            )
            .at(node.span, "the bound is passed here")
            .help("aliases of aliases multiply; a study needs some hundreds of values"));
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.value, open.key.take()) {
            (Value::Mapping(_), None) => {
                let Some(key) = key_text(&node) else {
                    return Err(Draft::error(Mistake::KeyNotAWord, "a key must be a word")
                        .at(node.span, "used as a key"));
                };
                open.key = Some((key, node.span));
            }
            (Value::Mapping(entries), Some((key, key_span))) => {
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    self.mistakes.push(
                        Draft::error(Mistake::KeyTwice, format!("`{key}` is given twice"))
                            .at(key_span, "again here")
                            .also(first.key_span, "first here")
                            .help("keep one of the two"),
                    );
                } else {
                    entries.push(Entry {
                        key,
                        key_span,
                        node,
                    });
                }
            }
            (Value::Sequence(items), _) => items.push(node),
            _ => unreachable!("only collections are opened"),
        }
        Ok(())
    }
}

fn tagged(span: Span) -> Draft {
    Draft::error(Mistake::YamlTag, "YAML tags (`!…`) are not supported")
        .at(span, "a tag")
        .help("remove it")
}

fn key_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// `<<: *other` gives the keys that are not given here.
fn merge_keys(entries: &mut Vec<Entry>) -> Result<(), Draft> {
    let Some(at) = entries.iter().position(|entry| entry.key == "<<") else {
        return Ok(());
    };
    let merged = entries.remove(at).node;
    let sources = match merged.value {
        Value::Sequence(items) => items,
        _ => vec![merged],
    };
    for source in sources {
        let Value::Mapping(more) = source.value else {
            return Err(Draft::error(Mistake::BadMerge, "`<<` takes a mapping")
                .at(source.span, "not a mapping"));
        };
        for entry in more {
            if !entries.iter().any(|own| own.key == entry.key) {
                entries.push(entry);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let text = "ä: [1, {b: two}]\nc:\n  d: 'x'\n";
        let root = parse(text, 0, &mut Vec::new()).unwrap().unwrap();
        let at = |node: &Node| &text[node.span.start..node.span.end];
        let (list, c) = (root.get("ä").unwrap(), root.get("c").unwrap());
        assert_eq!(at(list), "[1, {b: two}]");
        let Value::Sequence(items) = &list.value else {
            panic!("{list:?}")
        };
        assert_eq!(at(&items[1]), "{b: two}");
        assert_eq!(at(items[1].get("b").unwrap()), "two");
        assert_eq!(at(c), "d: 'x'");
        assert_eq!(at(c.get("d").unwrap()), "'x'");
    }

    #[test]
    fn merge_keys_give_what_is_not_given() {
        let text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}";
        let root = parse(text, 0, &mut Vec::new()).unwrap().unwrap();
        let c: Vec<(String, i128)> = root
            .get("c")
            .unwrap()
            .entries()
            .iter()
            .map(|entry| match entry.node.value {
                Value::Integer(number) => (entry.key.clone(), number),
                ref other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            c,
            [
                ("x".to_owned(), 3),
                ("y".to_owned(), 1),
                ("z".to_owned(), 2)
            ]
        );
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let text = "[".repeat(DEEPEST + 1);
        assert!(parse(&text, 0, &mut Vec::new()).is_err());
        let text = format!("{}1{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        assert!(parse(&text, 0, &mut Vec::new()).is_ok());
    }
}
