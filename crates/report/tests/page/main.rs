//! The page as a browser would see it: parsed, then asked.

mod sample;

use std::collections::{BTreeSet, HashSet};

use analysis::heatmap::CellState;
use analysis::report::{ReportTable, RunRow};
use analysis::targets::{Steps, TargetsTable};
use analysis::{Interval, Metric, Outcome};
use report::{Provenance, page};
use sample::Study;
use scraper::{ElementRef, Html, Selector};

fn parsed(html: &str) -> Html {
    let page = Html::parse_document(html);
    assert_eq!(
        page.errors,
        Vec::<std::borrow::Cow<'_, str>>::new(),
        "the HTML has faults"
    );
    page
}

fn all<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(selector).expect("a selector");
    page.select(&selector).collect()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect()
}

/// How many pieces the paths have.
fn starts(page: &Html, selector: &str) -> usize {
    let paths = all(page, selector);
    let starts =
        |path: &ElementRef<'_>| path.value().attr("d").expect("a path").matches('M').count();
    paths.iter().map(starts).sum()
}

/// What must hold of every page, whatever is on it.
fn check(html: &str) -> Html {
    let page = parsed(html);
    // Coordinates are numbers.
    for element in all(&page, "svg *") {
        for (name, value) in element.value().attrs() {
            if !["id", "class"].contains(&name) {
                assert!(
                    !value.contains("NaN") && !value.contains("inf"),
                    "{name}={value}"
                );
            }
        }
    }
    // Nothing is loaded, not even from beside the page.
    for (name, value) in all(&page, "*").iter().flat_map(|e| e.value().attrs()) {
        assert!(
            !["src", "srcset", "data", "action", "poster", "style:src"].contains(&name),
            "{name}={value}"
        );
        if name == "href" || name == "xlink:href" {
            assert!(value.starts_with('#'), "{name}={value}");
        }
        assert!(!name.starts_with("on"), "{name}={value}");
    }
    assert_eq!(
        all(&page, "link, iframe, img, object, embed, base, form").len(),
        0
    );
    for style in all(&page, "style") {
        assert!(!text(style).contains("@import") && !text(style).contains("http"));
    }
    // Ids are unique, and what is pointed at exists.
    let ids: Vec<&str> = all(&page, "[id]")
        .iter()
        .filter_map(|e| e.value().id())
        .collect();
    let distinct: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "an id is used twice");
    for link in all(&page, "a[href]") {
        let target = &link.value().attr("href").expect("selected by it")[1..];
        assert!(distinct.contains(target), "#{target} leads nowhere");
    }
    for element in all(&page, "[aria-labelledby]") {
        for id in element
            .value()
            .attr("aria-labelledby")
            .expect("selected by it")
            .split(' ')
        {
            assert!(distinct.contains(id), "no element {id}");
        }
    }
    for element in all(&page, "[clip-path]") {
        let value = element.value().attr("clip-path").expect("selected by it");
        let id = value.trim_start_matches("url(#").trim_end_matches(')');
        assert!(distinct.contains(id), "no clip path {id}");
    }
    // Whoever does not see a drawing is told of it.
    for drawing in all(&page, "svg[role=img]") {
        let own = |name: &str| {
            drawing
                .children()
                .filter_map(ElementRef::wrap)
                .any(|child| child.value().name() == name && !text(child).trim().is_empty())
        };
        assert!(own("title"), "a drawing has no title");
        assert!(
            own("desc")
                || drawing
                    .value()
                    .id()
                    .is_some_and(|id| id.starts_with("scale-"))
        );
    }
    for figure in all(&page, "figure") {
        let caption = Selector::parse("figcaption").expect("a selector");
        let caption = figure
            .select(&caption)
            .next()
            .expect("every figure has a caption");
        assert!(text(caption).len() > 40);
    }
    for head in all(&page, "th") {
        assert!(head.value().attr("scope").is_some());
    }
    // Headings go down one level at a time, from a single h1.
    let levels: Vec<u8> = all(&page, "h1, h2, h3, h4")
        .iter()
        .map(|h| h.value().name().as_bytes()[1] - b'0')
        .collect();
    assert_eq!(levels[0], 1);
    assert!(levels[1..].iter().all(|level| *level > 1));
    assert!(
        levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
        "{levels:?}"
    );
    page
}

