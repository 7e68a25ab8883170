//! Studies at the edges of what a page must show.

use std::collections::BTreeMap;

use analysis::claims::{Alternative, Choice, Remark, Verdict};
use analysis::heatmap::CellState;
use analysis::report::ReportTable;
use analysis::targets::Steps;
use analysis::{Metric, Outcome};
use report::Provenance;

use super::{Study, provenance};

/// Names that would break out of a page that took them for more than text.
pub(crate) const MALICIOUS: [&str; 5] = [
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "]]><!--",
    "\u{202e}gnp.exe\u{202c}",
    "' onmouseover='alert(1)",
];

/// Every edge case by name.
pub(crate) fn all() -> Vec<(&'static str, ReportTable, Provenance)> {
    let plain = |name, table| (name, table, provenance());
    let named = |title, name: &str| {
        let (table, provenance) = named(name);
        (title, table, provenance)
    };
    vec![
        plain("one-run", one_run()),
        plain("none-reached", none_reached()),
        plain("all-diverged", all_diverged()),
        plain("many", many()),
        named("long", &"n".repeat(300)),
        named("long-words", &"a long name ".repeat(25)),
        named("malicious-script", MALICIOUS[0]),
        named("malicious-quotes", MALICIOUS[1]),
        named("malicious-direction", MALICIOUS[3]),
        plain("empty", super::empty()),
    ]
}

/// One run of one configuration.
pub(crate) fn one_run() -> ReportTable {
    let study = Study {
        methods: vec!["sgd".into()],
        batches: vec![16],
        seeds: 1,
        targets: 1,
        grid: 1,
        ..Study::quick()
    };
    let mut table = study.table();
    table.runs.truncate(1);
    table
}

/// 40 batch sizes, 12 targets.
pub(crate) fn many() -> ReportTable {
    let study = Study {
        batches: (0..40).map(|i| 8 * (i + 1)).collect(),
        targets: 12,
        grid: 4,
        ..Study::quick()
    };
    study.table()
}

/// A study that has this name wherever it may choose one.
pub(crate) fn named(name: &str) -> (ReportTable, Provenance) {
    let mut study = Study::quick();
    study.methods = vec![name.into(), "sgd".into()];
    let mut table = study.table();
    table.title = name.into();
    let claim = &mut table.claims[0];
    claim.remarks.push(Remark::WinnerDiverged {
        method: name.into(),
        batch_size: 16,
        diverged: 1,
        seeds: 5,
    });
    claim.under = vec![
        Alternative {
            choice: Choice::Winners {
                metric: Metric::TestAccuracy,
                margin: 0.01,
                selection: name.into(),
            },
            verdict: Verdict::Contradicted,
            statistic: None,
            missing: None,
        };
        2
    ];
    table.targets[0].stage = name.into();
    table.heatmaps[0].table.panels[0].x = name.into();
    table.heatmaps[0].table.panels[0].others = BTreeMap::from([(name.into(), name.into())]);
    table.stages[0].common.insert(name.into(), name.into());
    table.stages[0].stage = name.into();
    table.runs[0].stage = name.into();
    table.runs[0].settings.insert(name.into(), name.into());
    let mut provenance = provenance();
    provenance.command = name.into();
    provenance.study_text = name.into();
    provenance.study_file = name.into();
    provenance.graph.nodes[0].name = name.into();
    provenance.keys[0].stage = name.into();
    (table, provenance)
}

/// No run reached a target.
pub(crate) fn none_reached() -> ReportTable {
    let mut table = Study::quick().table();
    let targets = &mut table.targets[0].table;
    for crossing in targets.runs.iter_mut().flat_map(|run| &mut run.crossings) {
        crossing.steps = Steps::NotReached { budget: 60 };
    }
    for row in &mut targets.summaries {
        (row.reached, row.not_reached, row.diverged) = (0, row.seeds, 0);
        (row.median, row.fastest, row.slowest) = (None, None, None);
        (row.ideal, row.speed_up) = (None, None);
    }
    for fit in &mut targets.fits {
        (fit.law, fit.slope) = (None, None);
    }
    table
}

/// Every run diverged.
pub(crate) fn all_diverged() -> ReportTable {
    let mut table = Study::quick().table();
    for run in &mut table.runs {
        run.outcome = Outcome::Diverged { step: 1 };
        run.last = None;
    }
    for curve in &mut table.curves {
        curve.outcome = Outcome::Diverged { step: 1 };
        curve.evaluations.truncate(1);
        for bucket in &mut curve.loss {
            (bucket.low, bucket.high) = (None, None);
        }
    }
    for row in &mut table.performance {
        (row.seeds, row.diverged) = (0, 5);
        row.metrics.clear();
    }
    for panel in &mut table.heatmaps[0].table.panels {
        panel.best = None;
        for cell in &mut panel.cells {
            cell.state = CellState::Diverged {
                diverged: 3,
                seeds: 3,
            };
        }
        for region in &mut panel.regions {
            region.good.fill(false);
            region.touches.clear();
            (region.level, region.share, region.slope) = (None, Some(0.0), None);
        }
    }
    let targets = &mut table.targets[0].table;
    for run in &mut targets.runs {
        for crossing in &mut run.crossings {
            crossing.steps = Steps::Diverged { step: 1 };
        }
    }
    for row in &mut targets.summaries {
        (row.reached, row.not_reached, row.diverged) = (0, 0, row.seeds);
        (row.median, row.fastest, row.slowest) = (None, None, None);
        (row.ideal, row.speed_up) = (None, None);
    }
    for fit in &mut targets.fits {
        (fit.law, fit.slope) = (None, None);
    }
    table
}
