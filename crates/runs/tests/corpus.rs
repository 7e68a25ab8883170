//! What fuzzing started from, and what it found, read once more.

#[path = "../../../fuzz/src/curves.rs"]
mod curves;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn whatever_the_bytes_are_a_curve_or_weights_or_an_error_come_back() {
    replay("curves", curves::logged);
    replay("curve", curves::curve);
    replay("weights", curves::weights);
}
