//! Files from the web, known by their SHA-256 before they are there.
//!
//! What has come in is kept in a partial file, so that a transfer that broke off, or was killed, goes on from there. The
//! file is handed out only once it has the checksum; keeping it is the caller's business.

mod unavailable;
mod web;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use ureq::Body;
use ureq::http::Response;

use crate::Error;
pub use unavailable::{Disconnected, Unavailable};
use web::{NoAnswer, Web};

/// Bytes of a file at most.
const LIMIT: u64 = 1 << 33;
/// How often a transfer that breaks off is taken up again before the download fails.
const RESUMED: u32 = 5;
/// How long a busy server is waited for: at once, and in all.
const BUSY: Duration = Duration::from_mins(5);
const BUSY_IN_ALL: Duration = Duration::from_mins(15);
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

/// How long a silent server is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until there is a connection.
    pub connect: Duration,
    /// For an answer, and for more bytes of it.
    pub read: Duration,
}

impl Default for Patience {
    /// Half a minute, and a minute.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            read: Duration::from_mins(1),
        }
    }
}

/// The file at `url`, once it has this SHA-256 (64 lower-case hexadecimal digits): open at its beginning, and without a
/// name.
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
    patience: Patience,
    observe: &mut dyn FnMut(Received),
) -> Result<File, Error> {
    let disk = |error: io::Error| Error::Partial {
        file: partial.display().to_string(),
        error,
    };
    let web = Web::new(patience);
    // A second time from the start, if what an earlier attempt left does not fit what came after it.
    for from_start in [false, true] {
        if from_start {
            remove(partial).map_err(disk)?;
        }
        let begun = length(partial);
        complete(&web, url, partial, observe)?;
        let mut file = File::open(partial).map_err(disk)?;
        let found = digest(&mut file).map_err(disk)?;
        file.rewind().map_err(disk)?;
        if found == sha256 {
            remove(partial).map_err(disk)?;
            return Ok(file);
        }
        if begun == 0 {
            remove(partial).map_err(disk)?;
            let mut start = Vec::new();
            let length = file.metadata().map_err(disk)?.len();
            let read = file.take(PIECE as u64).read_to_end(&mut start);
            read.map_err(disk)?;
            let problem = match web_page(&start) {
                Some(title) => Unavailable::WebPage { title },
                None => Unavailable::Checksum {
                    bytes: length,
                    found,
                    expected: sha256.to_owned(),
                },
            };
            return Err(problem.at(url));
        }
    }
    unreachable!("the second time begins with nothing")
}

/// Asks for the file until all of it is there.
fn complete(
    web: &Web,
    url: &str,
    partial: &Path,
    observe: &mut dyn FnMut(Received),
) -> Result<(), Error> {
    let (mut attempt, mut waited) = (0, Duration::ZERO);
    loop {
        let came = fetch(web, url, partial, observe)?;
        let kept = length(partial);
        let problem = match came {
            Transfer::Whole => return Ok(()),
            Transfer::Broken(problem) => Unavailable::BreaksOff { problem, kept },
            Transfer::Busy { status, after } => {
                let wait = after.unwrap_or(Duration::from_secs(1 << attempt));
                if wait > BUSY || waited + wait > BUSY_IN_ALL {
                    let later = Unavailable::ComeBack {
                        status,
                        seconds: wait.as_secs(),
                    };
                    return Err(later.at(url));
                }
                std::thread::sleep(wait);
                waited += wait;
                Unavailable::Busy { status, kept }
            }
        };
        attempt += 1;
        if attempt > RESUMED {
            return Err(problem.at(url));
        }
    }
}

/// The title of a web page, if that is what begins so; it may be empty.
fn web_page(start: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(start);
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
    Some(title.unwrap_or_default())
}

/// How one request came out, where it did not fail for good.
enum Transfer {
    Whole,
    /// It broke off, and may go on from there.
    Broken(Disconnected),
    /// The server asks to come back later; after so long, where it says so.
    Busy {
        status: String,
        after: Option<Duration>,
    },
}

/// Asks for the rest of the file and appends it.
fn fetch(
    web: &Web,
    url: &str,
    partial: &Path,
    observe: &mut dyn FnMut(Received),
) -> Result<Transfer, Error> {
    let disk = |error: io::Error| Error::Partial {
        file: partial.display().to_string(),
        error,
    };
    let there = length(partial);
    let response = match web.ask(url, there) {
        Ok(response) => response,
        Err(NoAnswer::Broken(problem)) => return Ok(Transfer::Broken(problem)),
        Err(NoAnswer::Final(problem)) => return Err(problem.at(url)),
    };
    let status = response.status();
    match status.as_u16() {
        200 | 206 => {}
        // All of it is there, or more than all: the checksum tells.
        416 if there > 0 => return Ok(Transfer::Whole),
        429 | 502 | 503 | 504 => {
            return Ok(Transfer::Busy {
                status: status.to_string(),
                after: retry_after(&response),
            });
        }
        _ => {
            let status = status.to_string();
            return Err(Unavailable::Answer { status }.at(url));
        }
    }
    let goes_on = there > 0 && status == 206 && starts_at(&response) == Some(there);
    let begin = if goes_on { there } else { 0 };
    let length: Option<u64> = header(&response, "Content-Length").and_then(|n| n.parse().ok());
    let of = length.map(|length| begin.saturating_add(length));
    let too_large = || Unavailable::TooLarge { limit: LIMIT }.at(url);
    if of.is_some_and(|of| of > LIMIT) {
        return Err(too_large());
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
            Ok(0) if of.is_none_or(|of| of == bytes) => return Ok(Transfer::Whole),
            Ok(0) => return Ok(Transfer::Broken(Disconnected::Closed)),
            Ok(read) => {
                file.write_all(&piece[..read]).map_err(disk)?;
                bytes += read as u64;
                if bytes > LIMIT {
                    return Err(too_large());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Transfer::Broken(web.of_reading(&error))),
        }
    }
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

fn digest(file: &mut File) -> io::Result<String> {
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hasher.update(&piece[..read]),
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
