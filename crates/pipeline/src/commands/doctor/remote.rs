//! What other machines see, too.

use std::path::Path;

use engine::Store;

use super::finding::{Finding, shown};
use crate::Failure;
use crate::commands::counted;
use crate::site::{Site, Use, open_remote};

/// Tried out as a run does; behind a cache that is empty and is gone afterwards, because none is made here.
pub(super) fn finding(site: &Site) -> Finding {
    let Some(name) = &site.remote else {
        let meaning = "no other machine shares the results (`--remote`, doc/cluster.md)";
        return Finding::ok("remote", "none", meaning);
    };
    let found = |what: String| format!("{} {what}", called(name));
    match look(name) {
        Ok(Seen::Whole { results, plans }) => Finding::ok(
            "remote",
            found(format!(
                "has {} and {}, and lets one of eight create a name",
                counted(results, "result"),
                counted(plans, "plan")
            )),
            "copies of the program on other machines share work there",
        ),
        Ok(Seen::ReadOnly(why)) => Finding::note(
            "remote",
            found(format!("cannot be written: {why}")),
            "its results are used, but none is brought there, and no work is shared",
        ),
        Err(failure) => Finding::problem(
            "remote",
            format!("cannot be used: {}", reason(failure)),
            "mend it, or leave it out (`cache: { remote }` of the site file, `--remote`)",
        ),
    }
}

enum Seen {
    Whole { results: usize, plans: usize },
    ReadOnly(String),
}

fn look(name: &Path) -> Result<Seen, Failure> {
    let folder = tempfile::tempdir()?;
    let remote = open_remote(name, &Store::open(folder.path())?, Use::Run)?;
    if let Some(why) = remote.read_only() {
        return Ok(Seen::ReadOnly(why.to_owned()));
    }
    Ok(Seen::Whole {
        results: remote.results()?.len(),
        plans: remote.plans(None)?.len(),
    })
}

/// A folder without the name of the home folder, or an address.
fn called(name: &Path) -> String {
    if name.to_str().is_some_and(|name| name.contains("://")) {
        return name.display().to_string();
    }
    shown(name)
}

fn reason(failure: Failure) -> String {
    let why = match failure {
        Failure::Usage(why) => why,
        Failure::Other(error) => error.to_string(),
        Failure::Mistakes(_) => "its settings are wrong".to_owned(),
    };
    match std::env::home_dir().filter(|home| home.parent().is_some()) {
        Some(home) => why.replace(&home.display().to_string(), "~"),
        None => why,
    }
}