fn quick() -> String {
    page(&Study::quick().table(), &sample::provenance())
}

#[test]
fn a_page_is_whole_and_loads_nothing() {
    let html = quick();
    let page = check(&html);
    for id in [
        "claims",
        "scaling",
        "curves",
        "heatmaps",
        "winners",
        "runs",
        "settings",
        "provenance",
        "fig-steps-1-1",
        "fig-speed-up-1-1",
        "fig-train-loss",
        "fig-test-accuracy",
        "fig-heatmap-1-1",
        "fig-heatmap-1-2",
        "fig-share-1",
        "fig-performance-1",
        "fig-forgiving-1",
        "table-runs",
    ] {
        assert_eq!(all(&page, &format!("#{id}")).len(), 1, "{id}");
    }
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
}

#[test]
fn equal_tables_give_equal_pages_and_only_provenance_may_differ() {
    assert_eq!(quick(), quick());
    let other = page(&Study::quick().table(), &Provenance::default());
    let without = |html: &str| {
        let start = html
            .find("<section id=\"provenance\"")
            .expect("the section");
        let end = start + html[start..].find("</section>").expect("its end");
        format!("{}{}", &html[..start], &html[end..])
    };
    assert_ne!(quick(), other);
    assert_eq!(without(&quick()), without(&other));
}

#[test]
fn each_claim_names_verdict_statistic_interval_n_and_figure() {
    let html = quick();
    let page = check(&html);
    let claims = all(&page, ".claims > li");
    assert_eq!(claims.len(), 4);
    let first = text(claims[0]).replace('\u{a0}', " ");
    for part in [
        "supported",
        "within 1 point",
        "0.2 points",
        "95 % interval [−0.4, 0.8]",
        "n = 5",
        "Figure 12",
    ] {
        assert!(first.contains(part), "{part} is not in {first}");
    }
    // The number in the text is the number under the figure.
    let link = Selector::parse("p.note a").expect("a selector");
    for claim in &claims {
        for link in claim.select(&link) {
            let target = link.value().attr("href").expect("a link");
            let caption = text(all(&page, &format!("{target} > figcaption"))[0]);
            assert!(
                caption.starts_with(&format!("{}.", text(link))),
                "{caption}"
            );
        }
    }
}

#[test]
fn a_claim_says_first_whether_its_verdict_depends_on_the_choice() {
    let page = check(&quick());
    let said = |index: usize| text(all(&page, ".claims > li")[index]).replace('\u{a0}', " ");
    let second = said(1);
    assert!(
        second.contains("Of 2 other choices, 1 agrees and 1 would decide it (1 contradicted), such as contradicted at test accuracy 0.93."),
        "{second}"
    );
    assert!(!said(0).contains("other choice"));
    let closed = all(&page, "details.choices:not([open])");
    assert_eq!(
        text(all(&page, "details.choices > summary")[0]).replace('\u{a0}', " "),
        "The verdicts under 2 other choices: none contradicts, 1 would decide what is undecided"
    );
    assert_eq!(closed.len(), 1);
    assert_eq!(all(&page, "#other-choices tr.differs").len(), 0);
    assert_eq!(text(all(&page, "#other-choices th code")[0]), "winners");
}

