//! `pipeline worker`: executes stages for an engine until that closes stdin.

use crate::stages::Stages;
use crate::{DONE, Failure};

pub(crate) fn worker() -> Result<u8, Failure> {
    training::device::train_on_this_thread();
    engine::serve(&mut Stages::default(), &super::build()?)?;
    Ok(DONE)
}
