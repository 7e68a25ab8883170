//! A store, by the crate `object_store`.

use std::cmp::Reverse;
use std::io::{self, Cursor, Read};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use engine::{Error, Listed, Objects};
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode,
    PutPayload, RetryConfig,
};
use tokio::runtime::{Builder, Runtime};

use crate::{Address, profile, said};

/// What is sent and read in one request. Everything smaller is created only if there is none; what is larger is a blob,
/// which is named by its contents, or a checkpoint, which its owner overwrites.
const PIECE: usize = 8 << 20;
/// Until a connection stands, and until a request has its answer: one piece at most, so that slow networks have the time.
const TIMEOUTS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));
/// How long a request is repeated, where that may help. Who asks notices an outage after that.
const REPEATED: (usize, Duration) = (3, Duration::from_secs(20));
/// How often an object is created anew while somebody else creates it, and how long before the first time again.
const UNDECIDED: (u32, Duration) = (6, Duration::from_millis(50));

#[derive(Debug)]
pub(crate) struct Store {
    inner: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    address: String,
    prefix: String,
}

impl Store {
    pub(crate) fn open(address: &Address) -> Result<Self, String> {
        let prefix = match address.prefix.as_str() {
            "" => "v1".to_owned(),
            prefix => format!("{prefix}/v1"),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store")
            .enable_all()
            .build();
        Ok(Self {
            inner: inner(address).map_err(|error| said::error(&error).to_string())?,
            runtime: Arc::new(runtime.map_err(|error| error.to_string())?),
            address: address.to_string(),
            prefix,
        })
    }

    fn at(&self, name: &str) -> Path {
        path(&format!("{}/{name}", self.prefix))
    }

    /// The object in a message.
    fn shown(&self, name: &str) -> PathBuf {
        FilePath::new(&self.address).join("v1").join(name)
    }

    fn failed(&self, doing: &'static str, name: &str) -> impl FnOnce(object_store::Error) -> Error {
        let path = self.shown(name);
        move |error| Error::io(doing, &path)(said::error(&error))
    }

    /// Creates an object of one piece: false if there is one.
    fn create_small(&self, name: &str, piece: &Bytes) -> Result<bool, Error> {
        let (mut times, mut pause) = UNDECIDED;
        loop {
            let (at, payload) = (self.at(name), PutPayload::from_bytes(piece.clone()));
            let put = self.inner.put_opts(&at, payload, PutMode::Create.into());
            match self.runtime.block_on(put) {
                Ok(_) => return Ok(true),
                Err(error) if said::is_undecided(&error) && times > 0 => {
                    std::thread::sleep(pause);
                    (times, pause) = (times - 1, pause * 2);
                }
                Err(error @ object_store::Error::AlreadyExists { .. })
                    if !said::is_undecided(&error) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(self.failed("create", name)(error)),
            }
        }
    }

    /// Writes an object of several pieces, which is there when the last one is.
    fn write_large(&self, name: &str, first: Bytes, rest: &mut dyn Read) -> Result<(), Error> {
        let failed = || self.failed("write", name);
        let at = self.at(name);
        let upload = self.runtime.block_on(self.inner.put_multipart(&at));
        let mut upload = upload.map_err(failed())?;
        let mut send = |piece: Bytes| {
            let sent = upload.put_part(PutPayload::from_bytes(piece));
            self.runtime.block_on(sent).map_err(failed())
        };
        let mut written = send(first);
        while written.is_ok() {
            match piece(rest) {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => written = send(piece),
                Err(error) => {
                    written = Err(Error::io("read what goes to", &self.shown(name))(error));
                }
            }
        }
        let completed = written.and_then(|()| {
            let complete = self.runtime.block_on(upload.complete());
            complete.map(drop).map_err(failed())
        });
        if completed.is_err() {
            // What was sent is of no use; where the store is away it stays until it forgets unfinished uploads.
            let _ = self.runtime.block_on(upload.abort());
        }
        completed
    }
}

impl Objects for Store {
    fn create(&self, name: &str, contents: &mut dyn Read) -> Result<bool, Error> {
        let first = self.first(name, contents)?;
        if first.len() < PIECE {
            return self.create_small(name, &first);
        }
        if self.length(name)?.is_some() {
            return Ok(false);
        }
        self.write_large(name, first, contents).map(|()| true)
    }