#[test]
fn an_interval_ends_where_the_metric_does_and_the_page_says_so() {
    let mut table = Study::quick().table();
    let row = &mut table.performance[0];
    let accuracy = row.metrics.get_mut(&Metric::TestAccuracy).expect("shown");
    accuracy.interval = Some(Interval {
        low: Some(0.46),
        high: Some(1.06),
        confidence: 0.95,
    });
    let loss = row.metrics.get_mut(&Metric::TrainLoss).expect("shown");
    loss.interval = Some(Interval {
        low: Some(-0.3),
        high: Some(0.5),
        confidence: 0.95,
    });
    let page = check(&page(&table, &sample::provenance()));
    let shown = text(all(&page, "#confirmed")[0]).replace('\u{a0}', " ");
    for part in ["[46.00, 100†]", "[0†, 0.5]", "†: the interval would go on"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let ticks: Vec<String> = all(&page, "#performance-1-test-accuracy g.end text")
        .iter()
        .map(|tick| text(*tick))
        .collect();
    assert!(ticks.contains(&"100 %".into()) && !ticks.contains(&"110 %".into()));
    assert!(text(all(&page, "#fig-performance-1 figcaption")[0]).contains("An arrow ends"));
}

#[test]
fn each_selection_has_a_figure_with_its_own_seeds() {
    let mut table = Study::quick().table();
    let mut second = table.winners[0].clone();
    second.stage = "fastest".into();
    table.winners.push(second);
    let mut rows = table.performance.clone();
    for row in &mut rows {
        row.winners = "fastest".into();
    }
    table.performance.extend(rows);
    // Only seed 100 confirms the second selection, too.
    for curve in table.curves.iter_mut().filter(|curve| curve.seed == 100) {
        curve.winners.push("fastest".into());
    }
    let page = check(&page(&table, &sample::provenance()));
    // Figures are in the order of the stages' names.
    let seeds = |id: &str| starts(&page, &format!("#{id} .seed.dots"));
    assert_eq!(seeds("performance-1-test-accuracy"), 2 * 5);
    assert_eq!(seeds("performance-2-test-accuracy"), 2 * 5 * 5 - 1);
    assert_eq!(all(&page, "#fig-train-loss, #fig-train-loss-2").len(), 2);
}

#[test]
fn a_training_loss_over_a_part_of_the_training_set_is_called_that() {
    let caption = |subset: &[u64]| {
        let mut table = Study::quick().table();
        for (stage, subset) in table.stages.iter_mut().zip(subset.iter().cycle()) {
            let path = "evaluation.train_subset".to_owned();
            stage.common.insert(path, (*subset).into());
        }
        // Of the tuning stages: the sample lists no settings of the others.
        for curve in &mut table.curves {
            curve.stage.clone_from(&curve.method);
        }
        let page = check(&page(&table, &Provenance::default()));
        let caption = text(all(&page, "#fig-train-loss figcaption")[0]);
        caption.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let part = caption(&[400]);
    assert!(
        part.contains("loss over 400 training examples at each"),
        "{part}"
    );
    assert!(caption(&[400, 500]).contains("or the declared part of it"));
    let quick = parsed(&quick());
    let whole = text(all(&quick, "#fig-train-loss figcaption")[0]);
    assert!(
        whole.contains("loss over the training set at each"),
        "{whole}"
    );
}

#[test]
fn selections_that_chose_alike_are_drawn_once() {
    let once = check(&quick());
    let mut table = Study::quick().table();
    let mut second = table.winners[0].clone();
    second.stage = "fastest".into();
    let first = table.winners[0].stage.clone();
    table.winners.push(second);
    let mut rows = table.performance.clone();
    for row in &mut rows {
        row.winners = "fastest".into();
    }
    table.performance.extend(rows);
    // The same trainings, confirmed by a stage of each.
    let mut curves = table.curves.clone();
    curves.retain(|curve| curve.winners.contains(&first));
    for curve in &mut curves {
        curve.stage = "fastest-confirmed".into();
        curve.winners = vec!["fastest".into()];
    }
    table.curves.extend(curves);
    let both = check(&page(&table, &sample::provenance()));
    let figures =
        |page: &Html| all(page, "figure[id^=fig-train], figure[id^=fig-performance]").len();
    assert_eq!(figures(&both), figures(&once));
    let caption = text(all(&both, "#fig-performance-1 figcaption")[0]);
    assert!(
        caption.contains(&format!("stages fastest and {first}, which chose alike")),
        "{caption}"
    );
    let heading = text(all(&both, "#curves h3")[0]);
    assert_eq!(heading, format!("Winners of {first} and fastest"));
}

#[test]
fn eight_panels_of_a_wide_grid_stand_in_two_rows_and_name_their_rates_once_a_row() {
    let page = check(&page(&Study::paper().table(), &sample::provenance()));
    let style = all(&page, "#fig-heatmap-1-1 .maps")[0]
        .value()
        .attr("style")
        .expect("a style");
    assert!(style.contains("repeat(4,max-content)"), "{style}");
    let names = all(&page, "#fig-heatmap-1-1 svg text.label")
        .iter()
        .filter(|label| text(**label) == "learning rate")
        .count();
    assert_eq!(names, 4);
}

#[test]
fn a_grid_of_three_rows_names_its_rates_in_full() {
    let study = Study {
        grid: 3,
        ..Study::quick()
    };
    let page = check(&page(&study.table(), &sample::provenance()));
    let labels = all(&page, "#fig-heatmap-1-1 svg text.label");
    assert!(labels.iter().any(|label| text(*label) == "learning rate"));
    assert!(!labels.iter().any(|label| text(*label).contains('…')));
}

#[test]
fn where_all_dampings_exceed_the_curvature_there_is_no_line_and_the_caption_says_so() {
    let mut table = Study::quick().table();
    let said = |table: &ReportTable| {
        let page = check(&page(table, &sample::provenance()));
        let lines = all(&page, "#fig-heatmap-1-1 .maps .curvature").len();
        let legend = all(&page, "#fig-heatmap-1-1 .legend .curvature").len();
        (
            lines > 0,
            legend > 0,
            text(all(&page, "#fig-heatmap-1-1 figcaption")[0]),
        )
    };
    let (lines, legend, caption) = said(&table);
    assert!(
        lines && legend && caption.contains("Beyond the dotted line"),
        "{caption}"
    );
    for level in table.heatmaps[0]
        .table
        .panels
        .iter_mut()
        .flat_map(|panel| &mut panel.dampings)
    {
        level.median = 1e-9;
    }
    let (lines, legend, caption) = said(&table);
    assert!(
        !lines && !legend && !caption.contains("dotted line"),
        "{caption}"
    );
    assert!(
        caption.contains("All dampings exceed the median eigenvalue of the curvature"),
        "{caption}"
    );
}

#[test]
fn a_method_that_reached_from_a_larger_batch_on_has_its_own_ideal_speed_up() {
    let mut table = Study::quick().table();
    let ideal = |table: &ReportTable, colour: &str| {
        let page = check(&page(table, &sample::provenance()));
        all(
            &page,
            &format!("#speed-up-1-1-1 {colour} .ideal, #speed-up-1-1-1 .ideal{colour}"),
        )
        .len()
    };
    assert_eq!((ideal(&table, ".neutral"), ideal(&table, ".m1")), (1, 0));
    for row in &mut table.targets[0].table.summaries {
        if (row.method.as_str(), row.batch_size) == ("sgd", 16) {
            row.speed_up = None;
        }
    }
    assert_eq!((ideal(&table, ".neutral"), ideal(&table, ".m1")), (0, 1));
}

#[test]
fn a_heatmap_has_its_cells_values_and_marks() {
    let study = Study::quick();
    let table = study.table();
    let html = page(&table, &sample::provenance());
    let page = check(&html);
    let panels = &table.heatmaps[0].table.panels;
    let drawn = all(&page, "svg[id^=map-]");
    assert_eq!(drawn.len(), panels.len());
    let of = |wanted: fn(&CellState) -> bool| {
        panels
            .iter()
            .flat_map(|p| &p.cells)
            .filter(|c| wanted(&c.state))
            .count()
    };
    let values = of(|s| matches!(s, CellState::Value { .. }));
    assert_eq!(all(&page, "svg[id^=map-] .values tspan").len(), values);
    let diverged = of(|s| matches!(s, CellState::Diverged { .. }));
    let missing = of(|s| matches!(s, CellState::Missing));
    assert_eq!(starts(&page, "svg[id^=map-] .lost.thick"), diverged);
    assert_eq!(starts(&page, "svg[id^=map-] .missing"), missing);
    // Others are as wide as their strokes are long; neighbours that look alike have one.
    let cells = |selector: &str| -> f64 {
        let wide = |drawing: &ElementRef<'_>| -> f64 {
            let grid = drawing.value().attr("data-grid").expect("a grid");
            let wide = grid
                .split(' ')
                .nth(2)
                .and_then(|wide| wide.parse::<f64>().ok());
            wide.expect("the width of a cell")
        };
        let long = |path: ElementRef<'_>| -> f64 {
            let d = path.value().attr("d").expect("a path");
            let strokes = d.split('M').filter_map(|stroke| stroke.split_once('h'));
            strokes
                .map(|(_, long)| long.parse::<f64>().expect("a length"))
                .sum()
        };
        let selector = Selector::parse(selector).expect("a selector");
        let of = |drawing: &ElementRef<'_>| {
            drawing.select(&selector).map(long).sum::<f64>() / wide(drawing)
        };
        drawn.iter().map(of).sum()
    };
    let known = panels.iter().map(|p| p.cells.len()).sum::<usize>() - missing;
    assert_eq!(
        cells(".shades path[stroke^=url]").round() as usize,
        diverged
    );
    assert_eq!(cells(".shades path[stroke^='#']").round() as usize, values);
    assert_eq!(cells(".shades path").round() as usize, known);
    // The best cell of the first panel is the table's.
    let best = panels[0].best.expect("a best cell");
    let CellState::Value { mean, .. } = panels[0].cells[best].state else {
        panic!("the best cell has a value");
    };
    let starred = all(&page, "#map-1-1-1 .starred");
    assert_eq!(text(starred[0]), format!("{:.1}*", mean * 100.0));
}

