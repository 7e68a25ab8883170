//! Files from the web, known by their SHA-256 before they are there.
//!
//! What has come in is kept in a partial file, so that a transfer that broke off, or was killed, goes on from there. The
//! contents are handed out only once they have the checksum; keeping them is the caller's business.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use ureq::{Agent, AgentBuilder, Response};

use crate::Error;

/// How long to wait for a connection, and for more bytes.
const CONNECT: Duration = Duration::from_secs(30);
const READ: Duration = Duration::from_mins(1);
/// Bytes of a file at most.
const LIMIT: u64 = 1 << 33;
/// How often a transfer that breaks off is taken up again before the download fails.
const RESUMED: u32 = 5;
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
    let failed = |problem: String| Error::Download {
        url: url.to_owned(),
        problem,
    };
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
        let mut attempt = 0;
        while let Some(broken) = fetch(&agent, url, partial, observe)? {
            attempt += 1;
            if attempt > RESUMED {
                return Err(failed(format!(
                    "the transfer breaks off again and again ({broken}); {} bytes are kept, and a next run goes on \
                     from there",
                    length(partial)
                )));
            }
        }
        let contents = fs::read(partial).map_err(disk)?;
        let found = digest(&contents);
        if found == sha256 {
            remove(partial).map_err(disk)?;
            return Ok(contents);
        }
        if begun == 0 {
            remove(partial).map_err(disk)?;
            return Err(failed(format!(
                "it is another file than the study means: {} bytes with SHA-256 {found}, expected {sha256}",
                contents.len()
            )));
        }
    }
    unreachable!("the second time begins with nothing")
}

/// Asks for the rest of the file and appends it. How the transfer broke off; none if it is complete.
fn fetch(
    agent: &Agent,
    url: &str,
    partial: &Path,
    observe: &mut dyn FnMut(Received),
) -> Result<Option<io::Error>, Error> {
    let failed = |problem: String| Error::Download {
        url: url.to_owned(),
        problem,
    };
    let disk = |error: io::Error| Error::Partial {
        file: partial.display().to_string(),
        error,
    };
    let there = length(partial);
    let mut request = agent.get(url);
    if there > 0 {
        request = request.set("Range", &format!("bytes={there}-"));
    }
    let response = match request.call() {
        Ok(response) => response,
        // All of it is there, or more than all: the checksum tells.
        Err(ureq::Error::Status(416, _)) if there > 0 => return Ok(None),
        Err(ureq::Error::Status(code, response)) => {
            return Err(failed(format!(
                "the server answers {code} {}",
                response.status_text()
            )));
        }
        Err(ureq::Error::Transport(error)) => {
            let cause = error.to_string();
            let cause = cause.strip_prefix(&format!("{url}: ")).unwrap_or(&cause);
            return Err(failed(format!(
                "cannot be reached ({cause}); without a connection, get the file by other means and name it under \
                 `path:`"
            )));
        }
    };
    let goes_on = there > 0 && response.status() == 206 && starts_at(&response) == Some(there);
    let begin = if goes_on { there } else { 0 };
    let length: Option<u64> = response
        .header("Content-Length")
        .and_then(|length| length.parse().ok());
    let of = length.map(|length| begin + length);
    if of.is_some_and(|of| of > LIMIT) {
        return Err(failed(format!("larger than {LIMIT} bytes")));
    }
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(partial)
        .map_err(disk)?;
    file.set_len(begin).map_err(disk)?;
    let mut reader = response.into_reader();
    let (mut bytes, mut piece) = (begin, vec![0; PIECE]);
    loop {
        observe(Received { bytes, of });
        match reader.read(&mut piece) {
            Ok(0) if of.is_none_or(|of| of == bytes) => return Ok(None),
            Ok(0) => return Ok(Some(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => {
                file.write_all(&piece[..read]).map_err(disk)?;
                bytes += read as u64;
                if bytes > LIMIT {
                    return Err(failed(format!("larger than {LIMIT} bytes")));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Some(error)),
        }
    }
}

/// Proxies are those of the environment (`HTTPS_PROXY` and so on); this machine is asked directly.
fn agent(url: &str) -> Agent {
    let host = url.split("://").nth(1).unwrap_or("");
    let local = ["localhost", "127.0.0.1", "[::1]"];
    AgentBuilder::new()
        .try_proxy_from_env(!local.iter().any(|name| host.starts_with(name)))
        .timeout_connect(CONNECT)
        .timeout_read(READ)
        .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Where a partial answer starts, from `Content-Range: bytes 100-199/200`.
fn starts_at(response: &Response) -> Option<u64> {
    let range = response.header("Content-Range")?.strip_prefix("bytes ")?;
    range.split('-').next()?.parse().ok()
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
