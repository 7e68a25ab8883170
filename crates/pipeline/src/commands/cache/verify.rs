//! `pipeline cache verify`: whether the cache holds what was written to it.

use std::num::NonZero;

use engine::{Flaw, Store, size};

use super::{print_json, remote};
use crate::cli::cache::Verify;
use crate::commands::counted;
use crate::site::{Site, Use};
use crate::{DONE, FAILED, Failure};

pub(super) fn verify(store: &Store, site: &Site, arguments: &Verify) -> Result<u8, Failure> {
    let verified = if arguments.in_remote {
        remote(store, site, Use::Read)?.verify_all()?
    } else {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        store.verify_all(threads)?
    };
    if arguments.format.json {
        print_json(&verified)?;
    } else {
        verified
            .flaws
            .iter()
            .for_each(|flaw| outln!("{}", words(flaw)));
        let flaws = match verified.flaws.len() {
            0 => "all sound".to_owned(),
            1 => "1 is wrong; `pipeline run` computes again what it needs".to_owned(),
            count => format!("{count} are wrong; `pipeline run` computes again what it needs"),
        };
        let files = counted(verified.files, "file");
        outln!("{files}, {}: {flaws}", size(verified.bytes));
    }
    Ok(if verified.flaws.is_empty() {
        DONE
    } else {
        FAILED
    })
}

fn words(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Damaged { what, path, aside } => {
            let aside = match aside {
                Some(aside) => format!("; set aside as {}", aside.display()),
                None => "; left where it is".to_owned(),
            };
            format!("damaged {what}: {}{aside}", path.display())
        }
        Flaw::LostOutput {
            key,
            kind,
            output,
            digest,
        } => format!("lost output `{output}` ({digest}) of {kind} {key}"),
        Flaw::LostResult { study, stage } => format!("lost result of {stage} in study {study}"),
        Flaw::Stray { path } => format!("not a file of the cache: {}", path.display()),
    }
}
