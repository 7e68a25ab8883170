//! What input files held when a plan was frozen, as blobs of the remote.
//!
//! A file is a blob. A folder, or what fits a pattern, is one too, because each object costs a request: a line with the
//! files, in JSON, then their contents, one after the other.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::folders::{self, Entry, There};
use crate::{Blob, Digest, Error, Graph, Remote, Source, Store};

/// An input file, folder or pattern as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrozenInput {
    /// A file: its contents.
    File(Blob),
    /// A folder, or what fits a pattern.
    Folder {
        /// Its digest in manifests.
        digest: Digest,
        /// Its files, packed.
        pack: Blob,
    },
}

impl FrozenInput {
    /// Its digest in manifests.
    pub fn digest(&self) -> Digest {
        match self {
            Self::File(blob) => blob.digest,
            Self::Folder { digest, .. } => *digest,
        }
    }

    /// The blob that it is made from.
    pub fn blob(&self) -> Blob {
        match self {
            Self::File(blob) => *blob,
            Self::Folder { pack, .. } => *pack,
        }
    }
}

/// Inputs in JSON, as a list: paths need not be UTF-8, which names in an object are.
pub(super) mod list {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::FrozenInput;

    #[derive(Serialize, Deserialize)]
    struct Named {
        #[serde(with = "crate::graph::exact")]
        path: PathBuf,
        input: FrozenInput,
    }

    pub(in crate::frozen) fn serialize<S: Serializer>(
        inputs: &BTreeMap<PathBuf, FrozenInput>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(inputs.iter().map(|(path, &input)| Named {
            path: path.clone(),
            input,
        }))
    }

    pub(in crate::frozen) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<PathBuf, FrozenInput>, D::Error> {
        let named = Vec::<Named>::deserialize(from)?;
        Ok(named.into_iter().map(|it| (it.path, it.input)).collect())
    }
}

/// Stores what a graph reads in the remote.
pub(super) fn store(
    graph: &Graph,
    store: &Store,
    remote: &Remote,
) -> Result<BTreeMap<PathBuf, FrozenInput>, Error> {
    let mut inputs = BTreeMap::new();
    for input in graph.stages().iter().flat_map(|stage| &stage.inputs) {
        let Source::File(path) = &input.source else {
            continue;
        };
        if inputs.contains_key(path) {
            continue;
        }
        let frozen = match folders::there(path)? {
            There::File => {
                let digest = store.digest_file(path)?;
                let reading = Error::io("read the input file", path);
                let bytes = fs::metadata(path).map_err(reading)?.len();
                let blob = Blob { digest, bytes };
                put(remote, blob, path, &|| {
                    Ok(Box::new(File::open(path)?) as Box<dyn Read>)
                })?;
                FrozenInput::File(blob)
            }
            There::Folder(entries) => {
                let digest = folders::digest(store, &entries)?;
                let reading = Error::io("read the input", path);
                let pack = packed(&entries).and_then(|mut pack| {
                    let mut hasher = blake3::Hasher::new();
                    let bytes = io::copy(&mut pack, &mut hasher)?;
                    let digest = hasher.finalize().into();
                    Ok(Blob { digest, bytes })
                });
                let pack = pack.map_err(reading)?;
                put(remote, pack, path, &|| packed(&entries))?;
                FrozenInput::Folder { digest, pack }
            }
        };
        inputs.insert(path.clone(), frozen);
    }
    Ok(inputs)
}

fn put(
    remote: &Remote,
    blob: Blob,
    path: &Path,
    open: &dyn Fn() -> io::Result<Box<dyn Read>>,
) -> Result<(), Error> {
    let changed = remote.put_from(blob, || {
        open().map_err(Error::io("read the input file", path))
    })?;
    let path = path.to_owned();
    changed.then_some(()).ok_or(Error::InputChanged { path })
}

/// A file of a folder.
#[derive(Serialize, Deserialize)]
struct Listed {
    /// Its path in the folder, with `/`.
    name: String,
    executable: bool,
    bytes: u64,
}

/// The files of a folder as one text.
fn packed(entries: &[Entry]) -> io::Result<Box<dyn Read>> {
    let listed = entries.iter().map(|entry| {
        Ok(Listed {
            name: entry.name.clone(),
            executable: entry.executable,
            bytes: fs::metadata(&entry.path)?.len(),
        })
    });
    let listed = listed.collect::<io::Result<Vec<_>>>()?;
    let mut head = serde_json::to_vec(&listed).expect("a list of files has string keys only");
    head.push(b'\n');
    let files = listed.iter().zip(entries);
    let files: Vec<_> = files
        .map(|(listed, entry)| (entry.path.clone(), listed.bytes))
        .collect();
    Ok(Box::new(Contents {
        current: Box::new(io::Cursor::new(head)),
        files: files.into_iter(),
    }))
}

/// Files read one after the other; no more than one is open.
struct Contents {
    current: Box<dyn Read>,
    files: std::vec::IntoIter<(PathBuf, u64)>,
}

impl Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some((path, bytes)) = self.files.next() else {
                return Ok(0);
            };
            self.current = Box::new(File::open(path)?.take(bytes));
        }
    }
}

/// Makes a folder again from its pack, for reading alone. Gives its digest, of what was written, and the length of its
/// files in bytes.
///
/// # Errors
///
/// If the pack is none, or the folder cannot be written.
pub(crate) fn unpack(pack: &Path, folder: &Path) -> Result<(Digest, u64), Error> {
    let damaged = || Error::Damaged {
        path: pack.to_owned(),
    };
    let reading = |error| Error::io("read", pack)(error);
    let mut from = BufReader::new(File::open(pack).map_err(reading)?);
    let mut head = Vec::new();
    from.read_until(b'\n', &mut head).map_err(reading)?;
    let listed: Vec<Listed> = serde_json::from_slice(&head).map_err(|_| damaged())?;
    fs::create_dir(folder).map_err(Error::io("create", folder))?;
    let (mut digests, mut all) = (Vec::new(), 0);
    for file in &listed {
        let is_inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if file.name.is_empty() || !Path::new(&file.name).components().all(is_inside) {
            return Err(damaged());
        }
        let to = folder.join(&file.name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        let writing = |error| Error::io("write", &to)(error);
        let mut copy = File::create_new(&to).map_err(writing)?;
        let mut hasher = blake3::Hasher::new();
        let (mut left, mut buffer) = (file.bytes, vec![0; 1 << 16]);
        while left > 0 {
            let most = left.min(buffer.len() as u64) as usize;
            let read = from.read(&mut buffer[..most]).map_err(reading)?;
            if read == 0 {
                return Err(damaged());
            }
            hasher.update(&buffer[..read]);
            copy.write_all(&buffer[..read]).map_err(writing)?;
            left -= read as u64;
        }
        let mode = if file.executable { 0o555 } else { 0o444 };
        let shut = copy.set_permissions(Permissions::from_mode(mode));
        shut.map_err(writing)?;
        digests.push(hasher.finalize().into());
        all += file.bytes;
    }
    let files = listed.iter().map(|it| (it.executable, it.name.as_str()));
    Ok((folders::digest_of(files.zip(digests)), all))
}
