//! The page as a browser would see it: parsed, then asked.

mod changes;
mod extremes;
mod heatmaps;
mod paper;
#[path = "../sample/mod.rs"]
mod sample;

use std::collections::HashSet;

use analysis::report::ReportTable;
use analysis::targets::{Steps, TargetsTable};
use analysis::{Interval, Metric};
use report::{Page, Provenance};
use sample::Study;
use scraper::{ElementRef, Html, Selector};

/// The page as HTML.
fn page(table: &ReportTable, provenance: &Provenance) -> String {
    Page::new(table, provenance, None).html()
}

/// A file beside the page.
fn file(table: &ReportTable, name: &str) -> String {
    let files = Page::new(table, &sample::provenance(), None).files();
    let file = files.into_iter().find(|file| file.name == name);
    file.unwrap_or_else(|| panic!("no file {name}")).text
}

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
    let claims = all(&page, "article.claim");
    assert_eq!(claims.len(), 4);
    let first = text(claims[0]).replace('\u{a0}', " ");
    for part in [
        "supported",
        "within 1 point",
        "0.2 points",
        "95 % interval −0.1 to 0.5 points",
        "n = 5",
        "Figure 15",
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
    let said = |index: usize| text(all(&page, "article.claim")[index]).replace('\u{a0}', " ");
    let second = said(1);
    assert!(
        second.contains(
            "With 2 other choices of target or runs the claim is contradicted once and undecided once. It is \
             contradicted, for example, with test accuracy ≥ 93 % in targets, the fastest configuration for each \
             target \
             on the tuning seeds."
        ),
        "{second}"
    );
    assert!(!said(0).contains("other choice"));
    let closed = all(&page, "details.choices:not([open])");
    assert_eq!(
        text(all(&page, "details.choices > summary")[0]).replace('\u{a0}', " "),
        "The verdicts with 2 other choices: none is the opposite, 1 decides a claim that is undecided above"
    );
    assert_eq!(closed.len(), 1);
    assert_eq!(all(&page, "#other-choices tr.differs").len(), 0);
    assert_eq!(text(all(&page, "#other-choices th code")[1]), "winners");
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
    for part in [
        "[46.00, 100†]",
        "[0†, 0.5]",
        "†: the interval would go beyond",
    ] {
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
    let seeds = |id: &str| starts(&page, &format!("#{id} .seed[stroke-linecap]"));
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
        caption.contains(&format!("stages fastest and {first}, which chose the same")),
        "{caption}"
    );
    let heading = text(all(&both, "#curves h3")[0]);
    assert_eq!(heading, format!("Winners of {first} and fastest"));
}

#[test]
fn a_method_that_reached_from_a_larger_batch_on_has_its_own_ideal_speed_up() {
    let mut table = Study::quick().table();
    // In grey, or in the colour of the second method.
    let (neutral, sgd) = ("#59616b", "#d55e00");
    let ideal = |table: &ReportTable, colour: &str| {
        let page = check(&page(table, &sample::provenance()));
        all(&page, &format!("#speed-up-1-1-1 .ideal[stroke='{colour}']")).len()
    };
    assert_eq!((ideal(&table, neutral), ideal(&table, sgd)), (1, 0));
    for row in &mut table.targets[0].table.summaries {
        if (row.method.as_str(), row.batch_size) == ("sgd", 16) {
            row.speed_up = None;
        }
    }
    assert_eq!((ideal(&table, neutral), ideal(&table, sgd)), (0, 1));
}

#[test]
fn the_data_behind_a_figure_are_the_tables_in_full_precision() {
    let table = Study::quick().table();
    let csv = file(&table, "fig-steps-1-1.csv");
    let page = check(&page(&table, &sample::provenance()));
    assert_eq!(text(all(&page, "#fig-steps-1-1 .data pre")[0]), csv);
    let targets: &TargetsTable = &table.targets[0].table;
    let expected: usize = targets.runs.iter().map(|run| run.crossings.len()).sum();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let head = rows.headers().expect("a head").clone();
    let place = |name: &str| {
        let place = head.iter().position(|column| column == name);
        place.unwrap_or_else(|| panic!("no column {name}"))
    };
    let rows: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), expected);
    let run = &targets.runs[0];
    let Steps::Reached { after, by } = run.crossings[1].steps else {
        panic!("the sample's first run reaches its second target");
    };
    let level = targets.targets[1].target.level;
    let found = rows
        .iter()
        .find(|row| row[place("run")] == run.label && row[place("level")] == level.to_string());
    let found = found.expect("the crossing");
    assert_eq!(found[place("after")], after.to_string());
    assert_eq!(found[place("by")], by.to_string());
    // A mean with all its digits, as no page shows it.
    let row = &table.performance[0];
    let mean = row.metrics[&Metric::TestAccuracy].value;
    let csv = file(&table, "confirmed.csv");
    assert!(
        csv.lines()
            .any(|line| line.contains(&format!("test_accuracy,{mean},"))),
        "{csv}"
    );
}

#[test]
fn drawings_say_by_attributes_how_they_look() {
    let html = quick();
    let page = check(&html);
    for mark in all(&page, "main svg path") {
        let own = |name: &str| {
            let around = mark.ancestors().filter_map(ElementRef::wrap);
            std::iter::once(mark)
                .chain(around.take_while(|e| e.value().name() != "svg"))
                .find_map(|element| element.value().attr(name))
        };
        assert!(
            own("fill").is_some() && (own("fill") != Some("none") || own("stroke").is_some()),
            "{}",
            mark.html()
        );
    }
    for file in Page::new(&Study::quick().table(), &sample::provenance(), None).files() {
        if file.text.starts_with("<svg") {
            assert!(!file.text.contains("<style") && !file.text.contains("var("));
        }
    }
}
