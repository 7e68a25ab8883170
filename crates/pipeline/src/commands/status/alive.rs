//! Which copies of a plan live: those whose sign of life changes while one looks. No clock of another machine is asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use engine::CopySeen;

use crate::Failure;
use crate::commands::plan::duration;

/// How long to wait before each further look, in seconds: more than a minute in all, as no more than that lies between two
/// signs of life of a copy.
pub(super) const PAUSES: [u64; 7] = [1, 2, 4, 8, 16, 32, 12];

/// Waits for the next signs of life of those that have not said their last, says so meanwhile, and gives what came of it:
/// nothing if there are no such copies.
pub(super) fn wait(
    copies: &[CopySeen],
    pauses: &[u64],
    look: impl Fn() -> Result<Vec<CopySeen>, Failure>,
) -> Result<String, Failure> {
    let open = copies.iter().filter(|copy| !copy.ended);
    let mut silent: BTreeMap<&str, &CopySeen> = open.map(|copy| (&*copy.name, copy)).collect();
    let all = silent.len();
    if all == 0 {
        return Ok(String::new());
    }
    let most = duration(pauses.iter().sum::<u64>() as f64);
    errln!(
        "which of them live shows with their next signs of life: waiting, {most} at most (Ctrl-C ends it)"
    );
    for pause in pauses {
        std::thread::sleep(Duration::from_secs(*pause));
        for copy in look()? {
            if silent
                .get(&*copy.name)
                .is_some_and(|before| copy.counter != before.counter)
            {
                silent.remove(&*copy.name);
            }
        }
        if silent.is_empty() {
            break;
        }
    }
    Ok(in_words(&silent, all, &most))
}

fn in_words(silent: &BTreeMap<&str, &CopySeen>, all: usize, most: &str) -> String {
    match (all, silent.len()) {
        (1, 0) => return "it gave a sign of life\n".to_owned(),
        (_, 0) => return format!("all {all} copies gave a sign of life\n"),
        _ => {}
    }
    let lives = all - silent.len();
    let mut text = format!("{lives} of {all} gave a sign of life; none within {most}:\n");
    for copy in silent.values() {
        let job = copy.job.as_ref();
        let job = job.map_or_else(String::new, |job| format!(", job {job}"));
        writeln!(text, "  {}{job}, since {}", copy.host, copy.started)
            .expect("a String takes everything");
    }
    text + "(what such a copy has, others take over after five minutes of silence)\n"
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn copy(name: &str, counter: u64, ended: bool) -> CopySeen {
        CopySeen {
            name: name.to_owned(),
            host: format!("node-{name}"),
            job: Some("17_3".to_owned()),
            started: "2026-03-01T12:00:00Z".to_owned(),
            memory: None,
            counter,
            ended,
            holds: Vec::new(),
            settled: 0,
            ran: 0,
            failed: 0,
            modified: None,
        }
    }

    #[test]
    fn who_is_silent_is_named_and_who_lives_is_not_waited_for() {
        let before = [copy("a", 3, false), copy("b", 9, false), copy("c", 5, true)];
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            // The second time b has said something.
            let b = 9 + u64::from(looks.get() > 1);
            Ok(vec![copy("a", 3, false), copy("b", b, false)])
        };
        let said = wait(&before, &[0; 4], look).unwrap();
        assert_eq!(looks.get(), 4);
        assert!(said.starts_with("1 of 2 gave a sign of life"), "{said}");
        assert!(
            said.contains("node-a, job 17_3") && !said.contains("node-b"),
            "{said}"
        );
        looks.set(0);
        let said = wait(&before[1..], &[0; 4], look).unwrap();
        assert_eq!(
            (said.as_str(), looks.get()),
            ("it gave a sign of life\n", 2)
        );
        let nobody = wait(&before[2..], &[0; 4], || {
            panic!("there is nobody to look for")
        });
        assert_eq!(nobody.unwrap(), "");
    }
}
