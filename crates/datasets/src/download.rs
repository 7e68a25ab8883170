//! Files from the web, known by their SHA-256 before they are there.
//!
//! What has come in is kept in a partial file, so that a transfer that broke off, or was killed, goes on from there. The
//! contents are handed out only once they have the checksum; keeping them is the caller's business.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, Timeout};

use crate::Error;

/// How long to wait for a connection, and for more bytes.
const CONNECT: Duration = Duration::from_secs(30);
const READ: Duration = Duration::from_mins(1);
/// Bytes of a file at most.
const LIMIT: u64 = 1 << 33;
/// How often a transfer that breaks off is taken up again before the download fails.
const RESUMED: u32 = 5;
/// Redirects that are followed.
const REDIRECTS: u32 = 10;
/// How long a busy server is waited for: at once, and in all.
const PATIENCE: Duration = Duration::from_mins(5);
const PATIENCE_IN_ALL: Duration = Duration::from_mins(15);
/// Bytes read at once.
const PIECE: usize = 1 << 16;

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes that are there.
    pub bytes: u64,
    /// Bytes of the whole file, where the server says so.
    pub of: Option<u64>,
}

/// The contents of the file at `url`, once they have this SHA-256 (64 lower-case hexadecimal digits).
///
/// `partial` is where bytes are kept until they are complete; what is there already is not fetched again. It is gone
/// afterwards, but for a transfer that broke off. `observe` is called as bytes come in.
///
/// # Errors
///
/// [`Error::Download`] if the server cannot be reached, has no such file, breaks off or has another file, and
/// [`Error::Partial`] if the partial file cannot be written.
pub fn download(
    url: &str,
    sha256: &str,
    partial: &Path,
    observe: &mut dyn FnMut(Received),
) -> Result<Vec<u8>, Error> {
    let failed = |problem: String| Error::download(url, problem);
    let disk = |error: io::Error| Error::Partial {
        file: partial.display().to_string(),
        error,
    };
    let agent = agent(url);
    // A second time from the start, if what an earlier attempt left does not fit what came after it.
    for from_start in [false, true] {
        if from_start {
            remove(partial).map_err(disk)?;
        }
        let begun = length(partial);
        complete(&agent, url, partial, observe)?;
        let contents = fs::read(partial).map_err(disk)?;
        let found = digest(&contents);
        if found == sha256 {
            remove(partial).map_err(disk)?;
            return Ok(contents);
        }
        if begun == 0 {
            remove(partial).map_err(disk)?;
            return Err(failed(match web_page(&contents) {
                Some(title) => format!(
                    "the server sends a web page{title} and not the file; open the address in a browser to see what it \
                     asks for"
                ),
                None => format!(
                    "it is another file than the study means: {} bytes with SHA-256 {found}, expected {sha256}",
                    contents.len()
                ),
            }));
        }
    }
    unreachable!("the second time begins with nothing")
}

/// Asks for the file until all of it is there.
fn complete(
    agent: &Agent,
    url: &str,
    partial: &Path,
    observe: &mut dyn FnMut(Received),
) -> Result<(), Error> {
    let (mut attempt, mut waited) = (0, Duration::ZERO);
    loop {
        let problem = match fetch(agent, url, partial, observe)? {
            Came::Whole => return Ok(()),
            Came::Broken(problem) => format!("the transfer breaks off again and again ({problem})"),
            Came::Busy { status, after } => {
                let wait = after.unwrap_or(Duration::from_secs(1 << attempt));
                if wait > PATIENCE || waited + wait > PATIENCE_IN_ALL {
                    return Err(Error::download(
                        url,
                        format!(
                            "the server answers {status} and asks to come back in {} seconds",
                            wait.as_secs()
                        ),
                    ));
                }
                std::thread::sleep(wait);
                waited += wait;
                format!("the server answers {status} again and again")
            }
        };
        attempt += 1;
        if attempt > RESUMED {
            let kept = match length(partial) {
                0 => String::new(),
                bytes => format!("; {bytes} bytes are kept, and a next run goes on from there"),
            };
            return Err(Error::download(url, problem + &kept));
        }
    }
}

/// The title of a web page, in brackets, if that is what the bytes are.
fn web_page(contents: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(&contents[..contents.len().min(PIECE)]);
    let lower = start
        .trim_start_matches('\u{feff}')
        .trim_start()
        .to_ascii_lowercase();
    if !["<!doctype html", "<html", "<head"]
        .iter()
        .any(|tag| lower.starts_with(tag))
    {
        return None;
    }
    let title = lower
        .split("<title>")
        .nth(1)
        .and_then(|rest| rest.split("</title>").next());
    let title: Option<String> = title.map(|title| {
        let words: Vec<&str> = title.split_whitespace().collect();
        words
            .join(" ")
            .chars()
            .filter(|c| !c.is_control())
            .take(80)
            .collect()
    });
    Some(title.map_or_else(String::new, |title| format!(" (\"{title}\")")))
}

