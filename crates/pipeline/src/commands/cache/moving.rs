//! `pipeline cache push` and `pipeline cache pull`: results brought to a remote and from it by hand.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use engine::{Digest, Moved, Store};

use super::{never_ran, print_json, remote, remote_to_write};
use crate::cli::StudyFile;
use crate::cli::cache::Moving;
use crate::commands::{counted, expand, load};
use crate::site::{Site, Use};
use crate::{DONE, FAILED, Failure, stages};

/// Stages that are named before it is only said how many there are.
const NAMED: usize = 10;

pub(super) fn push(store: &Store, site: &Site, arguments: &Moving) -> Result<u8, Failure> {
    let results = match &arguments.study {
        Some(study) => of_study(store, study, &arguments.set)?.there,
        None => store.all_results()?,
    };
    let remote = remote_to_write(store, site)?;
    let moved = remote.push(store, &results)?;
    say(&moved, "brought to", remote.shown(), arguments)
}

pub(super) fn pull(mut store: Store, site: &Site, arguments: &Moving) -> Result<u8, Failure> {
    let remote = remote(&store, site, Use::Read)?;
    // Looking for a study's results brings those that are small.
    let before: HashSet<Digest> = store.all_results()?.into_values().collect();
    let by_key = |&key: &Digest| (key.to_string()[..12].to_owned(), key);
    let all: BTreeMap<String, Digest> = remote.results()?.iter().map(by_key).collect();
    store.put_before(remote);
    let found = match &arguments.study {
        Some(study) => of_study(&store, study, &arguments.set)?,
        None => Found {
            there: all,
            missing: 0,
        },
    };
    let remote = Arc::clone(store.remote().expect("it was put there"));
    let mut moved = remote.pull(&store, &found.there)?;
    let left_out = |stage: &String| moved.left.contains_key(stage);
    let new = found
        .there
        .iter()
        .filter(|(stage, key)| !before.contains(key) && !left_out(stage));
    let (new, all) = (new.count(), moved.new + moved.there);
    moved.new = moved.new.max(new);
    moved.there = all - moved.new;
    let code = say(&moved, "brought from", remote.shown(), arguments)?;
    if found.missing > 0 && !arguments.format.json {
        let stages = counted(found.missing, "stage");
        outln!("{stages} of the study without a result there or here");
    }
    Ok(code)
}

/// The results of a study, by its stages.
struct Found {
    there: BTreeMap<String, Digest>,
    /// Stages that have none.
    missing: usize,
}

/// By its file, of which each stage is looked for; or by the name under which it ran here.
fn of_study(store: &Store, study: &str, set: &[String]) -> Result<Found, Failure> {
    let path = PathBuf::from(study);
    if !path.is_file() {
        if !set.is_empty() {
            return Err(Failure::Usage(format!(
                "`--set` replaces a value of a study's file, and there is no file `{study}`"
            )));
        }
        let there = store.results_of(study)?;
        if there.is_empty() {
            return Err(never_ran(study));
        }
        return Ok(Found { there, missing: 0 });
    }
    let file = StudyFile {
        study: path,
        set: set.to_vec(),
    };
    let study = load(&file)?;
    let graph = expand(&study, store)?;
    let plan = engine::plan(&graph, store, &stages::kinds(), study.name())?;
    let mut there = BTreeMap::new();
    for (id, stage) in graph.iter() {
        if let Some(record) = &plan.stage(id).record {
            there.insert(stage.name.clone(), record.key);
        }
    }
    let missing = graph.stages().len() - there.len();
    Ok(Found { there, missing })
}

fn say(moved: &Moved, how: &str, remote: &str, arguments: &Moving) -> Result<u8, Failure> {
    let code = if moved.left.is_empty() { DONE } else { FAILED };
    if arguments.format.json {
        print_json(moved)?;
        return Ok(code);
    }
    for (stage, why) in moved.left.iter().take(NAMED) {
        outln!("left out {stage}: {why}");
    }
    if moved.left.len() > NAMED {
        outln!("left out {} more", moved.left.len() - NAMED);
    }
    for stage in &moved.other {
        outln!("{stage} has another result in the remote, which counts from now on");
    }
    let new = counted(moved.new, "result");
    outln!("{new} {how} {remote}, {} there already", moved.there);
    Ok(code)
}
