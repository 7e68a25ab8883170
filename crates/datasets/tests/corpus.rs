//! What fuzzing started from, and what it found, read once more.

#[path = "../../../fuzz/src/readers.rs"]
mod readers;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn whatever_the_bytes_are_the_readers_give_a_data_set_or_an_error() {
    replay("idx", readers::idx);
    replay("mat", readers::mat);
    replay("cifar", readers::cifar);
    replay("tar", readers::tar);
    replay("dataset", readers::dataset);
}
