//! A data set by itself: where its files are, and whether there are enough images.

use std::path::Path;

use runs::Spanned;
use runs::number::Count;

use super::Checked;
use crate::diagnostic::{Draft, Mistake, Span};
use crate::program::From;
use crate::schema::{Checksums, Dataset, Source};
use crate::source::{Place, contents_in_words};
use crate::sources::Sources;

pub(super) fn check(dataset: &Spanned<Dataset>, mistakes: &mut Vec<Draft>) {
    whereabouts(dataset, mistakes);
    if let (Some(_), Some(sha256)) = (&dataset.url, &dataset.sha256) {
        checksums(dataset, sha256, mistakes);
    }
    counts(dataset, mistakes);
}

/// `path`, or `url` with `sha256`, or neither for what is built in.
fn whereabouts(dataset: &Dataset, mistakes: &mut Vec<Draft>) {
    let source = dataset.source.name();
    let (path, url, sha256) = (&dataset.path, &dataset.url, &dataset.sha256);
    let mut wrong = |message: String, at: Span, label: &str, help: String| {
        mistakes.push(
            Draft::error(Mistake::WhereAreTheFiles, message)
                .at(at, label)
                .help(help),
        );
    };
    if *dataset.source == Source::Digits {
        let given = [
            ("path", path.as_ref().map(|path| path.span)),
            ("url", url.as_ref().map(|url| url.span)),
            ("sha256", sha256.as_ref().map(|sha256| sha256.span)),
        ];
        for (key, at) in given.into_iter().filter_map(|(key, at)| Some((key, at?))) {
            wrong(
                "`digits` is built in".to_owned(),
                at,
                "reads no file",
                format!("remove `{key}`"),
            );
        }
    } else {
        match (path, url, sha256) {
            (None, None, _) => wrong(
                format!("`{source}` is read from files"),
                dataset.source.span,
                "their place is missing",
                format!(
                    "add `path:` with {}, or `url:` and `sha256:`; to be had at {}",
                    dataset.source.files_in_words(),
                    dataset.source.home()
                ),
            ),
            (Some(_), Some(url), _) => wrong(
                "both `path` and `url` are given".to_owned(),
                url.span,
                "only one of the two can be used",
                "remove one".to_owned(),
            ),
            (Some(_), None, Some(sha256)) => wrong(
                "`sha256` is given with `path`".to_owned(),
                sha256.span,
                "only downloads are checked by it",
                "remove it".to_owned(),
            ),
            (None, Some(url), None) => wrong(
                "`url` without `sha256`".to_owned(),
                url.span,
                "the download could not be checked",
                "add `sha256:`; `sha256sum FILE` prints the checksum of a file".to_owned(),
            ),
            _ => {}
        }
        if let Some(url) = url
            && !["http://", "https://"]
                .iter()
                .any(|start| url.starts_with(start))
        {
            wrong(
                format!("`{}` is not a web address", **url),
                url.span,
                "does not start with http:// or https://",
                "a file on disk is named under `path`".to_owned(),
            );
        }
    }
    if *dataset.extra && *dataset.source != Source::Svhn {
        wrong(
            format!("`{source}` has no extra images"),
            dataset.extra.span,
            "only `svhn` has extra images",
            "remove `extra`".to_owned(),
        );
    }
}

/// One for each file, and no other.
fn checksums(dataset: &Dataset, sha256: &Spanned<Checksums>, mistakes: &mut Vec<Draft>) {
    let at = sha256.span;
    let all: Vec<&str> = dataset.files().map(|file| file.called[0]).collect();
    let Checksums::ByName(named) = &**sha256 else {
        if *dataset.source != Source::Cifar10 {
            mistakes.push(
                Draft::error(
                    Mistake::BadChecksums,
                    format!("one checksum for {} files", all.len()),
                )
                .at(at, "each file needs its own")
                .help(format!(
                    "give one for each, as `{{{}: ..., ...}}`; `url` is their folder",
                    all.first().unwrap_or(&"")
                )),
            );
        }
        return;
    };
    for file in dataset.files() {
        if !file.called.iter().any(|name| named.contains_key(*name)) {
            mistakes.push(
                Draft::error(
                    Mistake::BadChecksums,
                    format!("no checksum of {}", file.called.join(" or ")),
                )
                .at(at, "missing here")
                .help(format!("the files are {}", all.join(", "))),
            );
        }
    }
    for (name, sum) in named {
        if !dataset
            .files()
            .any(|file| file.called.contains(&name.as_str()))
        {
            let help = match (name.as_str(), *dataset.source) {
                ("extra_32x32.mat", Source::Svhn) => "add `extra: true`".to_owned(),
                _ => format!("the files are {}", all.join(", ")),
            };
            mistakes.push(
                Draft::error(
                    Mistake::BadChecksums,
                    format!("`{}` does not read {name}", dataset.source.name()),
                )
                .at(sum.span, "not one of its files")
                .help(help),
            );
        }
    }
}

