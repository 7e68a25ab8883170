//! What a study had when a copy of it left: `run/<study>/<run>/results/<blake3>`, the keys of all its results. gc keeps
//! the newest of each study, as it keeps what a cache remembers of a study's last run.

use std::collections::BTreeSet;

use super::Remote;
use crate::{Digest, Error, sealed};

pub(crate) const SEAL_OF_RESULTS: &str = "results";

impl Remote {
    /// Notes them. Copies that have the same write the same object, and it is as young as the last one.
    pub(crate) fn put_results(&self, run: &str, keys: &BTreeSet<Digest>) -> Result<(), Error> {
        let body = serde_json::to_vec(keys).expect("digests are strings");
        let name = format!("run/{run}/results/{}", Digest::of(&body));
        let object = sealed::seal(SEAL_OF_RESULTS, &body);
        self.objects().overwrite(&name, &mut &object[..])
    }
}
