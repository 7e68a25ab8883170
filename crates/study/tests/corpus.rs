//! What fuzzing started from, and what it found, read once more.

#[path = "../../../fuzz/src/replay.rs"]
mod replay;
#[path = "../../../fuzz/src/texts.rs"]
mod texts;

use replay::replay;

#[test]
fn whatever_the_text_is_a_study_a_site_or_a_manifest_or_mistakes_come_back() {
    replay("study", texts::study);
    replay("set", texts::set);
    replay("site", texts::site);
    replay("manifest", texts::manifest);
}
