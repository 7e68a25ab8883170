//! `pipeline doctor --device`: whether a device computes what the CPU does, and how fast.

use std::time::Duration;

use serde_json::{Value, json};
use training::device::trial::{Compared, Trial, UPDATES};
use training::device::{self, missing_feature};

use crate::cli::Doctor;
use crate::commands::counted;
use crate::failure::Usage;
use crate::{DONE, FAILED, Failure, version};

/// Trains every network for a few updates on the CPU and on a device, and prints how far they came apart. The exit code
/// says whether that is further than single precision explains.
pub(super) fn beside_the_cpu(device: &str, arguments: &Doctor) -> Result<u8, Failure> {
    if let Some(feature) = missing_feature(device) {
        let device = device.to_owned();
        return Err(Usage::NotBuiltIn { device, feature }.into());
    }
    let (cpu, cpu_name) = device::open("cpu")?;
    let (device, name) = if device == "cpu" {
        (cpu, cpu_name.clone())
    } else {
        device::open(device)?
    };
    let batch = arguments.batch_size.get();
    let name = match device::part(&device) {
        Some(part) => format!("{name} ({part})"),
        None => name,
    };
    if !arguments.json {
        outln!(
            "pipeline {}, commit {}: {name} beside {cpu_name}, {UPDATES} updates at batch size {batch}",
            version::SHORT,
            version::COMMIT.unwrap_or("unknown"),
        );
        outln!(
            "{:<28}{:>12}{:>13}{:>10}{:>14}{:>14}{:>10}{:>7}{:>9}",
            "",
            "apart by",
            "by rounding",
            "allowed",
            "an update",
            "on the CPU",
            "launches",
            "waits",
            "KB up"
        );
    }
    let mut out_of_line = 0;
    let mut rows = Vec::new();
    for trial in Trial::all() {
        let compared = trial.run(&device, batch)?;
        // Also if it is no number.
        let is_in_line = compared.apart <= compared.allowed;
        out_of_line += usize::from(!is_in_line);
        if arguments.json {
            rows.push(row(&trial, &compared, is_in_line));
        } else {
            let [launches, waits, up] = cost(&compared);
            outln!(
                "{:<28}{:>12.1e}{:>13.1e}{:>10.0e}{:>14}{:>14}{launches:>10}{waits:>7}{up:>9}{}",
                trial.name,
                compared.apart,
                compared.by_rounding,
                compared.allowed,
                milliseconds(compared.update),
                milliseconds(compared.on_cpu),
                if is_in_line { "" } else { "  OUT OF LINE" },
            );
        }
    }
    if arguments.json {
        let object = json!({
            "in_line": out_of_line == 0, "device": name, "cpu": cpu_name,
            "batch_size": batch, "updates": UPDATES, "trials": rows,
        });
        outln!("{}", serde_json::to_string_pretty(&object)?);
    } else {
        outln!(
            "{}",
            match out_of_line {
                0 => "this device computes what the CPU does".to_owned(),
                count => format!("out of line with the CPU: {}", counted(count, "network")),
            }
        );
    }
    Ok(if out_of_line == 0 { DONE } else { FAILED })
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", 1e3 * time.as_secs_f64())
}

/// What an update costs beside computing: launches, waits of the host, and KB to the device. A CPU has none of it.
fn cost(compared: &Compared) -> [String; 3] {
    match compared.launches {
        None => ["-"; 3].map(str::to_owned),
        Some(launches) => [
            launches.to_string(),
            compared.transfers.waits.to_string(),
            format!("{:.1}", compared.transfers.up as f64 / 1e3),
        ],
    }
}

fn row(trial: &Trial, compared: &Compared, is_in_line: bool) -> Value {
    json!({
        "name": trial.name, "apart": compared.apart, "allowed": compared.allowed, "in_line": is_in_line,
        "by_rounding": compared.by_rounding, "update_seconds": compared.update.as_secs_f64(),
        "cpu_update_seconds": compared.on_cpu.as_secs_f64(),
        "launches": compared.launches,
        "waits": compared.launches.map(|_| compared.transfers.waits),
        "bytes_up": compared.launches.map(|_| compared.transfers.up),
    })
}
