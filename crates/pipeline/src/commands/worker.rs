//! `pipeline worker`: executes stages for an engine until that closes stdin.

use crate::stages::Stages;
use crate::{DONE, Failure, signals};

pub(crate) fn worker() -> Result<u8, Failure> {
    signals::leave_to_the_engine()?;
    training::device::train_on_this_thread();
    engine::serve(&mut Stages::default(), &super::build()?)?;
    Ok(DONE)
}