#[test]
fn the_data_behind_a_figure_is_the_table() {
    let study = Study::quick();
    let table = study.table();
    let html = page(&table, &sample::provenance());
    let page = check(&html);
    // On the page seeds stand side by side; the file has a row for each.
    let files = report::exhibits(&html);
    let is_it = |file: &&report::Exhibit| file.name == "fig-steps-1-1.csv";
    let csv = &files.iter().find(is_it).expect("the file").text;
    let on_the_page = text(all(&page, "#fig-steps-1-1 .data pre")[0]);
    let rows = table.targets[0].table.summaries.len();
    assert_eq!(on_the_page.lines().count(), rows + 1);
    let targets: &TargetsTable = &table.targets[0].table;
    let expected: usize = targets.runs.iter().map(|run| run.crossings.len()).sum();
    assert_eq!(csv.lines().count(), expected + 1);
    let run = &targets.runs[0];
    let Steps::Reached { after, by } = run.crossings[1].steps else {
        panic!("the sample's first run reaches its second target");
    };
    assert_eq!((run.batch_size, run.seed), (16, 100));
    let line = format!("confirmed,kfac,train loss 0.03,16,100,reached,{after},{by}");
    assert!(csv.lines().any(|l| l == line), "{line}");
}

#[test]
fn names_are_text_whatever_they_contain() {
    for name in sample::edges::MALICIOUS {
        let (table, provenance) = sample::edges::named(name);
        let html = page(&table, &provenance);
        let page = check(&html);
        let scripts = all(&page, "script:not([type=\"application/json\"])").len();
        assert_eq!(scripts, 1, "only the page's own");
        assert_eq!(text(all(&page, "h1")[0]), name);
        if !name.is_ascii() {
            assert_eq!(
                all(&page, "h1 > bdi").len(),
                1,
                "text that turns direction is isolated"
            );
        }
    }
}