    fn overwrite(&self, name: &str, contents: &mut dyn Read) -> Result<(), Error> {
        let first = self.first(name, contents)?;
        if first.len() == PIECE {
            return self.write_large(name, first, contents);
        }
        let at = self.at(name);
        let put = self
            .inner
            .put_opts(&at, first.into(), PutMode::Overwrite.into());
        let put = self.runtime.block_on(put);
        put.map(drop).map_err(self.failed("write", name))
    }

    fn read(&self, name: &str) -> Result<Option<Box<dyn Read>>, Error> {
        let at = self.at(name);
        let got = self.runtime.block_on(async {
            let got = self
                .inner
                .get_opts(&at, object_store::GetOptions::default())
                .await?;
            let bytes = got.meta.size;
            // What is large is asked for in pieces, so that no request takes long.
            if bytes > PIECE as u64 {
                return Ok((bytes, Bytes::new()));
            }
            got.bytes().await.map(|all| (bytes, all))
        });
        match got {
            Err(error) if said::is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("read", name)(error)),
            Ok((bytes, _)) if bytes > PIECE as u64 => Ok(Some(Box::new(Pieces {
                inner: Arc::clone(&self.inner),
                runtime: Arc::clone(&self.runtime),
                at,
                next: 0..bytes,
                piece: Cursor::default(),
            }))),
            Ok((_, all)) => Ok(Some(Box::new(Cursor::new(all)))),
        }
    }

