//! `toy worker` serves an engine; `toy run STUDY CACHE LOG` is one, for the tests that kill it.

#[path = "../toy/mod.rs"]
mod toy;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["worker"] => Ok(engine::serve(&mut toy::Executor, &toy::build())?),
        ["foreign"] => {
            let build = engine::Build {
                id: "toy 2".to_owned(),
                ..toy::build()
            };
            Ok(engine::serve(&mut toy::Executor, &build)?)
        }
        ["run", study, cache, log] => {
            let toys: Vec<toy::Toy> = serde_json::from_slice(&std::fs::read(study)?)?;
            let store = engine::Store::open(Path::new(cache))?;
            let options = toy::options(&std::env::current_exe()?, Path::new(log));
            let summary = engine::run(
                &toy::graph(&toys),
                &store,
                &toy::kinds("1"),
                &options,
                &mut |_| {},
            )?;
            println!("{} {}", summary.ran(), summary.cached());
            Ok(())
        }
        _ => Err("expected `worker` or `run STUDY CACHE LOG`".into()),
    }
}
