//! Results are a promise: what the studies in `pipelines/` ask for keeps its keys.
//!
//! Keys also name the contents of inputs, which only a run knows. So what is held here is all the rest of each stage:
//! its kind, its settings, the names of its inputs and where they come from. A line is a stage of a study and says
//! how many stages of the graph it comes to and the digest of those. Where a change means to alter a line, the
//! changelog says why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use engine::{Digest, Graph, Manifest, Source, Stage};
use study::Study;

fn text(graph: &Graph, stage: &Stage) -> String {
    let settings = Manifest::new(
        &stage.kind,
        "golden",
        stage.settings.clone(),
        BTreeMap::new(),
    );
    let mut text = format!("{}\n{}", stage.name, settings.text());
    for binding in &stage.bindings {
        let from = &graph.stage(binding.from).name;
        let _ = writeln!(text, "binding {from} {} {}", binding.output, binding.entry);
    }
    for input in &stage.inputs {
        let source = match &input.source {
            Source::Stage { stage, output } => format!("{} {output}", graph.stage(*stage).name),
            Source::File(path) => path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        };
        let _ = writeln!(text, "input {} {source}", input.name);
    }
    text
}

#[test]
fn the_studies_of_the_repository_keep_their_keys() {
    let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let mut studies: Vec<_> = std::fs::read_dir(&pipelines)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    studies.sort();
    let mut golden = String::new();
    for path in studies {
        let study = Study::load(&path).unwrap();
        let graph = study.expand();
        let _ = writeln!(golden, "{}", path.file_name().unwrap().to_string_lossy());
        for family in study.summary() {
            let stages = graph
                .stages()
                .iter()
                .filter(|stage| stage.family == family.name);
            let texts: Vec<String> = stages.map(|stage| text(&graph, stage)).collect();
            let digest = Digest::of(texts.join("\n").as_bytes());
            let _ = writeln!(golden, "  {} {} {digest}", family.name, texts.len());
        }
    }
    insta::assert_snapshot!(golden);
}
