//! Files of a cache that others write to, too. A fuzz target, and the tests of `engine` replay its corpus: whatever
//! lies there, everything that reads a cache gives an answer or an error.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use engine::{
    CheckpointName, Digest, Execution, Graph, Kinds, Manifest, Policy, Stage, Store, manifest,
};
use serde_json::{Map, json};

/// What the file is, by the first byte: its name in the store, and what it is sealed as.
fn places(key: Digest, data: &Path) -> [(String, &'static str); 8] {
    let spread = |name: Digest| {
        let name = name.to_string();
        format!("{}/{name}", &name[..2])
    };
    let file = Digest::of(data.as_os_str().as_encoded_bytes());
    let checkpoint = Digest::of(b"checkpoint");
    [
        (format!("ac/{}/1", spread(key)), "record"),
        (format!("fail/{}/1", spread(key)), "failure"),
        ("run/study/last".to_owned(), "index"),
        ("run/study/2026-03-01T120000.000000001-1".to_owned(), ""),
        ("pin/name".to_owned(), "pin"),
        (format!("ckpt/{}/3-{checkpoint}", spread(key)), "state"),
        (format!("file/{}", spread(file)), "file"),
        (format!("void/{}/1", spread(key)), "void"),
    ]
}

/// Checksums are made right, or nothing but them would be tried.
fn seal(kind: &str, body: &[u8]) -> Vec<u8> {
    if kind.is_empty() {
        let mut journal = Vec::new();
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            journal.extend_from_slice(&Digest::of(line).to_string().as_bytes()[..16]);
            journal.extend_from_slice(&[b" ", line, b"\n"].concat());
        }
        return journal;
    }
    let what = format!("pipeline {kind} 1\n").into_bytes();
    let sum = Digest::of(&[&what, body].concat());
    [format!("pipeline {kind} 1 {sum}\n").as_bytes(), body].concat()
}

struct Lab {
    folder: PathBuf,
    store: Store,
    graph: Graph,
}

fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("fuzz-cache-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let folder = fs::canonicalize(folder).expect("it is there");
        fs::write(folder.join("data"), "data").expect("the temporary folder can be written");
        let mut settings = Map::new();
        settings.insert("a".to_owned(), json!(1));
        let mut graph = Graph::new();
        let stage = Stage {
            name: "stage".to_owned(),
            family: "stage".to_owned(),
            coordinates: Vec::new(),
            kind: "kind".to_owned(),
            settings,
            bindings: Vec::new(),
            inputs: Vec::new(),
            execution: Execution::default(),
        };
        graph.add(stage).expect("one stage");
        let store = Store::open(&folder.join("cache")).expect("a cache");
        Lab {
            folder,
            store,
            graph,
        }
    })
}

/// A file of a cache, after a byte that says which.
pub(crate) fn cache(bytes: &[u8]) {
    let Some((&which, body)) = bytes.split_first() else {
        return;
    };
    let lab = lab();
    let store = &lab.store;
    let kinds = Kinds::new().with("kind", "1");
    let text = "pipeline manifest 1\nkind: kind\ncode: 1\na: 1\n";
    let key = manifest::key(text);
    let data = lab.folder.join("data");
    let places = places(key, &data);
    let (place, kind) = &places[usize::from(which) % places.len()];
    let path = lab.folder.join("cache/v1").join(place);
    fs::create_dir_all(path.parent().expect("a folder")).expect("it can be written");
    // `@` stands for the key of the stage.
    let key_text = key.to_string();
    let letters = body.iter().map(|byte| match byte {
        b'@' => key_text.as_bytes(),
        byte => std::slice::from_ref(byte),
    });
    let body: Vec<u8> = letters.flatten().copied().collect();
    let file = if which & 0x80 == 0 {
        seal(kind, &body)
    } else {
        body
    };
    fs::write(&path, file).expect("it can be written");
    if let Ok(plan) = engine::plan(&lab.graph, store, &kinds, "study") {
        assert_eq!(plan.stages()[0].key, Some(key));
    }
    if let Ok(found) = store.lookup(key)
        && let Some(record) = found.record
    {
        drop(Manifest::parse(&record.manifest));
        drop(manifest::diff(&record.manifest, text));
        drop(manifest::diff(text, &record.manifest));
        for blob in record.outputs.values() {
            drop((store.holds(blob), store.read(blob.digest)));
        }
    }
    drop(store.failures(key));
    drop(store.pins());
    if let Ok(runs) = store.runs() {
        assert!(runs.iter().all(|run| !run.alive));
    }
    let policy = Policy {
        max_bytes: Some(0),
        checkpoints: true,
        ..Policy::default()
    };
    drop((store.usage(), store.studies(), store.gc(&policy, false)));
    assert_eq!(
        store.digest_file(&data).expect("an input"),
        Digest::of(b"data")
    );
    let checkpoint = CheckpointName {
        root: key,
        step: 3,
        key: Digest::of(b"checkpoint"),
    };
    drop(store.read_checkpoint(checkpoint));
    // Sets aside what is damaged.
    drop(store.verify_all(1));
    fs::remove_dir_all(lab.folder.join("cache/v1")).expect("it can be emptied");
    fs::create_dir_all(lab.folder.join("cache/v1")).expect("it can be written");
}
