//! The site file: what it says, and what a person sees of its mistakes.

mod shown;

use std::fs;
use std::path::PathBuf;

use study::{Device, JobsPerGpu, Memory, Site};

/// A site file with this text, in a folder of its own.
fn load(text: &str) -> (PathBuf, Result<Site, study::Diagnostics>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.yaml");
    fs::write(&path, text).unwrap();
    (folder.path().to_owned(), Site::load(&path))
}

#[test]
fn it_says_where_and_how_to_run() {
    let (folder, site) = load(
        "jobs: 4\nthreads: 2\ndevice: cuda\ngpus: [0, GPU-5c3a]\ncache: { path: ../cache } # shared\n",
    );
    let site = site.unwrap();
    assert_eq!((site.jobs, site.threads), (Some(4), Some(2)));
    assert_eq!(site.device, Some(Device::Cuda));
    assert_eq!(site.gpus, ["0", "GPU-5c3a"]);
    assert_eq!(
        site.cache,
        Some(folder.join("../cache")),
        "as the file's folder has it"
    );
    assert!(site.text.contains("# shared"));
}

#[test]
fn memory_and_the_jobs_of_a_gpu_are_numbers_or_words() {
    let memory = |text: &str| load(&format!("memory: {text}")).1.unwrap().memory;
    for (text, memory_of) in [
        ("24 GiB", Memory::Bytes(24 << 30)),
        ("4096", Memory::Bytes(4096)),
        ("unlimited", Memory::Unlimited),
    ] {
        assert_eq!(memory(text), Some(memory_of), "{text}");
    }
    let jobs = |text: &str| {
        load(&format!("jobs_per_gpu: {text}"))
            .1
            .unwrap()
            .jobs_per_gpu
    };
    assert_eq!(jobs("auto"), Some(JobsPerGpu::Auto));
    assert_eq!(jobs("3"), Some(JobsPerGpu::Count(3)));
    let (folder, site) = load("memory: none\njobs_per_gpu: 0\n");
    let seen = shown::page(&site.unwrap_err());
    insta::assert_snapshot!(seen.replace(&folder.display().to_string(), "FOLDER"));
    assert!(load("memory: [1]").1.is_err() && load("jobs_per_gpu: 1.5").1.is_err());
}

#[test]
fn it_may_leave_everything_out() {
    for text in ["", "# nothing yet\n", "{}\n", "cache:\n"] {
        let site = load(text).1.unwrap();
        assert_eq!((site.jobs, site.threads, site.device), (None, None, None));
        assert_eq!((site.gpus.len(), site.cache), (0, None), "{text}");
    }
}

#[test]
fn the_space_of_checkpoints_is_a_size_with_its_unit() {
    let space = |text: &str| load(&format!("checkpoints: {{ space: {text} }}")).1;
    for (text, bytes) in [("20G", 20 << 30), ("1.5 MiB", 3 << 19), ("4096", 4096)] {
        assert_eq!(
            space(text).unwrap().checkpoints.space,
            Some(bytes),
            "{text}"
        );
    }
    let (folder, site) = load("checkpoints:\n  space: 20X\n  every: -1\n");
    let seen = shown::page(&site.unwrap_err());
    insta::assert_snapshot!(seen.replace(&folder.display().to_string(), "FOLDER"));
    assert!(space("[20G]").is_err() && space("1.5").is_err());
}

#[test]
fn seconds_and_sizes_say_in_what_they_are() {
    for (text, told) in [
        (
            "every: 5m",
            "`every`: expected a number of seconds, 0 or more, found the text `5m`",
        ),
        (
            "worth: -1",
            "`worth`: expected a number of seconds, 0 or more, found the number -1",
        ),
        (
            "space: 1.5",
            "`space`: expected a size with its unit, such as `50G`, found the number 1.5",
        ),
    ] {
        let (_, site) = load(&format!("checkpoints: {{ {text} }}"));
        let mistakes = site.unwrap_err();
        let first = mistakes.iter().next().map(study::Diagnostic::message);
        assert_eq!(first, Some(told));
    }
    let (_, site) = load("checkpoints: { every: 1e300 }");
    assert_eq!(
        site.unwrap().checkpoints.every,
        Some(std::time::Duration::MAX)
    );
}

#[test]
fn an_absolute_cache_is_where_it_says() {
    let site = load("cache: { path: /data/cache }\n").1.unwrap();
    assert_eq!(site.cache, Some(PathBuf::from("/data/cache")));
}

#[test]
fn every_mistake_in_it_is_shown_at_once() {
    let (folder, site) = load(
        "job: 4\nthreads: 0\ndevice: cdua\ngpus: [\"0,1\", -1]\ncache: { pth: here }\njobs: many\njobs: 2\n",
    );
    let seen = shown::page(&site.unwrap_err());
    insta::assert_snapshot!(seen.replace(&folder.display().to_string(), "FOLDER"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Site::load(&PathBuf::from("no/such/site.yaml")).unwrap_err();
    let first = error.iter().next().unwrap().message().to_owned();
    assert_eq!(
        first,
        "cannot read no/such/site.yaml: No such file or directory (os error 2)"
    );
}

#[test]
fn the_schema_takes_no_other_key() {
    let schema = study::site_json_schema();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$defs"]["Cache"]["additionalProperties"], false);
    assert!(schema.get("required").is_none());
    let device = schema["$defs"]["Device"].to_string();
    for one in Device::ALL {
        assert!(device.contains(&format!("\"{}\"", one.name())), "{device}");
    }
}
