//! How an address on the web is reached: through which proxy, with whose certificates, and where it sends on to.
//!
//! Proxies are those of the environment, as curl has them: `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, in either case,
//! but for what `NO_PROXY` lists. A plain address is asked for in the proxy's own request (RFC 9112, section 3.2.2), a
//! secure one through a tunnel (RFC 9110, section 9.3.6): many proxies refuse tunnels to anything else.

use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::http::uri::Authority;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, Either, NextTimeout, Transport,
};
use ureq::{Agent, Body, Proxy, ProxyProtocol, Timeout};

use super::{Disconnected, Patience, Unavailable, header};

/// Redirects that are followed.
const REDIRECTS: u32 = 10;

/// Asks for addresses.
pub(super) struct Web {
    patience: Patience,
    roots: RootCerts,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// There was a server, which did not answer as it should: worth another attempt.
    Broken(Disconnected),
    Final(Unavailable),
}

impl Web {
    /// Certificates are those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), or Mozilla's where it has none.
    pub(super) fn new(patience: Patience) -> Self {
        let certificates = rustls_native_certs::load_native_certs().certs;
        let roots = if certificates.is_empty() {
            RootCerts::WebPki
        } else {
            let own = |certificate| Certificate::from_der(certificate).to_owned();
            let all = certificates.iter().map(|certificate| own(certificate));
            all.collect::<Vec<_>>().into()
        };
        Self { patience, roots }
    }

    /// The answer of an address, asked for what comes after `there` bytes, or of the one that it sends on to.
    pub(super) fn ask(&self, url: &str, there: u64) -> Result<Response<Body>, NoAnswer> {
        let mut at = url.to_owned();
        for _ in 0..=REDIRECTS {
            let response = self.ask_once(&at, there)?;
            let sends_on = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let Some(place) = header(&response, "Location").filter(|_| sends_on) else {
                return Ok(response);
            };
            let next = joined(&at, place);
            if !["http://", "https://"]
                .iter()
                .any(|start| next.starts_with(start))
            {
                let place = place.to_owned();
                return Err(NoAnswer::Final(Unavailable::SentOff { place }));
            }
            at = next;
        }
        Err(NoAnswer::Final(Unavailable::Redirects { limit: REDIRECTS }))
    }

    /// What went wrong while an answer was read.
    pub(super) fn of_reading(&self, error: &io::Error) -> Disconnected {
        let own = error.get_ref().and_then(|error| error.downcast_ref());
        let other = || Disconnected::Other {
            said: error.to_string(),
        };
        own.map_or_else(other, |error| self.problem(error))
    }

    fn problem(&self, error: &ureq::Error) -> Disconnected {
        let Patience { connect, read } = self.patience;
        match error {
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                let seconds = connect.as_secs_f64();
                Disconnected::NoConnection { seconds }
            }
            ureq::Error::Timeout(_) => {
                let seconds = read.as_secs_f64();
                Disconnected::Silent { seconds }
            }
            error => Disconnected::Other {
                said: error.to_string(),
            },
        }
    }

    fn ask_once(&self, url: &str, there: u64) -> Result<Response<Body>, NoAnswer> {
        let proxy = proxy(url).map_err(NoAnswer::Final)?;
        let through = proxy
            .as_ref()
            .map(|proxy| (proxy.host().to_owned(), proxy.port()));
        // What a proxy is told of whom it serves is no business of whom it asks.
        let mut credentials = None;
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(self.roots.clone()).build())
            .timeout_connect(Some(self.patience.connect))
            .timeout_per_read(Some(self.patience.read))
            .max_redirects(0)
            .http_status_as_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")));
        let agent = match proxy {
            Some(proxy) if proxy.protocol() == ProxyProtocol::Http && url.starts_with("http:") => {
                let user = proxy.username().map(|user| {
                    let both = format!("{user}:{}", proxy.password().unwrap_or_default());
                    format!("Basic {}", BASE64_STANDARD.encode(both))
                });
                credentials = user;
                let resolver = AtProxy(DefaultResolver::default(), proxy.uri().clone());
                Agent::with_parts(config.proxy(None).build(), asking_proxy(), resolver)
            }
            proxy => config.proxy(proxy).build().new_agent(),
        };
        let mut request = agent.get(url);
        if there > 0 {
            request = request.header("Range", format!("bytes={there}-"));
        }
        if let Some(credentials) = credentials {
            request = request.header("Proxy-Authorization", credentials);
        }
        request.call().map_err(|error| {
            let problem = self.problem(&error);
            if is_broken(&error) {
                return NoAnswer::Broken(problem);
            }
            NoAnswer::Final(if problem.to_string().contains("certificate") {
                Unavailable::Certificate { problem }
            } else {
                let through = through.map(|(host, port)| format!("{host}:{port}"));
                Unavailable::Unreachable { through, problem }
            })
        })
    }
}

