//! A page where somebody else's policy blocks its styles and scripts, as servers do that show artifacts of a
//! build.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::chromium::Chromium;
use crate::quick;

/// What Jenkins sends with the files that it shows.
const POLICY: &str = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';";

/// Serves one page with the policy from a port of this machine, as long as the test goes; its address.
fn served(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = BufReader::new(stream.try_clone().expect("two ends"));
            let mut line = String::new();
            while request.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Security-Policy: {POLICY}\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                page.len()
            );
            // The browser may have gone.
            let _ = stream.write_all((head + &page).as_bytes());
        }
    });
    format!("http://{address}/page.html")
}

#[test]
fn where_styles_are_blocked_drawings_are_right_and_the_page_says_so() {
    let Some(mut browser) = Chromium::start("blocked styles in a browser") else {
        return;
    };
    let quick = quick();
    let shown = "document.querySelector('.unstyled').getClientRects().length > 0";
    browser.open(&quick.file, "");
    assert_eq!(browser.ask(shown), json!(false), "styles are there");

    browser.online();
    browser.load(&served(
        std::fs::read_to_string(&quick.file).expect("the page"),
    ));
    assert_eq!(browser.ask(shown), json!(true), "styles are blocked");
    assert_eq!(
        browser.ask("getComputedStyle(document.body).margin"),
        "8px",
        "the style sheet has no effect"
    );
    // A curve is a line in its method's colour, not a black wedge; its text has a size.
    let looks = |of: &str, what: &str| {
        format!("getComputedStyle(document.querySelector('#steps-1-1-1 {of}')).{what}")
    };
    for (of, what, expected) in [
        (".line", "fill", "none"),
        (".line", "stroke", "rgb(0, 114, 178)"),
        (".line", "strokeWidth", "1.8px"),
        (".ideal", "strokeDasharray", "0.1px, 4.5px"),
        (".mark path", "fill", "rgb(0, 114, 178)"),
        ("text", "fontSize", "13px"),
        (".label", "fill", "rgb(89, 97, 107)"),
    ] {
        assert_eq!(browser.ask(&looks(of, what)), expected, "{what} of {of}");
    }
    // Nothing filled black that is not written so: the numbers in the cells of heatmaps.
    let black = browser.ask(
        "[...document.querySelectorAll('main svg path, main svg rect')].filter(e => !e.closest('clipPath') \
         && getComputedStyle(e).fill === 'rgb(0, 0, 0)').map(e => e.outerHTML.slice(0, 100))",
    );
    assert_eq!(black, json!([]));
    crate::checks::nothing_overlaps(&mut browser, "blocked styles");
    browser.picture("blocked-styles");
}
