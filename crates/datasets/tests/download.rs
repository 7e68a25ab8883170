//! Downloads from a server that answers what a test tells it to.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use datasets::{Error, Patience, Received, download};

/// 200,000 bytes that no piece of repeats.
fn contents() -> Vec<u8> {
    (0..50_000_u32)
        .flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes())
        .collect()
}

/// From `sha256sum` of these bytes.
const SHA256: &str = "c2dfcb6da75d530793d646581a91db05e80c1151d8d89b6f7f7a86d8d3c4166a";

/// A server that gives one answer a request, then ends.
struct Server {
    url: String,
    served: JoinHandle<Vec<Request>>,
}

/// What a server was asked: the lines of the head.
struct Request(Vec<String>);

impl Request {
    fn header(&self, name: &str) -> Option<String> {
        let named = |line: &String| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        self.0.iter().find_map(named)
    }
}

impl Server {
    fn new(answers: Vec<Vec<u8>>) -> Self {
        Self::at("127.0.0.1", answers, false)
    }

    /// One that says nothing more after each answer, and waits until it is left.
    fn falling_silent(answers: Vec<Vec<u8>>) -> Self {
        Self::at("127.0.0.1", answers, true)
    }

    fn at(host: &str, answers: Vec<Vec<u8>>, falls_silent: bool) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let url = format!("http://{}/data.bin", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let lines = lines.map(Result::unwrap);
                requests.push(Request(lines.take_while(|line| !line.is_empty()).collect()));
                stream.write_all(&answer).unwrap();
                if falls_silent {
                    let _ = stream.read_to_end(&mut Vec::new());
                }
            }
            requests
        });
        Self { url, served }
    }

    /// `127.0.0.1:4711`.
    fn address(&self) -> &str {
        self.url.split('/').nth(2).unwrap()
    }

    fn ranges(self) -> Vec<Option<String>> {
        let requests = self.served.join().unwrap();
        requests
            .iter()
            .map(|request| request.header("Range"))
            .collect()
    }
}

/// An answer that promises `length` bytes and then has these.
fn answer(status: &str, length: usize, more: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n");
    [head.as_bytes(), body].concat()
}

fn whole() -> Vec<u8> {
    answer("200 OK", contents().len(), "", &contents())
}

fn rest(from: usize, until: usize) -> Vec<u8> {
    let all = contents();
    let range = format!(
        "Content-Range: bytes {from}-{}/{}\r\n",
        all.len() - 1,
        all.len()
    );
    answer(
        "206 Partial Content",
        all.len() - from,
        &range,
        &all[from..until],
    )
}

fn read(mut file: File) -> Vec<u8> {
    let mut contents = Vec::new();
    file.read_to_end(&mut contents).unwrap();
    contents
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn partial(&self) -> PathBuf {
        self.0.path().join("partial")
    }

    fn get(&self, url: &str) -> Result<Vec<u8>, Error> {
        self.get_within(Patience::default(), url)
    }

    fn get_within(&self, patience: Patience, url: &str) -> Result<Vec<u8>, Error> {
        let got = download(url, SHA256, &self.partial(), patience, &mut |_| ());
        got.map(read)
    }
}

#[test]
fn a_file_comes_whole_and_says_how_far_it_is() {
    let (folder, server) = (Folder::new(), Server::new(vec![whole()]));
    let mut seen = Vec::new();
    let mut observe = |at| seen.push(at);
    let (partial, patience) = (folder.partial(), Patience::default());
    let got = download(&server.url, SHA256, &partial, patience, &mut observe).unwrap();
    assert!(read(got) == contents());
    assert!(!folder.partial().exists());
    let of = Some(contents().len() as u64);
    assert_eq!(seen.first(), Some(&Received { bytes: 0, of }));
    assert_eq!(seen.last(), Some(&Received { bytes: 200_000, of }));
    assert!(seen.is_sorted_by_key(|at| at.bytes));
    assert_eq!(server.ranges(), [None]);
}

#[test]
fn a_transfer_that_breaks_off_goes_on_from_there() {
    let half = answer("200 OK", contents().len(), "", &contents()[..90_000]);
    let server = Server::new(vec![half, rest(90_000, 150_000), rest(150_000, 200_000)]);
    assert!(Folder::new().get(&server.url).unwrap() == contents());
    let ranges = [None, Some("bytes=90000-"), Some("bytes=150000-")];
    assert_eq!(
        server.ranges(),
        ranges.map(|range| range.map(str::to_owned))
    );
}