/// How one request came out, where it did not fail for good.
enum Came {
    Whole,
    /// It broke off, and may go on from there.
    Broken(String),
    /// The server asks to come back later; after so long, where it says so.
    Busy {
        status: String,
        after: Option<Duration>,
    },
}

/// Asks for the rest of the file and appends it.
fn fetch(
    agent: &Agent,
    url: &str,
    partial: &Path,
    observe: &mut dyn FnMut(Received),
) -> Result<Came, Error> {
    let failed = |problem: String| Error::download(url, problem);
    let disk = |error: io::Error| Error::Partial {
        file: partial.display().to_string(),
        error,
    };
    let there = length(partial);
    let mut request = agent.get(url);
    if there > 0 {
        request = request.header("Range", format!("bytes={there}-"));
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(error) if connected(&error) => return Ok(Came::Broken(error.to_string())),
        Err(ureq::Error::TooManyRedirects) => {
            return Err(failed(format!("more than {REDIRECTS} redirects")));
        }
        Err(error) if error.to_string().contains("certificate") => {
            return Err(failed(format!(
                "its certificate is not trusted ({error}); the authorities are those of the system, or those of the \
                 file that SSL_CERT_FILE names"
            )));
        }
        Err(error) => {
            return Err(failed(format!(
                "cannot be reached ({error}); without a connection, get the file by other means and name it under \
                 `path:`"
            )));
        }
    };
    let status = response.status();
    match status.as_u16() {
        200 | 206 => {}
        // All of it is there, or more than all: the checksum tells.
        416 if there > 0 => return Ok(Came::Whole),
        429 | 502 | 503 | 504 => {
            return Ok(Came::Busy {
                status: status.to_string(),
                after: retry_after(&response),
            });
        }
        _ => return Err(failed(format!("the server answers {status}"))),
    }
    let goes_on = there > 0 && status == 206 && starts_at(&response) == Some(there);
    let begin = if goes_on { there } else { 0 };
    let length: Option<u64> = header(&response, "Content-Length").and_then(|n| n.parse().ok());
    let of = length.map(|length| begin.saturating_add(length));
    if of.is_some_and(|of| of > LIMIT) {
        return Err(failed(format!("larger than {LIMIT} bytes")));
    }
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(partial)
        .map_err(disk)?;
    file.set_len(begin).map_err(disk)?;
    let mut reader = response.into_body().into_reader();
    let (mut bytes, mut piece) = (begin, vec![0; PIECE]);
    loop {
        observe(Received { bytes, of });
        match reader.read(&mut piece) {
            Ok(0) if of.is_none_or(|of| of == bytes) => return Ok(Came::Whole),
            Ok(0) => return Ok(Came::Broken("the connection was closed".to_owned())),
            Ok(read) => {
                file.write_all(&piece[..read]).map_err(disk)?;
                bytes += read as u64;
                if bytes > LIMIT {
                    return Err(failed(format!("larger than {LIMIT} bytes")));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Came::Broken(error.to_string())),
        }
    }
}

/// Whether there was a server, which did not answer as it should: worth another attempt.
fn connected(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        ),
        ureq::Error::Timeout(what) => !matches!(what, Timeout::Connect | Timeout::Resolve),
        ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

/// Certificates are those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), or Mozilla's where it has none;
/// proxies those of the environment (`HTTPS_PROXY`, `NO_PROXY` and so on). This machine is asked directly.
fn agent(url: &str) -> Agent {
    let host = url.split("://").nth(1).unwrap_or("");
    let local = ["localhost", "127.0.0.1", "[::1]"];
    let is_local = local.iter().any(|name| host.starts_with(name));
    let proxy = if is_local {
        None
    } else {
        Proxy::try_from_env()
    };
    let certificates = rustls_native_certs::load_native_certs().certs;
    let roots = if certificates.is_empty() {
        RootCerts::WebPki
    } else {
        let own = |certificate| Certificate::from_der(certificate).to_owned();
        let all = certificates.iter().map(|certificate| own(certificate));
        all.collect::<Vec<_>>().into()
    };
    Agent::config_builder()
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(READ))
        .max_redirects(REDIRECTS)
        .http_status_as_error(false)
        .accept_encoding("identity")
        .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Where a partial answer starts, from `Content-Range: bytes 100-199/200`.
fn starts_at(response: &Response<Body>) -> Option<u64> {
    let range = header(response, "Content-Range")?.strip_prefix("bytes ")?;
    range.split('-').next()?.parse().ok()
}

/// How long a server asks to wait, given in seconds or as a date. Source: RFC 9110, section 10.2.3.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let value = header(response, "Retry-After")?.trim();
    let until = |date: SystemTime| date.duration_since(SystemTime::now()).unwrap_or_default();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok().map(until),
    }
}

/// Bytes of a file; 0 if there is none.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn digest(contents: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(contents) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