/// Whether there was a server, which did not answer as it should.
fn is_broken(error: &ureq::Error) -> bool {
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

/// Where an address sends on to: a whole address, or one without what it shares with this one.
/// Source: RFC 3986, section 5.2, without dot segments, which servers resolve as well.
fn joined(at: &str, place: &str) -> String {
    let is_whole = place.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let (scheme, rest) = at.split_once("://").unwrap_or(("http", at));
    let (host, path) = match rest.find(['/', '?', '#']) {
        Some(end) => rest.split_at(end),
        None => (rest, "/"),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if is_whole {
        place.to_owned()
    } else if place.starts_with("//") {
        format!("{scheme}:{place}")
    } else if place.starts_with('/') {
        format!("{scheme}://{host}{place}")
    } else if place.starts_with('?') {
        format!("{scheme}://{host}{path}{place}")
    } else {
        let folder = path.rfind('/').map_or("", |end| &path[..end]);
        format!("{scheme}://{host}{folder}/{place}")
    }
}

/// The proxy of the environment for an address. This machine is asked directly.
///
/// # Errors
///
/// Which variable is no address of a proxy.
fn proxy(url: &str) -> Result<Option<Proxy>, Unavailable> {
    let Ok(uri) = url.parse::<Uri>() else {
        return Ok(None);
    };
    // `try_from_env` reads `NO_PROXY`; but it takes the first proxy that it finds, whatever the address.
    let is_local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if is_local || Proxy::try_from_env().is_some_and(|any| any.is_no_proxy(&uri)) {
        return Ok(None);
    }
    let names = if url.starts_with("https:") {
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    };
    let given = names.into_iter().find_map(|name| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        Some((name, value))
    });
    let Some((name, value)) = given else {
        return Ok(None);
    };
    let proxy = value.to_str().and_then(|value| Proxy::new(value).ok());
    proxy.map(Some).ok_or(Unavailable::Proxy { variable: name })
}

/// Connections that would go anywhere go to a proxy.
#[derive(Debug)]
struct AtProxy(DefaultResolver, Uri);

impl Resolver for AtProxy {
    fn resolve(
        &self,
        _: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.0.resolve(&self.1, config, timeout)
    }
}

fn asking_proxy() -> impl Connector {
    DefaultConnector::default().chain(AskProxy)
}

/// Makes requests such as a proxy is asked.
#[derive(Debug)]
struct AskProxy;

impl<In: Transport> Connector<In> for AskProxy {
    type Out = Either<In, AskingProxy<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let host = details.uri.authority().map(Authority::as_str);
        // The user's name and password go into a header.
        let host = host.and_then(|host| host.rsplit('@').next());
        let origin = format!("http://{}", host.unwrap_or_default());
        Ok(chained.map(|inner| Either::B(AskingProxy { inner, origin })))
    }
}

/// A connection to a proxy that is asked for what is at another place.
#[derive(Debug)]
struct AskingProxy<T> {
    inner: T,
    origin: String,
}

impl<T: Transport> Transport for AskingProxy<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(
        &mut self,
        mut amount: usize,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        const ASK: &str = "GET ";
        let output = self.inner.buffers().output();
        let longer = amount + self.origin.len();
        if output[..amount].starts_with(b"GET /") && longer <= output.len() {
            output.copy_within(ASK.len()..amount, ASK.len() + self.origin.len());
            output[ASK.len()..][..self.origin.len()].copy_from_slice(self.origin.as_bytes());
            amount = longer;
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_sends_on_to_places_near_and_far() {
        let at = "http://a.org/b/c?d=/e";
        for (place, whole) in [
            ("https://x.org/y", "https://x.org/y"),
            ("file:///etc", "file:///etc"),
            ("//x.org/y:z", "http://x.org/y:z"),
            ("/y?u=http://v", "http://a.org/y?u=http://v"),
            ("y", "http://a.org/b/y"),
            ("?z", "http://a.org/b/c?z"),
        ] {
            assert_eq!(joined(at, place), whole);
        }
        assert_eq!(joined("https://a.org", "b"), "https://a.org/b");
    }
}