#[test]
fn what_an_earlier_attempt_left_is_not_fetched_again() {
    let (folder, server) = (Folder::new(), Server::new(vec![rest(150_000, 200_000)]));
    std::fs::write(folder.partial(), &contents()[..150_000]).unwrap();
    assert!(folder.get(&server.url).unwrap() == contents());
    assert!(!folder.partial().exists());
    // All of it: the server has nothing more to give.
    let server = Server::new(vec![answer("416 Range Not Satisfiable", 0, "", b"")]);
    std::fs::write(folder.partial(), contents()).unwrap();
    assert!(folder.get(&server.url).unwrap() == contents());
}

#[test]
fn a_server_that_knows_no_ranges_starts_anew() {
    let (folder, server) = (Folder::new(), Server::new(vec![whole()]));
    std::fs::write(folder.partial(), &contents()[..150_000]).unwrap();
    assert!(folder.get(&server.url).unwrap() == contents());
    assert_eq!(server.ranges(), [Some("bytes=150000-".to_owned())]);
}

#[test]
fn a_partial_file_of_something_else_is_fetched_anew() {
    let (folder, server) = (
        Folder::new(),
        Server::new(vec![rest(150_000, 200_000), whole()]),
    );
    std::fs::write(folder.partial(), vec![0; 150_000]).unwrap();
    assert!(folder.get(&server.url).unwrap() == contents());
    assert_eq!(server.ranges(), [Some("bytes=150000-".to_owned()), None]);
}

#[test]
fn a_redirection_is_followed() {
    let server = Server::new(vec![whole()]);
    let moved = format!("Location: {}\r\n", server.url);
    let first = Server::new(vec![answer("302 Found", 0, &moved, b"")]);
    assert!(Folder::new().get(&first.url).unwrap() == contents());
}

#[test]
fn another_file_than_the_expected_one_is_refused_and_not_kept() {
    let (folder, server) = (
        Folder::new(),
        Server::new(vec![answer("200 OK", 5, "", b"hello")]),
    );
    let error = folder.get(&server.url).unwrap_err().to_string();
    // From `printf hello | sha256sum`.
    let found = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let expected = format!(
        "{}: checksum mismatch: 5 bytes with SHA-256 {found}, expected {SHA256}",
        server.url
    );
    assert_eq!(error, expected);
    assert!(!folder.partial().exists());
}

#[test]
fn an_error_of_the_server_is_told_and_what_is_there_is_kept() {
    let (folder, server) = (
        Folder::new(),
        Server::new(vec![answer("404 Not Found", 4, "", b"gone")]),
    );
    std::fs::write(folder.partial(), b"begun").unwrap();
    let error = folder.get(&server.url).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}: the server answers 404 Not Found", server.url)
    );
    assert_eq!(std::fs::read(folder.partial()).unwrap(), b"begun");
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{unused}/data.bin");
    let error = Folder::new().get(&url).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{url}: cannot be reached")),
        "{error}"
    );
    assert!(error.contains("name it under `path:`"), "{error}");
}

#[test]
fn a_transfer_that_never_gets_further_is_given_up_and_kept() {
    let begun = answer("200 OK", contents().len(), "", &contents()[..10]);
    let stuck = std::iter::repeat_n(rest(10, 10), 5);
    let server = Server::new(std::iter::once(begun).chain(stuck).collect());
    let folder = Folder::new();
    let error = folder.get(&server.url).unwrap_err().to_string();
    assert!(error.contains("breaks off again and again"), "{error}");
    assert!(error.contains("10 bytes are kept"), "{error}");
    assert_eq!(std::fs::read(folder.partial()).unwrap(), &contents()[..10]);
    assert_eq!(server.ranges().len(), 6);
}

#[test]
fn a_busy_server_is_waited_for_as_long_as_it_asks() {
    let busy = |status, after: &str| answer(status, 0, &format!("Retry-After: {after}\r\n"), b"");
    let server = Server::new(vec![
        busy("503 Service Unavailable", "1"),
        // A date that is over.
        busy("429 Too Many Requests", "Sun, 06 Nov 1994 08:49:37 GMT"),
        whole(),
    ]);
    let begun = std::time::Instant::now();
    assert!(Folder::new().get(&server.url).unwrap() == contents());
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
}