#[test]
fn long_names_are_cut_in_drawings_and_whole_in_the_text() {
    let long = "n".repeat(300);
    let mut study = Study::quick();
    study.methods = vec![long.clone(), "sgd".into()];
    let mut table = study.table();
    table.title = long.clone();
    let html = page(&table, &sample::provenance());
    let page = check(&html);
    assert!(
        all(&page, "svg text")
            .iter()
            .all(|t| text(*t).chars().count() < 90)
    );
    assert_eq!(text(all(&page, "h1")[0]), long);
}

#[test]
fn an_empty_report_says_what_is_missing() {
    let html = page(&sample::empty(), &Provenance::default());
    let page = check(&html);
    assert_eq!(text(all(&page, "h1")[0]), "Training study");
    assert_eq!(all(&page, "figure").len(), 0);
    assert!(all(&page, ".empty").len() >= 7);
}

#[test]
fn one_run_makes_a_page() {
    let table = sample::edges::one_run();
    check(&page(&table, &sample::provenance()));
}

#[test]
fn a_page_of_9216_runs_and_twelve_targets_has_less_than_three_megabytes_and_every_run() {
    let table = Study::large(12);
    assert_eq!(table.runs.len(), 9216);
    let html = page(&table, &sample::provenance_of(9216));
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
    // Without a script a configuration is a row of text, with how to read it.
    let page = parsed(&html);
    let list = text(all(&page, "#list-runs pre")[0]);
    assert_eq!(list.lines().count(), 1 + 9216 / 3);
    assert!(text(all(&page, "#list-runs details p")[0]).contains("blank field is as above"));
    // The file has a row a run, whole.
    let files = report::exhibits(&html);
    let file = files.iter().find(|file| file.name == "list-runs.csv");
    let written: BTreeSet<String> = file
        .expect("the list")
        .text
        .lines()
        .skip(1)
        .map(|row| row.split(',').take(9).collect::<Vec<&str>>().join(","))
        .collect();
    let said = |run: &RunRow| {
        let setting = |path: &str| {
            let value = run.settings.get(path).and_then(serde_json::Value::as_f64);
            value.map_or_else(String::new, |value| value.to_string())
        };
        let (outcome, steps) = match run.outcome {
            Outcome::Finished => ("finished", run.budget_steps),
            Outcome::Diverged { step } => ("diverged", step),
            Outcome::Stopped { step } => ("stopped", step),
        };
        format!(
            "{},{},{},{},{},{},{},{outcome},{steps}",
            run.stage,
            run.method,
            run.batch_size,
            run.learning_rate,
            setting("optimizer.kfac.damping"),
            setting("optimizer.sgd.momentum"),
            run.seed
        )
    };
    let expected: BTreeSet<String> = table.runs.iter().map(said).collect();
    let other: Vec<&String> = written.symmetric_difference(&expected).take(3).collect();
    assert!(other.is_empty() && written.len() == 9216, "{other:?}");
}

