//! What can go wrong with a graph, a store or a run. A stage that fails is no error but an outcome.

use std::io;
use std::path::{Path, PathBuf};

use crate::{Digest, size};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two stages of a graph have one name.
    #[error("two stages are named `{name}`")]
    DuplicateStage {
        /// The name.
        name: String,
    },
    /// Two inputs of a stage have one name.
    #[error("the stage `{stage}` has two inputs named `{input}`")]
    DuplicateInput {
        /// The stage.
        stage: String,
        /// The name of its inputs.
        input: String,
    },
    /// A stage reads a stage that was not added to the graph before it.
    #[error("the stage `{stage}` reads a stage that was not added before it")]
    UnknownStage {
        /// The stage that reads.
        stage: String,
    },
    /// Nobody executes stages of this kind.
    #[error("the stage `{stage}` is of the kind `{kind}`, which this program does not have")]
    UnknownKind {
        /// The stage.
        stage: String,
        /// Its kind.
        kind: String,
    },
    /// A text that is not the canonical text of a manifest.
    #[error("line {line} of the manifest: {message}")]
    Manifest {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The operating system refused something.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// The verb: "read", "write", ...
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cache was written by a newer program.
    #[error("`{}` was written by a newer version of this program (format {version}; this one knows 1)", path.display())]
    Newer {
        /// The file or folder.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
    /// A file of the cache does not hold what was written to it.
    #[error("`{}` is damaged; `pipeline cache verify` says what else is", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Something must be computed, and the cache cannot be written.
    #[error(
        "the cache `{}` cannot be written, and it does not have all results yet; `--cache FOLDER` names another one",
        cache.display()
    )]
    ReadOnly {
        /// The cache folder.
        cache: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The remote is not there.
    #[error("there is no folder {}, which is to be the remote; `mkdir -p` makes one", path.display())]
    NoRemote {
        /// The folder.
        path: PathBuf,
    },
    /// The remote is a file, a device or the like.
    #[error("{} is no folder; the remote is a folder that all machines see, or an object store", path.display())]
    RemoteIsNoFolder {
        /// What is there.
        path: PathBuf,
    },
    /// A remote behind itself.
    #[error("the remote {} is the cache itself; it must be another folder, which all machines see", path.display())]
    RemoteIsCache {
        /// The folder.
        path: PathBuf,
    },
    /// A remote that does not give a name once cannot keep copies of the program apart.
    #[error(
        "the remote {remote} cannot be shared: {winners} of {racers} that created one file at once were told that they \
         did, and it must be one; stages would be executed twice"
    )]
    NotOneWinner {
        /// The remote.
        remote: String,
        /// How many it let win.
        winners: usize,
        /// How many there were.
        racers: usize,
    },
    /// A study cannot be handed to other machines.
    #[error("the study cannot be frozen: {why}")]
    CannotFreeze {
        /// Why not.
        why: Unfrozen,
    },
    /// A plan is carried out by the program that froze it and by no other.
    #[error(
        "the plan {plan} was frozen by another build of this program ({frozen}; this one is {found}), which may compute \
         other things: run the one that froze it, or freeze the study anew"
    )]
    ForeignPlan {
        /// The plan.
        plan: String,
        /// The build that froze it.
        frozen: String,
        /// This one.
        found: String,
    },
    /// Runs on this cache could not keep out of each other's way.
    #[error(
        "the file system of the cache `{}` has no file locks, which a run needs; `--cache FOLDER` puts the cache on \
         another one, such as a local disk",
        cache.display()
    )]
    NoLocks {
        /// The cache folder.
        cache: PathBuf,
        /// What it says to a lock.
        source: io::Error,
    },
    /// Nothing can be deleted while a study runs.
    #[error("a study is running on the cache `{}`; `pipeline status` says which", cache.display())]
    InUse {
        /// The cache folder.
        cache: PathBuf,
    },
    /// Two gcs of a remote would delete what the other one counts on.
    #[error(
        "another gc is at work in the remote {remote}, on {host}; one that was killed is forgotten after an hour"
    )]
    GcAtWork {
        /// The remote.
        remote: String,
        /// Where it was started.
        host: String,
    },
    /// A gc of a remote that does not go on is taken for one that was killed, by those who wait for its end.
    #[error(
        "this gc of the remote {remote} stood still for minutes, and deletes nothing more; run it again"
    )]
    GcStoodStill {
        /// The remote.
        remote: String,
    },
    /// Nobody knows what may be deleted.
    #[error(
        "nothing is deleted, because nobody knows what the {by} keeps: `{}` is lost or damaged; `--forget STUDY` gives up \
         what the study had, and removing the file does",
        path.display()
    )]
    KeepsUnknown {
        /// Who keeps results.
        by: String,
        /// What cannot be read.
        path: PathBuf,
    },
    /// A blob is not in the store.
    #[error(
        "a result names contents that the cache does not have ({digest}); `pipeline run` makes them again"
    )]
    NoBlob {
        /// Its name.
        digest: Digest,
    },
    /// A checkpoint does not fit beside those that unfinished stages go on from.
    #[error(
        "there is no room for its {bytes} bytes in the {space} bytes for checkpoints: unfinished runs need the others"
    )]
    NoRoom {
        /// Its length.
        bytes: u64,
        /// What all may take.
        space: u64,
    },
    /// A stage is not begun because there is not enough memory for it.
    #[error("it takes about {} of memory, and {there}", size(*bytes))]
    TooLarge {
        /// What it takes.
        bytes: u64,
        /// What there is and what can be done: [`MemoryLimits::there`](crate::MemoryLimits::there).
        there: String,
    },
    /// A stage asked for an input that it does not have.
    #[error("the stage has no input `{name}`")]
    NoInput {
        /// The name asked for.
        name: String,
    },
    /// There is no input file at a path.
    #[error("there is no file `{}`", path.display())]
    NoInputFile {
        /// The path.
        path: PathBuf,
    },
    /// What is at the path of an input cannot be read as one.
    #[error("`{}` cannot be an input: {why}", path.display())]
    UnfitInput {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        why: UnfitInput,
    },
    /// An input file is not what it was when the run started.
    #[error("the input `{}` changed while the study ran; run it again", path.display())]
    InputChanged {
        /// The file.
        path: PathBuf,
    },
    /// A worker could not be started, or ended before it had a stage.
    #[error("the worker process `{}` did not start: {message}", program.display())]
    WorkerStart {
        /// The program.
        program: PathBuf,
        /// What happened, and what it wrote to stderr.
        message: String,
    },
    /// A worker was built from other sources than the engine that started it.
    #[error(
        "the worker is of another build ({found}, this program is {expected}): the program was replaced while it ran; run it again"
    )]
    ForeignWorker {
        /// The build of the engine.
        expected: String,
        /// The build of the worker.
        found: String,
    },
    /// Engine and worker do not understand each other.
    #[error("the program and its worker process do not understand each other: {0}")]
    Protocol(String),
}

