//! The page in a browser: headless Chromium opens it from disk with the network off. Pictures of every page
//! are kept in `target/tmp/browser`.

#[path = "../sample/mod.rs"]
mod sample;

mod checks;
mod chromium;
mod foreign;
mod so_far;

use std::path::PathBuf;

use analysis::report::ReportTable;
use chromium::Chromium;
use report::{Page, Provenance};
use sample::Study;
use serde_json::json;

/// A page in a file, removed with the folder.
struct Written {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

fn written(table: &ReportTable, provenance: &Provenance) -> Written {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    std::fs::write(&file, Page::new(table, provenance, None).html()).expect("a page is written");
    Written {
        _folder: folder,
        file,
    }
}

fn quick() -> Written {
    written(&Study::quick().table(), &sample::provenance())
}

#[test]
fn every_edge_case_fits_at_every_width_in_light_dark_and_print() {
    let Some(mut browser) = Chromium::start("edge cases in a browser") else {
        return;
    };
    for (name, table, provenance) in sample::edges::all() {
        checks::every_look(&mut browser, &written(&table, &provenance).file, name);
    }
}

#[test]
fn a_page_has_no_serious_fault_of_accessibility() {
    let test = "accessibility in a browser";
    let Some(mut browser) = Chromium::start(test) else {
        return;
    };
    for (width, scheme) in [(1280, "light"), (390, "dark")] {
        browser.resize(width, 900);
        browser.media("screen", scheme);
        browser.open(&quick().file, "");
        checks::no_serious_fault_of_accessibility(
            &mut browser,
            test,
            &format!("{width}, {scheme}"),
        );
    }
}

#[test]
fn the_keyboard_reaches_and_works_everything() {
    let Some(mut browser) = Chromium::start("keyboard in a browser") else {
        return;
    };
    browser.open(&quick().file, "");
    checks::the_keyboard_reaches_everything(&mut browser);
    // A chart's marks, one after the other.
    browser.ask("document.querySelector('#steps-1-1-1').focus()");
    browser.press("ArrowRight");
    let first = browser.ask("document.querySelector('#tip').textContent");
    browser.press("ArrowRight");
    let second = browser.ask("document.querySelector('#tip').textContent");
    assert!(
        first
            .as_str()
            .is_some_and(|text| text.contains("K-FAC") && text.contains("seeds 100: (")),
        "{first}"
    );
    assert_ne!(first, second);
    browser.press("Escape");
    assert_eq!(
        browser.ask("document.querySelector('#tip').hidden"),
        json!(true)
    );
    // A heatmap's cells, and the address that leads back to one.
    browser.ask("document.querySelector('#map-1-1-1').focus()");
    for key in ["ArrowRight", "ArrowUp", "Enter"] {
        browser.press(key);
    }
    let said = browser.ask("document.querySelector('.aloud').textContent");
    let table = Study::quick().table();
    let cell = &table.heatmaps[0].table.panels[0].cells[5];
    assert!(
        said.as_str().is_some_and(
            |text| text.contains(&format!("damping {}, learning rate {}", cell.x, cell.y))
        ),
        "{said}"
    );
    assert_eq!(
        browser.ask("location.hash"),
        "#fig-heatmap-1-1?cell=map-1-1-1.5"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_cell_shows_its_training_and_marks_the_same_settings_everywhere() {
    let Some(mut browser) = Chromium::start("linked heatmaps in a browser") else {
        return;
    };
    let quick = quick();
    browser.open(&quick.file, "");
    browser.hover("#map-1-1-1 .values tspan");
    let tip = browser.ask("document.querySelector('#tip').textContent");
    let tip = tip.as_str().expect("text");
    assert!(
        tip.contains("K-FAC, batch 16") && tip.contains("seeds 9"),
        "{tip}"
    );
    assert_eq!(
        browser.ask("document.querySelectorAll('#tip .sketch').length"),
        1
    );
    // Both slices have each batch size once.
    let marked =
        browser.ask("[...document.querySelectorAll('.cursor')].map(e => e.closest('svg').id)");
    let marked = marked.as_array().expect("a list");
    assert_eq!(marked.len(), 2 * Study::quick().batches.len(), "{marked:?}");
    // SGD's grid shares some rates with K-FAC's, no damping.
    browser.hover("#map-1-1-1 .values text:nth-of-type(3) tspan");
    let alike = browser.ask("document.querySelectorAll('#map-1-1-6 .alike').length");
    assert_eq!(alike, Study::quick().grid);
    // An address leads to a cell.
    browser.open(&quick.file, "#fig-heatmap-1-1?cell=map-1-1-2.3");
    assert_eq!(
        browser.ask("document.querySelectorAll('#map-1-1-2 .cursor').length"),
        1
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_picker_shows_one_target_in_every_figure_and_the_address_keeps_it() {
    let Some(mut browser) = Chromium::start("target picker in a browser") else {
        return;
    };
    let quick = quick();
    browser.open(&quick.file, "");
    let shown = "['steps', 'speed-up'].map(f => [...document.querySelectorAll(`#fig-${f}-1-1 [data-pick] > svg`)].filter(e => e.getClientRects().length).length)";
    assert_eq!(browser.ask(shown), json!([3, 3]));
    // By keyboard: a letter chooses the option that begins with it.
    browser.ask("document.querySelector('#fig-steps-1-1 select').focus()");
    browser.press("ArrowDown");
    assert_eq!(browser.ask(shown), json!([1, 1]));
    let place = browser.ask("location.hash");
    browser.open(&quick.file, place.as_str().expect("an address"));
    assert_eq!(browser.ask(shown), json!([1, 1]), "{place}");
    assert_eq!(
        browser.ask("document.querySelector('#fig-steps-1-1 select').value"),
        browser.ask("document.querySelectorAll('#fig-steps-1-1 [data-pick] title')[0].textContent"),
    );
}

#[test]
fn the_list_of_runs_sorts_filters_and_pages_and_downloads_what_it_shows() {
    let Some(mut browser) = Chromium::start("list of runs in a browser") else {
        return;
    };
    let table = Study::quick().table();
    let quick = quick();
    browser.open(&quick.file, "");
    let status = "document.querySelector('#list-runs [role=status]').textContent";
    assert_eq!(browser.ask(status), format!("{} runs", table.runs.len()));
    // However narrow the table, a sketch of training is as wide as it was drawn.
    assert_eq!(
        browser
            .ask("document.querySelector('#list-runs td .sketch').getBoundingClientRect().width"),
        64
    );
    browser.ask(
        "(() => { const input = document.querySelector('#list-runs input'); input.value = 'sgd 128'; \
         input.dispatchEvent(new Event('input')); })()",
    );
    // The words may stand in any column.
    let files = Page::new(&table, &sample::provenance(), None).files();
    let list = files
        .iter()
        .find(|file| file.name == "list-runs.csv")
        .expect("the list");
    let expected = list
        .text
        .lines()
        .filter(|row| row.contains("sgd") && row.contains("128"))
        .count();
    assert!(expected > 40 && expected < table.runs.len() / 2);
    assert_eq!(
        browser.ask(status),
        format!("{expected} of {} runs match", table.runs.len())
    );
    // Descending by the rate: the largest first.
    let head = "[...document.querySelectorAll('#list-runs th button')].find(b => b.textContent === 'learning rate')";
    browser.ask(&format!("{head}.click(); {head}.click()"));
    let sgd = table.runs.iter().filter(|run| run.method == "sgd");
    let largest = sgd.map(|run| run.learning_rate).fold(0.0, f64::max);
    let first = "document.querySelector('#list-runs tbody tr').cells[3].textContent";
    assert_eq!(browser.ask(first), largest.to_string());
    let place = browser.ask("location.hash");
    browser.open(&quick.file, place.as_str().expect("an address"));
    assert_eq!(browser.ask(first), largest.to_string(), "{place}");
    let saved = saved(&mut browser, "#list-runs", "Download CSV");
    assert_eq!(saved.trim().lines().count(), expected + 1);
    assert!(
        saved
            .lines()
            .nth(1)
            .is_some_and(|row| row.starts_with("sgd,sgd,")),
        "{saved}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// What the button of a figure would save.
fn saved(browser: &mut Chromium, figure: &str, button: &str) -> String {
    let text = browser.ask(&format!(
        "new Promise(done => {{ const make = URL.createObjectURL; \
         URL.createObjectURL = blob => {{ blob.text().then(done); URL.createObjectURL = make; return '#'; }}; \
         [...document.querySelectorAll('{figure} button')].find(b => b.textContent === '{button}').click(); }})"
    ));
    text.as_str().expect("text").to_owned()
}

#[test]
fn a_download_is_what_lies_beside_the_page() {
    let Some(mut browser) = Chromium::start("downloads in a browser") else {
        return;
    };
    let mut pages = sample::edges::all();
    pages.push(("quick", Study::quick().table(), sample::provenance()));
    let mut seen = 0;
    for (name, table, provenance) in &pages {
        let files = Page::new(table, provenance, None).files();
        browser.open(&written(table, provenance).file, "");
        for file in &files {
            let (id, ending) = file.name.split_once('.').expect("a name with an ending");
            let saved = saved(
                &mut browser,
                &format!("#{id}"),
                &format!("Download {}", ending.to_uppercase()),
            );
            if ending == "csv" {
                assert_eq!(saved, file.text, "{} of {name}", file.name);
            } else {
                // Laid out by different programs, they have the same drawings and need no style.
                for text in [&saved, &file.text] {
                    assert!(
                        !text.contains("<style") && text.contains("fill=\"#fff\""),
                        "{} of {name}",
                        file.name
                    );
                }
                let drawings = |text: &str| {
                    text.matches("role=\"img\"").count()
                        + text.matches("role=\"application\"").count()
                };
                assert_eq!(
                    drawings(&saved),
                    drawings(&file.text),
                    "{} of {name}",
                    file.name
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen} files");
}

#[test]
fn data_that_a_page_holds_compressed_are_shown_and_saved_whole() {
    let Some(mut browser) = Chromium::start("compressed data in a browser") else {
        return;
    };
    let (table, provenance) = (Study::large(12), sample::provenance_of(9216));
    let page = Page::new(&table, &provenance, None);
    browser.open(&written(&table, &provenance).file, "");
    let mut compressed = 0;
    for file in page.files() {
        let Some(id) = file.name.strip_suffix(".csv") else {
            continue;
        };
        let packed = browser.ask(&format!(
            "!!document.querySelector('#{id} script[data-packed]')"
        ));
        compressed += usize::from(packed == json!(true));
        let saved = saved(&mut browser, &format!("#{id}"), "Download CSV");
        assert!(saved == file.text, "{id}");
    }
    assert!(compressed > 5, "{compressed} compressed");
    browser.ask("document.querySelector('#list-runs summary').click()");
    let shown = browser.ask(
        "new Promise(done => setTimeout(() => done(document.querySelector('#list-runs pre').textContent.length), 100))",
    );
    let list = page
        .files()
        .into_iter()
        .find(|file| file.name == "list-runs.csv");
    let letters = list.expect("the list").text.encode_utf16().count();
    assert_eq!(shown, json!(letters));
}

#[test]
fn thousands_of_runs_open_at_once_and_print_on_few_pages() {
    let Some(mut browser) = Chromium::start("9,216 runs in a browser") else {
        return;
    };
    let large = written(&Study::large(12), &sample::provenance_of(9216));
    browser.resize(1280, 900);
    browser.open(&large.file, "");
    let status = browser.ask("document.querySelector('#list-runs [role=status]').textContent");
    assert_eq!(status, "9216 runs");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    checks::nothing_overlaps(&mut browser, "9,216 runs");
    let time = browser.ask("performance.timing.loadEventEnd - performance.timing.navigationStart");
    // Told, not judged: timings decide no test.
    println!("9,216 runs opened in {time} ms");
    let pages = browser.printed_pages();
    assert!((10..90).contains(&pages), "{pages} pages");
}
