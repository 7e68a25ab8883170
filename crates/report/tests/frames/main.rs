//! Tables as data frames, read back by other programs.

#[path = "../sample/mod.rs"]
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use analysis::{
    Curvature, Curve, Evaluation, GradientNoise, Named, Outcome, Record, Run, RunSettings, Updates,
};
use report::frame::{
    Coordinates, Frame, Kind, ParquetWriter, Value, csv_header, csv_rows, heatmap_frames,
    report_frames, targets_frames, to_safetensors, winners_frames,
};
use sample::Study;
use serde_json::json;

/// Runs of two methods, one diverged, with losses that are not finite, an awkward name, and measurements.
fn runs() -> Vec<Run> {
    let mut runs = Vec::new();
    for (method, name, second) in [
        ("kfac", "damping", 1e-3),
        ("kfac", "damping", 1e-2),
        ("sgd", "momentum", 0.9),
    ] {
        for batch in [16, 64] {
            for seed in [0, 7] {
                let diverged = second > 0.5 && batch == 64;
                let last: u64 = if diverged { 39 } else { 300 };
                let evaluations = (0..=last).step_by(13).map(|step| Evaluation {
                    step,
                    examples: step * batch,
                    train_loss: Some(1.0 / (1 + step) as f64),
                    test_accuracy: Some(0.9),
                    ..Evaluation::default()
                });
                let mut settings = json!({"batch_size": batch, "learning_rate": 0.1, "seed": seed,
                    "budget": {"iterations": 300}, "optimizer": {method: {name: second}}});
                let mut label = format!("{method}/batch_size={batch},second={second},seed={seed}");
                if seed == 7 {
                    label = format!("{method}\"<script>,\n ü {batch}/{second}");
                    settings["schedule"] = json!({"constant": {}});
                }
                let record = Record {
                    settings: RunSettings::new(settings).expect("settings"),
                    outcome: if diverged {
                        Outcome::Diverged { step: 40 }
                    } else {
                        Outcome::Finished
                    },
                    train_examples: 12_800,
                    steps_per_epoch: 12_800 / batch,
                    budget_steps: 300,
                    rate_drops: Vec::new(),
                    parameters: 2410,
                    curve: Curve {
                        updates: Updates::of_every_step(
                            (0..last)
                                .map(|step| if step % 7 == 3 { f32::INFINITY } else { 1.0 })
                                .collect(),
                            vec![0.1; last as usize],
                        ),
                        evaluations: evaluations.collect(),
                        curvature: vec![Curvature {
                            step: 3,
                            median: 1e-4,
                            largest: 2.0,
                        }],
                        noise: vec![GradientNoise {
                            step: 5,
                            trace: 8.0,
                            gradient: -1.0,
                        }],
                    },
                };
                runs.push(Run {
                    stage: method.to_owned(),
                    label,
                    record,
                });
            }
        }
    }
    runs
}

fn frames(runs: &[Run]) -> Vec<Frame> {
    let table = Study::quick().table();
    let coordinates = Coordinates::new(runs);
    let mut frames = vec![coordinates.runs(runs), coordinates.evaluations(runs)];
    frames.push(coordinates.losses(runs));
    frames.extend(coordinates.measurements(runs));
    frames.extend(targets_frames(&table.targets));
    frames.extend(winners_frames(&table.winners));
    frames.extend(heatmap_frames(&table.heatmaps));
    let stage = "report".into();
    frames.extend(report_frames(&[Named { stage, table }]));
    frames
}

fn column<'a>(frame: &'a Frame, name: &str) -> &'a [Value] {
    let column = frame.columns.iter().find(|column| column.name == name);
    &column.expect("the column").values
}

#[test]
fn every_row_of_a_run_has_its_coordinates() {
    let runs = runs();
    let coordinates = Coordinates::new(&runs);
    let evaluations = coordinates.evaluations(&runs);
    assert_eq!(
        evaluations.rows(),
        runs.iter()
            .map(|run| run.curve.evaluations.len())
            .sum::<usize>()
    );
    let mut row = 0;
    for run in &runs {
        for evaluation in &run.curve.evaluations {
            assert_eq!(column(&evaluations, "run")[row], Value::from(&run.label));
            assert_eq!(column(&evaluations, "seed")[row], run.seed().into());
            let damping = run.parameter("damping").and_then(serde_json::Value::as_f64);
            assert_eq!(column(&evaluations, "damping")[row], damping.into());
            assert_eq!(column(&evaluations, "step")[row], evaluation.step.into());
            assert_eq!(
                column(&evaluations, "test_accuracy")[row],
                evaluation.test_accuracy.into()
            );
            assert_eq!(column(&evaluations, "test_loss")[row], Value::Null);
            row += 1;
        }
    }
    let frame = coordinates.runs(&runs);
    assert_eq!(
        column(&frame, "settings.optimizer.sgd.momentum")[0],
        Value::Null
    );
    assert_eq!(column(&frame, "outcome").last(), Some(&"diverged".into()));
    assert_eq!(column(&frame, "outcome_step").last(), Some(&40u64.into()));
}

