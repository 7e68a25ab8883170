use serde_json::{Value, json};

use super::*;

const PACE: Pace = Pace {
    batch_size: 10,
    steps_per_epoch: 10,
    train_examples: 100,
};

fn file(settings: Value) -> File {
    serde_json::from_value(settings).expect("settings")
}

fn read(settings: Value, text: &str) -> Result<Rows, String> {
    let mut rows = Rows::new();
    let read = file(settings).read(text.as_bytes(), PACE, &mut rows);
    read.map(|()| rows).map_err(|error| error.to_string())
}

fn plain(text: &str) -> Result<Rows, String> {
    read(json!({"path": "c"}), text)
}

fn refused(text: &str) -> String {
    plain(text).expect_err("no curve")
}

/// Rows as text, which tells NaN from NaN.
fn shown(rows: &Rows) -> String {
    format!("{rows:?}")
}

#[test]
fn separators_and_decimal_commas_are_taken_as_they_come() {
    let wanted = plain("step,loss,train_loss\n1,0.5,\n2,0.25,1.5\n");
    for text in [
        "step;loss;train_loss\n1;0,5;\n2;0,25;1,5\n",
        "step\tloss\ttrain_loss\n1\t0.5\t\n2\t0.25\t1.5\n",
        "\u{feff}step,loss,train_loss\r\n1,0.5,\r\n2,0.25,1.5\r\n",
        "\"step\", \"loss\" ,train_loss\n\n1,\"0.5\",null\n2,0.25,1.5",
        "{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2, \"loss\": 0.25, \"train_loss\": 1.5}\n",
        "[{\"step\": 1, \"loss\": 0.5},\n {\"step\": 2, \"loss\": 0.25, \"train_loss\": \"1.5\"}]",
    ] {
        assert_eq!(plain(text), wanted, "{text}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_the_same_in_every_format() {
    for (cell, json) in [
        ("1e400", "1e400"),
        ("inf", "Infinity"),
        ("-inf", "-Infinity"),
        ("nan", "NaN"),
        ("NaN", "\"nan\""),
        ("", "null"),
        ("Infinity", "\"Infinity\""),
    ] {
        let csv = plain(&format!("step,loss,train_loss\n1,{cell},2\n")).expect("a curve");
        let lines = plain(&format!(
            "{{\"step\": 1, \"loss\": {json}, \"train_loss\": 2}}"
        ));
        assert_eq!(shown(&csv), shown(&lines.expect("a curve")), "{cell}");
    }
}

#[test]
fn a_column_or_key_that_is_there_twice_is_refused() {
    assert!(
        refused("step,train_loss,train_loss\n0,1,2\n")
            .contains("line 1: more than one column is called `train_loss`")
    );
    assert!(
        refused("{\"step\": 0}\n{\"train_loss\": 1, \"step\": 0, \"train_loss\": 2}")
            .contains("line 2: `train_loss` twice in one record")
    );
    assert!(
        refused("step,train_loss\n1,1\n1,2\n")
            .contains("line 3: `train_loss` of step 1 for the second time")
    );
}

#[test]
fn a_file_that_two_runs_wrote_to_is_told_by_its_second_header() {
    let said = refused("step,train_loss\n0,1\n1,0.5\nstep,train_loss\n0,1\n");
    assert!(
        said.contains("line 4: the header again: two runs wrote to one file"),
        "{said}"
    );
    assert!(
        refused("0,1\n1,0.5\n")
            .contains("line 1: `0` stands where the first line names the columns")
    );
    assert!(refused("step train_loss\n0 1\n").contains("separate columns by commas"));
}

#[test]
fn every_unknown_column_is_named_at_once_and_can_be_left_out_or_explained() {
    let text = "epoch,step,train_loss,val_loss,time_s\n0,10,,1.5,\"1,5 s\"\n0,10,2.0,,\n";
    let said = refused(text);
    assert!(
        said.contains("not known: `epoch`, `time_s`, `val_loss`"),
        "{said}"
    );
    assert!(
        said.contains("`ignore: [epoch, time_s, val_loss]`"),
        "{said}"
    );
    let settings = json!({"path": "c", "columns": {"validation_loss": "val_loss"}, "ignore": ["epoch", "time_*"]});
    let rows = read(settings, text).expect("a curve");
    assert_eq!(
        rows,
        plain("step,train_loss,validation_loss\n10,2,1.5\n").expect("a curve")
    );
    let settings =
        json!({"path": "c", "columns": {"validation_loss": "valid_loss"}, "ignore": ["*"]});
    let said = read(settings, text).expect_err("no such column");
    assert!(
        said.contains("no column `valid_loss`, which `columns` names; it has `epoch`, `step`"),
        "{said}"
    );
}

#[test]
fn a_column_that_the_file_does_not_have_is_not_read_from_another_of_its_name() {
    let text = "step,loss\n1,0.5\n";
    let both = json!({"path": "c", "columns": {"train_loss": "loss"}});
    let wanted = plain("step,loss,train_loss\n1,0.5,0.5\n");
    assert_eq!(read(both, text), wanted);
    let one = json!({"path": "c", "columns": {"train_loss": "loss", "loss": null}});
    assert_eq!(read(one, text), plain("step,train_loss\n1,0.5\n"));
}

#[test]
fn steps_may_be_counted_in_epochs_examples_and_tokens_and_from_0() {
    let steps = |settings: Value, text: &str| -> Vec<u64> {
        let rows = read(settings, text).unwrap_or_else(|error| panic!("{error}"));
        rows.into_keys().collect()
    };
    let epochs = json!({"path": "c", "columns": {"step": "epoch"}, "counted_in": "epochs", "counted_from": 0});
    assert_eq!(steps(epochs, "epoch,train_loss\n0,1\n1,0.5\n"), [10, 20]);
    let epochs = json!({"path": "c", "columns": {"step": "epoch"}, "counted_in": "epochs"});
    assert_eq!(
        steps(epochs, "epoch,train_loss\n0,1\n0.33,0.5\n1,0.2\n"),
        [0, 3, 10]
    );
    let examples = json!({"path": "c", "counted_in": "examples"});
    assert_eq!(steps(examples, "step,train_loss\n0,1\n50,0.5\n"), [0, 5]);
    let tokens = json!({"path": "c", "counted_in": "tokens", "tokens_per_example": 1024});
    assert_eq!(steps(tokens, "step,train_loss\n102400,0.5\n"), [10]);
    let from_0 = json!({"path": "c", "counted_from": 0});
    assert_eq!(
        steps(from_0, "step,loss,train_loss\n0,1,\n9,1,0.5\n"),
        [1, 10]
    );
    assert!(refused("step,loss\n0,1\n").contains("`counted_from: 0`"));
    assert!(
        refused("step,train_loss\n0.5,1\n")
            .contains("0.5 is not a step, under `step`; where it counts epochs")
    );
}

#[test]
fn a_last_batch_that_is_kept_is_a_step_of_fewer_examples() {
    let pace = Pace {
        steps_per_epoch: 11,
        train_examples: 101,
        ..PACE
    };
    assert_eq!(
        [0, 10, 11, 12, 22].map(|step| pace.examples(step)),
        [0, 100, 101, 111, 202]
    );
    assert_eq!(
        [0.0, 100.0, 101.0, 111.0, 202.0].map(|seen| pace.step_of(seen) as u64),
        [0, 10, 11, 12, 22]
    );
}

#[test]
fn an_accuracy_is_a_fraction_or_said_to_be_a_percentage() {
    let accuracy = |settings: Value, cell: &str| {
        let rows = read(settings, &format!("step,test_accuracy\n1,{cell}\n"))?;
        Ok::<f64, String>(rows[&1]["test_accuracy"])
    };
    assert_eq!(accuracy(json!({"path": "c"}), "1.0000001"), Ok(1.0));
    assert_eq!(accuracy(json!({"path": "c"}), "-1e-8"), Ok(0.0));
    assert_eq!(
        accuracy(json!({"path": "c", "percent": true}), "93.5"),
        Ok(0.935)
    );
    let said = accuracy(json!({"path": "c"}), "93.5").expect_err("no fraction");
    assert!(
        said.contains(
            "93.5 cannot be a value of `test_accuracy`, a fraction; where the file has percentages"
        ),
        "{said}"
    );
}

#[test]
fn what_is_no_text_of_records_is_said_as_such() {
    let said = |bytes: &[u8]| {
        let read = file(json!({"path": "c"})).read(bytes, PACE, &mut Rows::new());
        read.expect_err("no curve").to_string()
    };
    assert!(said(b"step,loss\n1,\xff\n").contains("line 2 is not UTF-8"));
    assert!(said(b" \n").contains("it is empty"));
    for (text, message) in [
        ("{\"step\": 1\n", "line 2: the file ends where JSON has `}`"),
        (
            "{\"step\": 1, \"loss\": tensor(2)}",
            "line 1: `t` stands where JSON has a value",
        ),
        (
            "{\"step\": 1}\n{\"step\" 2}",
            "line 2: `2` stands where JSON has `:`",
        ),
        ("[1, 2]", "line 1: `1` is not a record"),
        ("{\"a", "a text is not closed"),
    ] {
        let said = refused(text);
        assert!(said.contains(message), "{text}: {said}");
    }
    assert!(refused(&"[".repeat(1000)).contains("nested more than 32 deep"));
    assert!(refused("step,loss\n1,2,3\n").contains("line 2: 3 cells under 2 columns"));
    assert!(refused("step,loss\n1,tensor(2.3)\n").contains("`loss.item()`"));
    assert!(refused("step,loss\n,1\n").contains("line 2: no `step` beside `loss`"));
}

#[test]
fn a_log_of_hugging_face_is_its_history_without_its_summary() {
    let text = r#"{"best_metric": null, "global_step": 20, "log_history": [
      {"epoch": 1.0, "grad_norm": 2.5, "learning_rate": 0.05, "loss": 2.0, "step": 10},
      {"epoch": 1.0, "eval_loss": 1.5, "eval_accuracy": 0.5, "eval_runtime": 0.1, "step": 10},
      {"epoch": 2.0, "train_runtime": 1.0, "train_loss": 1.75, "total_flos": 0.0, "step": 20}]}"#;
    let settings = json!({"path": "trainer_state.json", "ignore": ["epoch", "grad_norm", "eval_runtime"],
        "columns": {"validation_loss": "eval_loss", "validation_accuracy": "eval_accuracy"}});
    let rows = read(settings, text).expect("a curve");
    let wanted =
        "step,loss,learning_rate,validation_loss,validation_accuracy\n10,2.0,0.05,1.5,0.5\n";
    assert_eq!(rows, plain(wanted).expect("a curve"));
}

