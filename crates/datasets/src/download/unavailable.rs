//! Why a file cannot be had from the web.

use crate::Error;

/// Why a file cannot be downloaded, and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unavailable {
    /// A web page comes in the file's place, such as that of a network that asks its guests to sign in.
    #[error(
        "the server sends a web page{} and not the file; open the address in a browser to see what it asks for",
        in_brackets(title)
    )]
    WebPage {
        /// Its title, if it has one.
        title: String,
    },
    /// What came in is not the file that the study names.
    #[error("checksum mismatch: {bytes} bytes with SHA-256 {found}, expected {expected}")]
    Checksum {
        /// Bytes that came in.
        bytes: u64,
        /// SHA-256 of these.
        found: String,
        /// SHA-256 that the study gives.
        expected: String,
    },
    /// The connection breaks off as often as it is tried again.
    #[error("the transfer breaks off again and again ({problem}){}", and_kept(*kept))]
    BreaksOff {
        /// The last time.
        problem: Disconnected,
        /// Bytes that are there.
        kept: u64,
    },
    /// The server asks to come back, as often as it is asked.
    #[error("the server answers {status} again and again{}", and_kept(*kept))]
    Busy {
        /// Its answer.
        status: String,
        /// Bytes that are there.
        kept: u64,
    },
    /// The server asks to come back later than is waited for.
    #[error("the server answers {status} and asks to come back in {seconds} seconds")]
    ComeBack {
        /// Its answer.
        status: String,
        /// How much later.
        seconds: u64,
    },
    /// The server does not give the file, as when there is none at this address.
    #[error("the server answers {status}")]
    Answer {
        /// Its answer.
        status: String,
    },
    /// The file is larger than a data set ever is.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// What is accepted.
        limit: u64,
    },
    /// The server sends on to something else than `http` and `https`.
    #[error("the server sends on to {place}, which is nothing on the web")]
    SentOff {
        /// The other address.
        place: String,
    },
    /// Servers send on to each other without an end.
    #[error("more than {limit} redirects")]
    Redirects {
        /// What is followed.
        limit: u32,
    },
    /// The server's certificate is signed by nobody that this machine trusts.
    #[error(
        "its certificate is not trusted ({problem}); the authorities are those of the system, or those of the file \
         that SSL_CERT_FILE names"
    )]
    Certificate {
        /// What is wrong with it.
        problem: Disconnected,
    },
    /// There is no connection to the server, or to the proxy.
    #[error(
        "cannot be reached{} ({problem}); without a connection, get the file by other means and name it under `path:`",
        by_way_of(through.as_deref())
    )]
    Unreachable {
        /// The proxy of the environment that was asked, if any, `HOST:PORT`.
        through: Option<String>,
        /// Why not.
        problem: Disconnected,
    },
    /// The environment names a proxy that cannot be one.
    #[error("the environment variable {variable} is not the address of a proxy")]
    Proxy {
        /// The variable.
        variable: &'static str,
    },
}

impl Unavailable {
    /// As what is wrong with this address.
    pub(super) fn at(self, url: &str) -> Error {
        Error::Download {
            url: url.to_owned(),
            problem: self,
        }
    }
}

/// What ends a connection.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Disconnected {
    /// Nobody answers at the address.
    #[error("no connection within {seconds} s")]
    NoConnection {
        /// How long it was waited for.
        seconds: f64,
    },
    /// A server has stopped to answer.
    #[error("the server said nothing for {seconds} s")]
    Silent {
        /// How long it was waited for.
        seconds: f64,
    },
    /// A server ends a connection before the file has ended.
    #[error("the connection was closed")]
    Closed,
    /// A connection ends for another reason.
    #[error("{said}")]
    Other {
        /// What the system or the HTTP client says.
        said: String,
    },
}

fn in_brackets(title: &str) -> String {
    match title {
        "" => String::new(),
        title => format!(" (\"{title}\")"),
    }
}

fn by_way_of(proxy: Option<&str>) -> String {
    proxy.map_or_else(String::new, |proxy| {
        format!(" through the proxy {proxy} of the environment")
    })
}

fn and_kept(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => format!("; {bytes} bytes are kept, and a next run goes on from there"),
    }
}
