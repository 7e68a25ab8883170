//! `pipeline report`: the pages of a study, from tables in the cache.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use engine::{Digest, Graph, Manifest, Pin, Record, StageId, Store, Summary};
use report::{Earlier, Page, Provenance};
use study::Study;

use crate::cli::{self, Cli};
use crate::commands::{counted, expand, load, open, reason};
use crate::provenance::{Made, Ran, provenance, trained_on};
use crate::so_far::{self, Quoted};
use crate::{DONE, Failed, Failure, Usage, stages};

/// Where a study's pages go, and what they quote of it.
pub(crate) struct Pages {
    pub(crate) of: Quoted,
    pub(crate) folder: PathBuf,
    against: Option<Against>,
}

impl Pages {
    /// For a study file as it is now.
    pub(crate) fn new(study: &Study, file: &Path, folder: &Path) -> Self {
        Self {
            against: None,
            of: Quoted::new(study, file),
            folder: folder.to_owned(),
        }
    }

    /// For a study as it was quoted.
    pub(crate) fn of(of: Quoted, folder: &Path) -> Self {
        Self {
            against: None,
            of,
            folder: folder.to_owned(),
        }
    }

    /// Makes the folder, so that a long run does not end with a report that cannot be written.
    pub(crate) fn check_folder(&self) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| tempfile::tempfile_in(&self.folder).map(drop))
            .map_err(|error| {
                Failed::ReportsFolder {
                    folder: self.folder.clone(),
                    why: reason(&error),
                }
                .into()
            })
    }

    /// Writes the page of every report stage that has its table. Returns their paths.
    pub(crate) fn write(
        &self,
        graph: &Graph,
        store: &Store,
        summary: &Summary,
        run: Option<&Ran<'_>>,
    ) -> Result<Vec<PathBuf>, Failure> {
        let ends: Vec<(StageId, &Record)> = graph
            .iter()
            .filter(|(_, stage)| stage.kind == "report")
            .filter_map(|(id, _)| Some((id, &**summary.record(id)?)))
            .collect();
        let reports = graph.stages().iter().filter(|it| it.kind == "report");
        let several = reports.count() > 1;
        let mut written = Vec::new();
        for &(id, record) in &ends {
            let (table, text) = stages::read_report(store, record)?;
            let made = Made {
                graph,
                summary,
                run,
                study_file: &self.of.file,
                study_text: &self.of.text,
            };
            let earlier = match &self.against {
                Some(against) => Some(against.earlier(store, &graph.stage(id).name)?),
                None => None,
            };
            let provenance = provenance(&made);
            let page = Page::new(&table, &provenance, earlier.as_ref());
            let name = if several {
                format!("{}-{}", self.of.study, graph.stage(id).name)
            } else {
                self.of.study.clone()
            };
            let path = self.folder.join(format!("{name}.html"));
            write(&path, page.html().as_bytes())?;
            written.push(path);
            self.write_beside(&name, &page, &text, &provenance)?;
        }
        Ok(written)
    }

    /// Writes the pages of what there is so far, of the reports that are not done. Returns their paths. What lies beside a
    /// page is of a finished one, and stays as it is.
    pub(crate) fn write_so_far(
        &self,
        graph: &Graph,
        store: &Store,
        reload: Option<u64>,
    ) -> Result<Vec<PathBuf>, Failure> {
        let pages = so_far::draw(&self.of, graph, store, None, reload)?;
        let mut written = Vec::new();
        for page in pages.drawn.iter().filter(|page| !page.finished) {
            let path = self.folder.join(format!("{}.html", page.name));
            write(&path, page.html.as_bytes())?;
            written.push(path);
        }
        Ok(written)
    }

    /// The page's figures, tables, and the table behind them with the devices that it is from, in a folder of the
    /// page's name. What an earlier page left there and this one has not goes.
    fn write_beside(
        &self,
        name: &str,
        page: &Page,
        table: &[u8],
        provenance: &Provenance,
    ) -> Result<(), Failure> {
        let folder = self.folder.join(name);
        if !folder.is_dir() {
            fs::create_dir_all(&folder).map_err(Failed::file("make", &folder))?;
            share(&folder, 0o7777).map_err(Failed::file("make", &folder))?;
        }
        let mut kept = BTreeSet::from([TABLE.to_owned()]);
        write(&folder.join(TABLE), table)?;
        let devices: Vec<&String> = provenance.devices.iter().map(|share| &share.name).collect();
        write(&folder.join(DEVICES), &serde_json::to_vec(&devices)?)?;
        for file in page.files() {
            write(&folder.join(&file.name), file.text.as_bytes())?;
            kept.insert(file.name);
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let is_ours = path
                .extension()
                .is_some_and(|ending| ending == "svg" || ending == "csv");
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if is_ours && !kept.contains(&name) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// The file in the folder beside a page that a later report can be held against.
const TABLE: &str = "report.json";
/// Beside it, the names of the devices that its runs were trained on: they are no part of the table, which is
/// the same on every device that gives the same results.
const DEVICES: &str = "devices.json";

/// Writes a file whole or not at all; one that holds the same is left alone.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut staged = tempfile::Builder::new()
        .permissions(read_by_all())
        .tempfile_in(folder)?;
    share(staged.path(), 0o644)?;
    staged.write_all(contents)?;
    staged.persist(path)?;
    Ok(())
}

/// The same for a command that does nothing else.
fn write(path: &Path, contents: &[u8]) -> Result<(), Failed> {
    replace(path, contents).map_err(Failed::file("write", path))
}

/// Where others may write to the folder that something lies in, they may do with it what the folder says, whatever the
/// umask of this process: as with a cache.
fn share(path: &Path, mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let own = fs::metadata(folder)?.permissions().mode();
    if own & 0o022 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & own))
}

