//! `pipeline cache pin` and `pipeline cache unpin`.

use engine::Store;

use super::never_ran;
use crate::cli::cache::{Pin, Unpin};
use crate::commands::{counted, name_of};
use crate::{DONE, Failure, Usage};

pub(super) fn pin(store: &Store, arguments: &Pin) -> Result<u8, Failure> {
    let study = name_of(&arguments.study)?;
    let name = arguments.name.as_deref().unwrap_or(&study);
    let count = store.pin(name, &study)?.ok_or_else(|| never_ran(&study))?;
    outln!("pinned {} of {study} as {name}", counted(count, "result"));
    Ok(DONE)
}

pub(super) fn unpin(store: &Store, arguments: &Unpin) -> Result<u8, Failure> {
    let name = &arguments.name;
    if store.unpin(name)? {
        outln!("unpinned {name}");
        return Ok(DONE);
    }
    Err(Usage::NoPin { name: name.clone() }.into())
}
