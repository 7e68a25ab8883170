//! What stages are said to take of the memory.

use super::*;

/// Stages of several sizes.
const SIZES: &str = "study: s
stages:
  digits: { dataset: { source: digits, test: 300 } }
  a:
    train: { dataset: digits, optimizer: { sgd: {} }, learning_rate: 0.1, budget: { iterations: 10 } }
    sweep:
      model: [resnet20, resnet32]
      batch_size: [64, 128, 1024]
      seed: [0, 1]
  best: { select: { runs: [a], by: test_accuracy, per: [method, batch_size] } }
  again: { train: { configuration: best }, sweep: { seed: [7] } }
  program:
    command: { run: 'true', outputs: { a: a } }
    execution: { memory: 3G }
  other:
    command: { run: 'true', outputs: { a: a } }
";

fn memory(graph: &Graph, name: &str) -> u64 {
    let id = graph.find(name).unwrap_or_else(|| panic!("{name}"));
    graph.stage(id).execution.memory
}

#[test]
fn each_run_has_its_own_a_winner_that_of_the_largest_that_may_win_and_what_is_said_counts() {
    let study = Study::parse("s.yaml", SIZES).unwrap();
    let graph = study.expand();
    let run = |batch: u64, model: &str| {
        let of = |seed| {
            memory(
                &graph,
                &format!("a/batch_size={batch},model={model},seed={seed}"),
            )
        };
        assert_eq!(of(0), of(1));
        of(0)
    };
    let small = run(64, "resnet20");
    assert!(small > 25 << 20, "{small}");
    // The evaluation outweighs the smaller batches.
    assert!(run(1024, "resnet20") > 2 * run(128, "resnet20"));
    assert!(run(1024, "resnet32") > run(1024, "resnet20"));
    for batch in [64, 1024] {
        let again = memory(
            &graph,
            &format!("again/batch_size={batch},method=sgd,seed=7"),
        );
        assert_eq!(again, run(batch, "resnet32"));
    }
    assert_eq!(memory(&graph, "program"), 3 << 30);
    for unknown in ["digits", "best", "other"] {
        assert_eq!(memory(&graph, unknown), 0, "{unknown}");
    }
    let said = SIZES.replace(
        "    sweep:\n      model",
        "    execution: { memory: 1.5 GiB }\n    sweep:\n      model",
    );
    let said = Study::parse("s.yaml", &said).unwrap().expand();
    let name = "a/batch_size=64,model=resnet32,seed=0";
    assert_eq!(memory(&said, name), 3 << 29);
    let settings = |graph: &Graph| graph.stage(graph.find(name).unwrap()).settings.clone();
    assert_eq!(settings(&said), settings(&graph), "it is no part of a key");
}
