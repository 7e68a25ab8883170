//! `pipeline doctor`: what a study would find here, each thing with what it means, for a person and for a bug report.
//!
//! It changes nothing but that a remote is tried out as by a run, and names no user, host or home folder.

mod beside;
mod files;
mod finding;
mod machine;
mod programs;
mod remote;

use serde_json::json;

use crate::cli::{Cli, Doctor};
use crate::commands::counted;
use crate::site::Site;
use crate::{DONE, FAILED, Failure};
use finding::State;

pub(crate) fn doctor(cli: &Cli, arguments: &Doctor) -> Result<u8, Failure> {
    if let Some(device) = &arguments.device {
        return beside::beside_the_cpu(device, arguments);
    }
    let mut findings = vec![machine::program()];
    let site = Site::find(cli, None);
    findings.push(machine::site_file(site.as_ref()));
    let site = match site {
        Ok(site) => site,
        Err(Failure::Mistakes(_)) => Site::without_file(cli),
        Err(failure) => return Err(failure),
    };
    findings.extend(machine::findings(&site));
    findings.extend(files::findings(&site.cache));
    findings.push(remote::finding(&site));
    findings.extend(programs::findings());

    let problems = findings.iter().filter(|it| it.state == State::Problem);
    let problems = problems.count();
    if arguments.json {
        let object = json!({"can_run": problems == 0, "findings": findings});
        outln!("{}", serde_json::to_string_pretty(&object)?);
    } else {
        for finding in &findings {
            outln!("{finding}");
        }
        outln!(
            "{}",
            match problems {
                0 => "a study can run here".to_owned(),
                problems => format!("no study can run here: {}", counted(problems, "problem")),
            }
        );
    }
    Ok(if problems == 0 { DONE } else { FAILED })
}
