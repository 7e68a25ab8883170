//! A headless Chromium, spoken to over its debugging pipe: JSON messages that end in a zero byte, on its file
//! descriptors 3 and 4. One process, no port, no driver.
//!
//! The kept-up clients of this protocol and of `WebDriver` bring an async runtime, a web socket or HTTP stack
//! and crates that burn also uses with other features, so that the tests would compile burn anew: more than
//! these hundred lines cost.
//!
//! Source: Chrome `DevTools` Protocol, "tip-of-tree" (domains Target, Page, Runtime, Log, Network, Emulation,
//! Input); `chromium/src/content/public/common/content_switches.cc`, `remote-debugging-pipe`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long the browser may take over one command.
const PATIENCE: Duration = Duration::from_mins(2);

/// A browser with one page, offline.
pub(crate) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// Removed with the browser.
    _profile: tempfile::TempDir,
    session: Option<String>,
    last: u64,
    /// What the browser said unasked since the page was opened.
    pub(crate) events: Vec<Value>,
}

/// Says that a test does not run, past the harness's capture; where `CI` is set that is a failure.
pub(crate) fn skip(test: &str, lack: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|value| value.is_empty()),
        "{test} cannot be skipped here: {lack}"
    );
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {lack}");
}

/// Chromium or a relative of it on the path.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file())
}

impl Chromium {
    /// A browser for a test of this name; `None` where there is no browser, which has been said.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let Some(program) = program() else {
            skip(test, "no chromium on the path");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder for the profile");
        // The shell turns the standard streams into the descriptors that the browser expects.
        let mut child = Command::new("/bin/sh")
            .args([
                "-c",
                "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            ])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let to = child.stdin.take().expect("piped");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let (send, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                let text = message.strip_suffix(&[0]).unwrap_or(&message);
                let Ok(value) = serde_json::from_slice(text) else {
                    break;
                };
                if send.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut browser = Chromium {
            child,
            to,
            from,
            _profile: profile,
            session: None,
            last: 0,
            events: Vec::new(),
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let session = browser.call(
            "Target.attachToTarget",
            &json!({ "targetId": target["targetId"], "flatten": true }),
        );
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.network(false);
        Some(browser)
    }

    /// Lets pages be loaded from elsewhere than the disk.
    pub(crate) fn online(&mut self) {
        self.network(true);
    }

    fn network(&mut self, on: bool) {
        let conditions = json!({ "offline": !on, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.call("Network.emulateNetworkConditions", &conditions);
    }

    /// Sends a command and waits for its result.
    ///
    /// # Panics
    /// When the browser refuses it, is gone, or takes too long.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .expect("the browser listens");
        loop {
            let mut reply = self.receive(method);
            if reply["id"] == json!(self.last) {
                assert!(reply["error"].is_null(), "{method}: {}", reply["error"]);
                return reply["result"].take();
            }
            self.events.push(reply);
        }
    }

    fn receive(&mut self, what: &str) -> Value {
        self.from
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("the browser did not answer {what}: {error}"))
    }

    /// Opens a file, at a place in it or at `""`, and waits until it is loaded.
    pub(crate) fn open(&mut self, file: &Path, place: &str) {
        // Elsewhere first: going to another place of the same page loads nothing.
        self.load("about:blank");
        self.events.clear();
        self.load(&format!("file://{}{place}", file.display()));
        // Data that a page holds compressed are unpacked a moment later.
        self.ask(
            "new Promise((done, failed) => { const until = Date.now() + 20000; const look = () => \
             'ready' in document.body.dataset ? done(null) : Date.now() > until ? failed('the script never ends') : setTimeout(look, 5); look(); })",
        );
    }

    /// Goes to an address and waits until it is loaded, whatever its scripts do.
    pub(crate) fn load(&mut self, url: &str) {
        let reply = self.call("Page.navigate", &json!({ "url": url }));
        assert!(reply["errorText"].is_null(), "{url}: {reply}");
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        // It may have come before the reply.
        while !self.events.iter().any(loaded) {
            let event = self.receive(url);
            self.events.push(event);
        }
        self.events.retain(|event| !loaded(event));
    }

    /// Waits until the page has loaded itself anew.
    pub(crate) fn reloaded(&mut self) {
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.iter().any(loaded) {
            let event = self.receive("a reload");
            self.events.push(event);
        }
        self.events.retain(|event| !loaded(event));
    }

    /// The value of an expression, awaited.
    ///
    /// # Panics
    /// When it throws.
    pub(crate) fn ask(&mut self, expression: &str) -> Value {
        let mut reply = self.call(
            "Runtime.evaluate",
            &json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true }),
        );
        assert!(reply["exceptionDetails"].is_null(), "{expression}: {reply}");
        reply["result"]["value"].take()
    }