#[test]
fn a_server_that_asks_to_come_back_tomorrow_is_told() {
    let server = Server::new(vec![answer(
        "503 Service Unavailable",
        0,
        "Retry-After: 86400\r\n",
        b"",
    )]);
    let error = Folder::new().get(&server.url).unwrap_err().to_string();
    let expected =
        "the server answers 503 Service Unavailable and asks to come back in 86400 seconds";
    assert_eq!(error, format!("{}: {expected}", server.url));
}

#[test]
fn a_web_page_in_place_of_the_file_is_told_as_such() {
    let page =
        b"\n<!DOCTYPE html><html><head><title>Sign in \n to the network</title></head></html>";
    let server = Server::new(vec![answer("200 OK", page.len(), "", page)]);
    let error = Folder::new().get(&server.url).unwrap_err().to_string();
    assert!(
        error.contains("sends a web page (\"sign in to the network\") and not the file"),
        "{error}"
    );
}

#[test]
fn redirects_in_a_circle_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/data.bin", listener.local_addr().unwrap());
    let again = answer("302 Found", 0, &format!("Location: {url}\r\n"), b"");
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _request: Vec<_> = lines
                .take_while(|line| line.as_ref().is_ok_and(|l| !l.is_empty()))
                .collect();
            stream.write_all(&again).unwrap();
        }
    });
    let error = Folder::new().get(&url).unwrap_err().to_string();
    assert_eq!(error, format!("{url}: more than 10 redirects"));
}

#[test]
fn a_server_that_hangs_up_without_an_answer_is_asked_again() {
    let server = Server::new(vec![Vec::new(), b"HTTP/1.1 20".to_vec(), whole()]);
    assert!(Folder::new().get(&server.url).unwrap() == contents());
}

#[test]
fn a_server_that_sends_less_or_more_than_it_says_gives_no_wrong_file() {
    // More: the rest is not read, and what was read has another checksum.
    let server = Server::new(vec![answer("200 OK", 100_000, "", &contents())]);
    let error = Folder::new().get(&server.url).unwrap_err().to_string();
    assert!(error.contains("100000 bytes with SHA-256"), "{error}");
    let server = Server::new(vec![answer("200 OK", usize::MAX, "", &contents())]);
    let error = Folder::new().get(&server.url).unwrap_err().to_string();
    assert!(error.contains("larger than"), "{error}");
}

/// A tenth of a second for an answer: those who are waited for say nothing at all.
const SHORT: Patience = Patience {
    connect: Duration::from_secs(5),
    read: Duration::from_millis(100),
};

#[test]
fn a_server_that_falls_silent_is_asked_for_the_rest() {
    let half = answer("200 OK", contents().len(), "", &contents()[..90_000]);
    let server = Server::falling_silent(vec![half, Vec::new(), rest(90_000, 200_000)]);
    assert!(Folder::new().get_within(SHORT, &server.url).unwrap() == contents());
    let rest = || Some("bytes=90000-".to_owned());
    assert_eq!(server.ranges(), [None, rest(), rest()]);
}

#[test]
fn a_server_that_says_nothing_is_given_up_and_told_as_such() {
    let server = Server::falling_silent(vec![Vec::new(); 6]);
    let folder = Folder::new();
    let error = folder.get_within(SHORT, &server.url).unwrap_err();
    let told = "the transfer breaks off again and again (the server said nothing for 0.1 s)";
    assert_eq!(error.to_string(), format!("{}: {told}", server.url));
    // After some bytes.
    let begun = answer("200 OK", contents().len(), "", &contents()[..10]);
    let server = Server::falling_silent([vec![begun], vec![Vec::new(); 5]].concat());
    let error = folder.get_within(SHORT, &server.url).unwrap_err();
    let told = format!("{told}; 10 bytes are kept, and a next run goes on from there");
    assert_eq!(error.to_string(), format!("{}: {told}", server.url));
    assert_eq!(server.ranges().len(), 6);
}

#[test]
fn a_redirect_to_what_is_no_address_on_the_web_is_refused() {
    for place in ["file:///etc/passwd", "ftp://127.0.0.1/data.bin", "gopher:x"] {
        let moved = format!("Location: {place}\r\n");
        let server = Server::new(vec![answer("302 Found", 0, &moved, b"")]);
        let error = Folder::new().get(&server.url).unwrap_err().to_string();
        let told = format!("{}: the server sends on to {place}", server.url);
        assert!(error.starts_with(&told), "{error}");
    }
}

