//! What a page says of an earlier report.

use report::Page;

use crate::sample::Study;
use crate::{all, check, sample, text};

#[test]
fn what_changed_since_an_earlier_report_is_said_and_nothing_else() {
    let now = Study::quick().table();
    let mut before = now.clone();
    before.claims[0].verdict = analysis::claims::Verdict::Undecided;
    before.claims.remove(2);
    before.stages[0]
        .common
        .insert("budget.epochs".into(), serde_json::json!(6));
    before.runs[0].last = None;
    before.runs.pop();
    let row = before.targets[0]
        .table
        .summaries
        .iter_mut()
        .find(|row| row.median.is_some());
    let row = row.expect("a reached target");
    row.median = None;
    let steps = format!("batch {:>6}", row.batch_size);
    let against = |before| {
        let earlier = report::Earlier {
            name: "before <b>".into(),
            table: before,
            devices: Some(vec!["CPU (flex)".into()]),
        };
        check(&Page::new(&now, &sample::provenance(), Some(&earlier)).html())
    };
    let page = against(before);
    let said = text(all(&page, "#changes")[0]).replace('\u{a0}', " ");
    for part in [
        "Compared with before <b>. 479 runs before, 480 now (1 added, 0 removed). 1 result differs among the 479 runs in both.",
        "Trained on CPU (flex), before and now.",
        "2 of 4 changed",
        "not declared",
        "kfac, K-FAC: budget.epochs",
        &steps,
        "Scaling fits: no change in 6.",
        "Winners: no change in 10.",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let rows = |id: &str| all(&page, &format!("{id} tbody tr")).len();
    assert_eq!(
        (
            rows("#changes-settings"),
            rows("#changes-steps"),
            rows("#changes-verdicts")
        ),
        (1, 1, 4)
    );
    assert_eq!(all(&page, "nav a[href='#changes']").len(), 1);
    // The same report again.
    let page = against(now.clone());
    assert_eq!(all(&page, "#changes figure").len(), 1);
    assert!(text(all(&page, "#changes-verdicts")[0]).contains("No verdict changed."));
}

#[test]
fn results_of_other_devices_are_told_from_what_changed() {
    let table = Study::quick().table();
    let said = |devices: Option<&[&str]>| {
        let earlier = report::Earlier {
            name: "before".into(),
            table: table.clone(),
            devices: devices.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        };
        let page = check(&Page::new(&table, &sample::provenance(), Some(&earlier)).html());
        let warned = all(&page, "#changes .warn").len();
        let text = text(all(&page, "#changes")[0]).replace('\u{a0}', " ");
        (text, warned)
    };
    let (text, warned) = said(Some(&["CPU (flex)", "cuda"]));
    assert!(
        text.contains("Trained on CPU (flex) and cuda before, on CPU (flex) now. That alone can be why results differ"),
        "{text}"
    );
    assert_eq!(warned, 1);
    let (text, warned) = said(None);
    assert!(
        text.contains(
            "The device of the earlier runs was not recorded. The present runs were trained on CPU (flex)."
        ),
        "{text}"
    );
    assert_eq!(warned, 0);
}