    /// Presses and lets go a key by its name, `Tab`, or a character.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = match key {
            "Enter" => "\r",
            key if key.chars().count() == 1 => key,
            _ => "",
        };
        for (kind, text) in [("keyDown", text), ("keyUp", "")] {
            self.call(
                "Input.dispatchKeyEvent",
                &json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text }),
            );
        }
    }

    /// Moves the mouse to the middle of the first element that the selector finds.
    pub(crate) fn hover(&mut self, selector: &str) {
        let at = self.ask(&format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; }})()",
            json!(selector)
        ));
        self.call(
            "Input.dispatchMouseEvent",
            &json!({ "type": "mouseMoved", "x": at[0], "y": at[1] }),
        );
    }

    /// The window's size in pixels.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        );
    }

    /// `screen` or `print`, in `light` or `dark`.
    pub(crate) fn media(&mut self, media: &str, scheme: &str) {
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "media": media, "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
    }

    /// Keeps a picture of the page, down to a height, among the test's output.
    pub(crate) fn picture(&mut self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        let size = self.ask("[document.documentElement.clientWidth, Math.min(16000, document.documentElement.scrollHeight)]");
        let reply = self.call(
            "Page.captureScreenshot",
            &json!({
                "format": "png", "captureBeyondViewport": true,
                "clip": { "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 },
            }),
        );
        let text = reply["data"].as_str().expect("a picture");
        std::fs::write(folder.join(format!("{name}.png")), decoded(text))
            .expect("a picture is written");
    }

    /// The number of A4 pages that the page prints on.
    pub(crate) fn printed_pages(&mut self) -> usize {
        let reply = self.call(
            "Page.printToPDF",
            &json!({ "paperWidth": 8.27, "paperHeight": 11.69, "printBackground": true, "preferCSSPageSize": true }),
        );
        let pdf = decoded(reply["data"].as_str().expect("a document"));
        let text = String::from_utf8_lossy(&pdf);
        text.matches("/Type /Page\n").count()
    }

    /// What went wrong or was asked for since the page was opened: messages of the console, exceptions, and
    /// requests but for the page itself.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let of = |event: &Value| {
            let what = &event["params"];
            match event["method"].as_str()? {
                "Runtime.consoleAPICalled" => Some(format!("console: {}", what["args"])),
                "Runtime.exceptionThrown" => {
                    Some(format!("exception: {}", what["exceptionDetails"]))
                }
                "Log.entryAdded" => Some(format!("log: {}", what["entry"])),
                "Network.requestWillBeSent" if what["type"] != "Document" => {
                    Some(format!("request: {}", what["request"]["url"]))
                }
                _ => None,
            }
        };
        self.events.iter().filter_map(of).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Its children end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Base 64. Source: RFC 4648, section 4.
fn decoded(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let bytes: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(value).collect();
    bytes
        .chunks(4)
        .flat_map(|four| {
            let all = four
                .iter()
                .fold(0_u32, |all, six| all << 6 | u32::from(*six))
                << (6 * (4 - four.len()));
            all.to_be_bytes()[1..four.len()].to_vec()
        })
        .collect()
}
