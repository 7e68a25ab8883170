//! `--set PATH=VALUE`: values of a study's tree, set anew from the command line.
//!
//! The path goes from a stage's name through keys and places in lists (`report.report.claims.0`). The value is what
//! the shell hands over: a list or a mapping in YAML's flow style, a quoted text, or a plain scalar to its end,
//! so that `Run #3` and `SGD: again` are texts.

use std::path::Path;

use crate::diagnostic::{Draft, Mistake, Span, did_you_mean};
use crate::like;
use crate::sources::Sources;
use crate::yaml::{self, Node, Value};

/// What a text that was set is called.
pub(crate) const NAME: &str = "--set";

/// A word of the path.
struct Step<'a> {
    word: &'a str,
    span: Span,
}

/// Sets what `PATH=VALUE` says: `kfac.train.budget.epochs=5`. Gives the place of the path among the sources.
pub(crate) fn set(
    tree: &mut Node,
    assignment: &str,
    folder: &Path,
    sources: &mut Sources,
    mistakes: &mut Vec<Draft>,
) -> Span {
    let start = sources.add(NAME, assignment, folder);
    let path = assignment.split('=').next().unwrap_or_default();
    let span = Span {
        start,
        end: start + path.len(),
    };
    if let Err(draft) = assign(tree, assignment, start, mistakes) {
        mistakes.push(draft);
    }
    span
}

fn assign(
    tree: &mut Node,
    assignment: &str,
    start: usize,
    mistakes: &mut Vec<Draft>,
) -> Result<(), Draft> {
    let all = Span {
        start,
        end: start + assignment.len(),
    };
    let Some((path, text)) = assignment.split_once('=') else {
        return Err(
            Draft::error(Mistake::SetWithoutValue, "`--set` without `=`")
                .at(all, "no value")
                .help("write it as `--set PATH=VALUE`, such as `--set kfac.train.budget.epochs=5`"),
        );
    };
    if text.trim().is_empty() {
        return Err(
            Draft::error(Mistake::SetWithoutValue, "`--set` without a value")
                .at(all, "nothing after `=`")
                .help("`null` takes the key away, `''` is an empty text"),
        );
    }
    let value = value(text, start + path.len() + 1, mistakes)?;
    let mut steps = steps(path, start);
    let first = &steps[0];
    match first.word {
        "stages" => {
            steps.remove(0);
        }
        "study" => return put(tree, &steps, value),
        "extends" | "include" => {
            return Err(Draft::error(
                Mistake::SetNoStage,
                format!("`{}` cannot be set", first.word),
            )
            .at(first.span, "is read before anything is set")
            .help("write a file with it, and run that"));
        }
        name => {
            let known = tree.get("stages").map_or(&[][..], Node::entries);
            if !known.iter().any(|stage| stage.key == name) {
                return Err(
                    Draft::error(Mistake::NoSuchStage, format!("no such stage `{name}`"))
                        .at(first.span, "not a stage of this study")
                        .help(did_you_mean(
                            name,
                            known.iter().map(|stage| stage.key.as_str()),
                        )),
                );
            }
        }
    }
    let stages = tree.entry("stages").map(|entry| entry.key_span);
    let mut merged = like::resolve(
        tree.get("stages").map_or(&[][..], Node::entries),
        &mut Vec::new(),
    );
    let stages = tree.value_at("stages", stages.unwrap_or(all));
    let inherits = steps.first().is_some_and(|step| {
        stages
            .get(step.word)
            .is_some_and(|stage| stage.get("like").is_some())
    });
    let whole = steps
        .first()
        .and_then(|step| merged.remove(step.word).flatten());
    match whole {
        Some(whole) if inherits && steps.len() > 1 => {
            let own = stages.value_at(steps[0].word, steps[0].span);
            inherited(own, &whole.node, &steps[1..], value)
        }
        _ => put(stages, &steps, value),
    }
}

/// The words of a path, each with its place.
fn steps(path: &str, start: usize) -> Vec<Step<'_>> {
    let mut at = start;
    path.split('.')
        .map(|word| {
            let begin = at + word.len() - word.trim_start().len();
            at += word.len() + 1;
            let word = word.trim();
            Step {
                word,
                span: Span {
                    start: begin,
                    end: begin + word.len(),
                },
            }
        })
        .collect()
}