impl Error {
    /// What becomes of an error of the operating system, or of a store.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

/// Why a study cannot be handed to other machines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfrozen {
    /// A frozen plan is for other machines, and there is no remote that they see.
    #[error("there is no remote")]
    NoRemote,
    /// A frozen plan is put into the remote.
    #[error("the remote {remote} cannot be written ({why})")]
    ReadOnly {
        /// The remote.
        remote: String,
        /// What it says.
        why: String,
    },
    /// A plan is never replaced.
    #[error("there is a plan {plan} already")]
    Exists {
        /// The plan.
        plan: String,
    },
    /// A gc of the remote deleted results while a plan that counts on them was frozen.
    #[error(
        "a gc of the remote has just deleted results that it was to begin with; freeze it again"
    )]
    Collected,
}

/// Why what is at a path cannot be read as an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitInput {
    /// The path of an input has a `*`, and there is no such file.
    #[error("no file fits this pattern")]
    NoFileFits,
    /// A link in an input folder leads to a folder above it, so that the input has no end.
    #[error("it links to a folder that it is in")]
    LinksToItsFolder,
    /// A link leads to what is not there.
    #[error("it links to nothing")]
    LinksToNothing,
    /// A name in an input folder is not UTF-8.
    #[error("its name is not UTF-8")]
    NotUtf8,
    /// An input folder has more files than is sensible.
    #[error("an input has at most a million files")]
    TooManyFiles,
    /// An input is a socket, a device or the like.
    #[error("it is neither a file nor a folder")]
    NeitherFileNorFolder,
}
