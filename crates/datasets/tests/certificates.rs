//! Downloads from servers whose certificates are signed by an authority of one's own.
//!
//! Which authorities count is said by the environment, which a process reads for itself: each case is this program again,
//! running the one test that is ignored otherwise.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use datasets::{Patience, download};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// From `printf contents | sha256sum`.
const SHA256: &str = "d1b2a59fbea7e20077af9f91b27e95e865061b270be03ff539ab3b73587882e8";

const CONTENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\ncontents";

/// A server for `localhost`; its address, and the authority that signed its certificate.
fn server() -> (String, String) {
    server_that_answers(CONTENTS.to_vec())
}

fn server_that_answers(answer: Vec<u8>) -> (String, String) {
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&authority).unwrap();
    let issuer = Issuer::new(params, authority);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}/data.bin",
        listener.local_addr().unwrap().port()
    );
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            // A client that does not trust the certificate hangs up.
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = stream.get_mut().write_all(&answer);
            stream.get_mut().conn.send_close_notify();
            let _ = stream.get_mut().flush();
        }
    });
    (url, own.pem())
}

#[test]
#[ignore = "run by the other tests, with an environment of its own"]
fn fetch() {
    let url = std::env::var("TEST_URL").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let partial = folder.path().join("partial");
    let got = download(&url, SHA256, &partial, Patience::default(), &mut |_| ());
    let said = got.map_or_else(
        |error| error.to_string(),
        |file| io::read_to_string(file).unwrap(),
    );
    println!("{said}");
}

fn fetched(url: &str, certificates: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, certificates).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fetch", "--ignored", "--nocapture"])
        .env("TEST_URL", url)
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR")
        // Asked directly, whatever the proxy.
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_certificate_of_the_systems_authorities_is_trusted() {
    let (url, authority) = server();
    let printed = fetched(&url, &authority);
    assert!(printed.contains("contents"), "{printed}");
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_with_help() {
    let ((url, _), (_, other)) = (server(), server());
    let printed = fetched(&url, &other);
    assert!(
        printed.contains("certificate") && printed.contains("SSL_CERT_FILE"),
        "{printed}"
    );
}

#[test]
fn a_secure_address_may_send_on_to_a_plain_one_as_the_checksum_says_what_is_right() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = format!("http://{}/data.bin", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
            line.clear();
        }
        stream.get_mut().write_all(CONTENTS).unwrap();
    });
    let moved = format!(
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: {plain}\r\n\r\n"
    );
    let (url, authority) = server_that_answers(moved.into_bytes());
    let said = fetched(&url, &authority);
    assert!(said.contains("contents"), "{said}");
}
