//! `pipeline cache`: what lies in the cache, whether it is sound, and what may go.

mod gc;
mod list;
mod moving;
mod pin;
mod verify;

use std::path::Path;

use engine::{Remote, Store};

use crate::cli::Cli;
use crate::cli::cache::Cache;
use crate::site::{Site, Use, open_remote};
use crate::{DONE, Failure, Usage};

pub(crate) fn cache(cli: &Cli, command: &Cache) -> Result<u8, Failure> {
    let study = match command {
        Cache::Push(moving) | Cache::Pull(moving) => moving.study.as_deref().map(Path::new),
        _ => None,
    };
    let site = Site::find(cli, study.filter(|study| study.is_file()))?;
    let store = Store::open(&site.cache)?;
    match command {
        Cache::List(arguments) => list::list(&store, &site, arguments),
        Cache::Du(arguments) => list::du(&store, arguments),
        Cache::Verify(arguments) => verify::verify(&store, &site, arguments),
        Cache::Push(arguments) => moving::push(&store, &site, arguments),
        Cache::Pull(arguments) => moving::pull(store, &site, arguments),
        Cache::Gc(arguments) => gc::gc(&store, &site, arguments),
        Cache::Pin(arguments) => pin::pin(&store, arguments),
        Cache::Unpin(arguments) => pin::unpin(&store, arguments),
    }
}

/// The remote, which must be named for this.
fn remote(store: &Store, site: &Site, use_of: Use) -> Result<Remote, Failure> {
    let name = site.remote.as_deref().ok_or_else(|| {
        let message = "there is no remote: `--remote` or the site file names one";
        Failure::Usage(message.to_owned())
    })?;
    open_remote(name, store, use_of)
}

/// The same, to be changed.
fn remote_to_write(store: &Store, site: &Site) -> Result<Remote, Failure> {
    let remote = remote(store, site, Use::Run)?;
    match remote.read_only() {
        None => Ok(remote),
        Some(why) => {
            let shown = remote.shown();
            let message = format!("the remote {shown} cannot be written: {why}");
            Err(Failure::Usage(message))
        }
    }
}

fn never_ran(study: &str) -> Failure {
    Usage::NeverRan {
        study: study.to_owned(),
    }
    .into()
}

/// Prints a JSON document.
fn print_json(value: &impl serde::Serialize) -> Result<u8, Failure> {
    outln!("{}", serde_json::to_string_pretty(value)?);
    Ok(DONE)
}
