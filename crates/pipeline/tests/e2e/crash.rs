//! Killed at any moment, a study completes to what an undisturbed run gives.

use std::process::Stdio;
use std::time::Duration;

use crate::lab::{Lab, TINY};

#[test]
fn after_kill_the_next_run_completes_to_the_same_page() {
    let undisturbed = Lab::new(TINY);
    undisturbed.run();

    let lab = Lab::new(TINY);
    let mut kills = 0;
    for milliseconds in [30, 60, 120, 250, 400] {
        let mut engine = lab
            .command(&["run", "study.yaml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        std::thread::sleep(Duration::from_millis(milliseconds));
        if engine
            .try_wait()
            .expect("the process can be asked")
            .is_none()
        {
            engine.kill().expect("SIGKILL");
            kills += 1;
        }
        engine.wait().expect("the process ends");
    }
    assert!(kills > 0, "no run lasted 30 ms");
    let last = lab.run();
    assert_eq!(last.names.len() + last.cached, last.stages);
    assert_eq!(lab.page(), undisturbed.page());
}
