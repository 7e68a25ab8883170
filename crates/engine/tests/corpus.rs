//! What fuzzing started from, and what it found, read once more.

#[path = "../../../fuzz/src/cache.rs"]
mod cache;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn whatever_lies_in_a_cache_its_readers_give_an_answer_or_an_error() {
    replay("cache", cache::cache);
}