/// More images than a source has. Only what is built in is known to be as it is distributed.
fn counts(dataset: &Spanned<Dataset>, mistakes: &mut Vec<Draft>) {
    let (source, name) = (*dataset.source, dataset.source.name());
    let train = dataset.train.map_or(1, Count::get);
    let (all, wanted, parts) = match source {
        Source::Digits => (
            source.train_images(false),
            [train, dataset.validation, dataset.test_examples()],
            "train + validation + test",
        ),
        _ => (
            source.train_images(*dataset.extra),
            [train, dataset.validation, 0],
            "train + validation",
        ),
    };
    let wanted = wanted.into_iter().fold(0, u64::saturating_add);
    if wanted > all {
        let (draft, help) = if source == Source::Digits || dataset.train.is_none() {
            (
                Draft::error(
                    Mistake::TooManyImages,
                    format!("the parts together have more than the {all} images of `{name}`"),
                ),
                "make a part smaller",
            )
        } else {
            (
                Draft::warning(
                    Mistake::TooManyImages,
                    format!(
                        "the parts together have {wanted} images; `{name}` as it is distributed has {all}"
                    ),
                ),
                "make a part smaller, unless your files have more",
            )
        };
        mistakes.push(draft.at(dataset.key, parts).help(help));
    }
}

/// Warns of files that are not there: a study can be checked and planned without them, and not be run.
pub(crate) fn missing_files(checked: &Checked, sources: &Sources, mistakes: &mut Vec<Draft>) {
    let warning = |path: &Path, span: Span, help: String| {
        Draft::warning(
            Mistake::MissingFile,
            format!("`{}` does not exist", path.display()),
        )
        .at(span, "needed to run the study")
        .help(help)
    };
    for stage in checked.stages.values() {
        let Some(dataset) = stage.stage.dataset() else {
            continue;
        };
        let Some(path) = &dataset.path else {
            continue;
        };
        let missing = dataset
            .places(&sources.of(path.span).folder)
            .into_iter()
            .find_map(|(_, place)| match place {
                Place::Disk(path) if !path.exists() => Some(path),
                _ => None,
            });
        let written = path.span;
        let Some(missing) = missing else {
            continue;
        };
        let given = sources.of(written).folder.join(path.as_str());
        let help = match contents_in_words(&given) {
            Some(there) => format!("{there}; wanted is {}", dataset.source.files_in_words()),
            None => format!(
                "`{}` is at {}; put it there, or give `url:` and `sha256:` instead of `path:`",
                dataset.source.name(),
                dataset.source.home()
            ),
        };
        mistakes.push(warning(&missing, written, help));
    }
    let read = checked.programs.values().flat_map(|program| &program.reads);
    let inputs = read.filter_map(|read| match &read.from {
        From::File(path, span) => Some((path, *span)),
        From::Stage { .. } | From::Runs { .. } => None,
    });
    let trainings = checked.trainings.values();
    let weights = trainings.filter_map(|training| training.initial_weights.as_ref());
    for (path, span) in inputs.chain(weights.map(|(path, span)| (path, *span))) {
        let file = sources.file(path, span);
        if !engine::input_exists(&file) {
            let help = if path.starts_with('~') {
                "`~` is understood by shells only: write the path of the home folder out"
            } else {
                "paths are relative to the folder of the file that names them"
            };
            mistakes.push(warning(&file, span, help.to_owned()));
        }
    }
}
