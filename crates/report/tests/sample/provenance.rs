//! Provenance of the made-up study.

use report::{
    DataSet, Provenance, Share, SiteFile, StageCounts, StageGraph, StageKeys, StageNode, StageTime,
    TrainingTime,
};

/// Provenance as a run on a laptop has it.
pub(crate) fn provenance() -> Provenance {
    let node = |name: &str, kind: &str, count| StageNode {
        name: name.into(),
        kind: kind.into(),
        count,
    };
    Provenance {
        version: "0.1.0".into(),
        commit: Some("4f2c1d9".into()),
        command: "pipeline run pipelines/quickstart.yaml".into(),
        machines: vec![Share { name: "laptop, 2 cores, Linux 6.1".into(), stages: 261 }],
        devices: vec![Share { name: "CPU (flex)".into(), stages: 250 }],
        threads: Some(1),
        jobs: Some(2),
        started: "2026-03-02 14:05:11 UTC".into(),
        finished: "2026-03-02 14:05:49 UTC".into(),
        elapsed_seconds: 38.2,
        compute_seconds: 71.9,
        stages: StageCounts { ran: 261, cached: 0, failed: 0 },
        slowest: vec![
            StageTime { stage: "kfac/batch_size=16,damping=0.001,learning_rate=0.03,seed=0".into(), seconds: 1.92 },
            StageTime { stage: "sgd/batch_size=16,learning_rate=0.1,momentum=0.9,seed=0".into(), seconds: 0.81 },
        ],
        training: vec![
            TrainingTime { method: "kfac".into(), batch_size: 16, runs: 16, steps: 15_360, seconds: 21.4 },
            TrainingTime { method: "sgd".into(), batch_size: 16, runs: 16, steps: 15_360, seconds: 6.1 },
        ],
        keys: vec![StageKeys {
            stage: "kfac".into(),
            kind: "train".into(),
            keys: vec!["5c3a9f0e7d41b2c86a5d3e90f17b42c85c3a9f0e7d41b2c86a5d3e90f17b42c8".into(); 3],
        }],
        data: vec![DataSet {
            name: "digits".into(),
            digest: "9b1d6f0a3c5e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708".into(),
        }],
        study_file: "quickstart.yaml".into(),
        study_text: "study: quickstart\nstages:\n  digits:\n    dataset: { source: digits }\n  kfac:\n    train:\n      dataset: digits\n      model: { mlp: { hidden: [32] } }\n".into(),
        site: Some(SiteFile { path: "site.yaml".into(), text: "jobs: 2\ndevice: cpu\n".into() }),
        graph: StageGraph {
            nodes: vec![
                node("digits", "dataset", 1),
                node("kfac", "train", 80),
                node("sgd", "train", 80),
                node("kfac-iterations", "train", 40),
                node("winners", "select", 1),
                node("confirmed", "train", 50),
                node("targets", "steps_to_target", 1),
                node("sensitivity", "heatmap", 1),
                node("report", "report", 1),
            ],
            edges: vec![(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (0, 5), (4, 5), (5, 6), (1, 7), (2, 7), (3, 7), (6, 8), (7, 8), (4, 8)],
        },
    }
}

/// The same with so many points of one sweep.
pub(crate) fn provenance_of(points: usize) -> Provenance {
    let mut provenance = provenance();
    provenance.keys[0].keys = (0..points)
        .map(|point| {
            format!(
                "{:064x}",
                0x9E37_79B9_7F4A_7C15_u128.wrapping_mul((point as u128 + 1).pow(4))
            )
        })
        .collect();
    provenance
}
