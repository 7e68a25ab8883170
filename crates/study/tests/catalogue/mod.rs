//! The errors of all crates, from the sources: each has a message (`#[error("…")]`) and a line that says when it comes.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// An error as its source has it.
struct Error {
    name: String,
    /// With capitals or `…` for what differs from case to case.
    message: String,
    meaning: String,
}

/// The part of `doc/errors.md` on what is no mistake of a study file.
pub(crate) fn markdown() -> String {
    let mut page = String::from(
        "\n## Other errors\n\n\
         What commands, stages and libraries say of everything else, by crate; words in capitals and `…` stand for \
         what differs from case to case. Below such a message, `because:` says what it comes of.\n",
    );
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    for name in entries(crates) {
        let mut errors = Vec::new();
        for file in sources(&name.join("src")) {
            let text = fs::read_to_string(&file).expect("a source can be read");
            errors.extend(of(&text));
        }
        if errors.is_empty() {
            continue;
        }
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        let _ = write!(
            page,
            "\n### {name}\n\n| message | when | name |\n| --- | --- | --- |\n"
        );
        for error in errors {
            assert!(!error.meaning.is_empty(), "{} says not when", error.name);
            let _ = writeln!(
                page,
                "| {} | {} | `{}` |",
                error.message, error.meaning, error.name
            );
        }
    }
    page
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let (folders, mut files): (Vec<_>, Vec<_>) =
        entries(folder).into_iter().partition(|path| path.is_dir());
    files.retain(|path| path.extension().is_some_and(|ending| ending == "rs"));
    files.extend(folders.iter().flat_map(|folder| sources(folder)));
    files
}

/// The errors that a source has.
fn of(text: &str) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut meaning = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("///") {
            meaning.push(words.trim().to_owned());
        } else if let Some(start) = line.strip_prefix("#[error(") {
            let mut attribute = start.to_owned();
            while !attribute.ends_with(")]") {
                attribute += "\n";
                attribute += lines.next().expect("an attribute has an end");
            }
            let named = lines
                .find(|line| !line.starts_with(['#', '/']))
                .unwrap_or("");
            let words = named.split(|c: char| !c.is_alphanumeric());
            let name = words
                .into_iter()
                .find(|word| !["pub", "crate", "struct"].contains(word));
            errors.push(Error {
                name: name.unwrap_or_default().to_owned(),
                message: message(&attribute),
                meaning: cell(&std::mem::take(&mut meaning).join(" ")),
            });
        } else if !line.starts_with("#[") {
            meaning.clear();
        }
    }
    errors
}

/// The text of a format: an argument with a name is the name in capitals, any other is `…`.
fn message(attribute: &str) -> String {
    let letters = attribute
        .trim_start()
        .strip_prefix('"')
        .expect("a text")
        .chars();
    let mut letters = letters.peekable();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            // A text goes on in the next line, without the space before it.
            '\\' => match letters.next() {
                Some('\n') | None => {}
                // A message of several lines is one cell.
                Some('n') => text.push(' '),
                Some(escaped) => text.push(escaped),
            },
            // A brace that is none of a format.
            '{' | '}' if letters.peek() == Some(&letter) => {
                text.push(letter);
                letters.next();
            }
            '{' => {
                let argument: String = letters.by_ref().take_while(|it| *it != '}').collect();
                let name = argument.split(':').next().unwrap_or_default();
                // What is not in every message, and begins with a space where it is there, has no name either.
                let is_name =
                    name.starts_with(char::is_alphabetic) && !["hint", "help"].contains(&name);
                text += &if is_name {
                    name.to_uppercase()
                } else {
                    "…".to_owned()
                };
            }
            _ => text.push(letter),
        }
    }
    cell(&text)
}

/// Links of `rustdoc` lead nowhere on the page.
fn cell(text: &str) -> String {
    let mut parts = text.split("](crate::");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += part.split_once(')').map_or(part, |(_, rest)| rest);
    }
    plain
        .replace("[`", "`")
        .replace("`]", "`")
        .replace('|', "\\|")
}

#[test]
fn an_error_is_read_from_its_source() {
    let source = "
/// All.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file,
    /// or [`two`].
    #[error(
        \"cannot {doing} `{}`:\\n\\
         \\\"no\\\"\",
        path.display()
    )]
    Io { doing: u8 },
    /// No field.
    #[error(\"nothing{help}, as in `{{}}`\")]
    Nothing,
}
/// Alone.
#[derive(thiserror::Error)]
#[error(\"not a digest: {0:?}\")]
pub struct NotADigest(pub String);
";
    let read: Vec<_> = of(source)
        .into_iter()
        .map(|error| [error.name, error.message, error.meaning].join(": "))
        .collect();
    assert_eq!(
        read,
        [
            "Io: cannot DOING `…`: \"no\": A file, or `two`.",
            "Nothing: nothing…, as in `{}`: No field.",
            "NotADigest: not a digest: …: Alone.",
        ]
    );
}
