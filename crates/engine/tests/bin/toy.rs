//! `toy worker` serves an engine; `toy run STUDY CACHE LOG` is one, and `toy gc CACHE` deletes what
//! gc may, for the tests that kill them.
//!
//! With `TOY_CRASH="ROLE N"` a process of this role aborts before the N-th change that it makes to
//! the store, unless another did: the file `TOY_CRASHED` says so.

#[path = "../toy/mod.rs"]
mod toy;

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    crash_as_told(args.first().copied().unwrap_or_default())?;
    match args[..] {
        ["worker"] => Ok(engine::serve(&mut toy::Executor, &toy::build())?),
        ["foreign"] => {
            let build = engine::Build {
                id: "toy 2".to_owned(),
                ..toy::build()
            };
            Ok(engine::serve(&mut toy::Executor, &build)?)
        }
        // Greets, and ends as soon as it is given a stage.
        ["faint"] => {
            let mut lines = std::io::stdin().lines();
            lines.next().ok_or("no request")??;
            println!("{}", serde_json::json!({"hello": {"build": toy::build()}}));
            lines.next().ok_or("no stage")??;
            Err("told to faint".into())
        }
        ["run", study, cache, log] => {
            let toys: Vec<toy::Toy> = serde_json::from_slice(&std::fs::read(study)?)?;
            let mut store = engine::Store::open(Path::new(cache))?;
            if let Some(remote) = std::env::var_os("TOY_REMOTE") {
                let remote = engine::Remote::open(Path::new(&remote), &store)?;
                store.put_before(remote);
            }
            let mut options = toy::options(&std::env::current_exe()?, Path::new(log));
            let mut graph = toy::graph(&toys);
            if let Some(plan) = std::env::var_os("TOY_PLAN") {
                let plan = serde_json::from_slice(plan.as_encoded_bytes())?;
                let remote = store.remote().ok_or("a plan lies in a remote")?;
                let frozen = remote.plan(&plan)?.ok_or("there is no such plan")?;
                graph = frozen.graph.clone();
                options.frozen = Some(std::sync::Arc::new(frozen));
            }
            let summary = engine::run(&graph, &store, &toy::kinds("1"), &options, &mut |_| {})?;
            println!("{} {}", summary.ran(), summary.cached());
            Ok(())
        }
        ["gc", cache] => {
            let policy = engine::Policy {
                older_than: Some(Duration::ZERO),
                ..engine::Policy::default()
            };
            let store = engine::Store::open(Path::new(cache))?;
            if let Some(remote) = std::env::var_os("TOY_REMOTE") {
                let remote = engine::Remote::open(Path::new(&remote), &store)?;
                remote.gc(&store, &policy, engine::GRACE, true)?;
            } else {
                store.gc(&policy, true)?;
            }
            Ok(())
        }
        _ => Err("expected `worker` or `run STUDY CACHE LOG`".into()),
    }
}

/// Changes until the crash.
static LEFT: AtomicUsize = AtomicUsize::new(0);

fn crash_as_told(role: &str) -> Result<(), Box<dyn Error>> {
    let told = std::env::var("TOY_CRASH").unwrap_or_default();
    if let Some((who, at)) = told.split_once(' ')
        && who == role
    {
        LEFT.store(at.parse()?, Ordering::SeqCst);
        engine::fault::before_each_change(|_| {
            if LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
                let mark = std::env::var("TOY_CRASHED").expect("both variables are set");
                if std::fs::File::create_new(mark).is_ok() {
                    std::process::abort();
                }
            }
        });
    }
    Ok(())
}