/// What stands after `=`.
fn value(text: &str, start: usize, mistakes: &mut Vec<Draft>) -> Result<Node, Draft> {
    let plain = text.trim();
    let start = start + text.len() - text.trim_start().len();
    if plain.starts_with(['[', '{', '"', '\'']) {
        let node = yaml::parse(plain, start, mistakes)
            .map_err(|draft| draft.help("put a text that begins so in quotes: `'\"[a] text\"'`"))?;
        if let Some(node) = node {
            return Ok(node);
        }
    }
    Ok(Node {
        span: Span {
            start,
            end: start + plain.len(),
        },
        value: yaml::plain(plain),
    })
}

/// How many of the steps name one key: those of a sweep may have dots in them (`budget.epochs`).
fn longest(node: &Node, steps: &[Step<'_>]) -> (String, usize) {
    let key = |count: usize| {
        let words: Vec<&str> = steps[..count].iter().map(|step| step.word).collect();
        words.join(".")
    };
    let count = (1..=steps.len())
        .rev()
        .find(|&count| node.get(&key(count)).is_some())
        .unwrap_or(1);
    (key(count), count)
}

/// Puts a value at a path below a node; `null` takes away what is there.
fn put(node: &mut Node, steps: &[Step<'_>], value: Node) -> Result<(), Draft> {
    let Some(first) = steps.first() else {
        *node = value;
        return Ok(());
    };
    let away = matches!(value.value, Value::Null);
    if let Value::Sequence(items) = &mut node.value {
        let at = place(items.len(), first)?;
        if steps.len() > 1 || !away {
            return put(&mut items[at], &steps[1..], value);
        }
        items.remove(at);
        return Ok(());
    }
    let (key, count) = longest(node, steps);
    if away && (steps.len() == count || node.get(&key).is_none()) {
        known(node, &key, first.span)?;
        node.remove(&key);
        return Ok(());
    }
    let span = Span {
        start: first.span.start,
        end: steps[count - 1].span.end,
    };
    put(node.value_at(&key, span), &steps[count..], value)
}

/// As [`put`], in a stage that is `like` another one: what it inherits is there, too.
fn inherited(own: &mut Node, whole: &Node, steps: &[Step<'_>], value: Node) -> Result<(), Draft> {
    let away = matches!(value.value, Value::Null);
    let (mut own, mut whole, mut rest) = (own, whole, steps);
    let mut path: Vec<String> = Vec::new();
    loop {
        let here: Vec<&str> = path.iter().map(String::as_str).collect();
        if !like::key_by_key(&here, whole.entries(), whole.entries()) {
            // It is replaced as a whole: so all of it is this stage's own from now on.
            if own.entries().is_empty() {
                *own = whole.clone();
            }
            return put(own, rest, value);
        }
        let Some(first) = rest.first() else {
            return put(own, rest, value);
        };
        let (key, count) = longest(whole, rest);
        let last = rest.len() == count;
        match whole.get(&key) {
            // Kept as `null`, which takes away what is inherited.
            Some(_) if last => {
                *own.value_at(&key, first.span) = value;
                return Ok(());
            }
            Some(inner) => {
                own = own.value_at(&key, first.span);
                whole = inner;
            }
            None if away => return known(whole, &key, first.span),
            None => return put(own, rest, value),
        }
        path.push(key);
        rest = &rest[count..];
    }
}

/// Which item of a list is meant.
fn place(items: usize, step: &Step<'_>) -> Result<usize, Draft> {
    match step.word.parse() {
        Ok(at) if at < items => Ok(at),
        _ => Err(Draft::error(
            Mistake::SetNoSuchItem,
            format!("no item `{}` in the list", step.word),
        )
        .at(step.span, "a list of that length")
        .help(match items {
            0 => "the list is empty; set all of it".to_owned(),
            _ => format!(
                "its items are 0 to {}; to add one, set the whole list",
                items - 1
            ),
        })),
    }
}

/// What is taken away must be there.
fn known(node: &Node, key: &str, span: Span) -> Result<(), Draft> {
    let keys = || node.entries().iter().map(|entry| entry.key.as_str());
    if keys().any(|known| known == key) {
        return Ok(());
    }
    Err(Draft::error(
        Mistake::SetNoSuchItem,
        format!("there is no `{key}` to remove"),
    )
    .at(span, "not there")
    .help(did_you_mean(key, keys())))
}
