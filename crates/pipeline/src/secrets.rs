//! Values of variables that are called as secrets are left out of what is shown. They are in manifests and records all
//! the same, which is what `check` warns of.

use std::borrow::Cow;

use engine::Change;

/// What stands in their place.
const STARS: &str = "********";

/// Whether a setting of a manifest is one.
fn is_secret(path: &str) -> bool {
    path.strip_prefix("environment.")
        .is_some_and(study::is_secret)
}

/// A change as it may be shown.
pub(crate) fn mask_change(change: &Change) -> Cow<'_, Change> {
    if !is_secret(&change.path) {
        return Cow::Borrowed(change);
    }
    let stars = |value: &Option<String>| value.as_ref().map(|_| STARS.to_owned());
    Cow::Owned(Change {
        path: change.path.clone(),
        old: stars(&change.old),
        new: stars(&change.new),
    })
}

/// A manifest's text as it may be shown.
pub(crate) fn mask_manifest(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let path = line.split_once(": ").map(|(path, _)| path);
        match path.filter(|path| is_secret(path)) {
            Some(path) => Cow::Owned(format!("{path}: {STARS}\n")),
            None => Cow::Borrowed(line),
        }
    });
    lines.collect()
}

/// A word of a command line as it may be shown: `--set prog.command.environment.API_KEY=…`.
pub(crate) fn mask_word(word: &str) -> Cow<'_, str> {
    let assignment = word.strip_prefix("--set=").unwrap_or(word);
    let Some((path, _)) = assignment.split_once('=') else {
        return Cow::Borrowed(word);
    };
    let mut keys = path
        .split('.')
        .skip_while(|key| key.trim() != "environment");
    // What is set as a whole may hold anything.
    let is_masked = keys.next().is_some() && keys.next().is_none_or(study::is_secret);
    if !is_masked {
        return Cow::Borrowed(word);
    }
    let start = &word[..word.len() - assignment.len() + path.len()];
    Cow::Owned(format!("{start}={STARS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_for_a_secret_is_not_shown_and_the_rest_is() {
        for (word, shown) in [
            (
                "a.command.environment.API_KEY=x=y",
                "a.command.environment.API_KEY=********",
            ),
            (
                "--set=a.command.environment.API_KEY=x",
                "--set=a.command.environment.API_KEY=********",
            ),
            (
                "a.command.environment={API_KEY: x}",
                "a.command.environment=********",
            ),
            (
                "a.command.environment.SEED=3",
                "a.command.environment.SEED=3",
            ),
            ("sgd.train.learning_rate=0.1", "sgd.train.learning_rate=0.1"),
            ("--cache=x", "--cache=x"),
            ("environment", "environment"),
        ] {
            assert_eq!(mask_word(word), shown);
        }
        let text = "kind: command\nenvironment.API_KEY: \"x: y\"\nenvironment.SEED: \"0\"\n";
        let shown = "kind: command\nenvironment.API_KEY: ********\nenvironment.SEED: \"0\"\n";
        assert_eq!(mask_manifest(text), shown);
    }
}