#[test]
fn what_spreadsheets_and_data_frames_add_is_passed_over() {
    let wanted = plain("step,train_loss\n1,1.5\n2,0.5\n");
    for text in [
        // pandas' index, and commas at the ends of lines.
        ",step,train_loss\n0,1,1.5\n1,2,0.5\n",
        "step,train_loss,\n1,1.5,\n2,0.5,\n",
        ",step,,train_loss,\n0,1,x,1.5,\n1,2,y,0.5,\n",
        "sep=;\nstep;train_loss\n1;1,5\n2;0,5\n",
        "sep=,\r\nstep,train_loss\r\n1,1.5\r\n2,0.5\r\n",
        "# step,train_loss\n1,1.5\n2,0.5\n",
    ] {
        assert_eq!(plain(text), wanted, "{text}");
    }
    let frame = "\u{feff}step,train_loss\n1,1.5\n2,0.5\n".encode_utf16();
    let bytes: Vec<u8> = frame.flat_map(u16::to_le_bytes).collect();
    let mut rows = Rows::new();
    let read = file(json!({"path": "c"})).read(&bytes, PACE, &mut rows);
    assert_eq!(read.map(|()| rows).ok(), wanted.ok());
}

#[test]
fn a_file_of_mlflow_has_the_columns_that_its_documentation_names() {
    let text = "1700000000000 2.5 0\n1700000001000 NaN 10\n1700000001500 0.5 20\n";
    let settings =
        json!({"path": "c", "columns": {"validation_loss": "value"}, "ignore": ["timestamp"]});
    let rows = read(settings, text).expect("a curve");
    let losses: Vec<_> = rows.values().map(|row| row["validation_loss"]).collect();
    assert_eq!(rows.keys().collect::<Vec<_>>(), [&0, &10, &20]);
    assert_eq!(format!("{losses:?}"), "[2.5, NaN, 0.5]");
    assert!(refused(text).contains("`timestamp`, `value`"));
}