/// The address to download, of which a proxy may be asked: proxies are named by the environment of a process, so each
/// case is this program again.
const ASKED: &str = "DOWNLOAD_FOR_ANOTHER_TEST";

#[test]
#[ignore = "run by the other tests, with an environment of its own"]
fn fetch() {
    let url = std::env::var(ASKED).unwrap();
    match Folder::new().get_within(SHORT, &url) {
        Ok(got) => println!("got {}", got == contents()),
        Err(error) => println!("error {error}"),
    }
}

/// What a download says in an environment with these variables for proxies and no other.
fn with_proxies(url: &str, variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "fetch", "--ignored", "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        child.env_remove(name).env_remove(name.to_lowercase());
    }
    child.env(ASKED, url).envs(variables.iter().copied());
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let line = said.lines().find_map(|line| {
        let at = line.find("got ").or_else(|| line.find("error "))?;
        Some(line[at..].to_owned())
    });
    line.unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn a_proxy_of_the_environment_is_asked_for_addresses_of_its_scheme() {
    let server = Server::new(vec![whole()]);
    let wrong = "http://127.0.0.1:9";
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = Server::new(vec![whole()]);
        let address = format!("http://{}", proxy.address());
        let said = with_proxies(
            "http://data.example/data.bin",
            &[(name, &address), ("HTTPS_PROXY", wrong)],
        );
        assert_eq!(said, "got true", "{name}");
        let requests = proxy.served.join().unwrap();
        assert_eq!(
            requests[0].0[0],
            "GET http://data.example/data.bin HTTP/1.1"
        );
    }
    let proxy = Server::new(vec![whole()]);
    let address = format!("http://user:pass%21@{}", proxy.address());
    let said = with_proxies(
        "http://a.example:81/x/data.bin?y",
        &[("HTTP_PROXY", &address)],
    );
    assert_eq!(said, "got true");
    let request = proxy.served.join().unwrap().remove(0);
    assert_eq!(
        request.0[0],
        "GET http://a.example:81/x/data.bin?y HTTP/1.1"
    );
    // From `printf 'user:pass!' | base64`.
    let authorization = request.header("Proxy-Authorization");
    assert_eq!(authorization.as_deref(), Some("Basic dXNlcjpwYXNzIQ=="));
    // What another scheme's proxy is asked for is not.
    let said = with_proxies(&server.url, &[("HTTPS_PROXY", wrong)]);
    assert_eq!(said, "got true");
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_to_a_secure_address_and_what_it_answers_is_told() {
    let refusal = answer("407 Proxy Authentication Required", 0, "", b"");
    let proxy = Server::new(vec![refusal]);
    let address = format!("http://name:password@{}", proxy.address());
    let host = proxy.address().to_owned();
    let said = with_proxies(
        "https://data.example/data.bin",
        &[("HTTPS_PROXY", &address)],
    );
    assert!(said.contains("407"), "{said}");
    assert!(
        said.contains(&format!("through the proxy {host}")),
        "{said}"
    );
    assert!(!said.contains("password"), "{said}");
    let requests = proxy.served.join().unwrap();
    assert_eq!(requests[0].0[0], "CONNECT data.example:443 HTTP/1.1");
}

#[test]
fn no_proxy_is_asked_for_what_the_environment_excepts_and_a_wrong_one_is_told() {
    // A loopback address that is not the usual one.
    let server = || Server::at("127.0.0.2", vec![whole()], false);
    let nobody = ("HTTP_PROXY", "http://127.0.0.1:9");
    for excepted in ["127.0.0.2", "example.org,127.0.0.2", "*"] {
        let said = with_proxies(&server().url, &[nobody, ("NO_PROXY", excepted)]);
        assert_eq!(said, "got true", "{excepted}");
    }
    let said = with_proxies(&server().url, &[nobody, ("NO_PROXY", "127.0.0.3")]);
    assert!(said.contains("through the proxy 127.0.0.1:9"), "{said}");
    let said = with_proxies(&server().url, &[("HTTP_PROXY", "")]);
    assert_eq!(said, "got true");
    let said = with_proxies(&server().url, &[("http_proxy", "gopher://user:secret@x")]);
    assert!(
        said.contains("the environment variable http_proxy is not the address of a proxy"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
}