#[test]
fn forty_batch_sizes_and_twelve_targets_make_a_page() {
    let study = Study {
        batches: (1..=40).map(|i| 8 * i).collect(),
        seeds: 2,
        targets: 12,
        ..Study::quick()
    };
    let html = page(&study.table(), &sample::provenance());
    let page = check(&html);
    assert_eq!(all(&page, "#fig-steps-1-1 svg[role=img]").len(), 12);
}

#[test]
fn where_every_run_diverged_the_page_says_so() {
    let table = sample::edges::all_diverged();
    let html = page(&table, &sample::provenance());
    let page = check(&html);
    let said = text(all(&page, "#scaling")[0]).replace('\u{a0}', " ");
    assert!(
        said.contains("No run of these stages reached test accuracy ≥ 93 %."),
        "{said}"
    );
    assert_eq!(all(&page, "#fig-steps-1-1").len(), 0);
}

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
        check(&report::page_against(&now, &sample::provenance(), &earlier))
    };
    let page = against(before);
    let said = text(all(&page, "#changes")[0]).replace('\u{a0}', " ");
    for part in [
        "Compared with before <b>. 479 runs before, 480 now: 1 added, 0 gone; of the 479 in both 1 came out otherwise.",
        "Trained on CPU (flex), before and now.",
        "2 of 4 changed",
        "not declared",
        "kfac, K-FAC: budget.epochs",
        &steps,
        "Scaling fits: all 6 as before.",
        "Winners: all 10 as before.",
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
    assert!(text(all(&page, "#changes-verdicts")[0]).contains("none is another"));
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
        let page = report::page_against(&table, &sample::provenance(), &earlier);
        let page = check(&page);
        let warned = all(&page, "#changes .warn").len();
        let text = text(all(&page, "#changes")[0]).replace('\u{a0}', " ");
        (text, warned)
    };
    let (text, warned) = said(Some(&["CPU (flex)", "cuda"]));
    assert!(
        text.contains("Trained on CPU (flex) and cuda before, on CPU (flex) now"),
        "{text}"
    );
    assert_eq!(warned, 1);
    let (text, warned) = said(None);
    assert!(
        text.contains("On what the earlier runs were trained was not recorded; now on CPU (flex)."),
        "{text}"
    );
    assert_eq!(warned, 0);
}
