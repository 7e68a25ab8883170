//! What must hold of every page in a browser.

use std::path::Path;

use serde_json::Value;

use crate::chromium::{Chromium, skip};

/// Widths of a desk, a tablet and a phone, in pixels.
pub(crate) const WIDTHS: [u32; 3] = [1280, 768, 390];

/// Width of A4 between the margins of print, in pixels.
const PAPER: u32 = 688;

/// Opens the page at every width, in light, dark and for paper, and keeps a picture of each.
pub(crate) fn every_look(browser: &mut Chromium, page: &Path, name: &str) {
    for width in WIDTHS {
        for scheme in ["light", "dark"] {
            browser.resize(width, 900);
            browser.media("screen", scheme);
            browser.open(page, "");
            assert_eq!(
                browser.complaints(),
                Vec::<String>::new(),
                "{name} at {width}, {scheme}"
            );
            let wide = browser.ask("document.documentElement.scrollWidth");
            assert!(
                wide.as_u64() <= Some(u64::from(width)),
                "{name} is {wide} wide at {width}"
            );
            nothing_overlaps(browser, &format!("{name} at {width}"));
            let paper = browser.ask("getComputedStyle(document.body).backgroundColor");
            let expected = if scheme == "dark" {
                "rgb(20, 23, 28)"
            } else {
                "rgb(255, 255, 255)"
            };
            assert_eq!(paper, expected, "{name}, {scheme}");
            browser.picture(&format!("{name}-{width}-{scheme}"));
        }
    }
    // What an A4 sheet has between its margins; wider, and the browser would shrink the whole page.
    browser.resize(PAPER, 900);
    browser.media("print", "dark");
    let wide = browser.ask("document.documentElement.scrollWidth");
    assert!(
        wide.as_u64() <= Some(u64::from(PAPER)),
        "{name} is {wide} wide on paper"
    );
    let paper = browser.ask("getComputedStyle(document.body).backgroundColor");
    assert_eq!(paper, "rgb(255, 255, 255)", "{name}: paper is white");
    let shown = browser.ask("[...document.querySelectorAll('nav, .tools, button, details.data')].filter(e => e.getClientRects().length).length");
    assert_eq!(shown, 0, "{name}: paper has no use for controls");
    let whole = browser.ask("[...document.querySelectorAll('#runs .on-paper')].filter(e => e.getClientRects().length).length");
    let listed = browser.ask("document.querySelectorAll('#list-runs').length");
    assert_eq!(whole, listed, "{name}: paper says where the whole list is");
    browser.picture(&format!("{name}-print"));
    browser.media("screen", "light");
}

/// Figures have size, and in no drawing does a text cover another.
pub(crate) fn nothing_overlaps(browser: &mut Chromium, name: &str) {
    let faults = browser.ask(
        r#"(() => {
          const faults = [];
          for (const svg of document.querySelectorAll('main svg[role=img], main svg[data-grid]')) {
            if (svg.closest('details:not([open])')) continue;
            const at = svg.getBoundingClientRect();
            if (at.width < 40 || at.height < 40) faults.push(`${svg.id} is ${at.width} by ${at.height}`);
            const texts = [...svg.querySelectorAll('text')].filter(t => !t.closest('.values')).map(t => [t.textContent, t.getBoundingClientRect()]);
            texts.forEach(([text, a], i) => {
              for (const [other, b] of texts.slice(i + 1)) {
                const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (across > 1 && down > 0.35 * Math.min(a.height, b.height)) faults.push(`${svg.id}: "${text}" on "${other}" by ${across} x ${down}`);
              }
              if (a.left < at.left - 1 || a.right > at.right + 1 || a.top < at.top - 1 || a.bottom > at.bottom + 1) faults.push(`${svg.id}: "${text}" leaves its drawing`);
            });
          }
          return faults;
        })()"#,
    );
    assert_eq!(faults, Value::Array(vec![]), "{name}");
}

/// Tab reaches everything that can be used, and what has the focus shows it.
pub(crate) fn the_keyboard_reaches_everything(browser: &mut Chromium) {
    let wanted = browser.ask(
        "window.wanted = new Set([...document.querySelectorAll('a[href], button:not([disabled]), input, select, summary, [tabindex=\"0\"]')]\
         .filter(e => e.getClientRects().length && e.checkVisibility())); wanted.size",
    );
    let wanted = wanted.as_u64().expect("a count");
    assert!(wanted > 20, "{wanted} things to reach");
    browser.ask("document.activeElement.blur(); scrollTo(0, 0); window.unseen = []");
    for _ in 0..=wanted {
        browser.press("Tab");
        browser.ask(
            "(e => { wanted.delete(e); if (e !== document.body && getComputedStyle(e).outlineStyle === 'none') unseen.push(e.outerHTML.slice(0, 120)); })(document.activeElement)",
        );
    }
    let left = browser.ask("[...wanted].map(e => e.outerHTML.slice(0, 120))");
    assert_eq!(left, Value::Array(vec![]), "Tab does not reach these");
    assert_eq!(
        browser.ask("unseen"),
        Value::Array(vec![]),
        "these do not show that they have the focus"
    );
}

/// axe-core, from the `node_modules` that `npm ci` fills in this folder, finds no serious fault.
pub(crate) fn no_serious_fault_of_accessibility(browser: &mut Chromium, test: &str, page: &str) {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../report/tests/browser/node_modules/axe-core/axe.min.js");
    let Ok(axe) = std::fs::read_to_string(axe) else {
        skip(
            test,
            "no axe-core; `npm ci` in crates/report/tests/browser installs it",
        );
        return;
    };
    browser.ask(&format!("{axe}; null"));
    let faults = browser.ask(
        "axe.run().then(found => found.violations.filter(v => ['serious', 'critical'].includes(v.impact))\
         .map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))}`))",
    );
    assert_eq!(faults, Value::Array(vec![]), "{page}");
}
