//! The quick study's report and a page so far, made by the real binary, in a headless Chromium that opens it from disk with the
//! network off. Pictures are kept in `target/tmp/browser`.

#[path = "../../../report/tests/browser/checks.rs"]
mod checks;
#[allow(dead_code, reason = "the tests of the crate report use more of it")]
#[path = "../../../report/tests/browser/chromium.rs"]
mod chromium;

use std::path::Path;
use std::process::Command;

use chromium::Chromium;
use serde_json::json;

#[test]
fn the_report_of_the_quick_study_opens_from_disk_and_has_no_fault() {
    let test = "the quick study's report in a browser";
    let Some(mut browser) = Chromium::start(test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let study = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/quickstart.yaml");
    let run = Command::new(env!("CARGO_BIN_EXE_pipeline"))
        .args(["run", "--quiet"])
        .arg(&study)
        .current_dir(folder.path())
        .env_remove("PIPELINE_CACHE")
        .output()
        .expect("the binary starts");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let page = folder.path().join("reports/quickstart.html");

    checks::every_look(&mut browser, &page, "quickstart");
    browser.resize(1280, 900);
    browser.open(&page, "");
    checks::no_serious_fault_of_accessibility(&mut browser, test, "quickstart");
    checks::the_keyboard_reaches_everything(&mut browser);

    // The picker shows one target; a cell has a tip and its training.
    let drawings = "[...document.querySelectorAll('#fig-steps-1-1 [data-pick] > svg')].filter(e => e.getClientRects().length).length";
    let all = browser.ask(drawings);
    assert!(all.as_u64() > Some(1), "{all} targets");
    browser.ask("document.querySelector('#fig-steps-1-1 select').focus()");
    browser.press("ArrowDown");
    assert_eq!(browser.ask(drawings), json!(1));
    browser.hover("#map-1-1-1 .values tspan");
    let tip = browser.ask("document.querySelector('#tip').textContent");
    assert!(
        tip.as_str()
            .is_some_and(|tip| tip.contains("batch 16") && tip.contains("seeds ")),
        "{tip}"
    );
    assert_eq!(
        browser.ask("document.querySelectorAll('#tip .sketch').length"),
        json!(1)
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let pages = browser.printed_pages();
    // Some 35 to 40, as the machine's fonts are wide; not one for every configuration.
    assert!(
        (5..50).contains(&pages),
        "{pages} pages of paper for 1,700 runs"
    );
}

#[test]
fn a_page_so_far_of_real_runs_opens_from_disk_and_has_no_fault() {
    const TINY: &str = include_str!("../e2e/tiny.yaml");
    let test = "the page so far of a tiny study in a browser";
    let Some(mut browser) = Chromium::start(test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pipeline"))
            .args(words)
            .current_dir(folder.path())
            .env_remove("PIPELINE_CACHE")
            .output()
            .expect("the binary starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    // Of the runs of its grids half are there, and none of those of its winners.
    let study = folder.path().join("study.yaml");
    let (grids, _) = TINY.split_once("  best:").expect("a selection");
    let half = grids.replace("batch_size: [32, 64]", "batch_size: [32]");
    std::fs::write(&study, half).expect("the study is written");
    pipeline(&["run", "--quiet", "study.yaml"]);
    std::fs::write(&study, TINY).expect("the study is written");
    pipeline(&["report", "study.yaml", "--so-far"]);
    let page = folder.path().join("reports/tiny.html");

    checks::every_look(&mut browser, &page, "tiny-so-far");
    browser.resize(1280, 900);
    browser.open(&page, "");
    checks::no_serious_fault_of_accessibility(&mut browser, test, "so far");
    let done = browser.ask("document.querySelector('#so-far progress').value");
    assert_eq!(done, json!(6));
    // A cell without a run says so; its neighbour of the other batch size has a value.
    browser.ask("document.querySelector('#map-1-1-2').focus()");
    browser.press("ArrowRight");
    let said = browser.ask("document.querySelector('.aloud').textContent");
    assert!(
        said.as_str()
            .is_some_and(|said| said.contains("batch 64") && said.ends_with("missing")),
        "{said}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
