//! What a store says when it refuses, in a line: its own code and sentence, and nothing of the request, which may hold
//! who asked.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use object_store::Error;

/// The longest text of a store that is shown.
const LONGEST: usize = 300;

/// An error of a store.
pub(crate) fn error(error: &Error) -> io::Error {
    let text = innermost(error);
    let code = between(&text, "<Code>", "</Code>").map(str::to_owned);
    let kind = match (error, code.as_deref()) {
        (_, Some("QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull")) => {
            ErrorKind::QuotaExceeded
        }
        (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _) => {
            ErrorKind::PermissionDenied
        }
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, words(error, &text, code))
}

/// Whether it says that what was asked for is not there, in a bucket that is.
pub(crate) fn is_missing(error: &Error) -> bool {
    let text = innermost(error);
    matches!(error, Error::NotFound { .. })
        && !["NoSuchBucket", "ContainerNotFound", "bucket does not exist"]
            .iter()
            .any(|sign| text.contains(sign))
}

/// Whether somebody else was creating the same object, so that nobody knows yet who will have done it. S3 says so where
/// others say that the object exists.
pub(crate) fn is_undecided(error: &Error) -> bool {
    innermost(error).contains("ConditionalRequestConflict")
}

fn words(error: &Error, text: &str, code: Option<String>) -> String {
    if let Some(code) = code {
        let sentence = between(text, "<Message>", "</Message>").map(str::trim);
        let sentence = sentence.filter(|sentence| !sentence.is_empty());
        return match sentence {
            Some(sentence) => format!("the store says: {} ({code})", cut(sentence)),
            None => format!("the store says: {code}"),
        };
    }
    // The place where machines of the cloud find credentials: who is asked for them there has none elsewhere.
    let chain = chain(error);
    if chain.contains("169.254.169.254") || chain.contains("metadata.google.internal") {
        return "no credentials were found in the environment, in the files of the cloud's own tools, or by asking the \
                machine that this runs on"
            .to_owned();
    }
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            "the store refuses these credentials, or they do not permit it".to_owned()
        }
        Error::NotFound { .. } => "the store says: there is nothing of this name".to_owned(),
        // The line up to where the address of the request may stand.
        _ => {
            let line = text.lines().next().unwrap_or_default();
            let line = line.split(" for url").next().unwrap_or_default();
            let line = line.split("http").next().unwrap_or_default();
            cut(line.trim_end_matches([' ', ':', '(']))
        }
    }
}

fn innermost(error: &Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

fn chain(error: &Error) -> String {
    let mut texts = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        texts.push_str(&source.to_string());
        next = source.source();
    }
    texts
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(within, _)| within)
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