#[test]
fn losses_have_a_row_an_update_and_columns_even_without_runs() {
    let runs = runs();
    let coordinates = Coordinates::new(&runs);
    let frame = coordinates.losses(&runs[..2]);
    assert_eq!(
        frame.rows(),
        runs[0].curve.updates.len() + runs[1].curve.updates.len()
    );
    assert_eq!(column(&frame, "step")[..2], [1u64.into(), 2u64.into()]);
    assert_eq!(column(&frame, "loss")[2], Value::from(1.0f32));
    assert!(matches!(column(&frame, "loss")[3], Value::Single(loss) if loss.is_nan()));
    let none = coordinates.losses(&[]);
    assert_eq!((none.rows(), none.columns.len()), (0, frame.columns.len()));
}

/// A frame with every kind of field, null and not, few and many distinct values, runs and none.
fn awkward() -> Frame {
    let columns = [
        ("text", Kind::Text),
        ("whole", Kind::Integer),
        ("single", Kind::Single),
        ("number", Kind::Number),
        ("flag", Kind::Flag),
        ("always", Kind::Flag),
        ("distinct", Kind::Integer),
        ("nothing", Kind::Number),
        ("text", Kind::Text),
    ];
    let mut frame = Frame::new(
        "awkward",
        columns.map(|(name, kind)| (name.to_owned(), kind)),
    );
    let texts = ["a", "", "NA", "ü\u{202e}\"'<b>,", "two\nlines", "a"];
    for i in 0..1003u64 {
        let often = |value: Value| if i % 5 == 3 { Value::Null } else { value };
        frame.push([
            often(texts[i as usize * 7 / 300 % 6].into()),
            often((i / 50).into()),
            (if i == 9 { f32::NAN } else { 0.1 * i as f32 }).into(),
            often(
                (if i % 11 == 0 {
                    f64::NAN
                } else {
                    1e-300 * i as f64
                })
                .into(),
            ),
            often((i % 3 == 0).into()),
            (i > 500).into(),
            ((1 << 62) + i).into(),
            Value::Null,
            format!("row {i}").into(),
        ]);
    }
    frame
}

fn truth(frame: &Frame) -> serde_json::Value {
    let field = |value: &Value| match value {
        Value::Null => json!(null),
        Value::Text(text) => json!(text.as_ref()),
        Value::Integer(number) => json!(number),
        Value::Single(number) if number.is_nan() => json!("NaN"),
        Value::Single(number) => json!(f64::from(*number)),
        Value::Number(number) if number.is_nan() => json!("NaN"),
        Value::Number(number) => json!(number),
        Value::Flag(flag) => json!(flag),
    };
    let rows: Vec<Vec<serde_json::Value>> = (0..frame.rows())
        .map(|row| {
            frame
                .columns
                .iter()
                .map(|column| field(&column.values[row]))
                .collect()
        })
        .collect();
    let columns: Vec<(String, String)> = frame
        .columns
        .iter()
        .map(|column| (column.name.clone(), format!("{:?}", column.kind)))
        .collect();
    json!({"columns": columns, "rows": rows})
}

/// A frame in two, for two row groups.
fn halves(frame: &Frame) -> [Frame; 2] {
    let half = frame.rows() / 2;
    let (mut first, mut second) = (frame.clone(), frame.clone());
    for (first, second) in first.columns.iter_mut().zip(&mut second.columns) {
        first.values.truncate(half);
        second.values.drain(..half);
    }
    [first, second]
}

/// The first of `$PYTHON` and `python3` that imports what reads frames.
fn python() -> Option<PathBuf> {
    let candidates = std::env::var_os("PYTHON")
        .into_iter()
        .chain(["python3".into()]);
    candidates.map(PathBuf::from).find(|python| {
        Command::new(python)
            .args(["-c", "import pandas, polars, pyarrow, safetensors, numpy"])
            .output()
            .is_ok_and(|output| output.status.success())
    })
}

#[test]
fn pandas_polars_and_pyarrow_read_every_frame_field_by_field() {
    let Some(python) = python() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI has a python that reads frames"
        );
        eprintln!(
            "skipped: no python3 (or $PYTHON) that imports pandas, polars, pyarrow and safetensors"
        );
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("frames");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let mut all = frames(&runs());
    all.push(awkward());
    for frame in &all {
        let write = |end: &str, bytes: &[u8]| {
            fs::write(folder.join(format!("{}.{end}", frame.name)), bytes).expect("written");
        };
        write("json", truth(frame).to_string().as_bytes());
        write("csv", (csv_header(frame) + &csv_rows(frame)).as_bytes());
        let (mut writer, mut bytes) = ParquetWriter::new(frame);
        for chunk in halves(frame) {
            bytes.extend(writer.rows(&chunk).expect("written"));
        }
        bytes.extend(writer.finish());
        write("parquet", &bytes);
        let arrays = to_safetensors(frame).expect("written");
        assert_eq!(to_safetensors(frame), Ok(arrays.clone()), "the same bytes");
        write("safetensors", &arrays);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frames/frames.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&folder)
        .output()
        .expect("python runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