/// What a report is held against.
enum Against {
    /// The folder beside an earlier page, or the table in it.
    File(PathBuf),
    /// What a study had when it was pinned.
    Pin(String, Pin),
    /// The key of an earlier report stage.
    Key(Digest),
}

impl Against {
    /// A file or folder, the name of a pin, or a key, whichever there is.
    fn of(old: &str, store: &Store) -> Result<Self, Failure> {
        let path = Path::new(old);
        if path.exists() {
            let page = path.extension().is_some_and(|ending| ending == "html");
            let folder = if page {
                path.with_extension("")
            } else {
                path.to_owned()
            };
            return Ok(Self::File(if folder.is_dir() {
                folder.join(TABLE)
            } else {
                folder
            }));
        }
        if let Some(pin) = store.pins()?.remove(old) {
            return Ok(Self::Pin(old.to_owned(), pin));
        }
        old.parse().map(Self::Key).map_err(|_| {
            Usage::NoEarlierReport {
                old: old.to_owned(),
            }
            .into()
        })
    }

    /// The earlier table of a report stage.
    fn earlier(&self, store: &Store, stage: &str) -> Result<Earlier, Failure> {
        let (name, key, devices) = match self {
            Self::File(path) => {
                let name = path.display().to_string();
                let bytes = fs::read(path).map_err(Failed::file("read", path))?;
                let table = stages::report_from_json(&bytes).map_err(unreadable(&name))?;
                return Ok(Earlier {
                    name,
                    table,
                    devices: devices_beside(path)?,
                });
            }
            Self::Pin(name, pin) => {
                let key = pin.stages.get(stage).copied();
                let key = key.ok_or_else(|| Usage::PinLacksStage {
                    name: name.clone(),
                    stage: stage.to_owned(),
                })?;
                (name.clone(), key, Some(trained_in(pin, store)?))
            }
            // Its record names the contents that it read, not the runs that made them.
            Self::Key(key) => (key.to_string(), *key, None),
        };
        let record = store.lookup(key)?.record;
        let record = record.ok_or_else(|| Failed::NoResult {
            stage: stage.to_owned(),
            key,
        })?;
        let (table, _) = stages::read_report(store, &record).map_err(unreadable(&name))?;
        Ok(Earlier {
            name,
            table,
            devices,
        })
    }
}

fn unreadable(name: &str) -> impl FnOnce(stages::Failure) -> Failed {
    let name = name.to_owned();
    move |source| Failed::EarlierReport { name, source }
}

/// The devices noted beside a report's table; none beside that of an older version.
fn devices_beside(table: &Path) -> Result<Option<Vec<String>>, Failure> {
    let path = table.with_file_name(DEVICES);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failed::file("read", &path)(error).into()),
    };
    let devices =
        serde_json::from_slice(&bytes).map_err(|source| Failed::Devices { path, source })?;
    Ok(Some(devices))
}

/// The devices that the runs of a pin were trained on.
fn trained_in(pin: &Pin, store: &Store) -> Result<Vec<String>, Failure> {
    let mut records = Vec::new();
    for key in pin.stages.values() {
        records.extend(store.lookup(*key)?.record);
    }
    let trained = records.iter().map(|record| &**record).filter(|record| {
        Manifest::parse(&record.manifest).is_ok_and(|manifest| manifest.kind() == "train")
    });
    Ok(trained_on(trained))
}

/// A temporary file is its owner's alone; a page is not.
fn read_by_all() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

pub(crate) fn report(cli: &Cli, arguments: &cli::Report) -> Result<u8, Failure> {
    let study = load(&arguments.file)?;
    let store = open(cli, Some(&arguments.file))?;
    let graph = expand(&study, &store)?;
    let mut pages = Pages::new(&study, &arguments.file.study, &arguments.reports);
    if let Some(old) = &arguments.against {
        pages.against = Some(Against::of(old, &store)?);
    }
    pages.check_folder()?;
    let plan = engine::plan(&graph, &store, &stages::kinds(), study.name())?;
    let summary = Summary::of(&plan);
    let reports = graph.iter().filter(|(_, stage)| stage.kind == "report");
    let reports: Vec<StageId> = reports.map(|(id, _)| id).collect();
    if reports.is_empty() {
        return Err(Usage::NoReportStage {
            study: study.name().to_owned(),
        }
        .into());
    }
    let mut written = pages.write(&graph, &store, &summary, None)?;
    if arguments.so_far && written.len() < reports.len() {
        written.extend(pages.write_so_far(&graph, &store, Some(RELOAD))?);
    }
    if written.is_empty() {
        let is_run = |id: &StageId| {
            let stage = graph.stage(*id);
            stages::run_settings(&stage.kind, &stage.settings).is_some()
        };
        let runs: Vec<StageId> = graph.ids().filter(is_run).collect();
        let done = runs.iter().filter(|&&id| summary.record(id).is_some());
        return Err(Usage::NoReportYet {
            study: study.name().to_owned(),
            done: done.count(),
            runs: counted(runs.len(), "run"),
        }
        .into());
    }
    for path in &written {
        outln!("{}", path.display());
    }
    Ok(DONE)
}

/// After how many seconds an open page loads itself anew, where nobody knows when it is drawn again.
const RELOAD: u64 = 60;
