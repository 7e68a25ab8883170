//! The page of a study that is not done, which loads itself anew.

use analysis::claims::Claim;
use report::{Missing, Page, PartOf, Reads, Runs, SoFar, Waiting};
use serde_json::json;

use super::sample::{self, Study};
use super::{Written, checks};
use crate::chromium::Chromium;

/// So many of 1,200 runs are done.
fn so_far(done: usize) -> SoFar {
    let missing = |method: &str, runs| Missing {
        method: method.into(),
        batch_sizes: vec![16, 32, 64],
        runs,
    };
    let claim =
        |name: &str| -> Claim { serde_json::from_value(json!({ name: {} })).expect("a claim") };
    SoFar {
        drawn: "2026-03-01T12:00:00Z".into(),
        runs: Runs {
            all: 1200,
            done,
            diverged: 12,
            running: 64,
            failed: 1,
            undecided: 100,
        },
        going: true,
        per_hour: Some(1234.5),
        seconds_left: Some(7000.0),
        claims: vec![
            Waiting {
                claim: claim("diminishing_returns"),
                runs: vec![missing("kfac", 700), missing("sgd", 20)],
                undecided: 100,
            },
            Waiting {
                claim: claim("rates_and_dampings_correlate"),
                runs: Vec::new(),
                undecided: 0,
            },
        ],
        stages: [Reads::Selection, Reads::Targets, Reads::Heatmaps]
            .map(|reads| PartOf {
                stage: "a-stage".into(),
                reads,
                there: done,
                all: 1200,
            })
            .to_vec(),
        reload: Some(5),
    }
}

fn written(so_far: &SoFar) -> Written {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    let page = Page::so_far(&Study::quick().table(), &sample::provenance(), so_far);
    std::fs::write(&file, page.html()).expect("a page is written");
    Written {
        _folder: folder,
        file,
    }
}

/// As a run does it.
fn redraw(page: &Written, html: &str) {
    let other = page.file.with_extension("new");
    std::fs::write(&other, html).expect("a page is written");
    std::fs::rename(&other, &page.file).expect("it takes the place");
}

#[test]
fn a_page_so_far_fits_at_every_width_in_light_dark_and_print() {
    let test = "the page so far in a browser";
    let Some(mut browser) = Chromium::start(test) else {
        return;
    };
    let mut still = so_far(480);
    still.reload = None;
    let page = written(&still);
    checks::every_look(&mut browser, &page.file, "so-far");
    for (width, scheme) in [(1280, "light"), (390, "dark")] {
        browser.resize(width, 900);
        browser.media("screen", scheme);
        browser.open(&page.file, "");
        checks::no_serious_fault_of_accessibility(&mut browser, test, scheme);
    }
    // Nothing is done yet.
    let nothing = SoFar {
        drawn: still.drawn.clone(),
        ..SoFar::default()
    };
    let nothing = Page::so_far(&sample::empty(), &sample::provenance(), &nothing);
    redraw(&page, &nothing.html());
    checks::every_look(&mut browser, &page.file, "so-far-nothing");
}

#[test]
fn an_open_page_loads_itself_anew_and_keeps_its_place_and_what_was_chosen() {
    let Some(mut browser) = Chromium::start("reloads in a browser") else {
        return;
    };
    browser.resize(1000, 700);
    let page = written(&so_far(480));
    browser.open(&page.file, "");
    let state = "document.querySelector('#so-far b').textContent.replaceAll('\\u00a0', ' ')";
    assert_eq!(browser.ask(state), "The page so far: 480 of 1200 runs done");
    // A target, a filter, a cell, a closed table, and a place.
    browser.ask(
        "(() => { const select = document.querySelector('#fig-steps-1-1 select'); select.selectedIndex = 2; \
         select.dispatchEvent(new Event('change')); \
         const input = document.querySelector('#list-runs input'); input.value = 'sgd 128'; \
         input.dispatchEvent(new Event('input')); \
         document.querySelector('#fig-heatmap-1-1 details.data').open = true; \
         const scroll = document.querySelector('#list-runs .tall'); scroll.scrollTop = 120; \
         document.querySelector('#fig-heatmap-1-1').scrollIntoView(); scrollBy(0, 37); })()",
    );
    let kept = "[document.querySelector('#fig-steps-1-1 select').value, \
                document.querySelector('#list-runs input').value, \
                document.querySelector('#fig-heatmap-1-1 details.data').open, \
                document.querySelector('#list-runs .tall').scrollTop, \
                location.hash, \
                Math.round(document.querySelector('#fig-heatmap-1-1').getBoundingClientRect().top)]";
    let before = browser.ask(kept);
    assert_eq!(before[1], "sgd 128");
    assert_eq!(before[5], 24 - 37, "below the padding of the page");
    // What is above the place grows by a claim.
    let mut more = so_far(481);
    more.claims.push(more.claims[0].clone());
    let table = Study::quick().table();
    redraw(
        &page,
        &Page::so_far(&table, &sample::provenance(), &more).html(),
    );
    browser.reloaded();
    browser.ask(
        "new Promise(done => { const look = () => 'back' in document.body.dataset ? done(null) : setTimeout(look, 5); look(); })",
    );
    assert_eq!(browser.ask(state), "The page so far: 481 of 1200 runs done");
    let after = browser.ask(kept);
    for place in 0..5 {
        assert_eq!(after[place], before[place]);
    }
    // Pixels are rounded.
    let moved = after[5].as_i64().zip(before[5].as_i64());
    assert!(
        moved.is_some_and(|(now, then)| (now - then).abs() <= 1),
        "{moved:?}"
    );
    // Whoever is in the midst of something is left alone.
    browser.ask("getSelection().selectAllChildren(document.querySelector('h1')); window.mark = 1");
    browser.ask("new Promise(done => setTimeout(done, 7000))");
    assert_eq!(browser.ask("window.mark"), 1);
    assert_eq!(browser.complaints(), Vec::<String>::new());

    // The finished page has nothing of it, and what the address keeps is there.
    browser.ask("scrollTo(0, 900)");
    redraw(
        &page,
        &Page::new(&table, &sample::provenance(), None).html(),
    );
    browser.ask("getSelection().empty()");
    browser.reloaded();
    assert_eq!(
        browser.ask("document.querySelectorAll('#so-far').length"),
        0
    );
    browser.ask("window.mark = 2; new Promise(done => setTimeout(done, 6000))");
    assert_eq!(browser.ask("window.mark"), 2, "it loads itself no more");
    assert_eq!(browser.ask("location.hash"), before[4]);
}

#[test]
fn without_javascript_the_page_says_when_it_was_drawn_and_only_that_page_loads_itself() {
    let page = Page::so_far(&Study::quick().table(), &sample::provenance(), &so_far(480)).html();
    assert!(
        page.contains("<time datetime=\"2026-03-01T12:00:00Z\">2026-03-01 12:00:00 UTC</time>")
    );
    assert!(!page.contains("http-equiv=\"refresh\""));
    let finished = Page::new(&Study::quick().table(), &sample::provenance(), None).html();
    for part in ["so-far", "reload", "sessionStorage", "<progress"] {
        assert!(!finished.contains(part), "{part}");
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(json!(finished.matches("<script>").count()), json!(1));
}