    fn length(&self, name: &str) -> Result<Option<u64>, Error> {
        match self.runtime.block_on(self.inner.head(&self.at(name))) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(error) if said::is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("find", name)(error)),
        }
    }

    fn modified(&self, name: &str) -> Result<Option<SystemTime>, Error> {
        match self.runtime.block_on(self.inner.head(&self.at(name))) {
            Ok(meta) => Ok(Some(meta.last_modified.into())),
            Err(error) if said::is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("find", name)(error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let listed = self.below(&self.at(prefix), prefix)?;
        Ok(listed.into_iter().map(|it| it.name).collect())
    }

    fn list_newest(
        &self,
        prefix: &str,
        most: usize,
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let mut listed = self.metas(&self.at(prefix), prefix)?;
        listed.sort_by_key(|(_, meta)| Reverse(meta.last_modified));
        let newest = listed.into_iter().take(most);
        Ok(newest.map(|(name, meta)| (name, meta.e_tag)).collect())
    }

    fn all(&self) -> Result<Vec<Listed>, Error> {
        self.below(&path(&self.prefix), "")
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        match self.runtime.block_on(self.inner.delete(&self.at(name))) {
            Err(error) if said::is_missing(&error) => Ok(()),
            deleted => deleted.map_err(self.failed("delete", name)),
        }
    }
}

impl Store {
    /// The objects that there are, with their names.
    fn metas(&self, from: &Path, shown: &str) -> Result<Vec<(String, ObjectMeta)>, Error> {
        let listed: Result<Vec<_>, _> = self
            .runtime
            .block_on(self.inner.list(Some(from)).try_collect());
        let listed = listed.map_err(self.failed("list", shown))?;
        let own = format!("{}/", path(&self.prefix));
        let named = listed.into_iter().filter_map(|meta: ObjectMeta| {
            let name = meta.location.as_ref().strip_prefix(&own)?.to_owned();
            Some((name, meta))
        });
        Ok(named.collect())
    }

    fn below(&self, from: &Path, shown: &str) -> Result<Vec<Listed>, Error> {
        let metas = self.metas(from, shown)?.into_iter();
        let listed = metas.map(|(name, meta)| Listed {
            name,
            bytes: meta.size,
            modified: meta.last_modified.into(),
        });
        Ok(listed.collect())
    }

    fn first(&self, name: &str, contents: &mut dyn Read) -> Result<Bytes, Error> {
        piece(contents).map_err(Error::io("read what goes to", &self.shown(name)))
    }
}

/// The name as it is; with other characters only where no path can have it, such as `..`.
fn path(name: &str) -> Path {
    Path::parse(name).unwrap_or_else(|_| Path::from(name))
}

/// The next [`PIECE`], or what is left of it.
fn piece(contents: &mut dyn Read) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    contents.take(PIECE as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// A large object, read piece by piece.
struct Pieces {
    inner: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    at: Path,
    next: std::ops::Range<u64>,
    piece: Cursor<Bytes>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.piece.read(buffer)?;
        if read > 0 || buffer.is_empty() || self.next.is_empty() {
            return Ok(read);
        }
        let end = self.next.end.min(self.next.start + PIECE as u64);
        let range = self.next.start..end;
        let got = self.inner.get_range(&self.at, range);
        let got = self
            .runtime
            .block_on(got)
            .map_err(|error| said::error(&error))?;
        if got.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.next.start += got.len() as u64;
        self.piece = Cursor::new(got);
        self.piece.read(buffer)
    }
}

fn inner(address: &Address) -> object_store::Result<Arc<dyn ObjectStore>> {
    let bucket = address.bucket.as_str();
    let options = |insecure| {
        ClientOptions::new()
            .with_connect_timeout(TIMEOUTS.0)
            .with_timeout(TIMEOUTS.1)
            .with_allow_http(insecure)
    };
    let retry = RetryConfig {
        backoff: BackoffConfig {
            max_backoff: Duration::from_secs(5),
            ..BackoffConfig::default()
        },
        max_retries: REPEATED.0,
        retry_timeout: REPEATED.1,
    };
    // Who writes `http` in the address of a store of one's own means it.
    let is_http = |endpoint: Option<&String>| endpoint.is_some_and(|it| it.starts_with("http:"));
    Ok(match address.scheme.as_str() {
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
            let builder = builder.with_client_options(options(false));
            Arc::new(builder.with_retry(retry).build()?)
        }
        "az" => {
            let endpoint = std::env::var("AZURE_STORAGE_ENDPOINT").ok();
            let builder = MicrosoftAzureBuilder::from_env().with_container_name(bucket);
            let builder = builder.with_client_options(options(is_http(endpoint.as_ref())));
            Arc::new(builder.with_retry(retry).build()?)
        }
        _ => {
            let profile = profile::settings().map_err(|error| object_store::Error::Generic {
                store: "S3",
                source: Box::new(error),
            })?;
            let of_environment =
                |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok());
            let endpoint =
                of_environment(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
                    .or_else(|| profile.get("endpoint_url").cloned());
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
            if of_environment(&["AWS_REGION", "AWS_DEFAULT_REGION"]).is_none()
                && let Some(region) = profile.get("region")
            {
                builder = builder.with_region(region);
            }
            if of_environment(&["AWS_ACCESS_KEY_ID"]).is_none()
                && let (Some(id), Some(secret)) = (
                    profile.get("aws_access_key_id"),
                    profile.get("aws_secret_access_key"),
                )
            {
                builder = builder
                    .with_access_key_id(id)
                    .with_secret_access_key(secret);
                if let Some(token) = profile.get("aws_session_token") {
                    builder = builder.with_token(token);
                }
            }
            let options = options(is_http(endpoint.as_ref()));
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
            }
            Arc::new(
                builder
                    .with_client_options(options)
                    .with_retry(retry)
                    .build()?,
            )
        }
    })
}
